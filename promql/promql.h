/* Questions and answers: PromQL as in Prometheus 3.5, over whatever data is handed in.
 *
 * Pure apart from the data and a look at the clock for the deadline: any
 * thread, one arena a question. The answer lives in the arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "data.h"
#include "node.h"
#include "notes.h"
#include "value.h"

#define PROMQL_LOOKBACK_MS (5 * 60 * 1000)
#define PROMQL_STEPS_LIMIT 11000     /* of a range question */
#define PROMQL_DEFAULT_STEP_MS 60000 /* of subqueries */

enum promql_fault {
	PROMQL_BAD_DATA = 1,
	PROMQL_EXECUTION,
	PROMQL_TIMEOUT,
	PROMQL_CANCELED,
	PROMQL_INTERNAL
};

struct promql_limits {
	size_t max_samples;   /* 10,000,000 */
	size_t max_bytes;     /* of the arena: 256 MiB */
	int64_t timeout_ms;   /* 30,000 */
	int64_t lookback_ms;  /* 0: PROMQL_LOOKBACK_MS */
	const bool *canceled; /* looked at now and then; may be NULL */
};

/* The answer of an instant question that is a matrix: samples as they were. */
struct promql_point {
	int64_t at_ms;
	double value;
};
struct promql_row {
	const struct fw_label *labels;
	size_t n_labels;
	const struct promql_point *points;
	size_t n_points;
};

struct promql_result {
	enum promql_type type;
	struct axis axis;
	/* VECTOR, and MATRIX of a range question: sorted by labels, one value a step, absent
	 * ones among them (a series has at least one that is not). Of an instant question in
	 * the engine's order. SCALAR and STRING as they are. */
	struct value value;
	struct promql_row *rows; /* MATRIX of an instant question */
	size_t n_rows;
	struct promql_notes notes;
	size_t n_samples;        /* that were looked at */
	enum promql_fault fault; /* when the call failed */
};

int promql_instant(const struct promql_data *data, const char *text, int64_t at_ms,
	const struct promql_limits *limits, struct fw_arena *arena, struct promql_result *out,
	struct fw_err *err);
/* A scalar comes as a matrix of one series without labels. */
int promql_range(const struct promql_data *data, const char *text, int64_t start_ms, int64_t end_ms,
	int64_t step_ms, const struct promql_limits *limits, struct fw_arena *arena,
	struct promql_result *out, struct fw_err *err);
/* The same for a tree that was parsed before; `text` is what it was parsed from. */
int promql_instant_of(const struct promql_data *data, const struct node *node, const char *text,
	int64_t at_ms, const struct promql_limits *limits, struct fw_arena *arena,
	struct promql_result *out, struct fw_err *err);
