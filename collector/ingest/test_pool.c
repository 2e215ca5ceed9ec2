/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define WORKERS 50 /* so the pool holds 28 */
#define ROOM (POOL_LIMIT / WORKERS)

struct scene {
	struct pool pool;
	struct waiter waiters[2 * ROOM];
};

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof *scene);
	pool_init(&scene->pool, WORKERS);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;
	for (unsigned i = 0; i < 2 * ROOM; i++)
		pool_leave(&scene->pool, &scene->waiters[i]);
	assert_int_equal(scene->pool.count, 0);
	assert_true(TAILQ_EMPTY(&scene->pool.sources));
	free(scene);
	return 0;
}

static void enter(struct scene *scene, unsigned waiter, uint8_t from)
{
	const uint8_t address[ADDRESS_BYTES] = {from};
	pool_enter(&scene->pool, &scene->waiters[waiter], address, waiter * 1000);
}

static bool is_hogged_by(const struct scene *scene, uint8_t from)
{
	const uint8_t address[ADDRESS_BYTES] = {from};
	return pool_is_hogged_by(&scene->pool, address);
}

static void the_most_crowded_address_loses_its_oldest(void **state)
{
	struct scene *scene = *state;
	enter(scene, 0, 1);
	enter(scene, 1, 2);
	enter(scene, 2, 2);
	enter(scene, 3, 3);
	assert_ptr_equal(pool_victim(&scene->pool), &scene->waiters[1]);
	pool_leave(&scene->pool, &scene->waiters[1]);
	pool_leave(&scene->pool, &scene->waiters[1]);
	assert_int_equal(scene->pool.count, 3);
	/* One each: the oldest of all. */
	assert_ptr_equal(pool_victim(&scene->pool), &scene->waiters[0]);
}

static void it_is_full_when_its_share_is_taken(void **state)
{
	struct scene *scene = *state;
	for (unsigned i = 0; i < ROOM; i++) {
		assert_false(pool_is_full(&scene->pool));
		enter(scene, i, (uint8_t)i);
	}
	assert_true(pool_is_full(&scene->pool));
}

static void who_is_in_has_time_to_say_hello(void **state)
{
	struct scene *scene = *state;
	for (unsigned i = 1; i <= ROOM; i++) {
		assert_int_equal(pool_wait_ms(&scene->pool, 1000), 0);
		enter(scene, i, (uint8_t)i);
	}
	assert_int_equal(pool_wait_ms(&scene->pool, 1000), POOL_PATIENCE_MS);
	assert_int_equal(pool_wait_ms(&scene->pool, 1000 + POOL_PATIENCE_MS - 1), 1);
	assert_int_equal(pool_wait_ms(&scene->pool, 1000 + POOL_PATIENCE_MS), 0);
	/* The one in turn makes room; the next has come a second later. */
	pool_leave(&scene->pool, &scene->waiters[1]);
	assert_int_equal(pool_wait_ms(&scene->pool, 1000), 0);
	enter(scene, ROOM + 1, 1);
	assert_int_equal(pool_wait_ms(&scene->pool, 1000 + POOL_PATIENCE_MS), 1000);
}

static void an_address_is_turned_away_only_when_others_may_need_the_room(void **state)
{
	struct scene *scene = *state;
	for (unsigned i = 0; i < ROOM / 2 - 1; i++)
		enter(scene, i, 1);
	assert_false(is_hogged_by(scene, 1));
	enter(scene, ROOM / 2, 2);
	assert_true(is_hogged_by(scene, 1));
	assert_false(is_hogged_by(scene, 2));
	assert_false(is_hogged_by(scene, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_most_crowded_address_loses_its_oldest, setup, teardown),
		cmocka_unit_test_setup_teardown(
			it_is_full_when_its_share_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_in_has_time_to_say_hello, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_address_is_turned_away_only_when_others_may_need_the_room, setup,
			teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
