/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_ask.h"

static void test_quantiles(void **state)
{
	(void)state;
	static const struct ask_series series[] = {
		{"h_bucket{le=\"0.1\"}", "10"},
		{"h_bucket{le=\"0.2\"}", "20"},
		{"h_bucket{le=\"1e0\"}", "30"},
		{"h_bucket{le=\"+Inf\"}", "40"},
	};
	static const struct ask_row rows[] = {
		{"histogram_quantile(0, h_bucket)", "{} 0"},
		{"histogram_quantile(0.125, h_bucket)", "{} 0.05"},
		{"histogram_quantile(0.25, h_bucket)", "{} 0.1"},
		{"histogram_quantile(0.3125, h_bucket)", "{} 0.125"},
		{"histogram_quantile(0.5, h_bucket)", "{} 0.2"},
		{"histogram_quantile(0.75, h_bucket)", "{} 1"},
		{"histogram_quantile(0.9, h_bucket)", "{} 1"},
		{"histogram_quantile(1, h_bucket)", "{} 1"},
		{"histogram_quantile(-1, h_bucket)",
			"{} -Inf | PromQL warning: quantile value should be between 0 and 1, got -1 "
			"(1:20)"},
		{"histogram_quantile(1.01, h_bucket)",
			"{} +Inf | PromQL warning: quantile value should be between 0 and 1, got "
			"1.01 (1:20)"},
		{"histogram_quantile(NaN, h_bucket)",
			"{} NaN | PromQL warning: quantile value should be between 0 and 1, got "
			"NaN (1:20)"},
		{"histogram_quantile(0.5, nope)", ""},
	};
	ASK(series, 10, rows, 0);
}

static void test_fractions(void **state)
{
	(void)state;
	static const struct ask_series series[] = {
		{"h_bucket{le=\"0.1\"}", "10"},
		{"h_bucket{le=\"0.2\"}", "20"},
		{"h_bucket{le=\"1\"}", "30"},
		{"h_bucket{le=\"+Inf\"}", "40"},
		{"n_bucket{le=\"-1\"}", "5"},
		{"n_bucket{le=\"0\"}", "8"},
		{"n_bucket{le=\"+Inf\"}", "10"},
	};
	static const struct ask_row rows[] = {
		{"histogram_fraction(0, 0.2, h_bucket)", "{} 0.5"},
		{"histogram_fraction(0.1, 0.15, h_bucket)", "{} 0.125"},
		{"histogram_fraction(-5, 0.05, h_bucket)", "{} 0.125"},
		{"histogram_fraction(-Inf, +Inf, h_bucket)", "{} 1"},
		{"histogram_fraction(0.2, 0.1, h_bucket)", "{} 0"},
		{"histogram_fraction(1, +Inf, h_bucket)", "{} 0.25"},
		{"histogram_fraction(5, +Inf, h_bucket)", "{} 0.25"},
		{"histogram_fraction(1, 5, h_bucket)", "{} 0"},
		{"histogram_fraction(NaN, 1, h_bucket)", "{} NaN"},
		{"histogram_fraction(-Inf, -2, n_bucket)", "{} 0.5"},
		{"histogram_fraction(-1, -0.5, n_bucket)", "{} 0.15"},
		{"histogram_fraction(0, 1, n_bucket)", "{} 0"},
		{"histogram_fraction(0, 1, h_bucket{le=\"1\"})", "{} NaN"},
	};
	ASK(series, 10, rows, 0);
}

static void test_odd_buckets(void **state)
{
	(void)state;
	static const struct ask_series series[] = {
		{"n{le=\"-1\"}", "5"},
		{"n{le=\"0\"}", "8"},
		{"n{le=\"+Inf\"}", "10"},
		{"empty{le=\"1\"}", "0"},
		{"empty{le=\"+Inf\"}", "0"},
		{"open{le=\"1\"}", "5"},
		{"open{le=\"2\"}", "6"},
		{"one{le=\"+Inf\"}", "6"},
		{"twice{le=\"1\"}", "5"},
		{"twice{le=\"1.0\"}", "5"},
		{"twice{le=\"Inf\"}", "20"},
		{"none{le=\"1\"}", "NaN"},
		{"none{le=\"+Inf\"}", "NaN"},
	};
	static const struct ask_row rows[] = {
		{"histogram_quantile(0.1, n)", "{} -1"},
		{"histogram_quantile(0.65, n)", "{} -0.5"},
		{"histogram_quantile(0.9, n)", "{} 0"},
		{"histogram_quantile(0.5, empty)", "{} NaN"},
		{"histogram_quantile(0.5, open)", "{} NaN"},
		{"histogram_quantile(0.5, one)", "{} NaN"},
		{"histogram_quantile(0.25, twice)", "{} 0.5"},
		{"histogram_quantile(0.5, none)", "{} 1"},
		{"histogram_quantile(0.5, {le=~\".*\",__name__=~\"n|empty\"})",
			"error: vector cannot contain metrics with the same labelset"},
	};
	ASK(series, 10, rows, 0);
}

static void test_bounds_that_are_none(void **state)
{
	(void)state;
	static const struct ask_series series[] = {
		{"b{le=\"x\"}", "5"},
		{"b{le=\"1\"}", "5"},
		{"b{le=\"+Inf\"}", "10"},
		{"c", "1"},
		{"d{le=\" 1\"}", "1"},
	};
	static const struct ask_row rows[] = {
		{"histogram_quantile(0.25, b)",
			"{} 0.5 | PromQL warning: bucket label \"le\" is missing or has a malformed "
			"value of \"x\" for metric name \"b\" (1:26)"},
		{"histogram_quantile(0.25, c)",
			"| PromQL warning: bucket label \"le\" is missing or has a malformed value "
			"of \"\" for metric name \"c\" (1:26)"},
		{"histogram_fraction(0, 1, d)",
			"| PromQL warning: bucket label \"le\" is missing or has a malformed value "
			"of \" 1\" for metric name \"d\" (1:26)"},
		{"histogram_quantile(0.25, (sum(c)))",
			"| PromQL warning: bucket label \"le\" is missing or has a malformed value "
			"of \"\" for metric name \"\" (1:27)"},
	};
	ASK(series, 10, rows, 0);
}

static void test_buckets_that_fall(void **state)
{
	(void)state;
	static const struct ask_series series[] = {
		{"f{le=\"1\"}", "10"},
		{"f{le=\"2\"}", "8"},
		{"f{le=\"3\"}", "20"},
		{"f{le=\"+Inf\"}", "20"},
		{"nearly{le=\"1\"}", "10"},
		{"nearly{le=\"2\"}", "9.9999999999999"},
		{"nearly{le=\"+Inf\"}", "20"},
	};
	static const char info[] =
		"{} 2.5 | PromQL info: input to histogram_quantile needed to be fixed for "
		"monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/"
		"#histogram_quantile) for metric name \"f\" (1:26)";
	static const struct ask_row rows[] = {
		{"histogram_quantile(0.75, f)", info},
		{"histogram_quantile(0.25, nearly)", "{} 0.5"},
	};
	ASK(series, 10, rows, 0);
}

static void test_many_over_steps(void **state)
{
	(void)state;
	static const struct ask_series series[] = {
		{"h{a=\"1\",le=\"1\"}", "5 5 _"},
		{"h{a=\"2\",le=\"1\"}", "0 2 4"},
		{"h{a=\"1\",le=\"+Inf\"}", "10 stale _"},
		{"h{a=\"2\",le=\"+Inf\"}", "4 4 4"},
	};
	static const struct ask_row rows[] = {
		{"histogram_quantile(0.5, h)", "{a=\"1\"} 1 NaN NaN; {a=\"2\"} 1 1 0.5"},
		{"histogram_quantile(0.5, sum by (le) (h))",
			"{} 1 0.5 0.5 | PromQL info: input to histogram_quantile needed to be fixed "
			"for monotonicity (see https://prometheus.io/docs/prometheus/latest/"
			"querying/functions/#histogram_quantile) for metric name \"\" (1:25)"},
		{"histogram_quantile(scalar(h{a=\"2\",le=\"1\"}) / 4, h{a=\"2\"})",
			"{a=\"2\"} NaN 1 1"},
	};
	ASK_STEPS(series, 10, rows, 0, 10, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_fractions),
		cmocka_unit_test(test_odd_buckets),
		cmocka_unit_test(test_bounds_that_are_none),
		cmocka_unit_test(test_buckets_that_fall),
		cmocka_unit_test(test_many_over_steps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
