/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>

#include "group.h"
#include "memory.h"

#define MINUTE 60000

static const struct promql_limits limits = {
	.max_samples = 100000, .max_bytes = 1 << 24, .timeout_ms = 60000};
static struct fw_arena arena;
static struct promql_memory memory;
static struct rulefile file;
static struct group group;
static unsigned n_written; /* times that samples were handed over */
static bool is_broken;     /* and they could not be kept */

static void load(const char *labels, const char *values)
{
	struct fw_err err = {""};
	if (promql_memory_load(&memory, labels, values, 0, MINUTE, &err) < 0)
		fail_msg("%s", err.text);
}

static void open_group(const char *text)
{
	struct problems problems = {.arena = &arena};
	rulefile_parse("x.yml", text, strlen(text), &arena, &file, &problems);
	if (problems.n)
		fail_msg("%s", problems.items[0].text);
	group_init(&group, &file.groups[0]);
	for (size_t i = 0; i < file.groups[0].n_rules; i++)
		group.rules[i].is_restored = true;
	n_written = 0;
}

static int drop(void **state)
{
	(void)state;
	group_done(&group);
	promql_memory_done(&memory);
	fw_arena_done(&arena);
	is_broken = false;
	return 0;
}

static int on_samples(
	void *arg, const struct group_sample *samples, size_t n, int64_t at_ms, struct fw_err *err)
{
	(void)arg;
	if (is_broken)
		return fw_fail(err, -5, "the disk is full");
	n_written++;
	for (size_t i = 0; i < n; i++)
		promql_memory_add(&memory, samples[i].labels.items, samples[i].labels.n, at_ms,
			samples[i].value);
	return 0;
}

static struct group_settings settings_with(struct promql_data *data)
{
	*data = promql_memory_data(&memory);
	return (struct group_settings){.data = data, .limits = limits, .on_samples = on_samples};
}

static size_t evaluate(int64_t at_ms)
{
	struct promql_data data;
	const struct group_settings settings = settings_with(&data);
	return group_evaluate(&group, at_ms, &settings);
}

/* What a question gives now, "{a="1"} 2; ..." in order. */
static void assert_answer(const char *question, int64_t at_ms, const char *expected)
{
	struct promql_data data = promql_memory_data(&memory);
	struct promql_result result;
	struct fw_err err = {""};
	struct fw_buf text = {0};
	if (promql_instant(&data, question, at_ms, &limits, &arena, &result, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < result.value.n_series; i++) {
		const struct series *series = &result.value.series[i];
		fw_buf_printf(&text, "%s{", i ? "; " : "");
		for (size_t k = 0; k < series->n_labels; k++)
			fw_buf_printf(&text, "%s%s=%s", k ? "," : "", series->labels[k].name,
				series->labels[k].value);
		fw_buf_printf(&text, "} %g", series->values[0]);
	}
	assert_string_equal(text.length ? (const char *)text.data : "", expected);
	fw_buf_done(&text);
}

static void test_a_rule_sees_what_those_before_it_recorded(void **state)
{
	(void)state;
	load("x{a=\"1\"}", "1 2 3");
	open_group("groups:\n- name: g\n  rules:\n"
		   "  - {record: double, expr: x * 2, labels: {by: rule}}\n"
		   "  - {record: triple, expr: x * 3}\n"
		   "  - {record: four, expr: double * 2}\n");
	assert_int_equal(evaluate(MINUTE), 0);
	assert_answer("four", MINUTE, "{__name__=four,a=1,by=rule} 8");
	assert_answer("triple", MINUTE, "{__name__=triple,a=1} 6");
	assert_int_equal(n_written, 2); /* before what asks for it, and at the end */
}

static void test_series_that_are_given_no_more_end(void **state)
{
	(void)state;
	load("x{a=\"1\"}", "1 1 1");
	load("x{a=\"2\"}", "1 stale");
	open_group("groups:\n- name: g\n  rules:\n  - {record: y, expr: x}\n");
	evaluate(0);
	assert_answer("y", 0, "{__name__=y,a=1} 1; {__name__=y,a=2} 1");
	evaluate(MINUTE);
	assert_answer("y", MINUTE, "{__name__=y,a=1} 1");
	struct promql_data data;
	const struct group_settings settings = settings_with(&data);
	assert_int_equal(group_end(&group, 2 * MINUTE, &settings, NULL), 0);
	assert_answer("y", 2 * MINUTE, "");
}

static void test_a_scalar_is_recorded_without_labels(void **state)
{
	(void)state;
	open_group("groups:\n- name: g\n  rules:\n  - {record: seven, expr: 3 + 4}\n");
	evaluate(0);
	assert_answer("seven", 0, "{__name__=seven} 7");
}

static void test_alerts_are_series(void **state)
{
	(void)state;
	load("up{instance=\"a\"}", "0 0 0 1");
	open_group("groups:\n- name: g\n  rules:\n"
		   "  - {alert: Down, expr: up == 0, for: 2m, labels: {severity: page}}\n");
	evaluate(0);
	assert_answer("ALERTS", 0,
		"{__name__=ALERTS,alertname=Down,alertstate=pending,instance=a,severity=page} 1");
	evaluate(MINUTE);
	evaluate(2 * MINUTE);
	assert_answer("ALERTS", 2 * MINUTE,
		"{__name__=ALERTS,alertname=Down,alertstate=firing,instance=a,severity=page} 1");
	assert_answer("ALERTS_FOR_STATE", 2 * MINUTE,
		"{__name__=ALERTS_FOR_STATE,alertname=Down,instance=a,severity=page} 0");
	evaluate(3 * MINUTE);
	assert_answer("ALERTS", 3 * MINUTE, "");
}

static void test_a_rule_that_fails_says_why(void **state)
{
	(void)state;
	load("x{a=\"1\"}", "1 1");
	load("x{a=\"2\"}", "1 1");
	open_group("groups:\n- name: g\n  limit: 1\n  rules:\n"
		   "  - {record: same, expr: x, labels: {a: b}}\n"
		   "  - {record: many, expr: x}\n"
		   "  - {record: text, expr: '\"text\"'}\n"
		   "  - {alert: Same, expr: x, labels: {a: b}}\n"
		   "  - {record: fine, expr: sum(x)}\n");
	assert_int_equal(evaluate(0), 4);
	assert_string_equal(group.rules[0].trouble,
		"vector contains metrics with the same labelset after applying rule labels");
	assert_string_equal(group.rules[1].trouble, "exceeded limit of 1 with 2 series");
	assert_string_equal(group.rules[2].trouble, "rule result is not a vector or scalar");
	assert_string_equal(group.rules[3].trouble,
		"vector contains metrics with the same labelset after applying alert labels");
	assert_int_equal(group.rules[4].health, RULE_OK);
	assert_answer("fine", 0, "{__name__=fine} 2");
}

static void test_what_cannot_be_kept_is_the_rules_trouble(void **state)
{
	(void)state;
	load("x", "1 1");
	open_group("groups:\n- name: g\n  rules:\n  - {record: y, expr: x}\n");
	is_broken = true;
	assert_int_equal(evaluate(0), 1);
	assert_string_equal(group.rules[0].trouble, "the disk is full");
	is_broken = false;
	assert_int_equal(evaluate(MINUTE), 0);
}

static void test_a_group_looks_back_by_its_offset(void **state)
{
	(void)state;
	load("x", "1 2 3");
	open_group("groups:\n- name: g\n  query_offset: 1m\n  rules:\n  - {record: y, expr: x}\n");
	evaluate(2 * MINUTE);
	assert_answer("y", MINUTE, "{__name__=y} 2");
}

static void test_a_new_reading_of_the_file_goes_on(void **state)
{
	struct group before;
	(void)state;
	load("x", "1 1 1 1");
	open_group("groups:\n- name: g\n  rules:\n"
		   "  - {alert: A, expr: x, for: 2m}\n"
		   "  - {record: y, expr: x}\n");
	evaluate(0);
	before = group;
	open_group("groups:\n- name: g\n  rules:\n"
		   "  - {record: z, expr: x}\n"
		   "  - {alert: A, expr: x > 0, for: 2m}\n");
	group_take_over(&group, &before);
	assert_int_equal(group.rules[1].lives.n, 1);
	struct promql_data data;
	const struct group_settings settings = settings_with(&data);
	group_end(&before, MINUTE, &settings, NULL);
	group_done(&before);
	assert_answer("y", MINUTE, ""); /* no rule gives it any more */
	evaluate(2 * MINUTE);
	assert_answer("ALERTS", 2 * MINUTE, "{__name__=ALERTS,alertname=A,alertstate=firing} 1");
}

/* Pending for 10 of 20 minutes, away for 5, seen again. */
static void test_a_hold_goes_on_after_a_restart(void **state)
{
	static const char text[] =
		"groups:\n- name: g\n  rules:\n  - {alert: A, expr: x, for: 20m}\n";
	(void)state;
	load("x", "1x60");
	open_group(text);
	evaluate(MINUTE);
	evaluate(11 * MINUTE);
	group_done(&group);
	open_group(text);
	group.rules[0].is_restored = false;
	evaluate(16 * MINUTE);
	assert_answer("ALERTS", 15 * MINUTE,
		"{__name__=ALERTS,alertname=A,alertstate=pending} 1"); /* that of before */
	struct promql_data data;
	const struct group_settings settings = settings_with(&data);
	group_restore(&group, 16 * MINUTE, &settings);
	assert_true(group.rules[0].is_restored);
	assert_int_equal(group.rules[0].lives.alerts[0].active_ms, 6 * MINUTE);
	evaluate(25 * MINUTE);
	assert_int_equal(group.rules[0].lives.alerts[0].phase, ALERT_IS_PENDING);
	evaluate(26 * MINUTE);
	assert_int_equal(group.rules[0].lives.alerts[0].phase, ALERT_IS_FIRING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_rule_sees_what_those_before_it_recorded, drop),
		cmocka_unit_test_teardown(test_series_that_are_given_no_more_end, drop),
		cmocka_unit_test_teardown(test_a_scalar_is_recorded_without_labels, drop),
		cmocka_unit_test_teardown(test_alerts_are_series, drop),
		cmocka_unit_test_teardown(test_a_rule_that_fails_says_why, drop),
		cmocka_unit_test_teardown(test_what_cannot_be_kept_is_the_rules_trouble, drop),
		cmocka_unit_test_teardown(test_a_group_looks_back_by_its_offset, drop),
		cmocka_unit_test_teardown(test_a_new_reading_of_the_file_goes_on, drop),
		cmocka_unit_test_teardown(test_a_hold_goes_on_after_a_restart, drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
