/* SPDX-License-Identifier: Apache-2.0 */
#include "query.h"

int query_instant(struct store *store, const struct query_scope *scope, const char *text,
	int64_t at_ms, const struct promql_limits *limits, struct fw_arena *arena,
	struct promql_result *out, struct fw_err *err)
{
	struct query_source source = {store, scope, limits->max_bytes};
	const struct promql_data data = query_data(&source);
	return promql_instant(&data, text, at_ms, limits, arena, out, err);
}

int query_range(struct store *store, const struct query_scope *scope, const char *text,
	int64_t start_ms, int64_t end_ms, int64_t step_ms, const struct promql_limits *limits,
	struct fw_arena *arena, struct promql_result *out, struct fw_err *err)
{
	struct query_source source = {store, scope, limits->max_bytes};
	const struct promql_data data = query_data(&source);
	return promql_range(&data, text, start_ms, end_ms, step_ms, limits, arena, out, err);
}
