/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule.h"

#include <string.h>
#include <sys/queue.h>

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
	bool running, admitted;
	TAILQ_ENTRY(task) place; /* among those that wait */
};

struct schedule {
	struct task *tasks;
	size_t n_tasks, n_open; /* timers that are not closed yet */
	schedule_sink *sink;
	void *arg;
	bool once;
	size_t n_plugins, most_plugins; /* those that run, or are to begin now */
	TAILQ_HEAD(task_queue, task) waiting;
};

static bool is_plugin(const struct task *t)
{
	return t->run.spec->kind == &check_plugin;
}

/* ---- one reading ---- */

static void on_due(uv_timer_t *timer);

/* False: as many run as may. */
static bool admit(struct task *t)
{
	struct schedule *s = t->schedule;
	if (!is_plugin(t) || t->admitted)
		return true;
	if (s->n_plugins >= s->most_plugins) {
		TAILQ_INSERT_TAIL(&s->waiting, t, place);
		return false;
	}
	s->n_plugins++;
	t->admitted = true;
	return true;
}

/* Who has waited longest takes its place, from the loop. */
static void leave(struct task *t)
{
	struct schedule *s = t->schedule;
	struct task *next = TAILQ_FIRST(&s->waiting);
	if (!t->admitted)
		return;
	t->admitted = false;
	if (!next) {
		s->n_plugins--;
		return;
	}
	TAILQ_REMOVE(&s->waiting, next, place);
	next->admitted = true;
	uv_timer_start(&next->due, on_due, 0, 0);
}

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
	leave(t);
	if (is_plugin(t))
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
	if (!admit(t))
		return;
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

/* What stays as it was goes on when it was to; what is new begins at its own offset. */
static uint64_t first_due(
	const struct schedule *before, const struct check_spec *spec, uint64_t now_ms)
{
	for (size_t i = 0; before && i < before->n_tasks; i++) {
		const struct task *t = &before->tasks[i];
		const struct check_spec *was = t->run.spec;
		if (was->every_ms == spec->every_ms && strcmp(was->name, spec->name) == 0)
			return t->due_ms > now_ms ? t->due_ms : now_ms;
	}
	uint64_t spread = fw_crc32c(0, spec->name, strlen(spec->name));
	return now_ms + spread % (uint64_t)spec->every_ms;
}

static void task_open(struct task *t, uv_loop_t *loop, const struct check_spec *spec,
	const struct schedule *before)
{
	t->sweep = sweep_new();
	t->run = (struct check_run){
		.spec = spec, .loop = loop, .sweep = t->sweep, .on_finished = on_run_finished};
	uv_timer_init(loop, &t->due);
	uv_timer_init(loop, &t->late);
	t->due.data = t->late.data = t;
	uint64_t now_ms = uv_now(loop);
	t->due_ms = t->schedule->once ? now_ms : first_due(before, spec, now_ms);
	uv_timer_start(&t->due, on_due, t->due_ms - now_ms, 0);
}

static struct schedule *open_all(
	uv_loop_t *loop, const struct schedule_plan *plan, bool once, const struct schedule *before)
{
	struct schedule *s = fw_alloc(sizeof *s);
	s->tasks = fw_alloc_array(plan->n_specs + 1, sizeof *s->tasks);
	s->n_tasks = plan->n_specs;
	s->n_open = 2 * plan->n_specs;
	s->once = once;
	s->sink = plan->sink;
	s->arg = plan->arg;
	s->most_plugins = plan->most_plugins;
	TAILQ_INIT(&s->waiting);
	for (size_t i = 0; i < plan->n_specs; i++) {
		s->tasks[i].schedule = s;
		task_open(&s->tasks[i], loop, &plan->specs[i], before);
	}
	return s;
}

struct schedule *schedule_open(
	uv_loop_t *loop, const struct schedule_plan *plan, const struct schedule *before)
{
	return open_all(loop, plan, false, before);
}

struct schedule *schedule_once(
	uv_loop_t *loop, const struct check_spec *spec, schedule_sink *sink, void *arg)
{
	const struct schedule_plan plan = {
		.specs = spec, .n_specs = 1, .most_plugins = 1, .sink = sink, .arg = arg};
	return open_all(loop, &plan, true, NULL);
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
