/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>

#include "memory.h"
#include "publish.h"
#include "rounds.h"

#define MINUTE 60000

static const struct promql_limits limits = {
	.max_samples = 100000, .max_bytes = 1 << 24, .timeout_ms = 60000};
static struct fw_arena arena;
static struct promql_memory memory;
static struct rounds rounds;
static struct published published;

static int on_samples(
	void *arg, const struct group_sample *samples, size_t n, int64_t at_ms, struct fw_err *err)
{
	(void)arg;
	(void)err;
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

static int drop(void **state)
{
	(void)state;
	publish_done(&published);
	published = (struct published){0};
	rounds_done(&rounds);
	promql_memory_done(&memory);
	fw_arena_done(&arena);
	return 0;
}

/* ---- helpers ---- */

static void load(const char *labels, const char *values)
{
	struct fw_err err = {""};
	if (promql_memory_load(&memory, labels, values, 0, MINUTE, &err) < 0)
		fail_msg("%s", err.text);
}

/* The rules of one file, groups and all, from now on. */
static void read_rules(const char *text, int64_t now_ms)
{
	struct rule_set *set = fw_alloc(sizeof *set);
	struct problems problems = {.arena = &set->arena};
	struct promql_data data;
	const struct group_settings settings = settings_with(&data);
	set->files = fw_arena_alloc(&set->arena, sizeof *set->files);
	set->n_files = 1;
	rulefile_parse("x.yml", text, strlen(text), &set->arena, &set->files[0], &problems);
	if (problems.n)
		fail_msg("%s", problems.items[0].text);
	rounds_load(&rounds, set, MINUTE, now_ms, &settings);
}

static void run(struct round *round, int64_t now_ms)
{
	struct promql_data data;
	const struct group_settings settings = settings_with(&data);
	round_run(round, now_ms, &settings);
}

/* Runs all that is due up to a time, each at its moment. */
static void run_until(int64_t end_ms)
{
	struct round *first;
	while ((first = rounds_first(&rounds, end_ms)) && first->due_ms <= end_ms)
		run(first, first->due_ms);
}

/* How many series a question gives at a time. */
static size_t count(const char *question, int64_t at_ms)
{
	struct promql_data data = promql_memory_data(&memory);
	struct promql_result result;
	struct fw_err err = {""};
	if (promql_instant(&data, question, at_ms, &limits, &arena, &result, &err) < 0)
		fail_msg("%s", err.text);
	return result.value.n_series;
}

static const struct rule_alert *alert_of(size_t round, size_t rule)
{
	const struct rule_lives *lives = &rounds.items[round].group.rules[rule].lives;
	assert_int_equal(lives->n, 1);
	return &lives->alerts[0];
}

/* ---- moments ---- */

static void test_moments_are_a_matter_of_the_name(void **state)
{
	const struct file_group one = {.file = "x.yml", .name = "one"},
				two = {.file = "x.yml", .name = "two"};
	(void)state;
	for (int64_t now_ms = -200001; now_ms < 400000; now_ms += 7919) {
		int64_t moment_ms = round_moment(&one, MINUTE, now_ms);
		assert_true(moment_ms <= now_ms && moment_ms > now_ms - MINUTE);
		assert_int_equal((moment_ms - round_moment(&one, MINUTE, 0)) % MINUTE, 0);
		assert_int_equal(round_moment(&one, MINUTE, moment_ms), moment_ms);
	}
	assert_int_not_equal(round_moment(&one, MINUTE, 0), round_moment(&two, MINUTE, 0));
}

static void test_each_group_has_its_interval(void **state)
{
	(void)state;
	load("x", "1x30");
	read_rules("groups:\n"
		   "- {name: often, interval: 30s, rules: [{record: a, expr: x}]}\n"
		   "- {name: usual, rules: [{record: b, expr: x}]}\n",
		0);
	assert_true(rounds.items[0].due_ms > 0 && rounds.items[0].due_ms <= MINUTE / 2);
	assert_true(rounds.items[1].due_ms > 0 && rounds.items[1].due_ms <= MINUTE);
	run_until(10 * MINUTE);
	assert_int_equal(rounds.items[0].evaluations, 20);
	assert_int_equal(rounds.items[1].evaluations, 10);
	assert_int_equal(rounds.items[0].missed + rounds.items[1].missed, 0);
}

/* Each evaluation takes two and a half intervals. */
static void test_who_is_slower_than_its_interval_skips_and_counts(void **state)
{
	(void)state;
	load("x", "1x30");
	read_rules("groups: [{name: g, rules: [{record: a, expr: x}]}]\n", 0);
	struct round *round = &rounds.items[0];
	int64_t first_ms = round->due_ms;
	run(round, first_ms);
	assert_int_equal(round->group.evaluated_ms, first_ms);
	run(round, first_ms + 5 * MINUTE / 2);
	assert_int_equal(round->group.evaluated_ms, first_ms + 2 * MINUTE);
	assert_int_equal(round->missed, 1);
	run(round, first_ms + 5 * MINUTE);
	assert_int_equal(round->group.evaluated_ms, first_ms + 5 * MINUTE);
	assert_int_equal(round->missed, 3);
	assert_int_equal(round->evaluations, 3);
	assert_int_equal(round->due_ms, first_ms + 6 * MINUTE);
}

static void test_a_clock_that_is_put_back_holds_nothing_up(void **state)
{
	(void)state;
	read_rules("groups: [{name: g, rules: [{record: a, expr: x}]}]\n", 100 * MINUTE);
	int64_t due_ms = rounds_first(&rounds, 100 * MINUTE)->due_ms;
	assert_true(due_ms > 100 * MINUTE);
	due_ms = rounds_first(&rounds, 40 * MINUTE)->due_ms;
	assert_true(due_ms > 40 * MINUTE && due_ms <= 41 * MINUTE);
}

static void test_without_rules_nothing_is_due(void **state)
{
	(void)state;
	assert_null(rounds_first(&rounds, 0));
	read_rules("groups: []\n", 0);
	assert_null(rounds_first(&rounds, 0));
}

/* ---- another set of files ---- */

static void test_alerts_live_on_when_files_are_read_anew(void **state)
{
	(void)state;
	load("x", "1x30");
	read_rules("groups:\n- name: g\n  rules: [{alert: A, expr: x, for: 5m}]\n", 0);
	run_until(3 * MINUTE);
	int64_t since_ms = alert_of(0, 0)->active_ms;
	assert_int_equal(alert_of(0, 0)->phase, ALERT_IS_PENDING);
	uint64_t evaluations = rounds.items[0].evaluations;
	read_rules("groups:\n- name: before\n  rules: [{record: y, expr: x}]\n"
		   "- name: g\n  rules: [{record: z, expr: x}, {alert: A, expr: x > 0, for: 5m}]\n",
		3 * MINUTE);
	assert_int_equal(alert_of(1, 1)->active_ms, since_ms);
	assert_int_equal(rounds.items[1].evaluations, evaluations);
	run_until(since_ms + 5 * MINUTE);
	assert_int_equal(alert_of(1, 1)->phase, ALERT_IS_FIRING);
}

static void test_what_no_group_gives_any_more_ends(void **state)
{
	(void)state;
	load("x", "1x30");
	read_rules("groups:\n- name: g\n  rules: [{record: y, expr: x}, {alert: A, expr: x}]\n"
		   "- name: h\n  rules: [{record: z, expr: x}]\n",
		0);
	run_until(3 * MINUTE);
	assert_int_equal(count("y or ALERTS or ALERTS_FOR_STATE", 3 * MINUTE), 3);
	read_rules("groups:\n- name: h\n  rules: [{record: z, expr: x}]\n", 3 * MINUTE + 1);
	assert_int_equal(count("y or ALERTS or ALERTS_FOR_STATE", 3 * MINUTE + 1), 0);
	assert_int_equal(count("z", 3 * MINUTE + 1), 1);
}

/* ---- after a restart ---- */

static const char waiting[] = "groups: [{name: g, rules: [{alert: A, expr: x, for: 20m}]}]\n";

static void restart(const char *text, int64_t now_ms)
{
	rounds_done(&rounds);
	read_rules(text, now_ms);
}

static void test_a_hold_goes_on_after_an_outage(void **state)
{
	(void)state;
	load("x", "1x90");
	read_rules(waiting, 0);
	run_until(12 * MINUTE);
	int64_t since_ms = alert_of(0, 0)->active_ms;
	size_t before = count("ALERTS", 12 * MINUTE);
	assert_int_equal(before, 1);
	restart(waiting, 17 * MINUTE);
	run_until(18 * MINUTE);
	/* Nothing is recorded until it is known what was. */
	assert_int_equal(count("ALERTS_FOR_STATE offset 30s", 18 * MINUTE), 0);
	run_until(19 * MINUTE);
	int64_t away_ms = alert_of(0, 0)->active_ms - since_ms;
	assert_true(away_ms >= 5 * MINUTE && away_ms <= 8 * MINUTE);
	run_until(since_ms + away_ms + 19 * MINUTE);
	assert_int_equal(alert_of(0, 0)->phase, ALERT_IS_PENDING);
	run_until(since_ms + away_ms + 21 * MINUTE);
	assert_int_equal(alert_of(0, 0)->phase, ALERT_IS_FIRING);
}

/* The control of the test above: over an hour nothing is remembered. */
static void test_a_hold_begins_anew_after_a_long_outage(void **state)
{
	(void)state;
	load("x", "1x90");
	read_rules(waiting, 0);
	run_until(5 * MINUTE);
	restart(waiting, 70 * MINUTE);
	run_until(73 * MINUTE);
	assert_true(alert_of(0, 0)->active_ms > 70 * MINUTE);
}

/* A rule that comes by a reload has nothing to wait for. */
static void test_a_rule_that_is_new_is_recorded_at_once(void **state)
{
	(void)state;
	load("x", "1x30");
	read_rules("groups: []\n", 0);
	read_rules("groups: [{name: g, rules: [{alert: A, expr: x}]}]\n", 0);
	run(&rounds.items[0], rounds.items[0].due_ms);
	assert_int_equal(count("ALERTS{alertstate=\"firing\"}", MINUTE), 1);
}

/* ---- what others see ---- */

static void test_failures_are_counted(void **state)
{
	(void)state;
	load("x{a=\"1\"}", "1x30");
	load("x{a=\"2\"}", "1x30");
	read_rules("groups:\n- name: g\n  limit: 1\n  rules:\n"
		   "  - {record: many, expr: x}\n  - {alert: Many, expr: x}\n"
		   "  - {record: few, expr: sum(x)}\n",
		0);
	run_until(2 * MINUTE);
	assert_int_equal(rounds.items[0].failures, 4);
	publish_rounds(&published, &rounds);
	const struct schedule_group *group = &published.groups[0];
	assert_string_equal(group->rules[0].trouble, "exceeded limit of 1 with 2 series");
	assert_string_equal(group->rules[1].trouble, "exceeded limit of 1 with 2 alerts");
	assert_int_equal(group->rules[1].n_alerts, 0);
	assert_int_equal(group->rules[2].health, RULE_OK);
	assert_int_equal(group->limit, 1);
	assert_int_equal(group->failures, 4);
}

static void test_what_is_told_outlives_the_rounds(void **state)
{
	struct schedule_group *groups;
	size_t n;
	(void)state;
	load("x{a=\"1\"}", "1x30");
	read_rules(
		"groups:\n- name: z\n  rules: [{record: r, expr: sum  (x)}]\n"
		"- name: a\n  rules:\n"
		"  - {alert: A, expr: x, labels: {s: page}, annotations: {t: 'is {{ $value }}'}}\n",
		0);
	run_until(2 * MINUTE);
	publish_rounds(&published, &rounds);
	publish_copy(&published, &arena, &groups, &n);
	publish_done(&published);
	published = (struct published){0};
	rounds_done(&rounds);
	assert_int_equal(n, 2);
	assert_string_equal(groups[0].name, "a");
	assert_string_equal(groups[1].rules[0].query, "sum(x)");
	const struct schedule_rule *rule = &groups[0].rules[0];
	assert_int_equal(rule->n_alerts, 1);
	assert_string_equal(label_set_get(&rule->alerts[0].labels, "alertname"), "A");
	assert_string_equal(label_set_get(&rule->alerts[0].annotations, "t"), "is 1");
	assert_string_equal(label_set_get(&rule->annotations, "t"), "is {{ $value }}");
	assert_int_equal(rule->alerts[0].phase, ALERT_IS_FIRING);
}

static void test_an_alert_that_is_only_kept_says_since_when(void **state)
{
	(void)state;
	load("x", "1 1 1 0x30");
	read_rules("groups:\n- name: g\n  rules:\n"
		   "  - {alert: A, expr: x > 0, keep_firing_for: 10m}\n",
		0);
	run_until(2 * MINUTE);
	publish_rounds(&published, &rounds);
	assert_int_equal(published.groups[0].rules[0].alerts[0].unseen_ms, 0);
	publish_done(&published);
	run_until(5 * MINUTE);
	publish_rounds(&published, &rounds);
	const struct schedule_alert *alert = &published.groups[0].rules[0].alerts[0];
	assert_int_equal(alert->phase, ALERT_IS_FIRING);
	assert_true(alert->unseen_ms >= 3 * MINUTE && alert->unseen_ms < 4 * MINUTE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moments_are_a_matter_of_the_name),
		cmocka_unit_test_teardown(test_each_group_has_its_interval, drop),
		cmocka_unit_test_teardown(
			test_who_is_slower_than_its_interval_skips_and_counts, drop),
		cmocka_unit_test_teardown(test_a_clock_that_is_put_back_holds_nothing_up, drop),
		cmocka_unit_test_teardown(test_without_rules_nothing_is_due, drop),
		cmocka_unit_test_teardown(test_alerts_live_on_when_files_are_read_anew, drop),
		cmocka_unit_test_teardown(test_what_no_group_gives_any_more_ends, drop),
		cmocka_unit_test_teardown(test_a_hold_goes_on_after_an_outage, drop),
		cmocka_unit_test_teardown(test_a_hold_begins_anew_after_a_long_outage, drop),
		cmocka_unit_test_teardown(test_a_rule_that_is_new_is_recorded_at_once, drop),
		cmocka_unit_test_teardown(test_failures_are_counted, drop),
		cmocka_unit_test_teardown(test_what_is_told_outlives_the_rounds, drop),
		cmocka_unit_test_teardown(test_an_alert_that_is_only_kept_says_since_when, drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
