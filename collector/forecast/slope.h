/* The median of all slopes between two points, and Sen's interval of it. */
#pragma once

#include <stddef.h>

#define SLOPE_POINTS 32

struct slope {
	double low, middle, high;
};

/* `x` ascends; 2 to SLOPE_POINTS points. */
struct slope slope_of(const double *x, const double *y, size_t n);
