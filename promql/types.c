/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars and vectors from one another, and what functions share. */
#include <errno.h>
#include <math.h>

#include <fenwatch/buf.h>

#include "evaluate.h"
#include "notes.h"
#include "number.h"
#include "workings.h"

const struct node *promql_argument(const struct call_context *context, size_t number)
{
	return node_bare(context->node->call.arguments[number]);
}

int promql_fail_too_many(const struct call_context *context)
{
	return fw_fail(context->err, -E2BIG,
		"query processing would load too many samples into memory in query execution");
}

double *promql_take_values(const struct call_context *context)
{
	const size_t n = context->axis->n;
	double *values = n > SIZE_MAX / sizeof *values
		? NULL
		: fw_arena_try(context->arena, n * sizeof *values);
	if (!values)
		promql_fail_too_many(context);
	for (size_t i = 0; values && i < n; i++)
		values[i] = promql_absent();
	return values;
}

static int give_scalar(struct value *out, double *values)
{
	*out = (struct value){.type = PROMQL_SCALAR, .scalar = values};
	return values ? 0 : -E2BIG;
}

int call_time(const struct call_context *context, const struct value *arguments, struct value *out)
{
	(void)arguments;
	double *values = promql_take_values(context);
	for (size_t i = 0; values && i < context->axis->n; i++)
		values[i] = (double)axis_at(context->axis, i) / 1000;
	return give_scalar(out, values);
}

int call_pi(const struct call_context *context, const struct value *arguments, struct value *out)
{
	(void)arguments;
	double *values = promql_take_values(context);
	for (size_t i = 0; values && i < context->axis->n; i++)
		values[i] = M_PI;
	return give_scalar(out, values);
}

/* The only value there is at a step. */
static double only_value(const struct value *vector, size_t step)
{
	double only = promql_absent();
	for (size_t i = 0; i < vector->n_series; i++) {
		double value = vector->series[i].values[step];
		if (promql_is_absent(value))
			continue;
		if (!promql_is_absent(only))
			return NAN;
		only = value;
	}
	return promql_is_absent(only) ? NAN : only;
}

int call_scalar(
	const struct call_context *context, const struct value *arguments, struct value *out)
{
	double *values = promql_take_values(context);
	for (size_t i = 0; values && i < context->axis->n; i++)
		values[i] = only_value(&arguments[0], i);
	return give_scalar(out, values);
}

int call_vector(
	const struct call_context *context, const struct value *arguments, struct value *out)
{
	struct series *series = fw_arena_alloc(context->arena, sizeof *series);
	series->values = arguments[0].scalar;
	*out = (struct value){.type = PROMQL_VECTOR, .series = series, .n_series = 1};
	return 0;
}

/* ---- quantiles ---- */

bool promql_is_quantile(double quantile)
{
	return quantile >= 0 && quantile <= 1;
}

void promql_note_quantile(struct promql_notes *notes, const struct node *node, double quantile)
{
	char text[PROMQL_NUMBER_SIZE];
	promql_note(notes, NOTE_WARNING, node,
		"PromQL warning: quantile value should be between 0 and 1, got %s",
		promql_general(quantile, text, sizeof text));
}

static void swap(double *a, double *b)
{
	double value = *a;
	*a = *b;
	*b = value;
}

/* Moves values so that the one at `rank` is where sorting would put it, and none behind it is
 * less. None is NaN. */
static void select_rank(double *values, size_t n, size_t rank)
{
	size_t first = 0, last = n - 1;
	while (first < last) {
		const double pivot = values[first + (last - first) / 2];
		size_t low = first, high = last;
		for (;;) {
			while (values[low] < pivot)
				low++;
			while (values[high] > pivot)
				high--;
			if (low >= high)
				break;
			swap(&values[low++], &values[high--]);
		}
		if (rank <= high)
			last = high;
		else
			first = high + 1;
	}
}

/* To the front; returns how many. */
static size_t move_nans(double *values, size_t n)
{
	size_t nans = 0;
	for (size_t i = 0; i < n; i++)
		if (isnan(values[i]))
			swap(&values[i], &values[nans++]);
	return nans;
}

static double least(const double *values, size_t n)
{
	double value = values[0];
	for (size_t i = 1; i < n; i++)
		if (values[i] < value)
			value = values[i];
	return value;
}

double promql_quantile(double quantile, double *values, size_t n)
{
	if (n == 0 || isnan(quantile))
		return NAN;
	if (!promql_is_quantile(quantile))
		return quantile < 0 ? -INFINITY : INFINITY;
	const double rank = quantile * (double)(n - 1), weight = rank - floor(rank);
	const size_t lower = (size_t)rank, nans = move_nans(values, n);
	if (lower < nans)
		return NAN;
	select_rank(values + nans, n - nans, lower - nans);
	double upper = lower + 1 < n ? least(values + lower + 1, n - lower - 1) : values[lower];
	return values[lower] * (1 - weight) + upper * weight;
}
