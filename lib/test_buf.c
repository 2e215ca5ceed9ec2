/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>

static void test_text_grows_and_ends_in_nul(void **state)
{
	(void)state;
	struct fw_buf buf = {0};
	for (int i = 0; i < 1000; i++) {
		fw_buf_printf(&buf, "%d,", i % 10);
		assert_int_equal(strlen((char *)buf.data), buf.length);
	}
	fw_buf_puts(&buf, "end");
	fw_buf_putc(&buf, '.');
	assert_int_equal(buf.length, 2004);
	assert_string_equal((char *)buf.data + 1998, "9,end.");
	fw_buf_done(&buf);
	assert_null(buf.data);
}

static void test_limit_refuses_and_changes_nothing(void **state)
{
	(void)state;
	struct fw_buf buf = {.limit = 10};
	fw_buf_puts(&buf, "12345678");
	fw_buf_puts(&buf, "abc");
	assert_true(buf.overflowed);
	assert_string_equal((char *)buf.data, "12345678");
	fw_buf_puts(&buf, "90");
	assert_string_equal((char *)buf.data, "1234567890");
	assert_true(buf.capacity <= 11);
	assert_null(fw_buf_reserve(&buf, SIZE_MAX));
	fw_buf_reset(&buf);
	assert_false(buf.overflowed);
	assert_int_equal(buf.limit, 10);
	fw_buf_done(&buf);
}

static void test_consume_forgets_the_front(void **state)
{
	(void)state;
	struct fw_buf buf = {0};
	fw_buf_consume(&buf, 0);
	fw_buf_puts(&buf, "framebody");
	fw_buf_consume(&buf, 5);
	assert_string_equal((char *)buf.data, "body");
	fw_buf_consume(&buf, 4);
	assert_int_equal(buf.length, 0);
	fw_buf_done(&buf);
}

static void test_reserve_is_not_counted(void **state)
{
	(void)state;
	struct fw_buf buf = {0};
	uint8_t *at = fw_buf_reserve(&buf, 3);
	assert_int_equal(buf.length, 0);
	memcpy(at, "abc", 3);
	buf.length += 3;
	assert_string_equal((char *)buf.data, "abc");
	fw_buf_done(&buf);
}

static void test_varints_come_back(void **state)
{
	(void)state;
	static const uint64_t values[] = {0, 1, 127, 128, 300, 1u << 31, 1ull << 63, UINT64_MAX};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		struct fw_buf buf = {0};
		uint64_t value = 1;
		fw_buf_put_varint(&buf, values[i]);
		for (size_t cut = 0; cut < buf.length; cut++)
			assert_int_equal(fw_get_varint(buf.data, cut, &value), 0);
		assert_int_equal(fw_get_varint(buf.data, buf.length, &value), buf.length);
		assert_true(value == values[i]);
		fw_buf_done(&buf);
	}
}

static void test_varint_that_does_not_fit(void **state)
{
	(void)state;
	uint64_t value = 7;
	static const uint8_t longer[] = {
		0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0};
	static const uint8_t larger[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2};
	assert_int_equal(fw_get_varint(longer, sizeof longer, &value), 0);
	assert_int_equal(fw_get_varint(larger, sizeof larger, &value), 0);
	assert_int_equal(value, 7);
}

static void test_zigzag(void **state)
{
	(void)state;
	static const int64_t values[] = {0, -1, 1, -2, INT64_MAX, INT64_MIN};
	assert_int_equal(fw_zigzag(-1), 1);
	assert_int_equal(fw_zigzag(1), 2);
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		assert_true(fw_unzigzag(fw_zigzag(values[i])) == values[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_grows_and_ends_in_nul),
		cmocka_unit_test(test_limit_refuses_and_changes_nothing),
		cmocka_unit_test(test_consume_forgets_the_front),
		cmocka_unit_test(test_reserve_is_not_counted),
		cmocka_unit_test(test_varints_come_back),
		cmocka_unit_test(test_varint_that_does_not_fit),
		cmocka_unit_test(test_zigzag),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
