/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/err.h>

#include "life.h"

#define MINUTE 60000

static const struct life_rule usual = {.for_ms = 5 * MINUTE, .keep_firing_ms = 0, .limit = 0};

static struct rule_lives lives;
static char told[256]; /* "a:inactive>pending ..." */

static int drop(void **state)
{
	(void)state;
	life_done(&lives);
	told[0] = '\0';
	return 0;
}

static void on_changed(void *arg, const struct rule_alert *alert, enum alert_phase before)
{
	size_t n = strlen(told);
	(void)arg;
	snprintf(told + n, sizeof told - n, "%s:%s>%s ", label_set_get(&alert->labels, "host"),
		alert_phase_text(before), alert_phase_text(alert->phase));
}

/* One evaluation that gives an alert for every letter of `hosts`. */
static int look(const struct life_rule *rule, int64_t at_ms, const char *hosts, struct fw_err *err)
{
	struct fw_label labels[8];
	struct life_seen seen[8];
	char names[8][2];
	size_t n = strlen(hosts);
	told[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof names[i], "%c", hosts[i]);
		labels[i] = (struct fw_label){"host", names[i]};
		seen[i] = (struct life_seen){{&labels[i], 1}, {NULL, 0}, (double)at_ms};
	}
	return life_evaluate(&lives, rule, seen, n, at_ms, on_changed, NULL, err);
}

static void expect(const struct life_rule *rule, int64_t at_ms, const char *hosts, const char *tell)
{
	struct fw_err err = {""};
	assert_int_equal(look(rule, at_ms, hosts, &err), 0);
	assert_string_equal(told, tell);
}

static void test_an_alert_is_held_before_it_fires(void **state)
{
	(void)state;
	expect(&usual, 0, "a", "a:inactive>pending ");
	expect(&usual, 4 * MINUTE, "a", "");
	expect(&usual, 5 * MINUTE, "a", "a:pending>firing ");
	expect(&usual, 6 * MINUTE, "", "a:firing>inactive ");
	assert_int_equal(lives.n, 1);
	assert_int_equal(lives.alerts[0].resolved_ms, 6 * MINUTE);
}

static void test_without_a_hold_it_fires_at_once(void **state)
{
	const struct life_rule rule = {0};
	(void)state;
	expect(&rule, MINUTE, "ba", "a:inactive>firing b:inactive>firing ");
	assert_int_equal(lives.alerts[0].fired_ms, MINUTE);
}

static void test_what_goes_while_pending_is_dropped(void **state)
{
	(void)state;
	expect(&usual, 0, "ab", "a:inactive>pending b:inactive>pending ");
	expect(&usual, MINUTE, "b", "a:pending>inactive ");
	assert_int_equal(lives.n, 1);
	expect(&usual, 2 * MINUTE, "ab", "a:inactive>pending ");
	assert_int_equal(lives.alerts[0].active_ms, 2 * MINUTE);
}

static void test_it_is_kept_firing(void **state)
{
	const struct life_rule rule = {.keep_firing_ms = 3 * MINUTE};
	(void)state;
	expect(&rule, MINUTE, "a", "a:inactive>firing ");
	expect(&rule, 2 * MINUTE, "", "");
	expect(&rule, 3 * MINUTE, "a", ""); /* seen again: the time begins anew */
	expect(&rule, 4 * MINUTE, "", "");
	expect(&rule, 6 * MINUTE, "", "");
	expect(&rule, 7 * MINUTE, "", "a:firing>inactive ");
}

static void test_what_has_ended_is_remembered_for_a_while(void **state)
{
	const struct life_rule rule = {0};
	(void)state;
	expect(&rule, 0, "a", "a:inactive>firing ");
	expect(&rule, MINUTE, "", "a:firing>inactive ");
	expect(&rule, 16 * MINUTE, "", "");
	assert_int_equal(lives.n, 1);
	expect(&rule, 16 * MINUTE + 1, "", "");
	assert_int_equal(lives.n, 0);
}

static void test_what_fires_again_is_a_new_episode(void **state)
{
	const struct life_rule rule = {0};
	(void)state;
	expect(&rule, 0, "a", "a:inactive>firing ");
	expect(&rule, MINUTE, "", "a:firing>inactive ");
	expect(&rule, 2 * MINUTE, "a", "a:inactive>firing ");
	assert_int_equal(lives.alerts[0].active_ms, 2 * MINUTE);
	assert_int_equal(lives.alerts[0].resolved_ms, 0);
}

static void test_two_of_the_same_labels_are_refused(void **state)
{
	const struct life_rule rule = {0};
	struct fw_err err;
	(void)state;
	expect(&rule, 0, "a", "a:inactive>firing ");
	assert_int_equal(look(&rule, MINUTE, "bb", &err), -22);
	assert_string_equal(err.text,
		"vector contains metrics with the same labelset after applying alert labels");
	assert_int_equal(lives.n, 1); /* as before */
}

static void test_more_than_the_limit_are_dropped(void **state)
{
	const struct life_rule rule = {.limit = 2};
	struct fw_err err;
	(void)state;
	expect(&rule, 0, "ab", "a:inactive>firing b:inactive>firing ");
	assert_int_equal(look(&rule, MINUTE, "abc", &err), -22);
	assert_string_equal(err.text, "exceeded limit of 2 with 3 alerts");
	assert_int_equal(lives.n, 0);
	assert_non_null(strstr(told, "a:firing>inactive"));
}

/* 30 minutes of hold, heard of last when 10, 25 and 40 of them had gone, back 5 later. */
static void test_a_hold_goes_on_after_an_outage(void **state)
{
	const struct life_rule rule = {.for_ms = 30 * MINUTE};
	(void)state;
	expect(&rule, 100 * MINUTE, "a", "a:inactive>pending ");
	life_restore(&lives.alerts[0], &rule, 50 * MINUTE, 60 * MINUTE, 65 * MINUTE);
	assert_int_equal(lives.alerts[0].active_ms, 55 * MINUTE);
	life_restore(&lives.alerts[0], &rule, 50 * MINUTE, 75 * MINUTE, 80 * MINUTE);
	assert_int_equal(lives.alerts[0].active_ms, 60 * MINUTE); /* ten minutes from now */
	life_restore(&lives.alerts[0], &rule, 50 * MINUTE, 90 * MINUTE, 95 * MINUTE);
	assert_int_equal(lives.alerts[0].active_ms, 50 * MINUTE); /* it was firing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_an_alert_is_held_before_it_fires, drop),
		cmocka_unit_test_teardown(test_without_a_hold_it_fires_at_once, drop),
		cmocka_unit_test_teardown(test_what_goes_while_pending_is_dropped, drop),
		cmocka_unit_test_teardown(test_it_is_kept_firing, drop),
		cmocka_unit_test_teardown(test_what_has_ended_is_remembered_for_a_while, drop),
		cmocka_unit_test_teardown(test_what_fires_again_is_a_new_episode, drop),
		cmocka_unit_test_teardown(test_two_of_the_same_labels_are_refused, drop),
		cmocka_unit_test_teardown(test_more_than_the_limit_are_dropped, drop),
		cmocka_unit_test_teardown(test_a_hold_goes_on_after_an_outage, drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
