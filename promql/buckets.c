/* SPDX-License-Identifier: Apache-2.0 */
/* Functions over ranges of whole buckets, exact as over the samples themselves. */
#include "buckets.h"

#include <math.h>

#include "exact.h"
#include "workings.h"

/* Buckets [first, end) of a series, none of them empty, and the range they are in. */
struct span {
	const struct promql_buckets *buckets;
	const struct promql_samples *samples;
	struct cells cells;
	size_t first, end;
	int64_t from_ms, to_ms;
};

static double at(const struct span *s, const int64_t *cells, size_t i)
{
	return cell_value(&s->cells, cells[i]);
}

static double sum_of(const struct span *s)
{
	struct exact e = {0};
	for (size_t i = s->first; i < s->end; i++)
		exact_add(&e, at(s, s->buckets->sum, i));
	return isinf(e.sum) ? e.sum : e.sum + e.rest;
}

static double count_of(const struct span *s)
{
	int64_t count = 0;
	for (size_t i = s->first; i < s->end; i++)
		count += s->buckets->count[i];
	return (double)count;
}

static double mean_of(const struct span *s)
{
	return sum_of(s) / count_of(s);
}

static double least_of(const struct span *s)
{
	double least = NAN;
	for (size_t i = s->first; i < s->end; i++) {
		double value = at(s, s->buckets->min, i);
		if (isnan(least) || value < least)
			least = value;
	}
	return least;
}

static double most_of(const struct span *s)
{
	double most = NAN;
	for (size_t i = s->first; i < s->end; i++) {
		double value = at(s, s->buckets->max, i);
		if (isnan(most) || value > most)
			most = value;
	}
	return most;
}

static double last_of(const struct span *s)
{
	return at(s, s->samples->cells, s->end - 1);
}

static double one(const struct span *s)
{
	(void)s;
	return 1;
}

/* In the buckets, and from each to the next. */
static double increase_of(const struct span *s)
{
	double increase = at(s, s->buckets->increase, s->first);
	for (size_t i = s->first + 1; i < s->end; i++) {
		double first = at(s, s->buckets->first, i);
		double before = at(s, s->samples->cells, i - 1);
		increase += first < before ? first : first - before;
		increase += at(s, s->buckets->increase, i);
	}
	const struct stretch stretch = {
		.from_ms = s->from_ms,
		.to_ms = s->to_ms,
		.first_ms = s->buckets->first_ms[s->first],
		.last_ms = s->samples->times_ms[s->end - 1],
		.n = (size_t)count_of(s),
	};
	return stretch.n < 2
		? promql_absent()
		: stretch_increase(&stretch, increase, at(s, s->buckets->first, s->first));
}

static double rate_of(const struct span *s)
{
	double increase = increase_of(s);
	return promql_is_absent(increase) ? increase
					  : increase * 1000 / (double)(s->to_ms - s->from_ms);
}

enum need { NOTHING, MIN, MAX, SUM, INCREASE };

static const struct fold {
	const char *function;
	enum need need;
	double (*fold)(const struct span *span);
} folds[] = {
	{"avg_over_time", SUM, mean_of},
	{"count_over_time", NOTHING, count_of},
	{"increase", INCREASE, increase_of},
	{"last_over_time", NOTHING, last_of},
	{"max_over_time", MAX, most_of},
	{"min_over_time", MIN, least_of},
	{"present_over_time", NOTHING, one},
	{"rate", INCREASE, rate_of},
	{"sum_over_time", SUM, sum_of},
};

static const struct fold *find(const char *function)
{
	for (size_t i = 0; i < sizeof folds / sizeof *folds; i++)
		if (strcmp(folds[i].function, function) == 0)
			return &folds[i];
	return NULL;
}

bool promql_buckets_suffice(const struct promql_buckets *buckets, const char *function)
{
	const int64_t *const kept[] = {
		[NOTHING] = buckets->count,
		[MIN] = buckets->min,
		[MAX] = buckets->max,
		[SUM] = buckets->sum,
		[INCREASE] = buckets->first ? buckets->increase : NULL,
	};
	const struct fold *fold = find(function);
	return fold && kept[fold->need];
}

void buckets_fold(const char *function, const struct promql_samples *samples,
	const struct moments *moments, int64_t range_ms, double *out)
{
	const struct fold *fold = find(function);
	struct span span = {
		.buckets = samples->buckets,
		.samples = samples,
		.cells = cells_of(samples->column),
	};
	for (size_t step = 0; step < moments->n; step++) {
		span.to_ms = moment(moments, step);
		span.from_ms = ms_minus(span.to_ms, range_ms);
		while (span.end < samples->n && samples->times_ms[span.end] <= span.to_ms)
			span.end++;
		while (span.first < span.end && samples->times_ms[span.first] <= span.from_ms)
			span.first++;
		out[step] = span.first < span.end ? fold->fold(&span) : promql_absent();
	}
}
