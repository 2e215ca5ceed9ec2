/* SPDX-License-Identifier: Apache-2.0 */
/* How a series moves over a range: what its samples show, followed to the ends
 * of the range.
 *
 * How far there is to go depends on the times alone and is worked out once for
 * all series that share them. Counters that never began anew, nearly all, need
 * but the first and the last sample of each window.
 */
#include <math.h>
#include <string.h>

#include <fenwatch/buf.h>

#include "notes.h"
#include "quote.h"
#include "workings.h"

static double seconds(int64_t ms)
{
	return (double)ms / 1000;
}

/* ---- what times say ---- */

/* How much further than its samples the window is taken to reach, at one of its ends: all the
 * way where the next sample would hardly have been in it, else half a gap. */
static double beyond(double to_end, double gap)
{
	return to_end >= gap * 1.1 ? gap / 2 : to_end;
}

static struct reach reach_within(const struct stretch *s, double per)
{
	const double sampled = seconds(s->last_ms - s->first_ms);
	const double gap = sampled / (double)(s->n - 1);
	const double before = beyond(seconds(s->first_ms - s->from_ms), gap);
	const double after = beyond(seconds(s->to_ms - s->last_ms), gap);
	return (struct reach){
		(sampled + before + after) / sampled / per, before / sampled, sampled, after};
}

static struct reach reach_of(const struct windows *w, size_t i, double per)
{
	const struct bounds *b = &w->bounds[i];
	const int64_t to_ms = w->to_ms + (int64_t)i * w->step_ms;
	const struct stretch stretch = {
		.from_ms = to_ms - w->range_ms,
		.to_ms = to_ms,
		.first_ms = w->times_ms[b->first],
		.last_ms = w->times_ms[b->end - 1],
		.n = b->end - b->first,
	};
	return reach_within(&stretch, per);
}

static void measure(const struct windows *w, struct reach *reaches, double per)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->bounds[i].end - w->bounds[i].first > 1)
			reaches[i] = reach_of(w, i, per);
}

void measure_change(const struct windows *w, void *measures)
{
	measure(w, measures, 1);
}

void measure_rate(const struct windows *w, void *measures)
{
	measure(w, measures, seconds(w->range_ms));
}

/* ---- counters that begin anew ---- */

/* The sum of the values before resets among (first, seen) of a window that moves. */
struct correction {
	size_t next; /* the first reset, or seen */
	size_t seen;
	double sum;
};

static double correct(struct correction *c, const double *values, const struct bounds *b)
{
	if (c->next <= b->first) /* it has left the window: those behind it are added up anew */
		*c = (struct correction){b->first + 1, b->first + 1, 0};
	for (; c->seen < b->end; c->seen++)
		if (values[c->seen] < values[c->seen - 1])
			c->sum += values[c->seen - 1];
		else if (c->next == c->seen)
			c->next++;
	return c->sum;
}

static bool has_resets(const struct windows *w)
{
	uint64_t any = 0; /* bits, not a truth value: so the loop is one of vectors */
	for (size_t i = w->bounds[0].first + 1; i < w->bounds[w->n - 1].end; i++)
		any |= w->values[i] < w->values[i - 1] ? UINT64_MAX : 0;
	return any;
}

/* A counter cannot have been below zero, so it is followed back no further than to there. */
static double grown(double increase, double first, const struct reach *r, double per)
{
	if (!(increase > 0 && first >= 0 && first < r->before * increase))
		return increase * r->factor;
	double before = r->sampled * (first / increase);
	return increase * ((r->sampled + before + r->after) / r->sampled / per);
}

double stretch_increase(const struct stretch *stretch, double increase, double first)
{
	const struct reach reach = reach_within(stretch, 1);
	return grown(increase, first, &reach, 1);
}

static void slide_counter(
	const struct windows *w, const struct reach *reaches, double per, double *out)
{
	const bool begins_anew = has_resets(w);
	struct correction correction = {0};
	for (size_t i = 0; i < w->n; i++) {
		const struct bounds *b = &w->bounds[i];
		if (b->end - b->first < 2) {
			out[i] = promql_absent();
			continue;
		}
		const double first = w->values[b->first];
		double increase = w->values[b->end - 1] - first;
		if (begins_anew)
			increase += correct(&correction, w->values, b);
		out[i] = grown(increase, first, &reaches[i], per);
	}
}

void slide_rate(const struct windows *w, const void *measures, double *out)
{
	slide_counter(w, measures, seconds(w->range_ms), out);
}

void slide_increase(const struct windows *w, const void *measures, double *out)
{
	slide_counter(w, measures, 1, out);
}

void slide_delta(const struct windows *w, const void *measures, double *out)
{
	const struct reach *reaches = measures;
	for (size_t i = 0; i < w->n; i++) {
		const struct bounds *b = &w->bounds[i];
		out[i] = b->end - b->first < 2
			? promql_absent()
			: (w->values[b->end - 1] - w->values[b->first]) * reaches[i].factor;
	}
}

/* ---- gauges taken for counters ---- */

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

void remark_gauge(const struct call_context *context, const char *name)
{
	if (!*name || is_named_as_counter(name))
		return;
	struct fw_buf quoted = {0};
	promql_quote(&quoted, name);
	promql_note(context->notes, NOTE_INFO, promql_argument(context, 0),
		"PromQL info: metric might not be a counter, name does not end in "
		"_total/_sum/_count/_bucket: %s",
		(const char *)quoted.data);
	fw_buf_done(&quoted);
}
