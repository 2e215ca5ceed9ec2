/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/items.h>
#include <fenwatch/mem.h>

static void test_written_and_read(void **unused)
{
	(void)unused;
	struct fw_item_writer w = {.line = 0};
	fw_item_begin(&w, '+', "bash:amd64");
	fw_item_field(&w, "version", "5.2.15-2+b7");
	fw_item_field(&w, "source", "");
	fw_item_field(&w, "note", "a\tb\\c\nd");
	fw_item_end(&w);
	fw_item_begin(&w, '-', "zsh:amd64");
	fw_item_end(&w);
	assert_string_equal((char *)w.text.data,
		"+bash:amd64\tversion=5.2.15-2+b7\tnote=a\\tb\\\\c\\nd\n-zsh:amd64\n");

	struct fw_items items;
	struct fw_item item;
	fw_items_open(&items, w.text.data, w.text.length, false);
	assert_int_equal(fw_items_next(&items, &item, NULL), 1);
	assert_false(item.gone);
	assert_string_equal(item.key, "bash:amd64");
	assert_int_equal(item.n_fields, 2);
	assert_string_equal(fw_item_value(&item, "note"), "a\tb\\c\nd");
	assert_string_equal(fw_item_value(&item, "source"), "");
	assert_int_equal(fw_items_next(&items, &item, NULL), 1);
	assert_true(item.gone);
	assert_int_equal(fw_items_next(&items, &item, NULL), 0);
	fw_buf_done(&w.text);
}

/* Whatever a source hands over, what is written can be read. */
static void test_hostile_values(void **unused)
{
	(void)unused;
	char *long_text = fw_alloc(5001);
	memset(long_text, 'x', 5000);
	const char *const texts[] = {"\x1b[31m", "\xff\xfe", "\r\n", long_text, "\xc2\x85", "€"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct fw_item_writer w = {.line = 0};
		fw_item_begin(&w, '+', texts[i]);
		for (int k = 0; k < 30; k++)
			fw_item_field(&w, "value", texts[i]);
		fw_item_end(&w);
		assert_true(w.text.length <= FW_ITEM_LINE_LIMIT);
		struct fw_items items;
		struct fw_item item;
		fw_items_open(&items, w.text.data, w.text.length, true);
		assert_int_equal(fw_items_next(&items, &item, NULL), 1);
		assert_int_equal(fw_items_next(&items, &item, NULL), 0);
		fw_buf_done(&w.text);
	}
	fw_free(long_text);
}

static void test_refused(void **unused)
{
	(void)unused;
	static const struct {
		const char *text;
		bool whole;
	} bad[] = {
		{"+a\n+a\n", false},          /* twice */
		{"+b\n+a\n", false},          /* out of order */
		{"+ab\n+a\n", false},         /* the same, where one begins the other */
		{"-a\n", true},               /* nothing goes from a whole */
		{"-a\tv=1\n", false},         /* what is gone has no fields */
		{"+a\tv\n", false},           /* no value */
		{"+a\tv=\n", false},          /* an empty one */
		{"+a\t=1\n", false},          /* no name */
		{"+a\tV=1\n", false},         /* not a name */
		{"+a\tv=\\x\n", false},       /* no such escape */
		{"+a\tv=1\\\n", false},       /* half of one */
		{"+a\tv=\x1b[2J\n", false},   /* a control character */
		{"+a\tv=\xff\n", false},      /* not UTF-8 */
		{"+\n", false},               /* no key */
		{"a\n", false},               /* no sign */
		{"\n", false}, {"+a", false}, /* no end */
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct fw_buf text = {0};
		struct fw_items items;
		struct fw_item item;
		int rc;
		fw_buf_puts(&text, bad[i].text);
		fw_items_open(&items, text.data, text.length, bad[i].whole);
		while ((rc = fw_items_next(&items, &item, NULL)) > 0)
			;
		if (rc != -EBADMSG)
			fail_msg("taken: %s", bad[i].text);
		fw_buf_done(&text);
	}
}

static void test_limits(void **unused)
{
	(void)unused;
	struct fw_buf text = {0};
	struct fw_items items;
	struct fw_item item;
	struct fw_err err;
	int rc;
	for (uint32_t i = 0; i < FW_ITEMS_LIMIT + 1; i++)
		fw_buf_printf(&text, "+%06u\n", i);
	fw_items_open(&items, text.data, text.length, true);
	while ((rc = fw_items_next(&items, &item, &err)) > 0)
		;
	assert_int_equal(rc, -EBADMSG);
	assert_int_equal(items.n, FW_ITEMS_LIMIT);
	fw_buf_done(&text);
}

static void test_packed(void **unused)
{
	(void)unused;
	struct fw_buf text = {0}, packed = {0}, back = {0};
	for (int i = 0; i < 5000; i++)
		fw_buf_printf(&text, "+package%04d:amd64\tversion=1.%d\n", i, i);
	assert_int_equal(fw_items_pack(&packed, text.data, text.length, NULL), 0);
	assert_true(packed.length < text.length / 3);
	assert_int_equal(fw_items_unpack(&back, packed.data, packed.length, text.length, NULL), 0);
	assert_int_equal(back.length, text.length);
	assert_memory_equal(back.data, text.data, text.length);
	assert_int_equal(fw_items_unpack(&back, packed.data, packed.length, text.length - 1, NULL),
		-EBADMSG);
	assert_int_equal(fw_items_unpack(&back, packed.data, packed.length / 2, text.length, NULL),
		-EBADMSG);
	assert_int_equal(fw_items_unpack(&back, packed.data, packed.length,
				 (size_t)FW_ITEMS_RAW_LIMIT + 1, NULL),
		-EMSGSIZE);
	fw_buf_done(&text);
	fw_buf_done(&packed);
	fw_buf_done(&back);
}

static void test_kinds(void **unused)
{
	(void)unused;
	assert_true(fw_document_kind_valid("packages"));
	assert_false(fw_document_kind_valid(""));
	assert_false(fw_document_kind_valid("../etc"));
	assert_false(fw_document_kind_valid("Packages"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_and_read),
		cmocka_unit_test(test_hostile_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_kinds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
