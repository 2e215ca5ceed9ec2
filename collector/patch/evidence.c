/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence.h"

#include "state.h"

#define KEEP_S (INT64_C(400) * 86400)
#define REFRESH_S (INT64_C(30) * 86400) /* that a version is still shown is noted so often */

static const char *const steps[] = {
	"CREATE TABLE patch_evidence (source TEXT NOT NULL, candidate TEXT NOT NULL,"
	"  listed_s INTEGER NOT NULL, seen_s INTEGER NOT NULL, noted_s INTEGER NOT NULL,"
	"  PRIMARY KEY (source, candidate)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX patch_evidence_noted ON patch_evidence (noted_s);"
	"CREATE TABLE patch_heard (host INTEGER NOT NULL, from_s INTEGER NOT NULL,"
	"  to_s INTEGER NOT NULL, PRIMARY KEY (host, from_s)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX patch_heard_to ON patch_heard (to_s)",
};

int evidence_open(struct state *state, struct fw_err *err)
{
	return state_migrate(state, "patch_evidence", steps, sizeof steps / sizeof *steps, err);
}

/* ---- fixes ---- */

int evidence_note(struct state *state, const char *source, const char *candidate, int64_t listed_s,
	int64_t seen_s, int64_t now_s, struct fw_err *err)
{
	return state_run(state, err,
		"INSERT INTO patch_evidence (source, candidate, listed_s, seen_s, noted_s)"
		" VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (source, candidate) DO UPDATE SET"
		" listed_s = max(listed_s, excluded.listed_s),"
		" seen_s = min(seen_s, excluded.seen_s), noted_s = excluded.noted_s"
		" WHERE excluded.listed_s > listed_s OR excluded.seen_s < seen_s"
		"  OR excluded.noted_s > noted_s + ?6",
		"ttiiii", source, candidate, listed_s, seen_s, now_s, REFRESH_S);
}

int evidence_read(struct state *state, const char *source, const char *candidate, int64_t *listed_s,
	int64_t *seen_s, struct fw_err *err)
{
	sqlite3_stmt *row;
	*listed_s = *seen_s = 0;
	int rc = state_query(state, &row, err,
		"SELECT listed_s, seen_s FROM patch_evidence WHERE source = ? AND candidate = ?",
		"tt", source, candidate);
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	if (rc > 0) {
		*listed_s = sqlite3_column_int64(row, 0);
		*seen_s = sqlite3_column_int64(row, 1);
	}
	state_done(row);
	return rc < 0 ? rc : 0;
}

/* ---- hosts ---- */

int evidence_heard(struct state *state, uint32_t host, int64_t at_s, struct fw_err *err)
{
	int rc = state_run(state, err,
		"UPDATE patch_heard SET to_s = max(to_s, ?2) WHERE host = ?1 AND from_s ="
		" (SELECT max(from_s) FROM patch_heard WHERE host = ?1) AND to_s >= ?2 - ?3",
		"iii", (int64_t)host, at_s, (int64_t)EVIDENCE_GAP_S);
	if (rc < 0 || sqlite3_changes(state_db(state)) > 0)
		return rc;
	return state_run(state, err,
		"INSERT OR IGNORE INTO patch_heard (host, from_s, to_s) VALUES (?1, ?2, ?2)", "ii",
		(int64_t)host, at_s);
}

int evidence_last_heard(
	struct state *state, uint32_t host, int64_t at_s, int64_t *heard_s, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		"SELECT coalesce(max(min(to_s, ?2)), 0) FROM patch_heard"
		" WHERE host = ?1 AND from_s <= ?2",
		"ii", (int64_t)host, at_s);
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	if (rc > 0)
		*heard_s = sqlite3_column_int64(row, 0);
	state_done(row);
	return rc < 0 ? rc : 0;
}

int evidence_forget(struct state *state, uint32_t host, struct fw_err *err)
{
	return state_run(state, err, "DELETE FROM patch_heard WHERE host = ?", "i", (int64_t)host);
}

int evidence_prune(struct state *state, int64_t now_s, struct fw_err *err)
{
	int rc = state_run(
		state, err, "DELETE FROM patch_evidence WHERE noted_s < ?", "i", now_s - KEEP_S);
	return rc < 0 ? rc
		      : state_run(state, err, "DELETE FROM patch_heard WHERE to_s < ?", "i",
				now_s - KEEP_S);
}
