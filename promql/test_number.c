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

/* The first that reads back, of those with one digit, two digits, ... */
static void spell_by_trial(double value, char text[40])
{
	for (int digits = 0; digits < 17; digits++) {
		snprintf(text, 40, "%.*e", digits, value);
		if (strtod(text, NULL) == value)
			return;
	}
}

static double double_of(uint64_t bits)
{
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

static void check_shortest(uint64_t bits)
{
	char text[PROMQL_NUMBER_SIZE], wanted[40];
	spell_by_trial(double_of(bits), wanted);
	assert_string_equal(promql_exponent(double_of(bits), text, sizeof text), wanted);
}

/* Of every size, near and far from where the gap between doubles changes. */
static void test_doubles_are_the_shortest(void **state)
{
	(void)state;
	uint64_t seed = 7;
	for (uint64_t exponent = 0; exponent < 2047; exponent++) {
		uint64_t least = exponent << 52;
		check_shortest(least + 1);
		check_shortest(least + 2);
		check_shortest(least + (UINT64_C(1) << 52) - 1);
		for (int i = 0; i < 4; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			check_shortest(least + 1 + (seed >> 13));
		}
	}
}

/* Below a power of two the gap is half of that above: what is nearest of the shortest may
 * be another's. */
static void test_powers_of_two_read_back(void **state)
{
	(void)state;
	char text[PROMQL_NUMBER_SIZE], longer[40];
	for (uint64_t exponent = 1; exponent < 2047; exponent++) {
		double value = double_of(exponent << 52);
		spell_by_trial(value, longer);
		assert_true(strtod(promql_exponent(value, text, sizeof text), NULL) == value);
		assert_true(strlen(text) <= strlen(longer));
	}
	assert_string_equal(promql_exponent(0x1p-44, text, sizeof text), "5.684341886080802e-14");
	assert_string_equal(
		promql_exponent(0x1p-1022, text, sizeof text), "2.2250738585072014e-308");
	assert_string_equal(promql_exponent(0x1p-1074, text, sizeof text), "5e-324");
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
		cmocka_unit_test(test_doubles_are_the_shortest),
		cmocka_unit_test(test_powers_of_two_read_back),
		cmocka_unit_test(test_exponents_where_they_belong),
		cmocka_unit_test(test_durations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
