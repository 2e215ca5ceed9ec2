/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include <fenwatch/mem.h>

#include "internal.h"

static const char *text_at(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);
	return text ? text : "";
}

/* Rows of host, kind, key, fields, from and to. */
static int give_items(struct inventory *inventory, sqlite3_stmt *row, inventory_each each,
	void *arg, struct fw_err *err)
{
	int rc;
	while ((rc = state_step(inventory->config.state, row, err)) > 0) {
		struct inventory_item item = {
			.host = (uint32_t)sqlite3_column_int64(row, 0),
			.kind = text_at(row, 1),
			.key = text_at(row, 2),
			.fields = text_at(row, 3),
			.from_ms = sqlite3_column_int64(row, 4),
			.to_ms = sqlite3_column_int64(row, 5),
		};
		each(&item, arg);
	}
	state_done(row);
	return rc;
}

#define COLUMNS "SELECT i.host, k.name, t.key, t.fields, i.from_ms, i.to_ms "
#define WAS_THERE " AND i.from_ms <= ?2 AND (i.to_ms IS NULL OR i.to_ms > ?2) "

/* Now is later than all times: what has ended has ended. */
static int64_t moment(int64_t at_ms)
{
	return at_ms ? at_ms : INT64_MAX;
}

int inventory_list(struct inventory *inventory, uint32_t host, const char *kind, int64_t at_ms,
	inventory_each each, void *arg, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(inventory->config.state, &row, err,
		COLUMNS "FROM inventory_kind k CROSS JOIN inventory_item i ON i.kind = k.id"
			" CROSS JOIN inventory_text t ON t.id = i.text"
			" WHERE i.host = ?1" WAS_THERE
			"AND (?3 IS NULL OR k.name = ?3) ORDER BY k.name, t.key",
		"iit", (int64_t)host, moment(at_ms), kind);
	return rc < 0 ? rc : give_items(inventory, row, each, arg, err);
}

int inventory_find(struct inventory *inventory, const char *kind, const char *name, int64_t at_ms,
	inventory_each each, void *arg, struct fw_err *err)
{
	sqlite3_stmt *row;
	int64_t id;
	int rc = inventory_kind(inventory, kind, &id, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	/* Behind the name a colon, which ';' follows. */
	char *first = fw_format("%s:", name), *past = fw_format("%s;", name);
	rc = state_query(inventory->config.state, &row, err,
		COLUMNS "FROM inventory_text t CROSS JOIN inventory_item i ON i.text = t.id"
			" JOIN inventory_kind k ON k.id = t.kind"
			" WHERE t.kind = ?1" WAS_THERE
			"AND (t.key = ?3 OR (t.key >= ?4 AND t.key < ?5)) ORDER BY i.host, t.key",
		"iittt", id, moment(at_ms), name, first, past);
	if (rc == 0)
		rc = give_items(inventory, row, each, arg, err);
	fw_free(first);
	fw_free(past);
	return rc;
}

int inventory_history(struct inventory *inventory, uint32_t host, const char *kind, const char *key,
	inventory_each each, void *arg, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(inventory->config.state, &row, err,
		COLUMNS "FROM inventory_kind k CROSS JOIN inventory_text t ON t.kind = k.id"
			" CROSS JOIN inventory_item i ON i.kind = k.id AND i.text = t.id"
			" WHERE i.host = ?1 AND k.name = ?2 AND t.key = ?3 ORDER BY i.from_ms DESC",
		"itt", (int64_t)host, kind, key);
	return rc < 0 ? rc : give_items(inventory, row, each, arg, err);
}

int inventory_documents(struct inventory *inventory, uint32_t host,
	void (*each)(const struct inventory_document *document, void *arg), void *arg,
	struct fw_err *err)
{
	struct state *state = inventory->config.state;
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		"SELECT k.name, (SELECT count(*) FROM inventory_item i WHERE i.host = d.host"
		"  AND i.kind = d.kind AND i.to_ms IS NULL), d.first_ms, d.at_ms, d.missing"
		" FROM inventory_document d JOIN inventory_kind k ON k.id = d.kind"
		" WHERE d.host = ? ORDER BY k.name",
		"i", (int64_t)host);
	if (rc < 0)
		return rc;
	while ((rc = state_step(state, row, err)) > 0) {
		struct inventory_document document = {
			.kind = text_at(row, 0),
			.items = sqlite3_column_int64(row, 1),
			.first_ms = sqlite3_column_int64(row, 2),
			.changed_ms = sqlite3_column_int64(row, 3),
			.missing = sqlite3_column_int64(row, 4) != 0,
		};
		each(&document, arg);
	}
	state_done(row);
	return rc;
}
