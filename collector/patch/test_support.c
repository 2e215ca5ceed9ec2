/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/clock.h>

static int64_t at(const char *text)
{
	int64_t ms;
	assert_int_equal(fw_time_parse(text, &ms), 0);
	return ms / 1000;
}

static void the_table_that_ships(void **state)
{
	(void)state;
	struct support s;
	struct fw_err err;
	if (support_open(&s, NULL, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(s.n > 60);
	for (size_t i = 0; i < s.n; i++) {
		const struct support_entry *e = &s.entries[i];
		assert_ptr_equal(support_find(&s, e->id, e->version), e); /* none comes twice */
		assert_true(*e->name && support_end(e, true) > 0);
		/* Tiers follow one another. */
		assert_true(!e->end_s[1] || e->end_s[1] >= e->end_s[0]);
		assert_true(!e->end_s[2] || e->end_s[2] > e->end_s[1]);
	}
	const struct support_entry *debian = support_find(&s, "debian", "12");
	assert_string_equal(debian->release, "bookworm");
	assert_int_equal(debian->end_s[PATCH_EXTENDED], at("2028-07-01T00:00:00Z"));
	const struct support_entry *old = support_find(&s, "windows", "server 2012");
	assert_int_equal(old->end_s[PATCH_ESU], at("2026-10-14T00:00:00Z"));
	assert_ptr_equal(support_find(&s, "rhel", "9.4"), support_find(&s, "rhel", "9"));
	assert_null(support_find(&s, "debian", "99"));
	assert_null(support_find(&s, "", ""));
	support_done(&s);
}

static void paid_tiers_count_for_who_pays(void **state)
{
	(void)state;
	struct support s;
	struct fw_err err;
	assert_int_equal(support_open(&s, NULL, &err), 0);
	const struct support_entry *bionic = support_find(&s, "ubuntu", "18.04");
	assert_int_equal(support_end(bionic, false), at("2023-06-01T00:00:00Z"));
	assert_int_equal(support_end(bionic, true), at("2028-04-27T00:00:00Z"));
	support_done(&s);
}

static void mistakes_are_told_by_line(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"a,1,A,,2026-01-01,,\nb,1,B,,2026-13-01,,\n",
		"\nb,1,B,,2026-01-01,\n",
		"#\n,1,B,,2026-01-01,,\n",
		"a,1,A,,2026-01-01,,\nb,1,B,,2026-01-01,,,\n",
		"a,1,A,,2026-01-01,,\nb,1,B,,tomorrow,,\n",
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct support s;
		struct fw_err err;
		assert_true(support_parse(&s, wrong[i], strlen(wrong[i]), &err) < 0);
		assert_non_null(strstr(err.text, "line 2: "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_that_ships),
		cmocka_unit_test(paid_tiers_count_for_who_pays),
		cmocka_unit_test(mistakes_are_told_by_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
