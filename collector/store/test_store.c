/* SPDX-License-Identifier: Apache-2.0 */
/* The store's story: what goes in comes out, now and after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "testkit.h"

enum { STEP = 15000 };

static int64_t start_ms(void)
{
	return kit_now_ms - 3600 * 1000;
}

static void test_reads_back(void **state)
{
	(void)state;
	struct kit kit;
	struct sender sender = {0};
	kit_init(&kit);
	sender_begin(&sender, &kit, 1, 7);
	for (int i = 0; i < 200; i++)
		assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit.schema,
					 start_ms() + i * STEP, 1, STEP, i == 0),
			STORE_DURABLE);
	assert_int_equal(kit_count(&kit, kit.host, true), 200);
	kit_reopen(&kit);
	assert_int_equal(kit_count(&kit, kit.host, true), 200);
	kit_reopen(&kit);
	assert_int_equal(kit_count(&kit, kit.host, true), 200);
	kit_done(&kit);
}

static struct store_stat check_of(const char *dir)
{
	static const struct store_inspector inspector;
	struct store_stat stat;
	assert_int_equal(store_check(dir, &inspector, &stat, NULL), 0);
	return stat;
}

/* Who was killed, and what a snapshot copied, has the newest in the log alone. */
static void test_check_counts_what_lies_in_the_log(void **state)
{
	(void)state;
	enum { SWEEPS = 100, SAMPLES = 10 * KIT_EARLY };
	struct kit kit;
	struct sender sender = {0};
	char copy[80];
	kit_init(&kit);
	sender_begin(&sender, &kit, 1, 7);
	for (int i = 0; i < SWEEPS; i += 10)
		sender_send(&sender, STORE_LIVE, kit.host, kit.schema, start_ms() + i * STEP, 10,
			STEP, i == 0);
	assert_int_equal(kit_target_write(&kit, KIT_EARLY, start_ms(), 10, STEP), 0);
	snprintf(copy, sizeof copy, "%s-copy", kit.dir);
	kit_copy(kit.dir, copy);
	struct store_stat killed = check_of(copy);
	assert_in_range(killed.log_sweeps, 1, SWEEPS - STORE_BLOCK_SWEEPS);
	assert_int_equal(killed.sweeps, SWEEPS);
	assert_int_equal(killed.log_samples, killed.log_sweeps * KIT_COLUMNS + SAMPLES);
	assert_int_equal(killed.samples, SWEEPS * KIT_COLUMNS + SAMPLES);
	kit_remove(copy);
	store_close(kit.store);
	struct store_stat ended = check_of(kit.dir);
	assert_true(ended.sweeps >= SWEEPS && ended.log_sweeps == 0 && ended.log_samples == 0);
	assert_int_equal(kit_open(&kit, NULL), 0);
	kit_done(&kit);
}

static void test_latest_and_hosts(void **state)
{
	(void)state;
	struct kit kit;
	struct sender sender = {0};
	kit_init(&kit);
	sender_begin(&sender, &kit, 1, 7);
	for (int i = 0; i < 5; i++)
		sender_send(&sender, STORE_LIVE, kit.host, kit.schema, start_ms() + i * STEP, 1,
			STEP, i == 0);
	/* Late sweeps come in between and after: they are read, and are not the latest. */
	assert_int_equal(sender_send(&sender, STORE_BACKLOG, kit.host, kit.schema,
				 start_ms() - 600 * STEP, 30, STEP, true),
		STORE_DURABLE);
	for (int again = 0; again < 2; again++) {
		struct fw_arena arena = {0};
		struct store_group *groups;
		size_t n;
		assert_int_equal(store_select(kit.store, NULL, 0, start_ms(), kit_now_ms, &arena,
					 &groups, &n, NULL),
			0);
		assert_int_equal(n, 1);
		int64_t at_ms, *cells;
		assert_int_equal(store_latest(kit.store, &groups[0], &arena, &at_ms, &cells), 0);
		assert_int_equal(at_ms, start_ms() + 4 * STEP);
		for (uint32_t c = 0; c < KIT_COLUMNS; c++)
			assert_int_equal(cells[c], kit_cell(at_ms, c));
		struct store_host *hosts;
		assert_int_equal(store_hosts(kit.store, &arena, &hosts), 1);
		assert_int_equal(hosts[0].newest_ms, at_ms);
		assert_int_equal(hosts[0].agent[3], 1);
		assert_string_equal(hosts[0].labels[0].value, "alpha");
		assert_int_equal(hosts[0].changes, 5); /* those read from the log again, too */
		fw_arena_done(&arena);
		assert_int_equal(kit_count(&kit, kit.host, true), 35);
		kit_reopen(&kit);
	}
	kit_done(&kit);
}

static bool equals(const struct store_matcher *matcher, const char *value)
{
	return strcmp(matcher->value, value) == 0;
}

static size_t count_columns(struct kit *kit, const struct store_matcher *matchers, size_t n)
{
	struct fw_arena arena = {0};
	struct store_group *groups;
	size_t n_groups, columns = 0;
	assert_int_equal(store_select(kit->store, matchers, n, 0, kit_now_ms, &arena, &groups,
				 &n_groups, NULL),
		0);
	for (size_t i = 0; i < n_groups; i++)
		columns += groups[i].n_columns;
	fw_arena_done(&arena);
	return columns;
}

static size_t columns_of(
	struct kit *kit, const char *host, const struct store_matcher *matchers, size_t n)
{
	struct fw_arena arena = {0};
	struct store_group *groups;
	size_t n_groups, columns = 0;
	uint32_t id = kit_host(kit, host);
	assert_int_equal(
		store_select_host(kit->store, id, matchers, n, 0, &arena, &groups, &n_groups, NULL),
		0);
	for (size_t i = 0; i < n_groups; i++) {
		assert_int_equal(groups[i].host, id);
		columns += groups[i].n_columns;
	}
	fw_arena_done(&arena);
	return columns;
}

static void test_matchers(void **state)
{
	(void)state;
	struct kit kit;
	struct sender sender = {0};
	kit_init(&kit);
	sender_begin(&sender, &kit, 1, 7);
	const char *const names[] = {"alpha", "beta", "gamma"};
	for (int i = 0; i < 3; i++)
		sender_send(&sender, STORE_LIVE, kit_host(&kit, names[i]), kit.schema, start_ms(),
			1, STEP, true);
	const struct store_matcher by_name = {"__name__", equals, "m3", NULL};
	const struct store_matcher by_host = {"instance", equals, "beta", NULL};
	const struct store_matcher nobody = {"instance", equals, "delta", NULL};
	const struct store_matcher lacking = {"colour", equals, "", NULL};
	const struct store_matcher both[] = {by_name, by_host, lacking};
	assert_int_equal(count_columns(&kit, NULL, 0), 3 * KIT_COLUMNS);
	assert_int_equal(count_columns(&kit, &by_name, 1), 3);
	assert_int_equal(count_columns(&kit, &by_host, 1), KIT_COLUMNS);
	assert_int_equal(count_columns(&kit, &nobody, 1), 0);
	assert_int_equal(count_columns(&kit, &lacking, 1), 3 * KIT_COLUMNS);
	assert_int_equal(columns_of(&kit, "beta", NULL, 0), KIT_COLUMNS);
	assert_int_equal(columns_of(&kit, "gamma", &by_name, 1), 1);
	assert_int_equal(columns_of(&kit, "gamma", &by_host, 1), 0);
	assert_int_equal(count_columns(&kit, both, 3), 1);
	kit_done(&kit);
}

static size_t hosts_within(struct kit *kit, int64_t from_ms, int64_t to_ms)
{
	struct fw_arena arena = {0};
	struct store_group *groups;
	size_t n;
	assert_int_equal(
		store_select(kit->store, NULL, 0, from_ms, to_ms, &arena, &groups, &n, NULL), 0);
	fw_arena_done(&arena);
	return n;
}

/* A host is selected where it has sweeps, not between them, and its neighbours' do not count. */
static void test_selects_by_time(void **state)
{
	(void)state;
	enum { BLOCK = 60, FAR = 10 * BLOCK };
	struct kit kit;
	struct sender sender = {0};
	kit_init(&kit);
	sender_begin(&sender, &kit, 1, 7);
	static const struct {
		const char *host;
		int at;
	} sent[] = {{"alpha", 0}, {"gamma", 0}, {"beta", 1}, {"alpha", 2}, {"gamma", 2},
		{"alpha", 3}, {"gamma", 3}};
	const int64_t block_ms = BLOCK * STEP, far_ms = FAR * STEP, start = kit_now_ms - 4 * far_ms;
	for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
		assert_int_equal(
			sender_send(&sender, STORE_LIVE, kit_host(&kit, sent[i].host), kit.schema,
				start + sent[i].at * far_ms, BLOCK, STEP, true),
			STORE_DURABLE);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(hosts_within(&kit, start - far_ms, start - 1), 0);
		assert_int_equal(hosts_within(&kit, start - far_ms, start), 2);
		assert_int_equal(hosts_within(&kit, start + STEP / 2, start + block_ms), 2);
		assert_int_equal(hosts_within(&kit, start + block_ms, start + far_ms - 1), 0);
		assert_int_equal(hosts_within(&kit, start + block_ms, start + far_ms), 1);
		assert_int_equal(
			hosts_within(&kit, start + far_ms + block_ms, start + 3 * far_ms), 2);
		assert_int_equal(
			hosts_within(&kit, start + 3 * far_ms + block_ms - STEP, INT64_MAX), 2);
		assert_int_equal(hosts_within(&kit, start + 3 * far_ms + block_ms, INT64_MAX), 0);
		assert_int_equal(hosts_within(&kit, INT64_MIN, INT64_MAX), 3);
		kit_reopen(&kit);
	}
	kit_done(&kit);
}

/* What a forgotten host has sent cannot be read, now or after a restart, and who comes
 * with its labels begins with nothing. */
static void test_forgets(void **state)
{
	(void)state;
	struct kit kit;
	struct sender sender = {0};
	struct fw_arena arena = {0};
	struct store_group *groups;
	struct store_columns columns;
	struct store_host *hosts;
	size_t n;
	kit_init(&kit);
	uint32_t other = kit_host(&kit, "beta");
	sender_begin(&sender, &kit, 1, 7);
	for (int i = 0; i < 200; i++)
		assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit.schema,
					 start_ms() + i * STEP, 1, STEP, i == 0),
			STORE_DURABLE);
	assert_int_equal(
		store_select(kit.store, NULL, 0, start_ms(), kit_now_ms, &arena, &groups, &n, NULL),
		0);
	assert_int_equal(n, 1);
	assert_int_equal(store_host_forget(kit.store, kit.host, NULL), 0);
	assert_int_equal(store_host_forget(kit.store, kit.host, NULL), -ENOENT);
	/* By one who had found it before. */
	assert_int_equal(store_read(kit.store, &groups[0], start_ms(), kit_now_ms, NULL, &arena,
				 &columns, NULL),
		0);
	assert_int_equal(columns.n, 0);
	/* What is still on its way is taken, and seen by nobody. */
	assert_int_equal(
		sender_send(&sender, STORE_LIVE, kit.host, kit.schema, kit_now_ms, 1, STEP, true),
		STORE_DURABLE);
	for (int again = 0; again < 3; again++) {
		assert_false(store_host_is_known(kit.store, kit.host));
		assert_true(store_host_is_known(kit.store, other));
		assert_int_equal(store_hosts(kit.store, &arena, &hosts), 1);
		assert_string_equal(hosts[0].labels[0].value, "beta");
		assert_int_equal(
			store_select(kit.store, NULL, 0, 0, INT64_MAX, &arena, &groups, &n, NULL),
			0);
		assert_int_equal(n, 0);
		kit_reopen(&kit);
	}
	uint32_t anew = kit_host(&kit, "alpha");
	assert_int_not_equal(anew, kit.host);
	sender_begin(&sender, &kit, 1, 8);
	assert_int_equal(
		sender_send(&sender, STORE_LIVE, anew, kit.schema, kit_now_ms, 1, STEP, true),
		STORE_DURABLE);
	assert_int_equal(kit_count(&kit, anew, true), 1);
	kit_reopen(&kit);
	assert_int_equal(kit_host(&kit, "alpha"), anew);
	assert_int_equal(kit_count(&kit, anew, true), 1);
	assert_int_equal(kit_check(kit.dir), 0);
	fw_arena_done(&arena);
	kit_done(&kit);
}

enum { WIDE = 250, SMALL_SEGMENT = 64 << 10, SMALL_SEGMENTS = 16 };

static uint32_t wide_schema(struct kit *kit)
{
	const char *names[WIDE];
	static char text[WIDE][8];
	for (int i = 0; i < WIDE; i++) {
		snprintf(text[i], sizeof text[i], "w%d", i);
		names[i] = text[i];
	}
	return kit_schema_of(kit, names, WIDE);
}

enum { RING_BLOCKS = 26 }; /* about what the smallest ring holds of these */

/* Blocks of what cannot be packed, from *at_ms on. */
static void fill_ring(struct kit *kit, uint32_t schema, int blocks, int64_t *at_ms)
{
	static int64_t cells[WIDE];
	uint64_t random = 1;
	for (int sweep = 0; sweep < blocks * STORE_BLOCK_SWEEPS; sweep++) {
		*at_ms += STEP;
		for (int i = 0; i < WIDE; i++)
			cells[i] = (int64_t)((random = random * 6364136223846793005u + 1) >> 40);
		struct store_entry entry = {
			.kind = STORE_CELLS,
			.host = kit->host,
			.schema = schema,
			.sweeps = {.n_sweeps = 1,
				.n_columns = WIDE,
				.times_ms = at_ms,
				.cells = cells},
		};
		kit_submit(kit, &entry);
		assert_int_equal(entry.verdict, STORE_DURABLE);
	}
}

/* The ring is small: what is old goes, the budget stays, the newest is there. */
static void test_ring_wraps(void **state)
{
	(void)state;
	struct kit kit;
	struct sender sender = {0};
	kit_init_of(&kit, SMALL_SEGMENT, SMALL_SEGMENTS);
	struct store_stat stat;
	int64_t at_ms = 1700000000000;
	kit.config.any_age = true;
	kit_reopen(&kit);
	sender_begin(&sender, &kit, 1, 7);
	fill_ring(&kit, wide_schema(&kit), 2 * RING_BLOCKS, &at_ms);
	store_stat(kit.store, &stat);
	assert_true(stat.tiers[STORE_RAW].used_bytes <= SMALL_SEGMENT * SMALL_SEGMENTS);
	assert_true(stat.oldest_ms > 1700000000000 + 60 * STEP);
	assert_int_equal(stat.newest_ms, at_ms);
	assert_int_equal(stat.damaged_blocks, 0);
	int64_t oldest_ms = stat.oldest_ms;
	kit_reopen(&kit);
	store_stat(kit.store, &stat);
	assert_int_equal(stat.newest_ms, at_ms);
	assert_true(stat.oldest_ms >= oldest_ms);
	store_close(kit.store);
	assert_int_equal(kit_check(kit.dir), 0);
	kit_remove(kit.dir);
}

/* Whatever looks open at the start: one segment is written on, the others are used again. */
static void test_damaged_heads_do_not_stop_the_ring(void **state)
{
	(void)state;
	struct kit kit;
	struct store_stat before, stat;
	int64_t at_ms = 1700000000000;
	kit_init_of(&kit, SMALL_SEGMENT, SMALL_SEGMENTS);
	kit.config.any_age = true;
	kit_reopen(&kit);
	fill_ring(&kit, wide_schema(&kit), RING_BLOCKS, &at_ms);
	store_stat(kit.store, &before);
	store_close(kit.store);
	static const char head[16] = "damaged";
	for (int i = 0; i < 16; i++) {
		char path[128];
		snprintf(path, sizeof path, "%s/raw/%04x", kit.dir, i);
		int fd = open(path, O_WRONLY);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, head, sizeof head, 0), sizeof head);
		close(fd);
	}
	struct fw_err err;
	assert_int_equal(kit_open(&kit, &err), 0);
	store_stat(kit.store, &stat);
	assert_int_equal(stat.oldest_ms, before.oldest_ms);
	assert_int_equal(stat.newest_ms, at_ms);
	fill_ring(&kit, wide_schema(&kit), RING_BLOCKS, &at_ms);
	store_stat(kit.store, &stat);
	assert_true(stat.oldest_ms > before.newest_ms);
	assert_int_equal(stat.newest_ms, at_ms);
	kit_done(&kit);
}

static void test_refuses(void **state)
{
	(void)state;
	struct kit kit;
	struct fw_err err;
	kit_init(&kit);
	store_close(kit.store);
	kit.config.segment_bytes = 0;
	kit.config.tier_bytes[STORE_RAW] = 1 << 20;
	assert_int_equal(kit_open(&kit, &err), -EINVAL);
	assert_non_null(strstr(err.text, "8 MiB"));
	kit.config.tier_bytes[STORE_RAW] = 16 << 20;
	assert_int_equal(kit_open(&kit, &err), 0);
	store_close(kit.store);
	kit.config.tier_bytes[STORE_RAW] = 8 << 20;
	assert_int_equal(kit_open(&kit, &err), -EINVAL);
	assert_non_null(strstr(err.text, "cannot shrink"));
	kit_remove(kit.dir);
}

static atomic_bool reading;

static void *read_all_the_time(void *arg)
{
	struct kit *kit = arg;
	size_t before = 0;
	while (reading) {
		struct fw_arena arena = {0};
		struct store_columns columns;
		struct store_host *hosts;
		struct store_stat stat;
		size_t n = kit_read(kit, kit->host, 0, INT64_MAX, &arena, &columns);
		if (n < before || columns.damaged_blocks)
			return kit;
		for (size_t i = 0; i < n; i++) {
			if (columns.cells[3][i] != kit_cell(columns.times_ms[i], 3))
				return kit;
		}
		before = n;
		store_hosts(kit->store, &arena, &hosts);
		store_stat(kit->store, &stat);
		fw_arena_done(&arena);
	}
	return NULL;
}

/* What was there once is there at every later look, while it goes from memory to disk. */
static void test_readers_miss_nothing(void **state)
{
	(void)state;
	struct kit kit;
	struct sender sender = {0};
	pthread_t reader;
	void *wrong;
	kit_init(&kit);
	sender_begin(&sender, &kit, 1, 7);
	reading = true;
	assert_int_equal(pthread_create(&reader, NULL, read_all_the_time, &kit), 0);
	for (int i = 0; i < 400; i++)
		assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit.schema,
					 start_ms() - 400 * STEP + i * STEP, 1, STEP, i == 0),
			STORE_DURABLE);
	reading = false;
	pthread_join(reader, &wrong);
	assert_null(wrong);
	kit_done(&kit);
}

struct told {
	uint64_t bytes, of_bytes;
	int times;
};

static void on_allocated(uint64_t bytes, uint64_t of_bytes, void *arg)
{
	struct told *told = arg;
	assert_true(bytes > told->bytes && bytes <= of_bytes);
	*told = (struct told){bytes, of_bytes, told->times + 1};
}

static void test_tells_how_far_the_first_start_is(void **state)
{
	(void)state;
	struct kit kit;
	struct told told = {0};
	struct store *store;
	struct fw_err err;
	char dir[80];
	kit_init(&kit);
	struct store_config config = kit.config;
	snprintf(dir, sizeof dir, "%s/second", kit.dir);
	config.dir = dir;
	config.on_allocated = on_allocated;
	config.arg = &told;
	for (int start = 0; start < 2; start++) {
		assert_int_equal(store_open(&store, &config, &err), 0);
		store_close(store);
		assert_true(told.times > 1 && told.bytes == told.of_bytes);
	}
	assert_true(told.of_bytes <= 3 * config.tier_bytes[STORE_RAW]);
	kit_done(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_back),
		cmocka_unit_test(test_check_counts_what_lies_in_the_log),
		cmocka_unit_test(test_latest_and_hosts),
		cmocka_unit_test(test_matchers),
		cmocka_unit_test(test_selects_by_time),
		cmocka_unit_test(test_readers_miss_nothing),
		cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_ring_wraps),
		cmocka_unit_test(test_damaged_heads_do_not_stop_the_ring),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_tells_how_far_the_first_start_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
