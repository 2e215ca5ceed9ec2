/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over ranges: each series once, with a window that moves over it.
 *
 * Where a series has all samples of its times, its windows are those of all its
 * neighbours and are found once; where marks of its end lie between, it is
 * copied without them and has windows of its own. A subquery is a selection
 * from what its inside gives at its own steps.
 */
#include <errno.h>

#include "buckets.h"
#include "evaluate.h"

/* Windows of some times, and what the function has measured of them. */
struct found {
	struct bounds *bounds;
	void *measures;
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
	struct found shared, own; /* of the times at hand, and of one series with gaps */
	bool shared_is_known;
	double *doubles; /* of the series at hand */
	int64_t *own_times;
	size_t room;
	void *state;
	double *values;
	struct label_room labels;
	const char *remarked; /* the name that was last remarked on */
};

static struct windows windows_of(
	const struct ranging *r, const int64_t *times_ms, const struct found *found)
{
	return (struct windows){
		.times_ms = times_ms,
		.values = r->doubles,
		.bounds = found->bounds,
		.n = r->moments.n,
		.to_ms = r->moments.first_ms,
		.step_ms = r->moments.step_ms,
		.range_ms = r->range_ms,
	};
}

static void find_windows(
	const struct ranging *r, const int64_t *times_ms, size_t n, const struct found *out)
{
	size_t first = 0, end = 0;
	for (size_t step = 0; step < r->moments.n; step++) {
		int64_t to_ms = moment(&r->moments, step), from_ms = ms_minus(to_ms, r->range_ms);
		while (end < n && times_ms[end] <= to_ms)
			end++;
		while (first < end && times_ms[first] <= from_ms)
			first++;
		out->bounds[step] = (struct bounds){first, end};
	}
	const struct windows windows = windows_of(r, times_ms, out);
	if (r->function->measure)
		r->function->measure(&windows, out->measures);
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

static int run_each(struct ranging *r, const struct windows *all)
{
	struct window window = {
		.times_ms = all->times_ms,
		.values = all->values,
		.arguments = r->scalars.at,
		.state = r->state,
	};
	if (r->function->state_size)
		memset(r->state, 0, r->function->state_size);
	for (size_t step = 0; step < all->n; step++) {
		r->values[step] = promql_absent();
		window.first = all->bounds[step].first;
		window.end = all->bounds[step].end;
		if (window.first == window.end)
			continue;
		window.to_ms = moment(&r->moments, step);
		window.from_ms = ms_minus(window.to_ms, r->range_ms);
		window.at_ms = axis_at(r->axis, step);
		scalars_at(&r->scalars, step);
		r->values[step] = r->function->range(&r->context, &window);
		int rc = check_limits(r->e, window.end - window.first);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int run_windows(
	struct ranging *r, const struct windows *all, const struct found *found, bool *any)
{
	int rc;
	if (r->function->slide) {
		r->function->slide(all, found->measures, r->values);
		rc = check_limits(r->e, all->n);
	} else {
		rc = run_each(r, all);
	}
	*any = any_there(r->values, all->n);
	return rc;
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

/* What a function remarks on is a name, which many series share. */
static void remark(struct ranging *r, const struct series *series)
{
	const char *name = fw_label_value(series->labels, series->n_labels, LABEL_NAME);
	if (!r->function->remark || (r->remarked && strcmp(r->remarked, name) == 0))
		return;
	r->function->remark(&r->context, name);
	r->remarked = name;
}

/* The values that were worked out, as a series. */
static int hand_on(struct ranging *r, const struct series *labels)
{
	struct series series = {labels->labels, labels->n_labels, r->values};
	remark(r, &series);
	if (!r->function->keeps_name)
		drop_name(r->e, &series, &r->labels);
	return r->sink->on_series(r->sink->arg, &series);
}

static int run_series(struct ranging *r, const struct series *labels, const int64_t *times_ms,
	size_t n, bool has_gaps)
{
	const struct found *found = has_gaps ? &r->own : &r->shared;
	if (has_gaps) {
		n = close_gaps(r, times_ms, n);
		times_ms = r->own_times;
	}
	if (has_gaps || !r->shared_is_known)
		find_windows(r, times_ms, n, found);
	r->shared_is_known |= !has_gaps;
	const struct windows all = windows_of(r, times_ms, found);
	bool any;
	r->e->n_samples += n;
	int rc = run_windows(r, &all, found, &any);
	return rc < 0 || !any ? rc : hand_on(r, labels);
}

/* ---- where series come from ---- */

static int run_buckets(struct ranging *r, const struct promql_samples *samples)
{
	const struct series labels = {samples->labels, samples->n_labels, NULL};
	buckets_fold(r->function->name, samples, &r->moments, r->range_ms, r->values);
	r->e->n_samples += samples->n;
	int rc = check_limits(r->e, samples->n);
	return rc >= 0 && any_there(r->values, r->axis->n) ? hand_on(r, &labels) : rc;
}

static int on_samples(void *arg, const struct promql_samples *samples)
{
	struct ranging *r = arg;
	if (samples->buckets)
		return run_buckets(r, samples);
	if (make_room(r, samples->n) < 0)
		return -E2BIG;
	r->shared_is_known = r->shared_is_known && samples->same_times;
	const struct cells cells = cells_of(samples->column);
	bool has_gaps = cells_read(&cells, samples->cells, samples->n, r->doubles);
	const struct series labels = {samples->labels, samples->n_labels, NULL};
	return run_series(r, &labels, samples->times_ms, samples->n, has_gaps);
}

static int range_selector(struct ranging *r, const struct node *node)
{
	r->range_ms = node->selector.range_ms;
	struct promql_selection selection = selection_of(node, &r->moments, r->range_ms);
	selection.function = r->function->name;
	selection.range_ms = r->range_ms;
	selection.step_ms = r->axis->n == 1 ? 0 : r->axis->step_ms;
	return select_ask(r->e, &selection, on_samples, r);
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

static struct found room_for_windows(
	struct evaluation *e, const struct promql_function *function, const struct axis *axis)
{
	struct found found = {.bounds = take(e, axis->n, sizeof *found.bounds)};
	if (found.bounds)
		found.measures = take(e, axis->n, function->measure_size);
	return found;
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
		.shared = room_for_windows(e, function, axis),
		.own = room_for_windows(e, function, axis),
		.state = take(e, function->state_size, 1),
		.values = take_values(e, axis),
	};
	if (!r.shared.measures || !r.own.measures || !r.state || !r.values)
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
