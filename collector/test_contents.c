/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is missing of a snapshot's files, cut short or changed is known by their list, and so
 * it is where the list itself is. */
#include "contents.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/crc.h>

#include "test_tree.h"

static const char *const names[] = {"store/raw/0000", "store/super", "ca.key", "empty"};
static const char *const texts[] = {"blocks and blocks", "two copies", "a key", ""};

enum { FILES = 4 };

static char folder[64];
static struct fw_buf list; /* as it was written */

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/fenwatch-contents-XXXXXX");
	assert_non_null(mkdtemp(folder));
	list = (struct fw_buf){0};
	for (int i = 0; i < FILES; i++) {
		size_t length = strlen(texts[i]);
		assert_int_equal(test_put(folder, names[i], texts[i], length), 0);
		if (i == 0)
			contents_add(&list, names[i], length, fw_crc32c(0, texts[i], length));
		else
			assert_int_equal(contents_add_file(&list, folder, names[i], NULL), 0);
	}
	assert_int_equal(contents_write(&list, folder, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fw_buf_done(&list);
	return test_remove_tree(folder);
}

static void expect_fault(const char *what, const char *name)
{
	struct fw_err err = {""};
	assert_int_equal(contents_check(folder, &err), -EBADMSG);
	assert_non_null(strstr(err.text, what));
	assert_non_null(strstr(err.text, name));
}

static void test_whole(void **state)
{
	(void)state;
	assert_int_equal(contents_check(folder, NULL), 0);
	assert_int_equal(test_put(folder, "not-in-the-list", "x", 1), 0);
	assert_int_equal(contents_check(folder, NULL), 0);
}

static void test_no_list(void **state)
{
	char path[128];
	(void)state;
	snprintf(path, sizeof path, "%s/contents", folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(contents_check(folder, NULL), -ENOENT);
}

/* Each file: missing, cut short, longer, and with every bit of every byte changed. */
static void test_files(void **state)
{
	char path[128], text[32];
	(void)state;
	for (int i = 0; i < FILES; i++) {
		size_t length = strlen(texts[i]);
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		assert_int_equal(unlink(path), 0);
		expect_fault("is missing", names[i]);
		for (size_t n = 0; n < length; n++) {
			assert_int_equal(test_put(folder, names[i], texts[i], n), 0);
			expect_fault("bytes and had", names[i]);
		}
		for (size_t bit = 0; bit < 8 * length; bit++) {
			memcpy(text, texts[i], length);
			text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
			assert_int_equal(test_put(folder, names[i], text, length), 0);
			expect_fault("checksum", names[i]);
		}
		snprintf(text, sizeof text, "%s+", texts[i]);
		assert_int_equal(test_put(folder, names[i], text, length + 1), 0);
		expect_fault("bytes and had", names[i]);
		assert_int_equal(test_put(folder, names[i], texts[i], length), 0);
		assert_int_equal(contents_check(folder, NULL), 0);
	}
}

static void test_the_list_itself(void **state)
{
	uint8_t *text = malloc(list.length);
	(void)state;
	assert_non_null(text);
	for (size_t n = 0; n < list.length; n++) {
		assert_int_equal(test_put(folder, "contents", list.data, n), 0);
		expect_fault("list", "contents");
	}
	for (size_t bit = 0; bit < 8 * list.length; bit++) {
		memcpy(text, list.data, list.length);
		text[bit / 8] = (uint8_t)(text[bit / 8] ^ 1u << bit % 8);
		assert_int_equal(test_put(folder, "contents", text, list.length), 0);
		expect_fault("list", "contents");
	}
	free(text);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_whole),
		CASE(test_no_list),
		CASE(test_files),
		CASE(test_the_list_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
