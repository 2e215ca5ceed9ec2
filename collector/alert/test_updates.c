/* SPDX-License-Identifier: Apache-2.0 */
/* What has changed of an alert that goes on, told to feeds that take it. */
#include "place.h"

#include <string.h>

#include "updates.h"

static bool always(const void *config)
{
	(void)config;
	return true;
}

static void tell(struct place *place, const struct episode *episode, const char *name,
	const char *value, const char *except)
{
	struct notice_pair items[] = {{name, value}};
	const struct pairs said = {items, 1};
	assert_int_equal(state_begin(place->state, NULL), 0);
	int rc = updates_tell(place->state, &place->options, episode->key, episode->life.starts_ms,
		&said, except, START_MS + 1000, NULL);
	assert_int_equal(state_finish(place->state, rc, NULL), 0);
	if (place->outbox)
		outbox_wake(place->outbox);
}

static const struct received *got(const struct place *place, size_t i)
{
	assert_true(i < place->receiver.n_got);
	return &place->receiver.got[i];
}

static void test_an_update_comes_between_open_and_close(void **arg)
{
	struct place *place = *arg;
	place->type.updates = always;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	tell(place, &one, "acknowledged_by", "Ann", "");
	RUN_UNTIL(place, counts(place).delivered == 2);
	resolve(place, &one);
	RUN_UNTIL(place, counts(place).delivered == 3);
	assert_non_null(strstr(got(place, 1)->idempotency, "/update/2"));
	assert_non_null(strstr(got(place, 1)->body, "\"acknowledged_by\":\"Ann\""));
	assert_non_null(strstr(got(place, 1)->body, "\"summary\":\"web01 is unwell\""));
	assert_non_null(strstr(got(place, 1)->body, "\"status\":\"firing\""));
	assert_non_null(strstr(got(place, 2)->idempotency, "/resolved"));
}

static void test_the_newest_of_several_is_told(void **arg)
{
	struct place *place = *arg;
	place->type.updates = always;
	struct episode one = fire(place, "fw1-1");
	tell(place, &one, "acknowledged_by", "Ann", "");
	tell(place, &one, "priority", "P1", "");
	open_outbox(place);
	RUN_UNTIL(place, counts(place).delivered == 2);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 2);
	assert_null(strstr(got(place, 0)->body, "acknowledged_by"));
	assert_non_null(strstr(got(place, 1)->body, "\"acknowledged_by\":\"Ann\""));
	assert_non_null(strstr(got(place, 1)->body, "\"priority\":\"P1\""));
	/* One that was told already is the base of the next. */
	tell(place, &one, "priority", "P2", "");
	RUN_UNTIL(place, place->receiver.n_got == 3);
	assert_non_null(strstr(got(place, 2)->body, "\"acknowledged_by\":\"Ann\""));
	assert_non_null(strstr(got(place, 2)->body, "\"priority\":\"P2\""));
}

static void test_that_a_silence_is_over_is_said_once(void **arg)
{
	struct place *place = *arg;
	place->type.updates = always;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	tell(place, &one, "silence_over", "silence 1", "");
	tell(place, &one, "acknowledged_by", "Ann", "");
	RUN_UNTIL(place, counts(place).delivered == 2);
	assert_non_null(strstr(got(place, 1)->body, "silence 1"));
	assert_non_null(strstr(got(place, 1)->body, "\"acknowledged_by\":\"Ann\""));
	tell(place, &one, "priority", "P1", "");
	RUN_UNTIL(place, place->receiver.n_got == 3);
	assert_null(strstr(got(place, 2)->body, "silence 1"));
	assert_non_null(strstr(got(place, 2)->body, "\"acknowledged_by\":\"Ann\""));
}

static void test_who_knows_it_or_takes_none_is_told_none(void **arg)
{
	struct place *place = *arg;
	struct episode one = fire(place, "fw1-1");
	tell(place, &one, "acknowledged_by", "Ann", "");
	place->type.updates = always;
	tell(place, &one, "acknowledged_by", "Ann", "desk");
	place->feed.live = false;
	tell(place, &one, "acknowledged_by", "Ann", "");
	assert_int_equal(counts(place).waiting, 1);
	place->feed.live = true;
	tell(place, &one, "acknowledged_by", "Ann", "another");
	assert_int_equal(counts(place).waiting, 2);
}

static void test_nothing_comes_of_what_was_over_before_it_was_sent(void **arg)
{
	struct place *place = *arg;
	place->type.updates = always;
	struct episode one = fire(place, "fw1-1");
	tell(place, &one, "acknowledged_by", "Ann", "");
	resolve(place, &one);
	open_outbox(place);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 0);
	assert_int_equal(counts(place).waiting, 0);
}

static void test_a_close_is_not_kept_waiting(void **arg)
{
	struct place *place = *arg;
	place->type.updates = always;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	place->receiver.answer = 503;
	tell(place, &one, "acknowledged_by", "Ann", "");
	RUN_UNTIL(place, place->receiver.n_got == 2);
	resolve(place, &one);
	place->receiver.answer = 200;
	RUN_UNTIL(place, counts(place).delivered == 2 && counts(place).waiting == 0);
	assert_int_equal(accepted(place, "fw1-1", "resolved"), 1);
	assert_int_equal(place->receiver.n_got, 3);
}

static void test_a_refused_open_takes_its_update_along(void **arg)
{
	struct place *place = *arg;
	place->type.updates = always;
	place->receiver.answer = 422;
	struct episode one = fire(place, "fw1-1");
	tell(place, &one, "acknowledged_by", "Ann", "");
	open_outbox(place);
	RUN_UNTIL(place, counts(place).refused == 1);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 1);
	assert_int_equal(counts(place).waiting, 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_an_update_comes_between_open_and_close),
		TEST(test_the_newest_of_several_is_told),
		TEST(test_that_a_silence_is_over_is_said_once),
		TEST(test_who_knows_it_or_takes_none_is_told_none),
		TEST(test_nothing_comes_of_what_was_over_before_it_was_sent),
		TEST(test_a_close_is_not_kept_waiting),
		TEST(test_a_refused_open_takes_its_update_along),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
