/* SPDX-License-Identifier: Apache-2.0 */
/* How jobs ended that run by the clock: those of systemd's timers, and those of cron that
 * leave a stamp, a file of their name with their exit status in it:
 *
 *     17 3 * * *  root  /usr/local/bin/backup; echo $? 26h > /var/lib/fenwatch-jobs/backup
 *
 * The time behind the status may be left out; with it, the job is missed when it does not
 * end again within that. A timer's job is missed a day after the timer should have elapsed
 * (some may be late by half a day), also where somebody stopped the timer.
 */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "people.h"
#include "systemctl.h"

#define JOBS_LIMIT 256
#define UNIT_BYTES 256
#define DAY_MS INT64_C(86400000)

enum { OK, STATUS, FINISHED, DUE };

static const struct metric metrics[] = {
	[OK] = {"fenwatch_job_ok", FW_GAUGE, "", "Whether the job ended well when it last ran.", 0,
		1},
	[STATUS] = {"fenwatch_job_exit_status", FW_GAUGE, "",
		"What the job ended with when it last ran.", 0, 1},
	[FINISHED] = {"fenwatch_job_finished_timestamp_seconds", FW_GAUGE, "seconds",
		"When the job last ended.", 3, 1},
	[DUE] = {"fenwatch_job_due_timestamp_seconds", FW_GAUGE, "seconds",
		"When the job has been missed unless it ended again.", 3, 1},
};

struct job {
	const char *kind, *name;
	bool ok;
	int64_t status, finished_ms, due_ms; /* due 0: it is not known */
};

static void add_job(struct machine *m, struct sweep *out, const struct job *job)
{
	char name[UNIT_BYTES];
	const char *const labels[] = {
		"kind", job->kind, "name", people_free_unit(m, job->name, name, sizeof name), NULL};
	sweep_add(out, &metrics[OK], job->ok, labels);
	sweep_add(out, &metrics[STATUS], job->status, labels);
	sweep_add(out, &metrics[FINISHED], job->finished_ms, labels);
	if (job->due_ms > 0)
		sweep_add(out, &metrics[DUE], job->due_ms, labels);
}

/* ---- timers ---- */

enum { ID, UNIT, RESULT, EXIT_STATUS, EXIT_TIME, NEXT, LAST, ACTIVE, FILE_STATE, PROPERTIES };
static const char *const properties[PROPERTIES] = {
	"Id=", "Unit=", "Result=", "ExecMainStatus=", "ExecMainExitTimestamp=",
	"NextElapseUSecRealtime=", "LastTriggerUSec=", "ActiveState=", "UnitFileState="};
static const char *const show[] = {"show", "--all", "--no-pager",
	"--property=Id,Unit,Result,ExecMainStatus,ExecMainExitTimestamp",
	"--property=NextElapseUSecRealtime,LastTriggerUSec,ActiveState,UnitFileState", "*.timer",
	"*.service", NULL};

struct unit {
	char values[PROPERTIES][UNIT_BYTES];
};

/* Paragraphs of "Property=value", one for each unit. */
static bool next_unit(struct fw_cursor *c, struct unit *u)
{
	struct fw_cursor line;
	memset(u, 0, sizeof *u);
	while (fw_cut_line(c, &line) && line.at < line.end)
		for (size_t i = 0; i < PROPERTIES; i++)
			if (fw_cut_literal(&line, properties[i]))
				snprintf(u->values[i], UNIT_BYTES, "%.*s",
					(int)(line.end - line.at), line.at);
	return u->values[ID][0] != '\0' || c->at < c->end;
}

struct timer {
	char service[UNIT_BYTES];
	int64_t due_ms;
};

struct timers {
	struct timer list[JOBS_LIMIT];
	size_t n;
};

/* From when it should elapse next; one that is enabled and stopped, from when it last did. */
static int64_t due_of(const struct unit *timer)
{
	int64_t at_ms;
	bool stopped = strcmp(timer->values[ACTIVE], "inactive") == 0 &&
		strcmp(timer->values[FILE_STATE], "enabled") == 0;
	return systemctl_time(timer->values[stopped ? LAST : NEXT], &at_ms) ? at_ms + DAY_MS : 0;
}

static void find_timers(struct fw_cursor c, struct timers *timers)
{
	struct unit u;
	while (next_unit(&c, &u)) {
		if (!systemctl_is_type(u.values[ID], "timer") || !u.values[UNIT][0] ||
			timers->n >= JOBS_LIMIT)
			continue;
		struct timer *timer = &timers->list[timers->n++];
		memcpy(timer->service, u.values[UNIT], UNIT_BYTES);
		timer->due_ms = due_of(&u);
	}
}

static const struct timer *timer_of(const struct timers *timers, const char *service)
{
	for (size_t i = 0; i < timers->n; i++)
		if (strcmp(timers->list[i].service, service) == 0)
			return &timers->list[i];
	return NULL;
}

/* One that has not run since the machine was started has no time. */
static void add_services(
	struct machine *m, struct fw_cursor c, const struct timers *timers, struct sweep *out)
{
	struct unit u;
	while (next_unit(&c, &u)) {
		uint64_t status;
		struct job job = {.kind = "timer", .name = u.values[ID]};
		const struct timer *timer = timer_of(timers, job.name);
		if (!timer || !systemctl_time(u.values[EXIT_TIME], &job.finished_ms) ||
			fw_parse_u64(u.values[EXIT_STATUS], &status) < 0)
			continue;
		job.ok = strcmp(u.values[RESULT], "success") == 0;
		job.status = (int64_t)status;
		job.due_ms = timer->due_ms;
		add_job(m, out, &job);
	}
}

static int read_timers(struct machine *m, struct sweep *out, struct fw_err *err)
{
	struct fw_buf text = {0};
	struct fw_cursor c;
	struct timers timers = {.n = 0};
	int rc = systemctl_there(m, err);
	if (rc == 0)
		rc = systemctl_ask(m, "recorded/systemctl-jobs", show, &text, &c, err);
	if (rc == 0) {
		find_timers(c, &timers);
		add_services(m, c, &timers, out);
	}
	fw_buf_done(&text);
	return rc;
}

/* ---- stamps ---- */

struct stamps {
	const char *folder;
	struct sweep *out;
	unsigned n;
};

/* "0", "0 26h" */
static bool parse_stamp(struct fw_cursor *c, struct job *job)
{
	char within[32];
	int64_t within_ms;
	if (!fw_cut_i64(c, &job->status))
		return false;
	if (cut_name(c, '\n', within, sizeof within) && fw_parse_duration(within, &within_ms) == 0)
		job->due_ms = job->finished_ms + within_ms;
	return true;
}

static int on_stamp(struct machine *m, const char *name, void *arg)
{
	struct stamps *stamps = arg;
	struct machine_file file;
	struct job job = {.kind = "stamp", .name = name};
	struct fw_cursor c;
	char path[512];
	int n = snprintf(path, sizeof path, "%s/%s", stamps->folder, name);
	if (n < 0 || (size_t)n >= sizeof path || stamps->n >= JOBS_LIMIT ||
		machine_stat(m, path, &file) < 0 || machine_read(m, path, &c) < 0)
		return 0;
	job.finished_ms = file.mtime_ms;
	if (!parse_stamp(&c, &job))
		return 0;
	stamps->n++;
	job.ok = job.status == 0;
	add_job(m, stamps->out, &job);
	return 0;
}

static int read_stamps(struct machine *m, struct sweep *out, struct fw_err *err)
{
	const char *folder = m->choices->jobs;
	struct stamps stamps = {.folder = folder ? machine_path(folder) : "", .out = out};
	int rc = folder ? machine_list(m, stamps.folder, on_stamp, &stamps) : -ENOENT;
	if (rc == -ENOENT)
		return fw_fail(err, -ENODATA, "this machine has no systemd and no %s",
			folder ? folder : "folder of stamps");
	return rc < 0 ? fw_fail_sys(err, rc, "%s", folder) : 0;
}

static int read_jobs(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int timers = read_timers(m, out, err);
	if (timers < 0 && timers != -ENODATA)
		return timers;
	int stamps = read_stamps(m, out, err);
	return stamps == -ENODATA ? timers : stamps;
}

const struct source source_jobs = {
	.name = "jobs",
	.help = "How the jobs ended that run by the clock, of systemd's timers and of cron.",
	.purpose = "A backup that fails at night is to be known in the morning.",
	.reads = "what systemctl show says of timers and services, and files in the folder that "
		 "`jobs: {dir}` names",
	.needs = "systemd, or jobs that write their exit status into a file",
	.slow = true,
	.every_s = 300,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_jobs,
};
