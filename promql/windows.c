/* SPDX-License-Identifier: Apache-2.0 */
/* How a series moves within a window: rates, slopes, changes.
 *
 * What rate() and its kin need to know of all samples of a window is kept from
 * one window to the next, so that a step costs as much as samples are new.
 */
#include <math.h>
#include <string.h>

#include <fenwatch/buf.h>

#include "notes.h"
#include "quote.h"
#include "workings.h"

static size_t count(const struct window *w)
{
	return w->end - w->first;
}

static double seconds(int64_t ms)
{
	return (double)ms / 1000;
}

/* ---- extrapolated ---- */

/* What was counted before counters began anew. */
static double correct(const struct window *w)
{
	struct correction *c = w->state;
	if (c->next <= w->first) /* it has left the window: those behind it are added up anew */
		*c = (struct correction){w->first + 1, w->first + 1, 0};
	for (; c->seen < w->end; c->seen++)
		if (w->values[c->seen] < w->values[c->seen - 1])
			c->sum += w->values[c->seen - 1];
		else if (c->next == c->seen)
			c->next++;
	return c->sum;
}

/* How much further than its samples the window is taken to reach, at one of its ends: all the
 * way where the next sample would hardly have been in it, else half a gap. */
static double beyond(double to_end, double gap)
{
	return to_end >= gap * 1.1 ? gap / 2 : to_end;
}

/* By how much what the samples show is to be multiplied. A counter cannot have been below zero,
 * so it is followed back no further than to there. */
static double stretch(const struct window *w, double increase, bool is_counter)
{
	const int64_t first_ms = w->times_ms[w->first], last_ms = w->times_ms[w->end - 1];
	const double sampled = seconds(last_ms - first_ms);
	const double gap = sampled / (double)(count(w) - 1);
	const double first = w->values[w->first];
	double before = beyond(seconds(first_ms - w->from_ms), gap);
	const double after = beyond(seconds(w->to_ms - last_ms), gap);
	if (is_counter && increase > 0 && first >= 0)
		before = fmin(before, sampled * (first / increase));
	return (sampled + before + after) / sampled;
}

static double moved(const struct window *w)
{
	return w->values[w->end - 1] - w->values[w->first];
}

double range_delta(const struct call_context *context, const struct window *w)
{
	(void)context;
	if (count(w) < 2)
		return promql_absent();
	double change = moved(w);
	return change * stretch(w, change, false);
}

double range_increase(const struct call_context *context, const struct window *w)
{
	(void)context;
	if (count(w) < 2)
		return promql_absent();
	double increase = moved(w) + correct(w);
	return increase * stretch(w, increase, true);
}

double range_rate(const struct call_context *context, const struct window *w)
{
	(void)context;
	if (count(w) < 2)
		return promql_absent();
	double increase = moved(w) + correct(w);
	return increase * (stretch(w, increase, true) / seconds(w->to_ms - w->from_ms));
}

static bool ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), wanted = strlen(end);
	return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

static bool is_named_as_counter(const char *name)
{
	static const char *const ends[] = {"_total", "_sum", "_count", "_bucket"};
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (ends_in(name, ends[i]))
			return true;
	return false;
}

void remark_gauge(
	const struct call_context *context, const struct fw_label *labels, size_t n_labels)
{
	const char *name = NULL;
	for (size_t i = 0; i < n_labels; i++)
		if (strcmp(labels[i].name, "__name__") == 0)
			name = labels[i].value;
	if (!name || is_named_as_counter(name))
		return;
	struct fw_buf quoted = {0};
	promql_quote(&quoted, name);
	promql_note(context->notes, NOTE_INFO, promql_argument(context, 0),
		"PromQL info: metric might not be a counter, name does not end in "
		"_total/_sum/_count/_bucket: %s",
		(const char *)quoted.data);
	fw_buf_done(&quoted);
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
