/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "slope.h"

#define N 28

static bool near(double a, double b)
{
	return fabs(a - b) <= 1e-9 * fmax(1, fabs(b));
}

static void line(double *x, double *y, double slope)
{
	for (int i = 0; i < N; i++) {
		x[i] = i;
		y[i] = 5 + slope * i;
	}
}

static void test_a_line_has_its_slope(void **state)
{
	double x[N], y[N];
	(void)state;
	line(x, y, 2.5);
	struct slope s = slope_of(x, y, N);
	assert_true(near(s.low, 2.5) && near(s.middle, 2.5) && near(s.high, 2.5));
}

static void test_two_points_are_enough(void **state)
{
	const double x[] = {1, 3}, y[] = {10, 4};
	(void)state;
	assert_true(near(slope_of(x, y, 2).middle, -3));
}

/* Breakdown point of the median of slopes: 1 - 1/sqrt(2), about 29 %. */
static void test_a_quarter_of_wild_points_does_not_bend_it(void **state)
{
	double x[N], y[N];
	(void)state;
	line(x, y, 1);
	for (int i = 0; i < N; i += 4)
		y[i] += 1e6 * (i % 8 ? 1 : -1);
	struct slope s = slope_of(x, y, N);
	assert_true(s.middle > 0.5 && s.middle < 2);
}

static void test_what_has_no_trend_has_zero_in_its_interval(void **state)
{
	double x[N], y[N];
	(void)state;
	for (int i = 0; i < N; i++) {
		x[i] = i;
		y[i] = (double)(i * 7919 % 31); /* no order that a line could follow */
	}
	struct slope s = slope_of(x, y, N);
	assert_true(s.low < 0 && s.high > 0 && s.low <= s.middle && s.middle <= s.high);
}

static void test_it_follows_the_scales_of_both_axes(void **state)
{
	double x[N], y[N];
	(void)state;
	for (int i = 0; i < N; i++) {
		x[i] = i;
		y[i] = 3 * i + (double)(i * 7919 % 31);
	}
	struct slope before = slope_of(x, y, N);
	for (int i = 0; i < N; i++) {
		x[i] = x[i] * 10 + 77;
		y[i] = y[i] * 1000 - 5;
	}
	struct slope after = slope_of(x, y, N);
	assert_true(near(after.low, before.low * 100) && near(after.middle, before.middle * 100) &&
		near(after.high, before.high * 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_has_its_slope),
		cmocka_unit_test(test_two_points_are_enough),
		cmocka_unit_test(test_a_quarter_of_wild_points_does_not_bend_it),
		cmocka_unit_test(test_what_has_no_trend_has_zero_in_its_interval),
		cmocka_unit_test(test_it_follows_the_scales_of_both_axes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
