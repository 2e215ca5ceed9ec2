/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, failures, and series that are kept. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <fenwatch/clock.h>

#include "evaluate.h"

/* ---- limits and failures ---- */

enum { CHECK_EVERY = 1 << 16 };

int fail_execution(struct evaluation *e, const char *format, ...)
{
	if (e->err) {
		va_list args;
		va_start(args, format);
		vsnprintf(e->err->text, sizeof e->err->text, format, args);
		va_end(args);
	}
	e->fault = PROMQL_EXECUTION;
	return -EINVAL;
}

int fail_too_many(struct evaluation *e)
{
	fail_execution(
		e, "query processing would load too many samples into memory in query execution");
	return -E2BIG;
}

int fail_same_labels(struct evaluation *e)
{
	return fail_execution(e, "vector cannot contain metrics with the same labelset");
}

static bool is_canceled(const struct evaluation *e)
{
	return e->limits->canceled && *e->limits->canceled;
}

static bool is_late(const struct evaluation *e)
{
	return fw_mono_ms() > e->deadline_ms;
}

bool limits_are_over(const void *evaluation)
{
	const struct evaluation *e = evaluation;
	return is_canceled(e) || is_late(e);
}

int look_at_limits(struct evaluation *e)
{
	e->unchecked = 0;
	if (is_canceled(e)) {
		e->fault = PROMQL_CANCELED;
		return fw_fail(e->err, -ECANCELED, "query was canceled in expression evaluation");
	}
	if (is_late(e)) {
		e->fault = PROMQL_TIMEOUT;
		return fw_fail(e->err, -ETIMEDOUT, "query timed out in expression evaluation");
	}
	return 0;
}

int check_limits(struct evaluation *e, size_t work)
{
	if (e->n_held > e->limits->max_samples || e->arena->used > e->limits->max_bytes)
		return fail_too_many(e);
	e->unchecked += work + 64;
	return e->unchecked < CHECK_EVERY ? 0 : look_at_limits(e);
}

void *take(struct evaluation *e, size_t count, size_t bytes)
{
	size_t total;
	void *memory = __builtin_mul_overflow(count, bytes, &total)
		? NULL
		: fw_arena_try(e->arena, total ? total : 1);
	if (!memory)
		fail_too_many(e);
	return memory;
}

void fill(double *values, size_t n, double value)
{
	for (size_t i = 0; i < n; i++)
		values[i] = value;
}

void *room_for_one(struct evaluation *e, void *list, size_t n, size_t *capacity, size_t bytes)
{
	if (n < *capacity)
		return list;
	size_t more = 2 * *capacity + 16;
	void *to = take(e, more, bytes);
	if (to && n)
		memcpy(to, list, n * bytes);
	if (to)
		*capacity = more;
	return to;
}

double *take_values(struct evaluation *e, const struct axis *axis)
{
	double *values = take(e, axis->n, sizeof *values);
	if (values)
		fill(values, axis->n, promql_absent());
	return values;
}

bool any_there(const double *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!promql_is_absent(values[i]))
			return true;
	return false;
}

void let_go(struct evaluation *e, const struct value *value, const struct axis *axis)
{
	size_t n = value->n_series * axis->n;
	e->n_held -= n < e->n_held ? n : e->n_held;
}

/* ---- collecting ---- */

struct collection collection_of(struct evaluation *e, const struct axis *axis, struct value *value)
{
	*value = (struct value){.type = PROMQL_VECTOR};
	return (struct collection){e, axis, value, 0};
}

int collection_add(struct collection *c, const struct series *series)
{
	struct value *value = c->value;
	struct series *all =
		room_for_one(c->e, value->series, value->n_series, &c->capacity, sizeof *all);
	if (!all)
		return -E2BIG;
	value->series = all;
	value->series[value->n_series++] = *series;
	c->e->n_held += c->axis->n;
	return check_limits(c->e, c->axis->n);
}

int collect(void *arg, struct series *series)
{
	struct collection *c = arg;
	double *values = take(c->e, c->axis->n, sizeof *values);
	if (!values)
		return -E2BIG;
	memcpy(values, series->values, c->axis->n * sizeof *values);
	return collection_add(c,
		&(struct series){labels_copy(series->labels, series->n_labels, c->e->arena),
			series->n_labels, values});
}

int push(const struct value *value, const struct sink *sink)
{
	int rc = 0;
	for (size_t i = 0; i < value->n_series && rc >= 0; i++)
		rc = sink->on_series(sink->arg, &value->series[i]);
	return rc;
}
