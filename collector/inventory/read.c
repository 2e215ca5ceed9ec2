/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "internal.h"

/* Rows of host, kind, key, fields, from and to; how many there were. */
static int give_items(struct inventory *inventory, sqlite3_stmt *row, inventory_each each,
	void *arg, struct fw_err *err)
{
	int rc, n = 0;
	while ((rc = state_step(inventory->config.state, row, err)) > 0) {
		struct inventory_item item = {
			.host = (uint32_t)sqlite3_column_int64(row, 0),
			.kind = state_text(row, 1),
			.key = state_text(row, 2),
			.fields = state_text(row, 3),
			.from_ms = sqlite3_column_int64(row, 4),
			.to_ms = sqlite3_column_int64(row, 5),
		};
		each(&item, arg);
		n++;
	}
	state_done(row);
	return rc < 0 ? rc : n;
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
	if (rc == 0)
		rc = give_items(inventory, row, each, arg, err);
	return rc < 0 ? rc : 0;
}

/* Keys before `past`: `first`, and those from `rest` on. */
struct keys {
	char *first, *rest, *past;
};

static void keys_init(struct keys *keys, const char *name)
{
	size_t length = strlen(name);
	if (length > 1 && name[length - 1] == '*') {
		keys->first = fw_strndup(name, length - 1);
		keys->rest = fw_strdup(keys->first);
		keys->past = fw_strdup(keys->first);
		keys->past[length - 2]++;
	} else {
		/* Behind the name a colon, which ';' follows. */
		keys->first = fw_strdup(name);
		keys->rest = fw_format("%s:", name);
		keys->past = fw_format("%s;", name);
	}
}

static void keys_done(struct keys *keys)
{
	fw_free(keys->first);
	fw_free(keys->rest);
	fw_free(keys->past);
}

int inventory_find(struct inventory *inventory, const char *kind, const char *name, int64_t at_ms,
	inventory_each each, void *arg, struct fw_err *err)
{
	struct keys keys;
	sqlite3_stmt *row;
	int64_t id;
	int rc = inventory_kind(inventory, kind, &id, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	keys_init(&keys, name);
	/* The limit comes before the order, so that no more than that is looked for. */
	rc = state_query(inventory->config.state, &row, err,
		"WITH found AS MATERIALIZED (" COLUMNS
		"FROM inventory_text t CROSS JOIN inventory_item i ON i.text = t.id"
		" JOIN inventory_kind k ON k.id = t.kind"
		" WHERE t.kind = ?1" WAS_THERE
		"AND t.key >= ?3 AND t.key < ?5 AND (t.key = ?3 OR t.key >= ?4) LIMIT ?6)"
		" SELECT * FROM found ORDER BY 1, 3",
		"iittti", id, moment(at_ms), keys.first, keys.rest, keys.past,
		(int64_t)INVENTORY_FOUND_LIMIT + 1);
	if (rc == 0)
		rc = give_items(inventory, row, each, arg, err);
	keys_done(&keys);
	if (rc > INVENTORY_FOUND_LIMIT)
		return fw_fail(err, -E2BIG, "more than %d items are called '%.200s'",
			INVENTORY_FOUND_LIMIT, name);
	return rc < 0 ? rc : 0;
}

int inventory_known(struct inventory *inventory, const char *kind, int64_t at_ms,
	void (*each)(uint32_t host, void *arg), void *arg, struct fw_err *err)
{
	struct state *state = inventory->config.state;
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		"SELECT d.host FROM inventory_document d JOIN inventory_kind k ON k.id = d.kind"
		" WHERE k.name = ?1 AND d.first_ms > 0 AND d.first_ms <= ?2"
		" AND (NOT d.missing OR d.at_ms >= ?2) ORDER BY d.host",
		"ti", kind, moment(at_ms));
	if (rc < 0)
		return rc;
	while ((rc = state_step(state, row, err)) > 0)
		each((uint32_t)sqlite3_column_int64(row, 0), arg);
	state_done(row);
	return rc;
}

int inventory_all(struct inventory *inventory, const char *kind, inventory_each each, void *arg,
	struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(inventory->config.state, &row, err,
		COLUMNS "FROM inventory_kind k CROSS JOIN inventory_document d ON d.kind = k.id"
			" CROSS JOIN inventory_item i ON i.host = d.host AND i.kind = d.kind"
			" CROSS JOIN inventory_text t ON t.id = i.text"
			" WHERE k.name = ?1 AND d.first_ms > 0 AND NOT d.missing"
			" AND i.to_ms IS NULL ORDER BY d.host, t.key",
		"t", kind);
	if (rc == 0)
		rc = give_items(inventory, row, each, arg, err);
	return rc < 0 ? rc : 0;
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
			.kind = state_text(row, 0),
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
