/* Ranges of buckets instead of samples, for functions that buckets suffice for. */
#pragma once

#include "evaluate.h"

/* Buckets without samples must have been left out. */
void buckets_fold(const char *function, const struct promql_samples *samples,
	const struct moments *moments, int64_t range_ms, double *out);
