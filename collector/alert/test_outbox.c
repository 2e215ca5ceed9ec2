/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <stdio.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/fault.h>
#include <fenwatch/log.h>

#include "audit.h"
#include "book_feeds.h"

static void test_an_open_and_its_close_are_told_once(void **arg)
{
	struct place *place = *arg;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	resolve(place, &one);
	RUN_UNTIL(place, counts(place).delivered == 2);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 2);
	assert_string_equal(
		place->receiver.got[0].idempotency, "fw1-1/2026-11-22T10:00:00.000Z/firing");
	assert_string_equal(
		place->receiver.got[1].idempotency, "fw1-1/2026-11-22T10:00:00.000Z/resolved");
	assert_non_null(strstr(place->receiver.got[0].body, "web01 is unwell"));
	assert_int_equal(counts(place).waiting, 0);
}

static void test_a_failing_receiver_is_tried_again_under_the_same_key(void **arg)
{
	struct place *place = *arg;
	static const int answers[] = {500, RECEIVER_RESET, RECEIVER_HALF};
	open_outbox(place);
	for (size_t i = 0; i < 3; i++) {
		char key[16];
		snprintf(key, sizeof key, "fw1-%zu", i);
		place->receiver.answer = answers[i];
		size_t before = place->receiver.n_got;
		struct episode one = fire(place, key);
		RUN_UNTIL(place, place->receiver.n_got > before);
		resolve(place, &one);
		run_for(place, 50);
		assert_int_equal(place->receiver.n_got, before + 1); /* no close before the open */
		place->receiver.answer = 200;
		RUN_UNTIL(place, counts(place).delivered == 2 * (i + 1));
		assert_string_equal(place->receiver.got[before].idempotency,
			place->receiver.got[before + 1].idempotency);
		assert_int_equal(accepted(place, key, "resolved"), 1);
	}
}

static void test_a_pause_is_kept(void **arg)
{
	struct place *place = *arg;
	place->receiver.answer = 503;
	open_outbox(place);
	int64_t first_ms = fw_mono_ms();
	fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got == 1);
	RUN_UNTIL(place, place->receiver.n_got == 2);
	assert_true(fw_mono_ms() - first_ms >= OUTBOX_PAUSE_MS / 2 - 50);
	assert_int_equal(counts(place).waiting, 1);
	struct fw_arena arena = {0};
	struct alert_feed_view *views;
	size_t n;
	assert_int_equal(outbox_feeds(place->outbox, &arena, &views, &n, NULL), 0);
	assert_int_equal(n, 1);
	RUN_UNTIL(place,
		outbox_feeds(place->outbox, &arena, &views, &n, NULL) == 0 &&
			strstr(views[0].last_error, "503"));
	assert_true(views[0].tries >= 2);
	fw_arena_done(&arena);
}

static void deliver_at_once(struct delivery *delivery)
{
	feed_finish(delivery, DELIVERED, "");
}

static void on_iteration(uv_check_t *check)
{
	++*(uint64_t *)check->data;
}

/* Others have their turn meanwhile: the API, agents' connections. */
static void test_a_feed_that_delivers_at_once_leaves_the_loop_to_others(void **arg)
{
	struct place *place = *arg;
	uint64_t iterations = 0;
	uv_check_t check;
	place->type.deliver = deliver_at_once;
	for (int i = 0; i < 20 * OUTBOX_AT_ONCE; i++) {
		char key[16];
		snprintf(key, sizeof key, "fw1-%d", i);
		fire(place, key);
	}
	uv_check_init(&place->loop, &check);
	check.data = &iterations;
	uv_check_start(&check, on_iteration);
	open_outbox(place);
	RUN_UNTIL(place, counts(place).delivered == 20 * OUTBOX_AT_ONCE);
	uv_close((uv_handle_t *)&check, NULL);
	uv_run(&place->loop, UV_RUN_NOWAIT);
	/* Timers have two turns in each. */
	assert_in_range(iterations, 10, 10000);
}

/* 1,000 alerts to twelve feeds are 24,000 notices: two syncs for each would be most of what
 * they cost. */
static void test_a_turn_is_synced_once(void **arg)
{
	struct place *place = *arg;
	enum { TURNS = 20 };
	place->type.deliver = deliver_at_once;
	for (int i = 0; i < TURNS * OUTBOX_AT_ONCE; i++) {
		char key[16];
		snprintf(key, sizeof key, "fw1-%d", i);
		fire(place, key);
	}
	open_outbox(place);
	fw_fault_arm(FW_OP_FSYNC, UINT64_MAX, 0, false); /* counts */
	RUN_UNTIL(place, counts(place).delivered == TURNS * OUTBOX_AT_ONCE);
	/* SQLite syncs some of its own when it moves its log. */
	assert_in_range(fw_fault_calls(FW_OP_FSYNC), TURNS, TURNS + 8);
}

/* What SQLite does not take of one alert, for whatever reason. */
static void refuse_to_write(struct place *place, const char *how)
{
	char sql[256];
	snprintf(sql, sizeof sql,
		"CREATE TEMP TRIGGER stop BEFORE UPDATE ON notice WHEN new.key = 'fw1-bad' AND %s"
		" BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
		how);
	assert_int_equal(sqlite3_exec(state_db(place->state), sql, NULL, NULL, NULL), SQLITE_OK);
}

static void test_one_that_cannot_be_written_keeps_nobody_waiting(void **arg)
{
	struct place *place = *arg;
	static const char *const hows[] = {"new.tries = 1 AND new.state = 0", "new.state = 1"};
	uint64_t delivered = 0;
	for (size_t i = 0; i < 2; i++) {
		char key[16];
		fire(place, "fw1-bad");
		for (int more = 0; more < 4; more++) {
			snprintf(key, sizeof key, "fw1-%zu%d", i, more);
			fire(place, key);
		}
		refuse_to_write(place, hows[i]);
		open_outbox(place);
		RUN_UNTIL(place, counts(place).delivered == delivered + 4);
		assert_int_equal(counts(place).waiting, 1);
		state_run(place->state, NULL, "DROP TRIGGER stop", "");
		delivered += 5;
		RUN_UNTIL(place, counts(place).delivered == delivered);
		assert_int_equal(accepted(place, "fw1-bad", "firing"), i + 1);
		close_outbox(place);
	}
}

static int is_being_replaced(struct receiver *receiver, const struct received *request)
{
	static const int answers[] = {301, 404, 405};
	(void)request;
	return receiver->n_got < 3 ? answers[receiver->n_got] : 200;
}

static void test_what_goes_astray_arrives_once_its_receiver_is_there(void **arg)
{
	struct place *place = *arg;
	place->receiver.decide = is_being_replaced;
	open_outbox(place);
	fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	assert_int_equal(place->receiver.n_got, 4);
	assert_int_equal(counts(place).refused, 0);
}

static void test_what_goes_astray_for_too_long_is_a_dead_letter(void **arg)
{
	struct place *place = *arg;
	place->receiver.answer = 404;
	place->astray_ms = 1;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).refused == 1);
	assert_int_equal(place->receiver.n_got, 2);
	/* Somebody has heard of it, perhaps. */
	place->receiver.answer = 200;
	resolve(place, &one);
	RUN_UNTIL(place, accepted(place, "fw1-1", "resolved") == 1);
}

static int one_is_gone(struct receiver *receiver, const struct received *request)
{
	(void)receiver;
	return strncmp(request->idempotency, "fw1-gone/", 9) == 0 ? 404 : 200;
}

/* Its pauses grow, however much of the others arrives meanwhile. */
static void test_what_goes_astray_keeps_nobody_waiting(void **arg)
{
	struct place *place = *arg;
	char key[16];
	place->receiver.decide = one_is_gone;
	open_outbox(place);
	fire(place, "fw1-gone");
	RUN_UNTIL(place, place->receiver.n_got == 1);
	for (uint64_t i = 1; i <= 20; i++) {
		snprintf(key, sizeof key, "fw1-%d", (int)i);
		fire(place, key);
		outbox_wake(place->outbox);
		RUN_UNTIL(place, counts(place).delivered == i);
	}
	assert_true(counts(place).tries < 30);
	assert_int_equal(counts(place).waiting, 1);
}

static void test_what_is_refused_is_not_told_again(void **arg)
{
	struct place *place = *arg;
	place->receiver.answer = 422;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).refused == 1);
	place->receiver.answer = 200;
	resolve(place, &one);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 1);
	assert_int_equal(counts(place).waiting, 0);
}

static int refuse_opens(struct receiver *receiver, const struct received *request)
{
	(void)receiver;
	return strstr(request->idempotency, "/firing") ? 400 : 200;
}

static void damage_open(struct place *place, const char *key)
{
	assert_int_equal(
		state_run(place->state, NULL,
			"UPDATE notice SET labels = '{\"alertn' WHERE key = ? AND kind = 0", "t",
			key),
		0);
}

static void on_dead_letter(const struct book_letter *letter, void *arg)
{
	assert_string_equal(letter->key, "fw1-1");
	assert_non_null(strstr(letter->why, "is damaged"));
	++*(int *)arg;
}

static void test_a_damaged_notice_is_a_dead_letter(void **arg)
{
	struct place *place = *arg;
	int letters = 0;
	struct episode one = fire(place, "fw1-1");
	fire(place, "fw1-2");
	damage_open(place, "fw1-1");
	open_outbox(place);
	RUN_UNTIL(place, counts(place).delivered == 1);
	assert_int_equal(accepted(place, "fw1-2", "firing"), 1);
	assert_int_equal(counts(place).refused, 1);
	assert_int_equal(book_letters(place->state, "desk", NOTICE_REFUSED, 8, on_dead_letter,
				 &letters, NULL),
		0);
	assert_int_equal(letters, 1);
	/* Nobody has heard of it, so nobody hears of its end. */
	resolve(place, &one);
	run_for(place, 50);
	assert_int_equal(counts(place).waiting, 0);
	assert_int_equal(place->receiver.n_got, 1);
}

static void test_a_damaged_notice_that_may_have_arrived_is_closed(void **arg)
{
	struct place *place = *arg;
	place->receiver.answer = 500;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got == 1);
	damage_open(place, "fw1-1");
	place->receiver.answer = 200;
	RUN_UNTIL(place, counts(place).refused == 1);
	resolve(place, &one);
	RUN_UNTIL(place, accepted(place, "fw1-1", "resolved") == 1);
}

static void test_a_close_behind_an_open_that_is_refused(void **arg)
{
	struct place *place = *arg;
	place->receiver.decide = refuse_opens;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got == 1); /* under way: the close must wait for it */
	resolve(place, &one);
	RUN_UNTIL(place, counts(place).refused == 1);
	run_for(place, 50);
	assert_int_equal(accepted(place, "fw1-1", "resolved"), 0);
	assert_int_equal(counts(place).waiting, 0);
}

static void test_over_before_it_was_sent(void **arg)
{
	struct place *place = *arg;
	struct episode one = fire(place, "fw1-1");
	resolve(place, &one);
	open_outbox(place);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 0);
	assert_int_equal(counts(place).waiting, 0);
	/* Also when the outbox already knows of it. */
	struct episode two = fire(place, "fw1-2");
	resolve(place, &two);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 0);
}

static void test_rehearsal_sends_nothing(void **arg)
{
	struct place *place = *arg;
	place->feed.live = false;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	run_for(place, 50);
	/* Its close is none for the receiver either, though the feed is live by then. */
	close_outbox(place);
	place->feed.live = true;
	open_outbox(place);
	resolve(place, &one);
	struct episode two = fire(place, "fw1-2");
	(void)two;
	RUN_UNTIL(place, counts(place).delivered == 1);
	assert_int_equal(place->receiver.n_got, 1);
}

static int hang_first(struct receiver *receiver, const struct received *request)
{
	(void)receiver;
	return strncmp(request->idempotency, "fw1-1/", 6) == 0 ? RECEIVER_HANG : 200;
}

static void test_one_alert_that_hangs_holds_up_no_other(void **arg)
{
	struct place *place = *arg;
	place->receiver.decide = hang_first;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got == 1);
	resolve(place, &one);
	struct episode two = fire(place, "fw1-2");
	RUN_UNTIL(place, accepted(place, "fw1-2", "firing") == 1);
	resolve(place, &two);
	RUN_UNTIL(place, accepted(place, "fw1-2", "resolved") == 1);
	RUN_UNTIL(place, counts(place).delivered == 2);
	assert_int_equal(counts(place).waiting, 2);
	/* Stopped and started again, it goes on where it was. */
	close_outbox(place);
	place->receiver.decide = NULL;
	open_outbox(place);
	RUN_UNTIL(place, counts(place).delivered == 4);
	assert_int_equal(accepted(place, "fw1-1", "firing"), 1);
	assert_int_equal(accepted(place, "fw1-1", "resolved"), 1);
}

static void test_where_keys_are_not_known_one_is_under_way(void **arg)
{
	struct place *place = *arg;
	place->type.at_once = 1;
	place->receiver.answer = RECEIVER_HANG;
	open_outbox(place);
	fire(place, "fw1-1");
	fire(place, "fw1-2");
	outbox_wake(place->outbox);
	RUN_UNTIL(place, place->receiver.n_got == 1);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 1);
	place->receiver.answer = 200;
	receiver_answer_hanging(&place->receiver, 200);
	RUN_UNTIL(place, counts(place).delivered == 2);
}

static void test_many_at_once(void **arg)
{
	struct place *place = *arg;
	enum { MANY = 100 };
	struct episode episodes[MANY];
	open_outbox(place);
	for (int i = 0; i < MANY; i++) {
		char key[16];
		snprintf(key, sizeof key, "fw1-%d", i);
		episodes[i] = fire(place, key);
	}
	RUN_UNTIL(place, counts(place).delivered == MANY);
	for (int i = 0; i < MANY; i++)
		resolve(place, &episodes[i]);
	RUN_UNTIL(place, counts(place).delivered == 2 * MANY);
	assert_int_equal(place->receiver.n_got, 2 * MANY);
}

static void test_an_episode_never_begins_when_another_of_its_key_did(void **arg)
{
	struct place *place = *arg;
	struct episode one = fire(place, "fw1-1");
	resolve(place, &one);
	struct episode two = fire(place, "fw1-1");
	assert_int_equal(two.life.starts_ms, one.life.starts_ms + 1);
}

static void on_firing(const struct episode *episode, void *arg)
{
	struct episode *out = arg;
	assert_string_equal(episode->rule, "R");
	assert_string_equal(pairs_get(&episode->labels, "instance"), "web01");
	out->life = episode->life;
	snprintf(out->key, sizeof out->key, "%s", episode->key);
}

static void test_what_fires_is_there_after_a_restart(void **arg)
{
	struct place *place = *arg;
	struct episode found = {0};
	struct episode one = fire(place, "fw1-1"), two = fire(place, "fw1-2");
	resolve(place, &one);
	close_state(place);
	open_state(place);
	assert_int_equal(book_firing(place->state, on_firing, &found, NULL), 0);
	assert_string_equal(found.key, "fw1-2");
	assert_int_equal(found.life.starts_ms, two.life.starts_ms);
	/* Forgetting leaves what goes on, and what waits. */
	assert_int_equal(book_forget(place->state, INT64_MAX, INT64_MAX, NULL), 0);
	assert_int_equal(counts(place).waiting, 1);
	assert_int_equal(book_firing(place->state, on_firing, &found, NULL), 0);
}

static void test_a_damaged_episode_can_be_closed_after_a_restart(void **arg)
{
	struct place *place = *arg;
	struct episode found = {0};
	open_outbox(place);
	fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	assert_int_equal(state_run(place->state, NULL,
				 "UPDATE episode SET labels = '{', annotations = ''", ""),
		0);
	close_outbox(place);
	close_state(place);
	open_state(place);
	open_outbox(place);
	assert_int_equal(book_firing(place->state, on_firing, &found, NULL), 0);
	assert_string_equal(found.key, "fw1-1");
	struct episode again = episode_of(found.key, found.life.starts_ms);
	resolve(place, &again);
	RUN_UNTIL(place, accepted(place, "fw1-1", "resolved") == 1);
}

/* ---- the audit trail ---- */

static bool add_line(const struct audit_entry *entry, void *arg)
{
	struct fw_buf *text = arg;
	fw_buf_printf(text, "%s %s %s\n", entry->subject, entry->kind, entry->detail);
	return true;
}

static void test_the_audit_trail_says_what_became_of_an_alert(void **arg)
{
	struct place *place = *arg;
	struct fw_buf trail = {0};
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	resolve(place, &one);
	place->receiver.answer = 410;
	RUN_UNTIL(place, counts(place).refused == 1);
	const struct audit_range all = {0};
	assert_int_equal(audit_each(place->state, &all, add_line, &trail, NULL), 0);
	assert_string_equal((const char *)trail.data,
		"fw1-1 fired {\"annotations\":{\"summary\":\"web01 is unwell\"},"
		"\"instance\":\"web01\",\"labels\":{\"alertname\":\"R\",\"instance\":\"web01\"},"
		"\"rule\":\"R\",\"severity\":\"warning\",\"starts\":1795341600000}\n"
		"fw1-1 told {\"feed\":\"desk\",\"notice\":\"open\",\"receipt\":\"\",\"starts\":1795341600000}\n"
		"fw1-1 cleared {\"ends\":1795341601000,\"starts\":1795341600000}\n"
		"fw1-1 refused {\"feed\":\"desk\",\"notice\":\"close\",\"starts\":1795341600000,"
		"\"why\":\"the receiver answered 410\"}\n");
	fw_buf_done(&trail);
}

/* ---- receivers that ask for more ---- */

static void test_what_stands_is_told_again(void **arg)
{
	struct place *place = *arg;
	place->type.repeat_ms = 20;
	place->type.repeat_closed_ms = 60000;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	fire(place, "fw1-2");
	RUN_UNTIL(place, accepted(place, "fw1-1", "firing") >= 3);
	resolve(place, &one);
	RUN_UNTIL(place, accepted(place, "fw1-1", "resolved") >= 3);
	/* From its close on nothing but its close, while the other goes on. */
	bool over = false;
	for (size_t i = 0; i < place->receiver.n_got; i++) {
		const char *got = place->receiver.got[i].idempotency;
		if (strncmp(got, "fw1-1/", 6) != 0)
			continue;
		over = over || strstr(got, "/resolved");
		assert_true(!over || strstr(got, "/resolved"));
	}
	size_t before = accepted(place, "fw1-2", "firing");
	RUN_UNTIL(place, accepted(place, "fw1-2", "firing") > before);
	/* It is no notice: counted once, and nothing waits. */
	assert_int_equal(counts(place).delivered, 3);
	assert_int_equal(counts(place).waiting, 0);
	assert_int_equal(counts(place).tries, 3);
}

static bool has_heard(const struct place *place, const char *text)
{
	for (size_t i = 0; i < place->receiver.n_got; i++)
		if (strstr(place->receiver.got[i].body, text))
			return true;
	return false;
}

static void test_what_is_told_again_has_the_words_of_now(void **arg)
{
	struct place *place = *arg;
	place->type.repeat_ms = 20;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	assert_false(has_heard(place, "20000 more"));
	assert_int_equal(book_reworded(place->state, &one, "20000 more", NULL), 0);
	RUN_UNTIL(place, has_heard(place, "20000 more"));
	assert_int_equal(counts(place).delivered, 1);
}

static void test_a_close_is_repeated_no_longer_than_asked(void **arg)
{
	struct place *place = *arg;
	place->type.repeat_ms = 20;
	place->type.repeat_closed_ms = -60000; /* as if a minute had gone */
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	resolve(place, &one);
	RUN_UNTIL(place, counts(place).delivered == 2);
	run_for(place, 100);
	assert_int_equal(accepted(place, "fw1-1", "resolved"), 1);
}

static void test_an_alert_that_fires_again_is_not_closed_by_a_repeat(void **arg)
{
	struct place *place = *arg;
	place->type.repeat_ms = 20;
	place->type.repeat_closed_ms = 60000;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	resolve(place, &one);
	RUN_UNTIL(place, counts(place).delivered == 2);
	fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 3);
	size_t closes = accepted(place, "fw1-1", "resolved"),
	       opens = accepted(place, "fw1-1", "firing");
	RUN_UNTIL(place, accepted(place, "fw1-1", "firing") >= opens + 2);
	assert_int_equal(accepted(place, "fw1-1", "resolved"), closes);
}

static void test_a_repeat_that_fails_holds_up_nothing(void **arg)
{
	struct place *place = *arg;
	place->type.repeat_ms = 20;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	place->receiver.answer = 503;
	size_t before = place->receiver.n_got;
	RUN_UNTIL(place, place->receiver.n_got >= before + 2);
	place->receiver.answer = 200;
	resolve(place, &one);
	RUN_UNTIL(place, counts(place).delivered == 2);
}

static int too_many(struct receiver *receiver, const struct received *request)
{
	(void)request;
	return receiver->n_got == 0 ? 429 : 200;
}

static void test_who_asks_for_a_while_is_left_alone(void **arg)
{
	struct place *place = *arg;
	place->receiver.decide = too_many;
	place->receiver.retry_after = "2";
	open_outbox(place);
	int64_t asked_ms = fw_mono_ms();
	fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got == 1);
	fire(place, "fw1-2");
	RUN_UNTIL(place, counts(place).delivered == 2);
	assert_true(fw_mono_ms() - asked_ms >= 1900);
	assert_int_equal(place->receiver.n_got, 3);
}

static void on_before_closed(void *arg)
{
	*(bool *)arg = true;
}

/* It says two minutes: a reload is not one, nor a restart. */
static void test_who_is_left_alone_is_so_after_a_reload_and_a_restart(void **arg)
{
	struct place *place = *arg;
	bool closed = false;
	place->receiver.answer = 429;
	place->receiver.retry_after = "120";
	open_outbox(place);
	fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got == 1);
	run_for(place, 20);
	struct outbox *before = place->outbox;
	open_outbox(place);
	outbox_take_over(place->outbox, before, on_before_closed, &closed);
	fire(place, "fw1-2");
	RUN_UNTIL(place, closed);
	run_for(place, 100);
	assert_int_equal(place->receiver.n_got, 1);
	kill_and_restart(place);
	run_for(place, 100);
	assert_int_equal(place->receiver.n_got, 1);
	assert_in_range(pauses_until_ms(place->pauses, "desk") - fw_mono_ms(), 100000, 120000);
	fw_fault_clock(121 * 1000);
	place->receiver.answer = 200;
	kill_and_restart(place);
	RUN_UNTIL(place, counts(place).delivered == 2);
}

static void test_what_goes_astray_has_its_hour_over_a_reload(void **arg)
{
	struct place *place = *arg;
	bool closed = false;
	place->receiver.answer = 404;
	place->astray_ms = 300;
	open_outbox(place);
	fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got == 1);
	run_for(place, 310);
	struct outbox *before = place->outbox;
	open_outbox(place);
	outbox_take_over(place->outbox, before, on_before_closed, &closed);
	RUN_UNTIL(place, closed && counts(place).refused == 1);
	assert_int_equal(place->receiver.n_got, 2);
}

static char seen_receipt[FEED_RECEIPT];

static void give_receipt(struct delivery *delivery)
{
	snprintf(seen_receipt, sizeof seen_receipt, "%s", delivery->notice->receipt);
	if (strcmp(delivery->notice->status, "firing") == 0)
		snprintf(delivery->receipt, sizeof delivery->receipt, "INC0012345");
	feed_finish(delivery, DELIVERED, "");
}

static void test_a_close_knows_the_receiver_s_number(void **arg)
{
	struct place *place = *arg;
	place->type.deliver = give_receipt;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	assert_string_equal(seen_receipt, "");
	close_outbox(place);
	close_state(place);
	open_state(place);
	open_outbox(place);
	resolve(place, &one);
	RUN_UNTIL(place, counts(place).delivered == 2);
	assert_string_equal(seen_receipt, "INC0012345");
}

/* ---- beats ---- */

static const char *illness;

static const char *checked(void *arg)
{
	++*(int *)arg;
	return illness;
}

static int64_t often(const void *config)
{
	(void)config;
	return 20;
}

static void open_heart(struct place *place, int *checkups)
{
	const struct outbox_config config = {.loop = &place->loop,
		.pauses = place->pauses,
		.state = place->state,
		.options = &place->options,
		.on_checkup = checked,
		.arg = checkups};
	place->type.beat_ms = often;
	assert_int_equal(outbox_open(&place->outbox, &config, NULL), 0);
}

static void expect_error(struct place *place, const char *text)
{
	struct fw_arena arena = {0};
	struct alert_feed_view *views;
	size_t n;
	assert_int_equal(outbox_feeds(place->outbox, &arena, &views, &n, NULL), 0);
	assert_string_equal(views[0].last_error, text);
	fw_arena_done(&arena);
}

static void test_beats_come_while_all_is_well(void **arg)
{
	struct place *place = *arg;
	int checkups = 0;
	illness = NULL;
	open_heart(place, &checkups);
	fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got >= 3);
	assert_int_equal(accepted(place, "fw1-1", "firing"), 0);
	illness = "the store is full";
	run_for(place, 50);
	size_t got = place->receiver.n_got;
	int before = checkups;
	outbox_wake(place->outbox);
	RUN_UNTIL(place, checkups >= before + 2);
	assert_int_equal(place->receiver.n_got, got);
	expect_error(place, "the store is full");
	illness = NULL;
	RUN_UNTIL(place, place->receiver.n_got > got);
	run_for(place, 50);
	expect_error(place, "");
}

static void test_in_rehearsal_nothing_beats(void **arg)
{
	struct place *place = *arg;
	int checkups = 0;
	illness = NULL;
	place->feed.live = false;
	open_heart(place, &checkups);
	run_for(place, 100);
	assert_int_equal(place->receiver.n_got + (size_t)checkups, 0);
}

static void test_a_beat_that_fails_is_left_out(void **arg)
{
	struct place *place = *arg;
	int checkups = 0;
	illness = NULL;
	place->receiver.answer = 503;
	open_heart(place, &checkups);
	RUN_UNTIL(place, place->receiver.n_got >= 2);
	place->receiver.answer = 200;
	size_t got = place->receiver.n_got;
	RUN_UNTIL(place, place->receiver.n_got >= got + 2);
	assert_int_equal(counts(place).waiting, 0);
}

/* ---- one outbox after another ---- */

/* A reload while a notice is under way. */
static void fire_and_take_over(struct place *place, struct episode *one, bool *closed)
{
	place->receiver.answer = RECEIVER_HANG;
	open_outbox(place);
	*one = fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got == 1);
	struct outbox *before = place->outbox;
	open_outbox(place);
	outbox_take_over(place->outbox, before, on_before_closed, closed);
}

static void test_what_is_under_way_ends_before_it_is_sent_again(void **arg)
{
	struct place *place = *arg;
	bool closed = false;
	struct episode one;
	fire_and_take_over(place, &one, &closed);
	place->receiver.answer = 200;
	fire(place, "fw1-2");
	resolve(place, &one);
	outbox_wake(place->outbox);
	/* Others go on meanwhile; of this one nothing is sent. */
	RUN_UNTIL(place, counts(place).delivered == 1);
	run_for(place, 1500);
	assert_int_equal(place->receiver.n_got, 2);
	assert_false(closed);
	receiver_answer_hanging(&place->receiver, 200);
	RUN_UNTIL(place, closed && counts(place).delivered == 3);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 3);
	assert_int_equal(accepted(place, "fw1-1", "resolved"), 1);
}

static void test_what_fails_meanwhile_is_sent_again(void **arg)
{
	struct place *place = *arg;
	bool closed = false;
	struct episode one;
	fire_and_take_over(place, &one, &closed);
	place->receiver.answer = 200;
	receiver_answer_hanging(&place->receiver, 503);
	RUN_UNTIL(place, closed && counts(place).delivered == 1);
	assert_int_equal(place->receiver.n_got, 2);
}

static void test_it_ends_at_once_when_all_does(void **arg)
{
	struct place *place = *arg;
	bool closed = false;
	struct episode one;
	fire_and_take_over(place, &one, &closed);
	close_outbox(place);
	RUN_UNTIL(place, closed);
	assert_int_equal(counts(place).waiting, 1);
}

static void test_control_what_is_cancelled_is_sent_twice(void **arg)
{
	struct place *place = *arg;
	place->receiver.answer = RECEIVER_HANG;
	open_outbox(place);
	fire(place, "fw1-1");
	RUN_UNTIL(place, place->receiver.n_got == 1);
	close_outbox(place);
	open_outbox(place);
	RUN_UNTIL(place, place->receiver.n_got == 2);
}

/* Told and over, with a close that waits while all that may be forgotten is. */
static void forget_behind(struct place *place, int (*forget)(struct place *place))
{
	place->type.deliver = give_receipt;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	close_outbox(place);
	resolve(place, &one);
	assert_int_equal(forget(place), 0);
	open_outbox(place);
	RUN_UNTIL(place, counts(place).waiting == 0);
	assert_string_equal(seen_receipt, "INC0012345");
	close_outbox(place);
}

static int forget_old(struct place *place)
{
	return book_forget(place->state, INT64_MAX, INT64_MAX, NULL);
}

static int forget_host(struct place *place)
{
	return book_forget_host(place->state, "web01", NULL);
}

static void test_an_open_is_remembered_as_long_as_its_close(void **arg)
{
	struct place *place = *arg;
	forget_behind(place, forget_old);
	assert_int_equal(counts(place).delivered, 2);
	assert_int_equal(forget_old(place), 0);
	assert_int_equal(counts(place).delivered, 0);
}

static void test_a_host_that_is_forgotten_is_closed_by_its_number(void **arg)
{
	forget_behind(*arg, forget_host);
}

static int lose_then_refuse(struct receiver *receiver, const struct received *request)
{
	if (strstr(request->idempotency, "/resolved"))
		return 200;
	return receiver->n_got == 0 ? RECEIVER_RESET : 400;
}

static void test_what_may_have_arrived_before_it_was_refused_is_closed(void **arg)
{
	struct place *place = *arg;
	place->receiver.decide = lose_then_refuse;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).refused == 1);
	resolve(place, &one);
	RUN_UNTIL(place, accepted(place, "fw1-1", "resolved") == 1);
}

static void test_a_feed_that_is_taken_out_for_a_while_gets_its_closes(void **arg)
{
	struct place *place = *arg;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	close_outbox(place);
	place->options.n_feeds = 0;
	open_outbox(place);
	resolve(place, &one);
	close_outbox(place);
	place->options.n_feeds = 1;
	open_outbox(place);
	RUN_UNTIL(place, accepted(place, "fw1-1", "resolved") == 1);
}

/* ---- power and processes that end ---- */

static void test_killed_before_during_and_after_a_try(void **arg)
{
	struct place *place = *arg;
	for (int stage = 0; stage < 3; stage++) {
		char key[16];
		snprintf(key, sizeof key, "fw1-%d", stage);
		uint64_t told = counts(place).delivered;
		size_t got = place->receiver.n_got;
		place->receiver.answer = stage == 1 ? RECEIVER_HANG : 200;
		if (stage > 0 && !place->outbox)
			open_outbox(place);
		struct episode one = fire(place, key);
		if (stage == 1)
			RUN_UNTIL(place, place->receiver.n_got == got + 1);
		if (stage == 2)
			RUN_UNTIL(place, counts(place).delivered == told + 1);
		kill_and_restart(place);
		resolve(place, &one);
		place->receiver.answer = 200;
		bool sent = stage > 0;
		RUN_UNTIL(place, counts(place).waiting == 0);
		assert_int_equal(accepted(place, key, "firing"), sent);
		assert_int_equal(accepted(place, key, "resolved"), sent);
		close_outbox(place);
	}
	assert_int_equal(different(place, "firing"), 2);
	assert_int_equal(different(place, "resolved"), 2);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_an_open_and_its_close_are_told_once),
		CASE(test_a_failing_receiver_is_tried_again_under_the_same_key),
		CASE(test_a_pause_is_kept),
		CASE(test_a_feed_that_delivers_at_once_leaves_the_loop_to_others),
		CASE(test_a_turn_is_synced_once),
		CASE(test_one_that_cannot_be_written_keeps_nobody_waiting),
		CASE(test_what_goes_astray_arrives_once_its_receiver_is_there),
		CASE(test_what_goes_astray_for_too_long_is_a_dead_letter),
		CASE(test_what_goes_astray_keeps_nobody_waiting),
		CASE(test_what_is_refused_is_not_told_again),
		CASE(test_a_damaged_notice_is_a_dead_letter),
		CASE(test_a_damaged_notice_that_may_have_arrived_is_closed),
		CASE(test_a_close_behind_an_open_that_is_refused),
		CASE(test_over_before_it_was_sent),
		CASE(test_rehearsal_sends_nothing),
		CASE(test_one_alert_that_hangs_holds_up_no_other),
		CASE(test_where_keys_are_not_known_one_is_under_way),
		CASE(test_many_at_once),
		CASE(test_an_episode_never_begins_when_another_of_its_key_did),
		CASE(test_what_fires_is_there_after_a_restart),
		CASE(test_a_damaged_episode_can_be_closed_after_a_restart),
		CASE(test_the_audit_trail_says_what_became_of_an_alert),
		CASE(test_what_stands_is_told_again),
		CASE(test_what_is_told_again_has_the_words_of_now),
		CASE(test_a_close_is_repeated_no_longer_than_asked),
		CASE(test_an_alert_that_fires_again_is_not_closed_by_a_repeat),
		CASE(test_a_repeat_that_fails_holds_up_nothing),
		CASE(test_who_asks_for_a_while_is_left_alone),
		CASE(test_who_is_left_alone_is_so_after_a_reload_and_a_restart),
		CASE(test_what_goes_astray_has_its_hour_over_a_reload),
		CASE(test_a_close_knows_the_receiver_s_number),
		CASE(test_beats_come_while_all_is_well),
		CASE(test_in_rehearsal_nothing_beats),
		CASE(test_a_beat_that_fails_is_left_out),
		CASE(test_what_is_under_way_ends_before_it_is_sent_again),
		CASE(test_what_fails_meanwhile_is_sent_again),
		CASE(test_it_ends_at_once_when_all_does),
		CASE(test_control_what_is_cancelled_is_sent_twice),
		CASE(test_an_open_is_remembered_as_long_as_its_close),
		CASE(test_a_host_that_is_forgotten_is_closed_by_its_number),
		CASE(test_what_may_have_arrived_before_it_was_refused_is_closed),
		CASE(test_a_feed_that_is_taken_out_for_a_while_gets_its_closes),
		CASE(test_killed_before_during_and_after_a_try),
	};
	fw_log_init("test_outbox", (enum fw_level)0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
