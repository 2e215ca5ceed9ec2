/* SPDX-License-Identifier: Apache-2.0 */
/* The order of series at an instant: an answer over several steps has one of its
 * own. */
#include <math.h>
#include <stdlib.h>

#include "workings.h"

/* Numbers before NaN. */
static int nan_last(double a, double b)
{
	return isnan(a) - isnan(b);
}

static int rising(const void *a, const void *b)
{
	const double x = *((const struct series *)a)->values,
		     y = *((const struct series *)b)->values;
	return isnan(x) || isnan(y) ? nan_last(x, y) : (x > y) - (x < y);
}

static int falling(const void *a, const void *b)
{
	const double x = *((const struct series *)a)->values,
		     y = *((const struct series *)b)->values;
	return isnan(x) || isnan(y) ? nan_last(x, y) : (x < y) - (x > y);
}

static int sort(const struct call_context *context, const struct value *arguments,
	struct value *out, int (*compare)(const void *a, const void *b))
{
	*out = arguments[0];
	if (context->axis->n == 1 && out->n_series > 1)
		qsort(out->series, out->n_series, sizeof *out->series, compare);
	return 0;
}

int call_sort(const struct call_context *context, const struct value *arguments, struct value *out)
{
	return sort(context, arguments, out, rising);
}

int call_sort_desc(
	const struct call_context *context, const struct value *arguments, struct value *out)
{
	return sort(context, arguments, out, falling);
}
