/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be read while the store runs: counted once, named once, and not without end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fenwatch/file.h>

#include "bytes.h"
#include "internal.h"
#include "testkit.h"

enum { STEP = 15000, SWEEPS = 200, MANY = 9600, BATCH = 120, SEGMENT = 8 << 10 };

static struct kit kit;
static struct sender sender;

static struct {
	unsigned times;
	char last[512];
} told;

static void told_of(const char *sentence, void *arg)
{
	(void)arg;
	told.times++;
	snprintf(told.last, sizeof told.last, "%s", sentence);
}

static int setup(void **state)
{
	(void)state;
	kit_init_of(&kit, SEGMENT, 16);
	kit.config.on_unread = told_of;
	kit.config.on_damage = told_of;
	kit_reopen(&kit);
	sender = (struct sender){0};
	sender_begin(&sender, &kit, 1, 7);
	told.times = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kit_done(&kit);
	return 0;
}

static void send(int sweeps)
{
	for (int i = 0; i < sweeps; i += BATCH)
		assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit.schema,
					 kit_now_ms - INT64_C(172800000) + (int64_t)i * STEP, BATCH,
					 STEP, i == 0),
			STORE_DURABLE);
}

/* Reads all of the host, several times, and says how many damaged places that makes. */
static uint64_t damaged_after_queries(void)
{
	struct store_stat stat;
	for (int i = 0; i < 5; i++)
		kit_count(&kit, kit.host, true);
	store_stat(kit.store, &stat);
	return stat.damaged_blocks;
}

static void spoil(const struct ring_segment *segment, uint64_t at)
{
	uint8_t byte;
	assert_int_equal(fw_pread(segment->fd, &byte, 1, at), 1);
	byte ^= 4;
	assert_int_equal(fw_pwrite(segment->fd, &byte, 1, at), 0);
}

static void test_a_block_counts_once_and_is_named(void **state)
{
	(void)state;
	send(SWEEPS);
	kit_reopen(&kit);
	const struct ring_segment *segment = &raw_ring(kit.store)->segments[0];
	assert_true(segment->index.n > 1);
	assert_int_equal(damaged_after_queries(), 0);
	spoil(segment, segment->index.refs[0].offset + BLOCK_BYTES + 9);
	assert_int_equal(damaged_after_queries(), 1);
	assert_int_equal(told.times, 1);
	assert_ptr_equal(strstr(told.last,
				 "raw/0000: the block at 128 cannot be read, so answers about host "
				 "'alpha' lack what it said from 20"),
		told.last);
	spoil(segment, segment->index.refs[1].offset + BLOCK_BYTES + 9);
	assert_int_equal(damaged_after_queries(), 2);
	assert_int_equal(told.times, 2);
}

static const struct ring_segment *with_index_on_disk(void)
{
	const struct ring *ring = raw_ring(kit.store);
	for (uint32_t i = 0; i < ring->n_segments; i++)
		if (ring->segments[i].index.disk)
			return &ring->segments[i];
	fail_msg("no index was left to the disk");
	return NULL;
}

static void test_an_index_counts_once_and_is_named(void **state)
{
	(void)state;
	send(MANY);
	const struct ring_segment *segment = with_index_on_disk();
	spoil(segment, segment->index.disk->offset + ENVELOPE_BYTES + 9);
	assert_int_equal(damaged_after_queries(), 1);
	assert_int_equal(told.times, 1);
	assert_non_null(strstr(told.last, ": its index cannot be read"));
}

/* Places beyond the first few are counted, and those beyond very many not even that. */
static void test_sentences_and_memory_have_an_end(void **state)
{
	(void)state;
	struct store_stat stat;
	for (uint32_t i = 1; i <= UNREAD_KNOWN + 10; i++)
		store_unread(kit.store,
			&(struct ring_place){.number = 1, .ref = {.offset = i, .host = kit.host}});
	store_stat(kit.store, &stat);
	assert_int_equal(stat.damaged_blocks, UNREAD_KNOWN);
	assert_int_equal(told.times, UNREAD_TOLD + 1);
	assert_non_null(strstr(told.last, "more damaged blocks are counted"));
}

static void test_a_start_says_what_it_does_not_know(void **state)
{
	(void)state;
	char path[160];
	struct store_stat stat;
	send(SWEEPS);
	store_close(kit.store);
	snprintf(path, sizeof path, "%s/host.log", kit.dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kit_open(&kit, NULL), 0);
	assert_int_equal(told.times, 2); /* of the file, and of what it would have said */
	assert_non_null(strstr(told.last, "are of hosts or schemas that are not known"));
	unsigned long unknown = strtoul(told.last, NULL, 10);
	store_stat(kit.store, &stat);
	assert_true(unknown > 0 && stat.damaged_blocks > unknown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_block_counts_once_and_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_an_index_counts_once_and_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_sentences_and_memory_have_an_end, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_start_says_what_it_does_not_know, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
