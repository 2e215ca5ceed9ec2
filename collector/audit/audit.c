/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/tls.h>

#include "state.h"

static const char *const steps[] = {
	"CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL,"
	"  kind TEXT NOT NULL, subject TEXT NOT NULL, who TEXT NOT NULL, detail TEXT NOT NULL,"
	"  hash BLOB NOT NULL) STRICT;"
	"CREATE INDEX audit_subject ON audit (subject, id);"
	"CREATE INDEX audit_at ON audit (at_ms)",
};

int audit_open(struct state *state, struct fw_err *err)
{
	return state_migrate(state, "audit", steps, sizeof steps / sizeof *steps, err);
}

/* ---- the chain ---- */

static void put_number(struct fw_buf *out, uint64_t number, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		fw_buf_putc(out, (char)(number >> (8 * i)));
}

static void put_text(struct fw_buf *out, const char *text)
{
	put_number(out, strlen(text), 4);
	fw_buf_puts(out, text);
}

static void hash_of(
	const uint8_t before[AUDIT_HASH], const struct audit_entry *entry, uint8_t out[AUDIT_HASH])
{
	struct fw_buf bytes = {0};
	fw_buf_append(&bytes, before, AUDIT_HASH);
	put_number(&bytes, (uint64_t)entry->id, 8);
	put_number(&bytes, (uint64_t)entry->at_ms, 8);
	put_text(&bytes, entry->kind);
	put_text(&bytes, entry->subject);
	put_text(&bytes, entry->who);
	put_text(&bytes, entry->detail);
	fw_sha256(bytes.data, bytes.length, out);
	fw_buf_done(&bytes);
}

/* The number and hash of the newest entry; of none the number 0, and zeros. */
static int read_head(struct state *state, int64_t *id, uint8_t hash[AUDIT_HASH], struct fw_err *err)
{
	sqlite3_stmt *row;
	memset(hash, 0, AUDIT_HASH);
	*id = 0;
	int rc = state_query(
		state, &row, err, "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1", "");
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	if (rc > 0) {
		*id = sqlite3_column_int64(row, 0);
		if (sqlite3_column_bytes(row, 1) == AUDIT_HASH)
			memcpy(hash, sqlite3_column_blob(row, 1), AUDIT_HASH);
	}
	state_done(row);
	return rc < 0 ? rc : 0;
}

int audit_add(struct state *state, const struct audit_entry *entry, struct fw_err *err)
{
	struct audit_entry added = *entry;
	uint8_t before[AUDIT_HASH], hash[AUDIT_HASH];
	int rc = read_head(state, &added.id, before, err);
	if (rc < 0)
		return rc;
	added.id++;
	hash_of(before, &added, hash);
	return state_run(state, err,
		"INSERT INTO audit (id, at_ms, kind, subject, who, detail, hash)"
		" VALUES (?, ?, ?, ?, ?, ?, ?)",
		"iittttb", added.id, added.at_ms, added.kind, added.subject, added.who,
		added.detail, hash, sizeof hash);
}

int audit_add_object(
	struct state *state, const struct audit_entry *entry, json_t *detail, struct fw_err *err)
{
	char *text = json_dumps(detail, JSON_COMPACT | JSON_SORT_KEYS);
	struct audit_entry added = *entry;
	added.detail = text ? text : "{}";
	int rc = audit_add(state, &added, err);
	free(text);
	json_decref(detail);
	return rc;
}

/* ---- reading ---- */

/* A hash of another length was not written here, and fits no entry. */
static void read_entry(sqlite3_stmt *row, struct audit_entry *out)
{
	static const uint8_t none[AUDIT_HASH];
	bool whole = sqlite3_column_bytes(row, 6) == AUDIT_HASH;
	*out = (struct audit_entry){
		.id = sqlite3_column_int64(row, 0),
		.at_ms = sqlite3_column_int64(row, 1),
		.kind = state_text(row, 2),
		.subject = state_text(row, 3),
		.who = state_text(row, 4),
		.detail = state_text(row, 5),
		.hash = whole ? sqlite3_column_blob(row, 6) : none,
	};
}

#define ENTRIES                                                                      \
	"SELECT id, at_ms, kind, subject, who, detail, hash FROM audit WHERE id > ?" \
	" AND at_ms >= ? AND at_ms < ?"

int audit_each(struct state *state, const struct audit_range *range,
	bool (*each)(const struct audit_entry *entry, void *arg), void *arg, struct fw_err *err)
{
	sqlite3_stmt *row;
	struct audit_entry entry;
	int64_t until_ms = range->until_ms ? range->until_ms : INT64_MAX;
	int rc = range->subject
		? state_query(state, &row, err, ENTRIES " AND subject = ? ORDER BY id", "iiit",
			  range->after_id, range->from_ms, until_ms, range->subject)
		: state_query(state, &row, err, ENTRIES " ORDER BY id", "iii", range->after_id,
			  range->from_ms, until_ms);
	if (rc < 0)
		return rc;
	bool more = true;
	while (more && (rc = state_step(state, row, err)) > 0) {
		read_entry(row, &entry);
		more = each(&entry, arg);
	}
	state_done(row);
	return rc < 0 ? rc : 0;
}

static bool follow(const struct audit_entry *entry, void *arg)
{
	struct audit_verdict *verdict = arg;
	uint8_t expected[AUDIT_HASH];
	/* What stood before the oldest that is kept is gone: that one is taken as it is. */
	bool first = verdict->entries == 0 && entry->id != 1;
	hash_of(verdict->head, entry, expected);
	if (!first &&
		(entry->id != verdict->head_id + 1 ||
			memcmp(expected, entry->hash, AUDIT_HASH) != 0)) {
		verdict->broken_id = entry->id;
		return false;
	}
	verdict->entries++;
	verdict->head_id = entry->id;
	memcpy(verdict->head, entry->hash, AUDIT_HASH);
	return true;
}

int audit_check(struct state *state, struct audit_verdict *out, struct fw_err *err)
{
	const struct audit_range all = {.from_ms = INT64_MIN};
	*out = (struct audit_verdict){0};
	return audit_each(state, &all, follow, out, err);
}

int audit_forget(struct state *state, int64_t before_ms, struct fw_err *err)
{
	/* Up to the first that is not so old, as a clock may have been wrong for a while. The
	 * newest stays: the next one follows from it. */
	return state_run(state, err,
		"DELETE FROM audit WHERE id < coalesce("
		"  (SELECT id FROM audit WHERE +at_ms >= ? ORDER BY id LIMIT 1),"
		"  (SELECT max(id) FROM audit))",
		"i", before_ms);
}
