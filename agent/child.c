/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/wait.h>

#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "process.h"
#include "samples.h"

#define ANSWER_LIMIT ((size_t)2 << 20)
#define RETRY_MS 60000

/* One child process and the pipe from it. */
struct run {
	struct fw_owner owner;
	uv_poll_t poll;
	struct child *child;
	pid_t pid;
	int pipe;
	struct fw_buf answer;
	int64_t started_ms;
	bool late; /* killed at its deadline */
};

struct child {
	struct fw_owner owner;
	uv_timer_t timer; /* the deadline of a run, else the start of the next */
	uv_loop_t *loop;
	const struct source *source;
	const struct machine *machine;
	struct child_sink sink;
	int64_t every_ms;
	struct run *run;
	struct fw_buf samples; /* of the last read that went well */
	struct child_report report;
};

/* In the child: the source's whole life, and what it read into the pipe. */
static void read_source(const struct child *c, int pipe)
{
	const struct source *source = c->source;
	struct machine m = *c->machine;
	m.text = (struct fw_buf){0};
	m.now_ms = fw_wall_ms();
	struct fw_err err = {.text = ""};
	void *state = source->state_size ? fw_alloc(source->state_size) : NULL;
	struct sweep *s = sweep_new();
	sweep_begin(s, m.now_ms);
	if (source->documents && c->sink.on_document)
		m.documents = documents_new(m.var, source);
	int rc = source->open ? source->open(state, &m, &err) : 0;
	if (rc >= 0)
		rc = source->read(state, &m, s, &err);
	sweep_end(s);
	struct fw_buf answer = {0};
	samples_pack(source, s, rc, &err, &answer);
	if (m.documents && rc >= 0)
		documents_finish(m.documents, m.now_ms, &answer);
	fw_write(pipe, answer.data, answer.length);
}

static void on_run_closed(struct fw_owner *owner)
{
	struct run *run = (struct run *)owner;
	fw_close(run->pipe);
	fw_buf_done(&run->answer);
	fw_free(run);
}

static void on_timer(uv_timer_t *timer);

static void wait_for_timer(struct child *c, int64_t ms)
{
	uv_timer_start(&c->timer, on_timer, ms > 0 ? (uint64_t)ms : 0, 0);
}

/* Inventory that cannot be kept is a failure, but the samples beside it are good. */
static void take_documents(struct child *c, const uint8_t *data, size_t length)
{
	if (!c->source->documents || !c->sink.on_document)
		return;
	int rc = documents_check(c->source, data, length, &c->report.err);
	if (rc < 0)
		c->report.rc = rc;
	if (rc != -EBADMSG)
		documents_each(c->source, data, length, c->sink.on_document, c->sink.arg);
}

static void take_answer(struct child *c, struct run *run)
{
	struct child_report *report = &c->report;
	const struct fw_buf *answer = &run->answer;
	size_t length = 0;
	report->duration_ms = fw_mono_ms() - run->started_ms;
	if (run->late)
		return;
	report->rc = samples_check(c->source, answer, &length, &report->err);
	if (report->rc < 0 && report->rc != -ENODATA)
		return;
	fw_buf_done(&c->samples);
	fw_buf_append(&c->samples, answer->data, length);
	report->read_at_ms = fw_wall_ms();
	if (report->rc >= 0)
		take_documents(c, answer->data + length, answer->length - length);
}

static uint64_t micros(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

/* The pipe has ended, so the process has: waiting for it takes no time. */
static void finish(struct run *run)
{
	struct child *c = run->child;
	struct rusage used = {0};
	kill(run->pid, SIGKILL);
	wait4(run->pid, NULL, 0, &used);
	c->report.cpu_us += micros(&used.ru_utime) + micros(&used.ru_stime);
	take_answer(c, run);
	int64_t next_ms = c->every_ms;
	if (c->report.rc < 0 && c->report.rc != -ENODATA && next_ms > RETRY_MS)
		next_ms = RETRY_MS;
	wait_for_timer(c, next_ms - c->report.duration_ms);
	c->run = NULL;
	fw_owner_close(&run->owner);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)events;
	struct run *run = (struct run *)poll->data;
	uint8_t bytes[4096];
	ssize_t got = status < 0 ? 0 : read(run->pipe, bytes, sizeof bytes);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		finish(run);
		return;
	}
	fw_buf_append(&run->answer, bytes, (size_t)got);
	if (run->answer.overflowed)
		kill(run->pid, SIGKILL);
}

static int fork_reader(struct child *c, int *pipe_end, pid_t *pid)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*pid = fork();
	if (*pid == 0) {
		process_become_helper(ends[1], c->machine->root);
		read_source(c, ends[1]);
		_exit(0);
	}
	int rc = *pid < 0 ? -errno : 0;
	fw_close(ends[1]);
	if (rc < 0) {
		fw_close(ends[0]);
		return rc;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*pipe_end = ends[0];
	return 0;
}

/* Where it fails, the run is given back. */
static int watch(struct run *run, uv_loop_t *loop)
{
	fw_owner_init(&run->owner, on_run_closed);
	int rc = uv_poll_init(loop, &run->poll, run->pipe);
	if (rc < 0) {
		on_run_closed(&run->owner);
		return rc;
	}
	fw_owner_adopt(&run->owner, &run->poll);
	rc = uv_poll_start(&run->poll, UV_READABLE, on_readable);
	if (rc < 0)
		fw_owner_close(&run->owner);
	return rc;
}

static int start(struct child *c)
{
	struct run *run = fw_alloc(sizeof *run);
	*run = (struct run){.child = c, .started_ms = fw_mono_ms()};
	run->answer.limit = ANSWER_LIMIT;
	int rc = fork_reader(c, &run->pipe, &run->pid);
	if (rc < 0) {
		fw_free(run);
		return rc;
	}
	pid_t pid = run->pid;
	rc = watch(run, c->loop);
	if (rc < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, WNOHANG);
		return rc;
	}
	c->run = run;
	wait_for_timer(c, (int64_t)c->source->timeout_s * 1000);
	return 0;
}

static bool has_nothing(const struct child *c)
{
	const char *path = c->source->only_with;
	return path && faccessat(c->machine->root, path, F_OK, 0) < 0 && errno == ENOENT;
}

static void pass_over(struct child *c)
{
	fw_buf_done(&c->samples);
	c->report = (struct child_report){.read_at_ms = fw_wall_ms()};
	c->report.rc =
		fw_fail(&c->report.err, -ENODATA, "this machine has no /%s", c->source->only_with);
	wait_for_timer(c, c->every_ms > RETRY_MS ? c->every_ms : RETRY_MS);
}

static void on_timer(uv_timer_t *timer)
{
	struct child *c = (struct child *)timer->data;
	if (c->run) {
		kill(c->run->pid, SIGKILL);
		c->run->late = true;
		c->report.rc = fw_fail(
			&c->report.err, -ETIMEDOUT, "no answer within %u s", c->source->timeout_s);
		return;
	}
	if (has_nothing(c)) {
		pass_over(c);
		return;
	}
	int rc = start(c);
	if (rc < 0) {
		c->report.rc = fw_fail_sys(&c->report.err, rc, "no child");
		wait_for_timer(c, RETRY_MS);
	}
}

static void on_child_closed(struct fw_owner *owner)
{
	struct child *c = (struct child *)owner;
	fw_buf_done(&c->samples);
	fw_free(c);
}

int child_open(struct child **out, uv_loop_t *loop, const struct source *source, unsigned every_s,
	const struct machine *m, const struct child_sink *sink, struct fw_err *err)
{
	struct child *c = fw_alloc(sizeof *c);
	c->loop = loop;
	c->sink = *sink;
	c->source = source;
	c->machine = m;
	c->every_ms = (int64_t)every_s * 1000;
	c->report.rc = fw_fail(&c->report.err, -EAGAIN, "not read yet");
	fw_owner_init(&c->owner, on_child_closed);
	int rc = uv_timer_init(loop, &c->timer);
	if (rc < 0) {
		fw_free(c);
		return fw_fail_sys(err, rc, "source %s", source->name);
	}
	fw_owner_adopt(&c->owner, &c->timer);
	wait_for_timer(c, 0);
	*out = c;
	return 0;
}

void child_replay(const struct child *c, struct sweep *out, struct child_report *report)
{
	samples_add(c->source, &c->samples, out);
	*report = c->report;
}

/* A process that cannot die yet is left to the system. */
void child_close(struct child *c)
{
	if (!c)
		return;
	if (c->run) {
		kill(c->run->pid, SIGKILL);
		waitpid(c->run->pid, NULL, WNOHANG);
		fw_owner_close(&c->run->owner);
		c->run = NULL;
	}
	fw_owner_close(&c->owner);
}
