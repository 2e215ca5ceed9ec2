/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>

#include "functions.h"
#include "test_ask.h"

/* ---- the table ---- */

static void test_rows_are_sorted_and_found(void **state)
{
	(void)state;
	size_t n;
	const struct promql_function *functions = promql_functions(&n);
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(promql_function_find(functions[i].name), &functions[i]);
		if (i > 0)
			assert_true(strcmp(functions[i - 1].name, functions[i].name) < 0);
	}
	assert_null(promql_function_find("RATE"));
	assert_null(promql_function_find(""));
	assert_null(promql_function_find("holt_winters"));
}

static void test_rows_say_what_they_are(void **state)
{
	(void)state;
	size_t n;
	const struct promql_function *f = promql_functions(&n);
	for (size_t i = 0; i < n; i++, f++) {
		size_t length = strlen(f->name);
		assert_memory_equal(f->signature, f->name, length);
		assert_int_equal(f->signature[length], '(');
		assert_int_equal(f->signature[strlen(f->signature) - 1], ')');
		assert_int_equal(f->help[strlen(f->help) - 1], '.');
		int ways = (f->range || f->slide) + (f->map != NULL) + (f->call != NULL) +
			(f->special != SPECIAL_NONE);
		assert_int_equal(ways, f->experimental ? 0 : 1);
		assert_int_equal(f->slide != NULL, f->measure_size > 0);
		if (f->range || f->slide)
			assert_true(f->arguments[0] == PROMQL_MATRIX ||
				f->arguments[1] == PROMQL_MATRIX);
	}
}

/* ---- maths ---- */

static void test_maths(void **state)
{
	(void)state;
	static const struct ask_series none[] = {{"x", "1"}};
	static const struct ask_row rows[] = {
		{"abs(vector(-1.5))", "{} 1.5"},
		{"abs(-x)", "{} 1"},
		{"ceil(vector(-1.5))", "{} -1"},
		{"ceil(vector(-0.5))", "{} -0"},
		{"floor(vector(-1.5))", "{} -2"},
		{"exp(vector(1))", "{} 2.718281828"},
		{"exp(vector(-Inf))", "{} 0"},
		{"ln(vector(0))", "{} -Inf"},
		{"ln(vector(-1))", "{} NaN"},
		{"log2(vector(8))", "{} 3"},
		{"log10(vector(1000))", "{} 3"},
		{"sqrt(vector(16))", "{} 4"},
		{"sqrt(vector(-1))", "{} NaN"},
		{"sgn(vector(-Inf))", "{} -1"},
		{"sgn(vector(0))", "{} 0"},
		{"sgn(vector(7))", "{} 1"},
		{"sgn(vector(NaN))", "{} NaN"},
		{"deg(vector(pi()))", "{} 180"},
		{"rad(vector(180))", "{} 3.141592654"},
		{"sin(vector(pi() / 2))", "{} 1"},
		{"cos(vector(0))", "{} 1"},
		{"tan(vector(pi() / 4))", "{} 1"},
		{"asin(vector(1))", "{} 1.570796327"},
		{"acos(vector(2))", "{} NaN"},
		{"atan(vector(+Inf))", "{} 1.570796327"},
		{"sinh(vector(1))", "{} 1.175201194"},
		{"cosh(vector(0))", "{} 1"},
		{"tanh(vector(-Inf))", "{} -1"},
		{"asinh(vector(1))", "{} 0.881373587"},
		{"acosh(vector(1))", "{} 0"},
		{"acosh(vector(0.5))", "{} NaN"},
		{"atanh(vector(1))", "{} +Inf"},
		{"round(vector(2.5))", "{} 3"},
		{"round(vector(-2.5))", "{} -2"},
		{"round(vector(0.12345), 0.01)", "{} 0.12"},
		{"round(vector(0.0005), 0.001)", "{} 0.001"},
		{"round(vector(7), 5)", "{} 5"},
		{"round(vector(8), 5)", "{} 10"},
		{"round(vector(1), 0)", "{} NaN"},
	};
	ASK(none, 10, rows, 0);
}

static void test_limits(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"x{a=\"1\"}", "5"}, {"x{a=\"2\"}", "-5"}};
	static const struct ask_row rows[] = {
		{"clamp(x, 0, 3)", "{a=\"1\"} 3; {a=\"2\"} 0"},
		{"clamp(x, 3, 0)", ""},
		{"clamp(x, NaN, 3)", "{a=\"1\"} NaN; {a=\"2\"} NaN"},
		{"clamp_max(x, 3)", "{a=\"1\"} 3; {a=\"2\"} -5"},
		{"clamp_min(x, 3)", "{a=\"1\"} 5; {a=\"2\"} 3"},
		{"clamp_max(vector(NaN), 3)", "{} NaN"},
		{"clamp_max(vector(NaN), -Inf)", "{} -Inf"},
		{"clamp_min(vector(NaN), +Inf)", "{} +Inf"},
		{"clamp_min(vector(1), NaN)", "{} NaN"},
	};
	ASK(series, 10, rows, 0);
}

/* ---- types ---- */

static void test_scalars_and_vectors(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"x{a=\"1\"}", "5"}, {"x{a=\"2\"}", "NaN"}};
	static const struct ask_row rows[] = {
		{"pi()", "3.141592654"},
		{"time()", "7"},
		{"vector(2)", "{} 2"},
		{"scalar(x{a=\"1\"})", "5"},
		{"scalar(x{a=\"2\"})", "NaN"},
		{"scalar(x)", "NaN"},
		{"scalar(y)", "NaN"},
		{"scalar(x > 1)", "5"},
		{"x + scalar(x{a=\"1\"})", "{a=\"1\"} 10; {a=\"2\"} NaN"},
		{"timestamp(x{a=\"1\"})", "{a=\"1\"} 0"},
		{"timestamp(x{a=\"1\"} + 0)", "{a=\"1\"} 7"},
		{"histogram_count(x)", ""},
		{"histogram_avg(x)", ""},
	};
	ASK(series, 10, rows, 7);
}

static void test_types_over_steps(void **state)
{
	(void)state;
	static const struct ask_series series[] = {
		{"x{a=\"1\"}", "1 _ stale 4"}, {"x{a=\"2\"}", "_ _ 3 3"}};
	static const struct ask_row rows[] = {
		{"time()", "{} 0 10 20 30"},
		{"vector(time() / 10)", "{} 0 1 2 3"},
		{"scalar(x)", "{} 1 1 3 NaN"},
		{"clamp_min(vector(2), time() / 10)", "{} 2 2 2 3"},
		{"minute(vector(time() * 6))", "{} 0 1 2 3"},
		{"sort(x)", "x{a=\"1\"} 1 1 _ 4; x{a=\"2\"} _ _ 3 3"},
	};
	ASK_STEPS(series, 10, rows, 0, 10, 4);
}

/* ---- dates ---- */

static void test_dates_of_now(void **state)
{
	(void)state;
	static const struct ask_series none[] = {{"x", "1"}};
	static const struct ask_row rows[] = {
		/* Thursday, 2024-02-29 12:34:56 */
		{"year()", "{} 2024"},
		{"month()", "{} 2"},
		{"day_of_month()", "{} 29"},
		{"day_of_week()", "{} 4"},
		{"day_of_year()", "{} 60"},
		{"days_in_month()", "{} 29"},
		{"hour()", "{} 12"},
		{"minute()", "{} 34"},
		{"year(vector(time()))", "{} 2024"},
	};
	ASK(none, 10, rows, 1709210096);
}

static void test_dates_of_values(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"x{a=\"1\"}", "-1"}};
	static const struct ask_row rows[] = {
		{"year(x)", "{a=\"1\"} 1969"},
		{"month(x)", "{a=\"1\"} 12"},
		{"hour(x)", "{a=\"1\"} 23"},
		{"minute(x)", "{a=\"1\"} 59"},
		{"day_of_year(x)", "{a=\"1\"} 365"},
		{"day_of_week(x)", "{a=\"1\"} 3"},
		{"day_of_week(vector(0))", "{} 4"},
		{"year(vector(-0.5))", "{} 1970"},
		{"day_of_year(vector(1609372800))", "{} 366"}, /* 2020-12-31 */
		{"day_of_year(vector(1609459200))", "{} 1"},
		{"days_in_month(vector(951782400))", "{} 29"},   /* 2000-02-29 */
		{"days_in_month(vector(-2203977600))", "{} 28"}, /* 1900-02-28 */
		{"day_of_month(vector(-2203891200))", "{} 1"},
		{"month(vector(-2203891200))", "{} 3"},
		{"year(vector(253402300800))", "{} 10000"},
		{"year(vector(NaN))", "{} NaN"},
		{"hour(vector(+Inf))", "{} NaN"},
	};
	ASK(series, 10, rows, 0);
}

/* ---- labels ---- */

static void test_label_join(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"x{a=\"1\",b=\"2\"}", "5"}};
	static const struct ask_row rows[] = {
		{"label_join(x, \"c\", \"-\", \"a\", \"b\")", "x{a=\"1\", b=\"2\", c=\"1-2\"} 5"},
		{"label_join(x, \"c\", \"-\")", "x{a=\"1\", b=\"2\"} 5"},
		{"label_join(x, \"a\", \"-\")", "x{b=\"2\"} 5"},
		{"label_join(x, \"a\", \"\", \"b\")", "x{a=\"2\", b=\"2\"} 5"},
		{"label_join(x, \"c\", \",\", \"nope\", \"a\")", "x{a=\"1\", b=\"2\", c=\",1\"} 5"},
		{"label_join(x, \"__name__\", \"\", \"a\")", "1{a=\"1\", b=\"2\"} 5"},
		{"label_join(x, \"\", \"-\", \"a\")",
			"error: invalid destination label name in label_join(): "},
		{"label_join(x, \"c\", \"-\", \"\")",
			"error: invalid source label name in label_join(): "},
		{"label_join(x, \"\\xff\", \"-\", \"a\")",
			"error: invalid destination label name in label_join(): \xff"},
		{"label_join(x, \"c\", \"-\", \"a\", \"\\xff\")",
			"error: invalid source label name in label_join(): \xff"},
	};
	ASK(series, 10, rows, 0);
}

static void test_label_replace(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"x{a=\"1\",b=\"2\"}", "5"}};
	static const struct ask_row rows[] = {
		{"label_replace(x, \"c\", \"$1-${1}x-$1x-$$-$\", \"a\", \"(.*)\")",
			"x{a=\"1\", b=\"2\", c=\"1-1x--$-$\"} 5"},
		{"label_replace(x, \"c\", \"${n}${1}${\", \"a\", \"(?P<n>.+)\")",
			"x{a=\"1\", b=\"2\", c=\"11${\"} 5"},
		{"label_replace(x, \"c\", \"$0$01$7$2\", \"a\", \"(1)(z)?\")",
			"x{a=\"1\", b=\"2\", c=\"1\"} 5"},
		{"label_replace(x, \"c\", \"z\", \"a\", \"2\")", "x{a=\"1\", b=\"2\"} 5"},
		{"label_replace(x, \"c\", \"z\", \"a\", \"\")", "x{a=\"1\", b=\"2\"} 5"},
		{"label_replace(x, \"c\", \"z\", \"nope\", \"\")",
			"x{a=\"1\", b=\"2\", c=\"z\"} 5"},
		{"label_replace(x, \"b\", \"\", \"a\", \".*\")", "x{a=\"1\"} 5"},
		{"label_replace(x, \"__name__\", \"y\", \"a\", \"1|12\")", "y{a=\"1\", b=\"2\"} 5"},
		{"label_replace(x, \"c\", \"z\", \"a\", \"(\")",
			"error: invalid regular expression in label_replace(): ("},
		{"label_replace(x, \"\", \"z\", \"a\", \"1\")",
			"error: invalid destination label name in label_replace(): "},
		{"label_replace(x, \"\\xff\", \"z\", \"a\", \"1\")",
			"error: invalid destination label name in label_replace(): \xff"},
	};
	ASK(series, 10, rows, 0);
}

/* Twice as long each time. */
static void test_labels_stay_short(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"x{a=\"12345678\"}", "5"}};
	struct fw_buf query = {0};
	for (int i = 0; i < 14; i++)
		fw_buf_puts(&query, "label_replace(");
	fw_buf_putc(&query, 'x');
	for (int i = 0; i < 14; i++)
		fw_buf_puts(&query, ", \"a\", \"$1$1\", \"a\", \"(.*)\")");
	const struct ask_row rows[] = {{(const char *)query.data,
		"error: label value of more than 65536 bytes in label_replace()"}};
	ASK(series, 10, rows, 0);
	fw_buf_done(&query);
}

static void test_equal_labels_are_refused(void **state)
{
	(void)state;
	static const struct ask_series series[] = {
		{"x{a=\"1\"}", "5"}, {"x{a=\"2\"}", "6"}, {"y{a=\"1\"}", "7"}};
	static const char refusal[] = "error: vector cannot contain metrics with the same labelset";
	static const struct ask_row rows[] = {
		{"label_replace(x, \"a\", \"z\", \"a\", \".*\")", refusal},
		{"label_join(x, \"a\", \"-\")", refusal},
		{"abs({a=\"1\"})", refusal},
		{"rate({a=\"1\"}[1m])", ""},
		{"count_over_time({a=\"1\"}[1m])", refusal},
		{"last_over_time({a=\"1\"}[1m])", "x{a=\"1\"} 5; y{a=\"1\"} 7"},
		{"hour({a=\"1\"})", refusal},
	};
	ASK(series, 10, rows, 0);
}

/* ---- order ---- */

static void test_sort(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"s{k=\"a\"}", "3"}, {"s{k=\"b\"}", "NaN"},
		{"s{k=\"c\"}", "-1"}, {"s{k=\"d\"}", "Inf"}};
	static const struct ask_row rows[] = {
		{"sort(s)", "s{k=\"c\"} -1; s{k=\"a\"} 3; s{k=\"d\"} +Inf; s{k=\"b\"} NaN"},
		{"sort_desc(s)", "s{k=\"d\"} +Inf; s{k=\"a\"} 3; s{k=\"c\"} -1; s{k=\"b\"} NaN"},
		{"sort(nope)", ""},
	};
	ASK(series, 10, rows, 0);
}

static void test_experimental_ones_are_refused(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"x", "1"}};
	static const struct ask_row rows[] = {
		{"mad_over_time(x[5m])",
			"error: 1:1: parse error: function \"mad_over_time\" is not enabled"},
		{"sort_by_label(x, \"a\")",
			"error: 1:1: parse error: function \"sort_by_label\" is not enabled"},
		{"nope(x)", "error: 1:1: parse error: unknown function with name \"nope\""},
	};
	ASK(series, 10, rows, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_sorted_and_found),
		cmocka_unit_test(test_rows_say_what_they_are),
		cmocka_unit_test(test_maths),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_scalars_and_vectors),
		cmocka_unit_test(test_types_over_steps),
		cmocka_unit_test(test_dates_of_now),
		cmocka_unit_test(test_dates_of_values),
		cmocka_unit_test(test_label_join),
		cmocka_unit_test(test_label_replace),
		cmocka_unit_test(test_labels_stay_short),
		cmocka_unit_test(test_equal_labels_are_refused),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_experimental_ones_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
