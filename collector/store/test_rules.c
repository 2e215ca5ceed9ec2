/* SPDX-License-Identifier: Apache-2.0 */
/* The rules by which an entry is taken: sessions, numbers, ages, columns, deltas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <fenwatch/crc.h>

#include "testkit.h"

enum { STEP = 15000 };

static struct kit kit;
static struct sender sender;

static int setup(void **state)
{
	(void)state;
	kit_init(&kit);
	sender = (struct sender){0};
	sender_begin(&sender, &kit, 1, 7);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kit_done(&kit);
	return 0;
}

static int64_t start_ms(void)
{
	return kit_now_ms - INT64_C(24) * 3600 * 1000;
}

static enum store_verdict live(int i, bool key)
{
	return sender_send(
		&sender, STORE_LIVE, kit.host, kit.schema, start_ms() + i * STEP, 1, STEP, key);
}

static void test_newest_session_counts(void **state)
{
	(void)state;
	struct sender newer = {0};
	assert_int_equal(live(0, true), STORE_DURABLE);
	struct store_entry begun = sender_begin(&newer, &kit, 1, 7);
	assert_int_equal(begun.verdict, STORE_DURABLE);
	assert_int_equal(begun.acked[STORE_LIVE], 1);
	assert_int_equal(begun.acked[STORE_BACKLOG], 0);
	assert_int_not_equal(begun.acked_crc[STORE_LIVE], 0);
	assert_int_equal(live(1, true), STORE_OLD_SESSION);
	assert_int_equal(kit_count(&kit, kit.host, true), 1);
	/* A late hello of the older connection is not heard either. */
	struct store_entry old = {.kind = STORE_SESSION, .stream = 7, .session = 1};
	memcpy(old.agent, sender.agent, sizeof old.agent);
	kit_submit(&kit, &old);
	assert_int_equal(old.verdict, STORE_OLD_SESSION);
	/* Another agent is nobody's predecessor. */
	struct sender other = {0};
	assert_int_equal(sender_begin(&other, &kit, 2, 7).acked[STORE_LIVE], 0);
}

static void test_each_number_once(void **state)
{
	(void)state;
	assert_int_equal(live(0, true), STORE_DURABLE);
	assert_int_equal(live(1, false), STORE_DURABLE);
	for (int again = 0; again < 2; again++) {
		sender.next[STORE_LIVE] = 1;
		assert_int_equal(live(0, true), STORE_DUPLICATE);
		sender.next[STORE_LIVE] = 4;
		assert_int_equal(live(9, true), STORE_NEED_KEY);
		assert_int_equal(kit_count(&kit, kit.host, true), 2);
		sender.next[STORE_LIVE] = sender.next[STORE_BACKLOG] = 0;
		kit_reopen(&kit);
		assert_int_equal(sender_begin(&sender, &kit, 1, 7).acked[STORE_LIVE], 2);
	}
	/* The lanes have numbers of their own; an unknown stream starts at 1. */
	assert_int_equal(sender_send(&sender, STORE_BACKLOG, kit.host, kit.schema,
				 start_ms() - 100 * STEP, 5, STEP, true),
		STORE_DURABLE);
	sender.next[STORE_LIVE] = sender.next[STORE_BACKLOG] = 0;
	assert_int_equal(sender_begin(&sender, &kit, 1, 8).acked[STORE_LIVE], 0);
	assert_int_equal(live(20, true), STORE_DURABLE);
}

static void test_announced_gap_is_counted(void **state)
{
	(void)state;
	assert_int_equal(live(0, true), STORE_DURABLE);
	sender.next[STORE_LIVE] = 11;
	struct store_entry begun = sender_begin(&sender, &kit, 1, 7);
	assert_int_equal(begun.gap[STORE_LIVE], 9);
	assert_int_equal(begun.gap[STORE_BACKLOG], 0);
	assert_int_equal(begun.acked[STORE_LIVE], 10);
	assert_int_equal(begun.acked_crc[STORE_LIVE], 0);
	assert_int_equal(sender.next[STORE_LIVE], 11);
	assert_int_equal(live(1, true), STORE_DURABLE);
	struct store_stat stat;
	store_stat(kit.store, &stat);
	assert_int_equal(stat.gaps, 9);
	kit_reopen(&kit);
	sender.next[STORE_LIVE] = sender.next[STORE_BACKLOG] = 0;
	assert_int_equal(sender_begin(&sender, &kit, 1, 7).acked[STORE_LIVE], 11);
}

static void test_deltas_need_their_base(void **state)
{
	(void)state;
	/* Never heard of. */
	sender.has_last = true;
	assert_int_equal(live(0, false), STORE_NEED_KEY);
	assert_int_equal(live(0, true), STORE_DURABLE);
	assert_int_equal(live(1, false), STORE_DURABLE);
	/* The base survives a clean end; so does it on a new connection. */
	int64_t last[KIT_COLUMNS];
	memcpy(last, sender.last, sizeof last);
	kit_reopen(&kit);
	sender.next[STORE_LIVE] = sender.next[STORE_BACKLOG] = 0;
	sender_begin(&sender, &kit, 1, 7);
	memcpy(sender.last, last, sizeof last);
	sender.has_last = true;
	assert_int_equal(live(2, false), STORE_DURABLE);
	assert_int_equal(kit_count(&kit, kit.host, true), 3);
	/* Another stream wrote to the same host in between. */
	struct sender other = {0};
	sender_begin(&other, &kit, 2, 9);
	assert_int_equal(sender_send(&other, STORE_LIVE, kit.host, kit.schema,
				 start_ms() + 3 * STEP, 1, STEP, true),
		STORE_DURABLE);
	assert_int_equal(live(4, false), STORE_NEED_KEY);
}

static void test_ages(void **state)
{
	(void)state;
	int64_t day = INT64_C(24) * 3600 * 1000;
	struct store_stat stat;
	assert_int_equal(sender_send(&sender, STORE_BACKLOG, kit.host, kit.schema,
				 kit_now_ms - 36 * day, 2, STEP, true),
		STORE_REFUSED);
	assert_int_equal(sender_send(&sender, STORE_BACKLOG, kit.host, kit.schema,
				 kit_now_ms - 34 * day, 2, STEP, true),
		STORE_DURABLE);
	/* An hour ahead: stored as it came, counted. */
	assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit.schema,
				 kit_now_ms + 3600 * 1000, 1, STEP, true),
		STORE_DURABLE);
	store_stat(kit.store, &stat);
	assert_int_equal(stat.refused, 1);
	assert_int_equal(stat.ahead, 1);
	assert_int_equal(stat.late, 2);
	assert_int_equal(stat.newest_ms, kit_now_ms);
	/* Refused numbers are dealt with, for good. */
	kit_reopen(&kit);
	sender.next[STORE_LIVE] = sender.next[STORE_BACKLOG] = 0;
	assert_int_equal(sender_begin(&sender, &kit, 1, 7).acked[STORE_BACKLOG], 2);
	kit.config.any_age = true;
	kit_reopen(&kit);
	sender_begin(&sender, &kit, 1, 7);
	assert_int_equal(
		sender_send(&sender, STORE_BACKLOG, kit.host, kit.schema, 0, 2, STEP, true),
		STORE_DURABLE);
	assert_int_equal(kit_count(&kit, kit.host, false), 5);
}

/* A clock that leapt leaves sweeps together that no block takes. They are dealt with: an
 * agent that was only hung up on would come with them for ever. */
static void test_times_that_cannot_be_are_refused(void **state)
{
	(void)state;
	int64_t day = INT64_C(24) * 3600 * 1000;
	static const enum store_lane lanes[] = {STORE_LIVE, STORE_BACKLOG};
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sender_send(&sender, lanes[i], kit.host, kit.schema,
					 kit_now_ms - 21 * day, 2, 21 * day, true),
			STORE_REFUSED);
		assert_int_equal(sender_send(&sender, lanes[i], kit.host, kit.schema,
					 INT64_C(1) << 45, 1, STEP, true),
			STORE_REFUSED);
		assert_int_equal(sender_send(&sender, lanes[i], kit.host, kit.schema, start_ms(), 1,
					 STEP, true),
			STORE_DURABLE);
	}
	struct store_stat stat;
	store_stat(kit.store, &stat);
	assert_int_equal(stat.refused, 4);
	kit_reopen(&kit);
	sender.next[STORE_LIVE] = sender.next[STORE_BACKLOG] = 0;
	struct store_entry begun = sender_begin(&sender, &kit, 1, 7);
	assert_int_equal(begun.acked[STORE_LIVE], 3);
	assert_int_equal(begun.acked[STORE_BACKLOG], 3);
}

static struct store_host only_host(void)
{
	struct store_host *hosts;
	struct fw_arena arena = {0};
	assert_int_equal(store_hosts(kit.store, &arena, &hosts), 1);
	struct store_host host = hosts[0];
	fw_arena_done(&arena);
	return host;
}

/* Nine minutes ahead it is stored as it came; eleven, as of when it came. */
static void test_a_clock_that_is_ahead_is_known(void **state)
{
	static const int64_t ahead_ms[] = {9 * 60 * 1000, 11 * 60 * 1000, 0};
	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit.schema,
					 kit_now_ms + ahead_ms[i], 1, STEP, true),
			STORE_DURABLE);
		assert_int_equal(only_host().ahead_ms, i == 1 ? ahead_ms[1] : 0);
		assert_int_equal(only_host().newest_ms, kit_now_ms + (i == 0 ? ahead_ms[0] : 0));
	}
}

static void test_clock_set_back(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(live(100 + i, i == 0), STORE_DURABLE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(live(i, false), STORE_DURABLE);
	assert_int_equal(kit_count(&kit, kit.host, true), 6);
	struct store_host *hosts;
	struct fw_arena arena = {0};
	store_hosts(kit.store, &arena, &hosts);
	assert_int_equal(hosts[0].newest_ms, start_ms() + 2 * STEP);
	fw_arena_done(&arena);
	kit_reopen(&kit);
	assert_int_equal(kit_count(&kit, kit.host, true), 6);
}

static void test_columns_are_limited(void **state)
{
	(void)state;
	kit.config.columns_per_host = KIT_COLUMNS + 1;
	kit_reopen(&kit);
	sender_begin(&sender, &kit, 1, 7);
	assert_int_equal(live(0, true), STORE_DURABLE);
	uint32_t other = kit_schema(&kit, "n");
	assert_int_equal(
		sender_send(&sender, STORE_LIVE, kit.host, other, start_ms(), 1, STEP, true),
		STORE_REFUSED);
	assert_int_equal(sender_send(&sender, STORE_LIVE, kit_host(&kit, "beta"), other, start_ms(),
				 1, STEP, true),
		STORE_DURABLE);
}

/* Refused by its schema alone, in either lane: nothing of it is decoded, as that could cost
 * everybody's time. Here its cells would not even fit. */
static void test_a_wide_schema_costs_nothing(void **state)
{
	(void)state;
	const char *const names[] = {"a", "b", "c", "d", "e"};
	uint32_t five = kit_schema_of(&kit, names, 5);
	assert_int_equal(
		sender_send(&sender, STORE_LIVE, kit.host, five, start_ms(), 1, STEP, true),
		STORE_BAD);
	kit.config.columns_per_host = 4;
	kit_reopen(&kit);
	sender.next[STORE_LIVE] = sender.next[STORE_BACKLOG] = 0;
	sender_begin(&sender, &kit, 1, 7);
	assert_int_equal(
		sender_send(&sender, STORE_LIVE, kit.host, five, start_ms(), 1, STEP, true),
		STORE_REFUSED);
	assert_int_equal(
		sender_send(&sender, STORE_BACKLOG, kit.host, five, start_ms(), 1, STEP, true),
		STORE_REFUSED);
}

/* The one later in the log wins where times are equal, whatever lane it came by. */
static void test_equal_times(void **state)
{
	(void)state;
	const char *const one[] = {"v"};
	uint32_t schema = kit.schema = kit_schema_of(&kit, one, 1);
	int64_t times[3] = {start_ms(), start_ms() + STEP, start_ms() + 2 * STEP};
	for (int64_t round = 0; round < 3; round++) {
		int64_t cells[3] = {round, round, round};
		struct store_entry entry = {
			.kind = STORE_CELLS,
			.host = kit.host,
			.schema = schema,
			.sweeps = {.n_sweeps = 3,
				.n_columns = 1,
				.times_ms = times,
				.cells = cells},
		};
		kit_submit(&kit, &entry);
		assert_int_equal(entry.verdict, STORE_DURABLE);
		for (int again = 0; again < 2; again++) {
			struct fw_arena arena = {0};
			struct store_columns columns;
			assert_int_equal(
				kit_read(&kit, kit.host, 0, kit_now_ms, &arena, &columns), 3);
			for (int i = 0; i < 3; i++)
				assert_int_equal(columns.cells[0][i], round);
			fw_arena_done(&arena);
			if (again == 0)
				kit_reopen(&kit);
		}
	}
}

static enum store_verdict send_two(uint32_t schema, int64_t at_ms)
{
	int64_t cells[2] = {at_ms % 1000, 5};
	struct store_entry entry = {
		.kind = STORE_CELLS,
		.host = kit.host,
		.schema = schema,
		.sweeps = {.n_sweeps = 1, .n_columns = 2, .times_ms = &at_ms, .cells = cells},
	};
	kit_submit(&kit, &entry);
	return entry.verdict;
}

static void test_a_schema_is_replaced(void **state)
{
	(void)state;
	const char *const before[] = {"kept", "gone"}, *const after[] = {"kept", "new"};
	uint32_t old = kit_schema_of(&kit, before, 2), new = kit_schema_of(&kit, after, 2);
	int64_t at_ms = start_ms();
	assert_int_equal(send_two(old, at_ms), STORE_DURABLE);
	assert_int_equal(send_two(new, at_ms + STEP + 7), STORE_DURABLE);
	for (int again = 0; again < 2; again++) {
		struct fw_arena arena = {0};
		struct store_columns columns;
		kit.schema = old;
		assert_int_equal(kit_read(&kit, kit.host, 0, kit_now_ms, &arena, &columns), 2);
		assert_int_equal(columns.times_ms[1], at_ms + STEP + 7);
		assert_int_equal(columns.cells[0][1], (at_ms + STEP + 7) % 1000);
		assert_true(columns.cells[1][1] == FW_ABSENT);
		kit.schema = new;
		assert_int_equal(kit_read(&kit, kit.host, 0, kit_now_ms, &arena, &columns), 1);
		fw_arena_done(&arena);
		kit_reopen(&kit);
	}
	/* Schemas that have nothing in common live side by side. */
	const char *const apart[] = {"x", "y"};
	assert_int_equal(send_two(kit_schema_of(&kit, apart, 2), at_ms + 2 * STEP), STORE_DURABLE);
	struct store_stat stat;
	store_stat(kit.store, &stat);
	assert_int_equal(stat.series, 4);
}

static void test_bad_entries(void **state)
{
	(void)state;
	assert_int_equal(
		sender_send(&sender, STORE_LIVE, 99, kit.schema, start_ms(), 1, STEP, true),
		STORE_BAD);
	assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, 99, start_ms(), 1, STEP, true),
		STORE_BAD);
	const char *const few[] = {"a", "b"};
	assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit_schema_of(&kit, few, 2),
				 start_ms(), 1, STEP, true),
		STORE_BAD);
	assert_int_equal(live(0, true), STORE_DURABLE);
	const struct fw_label no_job[] = {{"instance", "x"}};
	uint32_t id;
	struct fw_err err;
	assert_true(store_host_intern(kit.store, no_job, 1, &id, &err) < 0);
	assert_non_null(strstr(err.text, "job"));
}

/* ---- documents and events ---- */

static struct {
	unsigned told;
	uint64_t position[8];
	char text[8][16];
	uint8_t agent;
	uint64_t seq;
} filed;

static void on_record(const struct store_record *record, void *arg)
{
	(void)arg;
	unsigned at = filed.told++ % 8;
	filed.position[at] = record->position;
	filed.agent = record->agent[0];
	filed.seq = record->seq;
	size_t n = record->length < 15 ? record->length : 15;
	memcpy(filed.text[at], record->payload, n);
	filed.text[at][n] = '\0';
}

static enum store_verdict send_event(const char *text)
{
	struct store_entry entry = {
		.kind = STORE_EVENT,
		.stream = 7,
		.session = sender.session,
		.seq = sender.next[STORE_LIVE]++,
		.host = kit.host,
		.payload = (const uint8_t *)text,
		.length = strlen(text),
	};
	memcpy(entry.agent, sender.agent, sizeof entry.agent);
	kit_submit(&kit, &entry);
	return entry.verdict;
}

static void reopen_with_records(void)
{
	memset(&filed, 0, sizeof filed);
	kit.config.on_record = on_record;
	kit_reopen(&kit);
	sender.next[STORE_LIVE] = sender.next[STORE_BACKLOG] = 0;
	sender_begin(&sender, &kit, 1, 7);
}

static void test_records_are_told_until_released(void **state)
{
	(void)state;
	reopen_with_records();
	assert_int_equal(send_event("one"), STORE_DURABLE);
	assert_int_equal(send_event("two"), STORE_DURABLE);
	assert_int_equal(filed.told, 2);
	uint64_t first = filed.position[0], second = filed.position[1];
	store_release(kit.store, first);
	reopen_with_records();
	assert_int_equal(filed.told, 1);
	assert_string_equal(filed.text[0], "two");
	assert_int_equal(filed.position[0], second);
	assert_int_equal(filed.seq, 2);
	/* It stays while the log goes round and round. */
	for (int i = 0; i < 1500; i++)
		assert_int_equal(live(i % 200, i % 50 == 0), STORE_DURABLE);
	reopen_with_records();
	assert_int_equal(filed.told, 1);
	assert_string_equal(filed.text[0], "two");
	assert_int_equal(filed.position[0], second);
	store_release(kit.store, second);
	reopen_with_records();
	assert_int_equal(filed.told, 0);
}

/* Events in more segments than the log has: they are carried, and keep their names. */
static void test_records_are_carried(void **state)
{
	(void)state;
	enum { EVENTS = 7 };
	uint64_t names[EVENTS];
	reopen_with_records();
	for (int i = 0; i < EVENTS; i++) {
		char text[] = {'e', (char)('0' + i), '\0'};
		assert_int_equal(send_event(text), STORE_DURABLE);
		names[i] = filed.position[i];
		for (int k = 0; k < 500; k++)
			assert_int_equal(live(i * 500 + k, k % 50 == 0), STORE_DURABLE);
	}
	for (int again = 0; again < 2; again++) {
		reopen_with_records();
		assert_int_equal(filed.told, EVENTS);
		for (int i = 0; i < EVENTS; i++) {
			unsigned at = 0;
			while (at < EVENTS && filed.position[at] != names[i])
				at++;
			assert_in_range(at, 0, EVENTS - 1);
			assert_int_equal(filed.text[at][1], '0' + i);
		}
	}
	for (int i = 0; i < EVENTS; i++)
		store_release(kit.store, names[i]);
	reopen_with_records();
	assert_int_equal(filed.told, 0);
	assert_int_equal(kit_count(&kit, kit.host, true), EVENTS * 500);
}

static void test_too_many_records_stop(void **state)
{
	(void)state;
	static char text[8192];
	memset(text, 'x', sizeof text - 1);
	reopen_with_records();
	int taken = 0;
	while (send_event(text) == STORE_DURABLE)
		taken++;
	assert_in_range(taken, 1, 4); /* a quarter of a log segment */
	sender.next[STORE_LIVE]--;
	assert_int_equal(live(0, true), STORE_DURABLE);
	for (int i = 0; i < taken; i++)
		store_release(kit.store, filed.position[i % 8]);
	assert_int_equal(send_event(text), STORE_DURABLE);
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		RULE(test_newest_session_counts),
		RULE(test_each_number_once),
		RULE(test_announced_gap_is_counted),
		RULE(test_deltas_need_their_base),
		RULE(test_ages),
		RULE(test_times_that_cannot_be_are_refused),
		RULE(test_a_clock_that_is_ahead_is_known),
		RULE(test_clock_set_back),
		RULE(test_columns_are_limited),
		RULE(test_a_wide_schema_costs_nothing),
		RULE(test_equal_times),
		RULE(test_a_schema_is_replaced),
		RULE(test_bad_entries),
		RULE(test_records_are_told_until_released),
		RULE(test_records_are_carried),
		RULE(test_too_many_records_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
