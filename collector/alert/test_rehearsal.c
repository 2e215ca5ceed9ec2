/* SPDX-License-Identifier: Apache-2.0 */
/* A feed in rehearsal, one that goes, what was refused and sent again, and a test. */
#include "place.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/buf.h>

#include "audit.h"
#include "book_feeds.h"

static void rehearse(struct place *place)
{
	uint64_t held;
	assert_int_equal(book_feed_rehearse(place->state, "desk", "jo", &held, NULL), 0);
	place->feed.live = false;
	outbox_rewind(place->outbox);
}

static uint64_t go(struct place *place)
{
	uint64_t told;
	assert_int_equal(book_feed_go(place->state, "desk", "jo", &told, NULL), 0);
	place->feed.live = true;
	outbox_rewind(place->outbox);
	return told;
}

static void test_a_rehearsal_counts_and_sends_nothing(void **arg)
{
	struct place *place = *arg;
	place->feed.live = false;
	place->feed.cost = 24.5;
	open_outbox(place);
	struct episode one = fire(place, "fw1-1");
	fire(place, "fw1-2");
	resolve(place, &one);
	run_for(place, 100);
	assert_int_equal(place->receiver.n_got, 0);
	struct fw_arena arena = {0};
	struct alert_feed_view *views;
	size_t n;
	assert_int_equal(outbox_feeds(place->outbox, &arena, &views, &n, NULL), 0);
	assert_int_equal(views[0].rehearsed, 2);
	assert_int_equal(views[0].rehearsed_since_ms, START_MS);
	assert_true(views[0].cost == 49);
	assert_int_equal(views[0].waiting, 0);
	fw_arena_done(&arena);
}

static void test_what_goes_on_is_told_when_it_goes(void **arg)
{
	struct place *place = *arg;
	place->feed.live = false;
	open_outbox(place);
	struct episode over = fire(place, "fw1-1"), on = fire(place, "fw1-2");
	resolve(place, &over);
	assert_int_equal(go(place), 1);
	struct episode later = fire(place, "fw1-3");
	RUN_UNTIL(place, counts(place).delivered == 2);
	resolve(place, &on);
	resolve(place, &later);
	RUN_UNTIL(place, counts(place).delivered == 4);
	run_for(place, 50);
	assert_int_equal(accepted(place, "fw1-1", "firing"), 0);
	assert_int_equal(accepted(place, "fw1-2", "firing"), 1);
	assert_int_equal(accepted(place, "fw1-2", "resolved"), 1);
	assert_int_equal(book_feed_mode(place->state, "desk", NULL), 1);
}

static void test_the_end_of_what_was_sent_is_told_in_rehearsal_too(void **arg)
{
	struct place *place = *arg;
	open_outbox(place);
	struct episode sent = fire(place, "fw1-1");
	RUN_UNTIL(place, counts(place).delivered == 1);
	place->receiver.answer = 503;
	struct episode tried = fire(place, "fw1-2");
	RUN_UNTIL(place, place->receiver.n_got == 2);
	rehearse(place);
	struct episode later = fire(place, "fw1-3");
	place->receiver.answer = 200;
	resolve(place, &sent);
	resolve(place, &tried);
	resolve(place, &later);
	RUN_UNTIL(place, counts(place).delivered == 4);
	run_for(place, 50);
	assert_int_equal(accepted(place, "fw1-1", "resolved"), 1);
	assert_int_equal(accepted(place, "fw1-2", "resolved"), 1);
	assert_int_equal(accepted(place, "fw1-3", "firing"), 0);
	assert_int_equal(accepted(place, "fw1-3", "resolved"), 0);
	assert_int_equal(book_feed_mode(place->state, "desk", NULL), 0);
}

static void test_what_was_not_tried_is_not_sent_any_more(void **arg)
{
	struct place *place = *arg;
	uint64_t held;
	struct episode one = fire(place, "fw1-1");
	assert_int_equal(book_feed_rehearse(place->state, "desk", "jo", &held, NULL), 0);
	assert_int_equal(held, 1);
	open_outbox(place);
	resolve(place, &one);
	run_for(place, 50);
	assert_int_equal(place->receiver.n_got, 0);
	assert_int_equal(counts(place).rehearsed, 1);
}

/* ---- counting ---- */

static int on_step(void *arg)
{
	++*(uint64_t *)arg;
	return 0;
}

/* How many steps of SQLite's machine a count takes. */
static uint64_t steps_of_count(struct place *place)
{
	uint64_t steps = 0;
	sqlite3_progress_handler(state_db(place->state), 1, on_step, &steps);
	counts(place);
	sqlite3_progress_handler(state_db(place->state), 0, NULL, NULL);
	return steps;
}

static void put_notices(struct place *place, int from, int until)
{
	assert_int_equal(
		state_run(place->state, NULL,
			"WITH RECURSIVE i(n) AS (VALUES (?) UNION ALL SELECT n + 1 FROM i"
			" WHERE n < ?) INSERT INTO notice (feed, key, kind, starts_ms,"
			" ends_ms, labels, annotations, state, tries, told_ms, why)"
			" SELECT 'desk', 'fw1-' || n, n % 3, 1, 0, '{}', '{}', n % 5, 1, 1,"
			" '' FROM i",
			"ii", (int64_t)from, (int64_t)until),
		0);
}

static uint64_t number(struct place *place, const char *sql)
{
	sqlite3_stmt *row;
	assert_int_equal(state_query(place->state, &row, NULL, sql, ""), 0);
	assert_int_equal(state_step(place->state, row, NULL), 1);
	uint64_t n = (uint64_t)sqlite3_column_int64(row, 0);
	state_done(row);
	return n;
}

static void test_counting_takes_as_long_for_many_as_for_few(void **arg)
{
	struct place *place = *arg;
	put_notices(place, 1, 50);
	uint64_t few = steps_of_count(place);
	put_notices(place, 51, 5000);
	assert_int_equal(steps_of_count(place), few);
	assert_int_equal(counts(place).waiting, 1000);
	assert_int_equal(counts(place).tries, 5000);
	/* To go through them would take longer. */
	uint64_t steps = 0;
	sqlite3_progress_handler(state_db(place->state), 1, on_step, &steps);
	assert_int_equal(number(place, "SELECT count(*) FROM notice WHERE tries = 1"), 5000);
	sqlite3_progress_handler(state_db(place->state), 0, NULL, NULL);
	assert_true(steps > 10 * few);
}

#define DIFFERENT                                                                          \
	"SELECT count(*) FROM (SELECT feed, state, kind, n, tries FROM notice_count WHERE" \
	" n <> 0 EXCEPT SELECT feed, state, kind, count(*), sum(tries) FROM notice"        \
	" GROUP BY feed, state, kind) UNION ALL SELECT count(*) FROM (SELECT feed, state," \
	" kind, count(*), sum(tries) FROM notice GROUP BY feed, state, kind EXCEPT SELECT" \
	" feed, state, kind, n, tries FROM notice_count) ORDER BY 1 DESC"

/* By every way that a notice changes its state, is replaced, or goes. */
static void test_what_is_counted_is_there(void **arg)
{
	struct place *place = *arg;
	uint64_t told, retried, dropped;
	put_notices(place, 1, 600);
	place->feed.live = false;
	for (int i = 0; i < 20; i++) {
		char key[16];
		snprintf(key, sizeof key, "fw1-x%d", i);
		struct episode episode = fire(place, key);
		if (i % 4 == 0)
			resolve(place, &episode);
	}
	assert_int_equal(number(place, DIFFERENT), 0);
	assert_int_equal(book_feed_go(place->state, "desk", "jo", &told, NULL), 0);
	assert_int_equal(told, 15);
	assert_int_equal(number(place, DIFFERENT), 0);
	assert_int_equal(
		book_feed_retry(place->state, "desk", 0, "jo", &retried, &dropped, NULL), 0);
	assert_int_equal(number(place, DIFFERENT), 0);
	assert_int_equal(book_told(place->state, 5, NOTICE_DELIVERED, "", "INC1", 2, NULL), 0);
	assert_int_equal(number(place, DIFFERENT), 0);
	assert_int_equal(book_forget(place->state, START_MS * 2, START_MS * 2, NULL), 0);
	assert_int_equal(number(place, DIFFERENT), 0);
	/* A row that is written past the triggers is found. */
	assert_int_equal(state_run(place->state, NULL, "UPDATE notice_count SET n = n + 1", ""), 0);
	assert_true(number(place, DIFFERENT) > 0);
}

static void test_what_was_refused_is_sent_again(void **arg)
{
	struct place *place = *arg;
	uint64_t retried, dropped;
	struct fw_err err;
	place->receiver.answer = 422;
	open_outbox(place);
	struct episode on = fire(place, "fw1-1"), over = fire(place, "fw1-2");
	RUN_UNTIL(place, counts(place).refused == 2);
	resolve(place, &over);
	place->receiver.answer = 200;
	assert_int_equal(
		book_feed_retry(place->state, "desk", 99, "jo", &retried, &dropped, &err), -ENOENT);
	assert_string_equal(err.text, "feed 'desk' has no refused notice 99");
	assert_int_equal(
		book_feed_retry(place->state, "desk", 0, "jo", &retried, &dropped, NULL), 0);
	assert_int_equal(retried, 1);
	assert_int_equal(dropped, 1);
	outbox_rewind(place->outbox);
	RUN_UNTIL(place, counts(place).delivered == 1);
	resolve(place, &on);
	RUN_UNTIL(place, counts(place).delivered == 2);
	assert_int_equal(accepted(place, "fw1-1", "resolved"), 1);
	assert_int_equal(accepted(place, "fw1-2", "firing"), 0);
}

static void test_one_of_them(void **arg)
{
	struct place *place = *arg;
	uint64_t retried, dropped;
	place->receiver.answer = 422;
	open_outbox(place);
	fire(place, "fw1-1");
	fire(place, "fw1-2");
	RUN_UNTIL(place, counts(place).refused == 2);
	place->receiver.answer = 200;
	assert_int_equal(
		book_feed_retry(place->state, "desk", 2, "jo", &retried, &dropped, NULL), 0);
	outbox_rewind(place->outbox);
	RUN_UNTIL(place, counts(place).delivered == 1);
	assert_int_equal(accepted(place, "fw1-2", "firing"), 1);
	assert_int_equal(counts(place).refused, 1);
}

struct letters {
	size_t n;
	int64_t ids[8];
	bool closed;
};

static void on_letter(const struct book_letter *letter, void *arg)
{
	struct letters *letters = arg;
	letters->ids[letters->n++] = letter->id;
	letters->closed |= letter->kind == NOTICE_CLOSE && letter->how == NOTICE_DELIVERED;
	assert_string_equal(pairs_get(&letter->labels, "alertname"), BOOK_TEST);
}

static void test_a_test_opens_and_closes_in_rehearsal_too(void **arg)
{
	struct place *place = *arg;
	char key[IDENTITY_KEY];
	place->feed.live = false;
	open_outbox(place);
	assert_int_equal(book_feed_test(place->state, "desk", "jo", "e", key, NULL), 0);
	/* It is nothing that a rehearsal would hold back. */
	assert_int_equal(book_feed_hold(place->state, "desk", NULL), 0);
	outbox_wake(place->outbox);
	RUN_UNTIL(place, counts(place).delivered == 2);
	assert_int_equal(accepted(place, key, "firing"), 1);
	assert_int_equal(accepted(place, key, "resolved"), 1);
	struct letters letters = {0};
	assert_int_equal(book_letters(place->state, "desk", -1, 8, on_letter, &letters, NULL), 0);
	assert_int_equal(letters.n, 2);
	assert_int_equal(letters.ids[0], 2);
	assert_true(letters.closed);
	letters = (struct letters){0};
	assert_int_equal(
		book_letters(place->state, "desk", NOTICE_REFUSED, 8, on_letter, &letters, NULL),
		0);
	assert_int_equal(letters.n, 0);
}

/* ---- what is fetched ---- */

struct fetched {
	size_t n;
	char keys[8][16];
	int64_t last;
};

static void on_fetched(const struct book_letter *letter, void *arg)
{
	struct fetched *fetched = arg;
	assert_true(letter->id > fetched->last);
	snprintf(fetched->keys[fetched->n++], sizeof *fetched->keys, "%s", letter->key);
	fetched->last = letter->id;
}

static struct fetched fetch(struct place *place, int64_t after)
{
	struct fetched fetched = {.last = after};
	assert_int_equal(
		book_delivered(place->state, "desk", after, 8, on_fetched, &fetched, NULL), 0);
	return fetched;
}

static void test_what_goes_late_is_behind_what_was_fetched(void **arg)
{
	struct place *place = *arg;
	place->feed.live = false;
	open_outbox(place);
	fire(place, "fw1-1");
	place->feed.live = true;
	fire(place, "fw1-2");
	outbox_wake(place->outbox);
	RUN_UNTIL(place, counts(place).delivered == 1);
	struct fetched first = fetch(place, 0);
	assert_int_equal(first.n, 1);
	assert_string_equal(first.keys[0], "fw1-2");
	assert_int_equal(go(place), 1);
	RUN_UNTIL(place, counts(place).delivered == 2);
	struct fetched second = fetch(place, first.last);
	assert_int_equal(second.n, 1);
	assert_string_equal(second.keys[0], "fw1-1");
	int64_t last;
	assert_int_equal(book_last_notice(place->state, &last, NULL), 0);
	assert_int_equal(last, second.last);
}

static int refuse_the_first(struct receiver *receiver, const struct received *request)
{
	(void)receiver;
	return strstr(request->idempotency, "fw1-1/") ? 503 : 200;
}

static void test_nothing_is_fetched_from_behind_what_waits(void **arg)
{
	struct place *place = *arg;
	open_outbox(place);
	fire(place, "fw1-0");
	RUN_UNTIL(place, counts(place).delivered == 1);
	place->receiver.decide = refuse_the_first;
	fire(place, "fw1-1");
	fire(place, "fw1-2");
	RUN_UNTIL(place, counts(place).delivered == 2);
	assert_int_equal(fetch(place, 0).n, 1);
	place->receiver.decide = NULL;
	RUN_UNTIL(place, counts(place).delivered == 3);
	struct fetched all = fetch(place, 0);
	assert_int_equal(all.n, 3);
	int64_t after;
	assert_int_equal(book_delivered_newest(place->state, "desk", 2, &after, NULL), 0);
	assert_string_equal(fetch(place, after).keys[0], "fw1-1");
}

static bool on_entry(const struct audit_entry *entry, void *arg)
{
	struct fw_buf *kinds = arg;
	assert_string_equal(entry->who, "jo");
	fw_buf_puts(kinds, entry->kind);
	fw_buf_putc(kinds, ' ');
	return true;
}

static void test_the_audit_trail_has_who_did_it(void **arg)
{
	struct place *place = *arg;
	char key[IDENTITY_KEY];
	uint64_t n, m;
	struct fw_buf kinds = {0};
	const struct audit_range range = {.subject = "feed desk"};
	book_feed_go(place->state, "desk", "jo", &n, NULL);
	book_feed_rehearse(place->state, "desk", "jo", &n, NULL);
	book_feed_retry(place->state, "desk", 0, "jo", &n, &m, NULL);
	book_feed_test(place->state, "desk", "jo", "e", key, NULL);
	assert_int_equal(audit_each(place->state, &range, on_entry, &kinds, NULL), 0);
	assert_string_equal(
		(const char *)kinds.data, "feed_live feed_rehearsal feed_retried feed_tested ");
	fw_buf_done(&kinds);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_rehearsal_counts_and_sends_nothing),
		TEST(test_what_goes_on_is_told_when_it_goes),
		TEST(test_the_end_of_what_was_sent_is_told_in_rehearsal_too),
		TEST(test_what_was_not_tried_is_not_sent_any_more),
		TEST(test_counting_takes_as_long_for_many_as_for_few),
		TEST(test_what_is_counted_is_there),
		TEST(test_what_was_refused_is_sent_again),
		TEST(test_one_of_them),
		TEST(test_what_goes_late_is_behind_what_was_fetched),
		TEST(test_nothing_is_fetched_from_behind_what_waits),
		TEST(test_a_test_opens_and_closes_in_rehearsal_too),
		TEST(test_the_audit_trail_has_who_did_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
