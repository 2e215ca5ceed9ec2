/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"
#include "receiver.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <fenwatch/mem.h>

struct place {
	uv_loop_t loop;
	struct receiver receiver;
	struct fw_arena arena;
	const struct feed *feed;
	void *config;
	struct delivery delivery;
	int finished;
	bool waits; /* its end ends the turn of the loop */
	enum verdict verdict;
	char why[256];
};

static const struct notice_pair labels[] = {
	{"alertname", "FilesystemAlmostFull"},
	{"instance", "web01"},
	{"mountpoint", "/srv/\"quoted\"\n"},
	{"severity", "warning"},
};
static const struct notice_pair annotations[] = {{"summary", "web01: /srv has 4.0 % left"}};

static const struct notice firing = {
	.key = "fw1-0123456789abcdef0123456789abcdef",
	.status = "firing",
	.idempotency = "fw1-0123456789abcdef0123456789abcdef/2026-11-22T10:00:00.000Z/firing",
	.receiver = "desk",
	.starts_ms = INT64_C(1795341600000),
	.labels = labels,
	.n_labels = 4,
	.annotations = annotations,
	.n_annotations = 1,
	.generator_url = "http://collector/alerts",
	.external_url = "http://collector",
};

static void on_finished(struct delivery *delivery, enum verdict verdict, const char *why)
{
	struct place *place = delivery->outbox;
	place->finished++;
	place->verdict = verdict;
	snprintf(place->why, sizeof place->why, "%s", why);
	if (place->waits)
		uv_stop(&place->loop);
}

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	uv_loop_init(&place->loop);
	receiver_open(&place->receiver, &place->loop);
	assert_int_equal(feed_curl_open(&place->loop, NULL), 0);
	for (const struct feed *const *feed = feeds; *feed; feed++)
		if (strcmp((*feed)->name, "webhook") == 0)
			place->feed = *feed;
	place->config = fw_alloc(place->feed->config_size);
	place->delivery = (struct delivery){
		.notice = &firing,
		.config = place->config,
		.loop = &place->loop,
		.on_finished = on_finished,
		.outbox = place,
	};
	*arg = place;
	return 0;
}

static int tear_down(void **arg)
{
	struct place *place = *arg;
	feed_curl_close();
	receiver_close(&place->receiver);
	uv_run(&place->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&place->loop), 0);
	receiver_forget(&place->receiver);
	fw_arena_done(&place->arena);
	fw_free(place->config);
	fw_free(place);
	return 0;
}

/* The webhook's only option, by its own table. */
static void set_url(struct place *place, const char *url)
{
	*(const char **)((char *)place->config + place->feed->options[0].offset) = url;
}

static void set_own_url(struct place *place, const char *host)
{
	set_url(place,
		fw_arena_format(&place->arena, "http://%s:%u/hook", host, place->receiver.port));
}

static void run_until_finished(struct place *place)
{
	place->waits = true;
	if (place->finished == 0)
		uv_run(&place->loop, UV_RUN_DEFAULT);
	place->waits = false;
	assert_int_equal(place->finished, 1);
	place->finished = 0;
}

static enum verdict deliver(struct place *place)
{
	place->feed->deliver(&place->delivery);
	run_until_finished(place);
	return place->verdict;
}

static const char *text_at(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void test_the_payload_is_alertmanagers(void **arg)
{
	struct place *place = *arg;
	set_own_url(place, "127.0.0.1");
	assert_int_equal(deliver(place), DELIVERED);
	assert_int_equal(place->receiver.n_got, 1);
	const struct received *got = &place->receiver.got[0];
	assert_non_null(strstr(got->head, "POST /hook HTTP/1.1\r\n"));
	assert_non_null(strstr(got->head, "Content-Type: application/json\r\n"));
	assert_string_equal(got->idempotency, firing.idempotency);

	json_t *root = json_loads(got->body, 0, NULL), *all, *alert;
	assert_non_null(root);
	assert_int_equal(json_object_size(root), 10);
	assert_string_equal(text_at(root, "version"), "4");
	assert_string_equal(text_at(root, "groupKey"), firing.key);
	assert_string_equal(text_at(root, "status"), "firing");
	assert_string_equal(text_at(root, "receiver"), "desk");
	assert_string_equal(text_at(root, "externalURL"), "http://collector");
	assert_int_equal(json_integer_value(json_object_get(root, "truncatedAlerts")), 0);
	assert_int_equal(json_object_size(json_object_get(root, "groupLabels")), 2);
	all = json_object_get(root, "commonLabels");
	assert_string_equal(text_at(all, "mountpoint"), "/srv/\"quoted\"\n");
	assert_int_equal(json_object_size(json_object_get(root, "commonAnnotations")), 1);
	assert_int_equal(json_array_size(json_object_get(root, "alerts")), 1);
	alert = json_array_get(json_object_get(root, "alerts"), 0);
	assert_int_equal(json_object_size(alert), 7);
	assert_string_equal(text_at(alert, "status"), "firing");
	assert_string_equal(text_at(alert, "startsAt"), "2026-11-22T10:00:00.000Z");
	assert_string_equal(text_at(alert, "endsAt"), "0001-01-01T00:00:00Z");
	assert_string_equal(text_at(alert, "fingerprint"), "0123456789abcdef");
	assert_string_equal(text_at(alert, "generatorURL"), "http://collector/alerts");
	assert_true(json_equal(json_object_get(alert, "labels"), all));
	json_decref(root);
}

static void test_a_close_has_its_end(void **arg)
{
	struct place *place = *arg;
	struct notice resolved = firing;
	resolved.status = "resolved";
	resolved.ends_ms = firing.starts_ms + 1500;
	place->delivery.notice = &resolved;
	set_own_url(place, "127.0.0.1");
	assert_int_equal(deliver(place), DELIVERED);
	assert_non_null(
		strstr(place->receiver.got[0].body, "\"endsAt\":\"2026-11-22T10:00:01.500Z\""));
}

static void test_what_an_answer_means(void **arg)
{
	struct place *place = *arg;
	static const struct {
		int answer;
		enum verdict verdict;
	} cases[] = {
		{200, DELIVERED},
		{202, DELIVERED},
		{204, DELIVERED},
		{301, ASTRAY},
		{307, ASTRAY},
		{400, REFUSED},
		{404, ASTRAY},
		{405, ASTRAY},
		{422, REFUSED},
		{429, TRY_LATER},
		{500, TRY_LATER},
		{503, TRY_LATER},
		{RECEIVER_RESET, TRY_LATER},
		{RECEIVER_HALF, TRY_LATER},
		{RECEIVER_LONG, DELIVERED},
	};
	set_own_url(place, "127.0.0.1");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		place->receiver.answer = cases[i].answer;
		if (deliver(place) != cases[i].verdict)
			fail_msg("answer %d: verdict %d, '%s'", cases[i].answer, place->verdict,
				place->why);
	}
	/* No redirect was followed. */
	for (size_t i = 0; i < place->receiver.n_got; i++)
		assert_null(strstr(place->receiver.got[i].head, "/other"));
}

static void test_nobody_there(void **arg)
{
	struct place *place = *arg;
	set_url(place, "http://127.0.0.1:1/hook");
	assert_int_equal(deliver(place), TRY_LATER);
	assert_non_null(strstr(place->why, "127.0.0.1"));
	set_url(place, "http://nobody.invalid/hook");
	assert_int_equal(deliver(place), TRY_LATER);
}

static void test_a_receiver_without_tls_is_not_trusted_with_https(void **arg)
{
	struct place *place = *arg;
	set_url(place,
		fw_arena_format(&place->arena, "https://127.0.0.1:%u/", place->receiver.port));
	place->feed->deliver(&place->delivery);
	for (int i = 0; i < 200 && !place->finished; i++)
		uv_run(&place->loop, UV_RUN_NOWAIT);
	if (!place->finished) /* it waits for a server's hello that never comes */
		place->feed->cancel(&place->delivery);
	assert_int_equal(place->verdict, TRY_LATER);
	assert_int_equal(place->receiver.n_got, 0);
}

static void test_cancelled_while_the_receiver_hangs(void **arg)
{
	struct place *place = *arg;
	place->receiver.answer = RECEIVER_HANG;
	set_own_url(place, "127.0.0.1");
	place->feed->deliver(&place->delivery);
	while (place->receiver.n_got == 0)
		uv_run(&place->loop, UV_RUN_ONCE);
	assert_int_equal(place->finished, 0);
	place->feed->cancel(&place->delivery);
	assert_int_equal(place->finished, 1);
	assert_int_equal(place->verdict, TRY_LATER);
}

static void test_text_that_is_none_is_refused(void **arg)
{
	struct place *place = *arg;
	static const struct notice_pair broken[] = {{"alertname", "a\xff"}};
	struct notice notice = firing;
	notice.labels = broken;
	notice.n_labels = 1;
	place->delivery.notice = &notice;
	set_own_url(place, "127.0.0.1");
	assert_int_equal(deliver(place), REFUSED);
	assert_non_null(strstr(place->why, "UTF-8"));
}

static void test_which_urls_are_taken(void **arg)
{
	struct place *place = *arg;
	static const struct {
		const char *url;
		int rc;
	} cases[] = {
		{"https://desk.example/hook", 0},
		{"http://127.0.0.1:9093/api?x=1", 0},
		{"desk.example/hook", -EINVAL},
		{"file:///etc/passwd", -EINVAL},
		{"ftp://desk.example/", -EINVAL},
		{"gopher://desk.example/", -EINVAL},
		{"https://", -EINVAL},
		{"", -EINVAL},
	};
	struct fw_err err;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		set_url(place, cases[i].url);
		assert_int_equal(place->feed->check(place->config, &err), cases[i].rc);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_the_payload_is_alertmanagers),
		CASE(test_a_close_has_its_end),
		CASE(test_what_an_answer_means),
		CASE(test_nobody_there),
		CASE(test_a_receiver_without_tls_is_not_trusted_with_https),
		CASE(test_cancelled_while_the_receiver_hangs),
		CASE(test_text_that_is_none_is_refused),
		CASE(test_which_urls_are_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
