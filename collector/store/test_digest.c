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

enum { STEP = 15000, HOSTS = 3, SEGMENT = 8 << 10, SEGMENTS = 64 };

static struct kit kit;
static struct sender senders[HOSTS];
static uint32_t hosts[HOSTS];
static int64_t next_ms;

/* Small segments, so that they fill in a test. */
static int setup(void **state)
{
	static const char *const names[HOSTS] = {"alpha", "beta", "gamma"};
	(void)state;
	kit_init_of(&kit, SEGMENT, SEGMENTS);
	next_ms = kit_now_ms - INT64_C(30) * 24 * 3600 * 1000;
	memset(senders, 0, sizeof senders);
	for (int i = 0; i < HOSTS; i++) {
		hosts[i] = kit_host(&kit, names[i]);
		sender_begin(&senders[i], &kit, (uint8_t)(i + 1), 7);
	}
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

/* Until the store has nothing left to digest. */
static void settle(void)
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
	settle();
	for (int h = 0; h < HOSTS; h++)
		assert_int_equal(kit_count(&kit, hosts[h], true), 6000);
	store_close(kit.store);
	assert_int_equal(kit_check(kit.dir), 0);
	assert_int_equal(kit_open(&kit, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_joins_and_rolls_up, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
