/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over ranges: each series once, with a window that moves over it.
 *
 * Where a series has all samples of its times, its windows are those of all its
 * neighbours and are found once; where marks of its end lie between, it is
 * copied without them and has windows of its own. A subquery is a selection
 * from what its inside gives at its own steps.
 */
#include <errno.h>

#include "evaluate.h"

struct bounds {
	size_t first, end;
};

struct ranging {
	struct evaluation *e;
	const struct promql_function *function;
	struct call_context context;
	const struct sink *sink;
	struct moments moments;
	int64_t range_ms;
	const struct axis *axis;
	struct scalars scalars;
	struct bounds *shared, *own; /* windows of the times at hand, and of one with gaps */
	bool shared_is_known;
	double *doubles; /* of the series at hand */
	int64_t *own_times;
	size_t room;
	void *state;
	double *values;
	struct label_room labels;
};

static void find_windows(
	const struct ranging *r, const int64_t *times_ms, size_t n, struct bounds *windows)
{
	size_t first = 0, end = 0;
	for (size_t step = 0; step < r->moments.n; step++) {
		int64_t to_ms = moment(&r->moments, step), from_ms = ms_minus(to_ms, r->range_ms);
		while (end < n && times_ms[end] <= to_ms)
			end++;
		while (first < end && times_ms[first] <= from_ms)
			first++;
		windows[step] = (struct bounds){first, end};
	}
}

static int make_room(struct ranging *r, size_t n)
{
	if (n <= r->room)
		return 0;
	r->room = 2 * n;
	r->doubles = take(r->e, r->room, sizeof *r->doubles);
	r->own_times = take(r->e, r->room, sizeof *r->own_times);
	return r->doubles && r->own_times ? 0 : -E2BIG;
}

/* ---- one series ---- */

struct stretch {
	const int64_t *times_ms;
	const double *values;
	const struct bounds *windows;
};

static int run_windows(struct ranging *r, const struct stretch *s, bool *any)
{
	struct window window = {
		.times_ms = s->times_ms,
		.values = s->values,
		.arguments = r->scalars.at,
		.state = r->state,
	};
	*any = false;
	for (size_t step = 0; step < r->axis->n; step++) {
		r->values[step] = promql_absent();
		window.first = s->windows[step].first;
		window.end = s->windows[step].end;
		if (window.first == window.end)
			continue;
		window.to_ms = moment(&r->moments, step);
		window.from_ms = ms_minus(window.to_ms, r->range_ms);
		window.at_ms = axis_at(r->axis, step);
		scalars_at(&r->scalars, step);
		r->values[step] = r->function->range(&r->context, &window);
		*any |= !promql_is_absent(r->values[step]);
		int rc = check_limits(r->e, window.end - window.first);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Without the marks between; returns how many are left. */
static size_t close_gaps(struct ranging *r, const int64_t *times_ms, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (promql_is_absent(r->doubles[i]))
			continue;
		r->doubles[kept] = r->doubles[i];
		r->own_times[kept++] = times_ms[i];
	}
	return kept;
}

static int run_series(struct ranging *r, const struct series *labels, const int64_t *times_ms,
	size_t n, bool has_gaps)
{
	struct stretch stretch = {times_ms, r->doubles, r->shared};
	if (has_gaps) {
		n = close_gaps(r, times_ms, n);
		find_windows(r, r->own_times, n, r->own);
		stretch = (struct stretch){r->own_times, r->doubles, r->own};
	} else if (!r->shared_is_known) {
		find_windows(r, times_ms, n, r->shared);
		r->shared_is_known = true;
	}
	if (r->function->state_size)
		memset(r->state, 0, r->function->state_size);
	bool any;
	r->e->n_samples += n;
	int rc = run_windows(r, &stretch, &any);
	if (rc < 0 || !any)
		return rc;
	struct series series = {labels->labels, labels->n_labels, r->values};
	if (r->function->remark)
		r->function->remark(&r->context, series.labels, series.n_labels);
	if (!r->function->keeps_name)
		drop_name(r->e, &series, &r->labels);
	return r->sink->on_series(r->sink->arg, &series);
}

/* ---- where series come from ---- */

static int on_samples(void *arg, const struct promql_samples *samples)
{
	struct ranging *r = arg;
	if (make_room(r, samples->n) < 0)
		return -E2BIG;
	r->shared_is_known = r->shared_is_known && samples->same_times;
	const struct cells cells = cells_of(samples->column);
	bool has_gaps = false;
	for (size_t i = 0; i < samples->n; i++) {
		r->doubles[i] = cell_value(&cells, samples->cells[i]);
		has_gaps |= samples->cells[i] == FW_ABSENT;
	}
	const struct series labels = {samples->labels, samples->n_labels, NULL};
	return run_series(r, &labels, samples->times_ms, samples->n, has_gaps);
}

static int range_selector(struct ranging *r, const struct node *node)
{
	r->range_ms = node->selector.range_ms;
	const struct promql_selection selection = {
		.matchers = node->selector.matchers,
		.n_matchers = node->selector.n_matchers,
		.from_ms = ms_minus(ms_minus(r->moments.first_ms, r->range_ms), -1),
		.to_ms = moment(&r->moments, r->moments.n - 1),
		.function = r->function->name,
		.range_ms = r->range_ms,
		.step_ms = r->axis->n == 1 ? 0 : r->axis->step_ms,
	};
	const struct promql_select_to to = {on_samples, r, r->e->arena, r->e->notes};
	int rc = r->e->data->select(r->e->data, &selection, &to, r->e->err);
	return rc == -ENOMEM ? fail_too_many(r->e) : rc;
}

/* The steps of a subquery: absolute multiples of its step, in all of its windows. */
static int inner_axis(struct evaluation *e, const struct node *node, const struct moments *moments,
	struct axis *out)
{
	int64_t step_ms = node->subquery.step_ms ? node->subquery.step_ms : PROMQL_DEFAULT_STEP_MS;
	int64_t from_ms = ms_minus(moments->first_ms, node->subquery.range_ms);
	int64_t to_ms = moment(moments, moments->n - 1);
	int64_t over_ms = from_ms % step_ms;
	int64_t start_ms = ms_minus(from_ms, over_ms >= 0 ? over_ms - step_ms : over_ms);
	*out = (struct axis){start_ms, step_ms, 0};
	if (start_ms > to_ms)
		return 0;
	out->n = (size_t)(ms_minus(to_ms, start_ms) / step_ms) + 1;
	return out->n > e->limits->max_samples ? fail_too_many(e) : 0;
}

struct inside {
	struct ranging *r;
	const int64_t *times_ms;
	size_t n;
};

static int on_inner_series(void *arg, struct series *series)
{
	const struct inside *inside = arg;
	struct ranging *r = inside->r;
	bool has_gaps = false;
	for (size_t i = 0; i < inside->n; i++) {
		r->doubles[i] = series->values[i];
		has_gaps |= promql_is_absent(series->values[i]);
	}
	return run_series(r, series, inside->times_ms, inside->n, has_gaps);
}

static int64_t *times_of(struct evaluation *e, const struct axis *axis)
{
	int64_t *times_ms = take(e, axis->n, sizeof *times_ms);
	for (size_t i = 0; times_ms && i < axis->n; i++)
		times_ms[i] = axis_at(axis, i);
	return times_ms;
}

static int range_subquery(struct ranging *r, const struct node *node)
{
	struct axis axis;
	r->range_ms = node->subquery.range_ms;
	int rc = inner_axis(r->e, node, &r->moments, &axis);
	if (rc < 0 || axis.n == 0)
		return rc;
	struct inside inside = {r, times_of(r->e, &axis), axis.n};
	if (!inside.times_ms || make_room(r, axis.n) < 0)
		return -E2BIG;
	return evaluate_to(
		r->e, node->subquery.inner, &axis, &(struct sink){on_inner_series, &inside});
}

int call_range(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink)
{
	const struct promql_function *function = node->call.function;
	const struct node *over = node_bare(node->call.arguments[call_subject(node)]);
	bool is_subquery = over->kind == NODE_SUBQUERY;
	struct ranging r = {
		.e = e,
		.function = function,
		.context = {node, e->arena, axis, e->notes, e->err},
		.sink = sink,
		.moments = moments_of(
			e, is_subquery ? &over->subquery.when : &over->selector.when, axis),
		.axis = axis,
		.shared = take(e, axis->n, sizeof *r.shared),
		.own = take(e, axis->n, sizeof *r.own),
		.state = take(e, function->state_size, 1),
		.values = take_values(e, axis),
	};
	if (!r.shared || !r.own || !r.state || !r.values)
		return -E2BIG;
	int rc = scalars_of(e, node, axis, &r.scalars);
	if (rc < 0)
		return rc;
	return is_subquery ? range_subquery(&r, over) : range_selector(&r, over);
}

/* ---- a subquery as the answer ---- */

static size_t list_points(
	const struct axis *axis, const double *values, struct promql_point *points)
{
	size_t n = 0;
	for (size_t i = 0; i < axis->n; i++)
		if (!promql_is_absent(values[i]))
			points[n++] = (struct promql_point){axis_at(axis, i), values[i]};
	return n;
}

int subquery_rows(struct evaluation *e, const struct node *node, const struct axis *axis,
	struct promql_row **rows, size_t *n_rows)
{
	const struct moments moments = moments_of(e, &node->subquery.when, axis);
	struct axis inner;
	struct value value;
	int rc = inner_axis(e, node, &moments, &inner);
	if (rc < 0 || inner.n == 0)
		return rc;
	rc = evaluate(e, node->subquery.inner, &inner, &value);
	if (rc < 0)
		return rc;
	*rows = take(e, value.n_series, sizeof **rows);
	for (size_t i = 0; *rows && i < value.n_series; i++) {
		const struct series *s = &value.series[i];
		struct promql_point *points = take(e, inner.n, sizeof *points);
		if (!points)
			return -E2BIG;
		(*rows)[(*n_rows)++] = (struct promql_row){
			s->labels, s->n_labels, points, list_points(&inner, s->values, points)};
	}
	return *rows ? 0 : -E2BIG;
}
