/* SPDX-License-Identifier: Apache-2.0 */
#include "forecast.h"

#include <math.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "slope.h"

#define MINUTE_MS (60 * (int64_t)1000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

/* No divisor of a day: what happens at the same hour each day is met on some days. */
#define FAR_STEP_MS (110 * MINUTE_MS)
#define NEAR_STEP_MS (15 * MINUTE_MS)

#define LEARN_DAYS 7 /* of a history only teach what is usual */
#define LEAST_SPAN_MS (2 * DAY_MS)
#define FRESH_MS DAY_MS   /* older than that the newest sample says nothing of now */
#define TURN 0.02         /* of the size: less is no fall */
#define LEAST_RISE 0.01   /* of the size, over a span */
#define LEAST_SURGE 0.03  /* of the size, over hours */
#define RECORD 0.0002     /* of the size: less breaks no mark */
#define BEYOND_SWING 0.5  /* of the usual swing */
#define RECORD_SHARE 0.25 /* of the mean step of a rise */
#define RECORDS 3         /* that a rise has at least */
#define LARGEST_SHARE 0.5 /* of one step in a rise */
#define NEWS 1.5          /* times the fastest rise so far */
#define REACH 2.0         /* times the span of days */
#define REACH_HOURS 3.0   /* times the span of hours */
#define WIDEST 4.0        /* latest over likely */
#define ONE_OFF_DAYS 14   /* a rise of that length is no tooth of a saw */
#define ONE_OFF_SHARE 0.7 /* of the rise that a tooth gives back at least */
#define STANDS_MS (5 * DAY_MS)
#define RECEDES 3 /* times as fast as time goes on */
#define FULL 0.98 /* of the size: whoever says so is not wrong any more */
#define SURGE_PARTS 12
#define QUICKER 1.1 /* from week to week, at least */
#define QUICKEST 2.0

struct fall {
	size_t peak, trough; /* samples */
	double size;
};

/* A history as it is worked on. */
struct work {
	struct forecast_sample *samples;
	size_t n;
	double size;
	int64_t now_ms;
	double swing;  /* the usual falls */
	size_t n_days; /* from the oldest to the last 24 hours */
	double high[FORECAST_DAYS], mark[FORECAST_DAYS];
	bool seen[FORECAST_DAYS];
};

/* Points of the mark, in days, and how it rose over them. */
struct rise {
	double x[SLOPE_POINTS], y[SLOPE_POINTS];
	size_t n;
};

size_t forecast_plan(int64_t now_ms, int64_t moments[FORECAST_MOMENTS])
{
	size_t n = 0;
	int64_t at_ms = now_ms - FORECAST_DAYS * DAY_MS;
	at_ms += FAR_STEP_MS - at_ms % FAR_STEP_MS;
	for (; at_ms < now_ms - DAY_MS; at_ms += FAR_STEP_MS)
		moments[n++] = at_ms;
	for (at_ms = now_ms - DAY_MS; at_ms <= now_ms; at_ms += NEAR_STEP_MS)
		moments[n++] = at_ms;
	return n;
}

/* ---- falls ---- */

static void note_fall(struct fall largest[2], struct fall fall)
{
	if (fall.size > largest[0].size) {
		largest[1] = largest[0];
		largest[0] = fall;
	} else if (fall.size > largest[1].size) {
		largest[1] = fall;
	}
}

/* The two largest falls from a peak to the next trough. */
static void find_falls(const struct work *w, struct fall largest[2])
{
	size_t peak = 0, trough = 0;
	bool falling = false;
	for (size_t i = 0; i < w->n; i++) {
		double used = w->samples[i].used;
		if (falling && used < w->samples[trough].used) {
			trough = i;
		} else if (falling && used - w->samples[trough].used > TURN * w->size) {
			note_fall(largest,
				(struct fall){peak, trough,
					w->samples[peak].used - w->samples[trough].used});
			falling = false;
			peak = i;
		} else if (!falling && used > w->samples[peak].used) {
			peak = i;
		} else if (!falling && w->samples[peak].used - used > TURN * w->size) {
			falling = true;
			trough = i;
		}
	}
	if (falling)
		note_fall(largest,
			(struct fall){
				peak, trough, w->samples[peak].used - w->samples[trough].used});
}

/* Whether that fall was somebody's clean-up, and no tooth of a saw of which more
 * would be seen in a longer history. */
static bool is_one_off(const struct work *w, const struct fall largest[2])
{
	const struct fall *fall = &largest[0];
	double lowest = w->samples[fall->peak].used;
	if (fall->size == 0 || largest[1].size > fall->size / 2)
		return false;
	for (size_t i = 0; i < fall->peak; i++)
		lowest = fmin(lowest, w->samples[i].used);
	int64_t rise_ms = w->samples[fall->peak].at_ms - w->samples[0].at_ms;
	return rise_ms >= ONE_OFF_DAYS * DAY_MS ||
		fall->size < ONE_OFF_SHARE * (w->samples[fall->peak].used - lowest);
}

static void level_clean_up(struct work *w)
{
	struct fall largest[2] = {{0}};
	find_falls(w, largest);
	w->swing = largest[0].size;
	if (!is_one_off(w, largest))
		return;
	for (size_t i = 0; i < largest[0].trough; i++)
		w->samples[i].used -= largest[0].size;
	w->swing = largest[1].size;
}

/* ---- days ---- */

static void note_day(struct work *w, const struct forecast_sample *sample)
{
	size_t back = (size_t)((w->now_ms - sample->at_ms) / DAY_MS);
	if (back >= w->n_days)
		return;
	size_t day = w->n_days - 1 - back;
	w->high[day] = w->seen[day] ? fmax(w->high[day], sample->used) : sample->used;
	w->seen[day] = true;
}

static void mark_days(struct work *w)
{
	double first = -INFINITY, second = -INFINITY;
	int64_t days = (w->now_ms - w->samples[0].at_ms) / DAY_MS + 1;
	w->n_days = days < FORECAST_DAYS ? (size_t)days : FORECAST_DAYS;
	for (size_t i = 0; i < w->n; i++)
		note_day(w, &w->samples[i]);
	for (size_t day = 0; day < w->n_days; day++) {
		if (w->seen[day] && w->high[day] > first) {
			second = first;
			first = w->high[day];
		} else if (w->seen[day] && w->high[day] > second) {
			second = w->high[day];
		}
		w->mark[day] = isinf(second) ? first : second;
	}
}

/* ---- a rise ---- */

struct steps {
	size_t records, largest, pause, longest_pause;
	double rise, next;
};

static struct steps look_at_steps(const struct rise *r, double record)
{
	struct steps s = {.rise = r->y[r->n - 1] - r->y[0]};
	double largest = 0;
	record = fmax(record, RECORD_SHARE * s.rise / (double)(r->n - 1));
	for (size_t i = 1; i < r->n; i++) {
		double step = r->y[i] - r->y[i - 1];
		if (step > largest) {
			s.next = largest;
			largest = step;
			s.largest = i;
		} else {
			s.next = fmax(s.next, step);
		}
		s.pause++;
		if (step <= record)
			continue;
		if (s.records++ > 0 && s.pause > s.longest_pause)
			s.longest_pause = s.pause;
		s.pause = 0;
	}
	return s;
}

/* Whether it goes on rising, step by step; the largest step is cut to the next. */
static bool is_steady(struct rise *r, double record)
{
	struct steps s = look_at_steps(r, record);
	double largest = s.largest ? r->y[s.largest] - r->y[s.largest - 1] : 0;
	size_t rest = s.longest_pause > 1 ? 2 * (s.longest_pause - 1) : 1;
	if (s.records < RECORDS || largest > LARGEST_SHARE * s.rise || s.pause > rest)
		return false;
	for (size_t i = s.largest; i < r->n; i++)
		r->y[i] -= largest - s.next;
	return true;
}

/* ---- forecasts ---- */

struct guess {
	double days[3]; /* earliest, likely, latest */
	double span_days;
};

/* Marks lean on one another, which Sen's interval knows nothing of: what either
 * half says belongs to the range, and a tenth in any case. */
static void widen(struct slope *slope, const struct rise *r)
{
	size_t half = r->n / 2, last = r->n - 1;
	double first = (r->y[half] - r->y[0]) / (r->x[half] - r->x[0]);
	double second = (r->y[last] - r->y[half]) / (r->x[last] - r->x[half]);
	slope->low = fmin(fmin(slope->low, slope->middle * 0.9), fmin(first, second));
	slope->high = fmax(fmax(slope->high, slope->middle * 1.1), fmax(first, second));
}

static bool guess_from(struct guess *g, const struct rise *r, double room, double reach)
{
	struct slope slope = slope_of(r->x, r->y, r->n);
	if (slope.low <= 0 || room / slope.middle > reach)
		return false;
	widen(&slope, r);
	g->days[0] = room / slope.high;
	g->days[1] = room / slope.middle;
	g->days[2] = room / fmax(slope.low, slope.middle / WIDEST);
	return true;
}

/* The marks of the last `span` days. A mark was reached the day before at the
 * latest, so today's maximum is one more point. */
static void rise_of_days(const struct work *w, size_t span, struct rise *r)
{
	size_t last = w->n_days - 1;
	r->n = 0;
	for (size_t day = last - span; day <= last; day++) {
		if (!w->seen[day])
			continue;
		r->x[r->n] = (double)day - (double)last - 1;
		r->y[r->n++] = w->mark[day];
	}
	r->x[r->n] = 0;
	r->y[r->n++] = fmax(w->mark[last], w->seen[last] ? w->high[last] : 0);
}

/* The fastest that the mark rose over that many days before. */
static double fastest_before(const struct work *w, size_t span)
{
	double fastest = 0;
	for (size_t end = LEARN_DAYS + span; end + span < w->n_days; end++)
		fastest = fmax(fastest, w->mark[end] - w->mark[end - span]);
	return fastest;
}

static bool guess_days(const struct work *w, size_t span, struct guess *g)
{
	struct rise r;
	if (w->n_days < LEARN_DAYS + span)
		return false;
	size_t last = w->n_days - 1;
	double rise = w->mark[last] - w->mark[last - span];
	if (rise < LEAST_RISE * w->size || rise < BEYOND_SWING * w->swing)
		return false;
	if (span < 7 && rise < NEWS * fastest_before(w, span))
		return false;
	rise_of_days(w, span, &r);
	double today = r.y[r.n - 1], yesterday = r.y[r.n - 2];
	if (r.n < RECORDS + 1 || !is_steady(&r, RECORD * w->size))
		return false;
	if (span < 14 && today - yesterday < rise / (2 * (double)span))
		return false;
	g->span_days = (double)span;
	return guess_from(g, &r, fmax(w->size - today, 0), REACH * (double)span);
}

/* How many times as fast as the week before the last week was, where each week has
 * been faster than the one before it; otherwise 1. */
static double quickening(const struct work *w)
{
	size_t last = w->n_days - 1;
	if (w->n_days < LEARN_DAYS + 21)
		return 1;
	double first = w->mark[last - 14] - w->mark[last - 21];
	double second = w->mark[last - 7] - w->mark[last - 14];
	double third = w->mark[last] - w->mark[last - 7];
	if (first < LEAST_RISE * w->size || second < QUICKER * first || third < QUICKER * second)
		return 1;
	return fmin(third / second, QUICKEST);
}

/* ---- hours ---- */

/* The highest until then; all of it is what has been seen before. */
static double highest_before(const struct work *w, int64_t at_ms)
{
	double highest = 0;
	for (size_t i = 0; i < w->n && w->samples[i].at_ms <= at_ms; i++)
		highest = fmax(highest, w->samples[i].used);
	return highest;
}

/* The mark in twelve parts of the hours, the newest sample the last. */
static void rise_of_hours(const struct work *w, int64_t from_ms, struct rise *r)
{
	int64_t step_ms = (w->now_ms - from_ms) / SURGE_PARTS, part = -1;
	double mark = 0;
	r->n = 0;
	for (size_t i = 0; i < w->n; i++) {
		const struct forecast_sample *sample = &w->samples[i];
		if (sample->at_ms < from_ms)
			continue;
		if ((sample->at_ms - from_ms) / step_ms != part)
			r->n++;
		part = (sample->at_ms - from_ms) / step_ms;
		mark = fmax(mark, sample->used);
		r->x[r->n - 1] = (double)(sample->at_ms - w->now_ms) / (double)DAY_MS;
		r->y[r->n - 1] = mark;
	}
}

static bool guess_hours(const struct work *w, int64_t hours, struct guess *g)
{
	struct rise r;
	int64_t from_ms = w->now_ms - hours * HOUR_MS;
	double before = highest_before(w, from_ms), used = w->samples[w->n - 1].used;
	double least = fmax(LEAST_SURGE * w->size, BEYOND_SWING * w->swing);
	if (from_ms - w->samples[0].at_ms < LEAST_SPAN_MS || used - before < least)
		return false;
	rise_of_hours(w, from_ms, &r);
	if (r.n < RECORDS + 1 || !is_steady(&r, RECORD * w->size))
		return false;
	g->span_days = (double)hours / 24;
	return guess_from(g, &r, fmax(w->size - used, 0), REACH_HOURS * g->span_days);
}

/* ---- all together ---- */

static void join(struct guess *all, const struct guess *one)
{
	if (all->span_days == 0) {
		*all = *one;
		return;
	}
	all->days[0] = fmin(all->days[0], one->days[0]);
	if (one->days[1] < all->days[1])
		all->days[1] = one->days[1];
	all->days[2] = fmax(all->days[2], one->days[2]);
	all->span_days = fmax(all->span_days, one->span_days);
}

static bool guess_all(const struct work *w, struct guess *all)
{
	static const size_t day_spans[] = {21, 14, 7, 5, 3};
	static const int64_t hour_spans[] = {24, 12, 6, 3};
	struct guess one;
	for (size_t i = 0; i < sizeof day_spans / sizeof *day_spans; i++)
		if (guess_days(w, day_spans[i], &one))
			join(all, &one);
	for (size_t i = 0; i < sizeof hour_spans / sizeof *hour_spans; i++)
		if (guess_hours(w, hour_spans[i], &one))
			join(all, &one);
	double quicker = quickening(w);
	all->days[0] /= quicker;
	all->days[1] /= quicker;
	return all->span_days > 0;
}

static void tell(const struct work *w, const struct guess *g, struct forecast *out)
{
	int64_t *const bounds[] = {&out->earliest_ms, &out->likely_ms, &out->latest_ms};
	for (size_t i = 0; i < 3; i++)
		*bounds[i] = w->now_ms + (int64_t)(g->days[i] * (double)DAY_MS);
	int64_t from_ms = w->now_ms - (int64_t)(g->span_days * (double)DAY_MS);
	out->samples = 0;
	for (size_t i = 0; i < w->n; i++)
		out->samples += w->samples[i].at_ms >= from_ms;
	out->span_ms = w->now_ms - from_ms;
	out->made_ms = w->now_ms;
	out->stands_until_ms = w->now_ms + (int64_t)fmin((double)out->span_ms / 3, STANDS_MS);
	out->full = FULL * w->size;
	out->stands_above = w->samples[w->n - 1].used - w->swing - TURN * w->size;
}

bool forecast_stands(const struct forecast *f, double used, int64_t now_ms)
{
	return f->likely_ms != 0 && used > f->stands_above &&
		(now_ms <= f->stands_until_ms || used >= f->full);
}

void forecast_renew(struct forecast *told, const struct forecast *made, double used, int64_t now_ms)
{
	struct forecast before = *told;
	if (made->likely_ms != 0)
		*told = *made;
	else if (!forecast_stands(told, used, now_ms))
		*told = (struct forecast){0};
	if (made->likely_ms == 0 || before.likely_ms == 0 || used <= before.stands_above)
		return;
	int64_t most_ms = before.likely_ms + RECEDES * (now_ms - before.made_ms);
	if (told->likely_ms > most_ms)
		told->likely_ms = most_ms;
	if (told->earliest_ms > told->likely_ms)
		told->earliest_ms = told->likely_ms;
}

bool forecast_make(const struct forecast_sample *samples, size_t n, double size, int64_t now_ms,
	struct forecast *out)
{
	struct guess guess = {.span_days = 0};
	struct work w = {.n = n, .size = size, .now_ms = now_ms};
	if (n < 2 || !(size > 0) || now_ms - samples[n - 1].at_ms > FRESH_MS ||
		samples[n - 1].at_ms - samples[0].at_ms < LEAST_SPAN_MS)
		return false;
	w.samples = fw_alloc_array(n, sizeof *samples);
	memcpy(w.samples, samples, n * sizeof *samples);
	level_clean_up(&w);
	mark_days(&w);
	bool told = guess_all(&w, &guess);
	if (told)
		tell(&w, &guess, out);
	fw_free(w.samples);
	return told;
}
