/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/file.h>

enum { PIDS, STATE, THREADS, MAX_PROCESSES, MAX_THREADS };

static const struct metric metrics[] = {
	[PIDS] = {"node_processes_pids", FW_GAUGE, "", "Number of PIDs.", 0, 1},
	[STATE] = {"node_processes_state", FW_GAUGE, "", "Number of processes in each state.", 0,
		1},
	[THREADS] = {"node_processes_threads", FW_GAUGE, "", "Allocated threads in system.", 0, 1},
	[MAX_PROCESSES] = {"node_processes_max_processes", FW_GAUGE, "",
		"Number of max PIDs limit.", 0, 1},
	[MAX_THREADS] = {"node_processes_max_threads", FW_GAUGE, "",
		"Limit of threads in the system.", 0, 1},
};

/* A process costs some ten microseconds to look at, so states are looked at
 * once a minute and numbers every time. */
#define LOOK_EVERY_MS 60000

static const char states[] = "DIRSTXZt";

struct processes {
	int64_t pids;
	int64_t by_state[sizeof states]; /* a state once seen is reported from then on */
	bool seen[sizeof states];
	int64_t looked_at_ms;
	bool look;
};

/* The state stands behind the last bracket: "42 (a) b) S 1 ...". */
static void look(struct processes *p, struct machine *m, const char *pid)
{
	char path[NAME_BYTES], text[512];
	snprintf(path, sizeof path, "proc/%s/stat", pid);
	int fd = fw_openat(m->root, path, O_RDONLY, 0);
	ssize_t got = fd >= 0 ? fw_pread(fd, text, sizeof text, 0) : 0;
	if (fd >= 0)
		fw_close(fd);
	const char *bracket = got > 0 ? memrchr(text, ')', (size_t)got) : NULL;
	if (!bracket || text + got - bracket < 3 || bracket[2] == '\0')
		return;
	const char *state = strchr(states, bracket[2]);
	if (!state)
		return;
	p->by_state[state - states]++;
	p->seen[state - states] = true;
}

static int on_entry(struct machine *m, const char *name, void *arg)
{
	struct processes *p = arg;
	if (name[strspn(name, "0123456789")] != '\0')
		return 0;
	p->pids++;
	if (p->look)
		look(p, m, name);
	return 0;
}

static int count(struct processes *p, struct machine *m)
{
	int64_t age_ms = m->now_ms - p->looked_at_ms;
	p->look = p->looked_at_ms == 0 || age_ms >= LOOK_EVERY_MS || age_ms < 0;
	p->pids = 0;
	if (p->look) {
		memset(p->by_state, 0, sizeof p->by_state);
		p->looked_at_ms = m->now_ms;
	}
	return machine_list(m, "proc", on_entry, p);
}

/* "0.20 0.18 0.12 1/80 11206": threads running / all. */
static void add_threads(struct machine *m, struct sweep *out)
{
	struct fw_cursor c;
	const char *word;
	size_t length;
	int64_t running, all;
	if (machine_read(m, "proc/loadavg", &c) < 0)
		return;
	for (size_t i = 0; i < 3; i++)
		fw_cut_word(&c, &word, &length);
	if (fw_cut_i64(&c, &running) && fw_cut_literal(&c, "/") && fw_cut_i64(&c, &all))
		sweep_add_plain(out, &metrics[THREADS], all);
}

static int read_processes(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	struct processes *p = state;
	int rc = count(p, m);
	if (rc < 0)
		return rc == -ENOENT ? fw_fail(err, -ENODATA, "this machine has no /proc")
				     : fw_fail_sys(err, rc, "/proc");
	sweep_add_plain(out, &metrics[PIDS], p->pids);
	for (size_t i = 0; states[i]; i++) {
		const char name[] = {states[i], '\0'};
		if (p->seen[i])
			sweep_add(
				out, &metrics[STATE], p->by_state[i], SWEEP_LABELS("state", name));
	}
	add_threads(m, out);
	int64_t limit;
	if (machine_read_i64(m, "proc/sys/kernel/pid_max", &limit) == 0)
		sweep_add_plain(out, &metrics[MAX_PROCESSES], limit);
	if (machine_read_i64(m, "proc/sys/kernel/threads-max", &limit) == 0)
		sweep_add_plain(out, &metrics[MAX_THREADS], limit);
	return 0;
}

const struct source source_processes = {
	.name = "processes",
	.help = "How many processes and threads there are, and in which state.",
	.purpose = "Processes that pile up or hang tell of a fault before users do.",
	.reads = "/proc/PID/stat, of it the state and the number of threads alone",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.state_size = sizeof(struct processes),
	.read = read_processes,
};
