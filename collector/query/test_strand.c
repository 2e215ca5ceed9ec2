/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/batch.h>

#include "labels.h"
#include "strand.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct fw_label host[] = {{"instance", "web01"}, {"job", "node"}};
static const struct fw_label sda[] = {{"device", "sda"}};

/* Two schemas of one host that share "load". */
static const struct fw_column old_columns[] = {
	{"load", NULL, 0, 0, FW_GAUGE, 1},
	{"gone", sda, 1, 0, FW_GAUGE, 1},
};
static const struct fw_column new_columns[] = {
	{"fresh", NULL, 0, 0, FW_GAUGE, 1},
	{"load", NULL, 0, 0, FW_GAUGE, 1},
};
static const struct fw_schema schemas[] = {
	{.n_columns = 2, .columns = old_columns},
	{.n_columns = 2, .columns = new_columns},
};
static const uint32_t both[] = {0, 1};
static const struct store_group groups[] = {
	{1, 1, NULL, host, 2, &schemas[0], both, 2},
	{1, 2, NULL, host, 2, &schemas[1], both, 2},
};

static void test_a_series_in_two_schemas_is_one(void **state)
{
	(void)state;
	static const int64_t old_times[] = {0, 10, 20}, new_times[] = {20, 30};
	static const int64_t load_old[] = {1, 2, FW_ABSENT}, gone[] = {7, 7, 7};
	static const int64_t fresh[] = {5, 5}, load_new[] = {3, 4};
	const int64_t *old_cells[] = {load_old, gone}, *new_cells[] = {fresh, load_new};
	const struct store_columns columns[] = {{.n = 3, .times_ms = old_times, .cells = old_cells},
		{.n = 2, .times_ms = new_times, .cells = new_cells}};
	struct fw_arena arena = {0};
	size_t n;
	struct strand *strands = strands_new(groups, columns, 2, &arena, &n);
	assert_int_equal(n, 4);
	assert_int_equal(strands_run(strands, n), 1);
	assert_string_equal(strands[0].column->name, "fresh");
	assert_int_equal(strands_run(strands + 1, n - 1), 1);
	assert_int_equal(strands_run(strands + 2, n - 2), 2);

	static const struct sample wanted[] = {
		{0, 1, false}, {10, 2, false}, {20, 3, false}, {30, 4, false}};
	struct sample got;
	for (size_t i = 0; i < COUNT(wanted); i++) {
		assert_true(strands_next(strands + 2, 2, &got));
		assert_int_equal(got.at_ms, wanted[i].at_ms);
		assert_true(got.value == wanted[i].value);
		assert_false(got.stale);
	}
	assert_false(strands_next(strands + 2, 2, &got));
	fw_arena_done(&arena);
}

static void test_an_absent_cell_ends_the_series(void **state)
{
	(void)state;
	static const int64_t times[] = {0, 10}, load[] = {1, FW_ABSENT}, gone[] = {7, 7};
	const int64_t *cells[] = {load, gone};
	const struct store_columns columns = {.n = 2, .times_ms = times, .cells = cells};
	struct fw_arena arena = {0};
	size_t n;
	struct strand *strands = strands_new(groups, &columns, 1, &arena, &n);
	struct sample got;
	assert_true(strands_next(strands, 1, &got) && !got.stale);
	assert_true(strands_next(strands, 1, &got) && got.stale);
	assert_int_equal(got.at_ms, 10);
	fw_arena_done(&arena);
}

static void test_labels_are_one_sorted_list(void **state)
{
	(void)state;
	struct fw_label labels[4];
	assert_int_equal(strand_labels_most(&groups[0], &old_columns[1]), COUNT(labels));
	size_t n = strand_labels(&groups[0], &old_columns[1], labels);
	static const struct fw_label wanted[] = {
		{"__name__", "gone"}, {"device", "sda"}, {"instance", "web01"}, {"job", "node"}};
	assert_int_equal(labels_compare(labels, n, wanted, COUNT(wanted)), 0);
	assert_true(labels_compare(labels, n, wanted, COUNT(wanted) - 1) > 0);
	assert_true(labels_compare(labels, 1, host, 1) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_series_in_two_schemas_is_one),
		cmocka_unit_test(test_an_absent_cell_ends_the_series),
		cmocka_unit_test(test_labels_are_one_sorted_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
