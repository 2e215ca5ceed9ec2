/* SPDX-License-Identifier: Apache-2.0 */
/* Desks that are asked what has become of their tickets; the desk is made up, and so is time. */
#include "place.h"

#include <string.h>

#include "acks.h"
#include "polls.h"

#define EVERY_MS 60000

/* What the desk is asked, and what it says. */
static struct {
	size_t asked;
	char ticket[32];
	enum desk desk;
	enum verdict verdict;
	int64_t retry_after_ms;
	struct delivery *hanging;
	bool hangs;
} desk;

static int64_t often(const void *config)
{
	(void)config;
	return EVERY_MS;
}

static void answer(struct delivery *delivery)
{
	desk.asked++;
	snprintf(desk.ticket, sizeof desk.ticket, "%s", delivery->notice->receipt);
	delivery->desk = desk.desk;
	delivery->retry_after_ms = desk.retry_after_ms;
	if (desk.hangs)
		desk.hanging = delivery;
	else
		feed_finish(delivery, desk.verdict, "so it is");
}

static void interrupt(struct delivery *delivery)
{
	desk.hanging = NULL;
	feed_finish(delivery, TRY_LATER, "interrupted");
}

struct asking {
	struct place *place;
	struct acks *acks;
	struct polls *polls;
	int64_t now_ms;
	size_t learnt;
};

static int take(const struct alert_answer *answer, void *arg, struct fw_err *err)
{
	struct asking *a = arg;
	return acks_add(a->acks, &a->place->options, answer, fw_wall_ms(), err);
}

static void begin(struct asking *a, struct place *place)
{
	memset(&desk, 0, sizeof desk);
	place->type.poll_ms = often;
	place->type.poll = answer;
	place->type.cancel = interrupt;
	*a = (struct asking){.place = place};
	assert_int_equal(acks_open(&a->acks, place->state, NULL), 0);
	const struct polls_config config = {.loop = &place->loop,
		.state = place->state,
		.options = &place->options,
		.pauses = place->pauses,
		.take = take,
		.arg = a};
	a->polls = polls_new(&config);
}

static void end(struct asking *a)
{
	polls_free(a->polls);
	acks_close(a->acks);
}

static void pass(struct asking *a, int64_t ms)
{
	for (int64_t end_ms = a->now_ms + ms; a->now_ms < end_ms; a->now_ms += 1000)
		a->learnt += polls_look(a->polls, a->now_ms);
}

/* An alert that the feed was told of, with the desk's number of it. */
static struct episode open_ticket(struct place *place, const char *key, const char *ticket)
{
	struct episode episode = fire(place, key);
	int rc = state_run(place->state, NULL,
		"UPDATE notice SET state = 1, receipt = ? WHERE key = ?", "tt", ticket, key);
	assert_int_equal(rc, 0);
	return episode;
}

static void test_acceptance_and_closing_come_back_once_each(void **arg)
{
	struct asking a;
	begin(&a, *arg);
	struct episode one = open_ticket(a.place, "fw1-1", "INC7");
	pass(&a, EVERY_MS);
	assert_int_equal(desk.asked, 0);
	pass(&a, 10000);
	assert_int_equal(desk.asked, 1);
	assert_string_equal(desk.ticket, "INC7");
	assert_null(acks_find(a.acks, "fw1-1", one.life.starts_ms));
	desk.desk = DESK_ACCEPTED;
	pass(&a, 2 * EVERY_MS + 10000);
	const struct ack *ack = acks_find(a.acks, "fw1-1", one.life.starts_ms);
	assert_non_null(ack);
	assert_string_equal(ack->who, "desk 'desk'");
	assert_string_equal(ack->note, "INC7");
	assert_int_equal(a.learnt, 1);
	desk.desk = DESK_CLOSED;
	pass(&a, 10 * EVERY_MS);
	assert_int_equal(a.learnt, 2);
	size_t asked = desk.asked;
	pass(&a, 100 * EVERY_MS);
	assert_int_equal(desk.asked, asked);
	end(&a);
}

static void test_pauses_grow_to_an_hour(void **arg)
{
	struct asking a;
	begin(&a, *arg);
	open_ticket(a.place, "fw1-1", "INC7");
	pass(&a, 64 * EVERY_MS);
	assert_in_range(desk.asked, 5, 6);
	pass(&a, 240 * EVERY_MS);
	assert_in_range(desk.asked, 9, 10);
	end(&a);
}

static void test_who_fails_is_asked_again_and_not_before_it_says(void **arg)
{
	struct asking a;
	begin(&a, *arg);
	open_ticket(a.place, "fw1-1", "INC7");
	desk.verdict = TRY_LATER;
	desk.retry_after_ms = 30 * EVERY_MS;
	pass(&a, 25 * EVERY_MS);
	assert_int_equal(desk.asked, 1);
	desk.verdict = DELIVERED;
	desk.desk = DESK_ACCEPTED;
	pass(&a, 6 * EVERY_MS + EVERY_MS / 2);
	assert_int_equal(desk.asked, 2);
	assert_int_equal(a.learnt, 1);
	end(&a);
}

static void test_who_wants_a_pause_is_asked_for_no_ticket(void **arg)
{
	struct asking a;
	begin(&a, *arg);
	open_ticket(a.place, "fw1-1", "INC7");
	pass(&a, 20000);
	open_ticket(a.place, "fw1-2", "INC8");
	desk.verdict = TRY_LATER;
	desk.retry_after_ms = 30 * EVERY_MS;
	pass(&a, 30 * EVERY_MS);
	assert_int_equal(desk.asked, 1);
	desk.retry_after_ms = 0;
	pass(&a, 2 * EVERY_MS);
	assert_int_equal(desk.asked, 3);
	/* Whoever was told so: a notice of the feed's, too. */
	pauses_set(a.place->pauses, "desk", a.now_ms, 300 * EVERY_MS);
	pass(&a, 299 * EVERY_MS);
	assert_int_equal(desk.asked, 3);
	end(&a);
}

static void test_only_tickets_of_what_goes_on_are_asked_for(void **arg)
{
	struct asking a;
	begin(&a, *arg);
	open_ticket(a.place, "fw1-1", "");
	fire(a.place, "fw1-2");
	struct episode over = open_ticket(a.place, "fw1-3", "INC9");
	resolve(a.place, &over);
	pass(&a, 10 * EVERY_MS);
	assert_int_equal(desk.asked, 0);
	end(&a);
}

static void test_one_that_ends_while_it_is_asked_for_is_let_go(void **arg)
{
	struct asking a;
	begin(&a, *arg);
	struct episode one = open_ticket(a.place, "fw1-1", "INC7");
	desk.hangs = true;
	pass(&a, 2 * EVERY_MS);
	assert_non_null(desk.hanging);
	resolve(a.place, &one);
	pass(&a, EVERY_MS);
	desk.hanging->desk = DESK_ACCEPTED;
	feed_finish(desk.hanging, DELIVERED, "so it is");
	pass(&a, 10 * EVERY_MS);
	assert_int_equal(desk.asked, 1);
	assert_null(acks_find(a.acks, "fw1-1", one.life.starts_ms));
	open_ticket(a.place, "fw1-2", "INC8");
	pass(&a, 2 * EVERY_MS);
	assert_int_equal(desk.asked, 2);
	end(&a);
	assert_null(desk.hanging);
}

static void test_what_was_learnt_is_known_after_a_restart(void **arg)
{
	struct asking a;
	begin(&a, *arg);
	open_ticket(a.place, "fw1-1", "INC7");
	desk.desk = DESK_CLOSED;
	pass(&a, 2 * EVERY_MS);
	assert_int_equal(a.learnt, 1);
	end(&a);
	begin(&a, *arg);
	desk.desk = DESK_CLOSED;
	pass(&a, 10 * EVERY_MS);
	assert_int_equal(desk.asked, 0);
	end(&a);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_acceptance_and_closing_come_back_once_each),
		TEST(test_pauses_grow_to_an_hour),
		TEST(test_who_fails_is_asked_again_and_not_before_it_says),
		TEST(test_who_wants_a_pause_is_asked_for_no_ticket),
		TEST(test_only_tickets_of_what_goes_on_are_asked_for),
		TEST(test_one_that_ends_while_it_is_asked_for_is_let_go),
		TEST(test_what_was_learnt_is_known_after_a_restart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
