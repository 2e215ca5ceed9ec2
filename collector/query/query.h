/* Questions: the door that PromQL stands behind.
 *
 * In this shape a question is a plain selector, metric{label="v",l2=~"re"},
 * with an optional [range]; semantics are Prometheus 3's: the newest sample in
 * (t - lookback, t] that is not a stale mark, ranges left-open, regular
 * expressions anchored. Pure apart from reading the store: any thread, one
 * arena a query.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#include "number.h"

struct store;

#define QUERY_LOOKBACK_MS (5 * 60 * 1000)
#define QUERY_STEPS_LIMIT 11000 /* of a range query */

enum query_fault {
	QUERY_BAD_DATA = 1,
	QUERY_EXECUTION,
	QUERY_TIMEOUT,
	QUERY_CANCELED,
	QUERY_INTERNAL
};

struct query_limits {
	size_t max_samples;   /* 10,000,000 */
	size_t max_bytes;     /* of the arena: 256 MiB */
	int64_t timeout_ms;   /* 30,000 */
	const bool *canceled; /* looked at now and then; may be NULL */
};

struct query_point {
	int64_t at_ms;
	double value;
};

struct query_series {
	const struct fw_label *labels; /* sorted by name, "__name__" first where present */
	size_t n_labels;
	const struct query_point *points;
	size_t n_points;
};

enum query_type { QUERY_VECTOR, QUERY_MATRIX, QUERY_SCALAR, QUERY_STRING };

struct query_result {
	enum query_type type;
	struct query_series *series; /* VECTOR: one point each; MATRIX: sorted by labels */
	size_t n_series;
	struct query_point scalar;
	const char *string;
	const char **warnings;
	size_t n_warnings;
	enum query_fault fault; /* when the call failed */
};

int query_instant(struct store *store, const char *text, int64_t at_ms,
	const struct query_limits *limits, struct fw_arena *arena, struct query_result *out,
	struct fw_err *err);
int query_range(struct store *store, const char *text, int64_t start_ms, int64_t end_ms,
	int64_t step_ms, const struct query_limits *limits, struct fw_arena *arena,
	struct query_result *out, struct fw_err *err);

/* Series, label names and label values that match any of `selectors` (none: all). */
int query_find_series(struct store *store, const char *const *selectors, size_t n_selectors,
	int64_t start_ms, int64_t end_ms, struct fw_arena *arena, struct query_result *out,
	struct fw_err *err);
struct query_names {
	const char **items; /* sorted, unique */
	size_t count;
};
int query_label_names(struct store *store, const char *const *selectors, size_t n_selectors,
	int64_t start_ms, int64_t end_ms, struct fw_arena *arena, struct query_names *out,
	struct fw_err *err);
int query_label_values(struct store *store, const char *label, const char *const *selectors,
	size_t n_selectors, int64_t start_ms, int64_t end_ms, struct fw_arena *arena,
	struct query_names *out, struct fw_err *err);
