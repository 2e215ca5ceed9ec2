/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <uv.h>

#include <fenwatch/err.h>

static void test_sentences_gather_on_the_way_up(void **state)
{
	(void)state;
	struct fw_err err = {0};
	assert_int_equal(fw_fail(&err, -EINVAL, "unknown key '%s'", "interva"), -EINVAL);
	assert_int_equal(fw_fail_in(&err, -EINVAL, "line %d", 3), -EINVAL);
	assert_int_equal(fw_fail_in(&err, -EINVAL, "config '%s'", "a.yml"), -EINVAL);
	assert_string_equal(err.text, "config 'a.yml': line 3: unknown key 'interva'");
}

static void test_what_the_system_says(void **state)
{
	(void)state;
	struct fw_err err = {0};
	assert_int_equal(fw_fail_sys(&err, -ENOSPC, "cannot write '%s'", "x"), -ENOSPC);
	assert_string_equal(err.text, "cannot write 'x': no space left on device");
	assert_string_equal(fw_strerror(UV_EOF), "end of file");
}

static void test_only_the_number_without_a_place_to_write(void **state)
{
	(void)state;
	assert_int_equal(fw_fail(NULL, -EIO, "x"), -EIO);
	assert_int_equal(fw_fail_in(NULL, -EIO, "x"), -EIO);
	assert_int_equal(fw_fail_sys(NULL, -EIO, "x"), -EIO);
}

static void test_long_sentences_are_cut(void **state)
{
	(void)state;
	struct fw_err err = {0};
	char longest[2 * sizeof err.text];
	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	fw_fail(&err, -EIO, "%s", longest);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	fw_fail_in(&err, -EIO, "here");
	assert_memory_equal(err.text, "here: xxx", 9);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	fw_fail_in(&err, -EIO, "%s", longest);
	fw_fail_sys(&err, -EIO, "%s", longest);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences_gather_on_the_way_up),
		cmocka_unit_test(test_what_the_system_says),
		cmocka_unit_test(test_only_the_number_without_a_place_to_write),
		cmocka_unit_test(test_long_sentences_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
