/* Data to ask about, in memory: for tests of rules and of the engine.
 *
 * Series are given as in Prometheus' tests, labels and values apart:
 *
 *   up{instance="a"}    1 1 _ 0 stale 5+10x3 7x2 NaN -Inf
 *
 * "5+10x3" is 5 15 25 35, "7x2" is 7 7 7, "_" is no sample at that time ("_x3":
 * three times), "stale" ends the series there.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "data.h"
#include "labels.h"

#define PROMQL_MEMORY_SAMPLES 1000000 /* of one line of notation */

/* Zeroes make an empty one. */
struct promql_memory {
	struct fw_arena arena;
	struct label_table table;
	struct memory_series *series; /* as the table numbers them */
	size_t capacity;
};

/* Samples at start, start + step and so on. -EINVAL with a sentence. */
int promql_memory_load(struct promql_memory *memory, const char *labels, const char *values,
	int64_t start_ms, int64_t step_ms, struct fw_err *err);
/* One sample; of two at one time the later counts. promql_absent() ends the series. */
void promql_memory_add(struct promql_memory *memory, const struct fw_label *labels, size_t n_labels,
	int64_t at_ms, double value);
/* To be asked as long as the memory lives and nothing is added. */
struct promql_data promql_memory_data(struct promql_memory *memory);
void promql_memory_done(struct promql_memory *memory);
