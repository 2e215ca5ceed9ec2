/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct piece find(const struct ledger *ledger, int lane, uint64_t number)
{
	struct piece piece;
	ledger_find(ledger, lane, number, &piece);
	return piece;
}

static void live_numbers_go_host_after_host(void **state)
{
	struct ledger ledger;
	(void)state;
	ledger_init(&ledger, 3);
	for (int i = 0; i < 4; i++)
		ledger_tick(&ledger);
	struct piece piece = find(&ledger, LEDGER_LIVE, 8);
	assert_int_equal(piece.host, 1);
	assert_int_equal(piece.tick, 2);
	assert_int_equal(piece.sweeps, 1);
	assert_false(piece.begins);
	assert_true(find(&ledger, LEDGER_LIVE, 3).begins);
	ledger_done(&ledger);
}

static void what_passed_without_a_connection_is_backlog(void **state)
{
	struct ledger ledger;
	(void)state;
	ledger_init(&ledger, 2);
	ledger_tick(&ledger);
	ledger_miss(&ledger, 1 + 2 * BACKLOG_SWEEPS + 5);
	ledger_tick(&ledger);
	assert_int_equal(ledger.lanes[LEDGER_BACKLOG].next - 1, 2 * (2 + 1));
	struct piece piece = find(&ledger, LEDGER_BACKLOG, 4);
	assert_int_equal(piece.host, 1);
	assert_int_equal(piece.tick, 1 + BACKLOG_SWEEPS);
	assert_int_equal(piece.sweeps, BACKLOG_SWEEPS);
	piece = find(&ledger, LEDGER_BACKLOG, 5);
	assert_int_equal(piece.tick, 1 + 2 * BACKLOG_SWEEPS);
	assert_int_equal(piece.sweeps, 5);
	piece = find(&ledger, LEDGER_LIVE, 3);
	assert_int_equal(piece.tick, 1 + 2 * BACKLOG_SWEEPS + 5);
	assert_true(piece.begins);
	ledger_done(&ledger);
}

static void sweeps_count_once_when_they_are_acknowledged(void **state)
{
	struct ledger ledger;
	(void)state;
	ledger_init(&ledger, 1);
	ledger_tick(&ledger);
	ledger_miss(&ledger, 71);
	ledger_tick(&ledger);
	assert_int_equal(ledger_ack(&ledger, LEDGER_LIVE, 1), -EPROTO);
	ledger.lanes[LEDGER_LIVE].sent = ledger.lanes[LEDGER_BACKLOG].sent = 2;
	assert_int_equal(ledger_ack(&ledger, LEDGER_LIVE, 1), 0);
	assert_int_equal(ledger_ack(&ledger, LEDGER_LIVE, 1), 0);
	assert_int_equal(ledger_ack(&ledger, LEDGER_BACKLOG, 2), 0);
	assert_int_equal(ledger.acked_sweeps, 1 + 70);
	assert_false(ledger_is_settled(&ledger));
	assert_int_equal(ledger_ack(&ledger, LEDGER_LIVE, 2), 0);
	assert_int_equal(ledger.acked_sweeps, 72);
	assert_int_equal(ledger.next_tick, 72);
	assert_true(ledger_is_settled(&ledger));
	ledger_done(&ledger);
}

static void a_welcome_never_takes_back(void **state)
{
	struct ledger ledger;
	(void)state;
	ledger_init(&ledger, 1);
	for (int i = 0; i < 5; i++)
		ledger_tick(&ledger);
	ledger.lanes[LEDGER_LIVE].sent = 5;
	assert_int_equal(ledger_ack(&ledger, LEDGER_LIVE, 3), 0);
	assert_int_equal(ledger_welcome(&ledger, LEDGER_LIVE, 2), -EPROTO);
	assert_int_equal(ledger_welcome(&ledger, LEDGER_LIVE, 6), -EPROTO);
	assert_int_equal(ledger_welcome(&ledger, LEDGER_LIVE, 4), 0);
	assert_int_equal(ledger.lanes[LEDGER_LIVE].sent, 4);
	assert_int_equal(ledger.acked_sweeps, 4);
	ledger_done(&ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(live_numbers_go_host_after_host),
		cmocka_unit_test(what_passed_without_a_connection_is_backlog),
		cmocka_unit_test(sweeps_count_once_when_they_are_acknowledged),
		cmocka_unit_test(a_welcome_never_takes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
