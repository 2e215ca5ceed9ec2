/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>
#include <fenwatch/wire.h>

#include "state.h"
#include "store.h"

#define KEEP_MS (400LL * 86400000)
#define KEEP_EVENTS 1000000
#define PRUNE_ROWS 2000 /* at a time, so that nothing waits for it */
#define FIELDS_MOST 256
#define FIELDS_BYTES 65536

static const char *const steps[] = {
	"CREATE TABLE event ("
	" id INTEGER PRIMARY KEY, agent BLOB NOT NULL, stream INTEGER NOT NULL, lane INTEGER NOT NULL,"
	" seq INTEGER NOT NULL, host INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,"
	" at_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL, fields TEXT NOT NULL,"
	" UNIQUE (agent, stream, lane, seq))",
	"CREATE INDEX event_at ON event (at_ms)",
	"CREATE INDEX event_name ON event (name, at_ms)",
	"CREATE TABLE event_raised ("
	" rule TEXT NOT NULL, name TEXT NOT NULL, apart TEXT NOT NULL, raised INTEGER NOT NULL,"
	" since_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, times INTEGER NOT NULL,"
	" summary TEXT NOT NULL, PRIMARY KEY (rule, name, apart)) WITHOUT ROWID",
	"DROP TABLE IF EXISTS record",
	"CREATE INDEX event_raised_name ON event_raised (name)",
	"ALTER TABLE event_raised ADD COLUMN ends_ms INTEGER NOT NULL DEFAULT 0",
};

int events_open(struct events **out, const struct events_config *config, struct fw_err *err)
{
	int rc = state_migrate(config->state, "events", steps, sizeof steps / sizeof *steps, err);
	if (rc < 0)
		return rc;
	struct events *events = fw_alloc(sizeof *events);
	events->config = *config;
	if (!events->config.now_ms)
		events->config.now_ms = fw_wall_ms;
	raising_open(events);
	*out = events;
	return 0;
}

void events_close(struct events *events)
{
	if (events)
		raising_close(events);
}

/* ---- filing ---- */

/* A name that comes again has its values one after another. */
static void add_field(json_t *object, const char *name, const char *value)
{
	json_t *before = json_object_get(object, name);
	if (before)
		json_object_set_new(
			object, name, json_sprintf("%s, %s", json_string_value(before), value));
	else
		json_object_set_new(object, name, json_string(value));
}

static char *fields_of(const Fenwatch__Wire__Event *event)
{
	json_t *object = json_object();
	size_t bytes = 0, n = 0;
	for (; n < event->n_fields && n < FIELDS_MOST; n++) {
		const Fenwatch__Wire__Label *field = event->fields[n];
		bytes += strlen(field->name) + strlen(field->value);
		if (bytes > FIELDS_BYTES)
			break;
		add_field(object, field->name, field->value);
	}
	if (n < event->n_fields)
		json_object_set_new(object, "cut",
			json_sprintf("%zu of %zu fields", event->n_fields - n, event->n_fields));
	char *text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

static int insert(struct events *events, const struct store_record *record, const char *host,
	const Fenwatch__Wire__Event *event, const char *fields, struct fw_err *err)
{
	return state_run(events->config.state, err,
		"INSERT OR IGNORE INTO event (agent, stream, lane, seq, host, name, kind, at_ms,"
		" received_ms, fields) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"biiiittiit", record->agent, sizeof record->agent, (int64_t)record->stream,
		(int64_t)record->lane, (int64_t)record->seq, (int64_t)record->host, host,
		event->kind, event->at_ms, record->received_ms, fields);
}

/* What cannot be read is told and left: it would be no better the next time. */
static const Fenwatch__Wire__Event *unpack(
	const struct store_record *record, const char *host, struct fw_arena *arena)
{
	struct fw_err why;
	void *message;
	if (fw_wire_unpack(&fenwatch__wire__event__descriptor, record->payload, record->length,
		    arena, &message, &why) == 0)
		return message;
	fw_log(FW_WARNING, "%s: an event cannot be read: %s", host, why.text);
	return NULL;
}

int events_take(struct events *events, const struct store_record *record, const char *host,
	bool of_check, struct fw_err *err)
{
	struct fw_arena arena = {.limit = FW_WIRE_ARENA};
	const Fenwatch__Wire__Event *event = unpack(record, host, &arena);
	int rc = 0;
	if (event) {
		char *fields = fields_of(event);
		rc = insert(events, record, host, event, fields, err);
		bool counts = !of_check || strcmp(event->kind, "check") == 0;
		if (rc == 0 && counts && sqlite3_changes(state_db(events->config.state)) > 0)
			rc = raising_take(events, host, event, err);
		free(fields);
	}
	fw_arena_done(&arena);
	return rc;
}

/* ---- what goes ---- */

int events_forget(struct events *events, uint32_t host, const char *name, struct fw_err *err)
{
	struct state *state = events->config.state;
	int rc = state_run(state, err, "DELETE FROM event WHERE host = ?", "i", (int64_t)host);
	if (rc == 0)
		rc = state_run(state, err, "DELETE FROM event_raised WHERE name = ?", "t", name);
	raising_changed(events);
	return rc;
}

int events_prune(struct events *events, struct fw_err *err)
{
	struct state *state = events->config.state;
	int rc = state_run(state, err,
		"DELETE FROM event WHERE id IN"
		" (SELECT id FROM event WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
		"ii", events->config.now_ms() - KEEP_MS, (int64_t)PRUNE_ROWS);
	if (rc == 0)
		rc = state_run(state, err,
			"DELETE FROM event WHERE id IN (SELECT id FROM event"
			" WHERE id <= (SELECT max(id) FROM event) - ? ORDER BY id LIMIT ?)",
			"ii", (int64_t)KEEP_EVENTS, (int64_t)PRUNE_ROWS);
	return rc;
}
