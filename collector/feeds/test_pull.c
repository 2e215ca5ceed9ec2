/* SPDX-License-Identifier: Apache-2.0 */
/* A feed that is read by who has its token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "testkit.h"

static int admit(struct kit *kit, const char *token)
{
	struct fw_err err;
	return kit->feed->admit(kit->delivery.config, token, &err);
}

static void test_the_reader_is_who_has_the_token(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "token", "shelf-secret\n");
	kit_configure(kit, "pull", "{token_file: DIR/token}");
	assert_int_equal(admit(kit, "shelf-secret"), 0);
	assert_int_equal(admit(kit, "shelf-secreT"), -EACCES);
	assert_int_equal(admit(kit, "shelf-secret\n"), -EACCES);
	assert_int_equal(admit(kit, "shelf"), -EACCES);
	assert_int_equal(admit(kit, ""), -EACCES);
	kit_file(kit, "token", "another\n");
	assert_int_equal(admit(kit, "shelf-secret"), -EACCES);
	assert_int_equal(admit(kit, "another"), 0);
}

static void test_it_is_delivered_once_its_reader_can_be_known(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "pull", "{token_file: DIR/token}");
	assert_int_equal(kit_deliver(kit), TRY_LATER);
	assert_non_null(strstr(kit->why, "token' cannot be read"));
	assert_int_equal(admit(kit, ""), -ENOENT);
	kit_file(kit, "token", "\n");
	assert_int_equal(kit_deliver(kit), TRY_LATER);
	assert_int_equal(admit(kit, ""), -EINVAL);
	kit_file(kit, "token", "shelf-secret\n");
	assert_int_equal(kit_deliver(kit), DELIVERED);
}

static void test_a_token_is_needed(void **arg)
{
	assert_non_null(strstr(kit_refusal(*arg, "pull", "{}"), "token_file"));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_the_reader_is_who_has_the_token),
		TEST(test_it_is_delivered_once_its_reader_can_be_known),
		TEST(test_a_token_is_needed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
