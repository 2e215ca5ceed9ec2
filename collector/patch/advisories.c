/* SPDX-License-Identifier: Apache-2.0 */
#include "advisories.h"

#include <errno.h>
#include <string.h>

#include "internal.h"
#include "rules.h"

static const char *const steps[] = {
	"CREATE TABLE advisory (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	"  issued_s INTEGER NOT NULL, severity TEXT NOT NULL, cvss REAL NOT NULL,"
	"  imported_ms INTEGER NOT NULL) STRICT;"
	"CREATE INDEX advisory_issued ON advisory (issued_s);"
	"CREATE TABLE advisory_fix (package TEXT NOT NULL, release TEXT NOT NULL,"
	"  version TEXT NOT NULL, advisory INTEGER NOT NULL,"
	"  PRIMARY KEY (package, release, version, advisory)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX advisory_fix_of ON advisory_fix (advisory)",
};

int advisories_open(struct state *state, struct fw_err *err)
{
	return state_migrate(state, "advisories", steps, sizeof steps / sizeof *steps, err);
}

/* ---- matching ---- */

static bool closes(const struct advisories_match *m, const char *fixed)
{
	int order = m->compare(fixed, m->candidate);
	if (!m->installed)
		return order == 0;
	return order <= 0 && m->compare(fixed, m->installed) > 0;
}

/* Rows of name, issued, severity, CVSS and version. */
static void take_row(struct advisories_match *m, sqlite3_stmt *row)
{
	int64_t issued_s = sqlite3_column_int64(row, 1);
	if (!closes(m, state_text(row, 4)))
		return;
	if (m->issued_s == 0 || issued_s < m->issued_s) {
		m->issued_s = issued_s;
		m->advisory = fw_arena_strdup(m->arena, state_text(row, 0));
	}
	const char *severity = state_text(row, 2);
	double cvss = sqlite3_column_double(row, 3);
	m->ungraded = m->ungraded || !rules_is_graded(severity, cvss);
	if (rules_compare_severity(severity, m->severity) > 0)
		m->severity = fw_arena_strdup(m->arena, severity);
	if (cvss > m->cvss)
		m->cvss = cvss;
}

int advisories_match(struct state *state, struct advisories_match *m, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = 0;
	m->issued_s = 0;
	m->advisory = m->severity = "";
	m->cvss = 0;
	m->ungraded = false;
	for (size_t i = 0; rc == 0 && i < 3 && m->packages[i]; i++) {
		rc = state_query(state, &row, err,
			"SELECT a.name, a.issued_s, a.severity, a.cvss, f.version FROM advisory_fix f"
			" CROSS JOIN advisory a ON a.id = f.advisory"
			" WHERE f.package = ? AND f.release IN ('', ?, ?)"
			" ORDER BY a.issued_s, a.name",
			"ttt", m->packages[i], m->release, m->also);
		if (rc < 0)
			break;
		while ((rc = state_step(state, row, err)) > 0)
			take_row(m, row);
		state_done(row);
	}
	return rc;
}

/* ---- importing ---- */

static int id_of(struct state *state, const char *name, int64_t *id, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err, "SELECT id FROM advisory WHERE name = ?", "t", name);
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	if (rc > 0)
		*id = sqlite3_column_int64(row, 0);
	state_done(row);
	return rc < 0 ? rc : 0;
}

/* An advisory may come in pieces: from one list its date, from another its severity, and
 * for each release from a list of its own. What is known is only added to. */
static int put_head(
	struct state *state, const struct patch_advisory *a, int64_t now_ms, struct fw_err *err)
{
	return state_run(state, err,
		"INSERT INTO advisory (name, issued_s, severity, cvss, imported_ms)"
		" VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (name) DO UPDATE SET"
		" issued_s = min(issued_s, excluded.issued_s),"
		" severity = CASE excluded.severity WHEN '' THEN severity ELSE excluded.severity END,"
		" cvss = max(cvss, excluded.cvss), imported_ms = excluded.imported_ms",
		"titri", a->name, a->issued_s, a->severity, a->cvss, now_ms);
}

static int put_one(
	struct state *state, const struct patch_advisory *a, int64_t now_ms, struct fw_err *err)
{
	int64_t id = 0;
	int rc = put_head(state, a, now_ms, err);
	if (rc == 0)
		rc = id_of(state, a->name, &id, err);
	for (size_t i = 0; rc == 0 && i < a->n_fixes; i++)
		rc = state_run(state, err,
			"INSERT OR IGNORE INTO advisory_fix (package, release, version, advisory)"
			" VALUES (?, ?, ?, ?)",
			"ttti", a->fixes[i].package, a->fixes[i].release, a->fixes[i].version, id);
	return rc;
}

int patch_import(struct patch *patch, const struct patch_advisory *advisories, size_t n,
	int64_t now_ms, struct fw_err *err)
{
	struct state *state = patch->config.state;
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = put_one(state, &advisories[i], now_ms, err);
	rc = state_finish(state, rc, err);
	if (rc == 0)
		patch_all_changed(patch);
	return rc;
}

/* ---- telling ---- */

int patch_advisories(const struct patch *patch, const char *package, size_t limit,
	struct fw_arena *arena, struct patch_advisory **out, size_t *n, struct fw_err *err)
{
	struct state *state = patch->config.state;
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		"SELECT name, issued_s, severity, cvss,"
		" (SELECT count(*) FROM advisory_fix WHERE advisory = id) FROM advisory"
		" WHERE ?1 IS NULL OR id IN (SELECT advisory FROM advisory_fix WHERE package = ?1)"
		" ORDER BY issued_s DESC, name LIMIT ?2",
		"ti", package, (int64_t)limit);
	if (rc < 0)
		return rc;
	struct patch_advisory *list = fw_arena_alloc(arena, (limit + 1) * sizeof *list);
	size_t count = 0;
	while ((rc = state_step(state, row, err)) > 0)
		list[count++] = (struct patch_advisory){
			.name = fw_arena_strdup(arena, state_text(row, 0)),
			.issued_s = sqlite3_column_int64(row, 1),
			.severity = fw_arena_strdup(arena, state_text(row, 2)),
			.cvss = sqlite3_column_double(row, 3),
			.n_fixes = (size_t)sqlite3_column_int64(row, 4),
		};
	state_done(row);
	*out = list;
	*n = count;
	return rc;
}

int patch_evidence_stat(
	const struct patch *patch, struct patch_evidence_stat *out, struct fw_err *err)
{
	struct state *state = patch->config.state;
	sqlite3_stmt *row;
	int rc = state_query(
		state, &row, err, "SELECT count(*), coalesce(max(issued_s), 0) FROM advisory", "");
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	if (rc > 0)
		*out = (struct patch_evidence_stat){
			sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1)};
	state_done(row);
	return rc < 0 ? rc : 0;
}
