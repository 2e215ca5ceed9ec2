/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "labels.h"
#include "parts.h"

/* Order of two series by their labels without the name. */
static int compare_rest(const struct promql_row *a, const struct promql_row *b)
{
	return labels_compare(a->labels + 1, a->n_labels - 1, b->labels + 1, b->n_labels - 1);
}

static int by_labels(const void *a, const void *b)
{
	const struct promql_row *x = a, *y = b;
	int order = strcmp(x->labels[0].value, y->labels[0].value);
	return order ? order : compare_rest(x, y);
}

/* Of a vector each value is a row of one point. */
static struct facts as_rows(struct request *r, const struct promql_result *result)
{
	size_t n = result->value.n_series;
	struct promql_row *rows = fw_arena_alloc(&r->arena, (n + 1) * sizeof *rows);
	struct promql_point *points = fw_arena_alloc(&r->arena, (n + 1) * sizeof *points);
	for (size_t i = 0; i < n; i++) {
		const struct series *s = &result->value.series[i];
		points[i] = (struct promql_point){result->axis.start_ms, s->values[0]};
		rows[i] = (struct promql_row){s->labels, s->n_labels, &points[i], 1};
	}
	qsort(rows, n, sizeof *rows, by_labels);
	return (struct facts){rows, n};
}

int facts_read(struct request *r, const char *selector, int64_t at_ms, struct facts *out)
{
	struct promql_limits limits = prometheus_limits(r);
	struct promql_result result;
	struct fw_err err;
	int rc = query_instant(api_config(r->api)->store, r->scope, selector, at_ms, &limits,
		&r->arena, &result, &err);
	if (rc < 0) {
		prometheus_fail(r, result.fault, NULL, &err);
		return rc;
	}
	*out = result.type == PROMQL_VECTOR ? as_rows(r, &result)
					    : (struct facts){result.rows, result.n_rows};
	return 0;
}

static const char *quote(struct request *r, const char *text)
{
	char *quoted = fw_arena_alloc(&r->arena, 2 * strlen(text) + 1), *at = quoted;
	for (; *text; text++) {
		if (strchr("\"\\\n", *text))
			*at++ = '\\';
		*at++ = *text == '\n' ? 'n' : *text;
	}
	return quoted;
}

const char *facts_selector(struct request *r, const char *name, const char *host)
{
	return host ? fw_arena_format(
			      &r->arena, "{__name__=~\"%s\",instance=\"%s\"}", name, quote(r, host))
		    : fw_arena_format(&r->arena, "{__name__=~\"%s\"}", name);
}

static const char *name_of(const struct promql_row *series)
{
	return series->labels[0].value;
}

/* The first series whose name is not below `name`. */
static size_t lower_bound(const struct facts *facts, const char *name)
{
	size_t low = 0, high = facts->n_series;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(name_of(&facts->series[middle]), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct promql_row *facts_metric(const struct facts *facts, const char *name, size_t *n)
{
	size_t first = lower_bound(facts, name), end = first;
	while (end < facts->n_series && strcmp(name_of(&facts->series[end]), name) == 0)
		end++;
	*n = end - first;
	return facts->series + first;
}

double facts_newest(const struct promql_row *series)
{
	return series->points[series->n_points - 1].value;
}

double facts_value(const struct facts *facts, const char *name)
{
	size_t n;
	const struct promql_row *series = facts_metric(facts, name, &n);
	return n ? facts_newest(series) : NAN;
}

double facts_beside(const struct facts *facts, const struct promql_row *like, const char *name)
{
	size_t n, low = 0;
	const struct promql_row *series = facts_metric(facts, name, &n);
	for (size_t high = n; low < high;) {
		size_t middle = low + (high - low) / 2;
		int order = compare_rest(&series[middle], like);
		if (order == 0)
			return facts_newest(&series[middle]);
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NAN;
}

const char *facts_label(const struct promql_row *series, const char *name)
{
	for (size_t i = 0; i < series->n_labels; i++)
		if (strcmp(series->labels[i].name, name) == 0)
			return series->labels[i].value;
	return NULL;
}

double facts_rate(const struct promql_row *series)
{
	const struct promql_point *first = &series->points[0],
				  *last = &series->points[series->n_points - 1];
	double grown = 0;
	for (size_t i = 1; i < series->n_points; i++) {
		double step = series->points[i].value - series->points[i - 1].value;
		/* A counter that fell began anew from zero. */
		grown += step < 0 ? series->points[i].value : step;
	}
	return last->at_ms > first->at_ms ? grown * 1000 / (double)(last->at_ms - first->at_ms)
					  : NAN;
}
