/* SPDX-License-Identifier: Apache-2.0 */
#include "testkit.h"

#include <string.h>

#include <jansson.h>

#include "pointer.h"

#define DESK                                                                               \
	"token_file: DIR/token\n"                                                          \
	"headers: {Authorization: 'Bearer {{token}}', X-Host: '{{labels.mountpoint}}'}\n"  \
	"levels: {critical: 1, major: 2, minor: 3, warning: 3, info: 4}\n"                 \
	"ticket: /result/0/number\n"                                                       \
	"open: {url: 'http://127.0.0.1:PORT/tickets', body: {title: '{{summary|cut 9}}',"  \
	" urgency: '{{level|number}}', where: '{{labels.mountpoint}}', key: '{{key}}'}}\n" \
	"close: {method: PATCH, url: 'http://127.0.0.1:PORT/tickets/{{ticket}}',"          \
	" body: {state: closed}}\n"

static void test_a_ticket_is_opened_and_closed(void **arg)
{
	struct kit *kit = *arg;
	kit_file(kit, "token", "s3cret");
	kit_configure(kit, "http", DESK);
	kit->receiver.answer = 201;
	kit->receiver.text = "{\"result\": [{\"number\": \"INC 1/2\"}]}";
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(kit->delivery.receipt, "INC 1/2");
	const struct received *got = kit_got(kit, 0);
	assert_non_null(strstr(got->head, "POST /tickets HTTP/1.1\r\n"));
	assert_non_null(strstr(got->head, "Authorization: Bearer s3cret\r\n"));
	assert_non_null(strstr(got->head, "X-Host: /srv/\"quoted\" \r\n"));
	assert_string_equal(got->idempotency, kit->notice.idempotency);
	assert_string_equal(got->body,
		"{\"title\":\"web01: /s\",\"urgency\":1,\"where\":\"/srv/\\\"quoted\\\"\\n\","
		"\"key\":\"fw1-0123456789abcdef0123456789abcdef\"}");
	kit_resolve(kit, kit->delivery.receipt);
	kit->receiver.text = "{\"result\": [{\"number\": \"other\"}]}";
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(kit->delivery.receipt, "");
	assert_non_null(strstr(kit_got(kit, 1)->head, "PATCH /tickets/INC%201%2F2 HTTP/1.1\r\n"));
	assert_string_equal(kit_got(kit, 1)->body, "{\"state\":\"closed\"}");
}

static void test_a_ticket_has_the_registers_priority(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "http",
		"levels: {P1: 1, P2: 2, P3: 3, P4: 4, P5: 4}\n"
		"open: {url: 'http://127.0.0.1:PORT/tickets',\n"
		"  body: {priority: '{{level|number}}', text: '{{register|cut 12}}'}}");
	kit_judge(kit);
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(kit_got(kit, 0)->body, "{\"priority\":2,\"text\":\"Priority: P2\"}");
	/* Not judged, critical: as on a host of no special tier. */
	kit->notice.priority = NULL;
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_string_equal(kit_got(kit, 1)->body, "{\"priority\":2,\"text\":\"Priority: P2\"}");
}

static enum desk poll(struct kit *kit, const char *answer)
{
	kit->receiver.text = answer;
	kit->finished = 0;
	kit->delivery.desk = DESK_OPEN;
	kit->delivery.notice = &kit->notice;
	kit->feed->poll(&kit->delivery);
	kit_wait(kit);
	return kit->delivery.desk;
}

static void test_a_desk_is_asked_what_has_become_of_a_ticket(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "http",
		"ticket: /id\n"
		"open: {url: 'http://127.0.0.1:PORT/tickets'}\n"
		"poll: {url: 'http://127.0.0.1:PORT/tickets/{{ticket}}', every: 3m, state: /state/name,\n"
		"  accepted: In progress, closed: [Closed, '5']}");
	assert_int_equal(kit->feed->poll_ms(kit->delivery.config), 180000);
	kit_start(kit);
	kit_wait(kit);
	kit->notice.receipt = "7";
	assert_int_equal(poll(kit, "{\"state\": {\"name\": \"In progress\"}}"), DESK_ACCEPTED);
	assert_non_null(strstr(kit_got(kit, 1)->head, "GET /tickets/7 HTTP/1.1\r\n"));
	assert_int_equal(poll(kit, "{\"state\": {\"name\": \"Closed\"}}"), DESK_CLOSED);
	assert_int_equal(poll(kit, "{\"state\": {\"name\": 5}}"), DESK_CLOSED);
	static const char *const others[] = {"", "not json", "{}",
		"{\"state\": {\"name\": \"New\"}}", "{\"state\": \"Closed\"}"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_int_equal(poll(kit, others[i]), DESK_OPEN);
	kit->receiver.answer = 503;
	assert_int_equal(poll(kit, "{\"state\": {\"name\": \"Closed\"}}"), DESK_OPEN);
	assert_int_equal(kit->verdict, TRY_LATER);
	kit_configure(kit, "http", "open: {url: 'http://127.0.0.1:PORT/tickets'}");
	assert_int_equal(kit->feed->poll_ms(kit->delivery.config), 0);
}

static void test_what_has_changed_is_told_where_it_is_taken(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "http",
		"ticket: /id\n"
		"open: {url: 'http://127.0.0.1:PORT/tickets'}\n"
		"update: {method: PUT, url: 'http://127.0.0.1:PORT/tickets/{{ticket}}',\n"
		"  body: {by: '{{annotations.acknowledged_by}}', priority: '{{priority}}'}}");
	static const struct notice_pair said[] = {{"acknowledged_by", "Ann"}};
	assert_true(kit->feed->updates(kit->delivery.config));
	kit->notice.is_update = true;
	kit->notice.priority = "P2";
	kit->notice.annotations = said;
	kit->notice.n_annotations = 1;
	kit->notice.receipt = "";
	assert_int_equal(kit_deliver(kit), REFUSED);
	kit->notice.receipt = "7";
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_int_equal(kit->receiver.n_got, 1);
	assert_non_null(strstr(kit_got(kit, 0)->head, "PUT /tickets/7 HTTP/1.1\r\n"));
	assert_string_equal(kit_got(kit, 0)->body, "{\"by\":\"Ann\",\"priority\":\"P2\"}");
	kit_configure(kit, "http", "open: {url: 'http://127.0.0.1:PORT/tickets'}");
	assert_false(kit->feed->updates(kit->delivery.config));
}

static void test_a_close_without_a_number_is_refused_unsent(void **arg)
{
	struct kit *kit = *arg;
	static const char *const answers[] = {"", "not json", "{}", "{\"result\": []}",
		"{\"result\": [{\"number\": {}}]}", "{\"result\": [{\"number\": \"a\\nb\"}]}"};
	kit_file(kit, "token", "s3cret");
	kit_configure(kit, "http", DESK);
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		kit->receiver.text = answers[i];
		assert_int_equal(kit_deliver(kit), DELIVERED);
		assert_string_equal(kit->delivery.receipt, "");
	}
	size_t before = kit->receiver.n_got;
	kit_resolve(kit, "");
	assert_int_equal(kit_deliver(kit), REFUSED);
	assert_non_null(strstr(kit->why, "no ticket number"));
	assert_int_equal(kit->receiver.n_got, before);
}

static void test_a_form_and_a_feed_without_closes(void **arg)
{
	struct kit *kit = *arg;
	static const struct notice_pair labels[] = {{"instance", "a&To=+44900\r\n"}};
	kit_configure(kit, "http",
		"encoding: form\n"
		"open: {url: 'http://127.0.0.1:PORT/sms', body: {To: '+441522', Body: '{{labels.instance}}'}}");
	kit_set_labels(kit, labels, 1);
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_non_null(strstr(
		kit_got(kit, 0)->head, "Content-Type: application/x-www-form-urlencoded\r\n"));
	assert_string_equal(kit_got(kit, 0)->body, "To=%2B441522&Body=a%26To%3D%2B44900%0D%0A");
	kit_resolve(kit, "");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_int_equal(kit->receiver.n_got, 1);
}

static void test_an_open_without_a_body(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "http", "open: {method: GET, url: 'http://127.0.0.1:PORT/x?k={{key}}'}");
	assert_int_equal(kit_deliver(kit), DELIVERED);
	assert_non_null(strstr(kit_got(kit, 0)->head,
		"GET /x?k=fw1-0123456789abcdef0123456789abcdef HTTP/1.1\r\n"));
}

static void test_text_that_is_none_is_refused(void **arg)
{
	struct kit *kit = *arg;
	static const struct notice_pair broken[] = {{"instance", "a\xff"}};
	kit_configure(kit, "http",
		"open: {url: 'http://127.0.0.1:PORT/', body: {a: '{{labels.instance}}'}}");
	kit_set_labels(kit, broken, 1);
	assert_int_equal(kit_deliver(kit), REFUSED);
	assert_non_null(strstr(kit->why, "UTF-8"));
}

static void test_interrupted(void **arg)
{
	struct kit *kit = *arg;
	kit_configure(kit, "http", "open: {url: 'http://127.0.0.1:PORT/'}");
	kit->receiver.answer = RECEIVER_HANG;
	kit_start(kit);
	while (kit->receiver.n_got == 0)
		uv_run(&kit->loop, UV_RUN_ONCE);
	kit->feed->cancel(&kit->delivery);
	assert_int_equal(kit->finished, 1);
	assert_int_equal(kit->verdict, TRY_LATER);
}

static void test_mistakes_are_named(void **arg)
{
	static const struct {
		const char *yaml, *word;
	} cases[] = {
		{"ticket: /a", "open: {method"},
		{"open: {url: 'http://{{labels.instance}}/'}", "host"},
		{"open: {url: 'http://x.{{key}}/'}", "host"},
		{"open: {url: 'ftp://x/'}", "ftp"},
		{"open: {url: 'http://x/{{nokey}}'}", "nokey"},
		{"open: {url: 'http://x/{{ticket}}'}", "no {{ticket}} yet"},
		{"open: {url: 'http://x/', body: {a: ['{{sumary}}']}}",
			"line 1: nothing is called"},
		{"open: {url: 'http://x/'}\nclose: {url: 'http://x/{{ticket}}'}", "needs `ticket`"},
		{"open: {url: 'http://x/'}\npoll: {url: 'http://x/{{ticket}}'}", "needs `ticket`"},
		{"ticket: /id\nopen: {url: 'http://x/'}\npoll: {url: 'http://x/'}", "state"},
		{"ticket: /id\nopen: {url: 'http://x/'}\npoll: {url: 'http://x/', state: /s}",
			"`accepted` or `closed`"},
		{"ticket: /id\nopen: {url: 'http://x/'}\npoll: {url: 'http://x/', state: /s, closed: {}}",
			"[Closed, Resolved]"},
		{"open: {url: 'http://x/'}\nclose: {body: {a: b}}", "without a url"},
		{"open: {url: 'http://x/{{level}}'}", "needs `levels`"},
		{"open: {url: 'http://x/'}\nlevels: {critical: 1}", "lack 'major'"},
		{"open: {url: 'http://x/'}\nlevels: {dire: 1}", "'dire'"},
		{"open: {url: 'http://x/'}\nlevels: {P1: 1, info: 2}", "not by both"},
		{"open: {url: 'http://x/'}\nlevels: [1]", "written like"},
		{"open: {url: 'http://x/'}\nlevels: {P1: [1]}", "single words"},
		{"open: {url: 'http://x/'}\nticket: id", "begins with '/'"},
		{"open: {url: 'http://x/'}\nheaders: {\"A b\": c}", "no header's name"},
		{"open: {url: 'http://x/'}\nheaders: [a]", "headers are written"},
		{"open: {url: 'http://x/'}\nheaders: {a: [b]}", "single values"},
		{"open: {url: 'http://x/', body: [a]}\nencoding: form", "forms are written"},
	};
	struct kit *kit = *arg;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *said = kit_refusal(kit, "http", cases[i].yaml);
		if (!strstr(said, cases[i].word))
			fail_msg("%s: %s", cases[i].yaml, said);
	}
}

static void test_where_a_pointer_points(void **arg)
{
	static const struct {
		const char *json, *pointer, *text;
	} cases[] = {
		{"{\"id\": 42}", "/id", "42"},
		{"[{\"id\": -7}]", "/0/id", "-7"},
		{"{\"a/b\": {\"c~d\": \"x\"}}", "/a~1b/c~0d", "x"},
		{"{\"\": \"empty\"}", "/", "empty"},
		{"{\"id\": 4.5}", "/id", ""},
		{"{\"id\": true}", "/id", ""},
		{"[1]", "/1", ""},
		{"[1]", "/-1", ""},
		{"[1]", "/x", ""},
		{"{\"id\": \"123456789\"}", "/id", ""},
		{"\"text\"", "/id", ""},
	};
	char text[9];
	(void)arg;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pointer_text(
			cases[i].json, strlen(cases[i].json), cases[i].pointer, text, sizeof text);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, kit_set_up, kit_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_a_ticket_has_the_registers_priority),
		CASE(test_a_ticket_is_opened_and_closed),
		CASE(test_a_desk_is_asked_what_has_become_of_a_ticket),
		CASE(test_what_has_changed_is_told_where_it_is_taken),
		CASE(test_a_close_without_a_number_is_refused_unsent),
		CASE(test_a_form_and_a_feed_without_closes),
		CASE(test_an_open_without_a_body),
		CASE(test_text_that_is_none_is_refused),
		CASE(test_interrupted),
		CASE(test_mistakes_are_named),
		cmocka_unit_test(test_where_a_pointer_points),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
