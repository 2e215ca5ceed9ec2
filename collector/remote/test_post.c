/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a request to a receiver that listens, and answers badly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "post.h"
#include "receiver.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The receiver has a thread of its own, as post_body() waits. */
struct scene {
	uv_loop_t loop;
	uv_async_t end;
	pthread_t thread;
	struct receiver receiver;
	_Atomic int answer, n_got;
	struct send_receiver settings;
	char url[64];
	atomic_bool stopping;
	struct post post;
};

static int decide(struct receiver *receiver, const struct received *request)
{
	struct scene *s =
		(struct scene *)(void *)((char *)receiver - offsetof(struct scene, receiver));
	(void)request;
	s->n_got++;
	return s->answer;
}

static void on_end(uv_async_t *end)
{
	struct scene *s = end->data;
	receiver_close(&s->receiver);
	uv_close((uv_handle_t *)end, NULL);
}

static void *on_thread(void *arg)
{
	struct scene *s = arg;
	uv_run(&s->loop, UV_RUN_DEFAULT);
	return NULL;
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof *s);
	uv_loop_init(&s->loop);
	uv_async_init(&s->loop, &s->end, on_end);
	s->end.data = s;
	s->receiver.decide = decide;
	s->receiver.retry_after = "7";
	receiver_open(&s->receiver, &s->loop);
	pthread_create(&s->thread, NULL, on_thread, s);
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/write", s->receiver.port);
	s->settings = (struct send_receiver){.url = s->url, .protocol = 2, .timeout_ms = 20000};
	assert_int_equal(post_open(&s->post, &s->settings, &s->stopping, NULL), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;
	post_close(&s->post);
	uv_async_send(&s->end);
	pthread_join(s->thread, NULL);
	assert_int_equal(uv_loop_close(&s->loop), 0);
	receiver_forget(&s->receiver);
	free(s);
	return 0;
}

static enum post_outcome post_one(struct scene *s, int answer)
{
	const struct fw_buf body = {.data = (uint8_t *)(uintptr_t) "body", .length = 4};
	s->answer = answer;
	return post_body(&s->post, &body);
}

static void test_outcomes(void **state)
{
	struct scene *s = *state;
	static const struct {
		int answer;
		enum post_outcome outcome;
		const char *why;
	} cases[] = {
		{204, POST_TAKEN, ""},
		{200, POST_TAKEN, "ok"},
		{302, POST_REFUSED, "ok"},
		{400, POST_REFUSED, "ok"},
		{401, POST_REFUSED, "ok"},
		{413, POST_REFUSED, "ok"},
		{429, POST_LATER, "ok"},
		{500, POST_LATER, "ok"},
		{503, POST_LATER, "ok"},
		{RECEIVER_RESET, POST_LATER, NULL},
		{RECEIVER_HALF, POST_LATER, NULL},
		{200, POST_TAKEN, "ok"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		enum post_outcome outcome = post_one(s, cases[i].answer);
		if (outcome != cases[i].outcome)
			fail_msg("%d: %d, %s", cases[i].answer, outcome, s->post.why);
		if (cases[i].why)
			assert_string_equal(s->post.why, cases[i].why);
		else
			assert_true(*s->post.why);
	}
	assert_true(s->n_got >= (int)COUNT(cases)); /* a connection that is reset is tried twice */
}

static void test_when_to_come_again(void **state)
{
	struct scene *s = *state;
	post_one(s, 429);
	assert_int_equal(s->post.wait_ms, 7000);
	post_one(s, RECEIVER_RESET);
	assert_int_equal(s->post.wait_ms, 0);
}

static void test_a_long_answer_is_cut(void **state)
{
	struct scene *s = *state;
	s->settings.timeout_ms = 300; /* it never ends */
	post_close(&s->post);
	assert_int_equal(post_open(&s->post, &s->settings, &s->stopping, NULL), 0);
	assert_int_equal(post_one(s, RECEIVER_LONG), POST_LATER);
	assert_int_equal(post_one(s, RECEIVER_HANG), POST_LATER);
	assert_non_null(strstr(s->post.why, "imeout"));
}

static void test_an_end_does_not_wait(void **state)
{
	struct scene *s = *state;
	s->stopping = true;
	assert_int_equal(post_one(s, RECEIVER_HANG), POST_LATER);
}

static void test_nobody_listens(void **state)
{
	struct scene *s = *state;
	s->settings.url = "http://127.0.0.1:1/write";
	post_close(&s->post);
	assert_int_equal(post_open(&s->post, &s->settings, &s->stopping, NULL), 0);
	assert_int_equal(post_one(s, 200), POST_LATER);
	assert_int_equal(s->n_got, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_outcomes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_when_to_come_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_long_answer_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_end_does_not_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_listens, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
