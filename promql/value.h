/* Values on the way through the engine.
 *
 * Everything is evaluated for all steps of a question at once: an axis says
 * which, a series has one value a step. PROMQL_ABSENT, the bits of the stale
 * NaN, stands where there is none: no arithmetic gives those bits, as its NaNs
 * are quiet ones.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <fenwatch/schema.h>

#include "node.h"

struct axis {
	int64_t start_ms, step_ms;
	size_t n; /* steps; 1: an instant */
};

static inline int64_t axis_at(const struct axis *axis, size_t step)
{
	return axis->start_ms + (int64_t)step * axis->step_ms;
}

static inline double promql_absent(void)
{
	const uint64_t bits = FW_STALE_NAN_BITS;
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

static inline bool promql_is_absent(double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits == FW_STALE_NAN_BITS;
}

struct series {
	const struct fw_label *labels; /* sorted by name */
	size_t n_labels;
	double *values; /* one a step */
};

struct value {
	enum promql_type type;
	struct series *series; /* VECTOR: at one step, in the order that sort and topk gave */
	size_t n_series;
	double *scalar; /* SCALAR: one a step */
	const char *string;
};
