/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <string.h>

static const struct metric metrics[] = {
	{"node_schedstat_running_seconds_total", FW_COUNTER, "seconds",
		"Number of seconds CPU spent running a process.", 9, 1},
	{"node_schedstat_waiting_seconds_total", FW_COUNTER, "seconds",
		"Number of seconds spent by processing waiting for this CPU.", 9, 1},
	{"node_schedstat_timeslices_total", FW_COUNTER, "", "Number of timeslices executed by CPU.",
		0, 1},
};

/* "cpu0" and nine numbers, of which the last three are ours. */
static void add_cpu(struct sweep *out, struct fw_cursor *line)
{
	enum { SKIPPED = 6 };
	char cpu[NAME_BYTES];
	if (!cut_name(line, ' ', cpu, sizeof cpu))
		return;
	int64_t value;
	for (size_t i = 0; i < SKIPPED + COUNT(metrics) && fw_cut_i64(line, &value); i++)
		if (i >= SKIPPED)
			sweep_add(out, &metrics[i - SKIPPED], value, SWEEP_LABELS("cpu", cpu));
}

static int read_schedstat(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct fw_cursor c, line;
	int rc = read_facts(m, "proc/schedstat", &c, err);
	if (rc < 0)
		return rc;
	while (fw_cut_line(&c, &line))
		if (fw_cut_literal(&line, "cpu"))
			add_cpu(out, &line);
	return 0;
}

const struct source source_schedstat = {
	.name = "schedstat",
	.help = "What the scheduler did on each CPU.",
	.purpose = "Whether work waits for a processor.",
	.reads = "/proc/schedstat",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_schedstat,
};
