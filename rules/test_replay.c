/* SPDX-License-Identifier: Apache-2.0 */
#include "replay.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "memory.h"

#define MINUTE INT64_C(60000)

struct stage {
	struct fw_arena arena;
	struct promql_memory memory;
	struct promql_data data;
	struct rulefile file;
	struct replay replay;
	struct replay_result result;
	struct fw_err err;
};

static int set_up(void **state)
{
	struct stage *stage = fw_alloc(sizeof *stage);
	stage->replay = (struct replay){
		.limits = {.max_samples = 100000, .max_bytes = 1 << 24, .timeout_ms = 60000},
		.to_ms = 10 * MINUTE,
		.interval_ms = MINUTE,
	};
	*state = stage;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *stage = *state;
	promql_memory_done(&stage->memory);
	fw_arena_done(&stage->arena);
	fw_free(stage);
	return 0;
}

static void load(struct stage *stage, const char *labels, const char *values)
{
	if (promql_memory_load(&stage->memory, labels, values, 0, MINUTE, &stage->err) < 0)
		fail_msg("%s", stage->err.text);
}

static int run(struct stage *stage, const char *rules)
{
	struct problems problems = {.arena = &stage->arena};
	rulefile_parse("x.yml", rules, strlen(rules), &stage->arena, &stage->file, &problems);
	if (problems.n)
		fail_msg("%s", problems.items[0].text);
	stage->data = promql_memory_data(&stage->memory);
	stage->replay.data = &stage->data;
	return replay_run(&stage->replay, &stage->file, &stage->arena, &stage->result, &stage->err);
}

static void must_run(struct stage *stage, const char *rules)
{
	if (run(stage, rules) < 0)
		fail_msg("%s", stage->err.text);
}

static void expect_alert(
	const struct stage *stage, size_t i, int64_t active, int64_t fired, int64_t ended)
{
	assert_true(i < stage->result.n_alerts);
	const struct replay_alert *alert = &stage->result.alerts[i];
	assert_int_equal(alert->active_ms, active * MINUTE);
	assert_int_equal(alert->fired_ms, fired * MINUTE);
	assert_int_equal(alert->ended_ms, ended * MINUTE);
}

#define DOWN                                                                             \
	"groups: [{name: g, rules: [{alert: Down, expr: up == 0, for: 2m, annotations: " \
	"{summary: '{{ $labels.instance }} is down'}}]}]"

static void test_an_alert_waits_fires_and_ends(void **state)
{
	struct stage *stage = *state;
	load(stage, "up{instance=\"a\"}", "1 0 0 0 0 1 0 1 0 0 0");
	load(stage, "up{instance=\"b\"}", "1x11");
	must_run(stage, DOWN);
	assert_int_equal(stage->result.n_evaluations, 11);
	assert_int_equal(stage->result.n_alerts, 3);
	expect_alert(stage, 0, 1, 3, 5);
	expect_alert(stage, 1, 6, 0, 7);
	expect_alert(stage, 2, 8, 10, 0);
	assert_string_equal(label_set_get(&stage->result.alerts[0].labels, "instance"), "a");
	assert_string_equal(
		label_set_get(&stage->result.alerts[0].annotations, "summary"), "a is down");
	const struct replay_rule *rule = &stage->result.rules[0];
	assert_int_equal(rule->n_fired, 2);
	assert_int_equal(rule->n_waited, 1);
	assert_int_equal(rule->firing_ms, 2 * MINUTE);
	assert_int_equal(rule->n_failures, 0);
}

static void test_a_healthy_time_fires_nothing(void **state)
{
	struct stage *stage = *state;
	load(stage, "up{instance=\"a\"}", "1x11");
	must_run(stage, DOWN);
	assert_int_equal(stage->result.n_alerts, 0);
}

/* The alert's rule asks for what the other would have recorded, and not for what was. */
static void test_recorded_series_are_the_rules_own(void **state)
{
	struct stage *stage = *state;
	load(stage, "x{a=\"1\"}", "1 1 9 9 9 1 1 1 1 1 1");
	load(stage, "double{a=\"1\"}", "99x11");
	load(stage, "ALERTS{alertname=\"High\"}", "1x11");
	must_run(stage,
		"groups:\n- name: late\n  rules:\n"
		"  - {alert: High, expr: double > 10, for: 0s}\n"
		"  - {alert: Once, expr: 'count(ALERTS) > 1'}\n"
		"- name: first\n  rules:\n  - {record: double, expr: x * 2}\n");
	assert_int_equal(stage->result.n_alerts, 1);
	expect_alert(stage, 0, 3, 3, 6);
}

static void test_a_step_and_groups_of_their_own(void **state)
{
	struct stage *stage = *state;
	static const char rules[] =
		"groups:\n- {name: a, interval: 5m, rules: [{alert: A, expr: up}]}\n"
		"- {name: b, rules: [{alert: B, expr: up}]}\n";
	load(stage, "up", "1x11");
	must_run(stage, rules);
	assert_int_equal(stage->result.n_evaluations, 3 + 11);
	stage->replay.step_ms = 2 * MINUTE;
	must_run(stage, rules);
	assert_int_equal(stage->result.n_evaluations, 6 + 6);
}

static void test_a_rule_that_fails_is_counted(void **state)
{
	struct stage *stage = *state;
	load(stage, "x{a=\"1\",b=\"1\"}", "1x11");
	load(stage, "x{a=\"1\",b=\"2\"}", "1x11");
	must_run(stage, "groups: [{name: g, rules: [{alert: A, expr: x * on (a) x}]}]");
	assert_int_equal(stage->result.rules[0].n_failures, 11);
	assert_non_null(strstr(stage->result.rules[0].trouble, "many-to-many"));
	assert_int_equal(stage->result.n_alerts, 0);
}

static int64_t ticks;

static int64_t on_clock(void)
{
	return ++ticks * 1000;
}

static void test_there_are_limits(void **state)
{
	struct stage *stage = *state;
	bool canceled = true;
	load(stage, "up{instance=\"a\"}", "0x11");
	stage->replay.to_ms = INT64_C(60000) * MINUTE;
	assert_int_equal(run(stage, DOWN), -E2BIG);
	assert_non_null(strstr(stage->err.text, "choose a longer step"));
	stage->replay.to_ms = 10 * MINUTE;
	stage->replay.mono_ms = on_clock;
	stage->replay.timeout_ms = 3000;
	assert_int_equal(run(stage, DOWN), -ETIME);
	assert_int_equal(stage->result.n_evaluations, 4);
	stage->replay.timeout_ms = 0;
	stage->replay.limits.canceled = &canceled;
	assert_int_equal(run(stage, DOWN), -ECANCELED);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_an_alert_waits_fires_and_ends),
		CASE(test_a_healthy_time_fires_nothing),
		CASE(test_recorded_series_are_the_rules_own),
		CASE(test_a_step_and_groups_of_their_own),
		CASE(test_a_rule_that_fails_is_counted),
		CASE(test_there_are_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
