/* SPDX-License-Identifier: Apache-2.0 */
/* The clock as arithmetic, at moments chosen. */
#include "rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define T INT64_C(1795390000)
#define DAY_S INT64_C(86400)

static struct patch_fix fix_of(enum patch_class class, const char *severity, double cvss)
{
	return (struct patch_fix){
		.class = class, .severity = severity, .cvss = cvss, .state = "pending"};
}

static void who_is_bound(void **state)
{
	(void)state;
	static const struct {
		enum patch_class class;
		const char *severity;
		double cvss;
		bool ce14;
	} cases[] = {
		{PATCH_SECURITY, "critical", 0, true},
		{PATCH_SECURITY, "Important", 0, true},
		{PATCH_SECURITY, "high", 0, true},
		{PATCH_SECURITY, "", 0, true}, /* no severity is said: it counts */
		{PATCH_UNKNOWN, "", 0, true},
		{PATCH_SECURITY, "none of our business", 0, true},
		{PATCH_SECURITY, "moderate", 0, false},
		{PATCH_SECURITY, "low", 6.9, false},
		{PATCH_SECURITY, "low", 7.0, true},
		{PATCH_SECURITY, "", 6.9, false},
		{PATCH_BUGFIX, "", 0, false},
		{PATCH_BUGFIX, "important", 0, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct patch_fix fix = fix_of(cases[i].class, cases[i].severity, cases[i].cvss);
		if (rules_apply(PATCH_CE14, &fix) != cases[i].ce14)
			fail_msg("case %zu", i);
		assert_true(rules_apply(PATCH_NCSC5, &fix));
		assert_true(rules_apply(PATCH_NCSC7, &fix));
	}
}

/* What the vendor gives to some machines first is not late on the others. */
static void phased_updates_wait(void **state)
{
	(void)state;
	struct patch_fix fix = fix_of(PATCH_BUGFIX, "", 0);
	fix.state = "phased";
	assert_false(rules_apply(PATCH_NCSC5, &fix));
	fix.class = PATCH_SECURITY;
	assert_true(rules_apply(PATCH_NCSC5, &fix));
	assert_true(rules_apply(PATCH_CE14, &fix));
}

static void check_start(struct rules_evidence evidence, int64_t start_s, enum patch_basis basis)
{
	enum patch_basis got;
	assert_int_equal(rules_start(&evidence, &got), start_s);
	assert_int_equal(got, basis);
}

static void where_the_clock_starts(void **state)
{
	(void)state;
	/* vendor, advisory, listed, earlier, seen */
	check_start((struct rules_evidence){T, 0, T - 50, 0, T + 9}, T, PATCH_BY_VENDOR);
	check_start((struct rules_evidence){T, T - 9, 0, 0, T}, T - 9, PATCH_BY_ADVISORY);
	check_start((struct rules_evidence){T, 0, 0, T - 99, T}, T - 99, PATCH_BY_EARLIER);
	check_start((struct rules_evidence){0, T, T - 5, 0, T + 9}, T - 5, PATCH_BY_LIST);
	check_start((struct rules_evidence){0, T - 7, T - 5, 0, T}, T - 7, PATCH_BY_ADVISORY);
	check_start((struct rules_evidence){0, 0, T - 5, 0, T}, T - 5, PATCH_BY_LIST);
	/* A list that is said to lack what was seen before it was made proves nothing. */
	check_start((struct rules_evidence){0, 0, T + 5, 0, T}, T, PATCH_BY_SIGHT);
	check_start((struct rules_evidence){0, 0, 0, 0, T}, T, PATCH_BY_SIGHT);
	/* Nor does a date in the metadata that was not yet when it was seen. */
	check_start((struct rules_evidence){T + 900 * DAY_S, 0, 0, 0, T}, T, PATCH_BY_SIGHT);
}

static void to_the_second(void **state)
{
	(void)state;
	const struct rules_evidence evidence = {.vendor_s = T};
	struct patch_fix fix = fix_of(PATCH_SECURITY, "", 0);
	rules_date(&fix, &evidence);
	assert_int_equal(fix.due_s[PATCH_CE14], T + 14 * DAY_S);
	assert_int_equal(fix.due_s[PATCH_NCSC5], T + 5 * DAY_S);
	assert_int_equal(fix.due_s[PATCH_NCSC7], T + 7 * DAY_S);
	assert_false(rules_is_overdue(&fix, PATCH_CE14, T + 14 * DAY_S));
	assert_true(rules_is_overdue(&fix, PATCH_CE14, T + 14 * DAY_S + 1));
	fix = fix_of(PATCH_BUGFIX, "", 0);
	rules_date(&fix, &evidence);
	assert_int_equal(fix.due_s[PATCH_CE14], 0);
	assert_false(rules_is_overdue(&fix, PATCH_CE14, T + 1000 * DAY_S));
	assert_true(rules_is_overdue(&fix, PATCH_NCSC5, T + 1000 * DAY_S));
}

static void the_worst_is_said(void **state)
{
	(void)state;
	struct patch_host host = {.overdue = {[PATCH_NCSC5] = 1}};
	assert_int_equal(patch_standing(&host, PATCH_CE14), PATCH_COMPLIANT);
	assert_int_equal(patch_standing(&host, PATCH_NCSC5), PATCH_OVERDUE);
	host.why = "old";
	assert_int_equal(patch_standing(&host, PATCH_CE14), PATCH_UNPROVEN);
	host.os_ended = true;
	assert_int_equal(patch_standing(&host, PATCH_CE14), PATCH_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_bound),
		cmocka_unit_test(phased_updates_wait),
		cmocka_unit_test(where_the_clock_starts),
		cmocka_unit_test(to_the_second),
		cmocka_unit_test(the_worst_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
