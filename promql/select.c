/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors: what each step sees of each series.
 *
 * Which sample a step sees depends on the times alone, so it is worked out once
 * for all series that share them.
 */
#include <errno.h>
#include <math.h>

#include "evaluate.h"

/* ---- times and cells ---- */

int64_t ms_minus(int64_t a, int64_t b)
{
	int64_t result;
	if (__builtin_sub_overflow(a, b, &result))
		return b > 0 ? INT64_MIN : INT64_MAX;
	return result;
}

struct moments moments_of(
	const struct evaluation *e, const struct node_when *when, const struct axis *axis)
{
	struct moments moments = {axis->start_ms, axis->step_ms, axis->n};
	if (when->at != AT_NONE)
		moments.step_ms = 0;
	if (when->at == AT_TIME)
		moments.first_ms = when->at_ms;
	else if (when->at == AT_START)
		moments.first_ms = e->start_ms;
	else if (when->at == AT_END)
		moments.first_ms = e->end_ms;
	moments.first_ms = ms_minus(moments.first_ms, when->offset_ms);
	return moments;
}

struct cells cells_of(const struct fw_column *column)
{
	/* Powers of ten that a double holds exactly. */
	static const double powers[FW_SCALE_LIMIT + 1] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
		1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
	return (struct cells){
		.is_double = column->type & FW_DOUBLE,
		.factor = column->factor,
		.times = column->scale < 0 ? powers[-column->scale] : 1,
		.over = column->scale > 0 ? powers[column->scale] : 1,
	};
}

/* Loops of one operation, which compilers vectorize; most columns need none or the last. */
static void multiply(double *values, size_t n, double by)
{
	for (size_t i = 0; i < n; i++)
		values[i] *= by;
}

static void divide(double *values, size_t n, double by)
{
	for (size_t i = 0; i < n; i++)
		values[i] /= by;
}

static void scale(const struct cells *cells, double *values, size_t n)
{
	if (cells->factor != 1)
		multiply(values, n, cells->factor);
	if (cells->times != 1)
		multiply(values, n, cells->times);
	if (cells->over != 1)
		divide(values, n, cells->over);
}

/* The highest bit says whether they are the same: only of 0 it is set. Not a comparison, so that
 * the loops around it are vectorized. */
static inline uint64_t same(int64_t cell, uint64_t mark)
{
	uint64_t difference = (uint64_t)cell ^ mark;
	return (difference - 1) & ~difference;
}

/* Taken as if all were plain numbers; whether that was wrong of any. */
static bool read_plain(const struct cells *cells, const int64_t *from, size_t n, double *to)
{
	uint64_t any = 0;
	for (size_t i = 0; i < n; i++) {
		any |= same(from[i], (uint64_t)FW_ABSENT);
		to[i] = (double)from[i];
	}
	scale(cells, to, n);
	return any >> 63;
}

static bool read_plain_doubles(const int64_t *from, size_t n, double *to)
{
	uint64_t any = 0;
	for (size_t i = 0; i < n; i++)
		any |= same(from[i], (uint64_t)FW_ABSENT) | same(from[i], FW_STALE_NAN_BITS);
	memcpy(to, from, n * sizeof *to);
	return any >> 63;
}

bool cells_read(const struct cells *cells, const int64_t *from, size_t n, double *to)
{
	bool any_absent = false;
	if (!(cells->is_double ? read_plain_doubles(from, n, to) : read_plain(cells, from, n, to)))
		return false;
	for (size_t i = 0; i < n; i++) {
		any_absent |= from[i] == FW_ABSENT;
		to[i] = cell_value(cells, from[i]);
	}
	return any_absent;
}

struct promql_selection selection_of(
	const struct node *node, const struct moments *moments, int64_t back_ms)
{
	return (struct promql_selection){
		.matchers = node->selector.matchers,
		.n_matchers = node->selector.n_matchers,
		.from_ms = ms_minus(moments->first_ms, back_ms - 1),
		.to_ms = moment(moments, moments->n - 1),
	};
}

int select_ask(struct evaluation *e, const struct promql_selection *selection,
	int (*on_series)(void *arg, const struct promql_samples *samples), void *arg)
{
	const struct promql_select_to to = {on_series, arg, e->arena, e->notes, limits_are_over, e};
	int rc = e->data->select(e->data, selection, &to, e->err);
	if (rc == -ECANCELED && limits_are_over(e))
		return look_at_limits(e); /* which says why */
	return rc == -ENOMEM ? fail_too_many(e) : rc;
}

/* ---- the newest sample of each step ---- */

struct selecting {
	struct evaluation *e;
	const struct sink *sink;
	struct moments moments;
	size_t *newest; /* a number + 1 for each step, 0: none */
	double *values;
	bool wants_times;
};

static void look_back(struct selecting *s, const struct promql_samples *samples)
{
	size_t seen = 0;
	for (size_t step = 0; step < s->moments.n; step++) {
		int64_t at_ms = moment(&s->moments, step);
		while (seen < samples->n && samples->times_ms[seen] <= at_ms)
			seen++;
		bool is_fresh = seen > 0 &&
			samples->times_ms[seen - 1] > ms_minus(at_ms, s->e->lookback_ms);
		s->newest[step] = is_fresh ? seen : 0;
	}
}

static bool take_steps(struct selecting *s, const struct promql_samples *samples)
{
	const struct cells cells = cells_of(samples->column);
	bool any = false;
	for (size_t step = 0; step < s->moments.n; step++) {
		double value = promql_absent();
		if (s->newest[step])
			value = cell_value(&cells, samples->cells[s->newest[step] - 1]);
		bool is_there = !promql_is_absent(value);
		if (is_there && s->wants_times)
			value = (double)samples->times_ms[s->newest[step] - 1] / 1000;
		s->values[step] = value;
		any |= is_there;
	}
	return any;
}

static int on_samples(void *arg, const struct promql_samples *samples)
{
	struct selecting *s = arg;
	if (!samples->same_times)
		look_back(s, samples);
	s->e->n_samples += samples->n < s->moments.n ? samples->n : s->moments.n;
	int rc = check_limits(s->e, s->moments.n);
	if (rc < 0 || !take_steps(s, samples))
		return rc;
	struct series series = {samples->labels, samples->n_labels, s->values};
	return s->sink->on_series(s->sink->arg, &series);
}

static int select_steps(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink, bool wants_times)
{
	struct selecting s = {
		.e = e,
		.sink = sink,
		.moments = moments_of(e, &node->selector.when, axis),
		.newest = take(e, axis->n, sizeof *s.newest),
		.values = take_values(e, axis),
		.wants_times = wants_times,
	};
	if (!s.newest || !s.values)
		return -E2BIG;
	struct promql_selection selection = selection_of(node, &s.moments, e->lookback_ms);
	selection.newest = axis->n == 1;
	selection.step_ms = axis->n == 1 ? 0 : axis->step_ms;
	return select_ask(e, &selection, on_samples, &s);
}

int select_instants(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink)
{
	return select_steps(e, node, axis, sink, false);
}

int select_times(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink)
{
	return select_steps(e, node, axis, sink, true);
}

/* ---- all samples of a range ---- */

struct listing {
	struct evaluation *e;
	struct promql_row *rows;
	size_t n, capacity;
};

static int list_samples(void *arg, const struct promql_samples *samples)
{
	struct listing *list = arg;
	struct evaluation *e = list->e;
	struct promql_point *points = take(e, samples->n, sizeof *points);
	struct promql_row *rows =
		room_for_one(e, list->rows, list->n, &list->capacity, sizeof *rows);
	if (!points || !rows)
		return -E2BIG;
	list->rows = rows;
	const struct cells cells = cells_of(samples->column);
	size_t n = 0;
	for (size_t i = 0; i < samples->n; i++) {
		double value = cell_value(&cells, samples->cells[i]);
		if (!promql_is_absent(value))
			points[n++] = (struct promql_point){samples->times_ms[i], value};
	}
	e->n_samples += n;
	e->n_held += n;
	if (n > 0)
		list->rows[list->n++] = (struct promql_row){
			labels_copy(samples->labels, samples->n_labels, e->arena),
			samples->n_labels, points, n};
	return check_limits(e, samples->n);
}

int select_rows(struct evaluation *e, const struct node *node, const struct axis *axis,
	struct promql_row **rows, size_t *n_rows)
{
	struct listing list = {.e = e};
	const struct moments moments = moments_of(e, &node->selector.when, axis);
	struct promql_selection selection = selection_of(node, &moments, node->selector.range_ms);
	selection.range_ms = node->selector.range_ms;
	int rc = select_ask(e, &selection, list_samples, &list);
	*rows = list.rows;
	*n_rows = list.n;
	return rc;
}
