/* SPDX-License-Identifier: Apache-2.0 */
/* Any question over some small data, within small limits. What a range says at a
 * step is what an instant says there. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "memory.h"
#include "promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_MS = 60000, STEPS = 4, TEXT_LIMIT = 300 };

static const struct promql_limits limits = {
	.max_samples = 20000, .max_bytes = 16u << 20, .timeout_ms = 2000};

static struct promql_data data_of(struct promql_memory *memory)
{
	static const char *const series[][2] = {
		{"a{x=\"1\",y=\"1\"}", "0+1x9"},
		{"a{x=\"1\",y=\"2\"}", "9-1x9"},
		{"a{x=\"2\",y=\"1\"}", "1 2 stale 3 _ 5"},
		{"b{x=\"1\"}", "NaN Inf -Inf 1e300 -0 0"},
		{"b{x=\"2\"}", "5 1 7 0 3 2 8"},
		{"h_bucket{le=\"1\"}", "0+1x9"},
		{"h_bucket{le=\"2\"}", "0+3x9"},
		{"h_bucket{le=\"+Inf\"}", "0+4x9"},
	};
	bool is_there = memory->table.n > 0;
	for (size_t i = 0; i < sizeof series / sizeof *series && !is_there; i++)
		promql_memory_load(memory, series[i][0], series[i][1], 0, STEP_MS, NULL);
	return promql_memory_data(memory);
}

static void check_labels(const struct fw_label *labels, size_t n)
{
	for (size_t i = 1; i < n; i++)
		assert(strcmp(labels[i - 1].name, labels[i].name) < 0);
}

static size_t count_at(const struct promql_result *result, size_t step)
{
	size_t n = 0;
	for (size_t i = 0; i < result->value.n_series; i++) {
		check_labels(result->value.series[i].labels, result->value.series[i].n_labels);
		n += !promql_is_absent(result->value.series[i].values[step]);
	}
	return n;
}

static void try_instants(
	const struct promql_data *data, const char *text, const struct promql_result *range)
{
	struct fw_arena arena = {0};
	for (size_t step = 0; step < range->axis.n; step++) {
		struct promql_result instant;
		int rc = promql_instant(
			data, text, axis_at(&range->axis, step), &limits, &arena, &instant, NULL);
		assert(rc == 0);
		if (instant.type == PROMQL_VECTOR)
			assert(count_at(&instant, 0) == count_at(range, step));
		fw_arena_reset(&arena);
	}
	fw_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct promql_memory memory;
	struct promql_data data = data_of(&memory);
	struct fw_arena arena = {0};
	struct promql_result result;
	if (size > TEXT_LIMIT)
		return 0;
	const char *text = fw_arena_strndup(&arena, (const char *)bytes, size);
	int rc = promql_range(
		&data, text, 0, STEPS * STEP_MS, STEP_MS, &limits, &arena, &result, NULL);
	assert(rc == 0 || result.fault != 0);
	assert(rc != 0 || result.value.n_series == 0 ||
		count_at(&result, 0) <= result.value.n_series);
	/* These mean another time in a question about an instant. */
	if (rc == 0 && !strcasestr(text, "start") && !strcasestr(text, "end"))
		try_instants(&data, text, &result);
	else if (rc < 0)
		promql_instant(&data, text, STEP_MS, &limits, &arena, &result, NULL);
	fw_arena_done(&arena);
	return 0;
}
