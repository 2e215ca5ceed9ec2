/* SPDX-License-Identifier: Apache-2.0 */
#include "trapinforms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define START_MS 1000

static unsigned n_answered;
static long answered[8]; /* by their request's number */

static void note_answer(void *to, netsnmp_pdu *pdu)
{
	assert_ptr_equal(to, answered);
	assert_int_equal(pdu->command, SNMP_MSG_RESPONSE);
	answered[n_answered++ % 8] = pdu->reqid;
	snmp_free_pdu(pdu);
}

/* Its key is its request's. */
static void hold(struct trap_informs *w, long id, size_t bytes, uint64_t number, int64_t now_ms)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_INFORM);
	pdu->reqid = id;
	trap_informs_hold(w, answered, pdu, bytes, (uint64_t)id, number, now_ms);
	snmp_free_pdu(pdu);
}

static int set_up(void **state)
{
	n_answered = 0;
	*state = trap_informs_new(note_answer);
	return 0;
}

static int tear_down(void **state)
{
	trap_informs_free(*state);
	return 0;
}

static void test_an_answer_waits_for_the_disk(void **state)
{
	struct trap_informs *w = *state;
	hold(w, 7, 100, 2, START_MS);
	hold(w, 8, 100, 3, START_MS);
	hold(w, 9, 100, 1, START_MS);
	assert_int_equal(n_answered, 0);
	trap_informs_durable(w, 2);
	assert_int_equal(n_answered, 2);
	assert_int_equal(answered[0], 7);
	assert_int_equal(answered[1], 9);
	hold(w, 10, 100, 2, START_MS); /* that is there already */
	assert_int_equal(n_answered, 3);
	trap_informs_durable(w, 3);
	assert_int_equal(answered[3], 8);
	assert_int_equal(trap_informs_unanswered(w), 0);
}

static void test_one_that_was_counted_waits_for_the_count(void **state)
{
	struct trap_informs *w = *state;
	hold(w, 7, 100, 2, START_MS);
	hold(w, 8, 100, TRAP_UNTOLD, START_MS);
	trap_informs_durable(w, 2);
	assert_int_equal(n_answered, 1);
	trap_informs_told(w, 4);
	assert_int_equal(n_answered, 1);
	trap_informs_durable(w, 3);
	assert_int_equal(n_answered, 1);
	trap_informs_durable(w, 4);
	assert_int_equal(n_answered, 2);
	assert_int_equal(answered[1], 8);
}

static void test_one_that_is_sent_again_is_known(void **state)
{
	struct trap_informs *w = *state;
	assert_false(trap_informs_again(w, 7, START_MS));
	assert_false(trap_informs_again(w, 0, START_MS));
	hold(w, 7, 100, 2, START_MS);
	assert_true(trap_informs_again(w, 7, START_MS + TRAP_INFORM_MS - 1));
	assert_false(trap_informs_again(w, 8, START_MS));
	assert_false(trap_informs_again(w, 7, START_MS + TRAP_INFORM_MS));
}

static void test_one_that_is_too_old_is_given_up_and_counted(void **state)
{
	struct trap_informs *w = *state;
	hold(w, 7, 100, 1, START_MS);
	hold(w, 8, 100, 2, START_MS + 1);
	trap_informs_expire(w, START_MS + TRAP_INFORM_MS - 1);
	assert_int_equal(trap_informs_waiting(w), 2);
	trap_informs_expire(w, START_MS + TRAP_INFORM_MS);
	assert_int_equal(trap_informs_waiting(w), 1);
	assert_int_equal(trap_informs_unanswered(w), 1);
	assert_int_equal(trap_informs_unanswered(w), 0);
	trap_informs_durable(w, 2);
	assert_int_equal(n_answered, 1);
	assert_int_equal(answered[0], 8);
}

static void test_without_room_there_is_no_answer(void **state)
{
	struct trap_informs *w = *state;
	hold(w, 1, TRAP_INFORM_BYTES - 100, 1, START_MS);
	hold(w, 2, 101, 2, START_MS);
	hold(w, 3, 100, 3, START_MS);
	assert_int_equal(trap_informs_unanswered(w), 1);
	trap_informs_durable(w, 3);
	assert_int_equal(n_answered, 2);
	for (int i = 0; i < TRAP_INFORMS + 1; i++)
		hold(w, i, 1, 4, START_MS);
	assert_int_equal(trap_informs_waiting(w), TRAP_INFORMS);
	assert_int_equal(trap_informs_unanswered(w), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_an_answer_waits_for_the_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_one_that_was_counted_waits_for_the_count, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_one_that_is_sent_again_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_one_that_is_too_old_is_given_up_and_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_without_room_there_is_no_answer, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
