/* SPDX-License-Identifier: Apache-2.0 */
#include "retired.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/array.h>
#include <fenwatch/text.h>

#include "audit.h"
#include "state.h"

static const char *const steps[] = {
	"CREATE TABLE retired (host TEXT NOT NULL PRIMARY KEY, agent TEXT NOT NULL,"
	"  at_ms INTEGER NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL,"
	"  is_done INTEGER NOT NULL) STRICT, WITHOUT ROWID",
};

struct retired {
	struct state *state;
	struct retirement *items; /* by name; their texts are their own */
	size_t n;
};

/* ---- in memory ---- */

/* Where it stands, or would. */
static size_t place_of(const struct retired *retired, const char *host)
{
	return fw_array_place(retired->items, retired->n, sizeof *retired->items, host);
}

static struct retirement *find(const struct retired *retired, const char *host)
{
	size_t at = place_of(retired, host);
	bool hit = at < retired->n && strcmp(retired->items[at].host, host) == 0;
	return hit ? &retired->items[at] : NULL;
}

const struct retirement *retired_find(const struct retired *retired, const char *host)
{
	return retired ? find(retired, host) : NULL;
}

static void keep(struct retired *retired, const struct retirement *wanted)
{
	size_t at = place_of(retired, wanted->host);
	retired->items = fw_realloc(retired->items, (retired->n + 1) * sizeof *retired->items);
	memmove(retired->items + at + 1, retired->items + at,
		(retired->n - at) * sizeof *retired->items);
	retired->n++;
	retired->items[at] = (struct retirement){
		.host = fw_strdup(wanted->host),
		.who = fw_strdup(wanted->who),
		.reason = fw_strdup(wanted->reason),
		.agent = fw_strdup(wanted->agent),
		.at_ms = wanted->at_ms,
		.is_done = wanted->is_done,
	};
}

static void texts_done(const struct retirement *item)
{
	fw_free((char *)item->host);
	fw_free((char *)item->who);
	fw_free((char *)item->reason);
	fw_free((char *)item->agent);
}

static void drop(struct retired *retired, struct retirement *item)
{
	size_t after = retired->n - (size_t)(item - retired->items) - 1;
	texts_done(item);
	memmove(item, item + 1, after * sizeof *item);
	retired->n--;
}

size_t retired_list(const struct retired *retired, struct fw_arena *arena, struct retirement **out)
{
	size_t n = retired ? retired->n : 0;
	*out = fw_arena_alloc(arena, (n + 1) * sizeof **out);
	for (size_t i = 0; i < n; i++) {
		const struct retirement *item = &retired->items[i];
		(*out)[i] = (struct retirement){
			.host = fw_arena_strdup(arena, item->host),
			.who = fw_arena_strdup(arena, item->who),
			.reason = fw_arena_strdup(arena, item->reason),
			.agent = fw_arena_strdup(arena, item->agent),
			.at_ms = item->at_ms,
			.is_done = item->is_done,
		};
	}
	return n;
}

/* ---- on the disk ---- */

static int write_evidence(struct retired *retired, const char *kind, const char *host,
	const char *who, const char *reason, int64_t at_ms, struct fw_err *err)
{
	const struct audit_entry entry = {
		.at_ms = at_ms, .kind = kind, .subject = host, .who = who};
	return audit_add_object(retired->state, &entry, json_pack("{ss}", "reason", reason), err);
}

static int check(const struct retired *retired, const struct retirement *wanted, struct fw_err *err)
{
	if (find(retired, wanted->host))
		return fw_fail(err, -EALREADY, "'%.200s' is retired already", wanted->host);
	if (*wanted->reason && !fw_is_line(wanted->reason, RETIRED_REASON))
		return fw_fail(
			err, -EINVAL, "a reason is one line of at most %d bytes", RETIRED_REASON);
	return 0;
}

int retired_add(struct retired *retired, const struct retirement *wanted, struct fw_err *err)
{
	int rc = check(retired, wanted, err);
	if (rc == 0)
		rc = state_begin(retired->state, err);
	if (rc < 0)
		return rc;
	rc = state_run(retired->state, err,
		"INSERT INTO retired (host, agent, at_ms, who, reason, is_done)"
		" VALUES (?, ?, ?, ?, ?, 0)",
		"ttitt", wanted->host, wanted->agent, wanted->at_ms, wanted->who, wanted->reason);
	if (rc == 0)
		rc = write_evidence(retired, "retired", wanted->host, wanted->who, wanted->reason,
			wanted->at_ms, err);
	rc = state_finish(retired->state, rc, err);
	if (rc == 0)
		keep(retired, wanted);
	return rc;
}

int retired_finish(struct retired *retired, const char *host, struct fw_err *err)
{
	int rc = state_run(
		retired->state, err, "UPDATE retired SET is_done = 1 WHERE host = ?", "t", host);
	struct retirement *item = find(retired, host);
	if (rc == 0 && item)
		item->is_done = true;
	return rc;
}

int retired_end(struct retired *retired, const char *host, const char *who, int64_t now_ms,
	struct fw_err *err)
{
	struct retirement *item = find(retired, host);
	if (!item)
		return fw_fail(err, -ENOENT, "no host '%.200s' was retired", host);
	int rc = state_begin(retired->state, err);
	if (rc < 0)
		return rc;
	rc = state_run(retired->state, err, "DELETE FROM retired WHERE host = ?", "t", host);
	if (rc == 0)
		rc = write_evidence(retired, "returned", host, who, "", now_ms, err);
	rc = state_finish(retired->state, rc, err);
	if (rc == 0)
		drop(retired, item);
	return rc;
}

int retired_forget(struct retired *retired, const char *host, struct fw_err *err)
{
	struct retirement *item = find(retired, host);
	int rc = state_run(retired->state, err, "DELETE FROM retired WHERE host = ?", "t", host);
	if (rc == 0 && item)
		drop(retired, item);
	return rc;
}

/* ---- opening and closing ---- */

static int load(struct retired *retired, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(retired->state, &row, err,
		"SELECT host, agent, at_ms, who, reason, is_done FROM retired", "");
	if (rc < 0)
		return rc;
	while ((rc = state_step(retired->state, row, err)) > 0)
		keep(retired,
			&(struct retirement){
				.host = state_text(row, 0),
				.agent = state_text(row, 1),
				.at_ms = sqlite3_column_int64(row, 2),
				.who = state_text(row, 3),
				.reason = state_text(row, 4),
				.is_done = sqlite3_column_int(row, 5),
			});
	state_done(row);
	return rc;
}

void retired_close(struct retired *retired)
{
	for (size_t i = 0; retired && i < retired->n; i++)
		texts_done(&retired->items[i]);
	if (retired)
		fw_free(retired->items);
	fw_free(retired);
}

int retired_open(struct retired **out, struct state *state, struct fw_err *err)
{
	struct retired *retired = fw_alloc(sizeof *retired);
	retired->state = state;
	int rc = audit_open(state, err);
	if (rc == 0)
		rc = state_migrate(state, "retired", steps, sizeof steps / sizeof *steps, err);
	if (rc == 0)
		rc = load(retired, err);
	if (rc == 0)
		*out = retired;
	else
		retired_close(retired);
	return rc;
}
