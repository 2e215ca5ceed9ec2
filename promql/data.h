/* The door from the engine to what it is asked about.
 *
 * Whoever has data answers select() with one series after the other. A series
 * comes as a column: times that it shares with its neighbours, and integer
 * cells that its column says how to read. Series of one host come one after the
 * other and share their times and say so, so that what was worked out for the
 * times of one holds for the next. What is handed over lives until
 * on_series returns, but labels' texts as long as the query's arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#include "node.h"

struct promql_notes; /* notes.h: warnings and infos of an answer */

struct promql_selection {
	const struct matcher *matchers;
	size_t n_matchers;
	int64_t from_ms, to_ms; /* both included */
	bool newest;            /* only the newest sample up to to_ms is looked at */
	/* For coarser tiers: the function that the samples go into ("max_over_time"), or NULL,
	 * its range, and the step between evaluations, 0: only one. */
	const char *function;
	int64_t range_ms, step_ms;
};

/* What buckets of samples come to, where that answers the function exactly: cells[i] is the
 * last of count[i] samples from first_ms[i] to times_ms[i]. NULL is what is not kept. */
struct promql_buckets {
	const int64_t *first_ms, *count;
	const int64_t *min, *max, *sum;
	const int64_t *first,
		*increase; /* of counters, what they lost by beginning anew made good */
};
/* Whether that is enough for a function over ranges of whole buckets. */
bool promql_buckets_suffice(const struct promql_buckets *buckets, const char *function);

struct promql_samples {
	const struct fw_label *labels; /* all of them, sorted by name, with "__name__" */
	size_t n_labels;
	const struct fw_column *column; /* says how cells are read: type, scale, factor */
	const int64_t *times_ms;        /* strictly ascending */
	bool same_times;      /* they are those of the series before: nothing of them has changed */
	const int64_t *cells; /* FW_ABSENT: the series has no sample there and is stale */
	size_t n;
	const struct promql_buckets *buckets; /* NULL: they are samples */
};

struct promql_select_to {
	/* 0 to go on; a negative errno ends the selection and comes back from it. */
	int (*on_series)(void *arg, const struct promql_samples *samples);
	void *arg;
	struct fw_arena *arena; /* the query's */
	struct promql_notes *notes;
	/* Whether who asked has given up: asked before each part that has to be read, and within
	 * them, from any thread. It ends the selection with -ECANCELED. NULL: nobody gives up. */
	bool (*is_over)(const void *over_arg);
	const void *over_arg;
};

struct promql_data {
	int (*select)(const struct promql_data *data, const struct promql_selection *selection,
		const struct promql_select_to *to, struct fw_err *err);
	void *arg;
};
