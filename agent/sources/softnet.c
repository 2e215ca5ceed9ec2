/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <stdio.h>

static const struct metric metrics[] = {
	{"node_softnet_processed_total", FW_COUNTER, "", "Number of processed packets.", 0, 1},
	{"node_softnet_dropped_total", FW_COUNTER, "", "Number of dropped packets.", 0, 1},
	{"node_softnet_times_squeezed_total", FW_COUNTER, "",
		"Number of times processing packets ran out of quota.", 0, 1},
	{"node_softnet_received_rps_total", FW_COUNTER, "",
		"Number of times a CPU was woken up to receive packets.", 0, 1},
	{"node_softnet_flow_limit_count_total", FW_COUNTER, "",
		"Number of times the flow limit was reached.", 0, 1},
};

/* Columns of a line; older kernels have fewer. */
enum { COLUMNS = 13, CPU_COLUMN = 12 };
static const size_t columns[] = {0, 1, 2, 9, 10};

static void add_line(struct sweep *out, size_t line_number, struct fw_cursor *line)
{
	uint64_t values[COLUMNS];
	size_t n = 0;
	while (n < COLUMNS && cut_hex(line, &values[n]))
		n++;
	unsigned long long number = n > CPU_COLUMN ? values[CPU_COLUMN] : line_number;
	char cpu[24];
	snprintf(cpu, sizeof cpu, "%llu", number);
	for (size_t i = 0; i < COUNT(metrics); i++)
		if (columns[i] < n)
			sweep_add(out, &metrics[i], (int64_t)values[columns[i]],
				SWEEP_LABELS("cpu", cpu));
}

static int read_softnet(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct fw_cursor c, line;
	int rc = read_facts(m, "proc/net/softnet_stat", &c, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; fw_cut_line(&c, &line); i++)
		add_line(out, i, &line);
	return 0;
}

const struct source source_softnet = {
	.name = "softnet",
	.help = "Packets that each CPU took in, dropped or had to leave for later.",
	.purpose = "Packets that the processor could not keep up with.",
	.reads = "/proc/net/softnet_stat",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_softnet,
};
