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

static void test_a_name_is_found_where_it_stands_first(void **state)
{
	static const struct {
		const char *name;
		int number;
	} items[] = {{"a", 1}, {"c", 2}, {"c", 3}, {"e", 4}};
	static const char *const names[] = {"", "a", "b", "c", "d", "e", "f"};
	static const size_t places[] = {0, 0, 1, 1, 3, 3, 4};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(fw_array_place(items, 4, sizeof *items, names[i]), places[i]);
	assert_int_equal(fw_array_place(NULL, 0, sizeof *items, "a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_new_is_zeroed),
		cmocka_unit_test(test_what_is_there_stays_where_it_is),
		cmocka_unit_test(test_a_name_is_found_where_it_stands_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
