/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DAY_MS 86400000

static const uint8_t one[16] = {1}, other[16] = {2};

static int setup(void **state)
{
	struct quotas *quotas = calloc(1, sizeof *quotas);
	uv_mutex_init(&quotas->lock);
	*state = quotas;
	return 0;
}

static int teardown(void **state)
{
	struct quotas *quotas = *state;
	quotas_forget(quotas);
	uv_mutex_destroy(&quotas->lock);
	free(quotas);
	return 0;
}

static void each_agent_has_its_own(void **state)
{
	struct quotas *quotas = *state;
	for (int i = 0; i < QUOTA_COLUMNS / 16000; i++)
		assert_true(quotas_take(quotas, one, 16000, DAY_MS));
	assert_false(quotas_take(quotas, one, 16000, DAY_MS));
	/* What still fits is taken, and others never notice. */
	assert_true(quotas_take(quotas, one, QUOTA_COLUMNS % 16000, DAY_MS));
	assert_false(quotas_take(quotas, one, 1, DAY_MS));
	assert_true(quotas_take(quotas, other, QUOTA_COLUMNS, DAY_MS));
}

static void another_day_begins_anew(void **state)
{
	struct quotas *quotas = *state;
	assert_true(quotas_take(quotas, one, QUOTA_COLUMNS, DAY_MS));
	assert_false(quotas_take(quotas, one, 1, 2 * DAY_MS - 1));
	assert_true(quotas_take(quotas, one, 1, 2LL * DAY_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_agent_has_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(another_day_begins_anew, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
