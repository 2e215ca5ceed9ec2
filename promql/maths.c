/* SPDX-License-Identifier: Apache-2.0 */
/* Each value by itself. */
#include <math.h>

#include "workings.h"

#define MAP(name, expression)                                \
	double map_##name(double v, const double *arguments) \
	{                                                    \
		(void)arguments;                             \
		return expression;                           \
	}

MAP(abs, fabs(v))
MAP(ceil, ceil(v))
MAP(floor, floor(v))
MAP(exp, exp(v))
MAP(ln, log(v))
MAP(log2, log2(v))
MAP(log10, log10(v))
MAP(sqrt, sqrt(v))
MAP(sgn, v > 0 ? 1 : v < 0 ? -1 : v)
MAP(deg, v * 180 / M_PI)
MAP(rad, v *M_PI / 180)
MAP(sin, sin(v))
MAP(cos, cos(v))
MAP(tan, tan(v))
MAP(asin, asin(v))
MAP(acos, acos(v))
MAP(atan, atan(v))
MAP(sinh, sinh(v))
MAP(cosh, cosh(v))
MAP(tanh, tanh(v))
MAP(asinh, asinh(v))
MAP(acosh, acosh(v))
MAP(atanh, atanh(v))

/* Of two values; NaN if one is NaN, unless the other is as great as can be. -0 is less than 0. */
static double greater(double a, double b)
{
	if (a == INFINITY || b == INFINITY)
		return INFINITY;
	if (a == 0 && b == 0)
		return signbit(a) ? b : a;
	return isnan(a) || isnan(b) ? NAN : a > b ? a : b;
}

static double lesser(double a, double b)
{
	return -greater(-a, -b);
}

double map_clamp(double v, const double *arguments)
{
	if (arguments[0] > arguments[1])
		return promql_absent();
	return greater(arguments[0], lesser(arguments[1], v));
}

double map_clamp_max(double v, const double *arguments)
{
	return lesser(arguments[0], v);
}

double map_clamp_min(double v, const double *arguments)
{
	return greater(arguments[0], v);
}

/* By the inverse, as Prometheus does: 0.1 has no exact double, but its inverse has. */
double map_round(double v, const double *arguments)
{
	double inverse = promql_is_absent(arguments[0]) ? 1 : 1 / arguments[0];
	return floor(v * inverse + 0.5) / inverse;
}
