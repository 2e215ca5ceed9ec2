/* SPDX-License-Identifier: Apache-2.0 */
/* What the samples of a window come to. */
#include <math.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "exact.h"
#include "workings.h"

static size_t count(const struct window *w)
{
	return w->end - w->first;
}

double range_count(const struct call_context *context, const struct window *w)
{
	(void)context;
	return (double)count(w);
}

double range_present(const struct call_context *context, const struct window *w)
{
	(void)context;
	(void)w;
	return 1;
}

double range_first(const struct call_context *context, const struct window *w)
{
	(void)context;
	return w->values[w->first];
}

double range_last(const struct call_context *context, const struct window *w)
{
	(void)context;
	return w->values[w->end - 1];
}

/* ---- sums ---- */

double range_sum(const struct call_context *context, const struct window *w)
{
	(void)context;
	struct exact e = {0};
	for (size_t i = w->first; i < w->end; i++)
		exact_add(&e, w->values[i]);
	return isinf(e.sum) ? e.sum : e.sum + e.rest;
}

/* From sample `at` on, where a sum would be too great: each sample moves the mean. */
static double go_on_with_mean(const struct window *w, size_t at, struct exact sum)
{
	double n = (double)(at - w->first);
	struct exact mean = {sum.sum / n, sum.rest / n};
	for (; at < w->end; at++) {
		n++;
		mean = (struct exact){mean.sum * ((n - 1) / n), mean.rest * ((n - 1) / n)};
		exact_add(&mean, w->values[at] / n);
	}
	return mean.sum + mean.rest;
}

double range_avg(const struct call_context *context, const struct window *w)
{
	(void)context;
	struct exact sum = {w->values[w->first], 0};
	for (size_t i = w->first + 1; i < w->end; i++) {
		struct exact next = sum;
		exact_add(&next, w->values[i]);
		if (isinf(next.sum))
			return go_on_with_mean(w, i, sum);
		sum = next;
	}
	const double n = (double)count(w);
	return sum.sum / n + sum.rest / n;
}

/* ---- the least and the greatest; NaN only where there is nothing else ---- */

/* Of what is the same the later one, as it stays longer; zeroes have a sign. */
static bool is_further(double value, double best, double sign)
{
	return value * sign > best * sign || isnan(best) ||
		(value == best && signbit(value) == signbit(best));
}

/* Only what is new is looked at, until the best has left the window. */
static double furthest(const struct window *w, double sign)
{
	struct extreme *e = w->state;
	if (e->seen <= w->first || e->at < w->first)
		*e = (struct extreme){.at = w->first, .seen = w->first + 1};
	for (; e->seen < w->end; e->seen++)
		if (is_further(w->values[e->seen], w->values[e->at], sign))
			e->at = e->seen;
	return w->values[e->at];
}

double range_min(const struct call_context *context, const struct window *w)
{
	(void)context;
	return furthest(w, -1);
}

double range_max(const struct call_context *context, const struct window *w)
{
	(void)context;
	return furthest(w, 1);
}

/* ---- how they are spread ---- */

double range_stdvar(const struct call_context *context, const struct window *w)
{
	(void)context;
	struct exact mean = {0}, squares = {0};
	double n = 0;
	for (size_t i = w->first; i < w->end; i++) {
		double off = w->values[i] - (mean.sum + mean.rest);
		exact_add(&mean, off / ++n);
		exact_add(&squares, off * (w->values[i] - (mean.sum + mean.rest)));
	}
	return (squares.sum + squares.rest) / n;
}

double range_stddev(const struct call_context *context, const struct window *w)
{
	return sqrt(range_stdvar(context, w));
}

double range_quantile(const struct call_context *context, const struct window *w)
{
	enum { ENOUGH = 256 };
	double few[ENOUGH], quantile = w->arguments[0];
	struct told *told = w->state;
	if (!promql_is_quantile(quantile) && !(told->is_told && told->quantile == quantile)) {
		promql_note_quantile(context->notes, promql_argument(context, 0), quantile);
		*told = (struct told){true, quantile};
	}
	size_t n = count(w);
	double *values = n <= ENOUGH ? few : fw_alloc_array(n, sizeof *values);
	memcpy(values, w->values + w->first, n * sizeof *values);
	double result = promql_quantile(quantile, values, n);
	if (values != few)
		fw_free(values);
	return result;
}
