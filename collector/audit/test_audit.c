/* SPDX-License-Identifier: Apache-2.0 */
/* What the trail shows of those who meddle with it. */
#include "audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/mem.h>

#include "state.h"
#include "test_tree.h"

struct place {
	char dir[64];
	struct state *state;
};

static void must(int rc, const struct fw_err *err)
{
	if (rc < 0)
		fail_msg("%s", err->text);
}

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	struct fw_err err;
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-audit-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	must(state_open(&place->state, place->dir, &err), &err);
	must(audit_open(place->state, &err), &err);
	*arg = place;
	return 0;
}

static int tear_down(void **arg)
{
	struct place *place = *arg;
	state_close(place->state);
	int rc = test_remove_tree(place->dir);
	fw_free(place);
	return rc;
}

static void add(struct place *place, int64_t at_ms, const char *kind, const char *subject)
{
	const struct audit_entry entry = {
		.at_ms = at_ms, .kind = kind, .subject = subject, .who = "", .detail = "{}"};
	struct fw_err err;
	must(audit_add(place->state, &entry, &err), &err);
}

static void add_ten(struct place *place)
{
	for (int64_t i = 1; i <= 10; i++)
		add(place, i * 1000, i % 2 ? "fired" : "cleared", i < 6 ? "fw1-a" : "fw1-b");
}

static struct audit_verdict check(struct place *place)
{
	struct audit_verdict verdict;
	struct fw_err err;
	must(audit_check(place->state, &verdict, &err), &err);
	return verdict;
}

static void meddle(struct place *place, const char *sql)
{
	struct fw_err err;
	must(state_run(place->state, &err, sql, ""), &err);
}

struct heard {
	char text[256];
	int left;
};

static bool hear(const struct audit_entry *entry, void *arg)
{
	struct heard *heard = arg;
	size_t used = strlen(heard->text);
	snprintf(heard->text + used, sizeof heard->text - used, "%lld %s ", (long long)entry->id,
		entry->subject);
	return --heard->left > 0;
}

static void expect(struct place *place, struct audit_range range, int most, const char *text)
{
	struct heard heard = {.left = most};
	struct fw_err err;
	must(audit_each(place->state, &range, hear, &heard, &err), &err);
	assert_string_equal(heard.text, text);
}

static void entries_are_read_in_their_order(void **arg)
{
	struct place *place = *arg;
	add_ten(place);
	expect(place, (struct audit_range){.after_id = 7}, 9, "8 fw1-b 9 fw1-b 10 fw1-b ");
	expect(place, (struct audit_range){.after_id = 4, .until_ms = 7000}, 9, "5 fw1-a 6 fw1-b ");
	expect(place, (struct audit_range){.from_ms = 4000, .subject = "fw1-a"}, 9,
		"4 fw1-a 5 fw1-a ");
	expect(place, (struct audit_range){0}, 2, "1 fw1-a 2 fw1-a ");
}

static void an_untouched_chain_holds(void **arg)
{
	struct place *place = *arg;
	assert_int_equal(check(place).head_id, 0);
	add_ten(place);
	struct audit_verdict verdict = check(place);
	assert_int_equal(verdict.broken_id, 0);
	assert_int_equal(verdict.entries, 10);
	assert_int_equal(verdict.head_id, 10);
}

static void what_was_changed_added_or_taken_away_shows(void **arg)
{
	static const struct {
		const char *sql;
		int64_t broken;
	} cases[] = {
		{"UPDATE audit SET at_ms = at_ms + 1 WHERE id = 4", 4},
		{"UPDATE audit SET kind = 'told' WHERE id = 1", 1},
		{"UPDATE audit SET who = 'jo' WHERE id = 10", 10},
		{"UPDATE audit SET detail = '{ }' WHERE id = 2", 2},
		{"UPDATE audit SET subject = 'cleared', kind = 'fw1-b' WHERE id = 6", 6},
		{"UPDATE audit SET hash = x'00' WHERE id = 3", 3},
		{"DELETE FROM audit WHERE id = 5", 6},
		{"UPDATE audit SET id = 11 WHERE id = 10", 11},
	};
	struct place *place = *arg;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		meddle(place, "DELETE FROM audit");
		add_ten(place);
		meddle(place, cases[i].sql);
		if (check(place).broken_id != cases[i].broken)
			fail_msg("%s: %lld", cases[i].sql, (long long)check(place).broken_id);
	}
}

static void the_oldest_may_go_and_the_rest_still_holds(void **arg)
{
	struct place *place = *arg;
	struct fw_err err;
	add_ten(place);
	must(audit_forget(place->state, 4000, &err), &err);
	struct audit_verdict verdict = check(place);
	assert_int_equal(verdict.broken_id, 0);
	assert_int_equal(verdict.entries, 7);
	must(audit_forget(place->state, 1000000, &err), &err);
	add(place, 11000, "told", "fw1-b");
	verdict = check(place);
	assert_int_equal(verdict.broken_id, 0);
	assert_int_equal(verdict.entries, 2);
	assert_int_equal(verdict.head_id, 11);
}

static void a_clock_that_was_wrong_makes_no_gap(void **arg)
{
	struct place *place = *arg;
	struct fw_err err;
	add_ten(place);
	add(place, 5, "told", "fw1-b");
	add(place, 12000, "told", "fw1-b");
	must(audit_forget(place->state, 4000, &err), &err);
	struct audit_verdict verdict = check(place);
	assert_int_equal(verdict.broken_id, 0);
	assert_int_equal(verdict.entries, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(entries_are_read_in_their_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_untouched_chain_holds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_was_changed_added_or_taken_away_shows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_oldest_may_go_and_the_rest_still_holds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_clock_that_was_wrong_makes_no_gap, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
