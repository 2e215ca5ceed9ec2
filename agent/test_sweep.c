/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/fault.h>
#include <fenwatch/frame.h>
#include <fenwatch/schema.h>

#include "print.h"
#include "sweep.h"

static const struct metric load = {"load", FW_GAUGE, "", "A load.", 2, 1};
static const struct metric reads = {"reads", FW_COUNTER, "bytes", "Reads.", 0, 512};
static const struct metric late = {"late", FW_GAUGE, "", "Comes later.", 0, 0};

static void add_device(struct sweep *s, const char *device, int64_t value)
{
	sweep_add(s, &reads, value, SWEEP_LABELS("device", device));
}

static bool sweep_of(struct sweep *s, const char *const *devices)
{
	sweep_begin(s, 1000);
	sweep_add_plain(s, &load, 123);
	for (size_t i = 0; devices[i]; i++)
		add_device(s, devices[i], (int64_t)i);
	return sweep_end(s);
}
#define DEVICES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_column(const struct sweep *s, uint32_t i, const char *name, const char *value)
{
	const struct fw_column *c = &sweep_schema(s)->columns[i];
	assert_string_equal(c->name, name);
	assert_int_equal(c->n_labels, value ? 1 : 0);
	if (value)
		assert_string_equal(c->labels[0].value, value);
}

static void test_first_sweep_makes_the_schema(void **state)
{
	(void)state;
	struct sweep *s = sweep_new();
	assert_int_equal(sweep_schema(s)->n_columns, 0);
	assert_true(sweep_of(s, DEVICES("sda", "sdb")));
	assert_int_equal(sweep_schema(s)->n_columns, 3);
	assert_column(s, 0, "load", NULL);
	assert_column(s, 1, "reads", "sda");
	assert_int_equal(sweep_schema(s)->columns[1].factor, 512);
	assert_int_equal(sweep_schema(s)->columns[0].scale, 2);
	assert_int_equal(sweep_cells(s)[0], 123);
	assert_int_equal(sweep_cells(s)[2], 1);
	sweep_free(s);
}

static void test_same_series_same_schema(void **state)
{
	(void)state;
	struct sweep *s = sweep_new();
	sweep_of(s, DEVICES("sda", "sdb"));
	const struct fw_schema before = *sweep_schema(s);
	assert_false(sweep_of(s, DEVICES("sda", "sdb")));
	assert_memory_equal(&before, sweep_schema(s), sizeof before);
	/* Another order is found by searching. */
	assert_false(sweep_of(s, DEVICES("sdb", "sda")));
	assert_int_equal(sweep_cells(s)[1], 1);
	assert_int_equal(sweep_cells(s)[2], 0);
	sweep_free(s);
}

#ifdef FW_TEST_SEAMS
static void test_steady_state_allocates_nothing(void **state)
{
	(void)state;
	struct sweep *s = sweep_new();
	sweep_of(s, DEVICES("sda", "sdb"));
	fw_fault_clear();
	sweep_of(s, DEVICES("sda", "sdb"));
	assert_int_equal(fw_fault_calls(FW_OP_ALLOC), 0);
	sweep_of(s, DEVICES("sda", "sdb", "sdc"));
	assert_int_not_equal(fw_fault_calls(FW_OP_ALLOC), 0);
	sweep_free(s);
}
#endif

static void test_new_series_stands_where_it_came(void **state)
{
	(void)state;
	struct sweep *s = sweep_new();
	sweep_of(s, DEVICES("sda", "sdc"));
	assert_true(sweep_of(s, DEVICES("sda", "sdb", "sdc")));
	assert_column(s, 2, "reads", "sdb");
	assert_column(s, 3, "reads", "sdc");
	assert_int_equal(sweep_cells(s)[2], 1);
	sweep_begin(s, 2000);
	sweep_add_plain(s, &late, 1);
	assert_true(sweep_end(s));
	assert_column(s, 0, "late", NULL);
	assert_int_equal(sweep_schema(s)->columns[0].factor, 1);
	assert_int_equal(sweep_cells(s)[1], FW_ABSENT);
	sweep_free(s);
}

static void test_absent_series_is_waited_for(void **state)
{
	(void)state;
	struct sweep *s = sweep_new();
	sweep_of(s, DEVICES("sda", "sdb"));
	for (int i = 1; i < SWEEP_PATIENCE; i++)
		assert_false(sweep_of(s, DEVICES("sdb")));
	assert_int_equal(sweep_cells(s)[1], FW_ABSENT);
	/* Back in time: the waiting begins anew. */
	assert_false(sweep_of(s, DEVICES("sda", "sdb")));
	for (int i = 1; i < SWEEP_PATIENCE; i++)
		assert_false(sweep_of(s, DEVICES("sdb")));
	assert_true(sweep_of(s, DEVICES("sdb")));
	assert_int_equal(sweep_schema(s)->n_columns, 2);
	assert_column(s, 1, "reads", "sdb");
	sweep_free(s);
}

static void test_duplicates_are_dropped(void **state)
{
	(void)state;
	struct sweep *s = sweep_new();
	sweep_of(s, DEVICES("sda", "sda", "sdb"));
	assert_int_equal(sweep_schema(s)->n_columns, 3);
	assert_int_equal(sweep_cells(s)[1], 0);
	assert_false(sweep_of(s, DEVICES("sda", "sda", "sdb")));
	assert_int_equal(sweep_cells(s)[1], 0);
	assert_int_equal(sweep_cells(s)[2], 2);
	sweep_free(s);
}

static void test_labels_are_made_fit(void **state)
{
	(void)state;
	static char lengthy[3000];
	memset(lengthy, 'x', sizeof lengthy - 1);
	struct sweep *s = sweep_new();
	assert_true(sweep_of(s, DEVICES("bad \xff\x01", "", lengthy)));
	assert_column(s, 1, "reads", "bad \\xff\\x01");
	assert_column(s, 2, "reads", NULL); /* an empty label is none */
	assert_true(strlen(sweep_schema(s)->columns[3].labels[0].value) <= FW_SYMBOL_LIMIT);
	assert_false(sweep_of(s, DEVICES("bad \xff\x01", "", lengthy)));
	sweep_free(s);
}

static void test_columns_are_limited(void **state)
{
	(void)state;
	struct sweep *s = sweep_new();
	for (int round = 0; round < 2; round++) {
		sweep_begin(s, 1000 + round);
		for (int i = 0; i < FW_COLUMNS_LIMIT + 10; i++) {
			char name[16];
			snprintf(name, sizeof name, "%d", i);
			add_device(s, name, i);
		}
		assert_int_equal(sweep_end(s), round == 0);
		assert_int_equal(sweep_schema(s)->n_columns, FW_COLUMNS_LIMIT);
	}
	sweep_free(s);
}

/* Whoever may mount something chooses these names. Their schema still fits a frame. */
static void test_text_is_limited(void **state)
{
	(void)state;
	enum { DEVICES = 2000, LENGTH = 1000 };
	struct sweep *s = sweep_new();
	struct fw_buf message = {0};
	for (int round = 0; round < 2; round++) {
		sweep_begin(s, 1000 + round);
		for (int i = 0; i < DEVICES; i++) {
			char name[LENGTH + 1];
			memset(name, 'x', LENGTH);
			snprintf(name + LENGTH - 8, 9, "%08d", i);
			add_device(s, name, i);
		}
		sweep_end(s);
		fw_buf_reset(&message);
		fw_schema_encode(sweep_schema(s), 1, NULL, &message);
		assert_true(message.length < FW_FRAME_LIMIT);
		assert_true(sweep_schema(s)->n_columns > 200);
	}
	fw_buf_done(&message);
	sweep_free(s);
}

static void test_print(void **state)
{
	(void)state;
	struct sweep *s = sweep_new();
	struct fw_buf out = {0};
	sweep_begin(s, 1000);
	sweep_add_plain(s, &load, -105);
	add_device(s, "a\"b\\c\nd", 3);
	sweep_add_plain(s, &late, INT64_MAX);
	add_device(s, "", INT64_MAX);
	sweep_end(s);
	print_sweep(s, &out);
	assert_string_equal((const char *)out.data,
		"# HELP load A load.\n# TYPE load gauge\nload -1.05\n"
		"# HELP reads Reads.\n# TYPE reads counter\n"
		"reads{device=\"a\\\"b\\\\c\\nd\"} 1536\nreads 4.7223664828696452e+21\n"
		"# HELP late Comes later.\n# TYPE late gauge\nlate 9223372036854775807\n");
	fw_buf_done(&out);
	sweep_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_sweep_makes_the_schema),
		cmocka_unit_test(test_same_series_same_schema),
#ifdef FW_TEST_SEAMS
		cmocka_unit_test(test_steady_state_allocates_nothing),
#endif
		cmocka_unit_test(test_new_series_stands_where_it_came),
		cmocka_unit_test(test_absent_series_is_waited_for),
		cmocka_unit_test(test_duplicates_are_dropped),
		cmocka_unit_test(test_labels_are_made_fit),
		cmocka_unit_test(test_columns_are_limited),
		cmocka_unit_test(test_text_is_limited),
		cmocka_unit_test(test_print),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
