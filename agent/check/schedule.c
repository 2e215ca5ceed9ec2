/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/crc.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "metrics.h"

struct task {
	struct schedule *schedule;
	uv_timer_t due, late;
	struct check_run run;
	struct sweep *sweep;
	uint64_t due_ms; /* on the loop's clock */
	bool running;
};

struct schedule {
	struct task *tasks;
	size_t n_tasks, n_open; /* timers that are not closed yet */
	schedule_sink *sink;
	void *arg;
	bool once;
};

/* ---- one reading ---- */

static void on_due(uv_timer_t *timer);

static void wait_for_next(struct task *t)
{
	uint64_t every_ms = (uint64_t)t->run.spec->every_ms, now_ms = uv_now(t->run.loop);
	t->due_ms += every_ms;
	if (t->due_ms < now_ms) /* the machine slept */
		t->due_ms += (now_ms - t->due_ms + every_ms - 1) / every_ms * every_ms;
	uv_timer_start(&t->due, on_due, t->due_ms - now_ms, 0);
}

static void tell(struct task *t)
{
	struct check_run *run = &t->run;
	struct schedule *schedule = t->schedule;
	const struct check_reading reading = {run->spec, t->sweep, run->result, run->text};
	t->running = false;
	uv_timer_stop(&t->late);
	if (run->spec->kind == &check_plugin)
		check_add(t->sweep, PLUGIN_STATUS, (int64_t)run->result);
	else
		check_add(t->sweep, PROBE_SUCCESS, run->result == CHECK_OK);
	check_add(t->sweep, PROBE_DURATION, check_us(run->started_ns, uv_hrtime()));
	sweep_end(t->sweep);
	if (!schedule->once)
		wait_for_next(t);
	schedule->sink(&reading, schedule->arg);
}

static void on_run_finished(struct check_run *run)
{
	tell(FW_CONTAINER(run, struct task, run));
}

static void on_late(uv_timer_t *timer)
{
	struct task *t = timer->data;
	struct check_run *run = &t->run;
	char limit[32];
	run->spec->kind->cancel(run);
	check_finish(run, run->spec->kind == &check_plugin ? CHECK_UNKNOWN : CHECK_CRITICAL,
		"no answer within %s",
		fw_format_duration(run->spec->timeout_ms, limit, sizeof limit));
}

static void on_due(uv_timer_t *timer)
{
	struct task *t = timer->data;
	struct check_run *run = &t->run;
	struct fw_err err;
	uv_update_time(run->loop); /* what came before in this turn is not this one's time */
	sweep_begin(t->sweep, fw_wall_ms());
	run->started_ns = uv_hrtime();
	t->running = true;
	int rc = run->spec->kind->start(run, &err);
	if (rc < 0)
		check_finish(run, CHECK_UNKNOWN, "%s", err.text);
	else
		uv_timer_start(&t->late, on_late, (uint64_t)run->spec->timeout_ms, 0);
}

/* ---- all of them ---- */

static void task_open(struct task *t, uv_loop_t *loop, const struct check_spec *spec, bool once)
{
	uint64_t spread = fw_crc32c(0, spec->name, strlen(spec->name));
	t->sweep = sweep_new();
	t->run = (struct check_run){
		.spec = spec, .loop = loop, .sweep = t->sweep, .on_finished = on_run_finished};
	uv_timer_init(loop, &t->due);
	uv_timer_init(loop, &t->late);
	t->due.data = t->late.data = t;
	uint64_t wait_ms = once ? 0 : spread % (uint64_t)spec->every_ms;
	t->due_ms = uv_now(loop) + wait_ms;
	uv_timer_start(&t->due, on_due, wait_ms, 0);
}

static struct schedule *open_all(uv_loop_t *loop, const struct check_spec *specs, size_t n,
	bool once, schedule_sink *sink, void *arg)
{
	struct schedule *s = fw_alloc(sizeof *s);
	s->tasks = fw_alloc_array(n + 1, sizeof *s->tasks);
	s->n_tasks = n;
	s->n_open = 2 * n;
	s->once = once;
	s->sink = sink;
	s->arg = arg;
	for (size_t i = 0; i < n; i++) {
		s->tasks[i].schedule = s;
		task_open(&s->tasks[i], loop, &specs[i], once);
	}
	return s;
}

struct schedule *schedule_open(uv_loop_t *loop, const struct check_spec *specs, size_t n_specs,
	schedule_sink *sink, void *arg)
{
	return open_all(loop, specs, n_specs, false, sink, arg);
}

struct schedule *schedule_once(
	uv_loop_t *loop, const struct check_spec *spec, schedule_sink *sink, void *arg)
{
	return open_all(loop, spec, 1, true, sink, arg);
}

static void schedule_free(struct schedule *s)
{
	for (size_t i = 0; i < s->n_tasks; i++)
		sweep_free(s->tasks[i].sweep);
	fw_free(s->tasks);
	fw_free(s);
}

static void on_timer_closed(uv_handle_t *handle)
{
	const struct task *t = handle->data;
	if (--t->schedule->n_open == 0)
		schedule_free(t->schedule);
}

void schedule_close(struct schedule *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_tasks; i++) {
		struct task *t = &s->tasks[i];
		if (t->running)
			t->run.spec->kind->cancel(&t->run);
		uv_close((uv_handle_t *)&t->due, on_timer_closed);
		uv_close((uv_handle_t *)&t->late, on_timer_closed);
	}
	if (s->n_tasks == 0)
		schedule_free(s);
}
