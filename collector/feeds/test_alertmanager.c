/* SPDX-License-Identifier: Apache-2.0 */
#include "testkit.h"

#include <string.h>

#include <jansson.h>

#define OPTIONS "url: \"http://127.0.0.1:PORT/alerts\""

static json_t *only_alert(const struct kit *kit)
{
	json_t *list = json_loads(kit_got(kit, kit->receiver.n_got - 1)->body, 0, NULL);
	assert_int_equal(json_array_size(list), 1);
	json_t *alert = json_incref(json_array_get(list, 0));
	json_decref(list);
	return alert;
}

static const char *text_at(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void test_an_alert_that_fires(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "alertmanager", OPTIONS);
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_non_null(strstr(kit_got(kit, 0)->head, "POST /alerts/api/v2/alerts HTTP/1.1\r\n"));
	assert_non_null(strstr(kit_got(kit, 0)->head, "Content-Type: application/json\r\n"));
	assert_null(strstr(kit_got(kit, 0)->head, "Authorization"));
	json_t *alert = only_alert(kit), *labels = json_object_get(alert, "labels");
	assert_int_equal(json_object_size(alert), 5);
	assert_int_equal(json_object_size(labels), 4);
	assert_string_equal(text_at(labels, "mountpoint"), "/srv/\"quoted\"\n");
	assert_string_equal(text_at(alert, "startsAt"), "2026-11-22T10:00:00.000Z");
	assert_string_equal(text_at(alert, "endsAt"), "2026-11-22T10:06:00.000Z");
	assert_string_equal(text_at(alert, "generatorURL"), "http://collector/alerts");
	assert_string_equal(
		text_at(json_object_get(alert, "annotations"), "fenwatch_key"), kit->notice.key);
	json_decref(alert);
}

static void test_its_end(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "alertmanager", OPTIONS "\n");
	kit_resolve(kit, "");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	json_t *alert = only_alert(kit);
	assert_string_equal(text_at(alert, "startsAt"), "2026-11-22T10:00:00.000Z");
	assert_string_equal(text_at(alert, "endsAt"), "2026-11-22T10:00:59.000Z");
	json_decref(alert);
}

/* Alertmanager would drop it and know the alert by the rest. */
static void test_an_empty_label_is_left_out(void **arg)
{
	struct kit *kit = *arg;
	static const struct notice_pair labels[] = {{"alertname", "A"}, {"device", ""}};
	kit_configure(kit, "alertmanager", OPTIONS);
	kit_set_labels(kit, labels, 2);
	assert_int_equal(kit_deliver(kit), DELIVERED);
	json_t *alert = only_alert(kit);
	assert_int_equal(json_object_size(json_object_get(alert, "labels")), 1);
	json_decref(alert);
}

static void test_the_token_is_the_file_s_of_the_moment(void **arg)
{
	struct kit *kit = *arg;
	const char *path = kit_file(kit, "token", "first\n");
	kit_configure(kit, "alertmanager", OPTIONS "\ntoken_file: DIR/token");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_non_null(strstr(kit_got(kit, 0)->head, "Authorization: Bearer first\r\n"));
	kit_file(kit, "token", "second");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_non_null(strstr(kit_got(kit, 1)->head, "Authorization: Bearer second\r\n"));
	static const char *const none[] = {"", "\n", "two\nlines", "a\rb", "a\x01"};
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		kit_file(kit, "token", none[i]);
		assert_int_equal(kit_deliver(kit), TRY_LATER);
		assert_non_null(strstr(kit->why, path));
	}
	assert_int_equal(kit->receiver.n_got, 2);
}

static void test_a_token_that_is_not_there(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "alertmanager", OPTIONS "\ntoken_file: /nonexistent/token");
	assert_int_equal(kit_deliver(kit), TRY_LATER);
	assert_non_null(strstr(kit->why, "/nonexistent/token"));
	assert_int_equal(kit->receiver.n_got, 0);
}

static void test_who_is_not_believed_tries_again(void **arg)
{
	struct kit *kit = *arg;
	static const int answers[] = {401, 403, 408};
	kit_configure(kit, "alertmanager", OPTIONS);
	for (size_t i = 0; i < 3; i++) {
		kit->receiver.answer = answers[i];
		assert_int_equal(kit_deliver(kit), TRY_LATER);
	}
	kit->receiver.answer = 400;
	assert_int_equal(kit_deliver(kit), REFUSED);
}

static void test_retry_after_is_handed_on(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "alertmanager", OPTIONS);
	kit->receiver.answer = 429;
	kit->receiver.retry_after = "7";
	assert_int_equal(kit_deliver(kit), TRY_LATER);
	assert_int_equal(kit->delivery.retry_after_ms, 7000);
	kit->receiver.retry_after = "99999999999";
	assert_int_equal(kit_deliver(kit), TRY_LATER);
	assert_int_equal(kit->delivery.retry_after_ms, 3600 * 1000);
	kit->receiver.retry_after = "-5";
	assert_int_equal(kit_deliver(kit), TRY_LATER);
	assert_int_equal(kit->delivery.retry_after_ms, 0);
}

static void test_it_asks_to_be_repeated(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "alertmanager", OPTIONS);
	assert_int_equal(kit->feed->repeat_ms, 60 * 1000);
	assert_int_equal(kit->feed->repeat_closed_ms, 5 * 60 * 1000);
	assert_non_null(strstr(kit_refusal(kit, "alertmanager", "url: am:9093"), "url"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_an_alert_that_fires),
		CASE(test_its_end),
		CASE(test_an_empty_label_is_left_out),
		CASE(test_the_token_is_the_file_s_of_the_moment),
		CASE(test_a_token_that_is_not_there),
		CASE(test_who_is_not_believed_tries_again),
		CASE(test_retry_after_is_handed_on),
		CASE(test_it_asks_to_be_repeated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
