/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked for again, and what goes. */
#include <errno.h>
#include <string.h>

#include <fenwatch/items.h>
#include <fenwatch/log.h>

#include "internal.h"

#define PRUNE_ROWS 2000 /* at a time, so that nothing waits for it */

/* Of every kind that the question gives. */
static int ask(
	struct inventory *inventory, const uint8_t agent[16], sqlite3_stmt *row, struct fw_err *err)
{
	int rc;
	while ((rc = state_step(inventory->config.state, row, err)) > 0)
		inventory->config.on_need(
			agent, (const char *)sqlite3_column_text(row, 0), inventory->config.arg);
	state_done(row);
	return rc;
}

void inventory_greet(struct inventory *inventory, const uint8_t agent[16], uint32_t host)
{
	struct fw_err err;
	sqlite3_stmt *row;
	int rc = state_query(inventory->config.state, &row, &err,
		"SELECT k.name FROM inventory_document d JOIN inventory_kind k ON k.id = d.kind"
		" WHERE d.host = ? AND d.missing",
		"i", (int64_t)host);
	if (rc == 0)
		rc = ask(inventory, agent, row, &err);
	if (rc < 0)
		fw_log(FW_ERROR, "inventory: what is missing cannot be read: %s", err.text);
}

void inventory_missed(struct inventory *inventory, const uint8_t agent[16], uint32_t host)
{
	struct fw_err err;
	sqlite3_stmt *row;
	int rc = state_run(inventory->config.state, &err,
		"UPDATE inventory_document SET missing = 1 WHERE host = ?", "i", (int64_t)host);
	/* A kind may be gone that this host had; an agent passes over what it never had. */
	if (rc == 0)
		rc = state_query(inventory->config.state, &row, &err,
			"SELECT name FROM inventory_kind ORDER BY id LIMIT ?", "i",
			(int64_t)FW_DOCUMENTS_LIMIT);
	if (rc == 0)
		rc = ask(inventory, agent, row, &err);
	if (rc < 0)
		fw_log(FW_ERROR, "inventory: what is missing cannot be noted: %s", err.text);
}

int inventory_forget(struct inventory *inventory, uint32_t host, struct fw_err *err)
{
	struct state *state = inventory->config.state;
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	rc = state_run(state, err, "DELETE FROM inventory_item WHERE host = ?", "i", (int64_t)host);
	if (rc == 0)
		rc = state_run(state, err, "DELETE FROM inventory_document WHERE host = ?", "i",
			(int64_t)host);
	return state_finish(state, rc, err);
}

static int prune_items(struct state *state, int64_t before_ms, struct fw_err *err)
{
	return state_run(state, err,
		"DELETE FROM inventory_item WHERE (host, kind, text, from_ms) IN"
		" (SELECT host, kind, text, from_ms FROM inventory_item WHERE to_ms < ?"
		"  ORDER BY to_ms LIMIT ?)",
		"ii", before_ms, (int64_t)PRUNE_ROWS);
}

/* The next ones in order; after the last, from the first again. */
static int prune_texts(struct inventory *inventory, struct fw_err *err)
{
	struct state *state = inventory->config.state;
	sqlite3_stmt *row;
	int64_t last = 0;
	int rc = state_query(
		state, &row, err, "SELECT coalesce(max(id), 0) FROM inventory_text", "");
	if (rc < 0)
		return rc;
	rc = state_step(state, row, err);
	if (rc > 0)
		last = sqlite3_column_int64(row, 0);
	state_done(row);
	if (rc < 0)
		return rc;
	rc = state_run(state, err,
		"DELETE FROM inventory_text WHERE id > ?1 AND id <= ?1 + ?2"
		" AND NOT EXISTS (SELECT 1 FROM inventory_item WHERE text = inventory_text.id)",
		"ii", inventory->swept_text, (int64_t)PRUNE_ROWS);
	inventory->swept_text += PRUNE_ROWS;
	if (inventory->swept_text >= last)
		inventory->swept_text = 0;
	return rc;
}

int inventory_prune(struct inventory *inventory, int64_t now_ms, struct fw_err *err)
{
	int rc = prune_items(inventory->config.state, now_ms - INVENTORY_KEEP_MS, err);
	return rc < 0 ? rc : prune_texts(inventory, err);
}
