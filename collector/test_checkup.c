/* SPDX-License-Identifier: Apache-2.0 */
#include "checkup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "schedule.h"

#define MINUTE INT64_C(60000)

static void test_a_store_that_nothing_comes_to_is_noticed(void **state)
{
	(void)state;
	assert_null(checkup_store(1, 0));
	assert_null(checkup_store(1, 3 * MINUTE));
	assert_string_equal(checkup_store(1, 3 * MINUTE + 1),
		"nothing was written to the store for three minutes");
	assert_null(checkup_store(0, 60 * MINUTE));
}

static void test_a_group_that_is_late_is_noticed(void **state)
{
	struct schedule_group groups[] = {
		{.interval_ms = MINUTE, .evaluated_ms = 100 * MINUTE},
		{.interval_ms = 10 * MINUTE, .evaluated_ms = 95 * MINUTE},
	};
	(void)state;
	assert_null(checkup_rules(groups, 0, 0, 1000 * MINUTE));
	assert_null(checkup_rules(groups, 2, 0, 104 * MINUTE));
	assert_string_equal(
		checkup_rules(groups, 2, 0, 104 * MINUTE + 1), "rules are not evaluated any more");
	groups[0].evaluated_ms = 125 * MINUTE;
	assert_null(checkup_rules(groups, 2, 0, 126 * MINUTE));
	assert_non_null(checkup_rules(groups, 2, 0, 127 * MINUTE));
	/* Those that were loaded a moment ago have not had their turn. */
	assert_null(checkup_rules(groups, 2, 120 * MINUTE, 127 * MINUTE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_store_that_nothing_comes_to_is_noticed),
		cmocka_unit_test(test_a_group_that_is_late_is_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
