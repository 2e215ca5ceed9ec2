/* SPDX-License-Identifier: Apache-2.0 */
#include "acks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "alert.h"
#include "evidence.h"
#include "state.h"
#include "updates.h"

#define LANES 256
#define NAME_LEAST 8 /* characters of a key that is given in part */
#define NOTE_MOST 1000

static const char *const steps[] = {
	"CREATE TABLE ack (key TEXT NOT NULL, starts_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
	"  who TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (key, starts_ms)) STRICT,"
	"  WITHOUT ROWID",
};

struct acks {
	struct state *state;
	struct ack *lanes[LANES];
};

static struct ack **lane_of(const struct acks *acks, const char *key)
{
	return (struct ack **)&acks->lanes[identity_hash(key) % LANES];
}

const struct ack *acks_find(const struct acks *acks, const char *key, int64_t starts_ms)
{
	const struct ack *ack = *lane_of(acks, key);
	while (ack && (ack->starts_ms != starts_ms || strcmp(ack->key, key) != 0))
		ack = ack->next;
	return ack;
}

static void push(struct acks *acks, const char *key, int64_t starts_ms, int64_t at_ms,
	const char *who, const char *note)
{
	struct ack *ack = fw_alloc(sizeof *ack), **lane = lane_of(acks, key);
	*ack = (struct ack){.next = *lane,
		.key = fw_strdup(key),
		.who = fw_strdup(who),
		.note = fw_strdup(note),
		.starts_ms = starts_ms,
		.at_ms = at_ms};
	*lane = ack;
}

static void drop_all(struct acks *acks)
{
	for (size_t i = 0; i < LANES; i++)
		while (acks->lanes[i]) {
			struct ack *ack = acks->lanes[i];
			acks->lanes[i] = ack->next;
			fw_free(ack->key);
			fw_free(ack->who);
			fw_free(ack->note);
			fw_free(ack);
		}
}

/* Only those of alerts that go on are asked for. */
static int load(struct acks *acks, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(acks->state, &row, err,
		"SELECT a.key, a.starts_ms, a.at_ms, a.who, a.note FROM ack a JOIN episode e"
		" ON e.key = a.key AND e.starts_ms = a.starts_ms WHERE e.ends_ms = 0",
		"");
	if (rc < 0)
		return rc;
	drop_all(acks);
	while ((rc = state_step(acks->state, row, err)) > 0)
		push(acks, state_text(row, 0), sqlite3_column_int64(row, 1),
			sqlite3_column_int64(row, 2), state_text(row, 3), state_text(row, 4));
	state_done(row);
	return rc;
}

/* ---- which alert is meant ---- */

/* By indexes alone: episodes are kept for long. What a desk was not told of is as if it were not
 * there; told, or about to be, is what was tried and not refused. */
#define MEANT                                                                                \
	"SELECT e.key, max(e.starts_ms) FROM (SELECT key, starts_ms FROM episode WHERE"      \
	" key = ?1 UNION SELECT key, starts_ms FROM episode WHERE length(?1) >= ?2 AND"      \
	" key >= ?1 AND key < ?1 || '~' UNION SELECT key, starts_ms FROM notice n WHERE"     \
	" n.receipt = ?1 AND n.receipt <> '' AND n.kind = 0 AND (?3 = '' OR n.feed = ?3)) m" \
	" CROSS JOIN episode e ON e.key = m.key AND e.starts_ms = m.starts_ms"               \
	" WHERE (?4 OR e.ends_ms = 0) AND (?5 = 0 OR EXISTS (SELECT 1 FROM notice t WHERE"   \
	" t.key = e.key AND t.starts_ms = e.starts_ms AND t.feed = ?3 AND t.kind = 0 AND"    \
	" t.state IN (0, 1) AND t.tries > 0)) GROUP BY e.key LIMIT 2"

int acks_name(
	struct acks *acks, const struct alert_answer *answer, struct meant *out, struct fw_err *err)
{
	sqlite3_stmt *row;
	size_t n = 0;
	bool may_be_over = answer->kind == ANSWER_RESOLVED;
	if (!fw_is_line(answer->note, NOTE_MOST))
		return fw_fail(err, -EINVAL, "a note is one line of at most %d bytes", NOTE_MOST);
	int rc = state_query(acks->state, &row, err, MEANT, "titii", answer->alert,
		(int64_t)NAME_LEAST, answer->feed, (int64_t)may_be_over, (int64_t)answer->is_desk);
	if (rc < 0)
		return rc;
	while ((rc = state_step(acks->state, row, err)) > 0 && ++n == 1) {
		snprintf(out->key, sizeof out->key, "%s", state_text(row, 0));
		out->starts_ms = sqlite3_column_int64(row, 1);
	}
	state_done(row);
	if (rc < 0)
		return rc;
	if (n > 1)
		return fw_fail(err, -EINVAL, "several alerts go by '%.60s'; give the whole key",
			answer->alert);
	return n == 1 ? 0
		      : fw_fail(err, -ENOENT,
				"no alert that fires goes by '%.60s'; 'fenwatch alerts' "
				"shows their keys",
				answer->alert);
}

/* ---- writing it down ---- */

static const char *const kinds[] = {
	[ANSWER_ACKNOWLEDGED] = "acknowledged",
	[ANSWER_ACCEPTED] = "accepted",
	[ANSWER_RESOLVED] = "resolved",
};

static int write_ack(struct acks *acks, const struct alert_options *options,
	const struct meant *meant, const struct alert_answer *answer, int64_t now_ms,
	struct fw_err *err)
{
	struct notice_pair items[] = {
		{"acknowledged_by", answer->who}, {"acknowledgement", answer->note}};
	const struct pairs said = {items, 2};
	int rc = state_run(acks->state, err,
		"INSERT INTO ack (key, starts_ms, at_ms, who, note) VALUES (?, ?, ?, ?, ?)",
		"tiitt", meant->key, meant->starts_ms, now_ms, answer->who, answer->note);
	return rc < 0 ? rc
		      : updates_tell(acks->state, options, meant->key, meant->starts_ms, &said,
				answer->kind == ANSWER_ACCEPTED ? answer->feed : "", now_ms, err);
}

static int write_answer(struct acks *acks, const struct alert_options *options,
	const struct meant *meant, const struct alert_answer *answer, int64_t now_ms,
	struct fw_err *err)
{
	int rc = state_begin(acks->state, err);
	if (rc < 0)
		return rc;
	if (answer->kind != ANSWER_RESOLVED)
		rc = write_ack(acks, options, meant, answer, now_ms, err);
	if (rc == 0)
		rc = evidence_answered(acks->state, meant->key, meant->starts_ms,
			kinds[answer->kind], answer->who, answer->note, now_ms, err);
	return state_finish(acks->state, rc, err);
}

int acks_add(struct acks *acks, const struct alert_options *options,
	const struct alert_answer *answer, int64_t now_ms, struct fw_err *err)
{
	struct meant meant;
	int rc = acks_name(acks, answer, &meant, err);
	if (rc < 0)
		return rc;
	const struct ack *before = acks_find(acks, meant.key, meant.starts_ms);
	/* A desk says it again, or what somebody has said before it. */
	if (before && answer->kind == ANSWER_ACCEPTED)
		return 0;
	if (before && answer->kind != ANSWER_RESOLVED)
		return fw_fail(err, -EALREADY, "%.60s has acknowledged it already",
			*before->who ? before->who : "somebody");
	rc = write_answer(acks, options, &meant, answer, now_ms, err);
	if (rc == 0 && answer->kind != ANSWER_RESOLVED)
		push(acks, meant.key, meant.starts_ms, now_ms, answer->who, answer->note);
	return rc;
}

int acks_forget(struct acks *acks, int64_t before_ms, struct fw_err *err)
{
	int rc = state_run(acks->state, err,
		"DELETE FROM ack WHERE at_ms < ? AND NOT EXISTS (SELECT 1 FROM episode e WHERE"
		" e.key = ack.key AND e.starts_ms = ack.starts_ms AND e.ends_ms = 0)",
		"i", before_ms);
	return rc < 0 ? rc : load(acks, err);
}

void acks_close(struct acks *acks)
{
	if (acks)
		drop_all(acks);
	fw_free(acks);
}

int acks_open(struct acks **out, struct state *state, struct fw_err *err)
{
	struct acks *acks = fw_alloc(sizeof *acks);
	acks->state = state;
	int rc = state_migrate(state, "ack", steps, sizeof steps / sizeof *steps, err);
	if (rc == 0)
		rc = load(acks, err);
	if (rc == 0)
		*out = acks;
	else
		acks_close(acks);
	return rc;
}
