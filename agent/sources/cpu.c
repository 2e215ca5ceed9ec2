/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <string.h>

enum { CPU, GUEST, INTR, CTXT, BTIME, FORKS, RUNNING, BLOCKED };

/* Ticks are hundredths of a second for every program, whatever the kernel's own rate. */
static const struct metric metrics[] = {
	[CPU] = {"node_cpu_seconds_total", FW_COUNTER, "seconds",
		"Seconds the CPUs spent in each mode.", 2, 1},
	[GUEST] = {"node_cpu_guest_seconds_total", FW_COUNTER, "seconds",
		"Seconds the CPUs spent in guests (VMs) for each mode.", 2, 1},
	[INTR] = {"node_intr_total", FW_COUNTER, "", "Total number of interrupts serviced.", 0, 1},
	[CTXT] = {"node_context_switches_total", FW_COUNTER, "",
		"Total number of context switches.", 0, 1},
	[BTIME] = {"node_boot_time_seconds", FW_GAUGE, "seconds", "Node boot time, in unixtime.", 0,
		1},
	[FORKS] = {"node_forks_total", FW_COUNTER, "", "Total number of forks.", 0, 1},
	[RUNNING] = {"node_procs_running", FW_GAUGE, "", "Number of processes in runnable state.",
		0, 1},
	[BLOCKED] = {"node_procs_blocked", FW_GAUGE, "",
		"Number of processes blocked waiting for I/O to complete.", 0, 1},
};

static const struct {
	const char *key;
	size_t metric;
} single_lines[] = {
	{"intr", INTR},
	{"ctxt", CTXT},
	{"btime", BTIME},
	{"processes", FORKS},
	{"procs_running", RUNNING},
	{"procs_blocked", BLOCKED},
};

static const char *const modes[] = {
	"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"};
static const char *const guest_modes[] = {"user", "nice"};

static void add_modes(struct sweep *out, const struct metric *metric, const char *cpu,
	const char *const *names, size_t n, struct fw_cursor *line)
{
	int64_t ticks;
	for (size_t i = 0; i < n && fw_cut_i64(line, &ticks); i++)
		sweep_add(out, metric, ticks, SWEEP_LABELS("cpu", cpu, "mode", names[i]));
}

static void add_single(struct sweep *out, const char *key, struct fw_cursor *line)
{
	int64_t value;
	for (size_t i = 0; i < COUNT(single_lines); i++)
		if (strcmp(key, single_lines[i].key) == 0 && fw_cut_i64(line, &value))
			sweep_add_plain(out, &metrics[single_lines[i].metric], value);
}

static int read_cpu(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	struct fw_cursor c, line;
	int rc = read_facts(m, "proc/stat", &c, err);
	if (rc < 0)
		return rc;
	size_t cpus = 0;
	while (fw_cut_line(&c, &line)) {
		char key[NAME_BYTES];
		if (!cut_name(&line, ' ', key, sizeof key))
			continue;
		if (strncmp(key, "cpu", 3) != 0) {
			add_single(out, key, &line);
		} else if (key[3] != '\0') {
			add_modes(out, &metrics[CPU], key + 3, modes, COUNT(modes), &line);
			add_modes(out, &metrics[GUEST], key + 3, guest_modes, COUNT(guest_modes),
				&line);
			cpus++;
		}
	}
	return cpus ? 0 : fw_fail(err, -EBADMSG, "/proc/stat: it names no cpu");
}

const struct source source_cpu = {
	.name = "cpu",
	.help = "CPU time, interrupts, forks and the time of boot.",
	.purpose = "Whether the processor is busy, with what, and when the machine was started.",
	.reads = "/proc/stat",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_cpu,
};
