/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test_ask.h"
#include "workings.h"

static void test_samples_of_a_range(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"x", "1 2 3 4"}, {"gone", "1 stale 3 stale"}};
	static const struct ask_row rows[] = {
		{"avg_over_time(x[1m])", "{} 2.5"},
		{"min_over_time(x[1m])", "{} 1"},
		{"max_over_time(x[1m])", "{} 4"},
		{"sum_over_time(x[1m])", "{} 10"},
		{"count_over_time(x[1m])", "{} 4"},
		{"first_over_time(x[1m])", "x{} 1"},
		{"last_over_time(x[1m])", "x{} 4"},
		{"present_over_time(x[1m])", "{} 1"},
		{"stdvar_over_time(x[1m])", "{} 1.25"},
		{"stddev_over_time(x[1m])", "{} 1.118033989"},
		/* The left edge is left out. */
		{"sum_over_time(x[20s])", "{} 7"},
		{"sum_over_time(x[20001ms])", "{} 9"},
		{"stdvar_over_time(x[10s])", "{} 0"},
		{"sum_over_time(x[1m] offset 10s)", "{} 6"},
		{"sum_over_time(x[1m] offset -10s)", "{} 10"},
		{"sum_over_time(x[1m:20s])", "{} 4"},
		{"sum_over_time(x[10s] offset 5m)", ""},
		{"count_over_time(gone[1m])", "{} 2"},
		{"last_over_time(gone[1m])", "gone{} 3"},
		{"present_over_time(gone[10s])", ""},
	};
	ASK(series, 10, rows, 30);
}

static void test_quantiles(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"x", "3 1 4 2"}, {"n", "NaN 1 2"}};
	static const struct ask_row rows[] = {
		{"quantile_over_time(0, x[1m])", "{} 1"},
		{"quantile_over_time(0.25, x[1m])", "{} 1.75"},
		{"quantile_over_time(0.5, x[1m])", "{} 2.5"},
		{"quantile_over_time(1, x[1m])", "{} 4"},
		{"quantile_over_time(0.5, x[10s])", "{} 2"},
		{"quantile_over_time(0, n[1m])", "{} NaN"},
		{"quantile_over_time(0.5, n[1m])", "{} 1"},
		{"quantile_over_time(0.75, n[1m])", "{} 1.5"},
		{"quantile_over_time(-0.1, x[1m])",
			"{} -Inf | PromQL warning: quantile value should be between 0 and 1, got "
			"-0.1 (1:20)"},
		{"quantile_over_time(1e6, x[1m])",
			"{} +Inf | PromQL warning: quantile value should be between 0 and 1, got "
			"1e+06 (1:20)"},
		{"quantile_over_time(NaN, x[1m])",
			"{} NaN | PromQL warning: quantile value should be between 0 and 1, got "
			"NaN (1:20)"},
	};
	ASK(series, 10, rows, 30);
}

static void test_exact_sums(void **state)
{
	(void)state;
	static const struct ask_series series[] = {
		{"cancels", "1e100 1 -1e100"},
		{"tenths", "0.1x9"},
		{"great", "1.7e308 1.7e308 1.7e308 0"},
		{"both", "Inf 1 -Inf"},
		{"plus", "1 Inf 2"},
		{"minus", "1 -Inf 2"},
		{"some", "NaN 1 2"},
		{"none", "NaN NaN"},
		{"far", "1e10 1e10 1e10"},
		{"off", "1e9+1x4"},
	};
	static const struct ask_row rows[] = {
		{"sum_over_time(cancels[2m])", "{} 1"},
		{"avg_over_time(cancels[2m])", "{} 0.3333333333"},
		{"sum_over_time(tenths[2m]) - 1", "{} 0"},
		{"sum_over_time(great[2m])", "{} +Inf"},
		{"avg_over_time(great[2m])", "{} 1.275e+308"},
		{"sum_over_time(both[2m])", "{} NaN"},
		{"avg_over_time(both[2m])", "{} NaN"},
		{"sum_over_time(plus[2m])", "{} +Inf"},
		{"avg_over_time(plus[2m])", "{} +Inf"},
		{"avg_over_time(minus[2m])", "{} -Inf"},
		{"sum_over_time(some[2m])", "{} NaN"},
		{"avg_over_time(some[2m])", "{} NaN"},
		{"min_over_time(some[2m])", "{} 1"},
		{"max_over_time(some[2m])", "{} 2"},
		{"min_over_time(none[2m])", "{} NaN"},
		{"max_over_time(both[2m])", "{} +Inf"},
		{"stdvar_over_time(far[2m])", "{} 0"},
		{"stdvar_over_time(off[2m])", "{} 2"},
		{"stddev_over_time(plus[2m])", "{} NaN"},
	};
	ASK(series, 10, rows, 100);
}

static void test_windows_over_steps(void **state)
{
	(void)state;
	static const struct ask_series series[] = {
		{"x", "1 2 3 4"}, {"y{a=\"1\"}", "1 stale 3"}, {"y{a=\"2\"}", "5 5 5"}};
	static const struct ask_row rows[] = {
		{"sum_over_time(x[20s])", "{} 1 3 5 7 4 _"},
		{"max_over_time(x[20s])", "{} 1 2 3 4 4 _"},
		{"count_over_time(y[20s])", "{a=\"1\"} 1 1 1 1 _ _; {a=\"2\"} 1 2 2 1 _ _"},
		{"avg_over_time(x[20s] @ 30)", "{} 3.5 3.5 3.5 3.5 3.5 3.5"},
		{"quantile_over_time(time() / 50, x[40s])", "{} 1 1.2 1.8 2.8 3.6 4"},
	};
	ASK_STEPS(series, 10, rows, 0, 10, 6);
}

static int rising(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Selecting finds what sorting does. */
static void test_ranks(void **state)
{
	(void)state;
	uint64_t seed = 3;
	for (size_t round = 0; round < 2000; round++) {
		double values[40], sorted[40];
		size_t n = 1 + round % 40;
		for (size_t i = 0; i < n; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			values[i] = sorted[i] = (double)(seed >> (round % 2 ? 61 : 40));
		}
		qsort(sorted, n, sizeof *sorted, rising);
		double quantile = (double)(seed >> 40) / (double)(1 << 24);
		double rank = quantile * (double)(n - 1);
		size_t lower = (size_t)rank, upper = lower + 1 < n ? lower + 1 : lower;
		double weight = rank - floor(rank);
		double wanted = sorted[lower] * (1 - weight) + sorted[upper] * weight;
		assert_true(promql_quantile(quantile, values, n) == wanted);
	}
	assert_true(isnan(promql_quantile(0.5, NULL, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples_of_a_range),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_exact_sums),
		cmocka_unit_test(test_windows_over_steps),
		cmocka_unit_test(test_ranks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
