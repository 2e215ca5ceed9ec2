/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/items.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/wire.h>

#include "internal.h"
#include "store.h"

#define TELL_EVERY_MS 60000
#define AGE_MOST_MS (35LL * 86400000) /* a document's time is believed so far back */
#define ROWS_LIMIT 262144             /* of one host and kind, with what has ended */

static const char *const steps[] = {
	"CREATE TABLE inventory_kind (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
	"INSERT INTO inventory_kind (name)"
	"  VALUES ('hardware'), ('packages'), ('patches'), ('peers');"
	"CREATE TABLE inventory_text (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL,"
	"  key TEXT NOT NULL, fields TEXT NOT NULL, UNIQUE (kind, key, fields)) STRICT;"
	"CREATE TABLE inventory_item (host INTEGER NOT NULL, kind INTEGER NOT NULL,"
	"  text INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER,"
	"  PRIMARY KEY (host, kind, text, from_ms)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX inventory_where ON inventory_item (text);"
	"CREATE INDEX inventory_ended ON inventory_item (to_ms) WHERE to_ms IS NOT NULL;"
	"CREATE TABLE inventory_document (host INTEGER NOT NULL, kind INTEGER NOT NULL,"
	"  agent BLOB NOT NULL, stream INTEGER NOT NULL, seq INTEGER NOT NULL,"
	"  revision INTEGER NOT NULL, first_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
	"  missing INTEGER NOT NULL, rows INTEGER NOT NULL,"
	"  PRIMARY KEY (host, kind)) STRICT, WITHOUT ROWID",
};

int inventory_open(
	struct inventory **out, const struct inventory_config *config, struct fw_err *err)
{
	int rc =
		state_migrate(config->state, "inventory", steps, sizeof steps / sizeof *steps, err);
	if (rc < 0)
		return rc;
	struct inventory *inventory = fw_alloc(sizeof *inventory);
	inventory->config = *config;
	*out = inventory;
	return 0;
}

void inventory_open_reader(struct inventory **out, struct state *reader)
{
	*out = fw_alloc(sizeof **out);
	(*out)->config.state = reader;
}

void inventory_close(struct inventory *inventory)
{
	fw_free(inventory);
}

/* ---- a document on its way ---- */

/* What is known of a host's document of one kind, and what is to be known after. */
struct filing {
	struct inventory *inventory;
	struct state *state;
	const struct store_record *record;
	const Fenwatch__Wire__Document *message;
	struct fw_err *err;
	int64_t host, kind;
	bool known; /* there is a row */
	int64_t stream, seq, revision, first_ms, last_ms, rows;
	bool missing;
	int64_t at_ms; /* of this document */
};

static int number_of(struct inventory *inventory, const char *sql, const char *kind, int64_t *id,
	struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(inventory->config.state, &row, err, sql, "t", kind);
	if (rc < 0)
		return rc;
	rc = state_step(inventory->config.state, row, err);
	if (rc > 0)
		*id = sqlite3_column_int64(row, 0);
	state_done(row);
	return rc == 0 ? -ENOENT : rc;
}

int inventory_kind(struct inventory *inventory, const char *kind, int64_t *id, struct fw_err *err)
{
	int rc =
		number_of(inventory, "SELECT id FROM inventory_kind WHERE name = ?", kind, id, err);
	return rc < 0 ? rc : 0;
}

static int make_kind(struct filing *f)
{
	const char *kind = f->message->kind;
	int rc = inventory_kind(f->inventory, kind, &f->kind, f->err);
	if (rc != -ENOENT)
		return rc;
	rc = state_run(f->state, f->err, "INSERT INTO inventory_kind (name) VALUES (?)", "t", kind);
	return rc < 0 ? rc : inventory_kind(f->inventory, kind, &f->kind, f->err);
}

static int load(struct filing *f)
{
	sqlite3_stmt *row;
	int rc = state_query(f->state, &row, f->err,
		"SELECT stream, seq, revision, first_ms, at_ms, missing, rows"
		" FROM inventory_document WHERE host = ? AND kind = ?",
		"ii", f->host, f->kind);
	if (rc < 0)
		return rc;
	rc = state_step(f->state, row, f->err);
	if (rc > 0) {
		f->known = true;
		f->stream = sqlite3_column_int64(row, 0);
		f->seq = sqlite3_column_int64(row, 1);
		f->revision = sqlite3_column_int64(row, 2);
		f->first_ms = sqlite3_column_int64(row, 3);
		f->last_ms = sqlite3_column_int64(row, 4);
		f->missing = sqlite3_column_int64(row, 5) != 0;
		f->rows = sqlite3_column_int64(row, 6);
	}
	state_done(row);
	return rc < 0 ? rc : 0;
}

static int save(struct filing *f)
{
	const struct store_record *record = f->record;
	return state_run(f->state, f->err,
		"INSERT OR REPLACE INTO inventory_document (host, kind, agent, stream, seq, revision,"
		" first_ms, at_ms, missing, rows) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"iibiiiiiii", f->host, f->kind, record->agent, sizeof record->agent,
		(int64_t)record->stream, (int64_t)record->seq, f->revision, f->first_ms, f->last_ms,
		(int64_t)f->missing, f->rows);
}

/* The host's clock says when, as far as it can be believed; times of one document
 * follow one another. */
static int64_t choose_time(const struct filing *f)
{
	int64_t at_ms = f->message->at_ms, received_ms = f->record->received_ms;
	if (at_ms > received_ms || at_ms < received_ms - AGE_MOST_MS)
		at_ms = received_ms;
	return f->known && at_ms <= f->last_ms ? f->last_ms + 1 : at_ms;
}

/* ---- items ---- */

static char *fields_json(const struct fw_item *item)
{
	json_t *object = json_object();
	for (uint32_t i = 0; i < item->n_fields; i++)
		json_object_set_new(
			object, item->fields[i].name, json_string(item->fields[i].value));
	char *text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	assert(text);
	return text;
}

static int find_text(struct filing *f, const struct fw_item *item, const char *fields, int64_t *id)
{
	sqlite3_stmt *row;
	int rc = state_query(f->state, &row, f->err,
		"SELECT id FROM inventory_text WHERE kind = ? AND key = ? AND fields = ?", "itt",
		f->kind, item->key, fields);
	if (rc < 0)
		return rc;
	rc = state_step(f->state, row, f->err);
	if (rc > 0)
		*id = sqlite3_column_int64(row, 0);
	state_done(row);
	return rc;
}

static int intern(struct filing *f, const struct fw_item *item, int64_t *id)
{
	char *fields = fields_json(item);
	int rc = find_text(f, item, fields, id);
	if (rc == 0) {
		rc = state_run(f->state, f->err,
			"INSERT INTO inventory_text (kind, key, fields) VALUES (?, ?, ?)", "itt",
			f->kind, item->key, fields);
		*id = sqlite3_last_insert_rowid(state_db(f->state));
	}
	free(fields);
	return rc < 0 ? rc : 0;
}

static int begin_item(struct filing *f, int64_t text)
{
	f->rows++;
	return state_run(f->state, f->err,
		"INSERT INTO inventory_item (host, kind, text, from_ms) VALUES (?, ?, ?, ?)",
		"iiii", f->host, f->kind, text, f->at_ms);
}

static int end_item(struct filing *f, int64_t text)
{
	return state_run(f->state, f->err,
		"UPDATE inventory_item SET to_ms = ?"
		" WHERE host = ? AND kind = ? AND text = ? AND to_ms IS NULL",
		"iiii", f->at_ms, f->host, f->kind, text);
}

/* The text that the host has under a key; 0: none. */
static int find_open(struct filing *f, const char *key, int64_t *text)
{
	sqlite3_stmt *row;
	*text = 0;
	int rc = state_query(f->state, &row, f->err,
		"SELECT i.text FROM inventory_text t JOIN inventory_item i"
		" ON i.host = ? AND i.kind = t.kind AND i.text = t.id AND i.to_ms IS NULL"
		" WHERE t.kind = ? AND t.key = ?",
		"iit", f->host, f->kind, key);
	if (rc < 0)
		return rc;
	rc = state_step(f->state, row, f->err);
	if (rc > 0)
		*text = sqlite3_column_int64(row, 0);
	state_done(row);
	return rc < 0 ? rc : 0;
}

static int apply_one(struct filing *f, const struct fw_item *item)
{
	int64_t old, fresh = 0;
	int rc = find_open(f, item->key, &old);
	if (rc == 0 && !item->gone)
		rc = intern(f, item, &fresh);
	if (rc < 0 || old == fresh)
		return rc;
	if (old)
		rc = end_item(f, old);
	return rc == 0 && fresh ? begin_item(f, fresh) : rc;
}

static int apply_difference(struct filing *f, struct fw_items *items)
{
	struct fw_item item;
	int rc;
	while ((rc = fw_items_next(items, &item, f->err)) > 0) {
		rc = apply_one(f, &item);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* ---- a whole: what is new begins, what is not there any more ends ---- */

struct texts {
	int64_t *ids;
	size_t n, room;
};

static void texts_add(struct texts *texts, int64_t id)
{
	if (texts->n == texts->room) {
		texts->room = texts->room ? 2 * texts->room : 256;
		texts->ids = fw_realloc(texts->ids, texts->room * sizeof *texts->ids);
	}
	texts->ids[texts->n++] = id;
}

static int compare_ids(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
	return (left > right) - (left < right);
}

static int intern_all(struct filing *f, struct fw_items *items, struct texts *out)
{
	struct fw_item item;
	int64_t id;
	int rc;
	while ((rc = fw_items_next(items, &item, f->err)) > 0) {
		rc = intern(f, &item, &id);
		if (rc < 0)
			return rc;
		texts_add(out, id);
	}
	if (out->n > 0)
		qsort(out->ids, out->n, sizeof *out->ids, compare_ids);
	return rc;
}

static int load_open(struct filing *f, struct texts *out)
{
	sqlite3_stmt *row;
	int rc = state_query(f->state, &row, f->err,
		"SELECT text FROM inventory_item WHERE host = ? AND kind = ? AND to_ms IS NULL"
		" ORDER BY text",
		"ii", f->host, f->kind);
	if (rc < 0)
		return rc;
	while ((rc = state_step(f->state, row, f->err)) > 0)
		texts_add(out, sqlite3_column_int64(row, 0));
	state_done(row);
	return rc;
}

static int merge(struct filing *f, const struct texts *old, const struct texts *fresh)
{
	size_t o = 0, n = 0;
	int rc = 0;
	while (rc == 0 && (o < old->n || n < fresh->n)) {
		if (n == fresh->n || (o < old->n && old->ids[o] < fresh->ids[n])) {
			rc = end_item(f, old->ids[o++]);
		} else if (o == old->n || fresh->ids[n] < old->ids[o]) {
			rc = begin_item(f, fresh->ids[n++]);
		} else {
			o++;
			n++;
		}
	}
	return rc;
}

static int apply_whole(struct filing *f, struct fw_items *items)
{
	struct texts old = {.n = 0}, fresh = {.n = 0};
	int rc = intern_all(f, items, &fresh);
	if (rc == 0)
		rc = load_open(f, &old);
	if (rc == 0)
		rc = merge(f, &old, &fresh);
	fw_free(old.ids);
	fw_free(fresh.ids);
	return rc;
}

/* A host that changes all the time takes no more room than this: its oldest history goes. */
static int bound_rows(struct filing *f)
{
	if (f->rows <= ROWS_LIMIT)
		return 0;
	int rc = state_run(f->state, f->err,
		"DELETE FROM inventory_item WHERE host = ?1 AND kind = ?2 AND to_ms <="
		" (SELECT to_ms FROM inventory_item WHERE host = ?1 AND kind = ?2"
		"  AND to_ms IS NOT NULL ORDER BY to_ms LIMIT 1 OFFSET ?3)",
		"iii", f->host, f->kind, f->rows - ROWS_LIMIT);
	f->rows -= sqlite3_changes(state_db(f->state));
	return rc;
}

/* ---- filing ---- */

static bool follows(const struct filing *f)
{
	return f->message->whole ||
		(f->known && !f->missing && f->stream == (int64_t)f->record->stream &&
			f->message->revision == (uint64_t)f->revision + 1);
}

static bool came_before(const struct filing *f)
{
	return f->known && f->stream == (int64_t)f->record->stream &&
		f->record->seq <= (uint64_t)f->seq;
}

/* -EBADMSG: the document cannot be read, and nothing has changed. */
static int apply(struct filing *f)
{
	const Fenwatch__Wire__Document *message = f->message;
	struct fw_buf text = {0};
	struct fw_items items;
	int rc = fw_items_unpack(
		&text, message->body.data, message->body.len, message->raw_length, f->err);
	if (rc < 0)
		return -EBADMSG;
	fw_items_open(&items, text.data, text.length, message->whole);
	rc = message->whole ? apply_whole(f, &items) : apply_difference(f, &items);
	fw_buf_done(&text);
	if (rc < 0)
		return rc;
	f->missing = false;
	f->revision = (int64_t)message->revision;
	f->first_ms = f->first_ms ? f->first_ms : f->at_ms;
	f->last_ms = f->at_ms;
	return bound_rows(f);
}

static int count_kinds(struct filing *f, int64_t *n)
{
	sqlite3_stmt *row;
	int rc = state_query(f->state, &row, f->err,
		"SELECT count(*) FROM inventory_document WHERE host = ?", "i", f->host);
	if (rc < 0)
		return rc;
	rc = state_step(f->state, row, f->err);
	*n = rc > 0 ? sqlite3_column_int64(row, 0) : 0;
	state_done(row);
	return rc < 0 ? rc : 0;
}

static int file(struct filing *f)
{
	int64_t n_kinds = 0;
	int rc = make_kind(f);
	if (rc == 0)
		rc = load(f);
	if (rc < 0 || came_before(f))
		return rc;
	if (!f->known)
		rc = count_kinds(f, &n_kinds);
	if (rc == 0 && n_kinds >= FW_DOCUMENTS_LIMIT)
		rc = fw_fail(f->err, -EBADMSG, "more than %d kinds", FW_DOCUMENTS_LIMIT);
	f->at_ms = choose_time(f);
	if (rc == 0 && follows(f))
		rc = apply(f);
	else if (rc == 0)
		f->missing = true;
	return rc < 0 ? rc : save(f);
}

static void tell_refused(struct filing *f)
{
	struct inventory *inventory = f->inventory;
	int64_t now_ms = f->record->received_ms;
	inventory->untold++;
	if (now_ms - inventory->told_ms < TELL_EVERY_MS)
		return;
	fw_log(FW_WARNING, "inventory: '%s' of host %u is refused: %s (%u such in all)",
		f->message->kind, f->record->host, f->err->text, inventory->untold);
	inventory->told_ms = now_ms;
	inventory->untold = 0;
}

/* As what is known of it was, but for one thing. */
static int note_missing(struct filing *f)
{
	f->missing = true;
	return state_run(f->state, f->err,
		"UPDATE inventory_document SET missing = 1, stream = ?, seq = ?"
		" WHERE host = ? AND kind = ?",
		"iiii", (int64_t)f->record->stream, (int64_t)f->record->seq, f->host, f->kind);
}

/* As file(), in one transaction. What cannot be read is only noted as missing. */
static int file_safely(struct filing *f)
{
	int rc = state_begin(f->state, f->err);
	if (rc < 0)
		return rc;
	rc = file(f);
	if (rc == 0)
		return state_commit(f->state, f->err);
	state_rollback(f->state);
	if (rc != -EBADMSG)
		return rc;
	tell_refused(f);
	return note_missing(f);
}

int inventory_take(
	struct inventory *inventory, const struct store_record *record, struct fw_err *err)
{
	struct fw_arena arena = {.limit = FW_WIRE_ARENA};
	void *message;
	int rc = fw_wire_unpack(&fenwatch__wire__document__descriptor, record->payload,
		record->length, &arena, &message, err);
	if (rc >= 0) {
		struct filing f = {
			.inventory = inventory,
			.state = inventory->config.state,
			.record = record,
			.message = message,
			.err = err,
			.host = record->host,
		};
		rc = file_safely(&f);
		if (rc == 0 && f.missing)
			inventory->config.on_need(
				record->agent, f.message->kind, inventory->config.arg);
		if (rc == 0 && inventory->config.on_changed)
			inventory->config.on_changed(
				record->host, f.message->kind, inventory->config.arg);
	} else {
		/* Ingest has read it before; what the log gives back now is harmed. */
		fw_log(FW_ERROR, "inventory: a document of host %u: %s", record->host, err->text);
		rc = 0;
	}
	fw_arena_done(&arena);
	return rc;
}
