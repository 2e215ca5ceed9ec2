/* SPDX-License-Identifier: Apache-2.0 */
#include "addresses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/file.h>

#include "devices.h"

/* As if there were one device alone. */
const struct device_settings *devices_find(const struct devices *s, const char *name)
{
	return strcmp(name, "sw2") == 0 ? s->devices : NULL;
}

static int set_up(void **state)
{
	*state = addresses_new();
	return 0;
}

static int tear_down(void **state)
{
	addresses_free(*state);
	return 0;
}

static void take(struct addresses *a, const char *name, const char *found_at, const char *text)
{
	struct fw_buf lines = {0};
	fw_buf_puts(&lines, text);
	addresses_take(a, name, found_at, &lines);
	fw_buf_done(&lines);
}

static void test_a_device_has_several_and_changes_them(void **state)
{
	struct addresses *a = *state;
	take(a, "sw1", "10.0.0.1", "+10.0.0.9\tmac=00:00:00:00:00:01\n+device\tname=x\n+fd00::9\n");
	assert_string_equal(addresses_find(a, "10.0.0.1"), "sw1");
	assert_string_equal(addresses_find(a, "10.0.0.9"), "sw1");
	assert_string_equal(addresses_find(a, "fd00::9"), "sw1");
	assert_null(addresses_find(a, "device"));
	assert_null(addresses_find(a, "10.0.0.2"));
	take(a, "sw1", "10.0.0.1", "+10.0.0.2\n");
	assert_null(addresses_find(a, "10.0.0.9"));
	assert_string_equal(addresses_find(a, "10.0.0.2"), "sw1");
}

static void test_what_two_claim_is_nobodys(void **state)
{
	struct addresses *a = *state;
	addresses_note(a, "sw1", "10.0.0.1");
	addresses_note(a, "sw1", "10.0.0.1");
	assert_string_equal(addresses_find(a, "10.0.0.1"), "sw1");
	take(a, "thief", "10.0.0.2", "+10.0.0.1\n");
	assert_null(addresses_find(a, "10.0.0.1"));
	assert_string_equal(addresses_find(a, "10.0.0.2"), "thief");
	take(a, "thief", "10.0.0.2", "");
	assert_string_equal(addresses_find(a, "10.0.0.1"), "sw1");
}

static void test_of_a_device_that_is_gone_nothing_is_known(void **state)
{
	struct addresses *a = *state;
	const struct devices one = {.devices = (struct device_settings[1]){{0}}};
	char path[] = "/tmp/fenwatch-addresses-XXXXXX";
	struct fw_err err;
	close(mkstemp(path));
	addresses_note(a, "sw1", "10.0.0.1");
	addresses_note(a, "sw1", "10.0.0.2");
	addresses_note(a, "sw2", "10.0.0.2");
	assert_int_equal(addresses_save(a, path, &err), 0);
	addresses_keep(a, &one);
	assert_null(addresses_find(a, "10.0.0.1"));
	assert_string_equal(addresses_find(a, "10.0.0.2"), "sw2"); /* no longer shared */
	assert_true(addresses_are_news(a));
	assert_int_equal(addresses_save(a, path, &err), 0);
	addresses_keep(a, &one);
	assert_false(addresses_are_news(a));
	assert_int_equal(addresses_load(a, path, NULL, &err), 0);
	assert_null(addresses_find(a, "10.0.0.1"));
	unlink(path);
}

static void test_the_file_has_all_of_it(void **state)
{
	struct addresses *a = *state, *b = addresses_new();
	char path[] = "/tmp/fenwatch-addresses-XXXXXX";
	struct fw_err err;
	close(mkstemp(path));
	addresses_note(a, "switch of hall 1", "10.0.0.1");
	addresses_note(a, "sw2", "fd00::1");
	assert_true(addresses_are_news(a));
	assert_int_equal(addresses_save(a, path, &err), 0);
	assert_false(addresses_are_news(a));
	assert_int_equal(addresses_load(b, path, NULL, &err), 0);
	assert_false(addresses_are_news(b));
	assert_string_equal(addresses_find(b, "10.0.0.1"), "switch of hall 1");
	assert_string_equal(addresses_find(b, "fd00::1"), "sw2");
	const struct devices one = {.devices = (struct device_settings[1]){{0}}};
	assert_int_equal(addresses_load(b, path, &one, &err), 0);
	assert_null(addresses_find(b, "10.0.0.1"));
	assert_string_equal(addresses_find(b, "fd00::1"), "sw2");
	assert_true(addresses_are_news(b)); /* the file has one that is gone */
	assert_int_equal(addresses_save(b, path, &err), 0);
	assert_int_equal(addresses_load(b, path, &one, &err), 0);
	assert_false(addresses_are_news(b));
	/* Whatever it holds it is read. */
	static const char odd[] = "\n\t\n10.0.0.3\n10.0.0.4\t\nx\ty\n10.0.0.5\tsw5";
	assert_int_equal(fw_file_replace(path, odd, sizeof odd - 1, 0600, &err), 0);
	assert_int_equal(addresses_load(b, path, NULL, &err), 0);
	assert_null(addresses_find(b, "10.0.0.1"));
	assert_null(addresses_find(b, "10.0.0.4"));
	assert_string_equal(addresses_find(b, "10.0.0.5"), "sw5");
	unlink(path);
	assert_true(addresses_load(b, path, NULL, &err) < 0);
	assert_string_equal(addresses_find(b, "10.0.0.5"), "sw5");
	addresses_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_device_has_several_and_changes_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_two_claim_is_nobodys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_of_a_device_that_is_gone_nothing_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_file_has_all_of_it, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
