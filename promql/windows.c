/* SPDX-License-Identifier: Apache-2.0 */
/* How a series moves within a window: by its last samples, its slope, its
 * changes. */
#include <math.h>

#include "exact.h"
#include "workings.h"

static size_t count(const struct window *w)
{
	return w->end - w->first;
}

static double seconds(int64_t ms)
{
	return (double)ms / 1000;
}

/* ---- the last two samples ---- */

double range_idelta(const struct call_context *context, const struct window *w)
{
	(void)context;
	if (count(w) < 2)
		return promql_absent();
	return w->values[w->end - 1] - w->values[w->end - 2];
}

double range_irate(const struct call_context *context, const struct window *w)
{
	(void)context;
	if (count(w) < 2)
		return promql_absent();
	const double last = w->values[w->end - 1], before = w->values[w->end - 2];
	const int64_t gap_ms = w->times_ms[w->end - 1] - w->times_ms[w->end - 2];
	return (last < before ? last : last - before) / seconds(gap_ms);
}

/* ---- the line that fits best ---- */

struct line {
	double slope, at_origin;
};

static bool is_flat(const struct window *w)
{
	for (size_t i = w->first + 1; i < w->end; i++)
		if (w->values[i] != w->values[w->first])
			return false;
	return true;
}

static double total(const struct exact *e)
{
	return e->sum + e->rest;
}

static struct line fit(const struct window *w, int64_t origin_ms)
{
	struct exact x = {0}, y = {0}, xy = {0}, x2 = {0};
	for (size_t i = w->first; i < w->end; i++) {
		double at = seconds(w->times_ms[i] - origin_ms);
		exact_add(&x, at);
		exact_add(&y, w->values[i]);
		exact_add(&xy, at * w->values[i]);
		exact_add(&x2, at * at);
	}
	const double n = (double)count(w);
	double covariance = total(&xy) - total(&x) * total(&y) / n;
	double variance = total(&x2) - total(&x) * total(&x) / n;
	double slope = covariance / variance;
	return (struct line){slope, total(&y) / n - slope * total(&x) / n};
}

/* A line without slope exactly where all samples are the same. */
static struct line line_of(const struct window *w, int64_t origin_ms)
{
	if (!is_flat(w))
		return fit(w, origin_ms);
	if (isinf(w->values[w->first]))
		return (struct line){NAN, NAN};
	return (struct line){0, w->values[w->first]};
}

double range_deriv(const struct call_context *context, const struct window *w)
{
	(void)context;
	return count(w) < 2 ? promql_absent() : line_of(w, w->times_ms[w->first]).slope;
}

double range_predict_linear(const struct call_context *context, const struct window *w)
{
	(void)context;
	if (count(w) < 2)
		return promql_absent();
	struct line line = line_of(w, w->at_ms);
	return line.slope * w->arguments[0] + line.at_origin;
}

/* ---- how often ---- */

static bool has_changed(const double *at)
{
	return at[0] != at[-1] && !(isnan(at[0]) && isnan(at[-1]));
}

static bool is_reset(const double *at)
{
	return at[0] < at[-1];
}

static double count_steps(const struct window *w, bool (*happens)(const double *at))
{
	struct tally *t = w->state;
	if (t->end <= w->first)
		*t = (struct tally){w->first, w->first + 1, 0};
	for (; t->first < w->first; t->first++)
		t->n -= happens(&w->values[t->first + 1]);
	for (; t->end < w->end; t->end++)
		t->n += happens(&w->values[t->end]);
	return (double)t->n;
}

double range_changes(const struct call_context *context, const struct window *w)
{
	(void)context;
	return count_steps(w, has_changed);
}

double range_resets(const struct call_context *context, const struct window *w)
{
	(void)context;
	return count_steps(w, is_reset);
}
