/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define PRESSURE(resource, how, help)                                                            \
	{                                                                                        \
		"node_pressure_" resource "_" how "_seconds_total", FW_COUNTER, "seconds", help, \
			6, 1,                                                                    \
	}

static const struct metric metrics[] = {
	PRESSURE(
		"cpu", "waiting", "Total time in seconds that processes have waited for CPU time."),
	PRESSURE("io", "waiting", "Total time in seconds that processes have waited for I/O."),
	PRESSURE("io", "stalled", "Total time in seconds that no process could go on for I/O."),
	PRESSURE("memory", "waiting",
		"Total time in seconds that processes have waited for memory."),
	PRESSURE("memory", "stalled",
		"Total time in seconds that no process could go on for want of memory."),
	PRESSURE("irq", "stalled", "Total time in seconds that interrupts kept processes waiting."),
};

/* One line of one file each, in the files' order. */
static const struct {
	const char *path, *line;
} places[] = {
	{"proc/pressure/cpu", "some"},
	{"proc/pressure/io", "some"},
	{"proc/pressure/io", "full"},
	{"proc/pressure/memory", "some"},
	{"proc/pressure/memory", "full"},
	{"proc/pressure/irq", "full"},
};
static_assert(COUNT(places) == COUNT(metrics), "a place for every metric");

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=184637" in microseconds. */
static bool find_total(struct fw_cursor c, const char *which, int64_t *total)
{
	struct fw_cursor line;
	while (fw_cut_line(&c, &line)) {
		if (!fw_cut_literal(&line, which))
			continue;
		while (line.at < line.end) {
			if (fw_cut_literal(&line, "total="))
				return fw_cut_i64(&line, total);
			line.at++;
		}
	}
	return false;
}

static int read_pressure(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	size_t found = 0;
	struct fw_cursor c = {0};
	int rc = 0;
	for (size_t i = 0; i < COUNT(places); i++) {
		if (i == 0 || strcmp(places[i].path, places[i - 1].path) != 0)
			rc = read_facts(m, places[i].path, &c, err);
		int64_t total;
		if (rc == 0 && find_total(c, places[i].line, &total)) {
			sweep_add_plain(out, &metrics[i], total);
			found++;
		}
	}
	return found ? 0 : fw_fail(err, -ENODATA, "/proc/pressure: this kernel measures none");
}

const struct source source_pressure = {
	.name = "pressure",
	.help = "How long processes waited for CPU, memory and I/O.",
	.purpose = "Whether work is held up for want of CPU, memory or disk.",
	.reads = "/proc/pressure",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_pressure,
};
