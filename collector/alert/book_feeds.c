/* SPDX-License-Identifier: Apache-2.0 */
#include "book_feeds.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/clock.h>
#include <fenwatch/mem.h>

#include "audit.h"
#include "state.h"

static uint64_t changes(struct state *state)
{
	return (uint64_t)sqlite3_changes(state_db(state));
}

static int note(struct state *state, const char *kind, const char *feed, const char *who,
	json_t *detail, struct fw_err *err)
{
	char *subject = fw_format("feed %s", feed);
	const struct audit_entry entry = {
		.at_ms = fw_wall_ms(), .kind = kind, .subject = subject, .who = who};
	int rc = audit_add_object(state, &entry, detail, err);
	fw_free(subject);
	return rc;
}

/* ---- live or rehearsal ---- */

int book_feed_mode(struct state *state, const char *feed, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(
		state, &row, err, "SELECT live FROM feed_mode WHERE feed = ?", "t", feed);
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	int live = rc > 0 ? sqlite3_column_int(row, 0) : -ENOENT;
	state_done(row);
	return rc < 0 ? rc : live;
}

static int set_mode(struct state *state, const char *feed, bool live, struct fw_err *err)
{
	return state_run(state, err,
		"INSERT INTO feed_mode (feed, live) VALUES (?, ?)"
		" ON CONFLICT (feed) DO UPDATE SET live = excluded.live",
		"ti", feed, (int64_t)live);
}

/* As new ones, with numbers behind all that a reader may have seen. */
static int tell_rehearsed(struct state *state, const char *feed, struct fw_err *err)
{
	return state_run(state, err,
		"REPLACE INTO notice (feed, key, kind, starts_ms, ends_ms, labels, annotations,"
		" state, tries, told_ms, why) SELECT feed, key, kind, starts_ms, ends_ms, labels,"
		" annotations, 0, tries, told_ms, why FROM notice n WHERE feed = ? AND state = 3"
		" AND kind = 0 AND EXISTS (SELECT 1 FROM episode e WHERE e.key = n.key AND"
		" e.starts_ms = n.starts_ms AND e.ends_ms = 0) ORDER BY id",
		"t", feed);
}

int book_feed_go(
	struct state *state, const char *feed, const char *who, uint64_t *told, struct fw_err *err)
{
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	rc = set_mode(state, feed, true, err);
	if (rc == 0)
		rc = tell_rehearsed(state, feed, err);
	*told = rc == 0 ? changes(state) : 0;
	if (rc == 0)
		rc = note(state, "feed_live", feed, who,
			json_pack("{sI}", "told", (json_int_t)*told), err);
	return state_finish(state, rc, err);
}

int book_feed_hold(struct state *state, const char *feed, struct fw_err *err)
{
	return state_run(state, err,
		"UPDATE notice SET state = 3 WHERE feed = ? AND state = 0 AND kind = 0"
		" AND tries = 0 AND EXISTS (SELECT 1 FROM episode e WHERE e.key = notice.key AND"
		" e.starts_ms = notice.starts_ms)",
		"t", feed);
}

int book_feed_rehearse(
	struct state *state, const char *feed, const char *who, uint64_t *held, struct fw_err *err)
{
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	rc = set_mode(state, feed, false, err);
	if (rc == 0)
		rc = book_feed_hold(state, feed, err);
	*held = rc == 0 ? changes(state) : 0;
	if (rc == 0)
		rc = note(state, "feed_rehearsal", feed, who,
			json_pack("{sI}", "held", (json_int_t)*held), err);
	return state_finish(state, rc, err);
}

/* ---- what is open ---- */

int book_feeds_told(struct state *state, void (*each)(const char *feed, void *arg), void *arg,
	struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		"SELECT DISTINCT feed FROM notice_count WHERE n > 0 AND state IN (0, 1)"
		" ORDER BY feed",
		"");
	if (rc < 0)
		return rc;
	while ((rc = state_step(state, row, err)) > 0)
		each(state_text(row, 0), arg);
	state_done(row);
	return rc;
}

/* From what fires on: of what a feed was told in a month that is little. */
int book_open_tickets(struct state *state, const char *feed, int64_t *n, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		"SELECT (SELECT count(*) FROM episode e CROSS JOIN notice n ON n.key = e.key AND"
		" n.starts_ms = e.starts_ms WHERE e.ends_ms = 0 AND n.feed = ?1 AND n.kind = 0 AND"
		" n.state IN (0, 1)) + (SELECT count(*) FROM notice WHERE feed = ?1 AND state = 0"
		" AND kind = 1)",
		"t", feed);
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	if (rc > 0)
		*n = sqlite3_column_int64(row, 0);
	state_done(row);
	return rc < 0 ? rc : 0;
}

/* ---- once more ---- */

static int drop_over(struct state *state, const char *feed, int64_t id, struct fw_err *err)
{
	return state_run(state, err,
		"UPDATE notice SET state = 4, why = 'over before it was sent again'"
		" WHERE feed = ? AND state = 2 AND kind <> 1 AND ? IN (0, id)"
		" AND NOT EXISTS (SELECT 1 FROM episode e WHERE e.key = notice.key AND"
		" e.starts_ms = notice.starts_ms AND e.ends_ms = 0)",
		"ti", feed, id);
}

/* What was refused at the first try never reached anybody: it is as if it was not tried. */
static int wait_again(struct state *state, const char *feed, int64_t id, struct fw_err *err)
{
	return state_run(state, err,
		"UPDATE notice SET state = 0, why = '',"
		" tries = CASE tries WHEN 1 THEN 0 ELSE tries END"
		" WHERE feed = ? AND state = 2 AND ? IN (0, id)",
		"ti", feed, id);
}

static int retry(struct state *state, const char *feed, int64_t id, uint64_t *retried,
	uint64_t *dropped, struct fw_err *err)
{
	int rc = drop_over(state, feed, id, err);
	if (rc < 0)
		return rc;
	*dropped = changes(state);
	rc = wait_again(state, feed, id, err);
	if (rc < 0)
		return rc;
	*retried = changes(state);
	if (id != 0 && *retried + *dropped == 0)
		return fw_fail(
			err, -ENOENT, "feed '%s' has no refused notice %lld", feed, (long long)id);
	return 0;
}

int book_feed_retry(struct state *state, const char *feed, int64_t id, const char *who,
	uint64_t *retried, uint64_t *dropped, struct fw_err *err)
{
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	rc = retry(state, feed, id, retried, dropped, err);
	if (rc == 0)
		rc = note(state, "feed_retried", feed, who,
			json_pack("{sI sI}", "retried", (json_int_t)*retried, "dropped",
				(json_int_t)*dropped),
			err);
	return state_finish(state, rc, err);
}

/* ---- a test ---- */

static int insert_test(struct state *state, const char *feed, const char *key,
	enum notice_kind kind, const char *labels, const char *annotations, int64_t now_ms,
	struct fw_err *err)
{
	return state_run(state, err,
		"INSERT INTO notice (feed, key, kind, starts_ms, ends_ms, labels, annotations,"
		" state, tries, told_ms, why) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, '')",
		"ttiiitti", feed, key, (int64_t)kind, now_ms,
		kind == NOTICE_CLOSE ? now_ms : INT64_C(0), labels, annotations, now_ms);
}

static int insert_tests(struct state *state, const char *feed, const char *key, const char *who,
	int64_t now_ms, struct fw_err *err)
{
	char *summary = fw_format("a test of feed '%s': nothing is wrong", feed);
	char *description = fw_format("asked for by %s; it closes by itself", who);
	struct notice_pair words[] = {{"description", description}, {"summary", summary}};
	struct notice_pair names[] = {{"alertname", BOOK_TEST}, {"feed", feed},
		{"instance", "collector"}, {"severity", "info"}};
	char *annotations = pairs_json(&(struct pairs){words, 2});
	char *labels = pairs_json(&(struct pairs){names, 4});
	int rc = insert_test(state, feed, key, NOTICE_OPEN, labels, annotations, now_ms, err);
	if (rc == 0)
		rc = insert_test(state, feed, key, NOTICE_CLOSE, labels, annotations, now_ms, err);
	fw_free(labels);
	fw_free(annotations);
	fw_free(description);
	fw_free(summary);
	return rc;
}

int book_feed_test(struct state *state, const char *feed, const char *who, const char *estate,
	char key[IDENTITY_KEY], struct fw_err *err)
{
	const struct notice_pair identity = {"feed", feed};
	identity_key(estate, "collector", BOOK_TEST, &identity, 1, key);
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	rc = insert_tests(state, feed, key, who, fw_wall_ms(), err);
	if (rc == 0)
		rc = note(state, "feed_tested", feed, who, json_pack("{ss}", "key", key), err);
	return state_finish(state, rc, err);
}

/* ---- to be read ---- */

static void give_letter(
	sqlite3_stmt *row, void (*each)(const struct book_letter *letter, void *arg), void *arg)
{
	struct book_letter letter = {
		.id = sqlite3_column_int64(row, 0),
		.key = state_text(row, 1),
		.kind = (enum notice_kind)sqlite3_column_int(row, 2),
		.how = (enum notice_state)sqlite3_column_int(row, 3),
		.starts_ms = sqlite3_column_int64(row, 4),
		.told_ms = sqlite3_column_int64(row, 5),
		.tries = sqlite3_column_int64(row, 6),
		.why = state_text(row, 7),
		.receipt = state_text(row, 8),
		.ends_ms = sqlite3_column_int64(row, 11),
	};
	/* What is damaged is shown without its words. */
	pairs_parse(state_text(row, 9), &letter.labels);
	pairs_parse(state_text(row, 10), &letter.annotations);
	each(&letter, arg);
	pairs_done(&letter.labels);
	pairs_done(&letter.annotations);
}

static int give_letters(struct state *state, sqlite3_stmt *row,
	void (*each)(const struct book_letter *letter, void *arg), void *arg, struct fw_err *err)
{
	int rc;
	while ((rc = state_step(state, row, err)) > 0)
		give_letter(row, each, arg);
	state_done(row);
	return rc;
}

#define LETTERS                                                                         \
	"SELECT id, key, kind, state, starts_ms, told_ms, tries, why, receipt, labels," \
	" annotations, ends_ms FROM notice WHERE feed = ?"

int book_letters(struct state *state, const char *feed, int how, int64_t most,
	void (*each)(const struct book_letter *letter, void *arg), void *arg, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		LETTERS " AND ? IN (-1, state) ORDER BY id DESC LIMIT ?", "tii", feed, (int64_t)how,
		most);
	return rc < 0 ? rc : give_letters(state, row, each, arg, err);
}

int book_delivered(struct state *state, const char *feed, int64_t after, int64_t most,
	void (*each)(const struct book_letter *letter, void *arg), void *arg, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		LETTERS " AND state = 1 AND id > ? AND NOT EXISTS (SELECT 1 FROM notice w WHERE"
			" w.feed = notice.feed AND w.state = 0 AND w.id < notice.id)"
			" ORDER BY id LIMIT ?",
		"tii", feed, after, most);
	return rc < 0 ? rc : give_letters(state, row, each, arg, err);
}

/* One number, that a row must have. */
static int take_number(struct state *state, sqlite3_stmt *row, int64_t *number, struct fw_err *err)
{
	int rc = state_step(state, row, err);
	if (rc > 0)
		*number = sqlite3_column_int64(row, 0);
	state_done(row);
	return rc < 0 ? rc : 0;
}

int book_delivered_newest(
	struct state *state, const char *feed, int64_t most, int64_t *after, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		"SELECT ifnull(min(id), 1) - 1 FROM (SELECT id FROM notice WHERE feed = ? AND"
		" state = 1 ORDER BY id DESC LIMIT ?)",
		"ti", feed, most);
	return rc < 0 ? rc : take_number(state, row, after, err);
}

int book_last_notice(struct state *state, int64_t *id, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		"SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'notice'", "");
	return rc < 0 ? rc : take_number(state, row, id, err);
}
