/* Questions asked of the ring: the engine of promql/ over the store.
 *
 * A question sees the hosts that its scope lets it see, as if there were no
 * others. Pure apart from reading the store: any thread, one arena a question.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#include "promql.h"

struct store;

/* Whose question it is. A scope of NULL sees every host. */
struct query_scope {
	bool (*sees)(const struct fw_label *host_labels, size_t n_labels, const void *arg);
	const void *arg;
};

/* What is asked. */
struct query_source {
	struct store *store;
	const struct query_scope *scope;
	size_t max_bytes; /* that are read at once */
};
/* For who evaluates trees: to be asked as long as the source lives. */
struct promql_data query_data(struct query_source *source);

int query_instant(struct store *store, const struct query_scope *scope, const char *text,
	int64_t at_ms, const struct promql_limits *limits, struct fw_arena *arena,
	struct promql_result *out, struct fw_err *err);
int query_range(struct store *store, const struct query_scope *scope, const char *text,
	int64_t start_ms, int64_t end_ms, int64_t step_ms, const struct promql_limits *limits,
	struct fw_arena *arena, struct promql_result *out, struct fw_err *err);

/* Series, label names and label values that match any of `selectors` (none: all). */
struct query_found {
	struct series *series; /* sorted by labels; without values */
	size_t n_series;
};
int query_find_series(struct store *store, const struct query_scope *scope,
	const char *const *selectors, size_t n_selectors, int64_t start_ms, int64_t end_ms,
	struct fw_arena *arena, struct query_found *out, struct fw_err *err);
struct query_names {
	const char **items; /* sorted, unique */
	size_t count;
};
int query_label_names(struct store *store, const struct query_scope *scope,
	const char *const *selectors, size_t n_selectors, int64_t start_ms, int64_t end_ms,
	struct fw_arena *arena, struct query_names *out, struct fw_err *err);
int query_label_values(struct store *store, const struct query_scope *scope, const char *label,
	const char *const *selectors, size_t n_selectors, int64_t start_ms, int64_t end_ms,
	struct fw_arena *arena, struct query_names *out, struct fw_err *err);
