/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: what was short becomes long, rows come above, and no answer changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "internal.h"
#include "testkit.h"

enum {
	STEP = 15000,
	HOSTS = 3,
	SEGMENT = 8 << 10,
	SEGMENTS = 64,
	FEW = 16,
	MANY = 12000,
	TURNS = 20,
	TURN_SWEEPS = 8640
};

static struct kit kit;
static struct sender senders[HOSTS];
static uint32_t hosts[HOSTS];
static int64_t next_ms;

static void begin(uint64_t segments)
{
	static const char *const names[HOSTS] = {"alpha", "beta", "gamma"};
	kit_init_of(&kit, SEGMENT, segments); /* small, so that they fill in a test */
	next_ms = kit_now_ms - INT64_C(30) * 24 * 3600 * 1000;
	memset(senders, 0, sizeof senders);
	for (int i = 0; i < HOSTS; i++) {
		hosts[i] = kit_host(&kit, names[i]);
		sender_begin(&senders[i], &kit, (uint8_t)(i + 1), 7);
	}
}

static int setup(void **state)
{
	(void)state;
	begin(SEGMENTS);
	return 0;
}

static int setup_few(void **state)
{
	(void)state;
	begin(FEW);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kit_done(&kit);
	return 0;
}

static void send_all(int sweeps)
{
	for (int i = 0; i < sweeps; i += 20, next_ms += 20 * STEP)
		for (int h = 0; h < HOSTS; h++)
			assert_int_equal(sender_send(&senders[h], STORE_LIVE, hosts[h], kit.schema,
						 next_ms, 20, STEP, i == 0),
				STORE_DURABLE);
}

static struct store_stat stat_now(void)
{
	struct store_stat stat;
	store_stat(kit.store, &stat);
	return stat;
}

static void restart(void)
{
	kit_reopen(&kit);
	for (int i = 0; i < HOSTS; i++)
		sender_begin(&senders[i], &kit, (uint8_t)(i + 1), 7);
}

static void test_joins_and_rolls_up(void **state)
{
	(void)state;
	send_all(6000);
	for (int h = 0; h < HOSTS; h++)
		assert_int_equal(kit_count(&kit, hosts[h], true), 6000);
	struct store_stat stat = stat_now();
	assert_true(stat.digests > 0);
	assert_true(stat.tiers[STORE_FIVE_MINUTE].blocks > 0);
	/* Much fewer blocks than were written. */
	assert_true(stat.tiers[STORE_RAW].blocks < HOSTS * 6000 / STORE_BLOCK_SWEEPS);
	assert_int_equal(stat.damaged_blocks, 0);
	restart();
	for (int h = 0; h < HOSTS; h++)
		assert_int_equal(kit_count(&kit, hosts[h], true), 6000);
	store_close(kit.store);
	assert_int_equal(kit_check(kit.dir), 0);
	assert_int_equal(kit_open(&kit, NULL), 0);
}

/* Raw has long forgotten the beginning: rows answer, with what the last sweep of each had. */
static void test_tiers_answer_where_raw_does_not_reach(void **state)
{
	(void)state;
	int64_t start_ms = next_ms;
	send_all(MANY);
	for (int again = 0; again < 2; again++) {
		struct fw_arena arena = {0};
		struct store_columns all, recent;
		assert_true(stat_now().tiers[STORE_RAW].oldest_ms > start_ms + STORE_HOUR_MS);
		kit_read(&kit, hosts[1], 0, INT64_MAX, &arena, &all);
		assert_true(all.tier > STORE_RAW);
		assert_in_range(all.times_ms[0], start_ms, start_ms + STORE_HOUR_MS);
		assert_int_equal(all.times_ms[all.n - 1], next_ms - STEP);
		for (size_t i = 0; i < all.n; i++)
			for (uint32_t c = 0; c < KIT_COLUMNS; c++)
				assert_int_equal(all.cells[c][i], kit_cell(all.times_ms[i], c));
		kit_read(&kit, hosts[1], next_ms - 40 * STEP, INT64_MAX, &arena, &recent);
		assert_int_equal(recent.tier, STORE_RAW);
		assert_int_equal(recent.n, 40);
		fw_arena_done(&arena);
		restart();
	}
}

static struct store_rows read_rows(uint32_t host, enum store_tier tier, struct fw_arena *arena)
{
	struct store_group *groups;
	struct store_rows rows = {0};
	size_t n;
	assert_int_equal(
		store_select(kit.store, NULL, 0, 0, INT64_MAX, arena, &groups, &n, NULL), 0);
	for (size_t i = 0; i < n; i++)
		if (groups[i].host == host)
			assert_int_equal(store_read_rows(kit.store, &groups[i], tier, 0, INT64_MAX,
						 NULL, arena, &rows, NULL),
				0);
	return rows;
}

/* A row is what its sweeps were, whether it was made long ago or just now. */
static void check_row(const struct store_rows *rows, size_t i)
{
	for (uint32_t c = 0; c < KIT_COLUMNS; c++) {
		const struct store_rows_column *column = &rows->columns[c];
		int64_t sum = 0, least = INT64_MAX, most = INT64_MIN, n = 0, last = 0;
		for (int64_t t = rows->first_ms[i]; t <= rows->last_ms[i]; t += STEP, n++) {
			last = kit_cell(t, c);
			sum += last;
			least = last < least ? last : least;
			most = last > most ? last : most;
		}
		assert_int_equal(column->count[i], n);
		assert_int_equal(column->last[i], last);
		assert_int_equal(column->sum[i], sum);
		assert_int_equal(column->min[i], least);
		assert_int_equal(column->max[i], most);
	}
}

static void test_rows_are_what_their_sweeps_were(void **state)
{
	(void)state;
	int64_t start_ms = next_ms;
	send_all(MANY);
	for (int tier = STORE_FIVE_MINUTE; tier < STORE_TIERS; tier++) {
		struct fw_arena arena = {0};
		struct store_rows rows = read_rows(hosts[2], (enum store_tier)tier, &arena);
		int64_t sweeps = 0;
		for (size_t i = 0; i < rows.n; i++) {
			assert_false(rows.overlaps[i]);
			assert_true(i == 0 || rows.first_ms[i] == rows.last_ms[i - 1] + STEP);
			check_row(&rows, i);
			sweeps += rows.columns[0].count[i];
		}
		assert_int_equal(rows.last_ms[rows.n - 1], next_ms - STEP);
		assert_int_equal(sweeps, (next_ms - rows.first_ms[0]) / STEP);
		if (tier == STORE_HOUR)
			assert_int_equal(rows.first_ms[0], start_ms);
		fw_arena_done(&arena);
	}
}

/* What comes late is rolled up, too, and is not lost where it fills a gap. */
static void test_late_sweeps_are_rolled_up(void **state)
{
	(void)state;
	send_all(240);
	int64_t gap_ms = next_ms;
	next_ms += 2000 * STEP;
	send_all(3000);
	for (int i = 0; i < 2000; i += 20)
		assert_int_equal(sender_send(&senders[2], STORE_BACKLOG, hosts[2], kit.schema,
					 gap_ms + (int64_t)i * STEP, 20, STEP, true),
			STORE_DURABLE);
	assert_int_equal(kit_count(&kit, hosts[2], true), 5240);
	struct fw_arena arena = {0};
	struct store_rows rows = read_rows(hosts[2], STORE_FIVE_MINUTE, &arena);
	int64_t sweeps = 0;
	for (size_t i = 0; i < rows.n; i++) {
		check_row(&rows, i);
		sweeps += rows.columns[0].count[i];
	}
	assert_int_equal(sweeps, 5240);
	fw_arena_done(&arena);
}

/* Only what a ring has turned over may be missing before the oldest that is answered. */
static void check_oldest(enum store_tier tier, int64_t start_ms, int64_t oldest_ms)
{
	int64_t forgotten_ms = ring_forgotten_ms(&kit.store->rings.tiers[tier]);
	assert_in_range(oldest_ms, start_ms,
		(forgotten_ms > start_ms ? forgotten_ms : start_ms) + store_bucket_ms(tier));
}

static void check_rows_of_turn(uint32_t host, int64_t start_ms)
{
	for (int tier = STORE_FIVE_MINUTE; tier < STORE_TIERS; tier++) {
		struct fw_arena arena = {0};
		struct store_rows rows = read_rows(host, (enum store_tier)tier, &arena);
		for (size_t i = 0; i < rows.n; i++) {
			assert_false(rows.overlaps[i]);
			assert_true(i == 0 || rows.first_ms[i] == rows.last_ms[i - 1] + STEP);
			check_row(&rows, i);
		}
		assert_int_equal(rows.last_ms[rows.n - 1], next_ms - STEP);
		check_oldest((enum store_tier)tier, start_ms, rows.first_ms[0]);
		fw_arena_done(&arena);
	}
}

/* Twenty times round; after each turn every answer is worked out anew. */
static void test_ring_turns_twenty_times(void **state)
{
	(void)state;
	const int64_t start_ms = next_ms;
	for (int turn = 0; turn < TURNS; turn++) {
		struct fw_arena arena = {0};
		struct store_columns all;
		kit_now_ms = next_ms + TURN_SWEEPS * STEP;
		for (int i = 0; i < TURN_SWEEPS; i += 240, next_ms += 240 * STEP)
			for (int h = 0; h < HOSTS; h++)
				assert_int_equal(sender_send(&senders[h], STORE_LIVE, hosts[h],
							 kit.schema, next_ms, 240, STEP, false),
					STORE_DURABLE);
		kit_read(&kit, hosts[turn % HOSTS], start_ms, INT64_MAX, &arena, &all);
		assert_int_equal(all.damaged_blocks, 0);
		assert_int_equal(all.times_ms[all.n - 1], next_ms - STEP);
		check_oldest(STORE_HOUR, start_ms, all.times_ms[0]);
		check_rows_of_turn(hosts[turn % HOSTS], start_ms);
		for (size_t i = 0; i < all.n; i++) {
			assert_true(
				i == 0 || all.times_ms[i] - all.times_ms[i - 1] <= STORE_HOUR_MS);
			for (uint32_t c = 0; c < KIT_COLUMNS; c++)
				assert_int_equal(all.cells[c][i], kit_cell(all.times_ms[i], c));
		}
		fw_arena_done(&arena);
	}
	uint64_t lives = kit.store->rings.tiers[STORE_RAW].next_number;
	assert_true(lives > TURNS * FEW);
	assert_true(stat_now().tiers[STORE_RAW].oldest_ms > start_ms);
	assert_int_equal(stat_now().tiers[STORE_RAW].undigested, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_joins_and_rolls_up, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_tiers_answer_where_raw_does_not_reach, setup_few, teardown),
		cmocka_unit_test_setup_teardown(
			test_rows_are_what_their_sweeps_were, setup_few, teardown),
		cmocka_unit_test_setup_teardown(test_late_sweeps_are_rolled_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ring_turns_twenty_times, setup_few, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
