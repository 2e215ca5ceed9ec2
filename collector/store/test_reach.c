/* SPDX-License-Identifier: Apache-2.0 */
/* How far tiers reach at today's load, and when that is not far enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "testkit.h"

#define HOUR (INT64_C(3600) * 1000)
#define DAY (24 * HOUR)

static struct store_tier_stat tier(uint64_t bytes, uint64_t day_bytes, int64_t day_ms)
{
	return (struct store_tier_stat){.bytes = bytes,
		.blocks = 1,
		.oldest_ms = DAY,
		.newest_ms = 3 * DAY,
		.day_bytes = day_bytes,
		.day_ms = day_ms};
}

static void test_days_at_todays_load(void **state)
{
	struct store_stat stat = {
		.tiers = {tier(4000, 100, DAY), tier(12000, 100, DAY), tier(50000, 100, DAY)}};
	struct store_reach reach[STORE_TIERS];
	(void)state;
	char text[256];
	store_reach(&stat, reach);
	assert_false(store_reach_warning(reach, STORE_RAW, text, sizeof text));
	assert_true(reach[STORE_RAW].held_days == 2);
	assert_true(reach[STORE_RAW].days == 40 && !reach[STORE_RAW].is_short);
	assert_true(reach[STORE_FIVE_MINUTE].days == 120 && !reach[STORE_FIVE_MINUTE].is_near);
	assert_true(reach[STORE_HOUR].days == 500 && !reach[STORE_HOUR].is_short);
	/* The same bytes in an hour are 24 times the load. */
	stat.tiers[STORE_RAW] = tier(4000, 100, HOUR);
	store_reach(&stat, reach);
	assert_true(reach[STORE_RAW].days > 1.6 && reach[STORE_RAW].days < 1.7);
	assert_true(reach[STORE_RAW].is_short);
	assert_true(store_reach_warning(reach, STORE_RAW, text, sizeof text));
	assert_string_equal(text,
		"the raw tier holds 1.7 days at today's load, less than its 30: raise store.raw");
}

static void test_less_than_three_times_as_far(void **state)
{
	const struct store_stat stat = {
		.tiers = {tier(4000, 100, DAY), tier(11900, 100, DAY), tier(50000, 100, DAY)}};
	struct store_reach reach[STORE_TIERS];
	(void)state;
	store_reach(&stat, reach);
	char text[256];
	assert_true(store_reach_warning(reach, STORE_FIVE_MINUTE, text, sizeof text));
	assert_string_equal(text,
		"the five_minute tier holds 119.0 days at today's load, less than 3 times the raw "
		"tier's 40.0: raise store.five_minute");
	assert_true(reach[STORE_FIVE_MINUTE].is_near && !reach[STORE_FIVE_MINUTE].is_short);
	assert_false(reach[STORE_HOUR].is_near);
}

static void test_too_young_to_say(void **state)
{
	const struct store_stat stat = {.tiers = {tier(4000, 4000, HOUR - 1), tier(1, 0, DAY),
						tier(50000, 100, 11 * HOUR)}};
	struct store_reach reach[STORE_TIERS];
	(void)state;
	store_reach(&stat, reach);
	for (int t = 0; t < STORE_TIERS; t++)
		assert_true(reach[t].days == 0 && !reach[t].is_short && !reach[t].is_near);
}

/* Of two days, the newest counts. */
static void test_the_newest_day_of_a_store(void **state)
{
	struct kit kit;
	struct sender sender = {0};
	struct store_stat stat;
	int64_t at_ms = kit_now_ms - 3 * DAY;
	(void)state;
	kit_init_of(&kit, 8 << 10, 64);
	sender_begin(&sender, &kit, 1, 7);
	for (int i = 0; i < 288; i++, at_ms += 10 * 60 * 1000)
		assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit.schema, at_ms, 20,
					 30000, i == 0),
			STORE_DURABLE);
	store_stat(kit.store, &stat);
	const struct store_tier_stat *raw = &stat.tiers[STORE_RAW];
	assert_int_equal(raw->day_ms, DAY);
	assert_in_range(raw->day_bytes, raw->used_bytes * 4 / 10, raw->used_bytes * 6 / 10);
	assert_true(stat.packed_samples > 0 && stat.packed_bytes < 8 * stat.packed_samples);
	kit_done(&kit);
}

/* Raw bytes of the newest day of a host, beside whose sweeps a target's history may have come. */
static uint64_t day_bytes(bool history)
{
	struct kit kit;
	struct sender sender = {0};
	struct store_stat stat;
	int64_t at_ms = kit_now_ms - 3 * DAY;
	kit_init_of(&kit, 64 << 10, 64);
	sender_begin(&sender, &kit, 1, 7);
	for (int i = 0; i < 288; i++, at_ms += 10 * 60 * 1000) {
		assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit.schema, at_ms, 20,
					 30000, i == 0),
			STORE_DURABLE);
		if (history)
			assert_int_equal(kit_target_write(&kit, 1, at_ms - 30 * DAY, 20, 30000), 0);
	}
	for (int again = 0; again < 2; again++) {
		store_stat(kit.store, &stat);
		assert_int_equal(stat.tiers[STORE_RAW].day_ms, DAY);
		kit_reopen(&kit);
	}
	kit_done(&kit);
	return stat.tiers[STORE_RAW].day_bytes;
}

/* It lies in the same segments, and takes nothing from today's load. */
static void test_history_does_not_lower_the_load(void **state)
{
	(void)state;
	uint64_t alone = day_bytes(false), beside = day_bytes(true);
	assert_in_range(beside, alone * 9 / 10, alone * 11 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_days_at_todays_load),
		cmocka_unit_test(test_less_than_three_times_as_far),
		cmocka_unit_test(test_too_young_to_say),
		cmocka_unit_test(test_the_newest_day_of_a_store),
		cmocka_unit_test(test_history_does_not_lower_the_load),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
