/* Sums that carry along what rounding takes from them, as Kahan and Neumaier have it. */
#pragma once

static inline void exact_put(double *sum, double *rest, double value)
{
	double total = *sum + value;
	if (__builtin_isinf(total))
		*rest = 0;
	else if (__builtin_fabs(*sum) >= __builtin_fabs(value))
		*rest += (*sum - total) + value;
	else
		*rest += (value - total) + *sum;
	*sum = total;
}

struct exact {
	double sum, rest;
};

static inline void exact_add(struct exact *e, double value)
{
	exact_put(&e->sum, &e->rest, value);
}
