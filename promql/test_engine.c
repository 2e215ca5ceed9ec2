/* SPDX-License-Identifier: Apache-2.0 */
/* Series, question, answer: the semantics of the engine, without a store. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>

#include "memory.h"
#include "number.h"
#include "promql.h"

static const struct promql_limits limits = {
	.max_samples = 100000, .max_bytes = 64u << 20, .timeout_ms = 60000};

static void load(struct promql_memory *memory, const char *labels, const char *values)
{
	struct fw_err err;
	if (promql_memory_load(memory, labels, values, 0, 60000, &err) < 0)
		fail_msg("%s: %s", labels, err.text);
}

static int setup(void **state)
{
	static struct promql_memory memory;
	static const char *const series[][2] = {
		{"up{instance=\"a\",job=\"x\"}", "1 1 0 1 _ _ _ _ _ _"},
		{"up{instance=\"b\",job=\"x\"}", "1 1 stale _ 1"},
		{"up{instance=\"c\",job=\"y\"}", "0x9"},
		{"requests_total{instance=\"a\",code=\"200\"}", "0+60x10"},
		{"requests_total{instance=\"a\",code=\"500\"}", "0+6x10"},
		{"requests_total{instance=\"b\",code=\"200\"}", "0+30x10"},
		{"memory{instance=\"a\"}", "100+10x10"},
		{"memory{instance=\"b\"}", "200-10x10"},
		{"limit{instance=\"a\",unit=\"MB\"}", "120x10"},
		{"limit{instance=\"b\",unit=\"GB\"}", "150x10"},
		{"huge{n=\"1\"}", "1.7e308x10"},
		{"huge{n=\"2\"}", "1.7e308x10"},
		{"odd{n=\"1\"}", "NaN NaN NaN NaN NaN NaN NaN NaN NaN NaN NaN"},
		{"odd{n=\"2\"}", "2x10"},
		{"odd{n=\"3\"}", "-Inf -Inf -Inf -Inf -Inf -Inf -Inf -Inf -Inf -Inf -Inf"},
	};
	for (size_t i = 0; i < sizeof series / sizeof *series; i++)
		load(&memory, series[i][0], series[i][1]);
	*state = &memory;
	return 0;
}

static int teardown(void **state)
{
	promql_memory_done(*state);
	return 0;
}

static void print_values(
	const struct promql_result *result, const struct series *series, struct fw_buf *out)
{
	char number[PROMQL_NUMBER_SIZE];
	labels_print(series->labels, series->n_labels, out);
	for (size_t i = 0; i < result->axis.n; i++)
		fw_buf_printf(out, " %s",
			promql_is_absent(series->values[i])
				? "_"
				: promql_number(series->values[i], number, sizeof number));
	fw_buf_putc(out, '\n');
}

static void print_answer(
	int rc, const struct promql_result *result, const struct fw_err *err, struct fw_buf *out)
{
	char number[PROMQL_NUMBER_SIZE];
	fw_buf_puts(out, "");
	if (rc < 0) {
		fw_buf_printf(out, "! %s\n", err->text);
		return;
	}
	if (result->type == PROMQL_SCALAR)
		fw_buf_printf(
			out, "%s\n", promql_plain(*result->value.scalar, number, sizeof number));
	for (size_t i = 0; i < result->value.n_series; i++)
		print_values(result, &result->value.series[i], out);
	for (size_t i = 0; i < result->n_rows; i++) {
		labels_print(result->rows[i].labels, result->rows[i].n_labels, out);
		for (size_t p = 0; p < result->rows[i].n_points; p++)
			fw_buf_printf(out, " %s@%g",
				promql_number(
					result->rows[i].points[p].value, number, sizeof number),
				(double)result->rows[i].points[p].at_ms / 1000);
		fw_buf_putc(out, '\n');
	}
	for (int kind = 0; kind < NOTE_KINDS; kind++)
		for (size_t i = 0; i < result->notes.n[kind]; i++)
			fw_buf_printf(out, "note: %s\n", result->notes.texts[kind][i]);
}

struct row {
	int at_s;
	const char *question, *answer;
	int to_s, step_s; /* a range where step is not 0 */
};

static void ask_all(struct promql_memory *memory, const struct row *rows, size_t n)
{
	struct promql_data data = promql_memory_data(memory);
	for (size_t i = 0; i < n; i++) {
		struct fw_arena arena = {0};
		struct promql_result result;
		struct fw_err err;
		struct fw_buf got = {0};
		const struct row *row = &rows[i];
		int rc = row->step_s
			? promql_range(&data, row->question, row->at_s * 1000LL, row->to_s * 1000LL,
				  row->step_s * 1000LL, &limits, &arena, &result, &err)
			: promql_instant(&data, row->question, row->at_s * 1000LL, &limits, &arena,
				  &result, &err);
		print_answer(rc, &result, &err, &got);
		if (strcmp((const char *)got.data, row->answer) != 0)
			fail_msg("%s at %d:\nwanted:\n%sgot:\n%s", row->question, row->at_s,
				row->answer, (const char *)got.data);
		fw_buf_done(&got);
		fw_arena_done(&arena);
	}
}
#define ASK_ALL(state, rows) ask_all(*(state), rows, sizeof(rows) / sizeof *(rows))

static void test_selectors(void **state)
{
	static const struct row rows[] = {
		{120, "up",
			"{__name__=\"up\", instance=\"a\", job=\"x\"} 0\n"
			"{__name__=\"up\", instance=\"c\", job=\"y\"} 0\n",
			0, 0},
		{240, "up{job=\"x\"}",
			"{__name__=\"up\", instance=\"a\", job=\"x\"} 1\n"
			"{__name__=\"up\", instance=\"b\", job=\"x\"} 1\n",
			0, 0},
		/* Left open: what is exactly five minutes old is too old. */
		{479, "up{instance=\"a\"}", "{__name__=\"up\", instance=\"a\", job=\"x\"} 1\n", 0,
			0},
		{480, "up{instance=\"a\"}", "", 0, 0},
		{60, "memory offset 1m",
			"{__name__=\"memory\", instance=\"a\"} 100\n"
			"{__name__=\"memory\", instance=\"b\"} 200\n",
			0, 0},
		{0, "memory{instance=\"a\"} offset -2m",
			"{__name__=\"memory\", instance=\"a\"} 120\n", 0, 0},
		{600, "memory{instance=\"a\"} @ 60", "{__name__=\"memory\", instance=\"a\"} 110\n",
			0, 0},
		{600, "memory{instance=\"a\"} @ 120 offset 1m",
			"{__name__=\"memory\", instance=\"a\"} 110\n", 0, 0},
		{180, "up{instance=~\"a|b\"}[2m]",
			"{__name__=\"up\", instance=\"a\", job=\"x\"} 0@120 1@180\n", 0, 0},
		{0, "memory{instance=\"a\"} @ start()",
			"{__name__=\"memory\", instance=\"a\"} 100 100 100\n", 120, 60},
		{0, "memory{instance=\"a\"} @ end()",
			"{__name__=\"memory\", instance=\"a\"} 120 120 120\n", 120, 60},
		{0, "up{instance=\"b\"}",
			"{__name__=\"up\", instance=\"b\", job=\"x\"} 1 1 _ _ 1\n", 240, 60},
		{120, "timestamp(memory{instance=\"a\"} offset 30s)", "{instance=\"a\"} 60\n", 0,
			0},
		{130, "timestamp(-memory{instance=\"a\"})", "{instance=\"a\"} 130\n", 0, 0},
	};
	ASK_ALL(state, rows);
}

static void test_numbers(void **state)
{
	static const struct row rows[] = {
		{0, "1 + 2 * 3 ^ 2", "19\n", 0, 0},
		{0, "-2 ^ 2", "-4\n", 0, 0},
		{0, "-7 % 3", "-1\n", 0, 0},
		{0, "1 > bool 2", "0\n", 0, 0},
		{0, "1 / 0", "+Inf\n", 0, 0},
		{0, "1 atan2 0", "1.5707963267948966\n", 0, 0},
		{0, "1", "{} 1 1\n", 60, 60},
		{60, "time() - 1", "{} 59 119\n", 120, 60},
	};
	ASK_ALL(state, rows);
}

static void test_vector_and_number(void **state)
{
	static const struct row rows[] = {
		{0, "memory + 1", "{instance=\"a\"} 101\n{instance=\"b\"} 201\n", 0, 0},
		{0, "1000 / memory", "{instance=\"a\"} 10\n{instance=\"b\"} 5\n", 0, 0},
		{0, "memory > 150", "{__name__=\"memory\", instance=\"b\"} 200\n", 0, 0},
		{0, "150 < memory", "{__name__=\"memory\", instance=\"b\"} 200\n", 0, 0},
		{0, "memory > bool 150", "{instance=\"a\"} 0\n{instance=\"b\"} 1\n", 0, 0},
		{0, "-memory", "{instance=\"a\"} -100\n{instance=\"b\"} -200\n", 0, 0},
		{0, "+memory{instance=\"a\"}", "{__name__=\"memory\", instance=\"a\"} 100\n", 0, 0},
		{0, "{__name__=~\"memory|limit\",instance=\"a\",unit=\"\"} * 2",
			"{instance=\"a\"} 200\n", 0, 0},
		{0, "-{__name__=~\"memory|up\",job=\"\"}",
			"{instance=\"a\"} -100\n{instance=\"b\"} -200\n", 0, 0},
		{0, "-{__name__=~\"huge|odd\"}",
			"! vector cannot contain metrics with the same labelset\n", 0, 0},
		{0, "{__name__=~\"huge|odd\"} + 1",
			"! vector cannot contain metrics with the same labelset\n", 0, 0},
		{0, "rate({__name__=~\"huge|odd\"}[5m])", "", 0, 0},
		{60, "rate({__name__=~\"huge|odd\"}[5m])",
			"! vector cannot contain metrics with the same labelset\n", 0, 0},
		{60, "sum(rate({__name__=~\"huge|odd\"}[5m]))",
			"! vector cannot contain metrics with the same labelset\n", 0, 0},
	};
	ASK_ALL(state, rows);
}

static void test_matching(void **state)
{
	static const struct row rows[] = {
		{0, "memory - on(instance) limit", "{instance=\"a\"} -20\n{instance=\"b\"} 50\n", 0,
			0},
		{0, "memory - limit", "", 0, 0},
		{0, "memory - ignoring(unit) limit", "{instance=\"a\"} -20\n{instance=\"b\"} 50\n",
			0, 0},
		{0, "memory > on(instance) limit", "{instance=\"b\"} 200\n", 0, 0},
		{0, "memory > ignoring(unit) limit", "{__name__=\"memory\", instance=\"b\"} 200\n",
			0, 0},
		{0, "memory > bool ignoring(unit) limit",
			"{instance=\"a\"} 0\n{instance=\"b\"} 1\n", 0, 0},
		{60, "requests_total / on(instance) group_left(unit) limit",
			"{code=\"200\", instance=\"a\", unit=\"MB\"} 0.5\n"
			"{code=\"500\", instance=\"a\", unit=\"MB\"} 0.05\n"
			"{code=\"200\", instance=\"b\", unit=\"GB\"} 0.2\n",
			0, 0},
		{60, "limit / on(instance) group_right(unit) requests_total{code=\"200\"}",
			"{code=\"200\", instance=\"a\", unit=\"MB\"} 2\n"
			"{code=\"200\", instance=\"b\", unit=\"GB\"} 5\n",
			0, 0},
		{60, "limit == on(instance) group_right() requests_total * 2",
			"{code=\"200\", instance=\"a\"} 120\n", 0, 0},
		{60, "memory / on(instance) requests_total",
			"! found duplicate series for the match group {instance=\"a\"} on the right hand-side of the operation: [{__name__=\"requests_total\", code=\"500\", instance=\"a\"}, {__name__=\"requests_total\", code=\"200\", instance=\"a\"}];many-to-many matching not allowed: matching labels must be unique on one side\n",
			0, 0},
		{60, "requests_total / on(instance) memory",
			"! multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)\n",
			0, 0},
		{60, "requests_total / on(instance) group_right() memory",
			"! found duplicate series for the match group {instance=\"a\"} on the left hand-side of the operation: [{__name__=\"requests_total\", code=\"500\", instance=\"a\"}, {__name__=\"requests_total\", code=\"200\", instance=\"a\"}];many-to-many matching not allowed: matching labels must be unique on one side\n",
			0, 0},
		{60, "sum without(instance) (requests_total) + on() group_left(code) limit{instance=\"a\"}",
			"! multiple matches for labels: grouping labels must ensure unique matches\n",
			0, 0},
		/* Nothing on one side: nothing is compared. */
		{60, "nothing / on(instance) requests_total", "", 0, 0},
		/* Series that take turns are one on the one side. */
		{0, "memory{instance=\"a\"} + on() up{job=\"x\"}",
			"! found duplicate series for the match group {} on the right hand-side of the operation: [{__name__=\"up\", instance=\"b\", job=\"x\"}, {__name__=\"up\", instance=\"a\", job=\"x\"}];many-to-many matching not allowed: matching labels must be unique on one side\n",
			0, 0},
		{120, "memory{instance=\"a\"} + on() up{job=\"x\"}", "{} 120\n", 0, 0},
		{120, "memory{instance=\"a\"} + on() up{job=\"x\"}", "{} 120 131\n", 180, 60},
	};
	ASK_ALL(state, rows);
}

static void test_sets(void **state)
{
	static const struct row rows[] = {
		{0, "memory and on(instance) limit{unit=\"MB\"}",
			"{__name__=\"memory\", instance=\"a\"} 100\n", 0, 0},
		{0, "memory unless on(instance) limit{unit=\"MB\"}",
			"{__name__=\"memory\", instance=\"b\"} 200\n", 0, 0},
		{0, "memory{instance=\"a\"} or limit",
			"{__name__=\"memory\", instance=\"a\"} 100\n"
			"{__name__=\"limit\", instance=\"a\", unit=\"MB\"} 120\n"
			"{__name__=\"limit\", instance=\"b\", unit=\"GB\"} 150\n",
			0, 0},
		{0, "memory{instance=\"a\"} or on(instance) limit",
			"{__name__=\"memory\", instance=\"a\"} 100\n"
			"{__name__=\"limit\", instance=\"b\", unit=\"GB\"} 150\n",
			0, 0},
		{0, "memory and vector(1)", "", 0, 0},
		{0, "memory{instance=\"a\"} and on() vector(1)",
			"{__name__=\"memory\", instance=\"a\"} 100\n", 0, 0},
		/* At each step for itself. */
		{0, "up{instance=\"b\"} or memory{instance=\"b\"} unless on() (up{instance=\"b\"} > 0)",
			"{__name__=\"memory\", instance=\"b\"} _ _ 180 170 _\n"
			"{__name__=\"up\", instance=\"b\", job=\"x\"} 1 1 _ _ 1\n",
			240, 60},
	};
	ASK_ALL(state, rows);
}

static void test_aggregations(void **state)
{
	static const struct row rows[] = {
		{60, "sum(requests_total)", "{} 96\n", 0, 0},
		{60, "sum by (code) (requests_total)", "{code=\"200\"} 90\n{code=\"500\"} 6\n", 0,
			0},
		{60, "sum without (code) (requests_total)",
			"{instance=\"a\"} 66\n{instance=\"b\"} 30\n", 0, 0},
		{60, "avg(requests_total)", "{} 32\n", 0, 0},
		{60, "avg(huge)", "{} 1.7e+308\n", 0, 0},
		{60, "sum(huge)", "{} +Inf\n", 0, 0},
		{60, "count(requests_total)", "{} 3\n", 0, 0},
		{60, "group by (instance) (requests_total)",
			"{instance=\"a\"} 1\n{instance=\"b\"} 1\n", 0, 0},
		{60, "min(odd)", "{} -Inf\n", 0, 0},
		{60, "max(odd)", "{} 2\n", 0, 0},
		{60, "max(odd{n=\"1\"})", "{} NaN\n", 0, 0},
		{60, "sum(odd)", "{} NaN\n", 0, 0},
		{60, "stdvar(requests_total)", "{} 488\n", 0, 0},
		{60, "stddev(memory)", "{} 40\n", 0, 0},
		{60, "stddev(odd{n=\"3\"})", "{} NaN\n", 0, 0},
		{60, "topk(2, requests_total)",
			"{__name__=\"requests_total\", code=\"200\", instance=\"a\"} 60\n"
			"{__name__=\"requests_total\", code=\"200\", instance=\"b\"} 30\n",
			0, 0},
		{60, "bottomk by (instance) (1, requests_total)",
			"{__name__=\"requests_total\", code=\"500\", instance=\"a\"} 6\n"
			"{__name__=\"requests_total\", code=\"200\", instance=\"b\"} 30\n",
			0, 0},
		{60, "topk(3, odd)",
			"{__name__=\"odd\", n=\"2\"} 2\n{__name__=\"odd\", n=\"3\"} -Inf\n{__name__=\"odd\", n=\"1\"} NaN\n",
			0, 0},
		{60, "topk(0, odd)", "", 0, 0},
		{60, "topk(NaN, odd)", "! Parameter value is NaN\n", 0, 0},
		{60, "topk(1e30, odd)", "! Scalar value 1e+30 overflows int64\n", 0, 0},
		{0, "topk(1, memory)",
			"{__name__=\"memory\", instance=\"a\"} _ _ 180\n"
			"{__name__=\"memory\", instance=\"b\"} 200 160 _\n",
			480, 240},
		{60, "quantile(0.5, requests_total)", "{} 30\n", 0, 0},
		{60, "quantile(0.75, requests_total)", "{} 45\n", 0, 0},
		{60, "quantile(2, requests_total)",
			"{} +Inf\nnote: PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)\n",
			0, 0},
		{60, "count_values(\"value\", requests_total)",
			"{value=\"60\"} 1\n{value=\"6\"} 1\n{value=\"30\"} 1\n", 0, 0},
		{0, "count_values by (job) (\"value\", up)",
			"{job=\"x\", value=\"0\"} _ _ 1\n{job=\"x\", value=\"1\"} 2 2 _\n{job=\"y\", value=\"0\"} 1 1 1\n",
			120, 60},
		{60, "sum by (nothing) (requests_total)", "{} 96\n", 0, 0},
	};
	ASK_ALL(state, rows);
}

static void test_ranges(void **state)
{
	static const struct row rows[] = {
		{300, "sum_over_time(memory{instance=\"a\"}[2m])", "{instance=\"a\"} 290\n", 0, 0},
		{300, "last_over_time(memory{instance=\"a\"}[1m])",
			"{__name__=\"memory\", instance=\"a\"} 150\n", 0, 0},
		{300, "count_over_time(up[10m])",
			"{instance=\"a\", job=\"x\"} 4\n{instance=\"b\", job=\"x\"} 3\n{instance=\"c\", job=\"y\"} 6\n",
			0, 0},
		{0, "count_over_time(up{instance=\"b\"}[2m])",
			"{instance=\"b\", job=\"x\"} 1 2 1 _ 1 1 _\n", 360, 60},
		/* Steps of a subquery are absolute multiples. */
		{130, "memory{instance=\"a\"}[2m:1m]",
			"{__name__=\"memory\", instance=\"a\"} 110@60 120@120\n", 0, 0},
		{120, "memory{instance=\"a\"}[1m:30s]",
			"{__name__=\"memory\", instance=\"a\"} 110@90 120@120\n", 0, 0},
		{300, "sum_over_time(memory{instance=\"a\"}[2m:])", "{instance=\"a\"} 290\n", 0, 0},
		{300, "sum_over_time(memory{instance=\"a\"}[2m:] offset 1m)",
			"{instance=\"a\"} 270\n", 0, 0},
		{600, "sum_over_time(memory{instance=\"a\"}[2m:] @ 300)", "{instance=\"a\"} 290\n",
			0, 0},
		{600, "sum_over_time((memory{instance=\"a\"} @ 60)[3m:1m])",
			"{instance=\"a\"} 330\n", 0, 0},
		{60, "sum_over_time((up{instance=\"b\"} > 0)[10m:1m])",
			"{instance=\"b\", job=\"x\"} 2 4\n", 300, 240},
		{60, "absent(nothing{a=\"b\",c=\"d\",c=\"e\",f=~\"g\"})", "{a=\"b\"} 1\n", 0, 0},
		{60, "absent(memory)", "", 0, 0},
		{60, "absent(sum(nothing))", "{} 1\n", 0, 0},
		{60, "absent_over_time(nothing{a=\"b\"}[5m])", "{a=\"b\"} 1\n", 0, 0},
		{0, "absent(up{instance=\"b\"})", "{instance=\"b\"} _ _ 1 1 _\n", 240, 60},
		{0, "absent_over_time(up{instance=\"b\"}[1m])", "{instance=\"b\"} _ _ 1 1 _\n", 240,
			60},
		{0, "memory[5m]",
			"! invalid expression type \"range vector\" for range query, must be Scalar or instant Vector\n",
			60, 60},
	};
	ASK_ALL(state, rows);
}

static void test_limits(void **state)
{
	struct promql_data data = promql_memory_data(*state);
	struct fw_arena arena = {0};
	struct promql_result result;
	struct fw_err err;
	bool canceled = true;
	struct promql_limits few = limits, late = limits, gone = limits;
	few.max_samples = 3;
	late.timeout_ms = -1;
	gone.canceled = &canceled;
	assert_int_equal(
		promql_instant(&data, "memory[1h]", 600000, &few, &arena, &result, &err), -E2BIG);
	assert_int_equal(result.fault, PROMQL_EXECUTION);
	assert_string_equal(err.text,
		"query processing would load too many samples into memory in query execution");
	/* What has gone into something else no longer counts. */
	few.max_samples = 10;
	assert_int_equal(
		promql_instant(&data,
			"memory + memory + memory + memory + memory + memory + memory + memory", 0,
			&few, &arena, &result, &err),
		0);
	/* A group counts once, however many went into it: three series a step, two groups. */
	few.max_samples = 25;
	assert_int_equal(promql_range(&data, "sum by (instance) (requests_total)", 0, 600000, 60000,
				 &few, &arena, &result, &err),
		0);
	few.max_samples = 21;
	assert_int_equal(promql_range(&data, "sum by (instance) (requests_total)", 0, 600000, 60000,
				 &few, &arena, &result, &err),
		-E2BIG);
	assert_true(promql_instant(&data, "up", 0, &late, &arena, &result, &err) < 0);
	assert_int_equal(result.fault, PROMQL_TIMEOUT);
	assert_true(promql_instant(&data, "up", 0, &gone, &arena, &result, &err) < 0);
	assert_int_equal(result.fault, PROMQL_CANCELED);
	assert_true(promql_instant(&data, "sum_over_time(vector(1)[100y:1ms])", 0, &limits, &arena,
			    &result, &err) < 0);
	assert_int_equal(result.fault, PROMQL_EXECUTION);
	fw_arena_done(&arena);
}

static void test_notation(void **state)
{
	(void)state;
	struct promql_memory memory = {0};
	struct fw_err err;
	static const char *const refused[] = {"1x", "1+2", "x", "1+1x9999999", "0x1g", "--1",
		"1e400", "STALE", "stale_", "stalex2", "Infx2", "1+NaN +NaN +NaN", "1\n2"};
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (promql_memory_load(&memory, "m{a=\"b\"}", refused[i], 0, 1000, &err) == 0)
			fail_msg("%s was taken", refused[i]);
	assert_true(promql_memory_load(&memory, "m{a=~\"b\"}", "1", 0, 1000, &err) < 0);
	assert_true(promql_memory_load(&memory, "m{a=\"b\",a=\"c\"}", "1", 0, 1000, &err) < 0);
	assert_string_equal(err.text, "label name \"a\" is not unique");
	load(&memory, "octal", "010 -017+010x1 08 010.5 1e-400\n");
	load(&memory, "n", "0x2 1e1-2.5x2 _x2 stale +Inf -inf nan");
	static const struct row rows[] = {
		{600, "n[1h]",
			"{__name__=\"n\"} 0@0 0@60 0@120 10@180 7.5@240 5@300 +Inf@540 -Inf@600\n",
			0, 0},
		{480, "n", "", 0, 0},
		{600, "octal[1h]", "{__name__=\"octal\"} 8@0 -15@60 -7@120 8@180 10.5@240 0@300\n",
			0, 0},
	};
	ask_all(&memory, rows, sizeof rows / sizeof *rows);
	promql_memory_done(&memory);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_vector_and_number),
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_aggregations),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_notation),
	};
	return cmocka_run_group_tests_name("engine", tests, setup, teardown);
}
