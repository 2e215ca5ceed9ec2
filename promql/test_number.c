/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "number.h"

static void test_numbers_in_vectors(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{0, "0"},
		{-0.0, "-0"},
		{1, "1"},
		{-1.5, "-1.5"},
		{0.1, "0.1"},
		{100, "100"},
		{1e6, "1000000"},
		{1795383731.86, "1795383731.86"},
		{1e20, "100000000000000000000"},
		{1e21, "1e+21"},
		{-2.5e300, "-2.5e+300"},
		{1e-6, "0.000001"},
		{1e-7, "1e-07"},
		{5e-324, "5e-324"},
		{1.7976931348623157e308, "1.7976931348623157e+308"},
		{INFINITY, "+Inf"},
		{-INFINITY, "-Inf"},
		{NAN, "NaN"},
	};
	char text[400];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(promql_number(rows[i].value, text, sizeof text), rows[i].text);
}

/* What has few decimals takes a shorter way, to the same digits. */
static void test_decimals_are_the_shortest(void **state)
{
	(void)state;
	char text[400], wanted[400];
	uint64_t seed = 1;
	for (int i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		static const double scales[] = {1, 10, 100, 1000, 1e5, 1e6, 1e7};
		double value = (double)(int64_t)(seed >> (14 + seed % 40)) / scales[seed % 7];
		promql_plain(value, text, sizeof text);
		assert_true(strtod(text, NULL) == value);
		for (int digits = 1; digits <= 17; digits++) {
			snprintf(wanted, sizeof wanted, "%.*g", digits, value);
			if (strtod(wanted, NULL) != value)
				continue;
			size_t n = 0;
			for (const char *at = text; *at; at++)
				n += *at >= '1' && *at <= '9';
			size_t least = 0;
			for (const char *at = wanted; *at && *at != 'e'; at++)
				least += *at >= '1' && *at <= '9';
			assert_int_equal(n, least);
			break;
		}
	}
}

static void test_exponents_where_they_belong(void **state)
{
	(void)state;
	char text[400];
	assert_string_equal(promql_plain(1e-7, text, sizeof text), "0.0000001");
	assert_string_equal(promql_plain(1e21, text, sizeof text), "1000000000000000000000");
	assert_string_equal(promql_exponent(1, text, sizeof text), "1e+00");
	assert_string_equal(promql_exponent(0, text, sizeof text), "0e+00");
	assert_string_equal(promql_exponent(-97.25, text, sizeof text), "-9.725e+01");
	assert_string_equal(promql_plain(-1.25, text, sizeof text), "-1.25");
	assert_int_equal(strlen(promql_plain(-1.7976931348623157e308, text, sizeof text)), 310);
	assert_int_equal(strlen(promql_plain(-5e-324, text, sizeof text)), 327);
}

static void test_durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} rows[] = {
		{"0", 0},
		{"5m", 300000},
		{"1h30m", 5400000},
		{"1d12h", 129600000},
		{"1w", 604800000},
		{"1y", 31536000000},
		{"250ms", 250},
		{"1s5ms", 1005},
		{"300", 300000},
		{"0.5", 500},
		{"15.25", 15250},
		{"", -1},
		{".", -1},
		{"m", -1},
		{"5", 5000},
		{"5x", -1},
		{"1m1h", -1},
		{"1m1m", -1},
		{"1.5m", -1},
		{"1 m", -1},
		{"-5m", -1},
		{"293y", -1},
		{"99999999999999999999s", -1},
		{"99999999999999999999", -1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t ms = -1;
		int rc = promql_duration(rows[i].text, strlen(rows[i].text), &ms);
		assert_int_equal(rc < 0 ? -1 : ms, rows[i].ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_in_vectors),
		cmocka_unit_test(test_decimals_are_the_shortest),
		cmocka_unit_test(test_exponents_where_they_belong),
		cmocka_unit_test(test_durations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
