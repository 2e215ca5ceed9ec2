/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/batch.h>
#include <fenwatch/fault.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#include "agent.h"
#include "packer.h"
#include "spool.h"

enum { COLUMNS = 9, INTERVAL_MS = 1000 };

static char root[64], dir[96];
static struct spool *spool;
static struct packer *packer;
static struct fw_column columns[COLUMNS];
static struct fw_schema schema;
static int64_t last_cells[COLUMNS];

static void open_both(uint32_t batch)
{
	struct spool_config config = {.dir = dir, .max_bytes = 8 << 20};
	bool made;
	assert_int_equal(spool_open(&spool, &config, &made, NULL), 0);
	packer = packer_new(spool, batch, INTERVAL_MS);
}

static void close_both(void)
{
	packer_free(packer);
	spool_close(spool);
	packer = NULL;
	spool = NULL;
}

static void schema_make(const char *first)
{
	static char names[COLUMNS][16];
	for (int i = 0; i < COLUMNS; i++) {
		snprintf(names[i], sizeof names[i], "%s_%d", i == 0 ? first : "metric", i);
		columns[i] = (struct fw_column){.name = names[i], .factor = 1};
	}
	schema = (struct fw_schema){.n_columns = COLUMNS, .columns = columns};
	fw_schema_seal(&schema);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/fenwatch-packer-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(dir, sizeof dir, "%s/spool", root);
	schema_make("metric");
	open_both(1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (packer)
		close_both();
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		char inner[400];
		snprintf(inner, sizeof inner, "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(inner);
	}
	if (d)
		closedir(d);
	rmdir(dir);
	rmdir(root);
	return 0;
}

/* The sweep number `n`: some cells change, one is sometimes absent. */
static void cells_of(int n, int64_t cells[COLUMNS])
{
	for (int i = 0; i < COLUMNS; i++)
		cells[i] = i % 3 ? n * (i + 1) : 42;
	if (n % 4 == 3)
		cells[5] = FW_ABSENT;
}

static void sweep(int n, bool live)
{
	cells_of(n, last_cells);
	packer_sweep(
		packer, &schema, last_cells, INT64_C(1000000) + (int64_t)n * INTERVAL_MS, live);
}

/* Decodes the frame on top of `known` and compares it with the sweeps from `n` on. */
static unsigned check_frame(enum lane lane, uint64_t seq, int n, int64_t known[COLUMNS])
{
	struct frame frame;
	struct fw_batch batch;
	struct fw_arena arena = {0};
	assert_int_equal(spool_read(spool, lane, seq, &frame, NULL), 0);
	assert_int_equal(frame.type, FW_FRAME_BATCH);
	assert_int_equal(fw_batch_open(frame.payload, frame.length, &arena, &batch, NULL), 0);
	assert_int_equal(batch.seq, seq);
	int64_t cells[FW_SWEEPS_LIMIT * COLUMNS], expected[COLUMNS];
	assert_int_equal(
		fw_batch_decode(&batch, COLUMNS, batch.key ? NULL : known, cells, NULL), 0);
	for (uint32_t i = 0; i < batch.n_sweeps; i++) {
		cells_of(n + (int)i, expected);
		assert_memory_equal(cells + i * COLUMNS, expected, sizeof expected);
		assert_int_equal(
			batch.times_ms[i], INT64_C(1000000) + (int64_t)(n + (int)i) * INTERVAL_MS);
	}
	memcpy(known, cells + (batch.n_sweeps - 1) * COLUMNS, sizeof expected);
	unsigned sweeps = batch.n_sweeps;
	fw_arena_done(&arena);
	return sweeps;
}

static bool is_key(uint64_t seq)
{
	struct frame frame;
	struct fw_batch batch;
	struct fw_arena arena = {0};
	assert_int_equal(spool_read(spool, LANE_LIVE, seq, &frame, NULL), 0);
	assert_int_equal(fw_batch_open(frame.payload, frame.length, &arena, &batch, NULL), 0);
	fw_arena_done(&arena);
	return batch.key;
}

static void test_live_sweeps_go_one_by_one(void **state)
{
	(void)state;
	int64_t known[COLUMNS];
	packer_connected(packer);
	for (int n = 0; n < 5; n++)
		sweep(n, true);
	assert_true(is_key(1));
	assert_false(is_key(2));
	for (int n = 0; n < 5; n++)
		assert_int_equal(check_frame(LANE_LIVE, (uint64_t)n + 1, n, known), 1);
	packer_connected(packer); /* a new connection begins with a key */
	sweep(5, true);
	assert_true(is_key(6));
}

static void test_sweeps_are_gathered_offline(void **state)
{
	(void)state;
	int64_t known[COLUMNS];
	for (int n = 0; n < 130; n++)
		sweep(n, false);
	assert_int_equal(spool_next(spool, LANE_BACKLOG), 3);
	packer_connected(packer);
	assert_int_equal(spool_next(spool, LANE_BACKLOG), 4);
	assert_int_equal(check_frame(LANE_BACKLOG, 1, 0, known), CHAIN_SWEEPS);
	assert_int_equal(check_frame(LANE_BACKLOG, 2, 60, known), CHAIN_SWEEPS);
	assert_int_equal(check_frame(LANE_BACKLOG, 3, 120, known), 10);
}

static void test_batches_of_several_sweeps(void **state)
{
	(void)state;
	int64_t known[COLUMNS];
	close_both();
	open_both(4);
	packer_connected(packer);
	for (int n = 0; n < 10; n++)
		sweep(n, true);
	assert_int_equal(spool_next(spool, LANE_LIVE), 3);
	assert_int_equal(check_frame(LANE_LIVE, 1, 0, known), 4);
	assert_int_equal(check_frame(LANE_LIVE, 2, 4, known), 4);
	packer_disconnected(packer);
	sweep(10, false);
	packer_close_chain(packer);
	assert_int_equal(check_frame(LANE_BACKLOG, 1, 8, known), 3);
}

static void test_a_crash_loses_what_was_not_journaled_and_no_more(void **state)
{
	(void)state;
	int64_t known[COLUMNS];
	for (int n = 0; n < 7; n++)
		sweep(n, false);
	assert_int_equal(packer_journal(packer, NULL), 0);
	for (int n = 7; n < 9; n++)
		sweep(n, false);
	assert_int_equal(packer_journal(packer, NULL), 0);
	assert_true(packer_is_journaled(packer));
	sweep(9, false);
	close_both();

	open_both(1);
	assert_int_equal(check_frame(LANE_BACKLOG, 1, 0, known), 9);
	assert_int_equal(spool_flush(spool, NULL), 0);
	close_both();
	open_both(1); /* and not a second time */
	assert_int_equal(spool_next(spool, LANE_BACKLOG), 2);
}

static void test_a_journal_that_fails_begins_again(void **state)
{
	(void)state;
	int64_t known[COLUMNS];
	for (int n = 0; n < 3; n++)
		sweep(n, false);
	assert_int_equal(packer_journal(packer, NULL), 0);
	sweep(3, false);
	fw_fault_arm(FW_OP_FDATASYNC, 1, -EIO, false);
	assert_int_equal(packer_journal(packer, NULL), -EIO);
	fw_fault_clear();
	assert_false(packer_is_journaled(packer));
	sweep(4, false);
	assert_int_equal(packer_journal(packer, NULL), 0);
	close_both();
	open_both(1);
	assert_int_equal(check_frame(LANE_BACKLOG, 1, 0, known), 5);
}

static void test_a_key_is_made_of_what_waits(void **state)
{
	(void)state;
	int64_t known[COLUMNS];
	packer_connected(packer);
	for (int n = 0; n < 6; n++)
		sweep(n, true);
	packer_acked(packer, 2);
	spool_ack(spool, LANE_LIVE, 2);
	assert_false(is_key(3));
	packer_need_key(packer, 1);
	assert_true(is_key(3));
	assert_false(is_key(4));
	for (int n = 2; n < 6; n++)
		assert_int_equal(check_frame(LANE_LIVE, (uint64_t)n + 1, n, known), 1);
}

static void test_deltas_without_a_base_become_gaps(void **state)
{
	(void)state;
	packer_connected(packer);
	for (int n = 0; n < 4; n++)
		sweep(n, true);
	spool_ack(spool, LANE_LIVE, 2); /* and this process ends without having seen 2 */
	assert_int_equal(spool_flush(spool, NULL), 0);
	close_both();
	open_both(1);
	packer_need_key(packer, 1);
	for (uint64_t seq = 3; seq <= 4; seq++) {
		struct frame frame;
		assert_int_equal(spool_read(spool, LANE_LIVE, seq, &frame, NULL), 0);
		assert_int_equal(frame.type, FW_FRAME_EVENT);
		assert_int_equal(frame.seq, seq);
	}
	sweep(4, true);
	assert_true(is_key(5));
}

static void test_a_step_back_of_the_clock_closes_the_chain(void **state)
{
	(void)state;
	int64_t known[COLUMNS];
	for (int n = 10; n < 14; n++)
		sweep(n, false);
	for (int n = 3; n < 6; n++)
		sweep(n, false);
	packer_close_chain(packer);
	assert_int_equal(check_frame(LANE_BACKLOG, 1, 10, known), 4);
	assert_int_equal(check_frame(LANE_BACKLOG, 2, 3, known), 3);
}

/* A machine without a battery clock begins in 1970, and time comes by network later. */
static void test_a_leap_of_the_clock_closes_the_chain(void **state)
{
	(void)state;
	enum { MONTH = 30 * 24 * 3600 };
	int64_t known[COLUMNS];
	for (int n = 0; n < 3; n++)
		sweep(n, false);
	for (int n = 0; n < 2; n++)
		sweep(MONTH + n, false);
	packer_close_chain(packer);
	assert_int_equal(check_frame(LANE_BACKLOG, 1, 0, known), 3);
	assert_int_equal(check_frame(LANE_BACKLOG, 2, MONTH, known), 2);
	close_both();
	open_both(6);
	packer_connected(packer);
	for (int n = 0; n < 2; n++)
		sweep(n, true);
	sweep(MONTH, true);
	assert_int_equal(check_frame(LANE_LIVE, 1, 0, known), 2);
}

/* A laptop that is used for a minute now and then: no frame spans its whole summer. */
static void test_a_chain_ends_after_a_day(void **state)
{
	(void)state;
	enum { EIGHT_HOURS = 8 * 3600 };
	for (int n = 0; n < 8; n++)
		sweep(n * EIGHT_HOURS, false);
	packer_close_chain(packer);
	struct frame frame;
	assert_int_equal(spool_read(spool, LANE_BACKLOG, 2, &frame, NULL), 0);
	assert_int_equal(frame.sweeps, 4);
	assert_int_equal(frame.oldest_ms, INT64_C(1000000) + 4 * EIGHT_HOURS * INTERVAL_MS);
}

static void test_another_schema_is_another_frame(void **state)
{
	(void)state;
	int64_t known[COLUMNS];
	packer_connected(packer);
	sweep(0, true);
	schema_make("other");
	sweep(1, true);
	assert_true(is_key(2));
	struct frame first, second;
	assert_int_equal(spool_read(spool, LANE_LIVE, 1, &first, NULL), 0);
	uint32_t id = first.schema;
	assert_int_equal(spool_read(spool, LANE_LIVE, 2, &second, NULL), 0);
	assert_true(second.schema > id);
	assert_int_equal(check_frame(LANE_LIVE, 2, 1, known), 1);
	const uint8_t *message;
	size_t length;
	assert_int_equal(spool_schema(spool, id, &message, &length), 0);
	assert_int_equal(spool_schema(spool, second.schema, &message, &length), 0);
}

static const struct fw_schema *find_base(const uint8_t *hash, void *base)
{
	const struct fw_schema *before = base;
	return memcmp(before->hash, hash, FW_SCHEMA_HASH) == 0 ? before : NULL;
}

static uint32_t schema_of_live(uint64_t seq)
{
	struct frame frame;
	assert_int_equal(spool_read(spool, LANE_LIVE, seq, &frame, NULL), 0);
	return frame.schema;
}

static void decode(const uint8_t *message, size_t length, struct fw_arena *arena,
	struct fw_schema *base, struct fw_schema *out)
{
	uint32_t id;
	assert_int_equal(
		fw_schema_decode(message, length, arena, find_base, base, &id, out, NULL), 0);
}

/* It is made when the schema changes, and serves though the one before is gone by then. */
static void test_a_schema_is_known_by_what_it_changed(void **state)
{
	(void)state;
	struct fw_arena arena = {0};
	struct fw_schema before, after, again;
	const uint8_t *message;
	size_t length, whole;
	uint32_t base;
	sweep(0, true);
	uint32_t first = schema_of_live(1);
	assert_int_equal(spool_schema(spool, first, &message, &length), 0);
	decode(message, length, &arena, NULL, &before);
	assert_int_equal(spool_schema_difference(spool, first, &base, &message, &length), -ENOENT);
	spool_ack(spool, LANE_LIVE, 1);
	schema_make("other");
	sweep(1, true);
	assert_int_equal(spool_schema(spool, first, &message, &length), -ENOENT);
	uint32_t second = schema_of_live(2);
	assert_int_equal(spool_schema(spool, second, &message, &whole), 0);
	decode(message, whole, &arena, NULL, &after);
	assert_int_equal(spool_schema_difference(spool, second, &base, &message, &length), 0);
	assert_int_equal(base, first);
	assert_true(length < whole);
	decode(message, length, &arena, &before, &again);
	assert_memory_equal(again.hash, after.hash, FW_SCHEMA_HASH);
	fw_arena_done(&arena);
}

/* Offline, and then killed: each frame finds the schema that it was made with. */
static void test_schemas_that_changed_offline_are_kept(void **state)
{
	(void)state;
	static const char *const first[] = {"one", "two", "three"};
	for (int n = 0; n < 3; n++) {
		schema_make(first[n]);
		sweep(n, false);
	}
	packer_close_chain(packer);
	assert_int_equal(spool_flush(spool, NULL), 0);
	close_both();
	open_both(1);
	assert_int_equal(spool_next(spool, LANE_BACKLOG), 4);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		struct frame frame;
		const uint8_t *message;
		size_t length;
		assert_int_equal(spool_read(spool, LANE_BACKLOG, seq, &frame, NULL), 0);
		assert_int_equal(frame.type, FW_FRAME_BATCH);
		assert_int_equal(spool_schema(spool, frame.schema, &message, &length), 0);
	}
}

/* Every cell of every sweep takes a varint's ten bytes. */
static void test_a_batch_fits_a_frame_however_wide_the_schema(void **state)
{
	(void)state;
	enum { WIDE = 5000, SWEEPS = 40 };
	static struct fw_column wide[WIDE];
	static char names[WIDE][8];
	static int64_t cells[WIDE];
	for (int i = 0; i < WIDE; i++) {
		snprintf(names[i], sizeof names[i], "w%d", i);
		wide[i] = (struct fw_column){.name = names[i], .factor = 1};
	}
	struct fw_schema broad = {.n_columns = WIDE, .columns = wide};
	fw_schema_seal(&broad);
	close_both();
	open_both(FW_SWEEPS_LIMIT);
	packer_connected(packer);
	for (int n = 0; n < SWEEPS; n++) {
		for (int i = 0; i < WIDE; i++)
			cells[i] = n % 2 ? INT64_MAX / 2 : INT64_MIN / 2;
		packer_sweep(packer, &broad, cells, 1000 + n * INTERVAL_MS, true);
	}
	uint32_t sweeps = 0;
	for (uint64_t seq = 1; seq < spool_next(spool, LANE_LIVE); seq++) {
		struct frame frame;
		assert_int_equal(spool_read(spool, LANE_LIVE, seq, &frame, NULL), 0);
		assert_true(frame.length <= FW_FRAME_LIMIT);
		sweeps += frame.sweeps;
	}
	assert_true(sweeps >= SWEEPS - 13); /* at most 13 sweeps still wait for company */
}

/* A day without a collector at 15 s: 5,760 sweeps, a restart in the middle, and
 * every one of them comes out again. */
static void test_a_day_away_is_kept_whole(void **state)
{
	(void)state;
	enum { DAY = 5760 };
	int64_t known[COLUMNS];
	for (int n = 0; n < DAY; n++) {
		sweep(n, false);
		if (n % 4 == 3) { /* as once a minute */
			assert_int_equal(packer_journal(packer, NULL), 0);
			assert_int_equal(spool_flush(spool, NULL), 0);
		}
		if (n == DAY / 2 + 1) {
			close_both();
			open_both(1);
		}
	}
	packer_connected(packer);
	struct spool_stat stat;
	spool_stat(spool, &stat);
	assert_true(stat.bytes < DAY * COLUMNS); /* under a byte a sample */
	int n = 0;
	for (uint64_t seq = 1; seq < spool_next(spool, LANE_BACKLOG); seq++) {
		if (n == DAY / 2)
			n += 2; /* not journaled when the agent was killed */
		n += (int)check_frame(LANE_BACKLOG, seq, n, known);
	}
	assert_int_equal(n, DAY);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_live_sweeps_go_one_by_one),
		CASE(test_sweeps_are_gathered_offline),
		CASE(test_batches_of_several_sweeps),
		CASE(test_a_crash_loses_what_was_not_journaled_and_no_more),
		CASE(test_a_journal_that_fails_begins_again),
		CASE(test_a_key_is_made_of_what_waits),
		CASE(test_deltas_without_a_base_become_gaps),
		CASE(test_a_step_back_of_the_clock_closes_the_chain),
		CASE(test_a_leap_of_the_clock_closes_the_chain),
		CASE(test_a_chain_ends_after_a_day),
		CASE(test_another_schema_is_another_frame),
		CASE(test_a_schema_is_known_by_what_it_changed),
		CASE(test_schemas_that_changed_offline_are_kept),
		CASE(test_a_batch_fits_a_frame_however_wide_the_schema),
		CASE(test_a_day_away_is_kept_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
