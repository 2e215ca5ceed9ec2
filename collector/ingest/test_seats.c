/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct seat seat_of(uint8_t agent, uint8_t machine, uint8_t boot, uint64_t number)
{
	struct seat seat = {.number = number};
	memset(seat.agent, agent, sizeof seat.agent);
	memset(seat.machine, machine, sizeof seat.machine);
	memset(seat.boot, boot, sizeof seat.boot);
	return seat;
}

static int setup(void **state)
{
	struct seats *seats = calloc(1, sizeof *seats);
	uv_mutex_init(&seats->lock);
	*state = seats;
	return 0;
}

static int teardown(void **state)
{
	struct seats *seats = *state;
	for (size_t i = 0; i < SEAT_BUCKETS; i++)
		assert_null(seats->buckets[i]);
	uv_mutex_destroy(&seats->lock);
	free(seats);
	return 0;
}

static void the_same_boot_is_replaced(void **state)
{
	struct seats *seats = *state;
	struct seat_older older;
	struct seat first = seat_of(1, 1, 1, 7), second = seat_of(1, 1, 1, 8);
	struct seat other = seat_of(2, 1, 1, 9);
	assert_int_equal(seats_take(seats, &first, 0, &older), SEAT_TAKEN);
	assert_int_equal(seats_take(seats, &other, 0, &older), SEAT_TAKEN);
	assert_int_equal(seats_take(seats, &second, 1, &older), SEAT_REPLACED);
	assert_int_equal(older.number, 7);
	/* The replaced one leaves late and takes nobody's seat with it. */
	seats_leave(seats, &first);
	assert_true(second.taken);
	seats_leave(seats, &second);
	seats_leave(seats, &other);
}

static void another_machine_is_a_clone(void **state)
{
	struct seats *seats = *state;
	struct seat_older older;
	struct seat first = seat_of(1, 1, 1, 7), copy = seat_of(1, 2, 1, 8);
	assert_int_equal(seats_take(seats, &first, 0, &older), SEAT_TAKEN);
	assert_int_equal(seats_take(seats, &copy, 1, &older), SEAT_CLONE);
	assert_memory_equal(older.machine, first.machine, MACHINE_BYTES);
	assert_false(copy.taken);
	seats_leave(seats, &first);
}

static void another_boot_is_a_clone_only_if_the_older_still_speaks(void **state)
{
	struct seats *seats = *state;
	struct seat_older older;
	struct seat first = seat_of(1, 1, 1, 7), next = seat_of(1, 1, 2, 8);
	assert_int_equal(seats_take(seats, &first, 1000, &older), SEAT_TAKEN);
	assert_int_equal(seats_take(seats, &next, 2000, &older), SEAT_BUSY);
	/* Silent since: it may be dead. */
	assert_int_equal(seats_take(seats, &next, 12000, &older), SEAT_BUSY);
	atomic_store(&first.heard_ms, 13000);
	assert_int_equal(seats_take(seats, &next, 22000, &older), SEAT_CLONE);
	seats_leave(seats, &first);
	assert_int_equal(seats_take(seats, &next, 23000, &older), SEAT_TAKEN);
	seats_leave(seats, &next);
}

/* A copy that came once, and weeks later the machine itself is restarted. */
static void a_challenge_is_forgotten(void **state)
{
	struct seats *seats = *state;
	struct seat_older older;
	struct seat first = seat_of(1, 1, 1, 7), copy = seat_of(1, 1, 2, 8);
	struct seat restarted = seat_of(1, 1, 3, 9);
	assert_int_equal(seats_take(seats, &first, 1000, &older), SEAT_TAKEN);
	assert_int_equal(seats_take(seats, &copy, 2000, &older), SEAT_BUSY);
	atomic_store(&first.heard_ms, 86400000);
	assert_int_equal(seats_take(seats, &restarted, 86410000, &older), SEAT_BUSY);
	seats_leave(seats, &first);
	assert_int_equal(seats_take(seats, &restarted, 86450000, &older), SEAT_TAKEN);
	seats_leave(seats, &restarted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_boot_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(another_machine_is_a_clone, setup, teardown),
		cmocka_unit_test_setup_teardown(
			another_boot_is_a_clone_only_if_the_older_still_speaks, setup, teardown),
		cmocka_unit_test_setup_teardown(a_challenge_is_forgotten, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
