/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler.h"

#include <errno.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "budget.h"
#include "child.h"

#define GRID_TOLERANCE_MS 50 /* a sweep this near to its time carries it */

enum { DURATION, SUCCESS };

static const struct metric metrics[] = {
	[DURATION] = {"node_scrape_collector_duration_seconds", FW_GAUGE, "seconds",
		"How long reading a source took, in whole milliseconds.", 3, 1},
	[SUCCESS] = {"node_scrape_collector_success", FW_GAUGE, "",
		"Whether a source could be read.", 0, 1},
};

const struct metric *sampler_metrics(size_t *n)
{
	*n = sizeof metrics / sizeof *metrics;
	return metrics;
}

struct reading {
	struct source_plan plan;
	void *state;
	bool open, failed; /* failed: and logged */
	struct child *child;
	uint64_t child_cpu_us; /* counted so far */
};

struct sampler {
	struct sampler_config config;
	struct fw_owner owner;
	uv_timer_t timer;
	uv_loop_t *loop;
	struct sweep *sweep;
	struct reading *readings; /* one for each of sources[] */
	int64_t last_mono_ms;
	struct budget *budget;
};

int64_t grid_wait_ms(int64_t now_ms, int64_t interval_ms, int64_t since_ms)
{
	int64_t wait_ms = interval_ms - (now_ms % interval_ms + interval_ms) % interval_ms;
	if (wait_ms < interval_ms / 4 && since_ms < interval_ms / 2)
		wait_ms += interval_ms;
	return wait_ms;
}

int64_t grid_time_ms(int64_t now_ms, int64_t interval_ms)
{
	int64_t off_ms = (now_ms % interval_ms + interval_ms) % interval_ms;
	if (off_ms <= GRID_TOLERANCE_MS)
		return now_ms - off_ms;
	if (interval_ms - off_ms <= GRID_TOLERANCE_MS)
		return now_ms + interval_ms - off_ms;
	return now_ms;
}

/* ---- reading ---- */

static void note_outcome(
	struct reading *r, const struct source *source, int rc, const struct fw_err *err)
{
	bool failed = rc < 0 && rc != -ENODATA;
	if (failed && !r->failed)
		fw_log(FW_WARNING, "source %s: %s", source->name, err->text);
	if (!failed && r->failed)
		fw_log(FW_NOTICE, "source %s: reads again", source->name);
	r->failed = failed;
}

static int open_once(
	struct reading *r, const struct source *source, struct machine *m, struct fw_err *err)
{
	if (r->open)
		return 0;
	if (!r->state)
		r->state = fw_alloc(source->state_size ? source->state_size : 1);
	int rc = source->open ? source->open(r->state, m, err) : 0;
	r->open = rc >= 0;
	return rc;
}

static int read_here(struct reading *r, const struct source *source, struct machine *m,
	struct sweep *sweep, int64_t *duration_ms, struct fw_err *err)
{
	int64_t start_ms = fw_mono_ms();
	int rc = open_once(r, source, m, err);
	if (rc >= 0)
		rc = source->read(r->state, m, sweep, err);
	*duration_ms = fw_mono_ms() - start_ms;
	return rc;
}

/* Returns the CPU time that this took, of a child since the sweep before. */
static uint64_t read_source(
	struct reading *r, const struct source *source, struct machine *m, struct sweep *sweep)
{
	struct fw_err err = {.text = "failed"};
	uint64_t cpu_us, began_ns = fw_cpu_ns();
	int64_t duration_ms;
	int rc;
	if (r->child) {
		struct child_report report;
		child_replay(r->child, sweep, &report);
		rc = report.rc;
		err = report.err;
		duration_ms = report.duration_ms;
		cpu_us = report.cpu_us - r->child_cpu_us;
		r->child_cpu_us = report.cpu_us;
		if (rc == -EAGAIN)
			return cpu_us;
	} else {
		rc = read_here(r, source, m, sweep, &duration_ms, &err);
		cpu_us = (fw_cpu_ns() - began_ns) / 1000;
	}
	note_outcome(r, source, rc, &err);
	const char *const *labels = SWEEP_LABELS("collector", source->name);
	sweep_add(sweep, &metrics[DURATION], duration_ms, labels);
	sweep_add(sweep, &metrics[SUCCESS], rc >= 0 || rc == -ENODATA, labels);
	return cpu_us;
}

static void reading_end(struct reading *r, const struct source *source)
{
	if (r->child)
		child_close(r->child);
	if (r->open && source->close)
		source->close(r->state);
	fw_free(r->state);
	*r = (struct reading){.plan = r->plan};
}

static size_t source_count(void)
{
	size_t n = 0;
	while (sources[n])
		n++;
	return n;
}

struct sweep *sampler_once(struct machine *machine, const struct source_plan *plans, bool brief,
	struct fw_buf *inventory)
{
	struct sweep *sweep = sweep_new();
	machine->now_ms = fw_wall_ms();
	sweep_begin(sweep, machine->now_ms);
	for (size_t i = 0; sources[i]; i++) {
		struct reading reading = {.plan = plans[i]};
		if (!plans[i].on)
			continue;
		machine->documents = documents_new(NULL, sources[i]);
		read_source(&reading, sources[i], machine, sweep);
		documents_print(machine->documents, brief, inventory);
		documents_free(machine->documents);
		machine->documents = NULL;
		reading_end(&reading, sources[i]);
	}
	sweep_end(sweep);
	return sweep;
}

/* ---- on the grid ---- */

static void on_timer(uv_timer_t *timer);

static void schedule(struct sampler *s)
{
	int64_t since_ms = fw_mono_ms() - s->last_mono_ms;
	uint64_t wait_ms = (uint64_t)grid_wait_ms(fw_wall_ms(), s->config.interval_ms, since_ms);
	/* The loop's own clock was read when this turn of it began. */
	uv_update_time(s->loop);
	uv_timer_start(&s->timer, on_timer, wait_ms, 0);
}

static void open_child(struct sampler *s, size_t i)
{
	struct child_sink sink = {s->config.on_document, s->config.arg};
	struct reading *r = &s->readings[i];
	struct fw_err err;
	if (child_open(&r->child, s->loop, sources[i], r->plan.every_s, s->config.machine, &sink,
		    &err) >= 0)
		return;
	fw_log(FW_WARNING, "source %s: %s", sources[i]->name, err.text);
	r->child = NULL;
}

/* What a slow source takes at once is for its whole period. */
static uint64_t share_of_window(
	const struct reading *r, const struct source *source, uint64_t cpu_us)
{
	uint64_t window_s = BUDGET_WINDOW_MS / 1000;
	bool spread = source->slow && r->plan.every_s > window_s;
	return spread ? cpu_us * window_s / r->plan.every_s : cpu_us;
}

/* A source that was put off has no state and no child; when its time is over it begins anew. */
static void read_within_budget(struct sampler *s, size_t i)
{
	struct reading *r = &s->readings[i];
	bool is_off = budget_is_off(s->budget, i, s->last_mono_ms);
	if (!is_off && sources[i]->slow && !r->child)
		open_child(s, i);
	if (is_off || (sources[i]->slow && !r->child)) {
		sweep_add(s->sweep, &metrics[SUCCESS], 0,
			SWEEP_LABELS("collector", sources[i]->name));
		return;
	}
	uint64_t cpu_us = read_source(r, sources[i], s->config.machine, s->sweep);
	budget_spend(s->budget, i, share_of_window(r, sources[i], cpu_us));
}

static void judge(struct sampler *s)
{
	struct budget_verdict verdict;
	if (!budget_judge(s->budget, s->last_mono_ms, &verdict))
		return;
	fw_log(FW_WARNING,
		"source %s: off for an hour: it took %u %% of a processor over the last minute, "
		"all sources %u %%; the limit is %u %%",
		sources[verdict.source]->name, verdict.percent, verdict.percent_all,
		BUDGET_PERCENT);
	reading_end(&s->readings[verdict.source], sources[verdict.source]);
}

static void on_timer(uv_timer_t *timer)
{
	struct sampler *s = FW_CONTAINER(timer, struct sampler, timer);
	struct machine *m = s->config.machine;
	m->now_ms = grid_time_ms(fw_wall_ms(), s->config.interval_ms);
	s->last_mono_ms = fw_mono_ms();
	sweep_begin(s->sweep, m->now_ms);
	for (size_t i = 0; sources[i]; i++)
		if (s->readings[i].plan.on)
			read_within_budget(s, i);
	judge(s);
	s->config.on_sweeping(s->sweep, s->config.arg);
	sweep_end(s->sweep);
	s->config.on_swept(s->sweep, s->config.arg);
	schedule(s);
}

void sampler_set_plan(struct sampler *s, const struct source_plan *plans)
{
	for (size_t i = 0; sources[i]; i++) {
		struct reading *r = &s->readings[i];
		bool same = r->plan.on == plans[i].on && r->plan.every_s == plans[i].every_s;
		if (same)
			continue;
		reading_end(r, sources[i]);
		r->plan = plans[i];
		if (r->plan.on && sources[i]->slow && !budget_is_off(s->budget, i, s->last_mono_ms))
			open_child(s, i);
	}
}

static void on_closed(struct fw_owner *owner)
{
	struct sampler *s = FW_CONTAINER(owner, struct sampler, owner);
	sweep_free(s->sweep);
	budget_free(s->budget);
	fw_free(s->readings);
	fw_free(s);
}

int sampler_open(struct sampler **out, uv_loop_t *loop, const struct sampler_config *config,
	const struct source_plan *plans, struct fw_err *err)
{
	struct sampler *s = fw_alloc(sizeof *s);
	int rc = uv_timer_init(loop, &s->timer);
	if (rc < 0) {
		fw_free(s);
		return fw_fail_sys(err, rc, "the sampler's timer");
	}
	fw_owner_init(&s->owner, on_closed);
	fw_owner_adopt(&s->owner, &s->timer);
	s->config = *config;
	s->loop = loop;
	s->sweep = sweep_new();
	s->readings = fw_alloc_array(source_count() + 1, sizeof *s->readings);
	s->last_mono_ms = fw_mono_ms() - config->interval_ms;
	s->budget = budget_new(source_count(), s->last_mono_ms);
	sampler_set_plan(s, plans);
	schedule(s);
	*out = s;
	return 0;
}

void sampler_set_interval(struct sampler *s, int64_t interval_ms)
{
	if (interval_ms == s->config.interval_ms)
		return;
	s->config.interval_ms = interval_ms;
	schedule(s);
}

void sampler_close(struct sampler *s)
{
	if (!s)
		return;
	for (size_t i = 0; sources[i]; i++)
		reading_end(&s->readings[i], sources[i]);
	fw_owner_close(&s->owner);
}
