/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots while ingest goes on, and what is restored from them. Whatever happens in
 * between happens in on_copied, so that it always happens at the same place. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/fault.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "internal.h"
#include "testkit.h"

enum { STEP = 1000, SEGMENT = 8 << 10, SEGMENTS = 16, BATCH = 20 };

static struct kit kit, restored;
static struct sender sender;
static char snapshot[128], target[128];
static int64_t next_ms;
static uint64_t sent;

static int setup(void **state)
{
	(void)state;
	kit_init_of(&kit, SEGMENT, SEGMENTS);
	next_ms = kit_now_ms - INT64_C(30) * 24 * 3600 * 1000;
	sent = 0;
	memset(&sender, 0, sizeof sender);
	sender_begin(&sender, &kit, 1, 7);
	snprintf(snapshot, sizeof snapshot, "%s/snapshot", kit.dir);
	snprintf(target, sizeof target, "%s/restored", kit.dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
#ifdef FW_TEST_SEAMS
	fw_fault_clear();
#endif
	kit_done(&kit);
	return 0;
}

static void send_batches(int n)
{
	for (int i = 0; i < n; i++, sent += BATCH, next_ms += BATCH * STEP)
		assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit.schema, next_ms,
					 BATCH, STEP, i == 0),
			STORE_DURABLE);
}

/* What goes on while it is copied. */
struct meanwhile {
	int batches, stop_at, calls, nested;
	uint64_t bytes, of_bytes;
};

static bool on_copied(uint64_t bytes, uint64_t of_bytes, void *arg)
{
	struct meanwhile *meanwhile = arg;
	char name[32];
	assert_true(bytes >= meanwhile->bytes);
	meanwhile->bytes = bytes;
	meanwhile->of_bytes = of_bytes;
	send_batches(meanwhile->batches);
	snprintf(name, sizeof name, "later%d", meanwhile->calls);
	if (meanwhile->batches)
		kit_host(&kit, name);
	if (meanwhile->nested)
		meanwhile->nested = store_snapshot(kit.store, target, NULL, NULL);
	return ++meanwhile->calls != meanwhile->stop_at;
}

static int take(struct meanwhile *meanwhile, struct fw_err *err)
{
	const struct store_progress progress = {.on_copied = on_copied, .arg = meanwhile};
	kit_remove(snapshot);
	assert_int_equal(fw_mkdir_all(snapshot, 0700), 0);
	return store_snapshot(kit.store, snapshot, &progress, err);
}

static void restore(void)
{
	struct fw_err err;
	kit_remove(target);
	assert_int_equal(kit_check(snapshot), 0);
	assert_int_equal(fw_mkdir_all(target, 0700), 0);
	assert_int_equal(store_restore(snapshot, target, NULL, &err), 0);
	restored = (struct kit){.config = kit.config, .schema = kit.schema, .host = kit.host};
	restored.config.dir = target;
	restored.config.arg = &restored;
	assert_int_equal(store_open(&restored.store, &restored.config, &err), 0);
}

static void expect_same_times(const struct store_columns *a, const struct store_columns *b)
{
	assert_int_equal(a->n, b->n);
	if (a->n)
		assert_memory_equal(a->times_ms, b->times_ms, a->n * sizeof *a->times_ms);
}

/* The same up to the end. A digest that was under way begins anew and needs segments, for
 * which the oldest go, as they did or will in the store itself. */
static void expect_same_end(const struct store_columns *all, const struct store_columns *some)
{
	assert_true(some->n <= all->n && some->n >= all->n / 2);
	assert_memory_equal(all->times_ms + (all->n - some->n), some->times_ms,
		some->n * sizeof *some->times_ms);
}

static uint64_t count_hosts(struct kit *of)
{
	struct store_stat stat;
	store_stat(of->store, &stat);
	return stat.hosts;
}

static void test_what_was_stored_is_restored(void **state)
{
	struct meanwhile meanwhile = {.batches = 1};
	struct fw_arena arena = {0};
	struct store_columns before, after;
	(void)state;
	send_batches(30);
	uint64_t hosts = count_hosts(&kit);
	kit_read(&kit, kit.host, 0, INT64_MAX, &arena, &before);
	assert_int_equal(before.n, sent);
	assert_int_equal(take(&meanwhile, NULL), 0);
	assert_true(meanwhile.calls > 3);
	assert_true(meanwhile.bytes > 0 && meanwhile.bytes <= meanwhile.of_bytes);
	assert_int_equal(kit_count(&kit, kit.host, true), sent);
	restore();
	assert_int_equal(count_hosts(&restored), hosts);
	kit_read(&restored, kit.host, 0, INT64_MAX, &arena, &after);
	expect_same_times(&before, &after);
	store_close(restored.store);
	fw_arena_done(&arena);
}

/* Agents go on with the number behind the last that is in the snapshot. */
static void test_numbers_are_restored(void **state)
{
	struct meanwhile meanwhile = {0};
	struct sender again = {0};
	(void)state;
	send_batches(3);
	assert_int_equal(take(&meanwhile, NULL), 0);
	restore();
	struct store_entry session = sender_begin(&again, &restored, 1, 7);
	assert_int_equal(session.acked[STORE_LIVE], 3);
	store_close(restored.store);
}

/* Until the ring has written over what came first. */
static void turn_ring(void)
{
	int64_t first_ms = next_ms;
	struct store_stat stat = {.oldest_ms = first_ms};
	for (int i = 0; i < 200 && stat.tiers[STORE_RAW].oldest_ms <= first_ms; i++) {
		send_batches(100);
		store_stat(kit.store, &stat);
	}
	assert_true(stat.tiers[STORE_RAW].oldest_ms > first_ms);
	assert_true(stat.digests > 0 && stat.tiers[STORE_FIVE_MINUTE].blocks > 0);
}

/* The ring has turned, was digested, and goes on turning, slower than it is copied. */
static void test_ring_turns_slower_than_it_is_copied(void **state)
{
	struct meanwhile meanwhile = {.batches = 2};
	struct fw_arena arena = {0};
	struct store_columns before, after;
	(void)state;
	turn_ring();
	kit_read(&kit, kit.host, 0, INT64_MAX, &arena, &before);
	assert_true(before.n > 0 && before.n < sent);
	assert_int_equal(take(&meanwhile, NULL), 0);
	restore();
	kit_read(&restored, kit.host, 0, INT64_MAX, &arena, &after);
	assert_int_equal(kit_count(&restored, kit.host, true), after.n);
	expect_same_end(&before, &after);
	store_close(restored.store);
	fw_arena_done(&arena);
}

/* Faster: ingest wins, and nothing of it is lost. */
static void test_ring_turns_faster_than_it_is_copied(void **state)
{
	struct meanwhile meanwhile = {.batches = 400};
	struct fw_arena arena = {0};
	struct store_columns before, after;
	struct fw_err err;
	(void)state;
	turn_ring();
	assert_int_equal(take(&meanwhile, &err), -ESTALE);
	assert_non_null(strstr(err.text, "written over"));
	assert_true(kit_count(&kit, kit.host, true) > 0);
	meanwhile = (struct meanwhile){0};
	kit_read(&kit, kit.host, 0, INT64_MAX, &arena, &before);
	assert_int_equal(take(&meanwhile, NULL), 0);
	restore();
	kit_read(&restored, kit.host, 0, INT64_MAX, &arena, &after);
	expect_same_end(&before, &after);
	store_close(restored.store);
	fw_arena_done(&arena);
}

static bool is_pinned(void)
{
	bool pinned = false;
	for (int tier = 0; tier < STORE_TIERS; tier++)
		for (uint32_t i = 0; i < kit.store->rings.tiers[tier].n_segments; i++)
			pinned |= kit.store->rings.tiers[tier].segments[i].pinned;
	return pinned;
}

static void test_broken_off(void **state)
{
	struct meanwhile meanwhile = {.stop_at = 3};
	struct fw_err err;
	(void)state;
	send_batches(300);
	assert_int_equal(take(&meanwhile, &err), -ECANCELED);
	assert_string_equal(err.text, "the snapshot was broken off");
	assert_int_equal(meanwhile.calls, 3);
	assert_false(is_pinned());
	/* Without its end it is no store. */
	assert_true(store_check(snapshot, &(struct store_inspector){0}, NULL, &err) < 0);
	assert_int_equal(store_restore(snapshot, target, NULL, &err), -EBADMSG);
	send_batches(10);
	assert_int_equal(kit_count(&kit, kit.host, true), sent);
}

static void test_one_at_a_time(void **state)
{
	struct meanwhile meanwhile = {.nested = 1};
	(void)state;
	send_batches(3);
	assert_int_equal(take(&meanwhile, NULL), 0);
	assert_int_equal(meanwhile.nested, -EBUSY);
}

static void test_not_into_a_folder_in_use(void **state)
{
	struct meanwhile meanwhile = {0};
	struct fw_err err;
	(void)state;
	send_batches(3);
	assert_int_equal(take(&meanwhile, NULL), 0);
	assert_int_equal(store_snapshot(kit.store, snapshot, NULL, &err), -EEXIST);
	assert_int_equal(store_restore(snapshot, kit.dir, NULL, &err), -EEXIST);
	send_batches(3);
	assert_int_equal(kit_count(&kit, kit.host, true), sent);
}

#ifdef FW_TEST_SEAMS
/* Wherever the disk is full, the snapshot says so, and the store does not mind. */
static void test_disk_full(void **state)
{
	struct meanwhile meanwhile = {0};
	struct fw_err err;
	uint64_t calls = 0, n_full = 0;
	(void)state;
	send_batches(600);
	fw_fault_arm(FW_OP_PWRITE, UINT64_MAX, 0, false);
	assert_int_equal(take(&meanwhile, NULL), 0);
	calls = fw_fault_calls(FW_OP_PWRITE);
	assert_true(calls > 10);
	for (uint64_t nth = 1; nth <= calls; nth += 1 + calls / 20) {
		meanwhile = (struct meanwhile){0};
		fw_fault_arm(FW_OP_PWRITE, nth, -ENOSPC, true);
		int rc = take(&meanwhile, &err);
		uint64_t made = fw_fault_calls(FW_OP_PWRITE);
		fw_fault_clear();
		/* The writer's thread may have written the first time, and not this time. */
		if (rc == 0 && made < nth)
			break;
		n_full++;
		assert_int_equal(rc, -ENOSPC);
		assert_non_null(strstr(err.text, "no space left"));
		assert_false(is_pinned());
	}
	assert_true(n_full > 5);
	send_batches(10);
	assert_int_equal(kit.fatal, 0);
	assert_int_equal(kit_count(&kit, kit.host, true), sent);
}
#endif

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_what_was_stored_is_restored),
		CASE(test_numbers_are_restored),
		CASE(test_ring_turns_slower_than_it_is_copied),
		CASE(test_ring_turns_faster_than_it_is_copied),
		CASE(test_broken_off),
		CASE(test_one_at_a_time),
		CASE(test_not_into_a_folder_in_use),
#ifdef FW_TEST_SEAMS
		CASE(test_disk_full),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
