/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent as long as all is well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "testkit.h"

static void expect(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' lacks '%s'", text, part);
}

static void test_a_ping_is_a_request(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "heartbeat", "{url: \"http://127.0.0.1:PORT/ping/1\", every: 2m}");
	assert_int_equal(kit->feed->beat_ms(kit->delivery.config), 120000);
	assert_int_equal(kit_deliver(kit), DELIVERED);
	expect(kit_got(kit, 0)->head, "GET /ping/1 HTTP/1.1\r\n");
	assert_null(strstr(kit_got(kit, 0)->head, "Authorization"));
	assert_string_equal(kit_got(kit, 0)->body, "");
	kit_file(kit, "token", "secret\n");
	kit_configure(kit, "heartbeat",
		"{url: \"http://127.0.0.1:PORT/ping/1\", method: POST, token_file: DIR/token}");
	kit->receiver.answer = 503;
	assert_int_equal(kit_deliver(kit), TRY_LATER);
	expect(kit_got(kit, 1)->head, "POST /ping/1 HTTP/1.1\r\n");
	expect(kit_got(kit, 1)->head, "Authorization: Bearer secret\r\n");
}

static void test_alertmanager_has_a_watchdog_that_ends_by_itself(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "heartbeat", "{url: \"http://127.0.0.1:PORT\", form: alertmanager}");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	expect(kit_got(kit, 0)->head, "POST /api/v2/alerts HTTP/1.1\r\n");
	expect(kit_got(kit, 0)->head, "Content-Type: application/json\r\n");
	expect(kit_got(kit, 0)->body,
		"[{\"labels\":{\"alertname\":\"Watchdog\",\"severity\":\"none\",");
	expect(kit_got(kit, 0)->body, "\"endsAt\":\"2026-11-22T10:04:00.000Z\"");
}

static void test_mistakes_are_named(void **arg)
{
	expect(kit_refusal(*arg, "heartbeat", "{every: 1m}"), "url");
	expect(kit_refusal(*arg, "heartbeat", "{url: \"ftp://x\"}"), "url");
	expect(kit_refusal(*arg, "heartbeat", "{url: \"http://x\", every: 10ms}"), "every");
	expect(kit_refusal(*arg, "heartbeat", "{url: \"http://x\", method: HEAD}"), "GET");
	expect(kit_refusal(*arg, "heartbeat", "{url: \"http://x\", form: telex}"), "ping");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_ping_is_a_request),
		TEST(test_alertmanager_has_a_watchdog_that_ends_by_itself),
		TEST(test_mistakes_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
