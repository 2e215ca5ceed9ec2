/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

/* A public dashboard asks for the second name. */
static const struct metric metrics[] = {
	{"node_kernel_hung_tasks_total", FW_COUNTER, "",
		"Total number of tasks that have been detected as hung since the system booted.", 0,
		1},
	{"node_kernel_hung_tasks", FW_GAUGE, "",
		"Tasks that have been detected as hung since the system booted.", 0, 1},
};

static int read_hungtasks(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int64_t count;
	int rc = read_number(m, "proc/sys/kernel/hung_task_detect_count", &count, err);
	for (size_t i = 0; rc == 0 && i < COUNT(metrics); i++)
		sweep_add_plain(out, &metrics[i], count);
	return rc;
}

const struct source source_hungtasks = {
	.name = "hungtasks",
	.help = "Tasks that the kernel found waiting for too long.",
	.purpose = "A disk or a server that does not answer holds tasks for minutes.",
	.reads = "/proc/sys/kernel/hung_task_detect_count",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_hungtasks,
};
