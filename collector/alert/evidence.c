/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence.h"

#include <jansson.h>

#include <fenwatch/clock.h>

#include "audit.h"
#include "state.h"

/* Takes the detail. */
static int add(struct state *state, int64_t at_ms, const char *kind, const char *key,
	const char *who, json_t *detail, struct fw_err *err)
{
	const struct audit_entry entry = {.at_ms = at_ms, .kind = kind, .subject = key, .who = who};
	return audit_add_object(state, &entry, detail, err);
}

static json_t *pairs_of(const struct pairs *pairs)
{
	json_t *object = json_object();
	for (size_t i = 0; i < pairs->n; i++)
		json_object_set_new(
			object, pairs->items[i].name, json_string(pairs->items[i].value));
	return object;
}

int evidence_fired(struct state *state, const struct episode *episode, struct fw_err *err)
{
	json_t *detail = json_pack("{sI ss ss ss so so}", "starts",
		(json_int_t)episode->life.starts_ms, "rule", episode->rule, "instance",
		episode->instance, "severity", episode->severity, "labels",
		pairs_of(&episode->labels), "annotations", pairs_of(&episode->annotations));
	return add(state, fw_wall_ms(), "fired", episode->key, "", detail, err);
}

int evidence_assigned(struct state *state, const struct episode *episode,
	const struct pairs *annotations, int64_t now_ms, struct fw_err *err)
{
	json_t *detail = json_pack("{sI so}", "starts", (json_int_t)episode->life.starts_ms,
		"annotations", pairs_of(annotations));
	return add(state, now_ms, "assigned", episode->key, "", detail, err);
}

int evidence_held(struct state *state, const struct episode *episode, const char *reason,
	const char *why, int64_t now_ms, struct fw_err *err)
{
	json_t *detail = json_pack("{sI ss ss}", "starts", (json_int_t)episode->life.starts_ms,
		"reason", reason, "why", why);
	return add(state, now_ms, "held", episode->key, "", detail, err);
}

int evidence_answered(struct state *state, const char *key, int64_t starts_ms, const char *kind,
	const char *who, const char *note, int64_t now_ms, struct fw_err *err)
{
	json_t *detail = json_pack("{sI ss}", "starts", (json_int_t)starts_ms, "note", note);
	return add(state, now_ms, kind, key, who, detail, err);
}

int evidence_cleared(struct state *state, const struct episode *episode, struct fw_err *err)
{
	json_t *detail = json_pack("{sI sI}", "starts", (json_int_t)episode->life.starts_ms, "ends",
		(json_int_t)episode->life.ends_ms);
	return add(state, fw_wall_ms(), "cleared", episode->key, "", detail, err);
}

static int add_told(struct state *state, sqlite3_stmt *row, bool delivered, const char *text,
	int64_t now_ms, struct fw_err *err)
{
	json_t *detail = json_pack("{sI ss ss ss}", "starts",
		(json_int_t)sqlite3_column_int64(row, 1), "feed", state_text(row, 2), "notice",
		notice_kinds[sqlite3_column_int(row, 3)], delivered ? "receipt" : "why", text);
	return add(
		state, now_ms, delivered ? "told" : "refused", state_text(row, 0), "", detail, err);
}

int evidence_told(struct state *state, int64_t id, enum notice_state how, const char *why,
	const char *receipt, int64_t now_ms, struct fw_err *err)
{
	sqlite3_stmt *row;
	bool delivered = how == NOTICE_DELIVERED;
	int rc = state_query(state, &row, err,
		"SELECT key, starts_ms, feed, kind FROM notice WHERE id = ?", "i", id);
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	if (rc > 0)
		rc = add_told(state, row, delivered, delivered ? receipt : why, now_ms, err);
	state_done(row);
	return rc;
}
