/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fenwatch/clock.h>

static void test_clocks_run(void **state)
{
	(void)state;
	int64_t mono = fw_mono_ms(), boot = fw_boot_ms();
	uint64_t cpu = fw_cpu_ns();
	while (fw_cpu_ns() < cpu + 3000000)
		;
	assert_true(fw_mono_ms() > mono);
	assert_true(fw_boot_ms() > boot);
	assert_true(fw_boot_ms() >= fw_mono_ms() - 1);
	assert_true(fw_wall_ms() > 1700000000000);
}

static void test_times_are_written(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{-1, "1969-12-31T23:59:59.999Z"},
		{1795389714120, "2026-11-22T23:21:54.120Z"},
		{951782400000, "2000-02-29T00:00:00.000Z"},
		{INT64_MAX, "292278994-08-17T07:12:55.807Z"},
		{INT64_MIN, "-292275055-05-16T16:47:04.192Z"},
	};
	char text[32];
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(fw_time_format(cases[i].ms, text, sizeof text), cases[i].text);
}

static void test_times_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"2026-11-22T23:21:54.120Z", 1795389714120},
		{"2026-11-22T23:21:54Z", 1795389714000},
		{"2026-11-23 00:21:54.1209+01:00", 1795389714120},
		{"2026-11-22t18:21:54-05:00", 1795389714000},
		{"2000-02-29T00:00:00Z", 951782400000},
		{"1795389714.12", 1795389714120},
		{"0", 0},
		{"-1.5", -1500},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t ms = 42;
		assert_int_equal(fw_time_parse(cases[i].text, &ms), 0);
		assert_true(ms == cases[i].ms);
	}
}

static void test_what_is_no_time_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "now", " 5", "5 ", "5s", "2026-11-22",
		"2026-11-22T23:21Z", "2026-11-22T23:21:54", "2026-13-01T00:00:00Z",
		"2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-00-10T00:00:00Z",
		"2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
		"2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00Zx",
		"99999999999999999999"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		int64_t ms = 42;
		assert_int_equal(fw_time_parse(wrong[i], &ms), -EINVAL);
		assert_true(ms == 42);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks_run),
		cmocka_unit_test(test_times_are_written),
		cmocka_unit_test(test_times_are_read),
		cmocka_unit_test(test_what_is_no_time_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
