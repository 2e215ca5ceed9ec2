/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "range.h"

/* How many it has, the first and the last that is asked, one that it has and one that it has not. */
static void test_ranges(void **state)
{
	static const struct {
		const char *text;
		uint32_t n;
		const char *first, *last, *in, *out;
	} cases[] = {
		{"10.9.0.1", 1, "10.9.0.1", "10.9.0.1", "10.9.0.1", "10.9.0.2"},
		{"10.9.0.250-10.9.1.2", 9, "10.9.0.250", "10.9.1.2", "10.9.1.0", "10.9.1.3"},
		{"10.9.0.77/24", 254, "10.9.0.1", "10.9.0.254", "10.9.0.255", "10.9.1.0"},
		{"10.9.0.6/31", 2, "10.9.0.6", "10.9.0.7", "10.9.0.7", "10.9.0.8"},
		{"10.9.0.6/32", 1, "10.9.0.6", "10.9.0.6", "10.9.0.6", "10.9.0.7"},
		{"255.255.255.254-255.255.255.255", 2, "255.255.255.254", "255.255.255.255",
			"255.255.255.255", "255.255.255.253"},
		{"2001:db8::10/124", 16, "2001:db8::10", "2001:db8::1f", "2001:db8::1f",
			"2001:db8::20"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct range range;
		struct fw_err err;
		char text[INET6_ADDRSTRLEN];
		if (range_parse(cases[i].text, &range, &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(range_count(&range), cases[i].n);
		assert_string_equal(range_at(&range, 0, text), cases[i].first);
		assert_string_equal(range_at(&range, cases[i].n - 1, text), cases[i].last);
		assert_true(range_has(&range, cases[i].in));
		assert_false(range_has(&range, cases[i].out));
	}
}

static void test_large_ones_are_seen_as_such(void **state)
{
	struct range range;
	(void)state;
	assert_int_equal(range_parse("0.0.0.0-255.255.255.255", &range, NULL), 0);
	assert_int_equal(range_count(&range), UINT32_MAX);
	assert_int_equal(range_parse("10.0.0.0/8", &range, NULL), 0);
	assert_int_equal(range_count(&range), (1u << 24) - 2);
	assert_int_equal(range_parse("2001:db8::/64", &range, NULL), 0);
	assert_int_equal(range_count(&range), UINT32_MAX);
	assert_false(range_has(&range, "10.0.0.1"));
	assert_false(range_has(&range, "no address"));
}

static void test_mistakes(void **state)
{
	static const char *const texts[] = {"", "-", "10.9.0", "10.9.0.1-", "10.9.0.9-10.9.0.1",
		"10.9.0.1-2001:db8::1", "10.9.0.0/33", "10.9.0.0/x", "10.9.0.0/-1",
		"1000000000000000000000000000000000000000000000000000000000000000"};
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct range range;
		struct fw_err err = {""};
		assert_true(range_parse(texts[i], &range, &err) < 0);
		assert_true(strlen(err.text) > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_large_ones_are_seen_as_such),
		cmocka_unit_test(test_mistakes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
