/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define START_MS INT64_C(1000000)
#define WALL_MS INT64_C(1700000000000)

static const struct limits below = {BELOW, 0.10, 0.12, 60000};
static const struct limits at_once = {ABOVE, 0, 0, 0};

static struct moment at(int64_t after_ms)
{
	return (struct moment){START_MS + after_ms, WALL_MS + after_ms};
}

/* One look after the other: what is seen, and what comes of it. */
struct step {
	int64_t after_ms;
	double value; /* GONE: the host spoke without it; LOST: and that ends nothing */
	enum change change;
	enum phase phase;
};
#define GONE (-1e9)
#define LOST (-2e9)

static void play(const struct limits *limits, const struct step *steps, size_t n)
{
	struct life life = {0};
	for (size_t i = 0; i < n; i++) {
		struct moment now = at(steps[i].after_ms);
		enum change change = steps[i].value <= GONE
			? engine_miss(&life, steps[i].value == GONE, now)
			: engine_observe(&life, limits, steps[i].value, now.mono_ms, now);
		if (change != steps[i].change || life.phase != steps[i].phase)
			fail_msg("step %zu: change %d, phase %d", i, change, life.phase);
	}
}
#define PLAY(limits, ...)                                          \
	do {                                                       \
		const struct step steps[] = {__VA_ARGS__};         \
		play(limits, steps, sizeof steps / sizeof *steps); \
	} while (0)

static void test_a_fault_is_held_fires_and_recovers(void **arg)
{
	(void)arg;
	PLAY(&below, {0, 0.50, CHANGE_NONE, CLEAR}, {15000, 0.09, CHANGE_PENDING, PENDING},
		{30000, 0.08, CHANGE_NONE, PENDING}, {74999, 0.08, CHANGE_NONE, PENDING},
		{75000, 0.08, CHANGE_FIRED, FIRING}, {90000, 0.05, CHANGE_NONE, FIRING},
		{105000, 0.11, CHANGE_NONE, FIRING}, {120000, 0.12, CHANGE_RESOLVED, CLEAR},
		{135000, 0.11, CHANGE_NONE, CLEAR});
}

static void test_a_short_fault_tells_nobody(void **arg)
{
	(void)arg;
	PLAY(&below, {0, 0.09, CHANGE_PENDING, PENDING}, {59999, 0.10, CHANGE_DROPPED, CLEAR},
		{60000, 0.09, CHANGE_PENDING, PENDING}, {119999, 0.09, CHANGE_NONE, PENDING});
}

static void test_no_hold_fires_at_first_sight(void **arg)
{
	(void)arg;
	PLAY(&at_once, {0, 0, CHANGE_NONE, CLEAR}, {1, 1, CHANGE_FIRED, FIRING},
		{2, 2, CHANGE_NONE, FIRING}, {3, 0, CHANGE_RESOLVED, CLEAR},
		{4, 1, CHANGE_FIRED, FIRING});
}

static void test_on_the_threshold_is_no_breach(void **arg)
{
	(void)arg;
	PLAY(&below, {0, 0.10, CHANGE_NONE, CLEAR});
	PLAY(&at_once, {0, 0, CHANGE_NONE, CLEAR}, {0, -1, CHANGE_NONE, CLEAR});
}

static void test_what_is_gone(void **arg)
{
	(void)arg;
	PLAY(&below, {0, GONE, CHANGE_NONE, CLEAR}, {0, 0.01, CHANGE_PENDING, PENDING},
		{15000, GONE, CHANGE_DROPPED, CLEAR});
	PLAY(&at_once, {0, 1, CHANGE_FIRED, FIRING}, {1000, GONE, CHANGE_NONE, FIRING},
		{1000 + ENGINE_GONE_MS - 1, GONE, CHANGE_NONE, FIRING},
		{1000 + ENGINE_GONE_MS, GONE, CHANGE_RESOLVED, CLEAR});
	/* Seen again in between, the time counts anew. */
	PLAY(&at_once, {0, 1, CHANGE_FIRED, FIRING}, {1000, GONE, CHANGE_NONE, FIRING},
		{ENGINE_GONE_MS, 1, CHANGE_NONE, FIRING},
		{ENGINE_GONE_MS + 1000, GONE, CHANGE_NONE, FIRING},
		{ENGINE_GONE_MS + 2000, GONE, CHANGE_NONE, FIRING});
}

/* Once it is an end, the time counts from there. */
static void test_what_is_gone_and_may_not_be_over(void **arg)
{
	(void)arg;
	PLAY(&at_once, {0, 1, CHANGE_FIRED, FIRING}, {1000, LOST, CHANGE_NONE, FIRING},
		{100 * ENGINE_GONE_MS, LOST, CHANGE_NONE, FIRING},
		{101 * ENGINE_GONE_MS - 1, GONE, CHANGE_NONE, FIRING},
		{101 * ENGINE_GONE_MS, GONE, CHANGE_RESOLVED, CLEAR});
	PLAY(&at_once, {0, 1, CHANGE_FIRED, FIRING}, {1000, LOST, CHANGE_NONE, FIRING},
		{100 * ENGINE_GONE_MS, 0, CHANGE_RESOLVED, CLEAR});
	PLAY(&below, {0, 0.01, CHANGE_PENDING, PENDING}, {1000, LOST, CHANGE_DROPPED, CLEAR});
}

static void test_hold_counts_from_when_it_began(void **arg)
{
	(void)arg;
	struct life life = {0};
	assert_int_equal(
		engine_observe(&life, &below, 0.01, START_MS - 60000, at(0)), CHANGE_FIRED);
	assert_int_equal(life.starts_ms, WALL_MS - 60000);
}

static void test_wall_time_may_step(void **arg)
{
	(void)arg;
	struct life life = {0};
	engine_observe(&life, &below, 0.01, START_MS, at(0));
	struct moment later = at(59999);
	later.wall_ms += 12 * 3600 * 1000;
	assert_int_equal(engine_observe(&life, &below, 0.01, later.mono_ms, later), CHANGE_NONE);
	later = at(60000);
	later.wall_ms -= 12 * 3600 * 1000;
	assert_int_equal(engine_observe(&life, &below, 0.01, later.mono_ms, later), CHANGE_FIRED);
	assert_int_equal(life.starts_ms, WALL_MS);
	assert_int_equal(engine_observe(&life, &below, 0.5, later.mono_ms, later), CHANGE_RESOLVED);
	assert_int_equal(life.ends_ms, WALL_MS); /* never before it began */
}

static void test_the_end_of_a_rule(void **arg)
{
	(void)arg;
	struct life life = {0};
	assert_int_equal(engine_end(&life, at(0)), CHANGE_NONE);
	engine_observe(&life, &below, 0.01, START_MS, at(0));
	assert_int_equal(engine_end(&life, at(1)), CHANGE_DROPPED);
	engine_observe(&life, &at_once, 1, START_MS, at(2));
	assert_int_equal(engine_end(&life, at(3)), CHANGE_RESOLVED);
	assert_int_equal(life.phase, CLEAR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_fault_is_held_fires_and_recovers),
		cmocka_unit_test(test_a_short_fault_tells_nobody),
		cmocka_unit_test(test_no_hold_fires_at_first_sight),
		cmocka_unit_test(test_on_the_threshold_is_no_breach),
		cmocka_unit_test(test_what_is_gone),
		cmocka_unit_test(test_what_is_gone_and_may_not_be_over),
		cmocka_unit_test(test_hold_counts_from_when_it_began),
		cmocka_unit_test(test_wall_time_may_step),
		cmocka_unit_test(test_the_end_of_a_rule),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
