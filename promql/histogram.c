/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles and shares from classic histograms: buckets that are series of
 * their own, which count all observations up to the bound that "le" names. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>

#include "labels.h"
#include "notes.h"
#include "number.h"
#include "quote.h"
#include "workings.h"

#define BUCKET_LABEL "le"

struct bucket {
	double bound, count;
};

/* The buckets of one histogram, by bound. */
struct histogram {
	const struct fw_label *labels; /* without "le", with the name */
	size_t n_labels;
	struct bound_series {
		double bound;
		const double *counts; /* one a step */
	} * series;
	size_t n, capacity;
	struct bucket *buckets; /* room for those of one step */
};

struct histograms {
	const struct call_context *context;
	struct label_table table;
	struct fw_label *labels; /* room for those of one series */
	struct histogram *list;
	size_t n, capacity;
	size_t argument; /* of the call: the vector */
};

/* ---- finding what belongs together ---- */

static void note_bad_bound(const struct histograms *h, const char *name, const char *bound)
{
	struct fw_buf text = {0};
	promql_quote(&text, bound);
	fw_buf_puts(&text, " for metric name ");
	promql_quote(&text, name);
	promql_note(h->context->notes, NOTE_WARNING, promql_argument(h->context, h->argument),
		"PromQL warning: bucket label \"le\" is missing or has a malformed value of %s",
		(const char *)text.data);
	fw_buf_done(&text);
}

static void *twice(struct fw_arena *arena, const void *from, size_t *capacity, size_t bytes)
{
	void *to = fw_arena_alloc(arena, (2 * *capacity + 4) * bytes);
	if (*capacity)
		memcpy(to, from, *capacity * bytes);
	*capacity = 2 * *capacity + 4;
	return to;
}

static struct histogram *histogram_of(struct histograms *h, const struct series *series)
{
	size_t n = labels_drop(series->labels, series->n_labels, BUCKET_LABEL, h->labels);
	size_t number = label_table_put(&h->table, h->labels, n);
	if (number == h->capacity)
		h->list = twice(h->context->arena, h->list, &h->capacity, sizeof *h->list);
	if (number == h->n)
		h->list[h->n++] = (struct histogram){
			.labels = h->table.entries[number].labels, .n_labels = n};
	return &h->list[number];
}

static void add_series(struct histograms *h, const struct series *series)
{
	const char *text = fw_label_value(series->labels, series->n_labels, BUCKET_LABEL);
	double bound;
	if (promql_read_number(text, &bound) < 0) {
		note_bad_bound(
			h, fw_label_value(series->labels, series->n_labels, LABEL_NAME), text);
		return;
	}
	struct histogram *into = histogram_of(h, series);
	if (into->n == into->capacity)
		into->series = twice(
			h->context->arena, into->series, &into->capacity, sizeof *into->series);
	into->series[into->n++] = (struct bound_series){bound, series->values};
}

static int by_bound(const void *a, const void *b)
{
	double x = ((const struct bound_series *)a)->bound;
	double y = ((const struct bound_series *)b)->bound;
	return (x > y) - (x < y);
}

static size_t most_labels(const struct value *vector)
{
	size_t most = 0;
	for (size_t i = 0; i < vector->n_series; i++)
		if (vector->series[i].n_labels > most)
			most = vector->series[i].n_labels;
	return most;
}

static struct histograms group(
	const struct call_context *context, const struct value *arguments, size_t argument)
{
	const struct value *vector = &arguments[argument];
	struct histograms h = {
		.context = context, .table = {.arena = context->arena}, .argument = argument};
	h.labels = fw_arena_alloc(context->arena, (most_labels(vector) + 1) * sizeof *h.labels);
	for (size_t i = 0; i < vector->n_series; i++)
		add_series(&h, &vector->series[i]);
	for (size_t i = 0; i < h.n; i++) {
		struct histogram *one = &h.list[i];
		qsort(one->series, one->n, sizeof *one->series, by_bound);
		one->buckets = fw_arena_alloc(context->arena, one->n * sizeof *one->buckets);
	}
	return h;
}

/* Those that are there at a step; equal bounds are one bucket. */
static size_t buckets_at(const struct histogram *h, size_t step)
{
	size_t n = 0;
	for (size_t i = 0; i < h->n; i++) {
		double count = h->series[i].counts[step];
		if (promql_is_absent(count))
			continue;
		if (n > 0 && h->buckets[n - 1].bound == h->series[i].bound)
			h->buckets[n - 1].count += count;
		else
			h->buckets[n++] = (struct bucket){h->series[i].bound, count};
	}
	return n;
}

/* ---- quantiles ---- */

/* As Prometheus compares counts that went through arithmetic. */
static bool is_about(double a, double b)
{
	static const double tolerance = 1e-12, least_normal = 0x1p-1022;
	const double sum = fabs(a) + fabs(b), difference = fabs(a - b);
	if (a == b)
		return true;
	if (a == 0 || b == 0 || sum < least_normal)
		return difference < tolerance * least_normal;
	return difference / fmin(sum, DBL_MAX) < tolerance;
}

/* A bucket cannot hold less than one with a lower bound. Returns whether one did by more than
 * rounding explains. */
static bool force_rise(struct bucket *buckets, size_t n)
{
	bool forced = false;
	double before = buckets[0].count;
	for (size_t i = 1; i < n; i++) {
		const bool same = is_about(before, buckets[i].count);
		const bool falls = !same && buckets[i].count < before;
		if (same || falls)
			buckets[i].count = before;
		before = buckets[i].count;
		forced |= falls;
	}
	return forced;
}

static size_t bucket_of_rank(const struct bucket *buckets, size_t n, double rank)
{
	size_t low = 0, high = n - 1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (buckets[middle].count >= rank)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Observations are taken to lie evenly between the bounds of a bucket, the first of which begins
 * at 0 if it does not end before. Of the last bucket only the lower bound is known. */
static double value_of_rank(const struct bucket *buckets, size_t n, double rank)
{
	const size_t at = bucket_of_rank(buckets, n, rank);
	if (at == n - 1)
		return buckets[n - 2].bound;
	if (at == 0 && buckets[0].bound <= 0)
		return buckets[0].bound;
	const struct bucket below = at ? buckets[at - 1] : (struct bucket){0, 0};
	return below.bound +
		(buckets[at].bound - below.bound) *
		((rank - below.count) / (buckets[at].count - below.count));
}

static bool ends_in_infinity(const struct bucket *buckets, size_t n)
{
	return buckets[n - 1].bound == INFINITY;
}

static double bucket_quantile(double quantile, struct bucket *buckets, size_t n, bool *forced)
{
	if (isnan(quantile))
		return NAN;
	if (!promql_is_quantile(quantile))
		return quantile < 0 ? -INFINITY : INFINITY;
	if (!ends_in_infinity(buckets, n))
		return NAN;
	bool is_forced = force_rise(buckets, n);
	if (n < 2 || buckets[n - 1].count == 0)
		return NAN;
	*forced |= is_forced;
	return value_of_rank(buckets, n, quantile * buckets[n - 1].count);
}

static void note_forced(const struct histograms *h, const struct histogram *one)
{
	struct fw_buf name = {0};
	promql_quote(&name, fw_label_value(one->labels, one->n_labels, LABEL_NAME));
	promql_note(h->context->notes, NOTE_INFO, promql_argument(h->context, h->argument),
		"PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
		"https://prometheus.io/docs/prometheus/latest/querying/functions/"
		"#histogram_quantile) for metric name %s",
		(const char *)name.data);
	fw_buf_done(&name);
}

static void note_quantiles(const struct call_context *context, const double *quantiles)
{
	for (size_t i = 0; i < context->axis->n; i++)
		if (!promql_is_quantile(quantiles[i]) &&
			(i == 0 || quantiles[i] != quantiles[i - 1]))
			promql_note_quantile(
				context->notes, promql_argument(context, 0), quantiles[i]);
}

/* ---- shares ---- */

/* How many observations are taken to lie below a value. Of buckets that reach to infinity nobody
 * knows how they are filled: all of the first lies below, none of the last. */
static double rank_of(const struct bucket *buckets, size_t n, double value)
{
	double lower = buckets[0].bound > 0 ? 0 : -INFINITY, before = 0;
	for (size_t i = 0; i < n && lower < value; i++) {
		const struct bucket *b = &buckets[i];
		if (value < b->bound && isinf(lower))
			return b->count;
		if (value < b->bound)
			return before + (b->count - before) * (value - lower) / (b->bound - lower);
		before = b->count;
		lower = b->bound;
	}
	return fmin(before, buckets[n - 1].count);
}

static double bucket_fraction(double lower, double upper, const struct bucket *buckets, size_t n)
{
	if (!ends_in_infinity(buckets, n))
		return NAN;
	const double all = buckets[n - 1].count;
	if (all == 0 || isnan(lower) || isnan(upper))
		return NAN;
	if (lower >= upper)
		return 0;
	return (fmin(rank_of(buckets, n, upper), all) - fmin(rank_of(buckets, n, lower), all)) /
		all;
}

/* ---- calls ---- */

static int begin(const struct histograms *h, struct value *out)
{
	struct series *series = fw_arena_alloc(h->context->arena, (h->n + 1) * sizeof *series);
	*out = (struct value){.type = PROMQL_VECTOR, .series = series, .n_series = h->n};
	for (size_t i = 0; i < h->n; i++) {
		series[i] = (struct series){
			h->list[i].labels, h->list[i].n_labels, promql_take_values(h->context)};
		if (!series[i].values)
			return -E2BIG;
	}
	return 0;
}

int call_histogram_quantile(
	const struct call_context *context, const struct value *arguments, struct value *out)
{
	const double *quantiles = arguments[0].scalar;
	const struct histograms h = group(context, arguments, 1);
	int rc = begin(&h, out);
	note_quantiles(context, quantiles);
	for (size_t i = 0; i < h.n && rc == 0; i++) {
		bool forced = false;
		for (size_t step = 0; step < context->axis->n; step++) {
			size_t n = buckets_at(&h.list[i], step);
			if (n > 0)
				out->series[i].values[step] = bucket_quantile(
					quantiles[step], h.list[i].buckets, n, &forced);
		}
		if (forced)
			note_forced(&h, &h.list[i]);
	}
	return rc;
}

int call_histogram_fraction(
	const struct call_context *context, const struct value *arguments, struct value *out)
{
	const struct histograms h = group(context, arguments, 2);
	int rc = begin(&h, out);
	for (size_t i = 0; i < h.n && rc == 0; i++)
		for (size_t step = 0; step < context->axis->n; step++) {
			size_t n = buckets_at(&h.list[i], step);
			if (n > 0)
				out->series[i].values[step] =
					bucket_fraction(arguments[0].scalar[step],
						arguments[1].scalar[step], h.list[i].buckets, n);
		}
	return rc;
}

int call_native(
	const struct call_context *context, const struct value *arguments, struct value *out)
{
	(void)context;
	(void)arguments;
	*out = (struct value){.type = PROMQL_VECTOR};
	return 0;
}
