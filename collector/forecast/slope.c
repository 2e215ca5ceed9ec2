/* SPDX-License-Identifier: Apache-2.0 */
#include "slope.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define PAIRS (SLOPE_POINTS * (SLOPE_POINTS - 1) / 2)
#define Z 1.96 /* of 95 % */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double at_rank(const double *sorted, size_t n, double rank)
{
	double most = (double)n - 1;
	return sorted[(size_t)fmin(fmax(round(rank), 0), most)];
}

struct slope slope_of(const double *x, const double *y, size_t n)
{
	double slopes[PAIRS] = {0};
	size_t pairs = 0;
	assert(n >= 2 && n <= SLOPE_POINTS);
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			slopes[pairs++] = (y[j] - y[i]) / (x[j] - x[i]);
	qsort(slopes, pairs, sizeof *slopes, ascending);
	/* Kendall's S has this variance where there is no trend. */
	double count = (double)n, middle = ((double)pairs - 1) / 2;
	double spread = Z * sqrt(count * (count - 1) * (2 * count + 5) / 18) / 2;
	return (struct slope){
		.low = at_rank(slopes, pairs, floor(middle - spread)),
		.middle = (slopes[(pairs - 1) / 2] + slopes[pairs / 2]) / 2,
		.high = at_rank(slopes, pairs, ceil(middle + spread)),
	};
}
