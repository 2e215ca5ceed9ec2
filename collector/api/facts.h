/* The newest values of one host or of all, for the pages that people read.
 *
 * Series lie sorted by name and labels, so those of one metric are neighbours
 * and one with the same labels under another name is found at once. A silent
 * host's values are those it had when it was last heard. Everything is the
 * request's arena's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "query.h"

struct request;

struct facts {
	const struct promql_row *series;
	size_t n_series;
};

/* 0, or the request is answered with what went wrong. */
int facts_read(struct request *r, const char *selector, int64_t at_ms, struct facts *out);
/* `name{instance="host"}`, or all hosts where `host` is NULL; `name` is a regular expression. */
const char *facts_selector(struct request *r, const char *name, const char *host);

const struct promql_row *facts_metric(const struct facts *facts, const char *name, size_t *n);
double facts_value(const struct facts *facts, const char *name); /* of its first series; NaN */
/* The value of `name` where its labels are those of `like`; NaN where there is none. */
double facts_beside(const struct facts *facts, const struct promql_row *like, const char *name);
const char *facts_label(const struct promql_row *series, const char *name); /* or NULL */
/* Newest value of a series; of a counter over a range, its growth a second. */
double facts_newest(const struct promql_row *series);
double facts_rate(const struct promql_row *series);
