/* SPDX-License-Identifier: Apache-2.0 */
#include "budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { CHEAP, DEAR, OTHER, SOURCES };

#define MINUTE_MS INT64_C(60000)
#define SHARE_US(percent) ((uint64_t)(percent)*600000) /* of a minute */

static struct budget *budget;
static struct budget_verdict verdict;

static int set_up(void **state)
{
	(void)state;
	budget = budget_new(SOURCES, 1000);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	budget_free(budget);
	return 0;
}

static void test_the_dearest_goes_off_for_an_hour(void **state)
{
	(void)state;
	int64_t now_ms = 1000 + MINUTE_MS;
	budget_spend(budget, CHEAP, SHARE_US(3));
	budget_spend(budget, DEAR, SHARE_US(5));
	budget_spend(budget, DEAR, SHARE_US(2));
	assert_true(budget_judge(budget, now_ms, &verdict));
	assert_int_equal(verdict.source, DEAR);
	assert_int_equal(verdict.percent, 7);
	assert_int_equal(verdict.percent_all, 10);
	assert_false(budget_is_off(budget, CHEAP, now_ms));
	assert_true(budget_is_off(budget, DEAR, now_ms));
	assert_true(budget_is_off(budget, DEAR, now_ms + BUDGET_OFF_MS - 1));
	assert_false(budget_is_off(budget, DEAR, now_ms + BUDGET_OFF_MS));
}

/* A sampler whose interval is longer than the machine is up begins before that. */
static void test_a_machine_that_has_just_started(void **state)
{
	(void)state;
	struct budget *early = budget_new(SOURCES, -3000000);
	assert_false(budget_is_off(early, CHEAP, -3000000));
	assert_false(budget_is_off(early, CHEAP, 0));
	budget_free(early);
}

static void test_what_is_within_stays_on(void **state)
{
	(void)state;
	budget_spend(budget, CHEAP, SHARE_US(4));
	budget_spend(budget, DEAR, SHARE_US(5));
	assert_false(budget_judge(budget, 1000 + MINUTE_MS, &verdict));
	assert_int_equal(verdict.percent_all, 9);
	assert_false(budget_is_off(budget, DEAR, 1000 + MINUTE_MS));
}

/* A burst within a window is nothing, and what was spent before it does not count. */
static void test_windows_are_judged_whole_and_alone(void **state)
{
	(void)state;
	budget_spend(budget, DEAR, SHARE_US(9));
	assert_false(budget_judge(budget, 1000 + MINUTE_MS - 1, &verdict));
	assert_false(budget_judge(budget, 1000 + MINUTE_MS, &verdict));
	budget_spend(budget, DEAR, SHARE_US(9));
	assert_false(budget_judge(budget, 1000 + 2 * MINUTE_MS, &verdict));
	/* Asleep for ten minutes, then judged by all of them. */
	budget_spend(budget, DEAR, SHARE_US(50));
	assert_false(budget_judge(budget, 1000 + 12 * MINUTE_MS, &verdict));
	assert_int_equal(verdict.percent, 5);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_the_dearest_goes_off_for_an_hour),
		CASE(test_what_is_within_stays_on),
		CASE(test_a_machine_that_has_just_started),
		CASE(test_windows_are_judged_whole_and_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
