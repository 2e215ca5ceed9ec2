/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/loop.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct thing {
	struct fw_owner owner;
	uv_timer_t timer;
	uv_async_t async;
	uv_work_t work;
	unsigned *done;
	bool inside;
};

static void on_thing_done(struct fw_owner *owner)
{
	struct thing *thing = FW_CONTAINER(owner, struct thing, owner);
	assert_false(thing->inside);
	(*thing->done)++;
	free(thing);
}

static void on_work(uv_work_t *work)
{
	(void)work;
	uv_sleep(1);
}

static void on_worked(uv_work_t *work, int status)
{
	(void)status;
	fw_owner_drop(&FW_CONTAINER(work, struct thing, work)->owner);
}

static void on_timer(uv_timer_t *timer)
{
	struct thing *thing = FW_CONTAINER(timer, struct thing, timer);
	thing->inside = true;
	fw_owner_close(&thing->owner);
	fw_owner_close(&thing->owner);
	thing->inside = false;
}

static struct thing *thing_new(uv_loop_t *loop, unsigned *done)
{
	struct thing *thing = calloc(1, sizeof *thing);
	assert_non_null(thing);
	thing->done = done;
	fw_owner_init(&thing->owner, on_thing_done);
	uv_timer_init(loop, &thing->timer);
	fw_owner_adopt(&thing->owner, &thing->timer);
	uv_async_init(loop, &thing->async, NULL);
	fw_owner_adopt(&thing->owner, &thing->async);
	assert_ptr_equal(thing->timer.data, &thing->owner);
	uv_timer_start(&thing->timer, on_timer, 0, 0);
	return thing;
}

static void owners_close_from_their_own_callback(void **state)
{
	(void)state;
	uv_loop_t loop;
	unsigned done = 0;
	assert_int_equal(uv_loop_init(&loop), 0);
	for (unsigned i = 0; i < 100; i++) {
		struct thing *thing = thing_new(&loop, &done);
		if (i % 3 == 0) {
			fw_owner_hold(&thing->owner);
			assert_int_equal(uv_queue_work(&loop, &thing->work, on_work, on_worked), 0);
		}
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(done, 100);
	assert_int_equal(uv_loop_close(&loop), 0);
}

#define SENDERS 3
#define LETTERS 2000

struct letter {
	struct fw_mail mail;
	unsigned sender, number;
};

struct post {
	struct fw_mailbox box;
	unsigned next[SENDERS], received;
	bool closed;
};

struct sender {
	struct post *post;
	unsigned id, refused;
};

static void on_post_closed(struct fw_mailbox *box)
{
	FW_CONTAINER(box, struct post, box)->closed = true;
}

static void on_letter(struct fw_mailbox *box, struct fw_mail *mail)
{
	struct post *post = FW_CONTAINER(box, struct post, box);
	struct letter *letter = FW_CONTAINER(mail, struct letter, mail);
	assert_int_equal(letter->number, post->next[letter->sender]++);
	post->received++;
	free(letter);
	if (post->received == SENDERS * LETTERS)
		fw_mailbox_close(box, on_post_closed);
}

static void send_letters(void *arg)
{
	struct sender *sender = arg;
	for (unsigned i = 0; i < LETTERS; i++) {
		struct letter *letter = calloc(1, sizeof *letter);
		letter->sender = sender->id;
		letter->number = i;
		if (!fw_mailbox_post(&sender->post->box, &letter->mail)) {
			sender->refused++;
			free(letter);
		}
	}
}

static void mail_keeps_each_senders_order(void **state)
{
	(void)state;
	uv_loop_t loop;
	struct post post = {0};
	struct sender senders[SENDERS];
	uv_thread_t threads[SENDERS];
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(fw_mailbox_open(&post.box, &loop, on_letter), 0);
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){.post = &post, .id = i};
		uv_thread_create(&threads[i], send_letters, &senders[i]);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	for (unsigned i = 0; i < SENDERS; i++) {
		uv_thread_join(&threads[i]);
		assert_int_equal(senders[i].refused, 0);
	}
	assert_int_equal(post.received, SENDERS * LETTERS);
	assert_true(post.closed);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void on_counted(struct fw_mailbox *box, struct fw_mail *mail)
{
	(void)mail;
	FW_CONTAINER(box, struct post, box)->received++;
}

static void closing_delivers_first_and_refuses_after(void **state)
{
	(void)state;
	uv_loop_t loop;
	struct post post = {0};
	struct fw_mail one = {0}, two = {0}, late = {0};
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(fw_mailbox_open(&post.box, &loop, on_counted), 0);
	assert_true(fw_mailbox_post(&post.box, &one));
	assert_true(fw_mailbox_post(&post.box, &two));
	assert_int_equal(post.received, 0);
	fw_mailbox_close(&post.box, on_post_closed);
	assert_int_equal(post.received, 2);
	assert_false(fw_mailbox_post(&post.box, &late));
	assert_false(post.closed);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(post.closed);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owners_close_from_their_own_callback),
		cmocka_unit_test(mail_keeps_each_senders_order),
		cmocka_unit_test(closing_delivers_first_and_refuses_after),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
