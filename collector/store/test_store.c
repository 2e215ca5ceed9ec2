/* SPDX-License-Identifier: Apache-2.0 */
/* The store's story: what goes in comes out, now and after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
