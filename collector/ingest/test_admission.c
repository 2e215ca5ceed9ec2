/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Everybody wants in at every moment. */
static unsigned admitted(struct admission *admission, uint64_t from_ms, uint64_t to_ms)
{
	unsigned n = 0;
	for (uint64_t now_ms = from_ms; now_ms < to_ms; now_ms++)
		while (admission_wait_ms(admission, now_ms) == 0) {
			admission_take(admission);
			n++;
		}
	return n;
}

static void no_second_admits_more_than_its_share_and_a_burst(void **state)
{
	struct admission admission;
	(void)state;
	admission_init(&admission, 2, 1000);
	assert_int_equal(admitted(&admission, 1000, 2000), 250 + 25 - 1);
	for (uint64_t second = 2; second < 60; second++)
		assert_in_range(
			admitted(&admission, second * 1000, second * 1000 + 1000), 249, 250);
}

static void who_was_away_saves_up_no_more_than_a_burst(void **state)
{
	struct admission admission;
	(void)state;
	admission_init(&admission, 2, 0);
	assert_int_equal(admitted(&admission, 3600000, 3600001), 25);
}

static void the_wait_ends_when_one_may_come(void **state)
{
	struct admission admission;
	(void)state;
	for (unsigned workers = 1; workers <= 64; workers++) {
		admission_init(&admission, workers, 0);
		admitted(&admission, 0, 1);
		uint64_t wait_ms = admission_wait_ms(&admission, 0);
		assert_in_range(wait_ms, 1, workers * 2 + 1);
		assert_int_equal(admission_wait_ms(&admission, wait_ms), 0);
	}
}

/* A turn of the loop that takes long lets in no more than a burst: what is under way
 * is finished before more is begun. */
static void a_slow_loop_admits_less(void **state)
{
	struct admission admission;
	unsigned n = 0;
	(void)state;
	admission_init(&admission, 2, 0);
	for (uint64_t turn = 1; turn <= 10; turn++)
		n += admitted(&admission, turn * 1000, turn * 1000 + 1);
	assert_int_equal(n, 250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_second_admits_more_than_its_share_and_a_burst),
		cmocka_unit_test(who_was_away_saves_up_no_more_than_a_burst),
		cmocka_unit_test(the_wait_ends_when_one_may_come),
		cmocka_unit_test(a_slow_loop_admits_less),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
