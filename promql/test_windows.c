/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test_ask.h"
#include "workings.h"

#define NO_COUNTER(name, place)                                                \
	" | PromQL info: metric might not be a counter, name does not end in " \
	"_total/_sum/_count/_bucket: \"" name "\" (" place ")"

/* ---- rates ---- */

static void test_rates(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"c_total", "0+10x10"}, {"g", "100-10x10"}};
	static const struct ask_row rows[] = {
		/* (40, 100]: six samples, the first 10 s behind the edge. */
		{"rate(c_total[1m])", "{} 1"},
		{"increase(c_total[1m])", "{} 60"},
		{"delta(c_total[1m])", "{} 60"},
		{"delta(g[1m])", "{} -60"},
		/* (45, 100]: 5 s to the first sample. */
		{"increase(c_total[55s])", "{} 55"},
		/* Two samples, both edges close by. */
		{"increase(c_total[15s])", "{} 15"},
		/* The left edge is not in the range: one sample is no rate. */
		{"rate(c_total[10s])", ""},
		{"delta(c_total[10s])", ""},
		{"irate(c_total[10s])", ""},
		{"deriv(c_total[10s])", ""},
		{"predict_linear(c_total[10s], 1)", ""},
		{"increase(c_total[1m] offset 30s)", "{} 60"},
		{"increase(c_total[1m] @ 60)", "{} 60"},
		{"increase(c_total[1m:10s])", "{} 60"},
		{"irate(c_total[1m])", "{} 1"},
		{"idelta(g[1m])", "{} -10"},
	};
	ASK(series, 10, rows, 100);
}

static void test_edges_of_rates(void **state)
{
	(void)state;
	static const struct ask_series series[] = {
		{"zero_total", "0+10x6"}, {"one_total", "5+10x6"}, {"late_total", "_x4 100+10x2"}};
	static const struct ask_row rows[] = {
		/* Samples from 0 to 60 in (-60, 60]: half a gap before them, but not below 0. */
		{"increase(zero_total[2m])", "{} 60"},
		{"delta(zero_total[2m])", "{} 65"},
		{"rate(zero_total[2m])", "{} 0.5"},
		/* From 5 it is 5 s to zero, and half a gap as well. */
		{"increase(one_total[2m])", "{} 65"},
		/* Samples at 40, 50, 60: half a gap, far from zero. */
		{"increase(late_total[1m])", "{} 25"},
		/* One gap and a tenth of it is too far; a little less is not. */
		{"increase(late_total[31s])", "{} 25"},
		{"increase(late_total[30s])", "{} 30"},
	};
	ASK(series, 10, rows, 60);
}

static void test_counters_that_begin_anew(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"r_total", "0 10 20 5 15"}};
	static const struct ask_row at_40[] = {
		{"increase(r_total[1m])", "{} 35"},
		{"resets(r_total[1m])", "{} 1"},
		{"changes(r_total[1m])", "{} 4"},
		{"idelta(r_total[1m])", "{} 10"},
		/* (15, 40]: 20 5 15: 15 over 20 s, 5 s before, not past zero: 20 / 15 * 20 s. */
		{"increase(r_total[25s])", "{} 18.75"},
		/* The reset itself is left out: 5 15, 10 s before but for 5 s to zero. */
		{"increase(r_total[20s])", "{} 15"},
		{"delta(r_total[20s])", "{} 20"},
		{"resets(r_total[20s])", "{} 0"},
	};
	static const struct ask_row at_30[] = {
		{"irate(r_total[1m])", "{} 0.5"},
		{"idelta(r_total[1m])", "{} -15"},
		{"increase(r_total[15s])", "{} 7.5"},
		{"resets(r_total[15s])", "{} 1"},
	};
	ASK(series, 10, at_40, 40);
	ASK(series, 10, at_30, 30);
}

static void test_odd_values(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"nan_total", "1 NaN 3 4"},
		{"inf_total", "1 Inf 3 4"}, {"stale_total", "1 stale 3 4"},
		{"none_total", "3 3 3 3"}};
	static const struct ask_row rows[] = {
		{"increase(nan_total[20s])", "{} 2"},
		{"changes(nan_total[40s])", "{} 3"},
		{"resets(nan_total[40s])", "{} 0"},
		{"increase(inf_total[40s])", "{} +Inf"},
		{"resets(inf_total[40s])", "{} 1"},
		{"count_over_time(stale_total[40s])", "{} 3"},
		{"resets(stale_total[40s])", "{} 0"},
		{"changes(stale_total[40s])", "{} 2"},
		{"rate(none_total[40s])", "{} 0"},
		{"changes(none_total[40s])", "{} 0"},
		{"changes(none_total[10s])", "{} 0"},
		{"resets(none_total[10s])", "{} 0"},
	};
	ASK(series, 10, rows, 30);
}

static void test_gauges_are_remarked(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"g", "0+10x6"}, {"a_sum", "0+10x6"},
		{"a_count", "0+10x6"}, {"a_bucket", "0+10x6"}};
	static const struct ask_row rows[] = {
		{"rate(g[1m])", "{} 1" NO_COUNTER("g", "1:6")},
		{"1 + increase(g[1m])", "{} 61" NO_COUNTER("g", "1:14")},
		{"rate((g[1m]))", "{} 1" NO_COUNTER("g", "1:7")},
		{"rate(g[1m:10s])", "{} 1" NO_COUNTER("g", "1:6")},
		{"rate(g[10s])", ""},
		{"irate(g[1m])", "{} 1"},
		{"delta(g[1m])", "{} 60"},
		{"rate(a_sum[1m])", "{} 1"},
		{"rate(a_count[1m])", "{} 1"},
		{"rate(a_bucket[1m])", "{} 1"},
		{"rate(sum(g)[1m:10s])", "{} 1"},
	};
	ASK(series, 10, rows, 60);
}

/* ---- lines ---- */

static void test_lines(void **state)
{
	(void)state;
	static const struct ask_series series[] = {{"l", "0+2x6"}, {"flat", "7x6"},
		{"infinite", "Inf Inf Inf"}, {"v", "0 10 0 10 0 10 0"}};
	static const struct ask_row rows[] = {
		{"deriv(l[2m])", "{} 0.2"},
		{"predict_linear(l[2m], 100)", "{} 32"},
		{"predict_linear(l[2m], -60)", "{} 0"},
		/* From the time of the evaluation, wherever the samples are from. */
		{"predict_linear(l[30s] offset 20s, 0)", "{} 12"},
		{"predict_linear(l[30s] @ 40, 0)", "{} 12"},
		{"deriv(flat[1m])", "{} 0"},
		{"predict_linear(flat[1m], 3600)", "{} 7"},
		{"deriv(infinite[2m])", "{} NaN"},
		{"deriv(v[1m])", "{} -0.08571428571"},
		{"deriv(v[2m])", "{} 0"},
	};
	ASK(series, 10, rows, 60);
}

/* ---- windows that move ---- */

enum { N = 400 };

static void fill(int64_t *times_ms, double *values)
{
	uint64_t seed = 7;
	for (size_t i = 0; i < N; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		times_ms[i] = (int64_t)i * 1000;
		values[i] = i > 0 && seed >> 60 ? values[i - 1] + (double)(seed >> 40 & 3)
						: (double)(seed >> 50 & 7);
		if (seed >> 56 == 3)
			values[i] = NAN;
	}
}

static void assert_same(double a, double b)
{
	if (!isnan(a) || !isnan(b) || promql_is_absent(a))
		assert_memory_equal(&a, &b, sizeof a);
}

static int64_t times_ms[N];
static double values[N];

static size_t cut_windows(size_t width, size_t step, struct bounds *out)
{
	size_t n = 0;
	fill(times_ms, values);
	for (size_t first = 0; first + width <= N; first += step)
		out[n++] = (struct bounds){first, first + width};
	return n;
}

/* What is kept from one window to the next changes nothing. */
static void compare_each(range_working *range, size_t width, size_t step)
{
	struct bounds bounds[N];
	size_t n = cut_windows(width, step, bounds);
	char kept[64] = {0};
	for (size_t i = 0; i < n; i++) {
		char fresh[64] = {0};
		struct window w = {.times_ms = times_ms,
			.values = values,
			.first = bounds[i].first,
			.end = bounds[i].end,
			.state = kept};
		double moving = range(NULL, &w);
		w.state = fresh;
		assert_same(moving, range(NULL, &w));
	}
}

static void compare_all(measure_working *measure, slide_working *slide, size_t width, size_t step)
{
	struct bounds bounds[N];
	struct reach together[N], reach;
	double moving[N], alone;
	struct windows w = {times_ms, values, bounds, cut_windows(width, step, bounds),
		(int64_t)width * 1000 - 700, (int64_t)step * 1000, (int64_t)width * 1000 + 800};
	measure(&w, together);
	slide(&w, together, moving);
	for (size_t i = 0, n = w.n; i < n; i++) {
		struct windows one = w;
		one.bounds = &bounds[i];
		one.n = 1;
		one.to_ms += (int64_t)i * w.step_ms;
		measure(&one, &reach);
		slide(&one, &reach, &alone);
		assert_same(moving[i], alone);
	}
}

static void test_windows_that_move(void **state)
{
	(void)state;
	static const size_t widths[] = {1, 2, 3, 17, 100}, steps[] = {1, 2, 7, 150};
	for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
		for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
			compare_each(range_changes, widths[w], steps[s]);
			compare_each(range_resets, widths[w], steps[s]);
			compare_all(measure_rate, slide_rate, widths[w], steps[s]);
			compare_all(measure_change, slide_increase, widths[w], steps[s]);
			compare_all(measure_change, slide_delta, widths[w], steps[s]);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_edges_of_rates),
		cmocka_unit_test(test_counters_that_begin_anew),
		cmocka_unit_test(test_odd_values),
		cmocka_unit_test(test_gauges_are_remarked),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_windows_that_move),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
