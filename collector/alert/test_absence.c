/* SPDX-License-Identifier: Apache-2.0 */
/* Who may be silent, and for how long, by class. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "alert.h"

#define SECOND_MS INT64_C(1000)
#define HOUR_MS (3600 * SECOND_MS)
#define DAY_MS (24 * HOUR_MS)

static void test_a_laptop_that_is_off_for_a_week_end_is_away(void **state)
{
	(void)state;
	assert_true(alert_may_be_away(NULL, "laptop", 40 * SECOND_MS));
	assert_true(alert_may_be_away(NULL, "laptop", 63 * HOUR_MS));
	assert_true(alert_may_be_away(NULL, "laptop", 14 * DAY_MS - 1));
	assert_false(alert_may_be_away(NULL, "laptop", 14 * DAY_MS));
}

static void test_nothing_else_is(void **state)
{
	(void)state;
	assert_false(alert_may_be_away(NULL, "server", 40 * SECOND_MS));
	assert_false(alert_may_be_away(NULL, "blue-light", 40 * SECOND_MS));
	assert_false(alert_may_be_away(NULL, "kiosk", 40 * SECOND_MS));
	assert_false(alert_may_be_away(NULL, "", 40 * SECOND_MS));
	assert_false(alert_may_be_away(NULL, NULL, 40 * SECOND_MS));
}

static void test_the_configuration_decides(void **state)
{
	(void)state;
	struct alert_absence said = {.laptop_ms = 3 * DAY_MS, .blue_light_ms = 20 * SECOND_MS};
	assert_true(alert_may_be_away(&said, "laptop", 3 * DAY_MS - 1));
	assert_false(alert_may_be_away(&said, "laptop", 3 * DAY_MS));
	assert_int_equal(alert_silence_hold_ms(&said, "blue-light", 60000), 20000);
	assert_int_equal(alert_silence_hold_ms(&said, "server", 60000), 60000);
}

/* Server minutes, blue-light seconds. */
static void test_blue_light_is_missed_at_once(void **state)
{
	(void)state;
	assert_int_equal(alert_silence_hold_ms(NULL, "blue-light", 60000), 0);
	assert_int_equal(alert_silence_hold_ms(NULL, "server", 60000), 60000);
	assert_int_equal(alert_silence_hold_ms(NULL, "laptop", 60000), 60000);
}

static void test_the_table_says_what_the_code_does(void **state)
{
	(void)state;
	struct fw_arena arena = {0};
	struct fw_err err;
	struct alert_absence said = {0};
	assert_int_equal(fw_conf_bind(NULL, alert_absence_table, &said, &arena, &err), 0);
	assert_true(alert_may_be_away(&said, "laptop", 14 * DAY_MS - 1));
	assert_false(alert_may_be_away(&said, "laptop", 14 * DAY_MS));
	assert_int_equal(said.blue_light_ms, 0);
	fw_arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_laptop_that_is_off_for_a_week_end_is_away),
		cmocka_unit_test(test_nothing_else_is),
		cmocka_unit_test(test_the_configuration_decides),
		cmocka_unit_test(test_blue_light_is_missed_at_once),
		cmocka_unit_test(test_the_table_says_what_the_code_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
