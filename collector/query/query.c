/* SPDX-License-Identifier: Apache-2.0 */
/* How a question is answered: the store names groups, columns of one schema of
 * one host; they come host by host. The columns of a host are read into a
 * scratch arena, joined to series, turned into points, and forgotten, so a
 * query over the fleet needs the memory of its answer and of one host.
 */
#include "query.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <fenwatch/clock.h>

#include "matching.h"
#include "scope.h"
#include "selector.h"
#include "store.h"
#include "strand.h"

/* The instants of a question. With a range each takes all samples in it, without
 * one the newest of the lookback. */
struct steps {
	int64_t start_ms, step_ms;
	size_t count;
	int64_t range_ms, offset_ms;
};

struct evaluation {
	struct store *store;
	const struct query_scope *scope;
	const struct promql_limits *limits;
	struct steps steps;
	int64_t from_ms, to_ms; /* what is read, both included */
	int64_t deadline_ms;
	struct fw_arena *arena, scratch;
	struct promql_point *points; /* of the series at hand */
	size_t n_samples, n_damaged;
	enum store_tier coarsest; /* that something was answered from */
	struct promql_result *result;
	struct fw_err *err;
};

static int fail(struct evaluation *e, enum promql_fault fault, int rc, const char *sentence)
{
	e->result->fault = fault;
	return fw_fail(e->err, rc, "%s", sentence);
}

static int fail_too_many(struct evaluation *e)
{
	return fail(e, PROMQL_EXECUTION, -E2BIG,
		"query processing would load too many samples into memory in query execution");
}

static int check_limits(struct evaluation *e)
{
	if (e->limits->canceled && *e->limits->canceled)
		return fail(e, PROMQL_CANCELED, -ECANCELED,
			"query was canceled in expression evaluation");
	if (fw_mono_ms() > e->deadline_ms)
		return fail(
			e, PROMQL_TIMEOUT, -ETIMEDOUT, "query timed out in expression evaluation");
	return e->n_samples > e->limits->max_samples ? fail_too_many(e) : 0;
}

/* ---- one series ---- */

static size_t take_range(struct evaluation *e, struct strand *run, size_t n)
{
	size_t count = 0;
	struct sample sample;
	while (strands_next(run, n, &sample))
		if (!sample.stale)
			e->points[count++] = (struct promql_point){sample.at_ms, sample.value};
	return count;
}

static size_t take_steps(struct evaluation *e, struct strand *run, size_t n)
{
	struct sample newest = {.stale = true}, next;
	bool more = strands_next(run, n, &next);
	size_t count = 0;
	for (size_t i = 0; i < e->steps.count; i++) {
		int64_t at_ms = e->steps.start_ms + (int64_t)i * e->steps.step_ms;
		int64_t seen_ms = at_ms - e->steps.offset_ms;
		while (more && next.at_ms <= seen_ms) {
			newest = next;
			more = strands_next(run, n, &next);
		}
		if (!newest.stale && newest.at_ms > seen_ms - PROMQL_LOOKBACK_MS)
			e->points[count++] = (struct promql_point){at_ms, newest.value};
	}
	return count;
}

static int add_series(struct evaluation *e, const struct strand *strand, size_t n_points)
{
	if (n_points == 0)
		return 0;
	struct promql_point *points = fw_arena_try(e->arena, n_points * sizeof *points);
	if (!points)
		return fail_too_many(e);
	for (size_t i = 0; i < n_points; i++)
		points[i] = e->points[i];
	struct promql_row *series = &e->result->rows[e->result->n_rows++];
	series->labels = strand_labels(strand->group, strand->column, e->arena, &series->n_labels);
	series->points = points;
	series->n_points = n_points;
	return 0;
}

static int add_run(struct evaluation *e, struct strand *run, size_t n)
{
	size_t most = e->steps.count;
	if (e->steps.range_ms) {
		most = 0;
		for (size_t i = 0; i < n; i++)
			most += run[i].n;
	}
	e->points = fw_arena_try(&e->scratch, most * sizeof *e->points);
	if (!e->points)
		return fail_too_many(e);
	size_t count = e->steps.range_ms ? take_range(e, run, n) : take_steps(e, run, n);
	return add_series(e, run, count);
}

/* ---- one host ---- */

/* The newest sweep alone, where it answers the question: no disk is touched. */
static bool read_latest(
	struct evaluation *e, const struct store_group *group, struct store_columns *out)
{
	if (e->steps.count > 1 || e->steps.range_ms)
		return false;
	int64_t *at_ms = fw_arena_alloc(&e->scratch, sizeof *at_ms), *cells;
	if (store_latest(e->store, group, &e->scratch, at_ms, &cells) < 0 || *at_ms < e->from_ms ||
		*at_ms > e->to_ms)
		return false;
	const int64_t **columns = fw_arena_alloc(&e->scratch, group->n_columns * sizeof *columns);
	for (size_t i = 0; i < group->n_columns; i++)
		columns[i] = &cells[i];
	*out = (struct store_columns){.n = 1, .times_ms = at_ms, .cells = columns};
	return true;
}

static int read_group(
	struct evaluation *e, const struct store_group *group, struct store_columns *out)
{
	if (!read_latest(e, group, out)) {
		int rc =
			store_read(e->store, group, e->from_ms, e->to_ms, &e->scratch, out, e->err);
		if (rc == -ENOMEM || rc == -E2BIG)
			return fail_too_many(e);
		if (rc < 0)
			return rc;
	}
	e->n_samples += out->n * group->n_columns;
	e->n_damaged += out->damaged_blocks;
	if (out->tier > e->coarsest)
		e->coarsest = out->tier;
	return check_limits(e);
}

static int add_host(struct evaluation *e, const struct store_group *groups, size_t n_groups)
{
	struct store_columns *columns = fw_arena_alloc(&e->scratch, n_groups * sizeof *columns);
	for (size_t i = 0; i < n_groups; i++) {
		int rc = read_group(e, &groups[i], &columns[i]);
		if (rc < 0)
			return rc;
	}
	size_t n;
	struct strand *strands = strands_new(groups, columns, n_groups, &e->scratch, &n);
	for (size_t i = 0; i < n;) {
		size_t run = strands_run(strands + i, n - i);
		int rc = add_run(e, strands + i, run);
		if (rc < 0)
			return rc;
		i += run;
	}
	fw_arena_reset(&e->scratch);
	return 0;
}

/* ---- all of them ---- */

static int by_labels(const void *a, const void *b)
{
	const struct promql_row *x = a, *y = b;
	return strand_compare_labels(x->labels, x->n_labels, y->labels, y->n_labels);
}

static int add_groups(struct evaluation *e, const struct store_group *groups, size_t n_groups)
{
	size_t most = 0;
	for (size_t i = 0; i < n_groups; i++)
		most += groups[i].n_columns;
	e->result->rows = fw_arena_try(e->arena, (most + !most) * sizeof *e->result->rows);
	if (!e->result->rows)
		return fail_too_many(e);
	for (size_t i = 0; i < n_groups;) {
		size_t n = 1;
		while (i + n < n_groups && groups[i + n].host == groups[i].host)
			n++;
		int rc = add_host(e, groups + i, n);
		if (rc < 0)
			return rc;
		i += n;
	}
	qsort(e->result->rows, e->result->n_rows, sizeof *e->result->rows, by_labels);
	return 0;
}

static void warn(struct evaluation *e, const char *text)
{
	struct promql_notes *notes = &e->result->notes;
	notes->texts[NOTE_WARNING][notes->n[NOTE_WARNING]++] = text;
}

static void add_warnings(struct evaluation *e)
{
	static const char *const from_tier[STORE_TIERS] = {
		[STORE_FIVE_MINUTE] = "older samples were answered from the five-minute tier",
		[STORE_HOUR] = "older samples were answered from the one-hour tier"};
	e->result->notes.texts[NOTE_WARNING] = fw_arena_alloc(e->arena, 2 * sizeof(char *));
	if (e->n_damaged > 0)
		warn(e,
			fw_arena_format(e->arena,
				"%zu damaged blocks of the store were left out; run "
				"fenwatch-collector store check",
				e->n_damaged));
	if (from_tier[e->coarsest])
		warn(e, from_tier[e->coarsest]);
}

static int evaluate_series(struct evaluation *e, const struct selector *selector)
{
	struct matching matching;
	int rc = matching_init(&matching, selector, e->arena, e->err);
	if (rc < 0) {
		e->result->fault = PROMQL_BAD_DATA;
		return rc;
	}
	int64_t back_ms = selector->range_ms ? selector->range_ms : PROMQL_LOOKBACK_MS;
	int64_t last_ms = e->steps.start_ms + (int64_t)(e->steps.count - 1) * e->steps.step_ms;
	e->steps.range_ms = selector->range_ms;
	e->steps.offset_ms = selector->offset_ms;
	e->from_ms = e->steps.start_ms - selector->offset_ms - back_ms + 1;
	e->to_ms = last_ms - selector->offset_ms;
	e->deadline_ms = fw_mono_ms() + e->limits->timeout_ms;
	e->scratch.limit = e->limits->max_bytes;
	struct store_group *groups;
	size_t n_groups;
	rc = store_select(e->store, matching.matchers, matching.n_matchers, e->from_ms, e->to_ms,
		e->arena, &groups, &n_groups, e->err);
	if (rc >= 0)
		rc = add_groups(e, groups, scope_keep(e->scope, groups, n_groups));
	if (rc < 0 && !e->result->fault)
		e->result->fault = PROMQL_INTERNAL;
	add_warnings(e);
	matching_done(&matching);
	fw_arena_done(&e->scratch);
	return rc < 0 ? rc : 0;
}

static void repeat_number(struct evaluation *e, double number)
{
	struct promql_point *points = fw_arena_alloc(e->arena, e->steps.count * sizeof *points);
	for (size_t i = 0; i < e->steps.count; i++)
		points[i] = (struct promql_point){
			e->steps.start_ms + (int64_t)i * e->steps.step_ms, number};
	e->result->rows = fw_arena_alloc(e->arena, sizeof *e->result->rows);
	*e->result->rows = (struct promql_row){.points = points, .n_points = e->steps.count};
	e->result->n_rows = 1;
}

/* Points at their steps. */
static void as_values(struct evaluation *e)
{
	struct promql_result *r = e->result;
	r->value = (struct value){.type = PROMQL_VECTOR, .n_series = r->n_rows};
	r->value.series = fw_arena_alloc(e->arena, (r->n_rows + 1) * sizeof *r->value.series);
	for (size_t i = 0; i < r->n_rows; i++) {
		const struct promql_row *row = &r->rows[i];
		double *values = fw_arena_alloc(e->arena, r->axis.n * sizeof *values);
		for (size_t s = 0, p = 0; s < r->axis.n; s++) {
			bool is_here =
				p < row->n_points && row->points[p].at_ms == axis_at(&r->axis, s);
			values[s] = is_here ? row->points[p++].value : promql_absent();
		}
		r->value.series[i] = (struct series){row->labels, row->n_labels, values};
	}
	r->rows = NULL;
	r->n_rows = 0;
}

/* ---- the door ---- */

static void begin(struct evaluation *e, struct store *store, const struct query_scope *scope,
	const struct promql_limits *limits, struct fw_arena *arena, struct promql_result *out,
	struct fw_err *err)
{
	*out = (struct promql_result){0};
	*e = (struct evaluation){.store = store,
		.scope = scope,
		.limits = limits,
		.arena = arena,
		.result = out,
		.err = err};
	if (arena->limit == 0)
		arena->limit = limits->max_bytes;
}

static int parse(struct evaluation *e, const char *text, struct selector *selector)
{
	int rc = selector_parse(text, e->arena, selector, e->err);
	if (rc < 0)
		e->result->fault = PROMQL_BAD_DATA;
	return rc;
}

int query_instant(struct store *store, const struct query_scope *scope, const char *text,
	int64_t at_ms, const struct promql_limits *limits, struct fw_arena *arena,
	struct promql_result *out, struct fw_err *err)
{
	struct evaluation e;
	begin(&e, store, scope, limits, arena, out, err);
	struct selector selector;
	int rc = parse(&e, text, &selector);
	if (rc < 0)
		return rc;
	e.steps = (struct steps){.start_ms = at_ms, .count = 1};
	out->axis = (struct axis){at_ms, 0, 1};
	switch (selector.kind) {
	case SELECTOR_NUMBER:
		out->type = PROMQL_SCALAR;
		out->value.scalar = fw_arena_alloc(arena, sizeof(double));
		*out->value.scalar = selector.number;
		return 0;
	case SELECTOR_STRING:
		out->type = PROMQL_STRING;
		out->value.string = selector.string;
		return 0;
	case SELECTOR_SERIES:
		break;
	}
	out->type = selector.range_ms ? PROMQL_MATRIX : PROMQL_VECTOR;
	rc = evaluate_series(&e, &selector);
	if (rc == 0 && !selector.range_ms)
		as_values(&e);
	return rc;
}

static int check_steps(struct evaluation *e, int64_t start_ms, int64_t end_ms, int64_t step_ms)
{
	e->result->fault = PROMQL_BAD_DATA;
	if (step_ms <= 0)
		return fw_fail(e->err, -EINVAL,
			"zero or negative query resolution step widths are not accepted. Try a positive integer");
	if (end_ms < start_ms)
		return fw_fail(e->err, -EINVAL, "end timestamp must not be before start time");
	if ((end_ms - start_ms) / step_ms > PROMQL_STEPS_LIMIT)
		return fw_fail(e->err, -EINVAL,
			"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
	e->result->fault = 0;
	e->steps = (struct steps){
		.start_ms = start_ms,
		.step_ms = step_ms,
		.count = (size_t)((end_ms - start_ms) / step_ms) + 1,
	};
	return 0;
}

int query_range(struct store *store, const struct query_scope *scope, const char *text,
	int64_t start_ms, int64_t end_ms, int64_t step_ms, const struct promql_limits *limits,
	struct fw_arena *arena, struct promql_result *out, struct fw_err *err)
{
	struct evaluation e;
	begin(&e, store, scope, limits, arena, out, err);
	struct selector selector;
	int rc = check_steps(&e, start_ms, end_ms, step_ms);
	if (rc == 0)
		rc = parse(&e, text, &selector);
	if (rc < 0)
		return rc;
	if (selector.kind == SELECTOR_STRING || selector.range_ms) {
		out->fault = PROMQL_BAD_DATA;
		return fw_fail(err, -EINVAL,
			"invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
			selector.range_ms ? "range vector" : "string");
	}
	out->type = PROMQL_MATRIX;
	out->axis = (struct axis){start_ms, step_ms, e.steps.count};
	if (selector.kind == SELECTOR_SERIES)
		rc = evaluate_series(&e, &selector);
	else
		repeat_number(&e, selector.number);
	if (rc == 0)
		as_values(&e);
	return rc;
}
