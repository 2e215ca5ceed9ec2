/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/crc.h>

#include "crc_ways.h"

typedef uint32_t (*crc_way)(uint32_t crc, const void *data, size_t length);

/* RFC 3720 B.4, and the usual nine digits. */
static void check_vectors(crc_way crc)
{
	uint8_t data[32];
	memset(data, 0, sizeof data);
	assert_int_equal(crc(0, data, sizeof data), 0x8a9136aa);
	memset(data, 0xff, sizeof data);
	assert_int_equal(crc(0, data, sizeof data), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++)
		data[i] = i;
	assert_int_equal(crc(0, data, sizeof data), 0x46dd794e);
	for (uint8_t i = 0; i < 32; i++)
		data[i] = 31 - i;
	assert_int_equal(crc(0, data, sizeof data), 0x113fdb5c);
	static const uint8_t read10[48] = {0x01,
		0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
	assert_int_equal(crc(0, read10, sizeof read10), 0xd9963a56);
	assert_int_equal(crc(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc(0, "", 0), 0);
}

/* In pieces of every length and from every alignment it is the same. */
static void check_pieces(crc_way crc)
{
	uint8_t data[70];
	for (uint8_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 37 + 11);
	for (size_t from = 0; from < 9; from++) {
		size_t length = sizeof data - from;
		uint32_t whole = crc(0, data + from, length);
		for (size_t cut = 0; cut <= length; cut++)
			assert_int_equal(
				crc(crc(0, data + from, cut), data + from + cut, length - cut),
				whole);
	}
}

/* What is long is summed in stretches: as the table has it, wherever it is cut. */
static void check_long(crc_way crc)
{
	static uint8_t data[20000];
	uint32_t dice = 1;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)((dice = dice * 1664525 + 1013904223) >> 24);
	for (size_t from = 0; from < 9; from++)
		for (size_t length = 300; length < sizeof data - from; length += 131)
			assert_int_equal(crc((uint32_t)length, data + from, length),
				fw_crc32c_by_table((uint32_t)length, data + from, length));
}

static void test_by_table(void **state)
{
	(void)state;
	check_vectors(fw_crc32c_by_table);
	check_pieces(fw_crc32c_by_table);
}

static void test_by_instruction(void **state)
{
	(void)state;
#ifdef __x86_64__
	check_vectors(fw_crc32c_by_sse42);
	check_pieces(fw_crc32c_by_sse42);
	check_long(fw_crc32c_by_sse42);
#endif
}

static void test_as_chosen(void **state)
{
	(void)state;
	check_vectors(fw_crc32c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_table),
		cmocka_unit_test(test_as_chosen),
		cmocka_unit_test(test_by_instruction),
	};
	size_t n = sizeof tests / sizeof *tests;
	if (!fw_crc32c_has_sse42()) {
		print_message("# by instruction is left out: this processor has no SSE 4.2\n");
		n--;
	}
	return _cmocka_run_group_tests("tests", tests, n, NULL, NULL);
}
