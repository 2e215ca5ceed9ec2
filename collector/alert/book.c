/* SPDX-License-Identifier: Apache-2.0 */
#include "book.h"

#include <stdio.h>
#include <string.h>

#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#include "audit.h"
#include "contact.h"
#include "evidence.h"
#include "outbox.h"
#include "state.h"
#include "updates.h"

#define ONE_MORE                                                                        \
	"INSERT INTO notice_count VALUES (new.feed, new.state, new.kind, 1, new.tries)" \
	"  ON CONFLICT (feed, state, kind) DO UPDATE SET n = n + 1, tries = tries +"    \
	"  excluded.tries;"
#define ONE_LESS                                                             \
	"UPDATE notice_count SET n = n - 1, tries = tries - old.tries WHERE" \
	"  feed = old.feed AND state = old.state AND kind = old.kind;"

static const char *const steps[] = {
	"CREATE TABLE episode (key TEXT NOT NULL, starts_ms INTEGER NOT NULL,"
	"  ends_ms INTEGER NOT NULL, rule TEXT NOT NULL, instance TEXT NOT NULL,"
	"  severity TEXT NOT NULL, value REAL NOT NULL, labels TEXT NOT NULL,"
	"  annotations TEXT NOT NULL, PRIMARY KEY (key, starts_ms)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX episode_firing ON episode (key) WHERE ends_ms = 0;"
	"CREATE TABLE notice (id INTEGER PRIMARY KEY AUTOINCREMENT, feed TEXT NOT NULL,"
	"  key TEXT NOT NULL, kind INTEGER NOT NULL, starts_ms INTEGER NOT NULL,"
	"  ends_ms INTEGER NOT NULL, labels TEXT NOT NULL, annotations TEXT NOT NULL,"
	"  state INTEGER NOT NULL, tries INTEGER NOT NULL, told_ms INTEGER NOT NULL,"
	"  why TEXT NOT NULL, UNIQUE (key, starts_ms, feed, kind)) STRICT;"
	"CREATE INDEX notice_waiting ON notice (feed, id) WHERE state = 0;"
	"CREATE INDEX notice_feed ON notice (feed, state)",
	"ALTER TABLE notice ADD COLUMN receipt TEXT NOT NULL DEFAULT '';"
	"CREATE INDEX notice_closed ON notice (feed, told_ms) WHERE kind = 1 AND state = 1",
	"ALTER TABLE episode ADD COLUMN is_ruled INTEGER NOT NULL DEFAULT 0",
	"ALTER TABLE episode ADD COLUMN told_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE episode ADD COLUMN reason TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE episode ADD COLUMN why TEXT NOT NULL DEFAULT '';"
	"UPDATE episode SET told_ms = starts_ms;"
	"CREATE INDEX episode_untold ON episode (key) WHERE ends_ms = 0 AND told_ms = 0",
	"CREATE TABLE feed_mode (feed TEXT NOT NULL PRIMARY KEY, live INTEGER NOT NULL) STRICT",
	"CREATE INDEX episode_told ON episode (told_ms)",
	"ALTER TABLE notice ADD COLUMN desk INTEGER NOT NULL DEFAULT 0",
	"CREATE INDEX notice_receipt ON notice (receipt) WHERE kind = 0 AND receipt <> ''",
	"CREATE TABLE escalation (feed TEXT NOT NULL PRIMARY KEY, since_ms INTEGER NOT NULL,"
	"  is_configured INTEGER NOT NULL) STRICT",
	/* How many notices there are, so that nobody has to count them. */
	"CREATE TABLE notice_count (feed TEXT NOT NULL, state INTEGER NOT NULL,"
	"  kind INTEGER NOT NULL, n INTEGER NOT NULL, tries INTEGER NOT NULL,"
	"  PRIMARY KEY (feed, state, kind)) STRICT, WITHOUT ROWID;"
	"INSERT INTO notice_count SELECT feed, state, kind, count(*), sum(tries) FROM notice"
	"  GROUP BY feed, state, kind;"
	"CREATE TRIGGER notice_comes AFTER INSERT ON notice BEGIN " ONE_MORE " END;"
	"CREATE TRIGGER notice_goes AFTER DELETE ON notice BEGIN " ONE_LESS " END;"
	"CREATE TRIGGER notice_changes AFTER UPDATE OF feed, state, kind, tries ON notice"
	"  BEGIN " ONE_LESS ONE_MORE " END;"
	"CREATE INDEX notice_rehearsed ON notice (feed, starts_ms) WHERE state = 3 AND kind = 0",
};

int book_open(struct state *state, struct fw_err *err)
{
	int rc = audit_open(state, err);
	return rc < 0 ? rc
		      : state_migrate(state, "alert", steps, sizeof steps / sizeof *steps, err);
}

/* ---- episodes ---- */

static int insert_open(struct state *state, const struct alert_feed_option *feed,
	const struct episode *episode, const char *labels, const char *annotations,
	struct fw_err *err)
{
	return state_run(state, err,
		"INSERT INTO notice (feed, key, kind, starts_ms, ends_ms, labels, annotations,"
		" state, tries, told_ms, why) VALUES (?, ?, 0, ?, 0, ?, ?, ?, 0, ?, '')",
		"ttittii", feed->name, episode->key, episode->life.starts_ms, labels, annotations,
		(int64_t)(feed->live ? NOTICE_WAITING : NOTICE_REHEARSED), episode->life.starts_ms);
}

static int find_free_start(struct state *state, struct episode *episode, struct fw_err *err)
{
	for (;; episode->life.starts_ms++) {
		sqlite3_stmt *row;
		int rc = state_query(state, &row, err,
			"SELECT 1 FROM episode WHERE key = ? AND starts_ms = ?", "ti", episode->key,
			episode->life.starts_ms);
		if (rc < 0)
			return rc;
		rc = state_step(state, row, err);
		state_done(row);
		if (rc <= 0)
			return rc;
	}
}

int book_fired(struct state *state, struct episode *episode, struct fw_err *err)
{
	int rc = find_free_start(state, episode, err);
	if (rc < 0)
		return rc;
	char *labels = pairs_json(&episode->labels);
	char *annotations = pairs_json(&episode->annotations);
	rc = state_run(state, err,
		"INSERT INTO episode (key, starts_ms, ends_ms, rule, instance, severity, value,"
		" labels, annotations, is_ruled) VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?)",
		"titttrtti", episode->key, episode->life.starts_ms, episode->rule,
		episode->instance, episode->severity, episode->life.value, labels, annotations,
		(int64_t)episode->is_ruled);
	if (rc == 0)
		rc = evidence_fired(state, episode, err);
	fw_free(labels);
	fw_free(annotations);
	return rc;
}

int book_tell_feed(struct state *state, const struct alert_options *options, size_t feed,
	const struct episode *episode, int64_t now_ms, struct fw_err *err)
{
	const struct alert_feed_option *option = options->feeds[feed];
	struct pairs annotations;
	contact_add(&annotations, options->registry, (size_t)option->contact, now_ms,
		&episode->annotations);
	char *labels = pairs_json(&episode->labels), *said = pairs_json(&annotations);
	int rc = insert_open(state, option, episode, labels, said, err);
	fw_free(labels);
	fw_free(said);
	pairs_done(&annotations);
	return rc;
}

int book_tell(struct state *state, const struct alert_options *options,
	const struct episode *episode, const bool *wanted, int64_t now_ms, struct fw_err *err)
{
	int rc = state_run(state, err,
		"UPDATE episode SET told_ms = ?, reason = '', why = '' WHERE key = ? AND"
		" starts_ms = ?",
		"iti", now_ms, episode->key, episode->life.starts_ms);
	for (size_t i = 0; rc == 0 && i < options->n_feeds; i++)
		if (options->feeds[i]->after_ms == 0 &&
			(wanted ? wanted[i] : route_wants(options, i, episode)))
			rc = book_tell_feed(state, options, i, episode, now_ms, err);
	return rc;
}

int book_has_heard(
	struct state *state, const char *feed, const struct episode *episode, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		"SELECT 1 FROM notice WHERE key = ? AND starts_ms = ? AND feed = ? AND kind = 0",
		"tit", episode->key, episode->life.starts_ms, feed);
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	state_done(row);
	return rc;
}

int book_hold(struct state *state, const struct episode *episode, const char *reason,
	const char *why, int64_t now_ms, struct fw_err *err)
{
	int rc = state_run(state, err,
		"UPDATE episode SET reason = ?, why = ? WHERE key = ? AND starts_ms = ?", "ttti",
		reason, why, episode->key, episode->life.starts_ms);
	return rc < 0 ? rc : evidence_held(state, episode, reason, why, now_ms, err);
}

#define REWORDED                                                                 \
	" SET annotations = json_set(annotations, '$.summary', ?) WHERE key = ?" \
	" AND starts_ms = ? AND json_valid(annotations)"

int book_reworded(
	struct state *state, const struct episode *episode, const char *summary, struct fw_err *err)
{
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	rc = state_run(state, err, "UPDATE episode" REWORDED, "tti", summary, episode->key,
		episode->life.starts_ms);
	if (rc == 0)
		rc = state_run(state, err,
			"UPDATE notice" REWORDED
			" AND kind = 0 AND (state IN (1, 3) OR (state = 0 AND tries = 0))",
			"tti", summary, episode->key, episode->life.starts_ms);
	return state_finish(state, rc, err);
}

static int drop_opens(struct state *state, const struct episode *episode, struct fw_err *err)
{
	return state_run(state, err,
		"UPDATE notice SET state = 4, told_ms = ?, why = 'over before it was sent'"
		" WHERE key = ? AND starts_ms = ? AND kind = 0 AND state = 0 AND tries = 0",
		"iti", episode->life.ends_ms, episode->key, episode->life.starts_ms);
}

/* Of every feed that may have heard of it, also of one that is not configured now. What was
 * refused when it was tried again may have arrived before. */
static int insert_closes(struct state *state, const struct episode *episode, const char *labels,
	const char *annotations, struct fw_err *err)
{
	return state_run(state, err,
		"INSERT INTO notice (feed, key, kind, starts_ms, ends_ms, labels, annotations,"
		" state, tries, told_ms, why) SELECT feed, key, 1, starts_ms, ?1, ?2, ?3,"
		" iif(state = 3, 3, 0), 0, ?1, '' FROM notice WHERE key = ?4 AND starts_ms = ?5"
		" AND kind = 0 AND (state IN (0, 1, 3) OR (state = 2 AND tries > 1)) ORDER BY id",
		"ittti", episode->life.ends_ms, labels, annotations, episode->key,
		episode->life.starts_ms);
}

/* The close goes to the contact that its open named, whose turn it may no longer be. */
static int ask_the_same(
	struct state *state, const char *feed, const struct episode *episode, struct fw_err *err)
{
	return state_run(state, err,
		"UPDATE notice SET annotations = (SELECT o.annotations FROM notice o WHERE"
		" o.key = notice.key AND o.starts_ms = notice.starts_ms AND o.feed = notice.feed"
		" AND o.kind = 0) WHERE key = ? AND starts_ms = ? AND feed = ? AND kind = 1",
		"tit", episode->key, episode->life.starts_ms, feed);
}

int book_resolved(struct state *state, const struct alert_options *options,
	const struct episode *episode, struct fw_err *err)
{
	int rc = state_run(state, err,
		"UPDATE episode SET ends_ms = ? WHERE key = ? AND starts_ms = ?", "iti",
		episode->life.ends_ms, episode->key, episode->life.starts_ms);
	char *labels = pairs_json(&episode->labels);
	char *annotations = pairs_json(&episode->annotations);
	if (rc == 0)
		rc = updates_drop(
			state, episode->key, episode->life.starts_ms, episode->life.ends_ms, err);
	if (rc == 0)
		rc = drop_opens(state, episode, err);
	if (rc == 0)
		rc = insert_closes(state, episode, labels, annotations, err);
	for (size_t i = 0; rc == 0 && i < options->n_feeds; i++)
		if (options->feeds[i]->contact)
			rc = ask_the_same(state, options->feeds[i]->name, episode, err);
	if (rc == 0)
		rc = evidence_cleared(state, episode, err);
	fw_free(labels);
	fw_free(annotations);
	return rc;
}

static void read_episode(sqlite3_stmt *row, struct episode *episode)
{
	snprintf(episode->key, sizeof episode->key, "%s", state_text(row, 0));
	episode->rule = state_text(row, 2);
	episode->instance = state_text(row, 3);
	episode->severity = state_text(row, 4);
	episode->is_ruled = sqlite3_column_int(row, 8);
	episode->life = (struct life){
		.phase = FIRING,
		.starts_ms = sqlite3_column_int64(row, 1),
		.value = sqlite3_column_double(row, 5),
	};
}

#define EPISODE_COLUMNS                                                                          \
	"SELECT key, starts_ms, rule, instance, severity, value, labels, annotations, is_ruled," \
	" reason, why FROM episode WHERE ends_ms = 0"

struct reading {
	void (*each)(const struct episode *episode, void *arg);
	void (*each_untold)(
		const struct episode *episode, const char *reason, const char *why, void *arg);
	void *arg;
	bool tells_damage; /* once after a start is enough */
};

/* Its labels as far as columns of their own have them: enough to find and to close it. */
static void remake_labels(struct episode *episode)
{
	const struct notice_pair labels[] = {{"alertname", episode->rule},
		{"instance", episode->instance}, {"severity", episode->severity}};
	pairs_done(&episode->labels);
	pairs_copy(&episode->labels, labels, sizeof labels / sizeof *labels);
}

static void give_episode(sqlite3_stmt *row, const struct reading *reading)
{
	struct episode episode = {0};
	read_episode(row, &episode);
	bool is_whole = pairs_parse(state_text(row, 6), &episode.labels) == 0;
	if (!is_whole)
		remake_labels(&episode);
	is_whole = pairs_parse(state_text(row, 7), &episode.annotations) == 0 && is_whole;
	if (!is_whole && reading->tells_damage)
		fw_log(FW_ERROR, "state.db: alert %s is damaged; it goes on without its words",
			episode.key);
	if (reading->each)
		reading->each(&episode, reading->arg);
	else
		reading->each_untold(
			&episode, state_text(row, 9), state_text(row, 10), reading->arg);
	pairs_done(&episode.labels);
	pairs_done(&episode.annotations);
}

static int give_all(
	struct state *state, sqlite3_stmt *row, const struct reading *reading, struct fw_err *err)
{
	int rc;
	while ((rc = state_step(state, row, err)) > 0)
		give_episode(row, reading);
	state_done(row);
	return rc;
}

static int read_episodes(
	struct state *state, const char *sql, const struct reading *reading, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err, sql, "");
	return rc < 0 ? rc : give_all(state, row, reading, err);
}

int book_firing(struct state *state, void (*each)(const struct episode *episode, void *arg),
	void *arg, struct fw_err *err)
{
	const struct reading reading = {.each = each, .arg = arg, .tells_damage = true};
	return read_episodes(state, EPISODE_COLUMNS " ORDER BY starts_ms", &reading, err);
}

int book_untold(struct state *state,
	void (*each)(const struct episode *episode, const char *reason, const char *why, void *arg),
	void *arg, struct fw_err *err)
{
	const struct reading reading = {.each_untold = each, .arg = arg};
	return read_episodes(
		state, EPISODE_COLUMNS " AND told_ms = 0 ORDER BY starts_ms", &reading, err);
}

#define UNHEARD                                                                                   \
	" AND told_ms > 0 AND told_ms <= ? AND NOT EXISTS (SELECT 1 FROM ack a WHERE a.key ="     \
	" episode.key AND a.starts_ms = episode.starts_ms) AND NOT EXISTS (SELECT 1 FROM"         \
	" notice n WHERE n.key = episode.key AND n.starts_ms = episode.starts_ms AND n.feed = ?)" \
	" AND told_ms >= (SELECT since_ms FROM escalation x WHERE x.feed = ?)"

int book_unheard(struct state *state, const char *feed, int64_t told_ms,
	void (*each)(const struct episode *episode, void *arg), void *arg, struct fw_err *err)
{
	const struct reading reading = {.each = each, .arg = arg};
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err, EPISODE_COLUMNS UNHEARD, "itt", told_ms, feed, feed);
	return rc < 0 ? rc : give_all(state, row, &reading, err);
}

/* ---- what is forgotten ---- */

int book_forget(struct state *state, int64_t notices_ms, int64_t episodes_ms, struct fw_err *err)
{
	/* The notice of an open stays while its episode goes on, and then as long as its
	 * close, which needs the receiver's number. */
	int rc = state_run(state, err,
		"DELETE FROM notice WHERE state <> 0 AND told_ms < ?1 AND NOT EXISTS (SELECT 1"
		" FROM episode e WHERE e.key = notice.key AND e.starts_ms = notice.starts_ms AND"
		" e.ends_ms = 0) AND NOT EXISTS (SELECT 1 FROM notice c WHERE c.key = notice.key"
		" AND c.starts_ms = notice.starts_ms AND c.feed = notice.feed AND c.kind = 1 AND"
		" (c.state = 0 OR c.told_ms >= ?1))",
		"i", notices_ms);
	if (rc == 0)
		rc = state_run(state, err, "DELETE FROM episode WHERE ends_ms <> 0 AND ends_ms < ?",
			"i", episodes_ms);
	return rc < 0 ? rc : audit_forget(state, episodes_ms, err);
}

int book_forget_host(struct state *state, const char *instance, struct fw_err *err)
{
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	rc = state_run(state, err,
		"DELETE FROM notice WHERE state <> 0 AND EXISTS (SELECT 1 FROM episode e"
		" WHERE e.key = notice.key AND e.instance = ? AND e.ends_ms <> 0) AND NOT EXISTS"
		" (SELECT 1 FROM notice c WHERE c.key = notice.key AND c.starts_ms ="
		" notice.starts_ms AND c.feed = notice.feed AND c.kind = 1 AND c.state = 0)",
		"t", instance);
	if (rc == 0)
		rc = state_run(state, err,
			"DELETE FROM episode WHERE instance = ? AND ends_ms <> 0", "t", instance);
	return state_finish(state, rc, err);
}
