/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/array.h>
#include <fenwatch/mem.h>

static void test_what_is_new_is_zeroed(void **state)
{
	(void)state;
	size_t n = 0;
	uint32_t *items = fw_array_reach(NULL, &n, 0, sizeof *items);
	assert_in_range(n, 1, 100);
	memset(items, 0xff, n * sizeof *items);
	size_t had = n;
	items = fw_array_reach(items, &n, 1000, sizeof *items);
	assert_in_range(n, 1001, 2000);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(items[i], i < had ? UINT32_MAX : 0);
	fw_free(items);
}

static void test_what_is_there_stays_where_it_is(void **state)
{
	(void)state;
	size_t n = 0;
	char *items = fw_array_reach(NULL, &n, 5, 1);
	size_t had = n;
	assert_ptr_equal(fw_array_reach(items, &n, n - 1, 1), items);
	assert_int_equal(n, had);
	fw_free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_new_is_zeroed),
		cmocka_unit_test(test_what_is_there_stays_where_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
