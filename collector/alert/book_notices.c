/* SPDX-License-Identifier: Apache-2.0 */
/* Of notices: which wait for a feed, that one is tried, and how that ended. */
#include "book.h"

#include <errno.h>
#include <stdio.h>

#include "evidence.h"
#include "outbox.h"
#include "state.h"

const char *const notice_kinds[] = {
	[NOTICE_OPEN] = "open", [NOTICE_CLOSE] = "close", [NOTICE_UPDATE] = "update"};

int book_waiting(struct state *state, const char *feed, int64_t after_id,
	void (*each)(int64_t id, const char *key, int64_t tries, void *arg), void *arg,
	struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		"SELECT id, key, tries FROM notice WHERE state = 0 AND feed = ? AND id > ?"
		" ORDER BY id",
		"ti", feed, after_id);
	if (rc < 0)
		return rc;
	while ((rc = state_step(state, row, err)) > 0)
		each(sqlite3_column_int64(row, 0), state_text(row, 1), sqlite3_column_int64(row, 2),
			arg);
	state_done(row);
	return rc;
}

static int fill_notice(sqlite3_stmt *row, int64_t id, struct book_notice *out, struct fw_err *err)
{
	*out = (struct book_notice){
		.id = id,
		.kind = (enum notice_kind)sqlite3_column_int(row, 1),
		.starts_ms = sqlite3_column_int64(row, 2),
		.ends_ms = sqlite3_column_int64(row, 3),
		.tries = sqlite3_column_int64(row, 4),
	};
	snprintf(out->key, sizeof out->key, "%s", state_text(row, 0));
	snprintf(out->receipt, sizeof out->receipt, "%s", state_text(row, 7));
	if (pairs_parse(state_text(row, 5), &out->labels) == 0 &&
		pairs_parse(state_text(row, 6), &out->annotations) == 0)
		return 0;
	book_notice_done(out);
	return fw_fail(err, -EILSEQ, "state.db: notice %lld is damaged", (long long)id);
}

#define NOTICE_COLUMNS                                                                       \
	"SELECT key, kind, starts_ms, ends_ms, tries, labels, annotations, ifnull("          \
	" (SELECT o.receipt FROM notice o WHERE o.key = n.key AND o.starts_ms = n.starts_ms" \
	"  AND o.feed = n.feed AND o.kind = 0 AND n.kind <> 0), '') FROM notice n WHERE n.id = ?"
#define NOTHING_NEWER \
	" AND NOT EXISTS (SELECT 1 FROM notice m WHERE m.key = n.key AND m.feed = n.feed AND m.id > n.id)"

static int read_notice(struct state *state, const char *sql, int64_t id, struct book_notice *out,
	struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err, sql, "i", id);
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	if (rc == 0)
		rc = -ENOENT;
	else if (rc > 0)
		rc = fill_notice(row, id, out, err);
	state_done(row);
	return rc;
}

int book_try(struct state *state, int64_t id, struct book_notice *out, struct fw_err *err)
{
	int read = read_notice(state, NOTICE_COLUMNS " AND state = 0", id, out, err);
	if (read < 0 && read != -EILSEQ)
		return read;
	int rc = state_run(state, err, "UPDATE notice SET tries = tries + 1 WHERE id = ?", "i", id);
	if (rc < 0)
		book_notice_done(out);
	else
		out->tries++;
	return rc < 0 ? rc : read;
}

int book_repeat(struct state *state, int64_t id, struct book_notice *out, struct fw_err *err)
{
	return read_notice(state, NOTICE_COLUMNS " AND state = 1" NOTHING_NEWER, id, out, err);
}

int book_standing(struct state *state, const char *feed, int64_t closed_ms,
	void (*each)(int64_t id, const char *key, void *arg), void *arg, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		"SELECT n.id, n.key FROM episode e JOIN notice n ON n.key = e.key AND"
		" n.starts_ms = e.starts_ms AND n.feed = ? AND n.kind = 0"
		" WHERE e.ends_ms = 0 AND n.state = 1" NOTHING_NEWER
		" UNION ALL SELECT n.id, n.key FROM notice n WHERE n.feed = ? AND n.kind = 1"
		" AND n.state = 1 AND n.told_ms >= ?" NOTHING_NEWER,
		"tti", feed, feed, closed_ms);
	if (rc < 0)
		return rc;
	while ((rc = state_step(state, row, err)) > 0)
		each(sqlite3_column_int64(row, 0), state_text(row, 1), arg);
	state_done(row);
	return rc;
}

void book_notice_done(struct book_notice *notice)
{
	pairs_done(&notice->labels);
	pairs_done(&notice->annotations);
}

static int drop_close(struct state *state, int64_t id, struct fw_err *err)
{
	return state_run(state, err,
		"UPDATE notice SET state = 4, why = 'its open was refused' WHERE kind <> 0"
		" AND state = 0 AND (key, starts_ms, feed) ="
		" (SELECT key, starts_ms, feed FROM notice WHERE id = ? AND kind = 0 AND tries = 1)",
		"i", id);
}

int book_told(struct state *state, int64_t id, enum notice_state how, const char *why,
	const char *receipt, int64_t now_ms, struct fw_err *err)
{
	int rc = state_run(state, err,
		"UPDATE notice SET state = ?, told_ms = ?, why = ?, receipt = ? WHERE id = ?",
		"iitti", (int64_t)how, now_ms, how == NOTICE_DELIVERED ? "" : why, receipt, id);
	if (rc == 0 && how == NOTICE_REFUSED)
		rc = drop_close(state, id, err);
	return rc < 0 ? rc : evidence_told(state, id, how, why, receipt, now_ms, err);
}

static void add_counted(struct book_counts *counts, sqlite3_stmt *row)
{
	uint64_t n = (uint64_t)sqlite3_column_int64(row, 2);
	counts->tries += (uint64_t)sqlite3_column_int64(row, 3);
	switch (sqlite3_column_int(row, 0)) {
	case NOTICE_WAITING:
		counts->waiting += n;
		break;
	case NOTICE_DELIVERED:
		counts->delivered += n;
		break;
	case NOTICE_REFUSED:
		counts->refused += n;
		break;
	case NOTICE_REHEARSED:
		counts->rehearsed += sqlite3_column_int(row, 1) == NOTICE_OPEN ? n : 0;
		break;
	default:
		break;
	}
}

int book_count(struct state *state, const char *feed, struct book_counts *out, struct fw_err *err)
{
	sqlite3_stmt *row;
	*out = (struct book_counts){0};
	int rc = state_query(state, &row, err,
		"SELECT state, kind, n, tries, (SELECT min(starts_ms) FROM notice WHERE feed = ?1"
		" AND state = 3 AND kind = 0) FROM notice_count WHERE feed = ?1",
		"t", feed);
	if (rc < 0)
		return rc;
	while ((rc = state_step(state, row, err)) > 0) {
		add_counted(out, row);
		out->rehearsed_since_ms = sqlite3_column_int64(row, 4);
	}
	state_done(row);
	return rc;
}
