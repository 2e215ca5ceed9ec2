/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "wraps.h"

#define RANGE (INT64_C(1) << 32)
#define TOP UINT32_MAX
#define STARTED 1700000000000

static const char octets[] = "1.3.6.1.2.1.2.2.1.10.1";

static int set_up(void **state)
{
	*state = wraps_new();
	return 0;
}

static int tear_down(void **state)
{
	wraps_free(*state);
	return 0;
}

/* One read, of a device that was started at `started_ms`, or does not tell (0). */
static int64_t read_at(struct wraps *w, int64_t started_ms, uint32_t raw, int64_t set_back)
{
	wraps_begin(w);
	if (started_ms)
		wraps_started(w, started_ms);
	return wraps_is_low(w, raw) ? raw : wraps_carry(w, octets, raw, set_back);
}

static void test_one_that_wraps_goes_on(void **state)
{
	struct wraps *w = *state;
	assert_int_equal(read_at(w, STARTED, 5, 0), 5);
	assert_int_equal(read_at(w, STARTED, TOP - 9, 0), TOP - 9);
	assert_int_equal(
		read_at(w, STARTED + 900, 30, 0), RANGE + 30); /* answers take their time */
	assert_int_equal(read_at(w, STARTED, 3000000000, 0), RANGE + 3000000000);
	assert_int_equal(read_at(w, STARTED, 100, 0), 2 * RANGE + 100);
}

static void test_one_that_was_set_back_begins_anew(void **state)
{
	struct wraps *w = *state;
	read_at(w, STARTED, TOP - 9, 0);
	assert_int_equal(
		read_at(w, STARTED + 3600000, 30, 0), 30); /* the device was started anew */
	read_at(w, STARTED + 3600000, TOP - 9, 0);
	assert_int_equal(read_at(w, STARTED + 3600000, 30, 77), 30); /* its row was set back */
	read_at(w, STARTED + 3600000, TOP - 9, 77);
	assert_int_equal(read_at(w, 0, 30, 77), 30); /* nobody tells */
	read_at(w, STARTED, 2200000000, 0);
	assert_int_equal(read_at(w, STARTED, 100000000, 0), 100000000); /* nearly half of it */
	read_at(w, STARTED, TOP - 9, 0);
	assert_int_equal(read_at(w, STARTED, 30, 0), RANGE + 30);
	assert_int_equal(
		read_at(w, STARTED, 20, 0), 20); /* back without having been near its end */
	assert_int_equal(read_at(w, STARTED, 21, 0), 21);
}

/* What the column says is not in every read of a device that answers badly. */
static void test_a_read_without_its_time_sets_nothing_back(void **state)
{
	struct wraps *w = *state;
	read_at(w, STARTED, TOP - 9, 77);
	assert_int_equal(read_at(w, STARTED, 30, 77), RANGE + 30);
	assert_int_equal(read_at(w, STARTED, 40, 0), RANGE + 40);
	assert_int_equal(read_at(w, STARTED, 50, 77), RANGE + 50);
	assert_int_equal(read_at(w, STARTED, 60, 78), 60);
}

/* A device that was just started may fall silent before its counters are read. */
static void test_a_start_counts_until_the_counter_is_read(void **state)
{
	struct wraps *w = *state;
	read_at(w, STARTED, TOP - 9, 0);
	wraps_begin(w);
	wraps_started(w, STARTED + 3600000);
	assert_int_equal(read_at(w, STARTED + 3600000, 30, 0), 30);
	read_at(w, STARTED + 3600000, TOP - 9, 0);
	wraps_begin(w);
	assert_int_equal(read_at(w, STARTED + 3600000, 30, 0), RANGE + 30);
}

/* What a read leaves out for a while is known when it comes again; what has gone is forgotten. */
static void test_what_is_missing_is_kept_for_a_while(void **state)
{
	struct wraps *w = *state;
	read_at(w, STARTED, TOP, 0);
	read_at(w, STARTED, 30, 0);
	for (int i = 0; i < 30; i++)
		wraps_begin(w);
	assert_int_equal(read_at(w, STARTED, 40, 0), RANGE + 40);
	for (int i = 0; i < 41; i++)
		wraps_begin(w);
	assert_true(wraps_is_low(w, 50));
}

/* Over a start of the program, in which it may have counted for hours. */
static void test_what_is_written_down_goes_on(void **state)
{
	struct wraps *w = *state, *copy;
	struct fw_buf text = {0};
	read_at(w, STARTED, TOP, 0);
	read_at(w, STARTED, 30, 0);
	wraps_carry(w, "1.2.1", 3000000000, 0); /* has not wrapped */
	wraps_write(w, "sw 1", &text);
	assert_string_equal(
		(char *)text.data, "sw 1\t1.3.6.1.2.1.2.2.1.10.1 1 30 0 1700000000000\n");
	copy = wraps_new();
	wraps_take_line(copy,
		(struct fw_cursor){(char *)text.data + 5, (char *)text.data + text.length - 1});
	assert_int_equal(read_at(copy, STARTED + 2000, 31, 0), RANGE + 31);
	wraps_free(copy);
	copy = wraps_copy(w);
	assert_int_equal(read_at(copy, STARTED, 31, 0), RANGE + 31);
	wraps_free(copy);
	fw_buf_done(&text);
	copy = wraps_new();
	static const char line[] = "1.3.6.1.2.1.2.2.1.10.1 4 1000 0 1700000000000";
	wraps_take_line(copy, (struct fw_cursor){line, line + sizeof line - 1});
	assert_int_equal(read_at(copy, STARTED, 400, 0), 5 * RANGE + 400);
	wraps_free(copy);
}

static void test_lines_that_are_none_are_passed_over(void **state)
{
	static const char *const lines[] = {"", " ", "1.2", "1.2 1", "1.2 1 2 3", "1.2 -1 2 3 4",
		"1.2 9999999999 2 3 4", "1.2 1 4294967296 3 4", "1.2 1 2 3 x"};
	struct wraps *w = *state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		wraps_take_line(w, (struct fw_cursor){lines[i], lines[i] + strlen(lines[i])});
	assert_true(wraps_is_low(w, 1));
}

#define WITH_WRAPS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WRAPS(test_one_that_wraps_goes_on),
		WITH_WRAPS(test_one_that_was_set_back_begins_anew),
		WITH_WRAPS(test_a_read_without_its_time_sets_nothing_back),
		WITH_WRAPS(test_a_start_counts_until_the_counter_is_read),
		WITH_WRAPS(test_what_is_missing_is_kept_for_a_while),
		WITH_WRAPS(test_what_is_written_down_goes_on),
		WITH_WRAPS(test_lines_that_are_none_are_passed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
