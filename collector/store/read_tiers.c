/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of one group: of the blocks of a tier, and of what no digest has seen yet, which
 * is rolled up here as a digest would.
 *
 *   hour:         rows of an hour | undigested rows of five minutes | undigested sweeps
 *   five minutes:                   all rows of five minutes        | undigested sweeps
 *
 * Each sweep is in one of these at any time; where a digest ends while they are found
 * they are found again.
 */
#include <errno.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "reading.h"

/* The group's columns one after the other, and their cells in rows. */
struct row_reading {
	struct reading *r;
	struct rows_reader reader;
	struct fw_column *columns;
	uint32_t *wanted;
};

static int begin(struct row_reading *rr, struct reading *r, int64_t bucket)
{
	const struct store_group *group = r->group;
	uint32_t n = (uint32_t)group->n_columns;
	struct fw_column *columns = fw_arena_try(r->arena, n * sizeof *columns + 1);
	uint32_t *wanted = fw_arena_try(r->arena, rows_width(n) * sizeof *wanted);
	if (!columns || !wanted)
		return -ENOMEM;
	for (uint32_t c = 0; c < n; c++)
		columns[c] = group->schema->columns[group->columns[c]];
	rows_wanted(group->columns, n, wanted);
	*rr = (struct row_reading){
		.r = r,
		.reader = {.columns = columns,
			.n_columns = n,
			.bucket_ms = bucket,
			.arena = r->arena},
		.columns = columns,
		.wanted = wanted,
	};
	return 0;
}

/* ---- rows of blocks ---- */

static int read_block(
	struct row_reading *rr, const struct ring_place *place, int64_t from_ms, int64_t to_ms)
{
	struct reading *r = rr->r;
	struct body_room room;
	uint32_t width = rows_width(rr->reader.n_columns);
	int rc = body_take_room(&r->body, &place->ref, width, &room);
	if (rc >= 0)
		rc = reading_block(r, place, rows_width(r->group->schema->n_columns), rr->wanted,
			width, &room);
	const struct columns_cells rows = body_cells(&r->body, &place->ref, width);
	if (rc >= 0)
		rc = rows_reader_add(&rr->reader, &rows, from_ms, to_ms);
	return reading_pass_over(r, place, rc);
}

static int read_tier(struct row_reading *rr, enum store_tier tier, bool undigested, int64_t from_ms,
	int64_t to_ms)
{
	struct reading *r = rr->r;
	int rc = reading_find(r, tier, undigested, from_ms, to_ms, &r->row_places);
	for (size_t i = 0; i < r->row_places.n && rc >= 0; i++) {
		rc = reading_goes_on(r);
		if (rc >= 0)
			rc = read_block(rr, &r->row_places.at[i], from_ms, to_ms);
	}
	return rc;
}

/* ---- last cells, where raw does not reach ---- */

/* Up to when the tier below may have lost what this one has. */
static int64_t lost_to(const struct reading *r, int tier)
{
	int64_t forgotten_ms = ring_forgotten_ms(&r->store->rings.tiers[tier - 1]);
	return forgotten_ms < r->to_ms ? forgotten_ms : r->to_ms;
}

static int copy_last(struct reading *r, const struct piece *piece, const struct body_room *to)
{
	const struct store_rows *rows = piece->from;
	memcpy(to->times_ms, rows->last_ms, rows->n * sizeof *rows->last_ms);
	for (size_t c = 0; c < r->group->n_columns; c++)
		memcpy(to->cells + c * to->to_column, rows->columns[c].last,
			rows->n * sizeof *to->cells);
	return (int)rows->n;
}

static bool tier_may_have(const struct reading *r, int tier, int64_t to_ms)
{
	const struct ring_question question = {
		r->group->host, r->group->schema_id, r->from_ms, to_ms, false};
	return ring_may_have(&r->store->rings.tiers[tier], &question);
}

/* Rows of a tier up to a time, as a piece. */
static int add_last(struct reading *r, enum store_tier tier, int64_t to_ms)
{
	struct row_reading rr;
	struct store_rows *rows = fw_arena_try(r->arena, sizeof *rows);
	int rc = rows ? begin(&rr, r, store_bucket_ms(tier)) : -ENOMEM;
	if (rc >= 0)
		rc = read_tier(&rr, tier, false, r->from_ms, to_ms);
	if (rc >= 0)
		rc = rows_reader_answer(&rr.reader, rows);
	if (rc < 0 || rows->n == 0)
		return rc;
	reading_add(r,
		&(struct piece){.t0_ms = rows->last_ms[0],
			.most = rows->n,
			.read = copy_last,
			.from = rows,
			.tier = tier});
	r->coarsest = tier;
	return 0;
}

int reading_tiers(struct reading *r)
{
	int rc = 0;
	for (int tier = STORE_FIVE_MINUTE; tier < STORE_TIERS && rc >= 0; tier++) {
		int64_t to_ms = lost_to(r, tier);
		if (to_ms >= r->from_ms && tier_may_have(r, tier, to_ms))
			rc = add_last(r, (enum store_tier)tier, to_ms);
	}
	return rc;
}

/* ---- rows ---- */

/* Sweeps that no digest has seen, rolled up. */
static int roll_up(struct row_reading *rr, const struct store_columns *sweeps)
{
	struct rows rows = {0};
	size_t done = 0;
	int rc = rows_begin(&rows, rr->columns, rr->reader.n_columns, rr->reader.bucket_ms,
		STORE_JOINED_SWEEPS);
	while (rc >= 0 && done < sweeps->n) {
		const struct columns_cells rest = {
			.times_ms = sweeps->times_ms + done,
			.cells = sweeps->cells[0] + done,
			.to_column = rr->r->room.to_column,
			.to_sweep = 1,
			.n_sweeps = (uint32_t)(sweeps->n - done),
			.n_columns = rr->reader.n_columns,
		};
		done += rows_add_sweeps(&rows, &rest);
		rows_close(&rows);
		const struct columns_cells made = rows_cells(&rows);
		if (made.n_sweeps > 0)
			rc = rows_reader_add(&rr->reader, &made, rr->r->from_ms, rr->r->to_ms);
		rows_clear(&rows);
	}
	rows_done(&rows);
	return rc;
}

/* Sweeps of the bucket that the first row began in are older than the row's last. */
static int read_undigested(struct row_reading *rr, const struct table *table)
{
	struct reading *r = rr->r;
	struct store_columns sweeps = {0};
	int64_t from_ms = r->from_ms;
	reading_clear(r);
	if (r->from_ms > INT64_MIN + rr->reader.bucket_ms)
		r->from_ms -= rr->reader.bucket_ms;
	int rc = reading_memory(r, table);
	if (rc >= 0)
		rc = reading_raw(r);
	if (rc >= 0)
		rc = reading_take(r, &sweeps);
	r->from_ms = from_ms;
	return rc >= 0 && sweeps.n > 0 ? roll_up(rr, &sweeps) : rc;
}

static uint64_t digests_now(struct store *store)
{
	pthread_rwlock_rdlock(&store->rings.lock);
	uint64_t digests = store->rings.digests;
	pthread_rwlock_unlock(&store->rings.lock);
	return digests;
}

static int read_rows(
	struct reading *r, const struct table *table, enum store_tier tier, struct store_rows *out)
{
	uint64_t before = digests_now(r->store);
	struct row_reading rr;
	int rc = begin(&rr, r, store_bucket_ms((enum store_tier)tier));
	if (rc >= 0)
		rc = read_undigested(&rr, table);
	for (int t = STORE_FIVE_MINUTE; t <= (int)tier && rc >= 0; t++)
		rc = read_tier(&rr, (enum store_tier)t, t < (int)tier, r->from_ms, r->to_ms);
	if (rc >= 0 && digests_now(r->store) != before)
		return -ESTALE;
	return rc < 0 ? rc : rows_reader_answer(&rr.reader, out);
}

int store_read_rows(struct store *store, const struct store_group *group, enum store_tier tier,
	int64_t from_ms, int64_t to_ms, const struct store_patience *patience,
	struct fw_arena *arena, struct store_rows *out, struct fw_err *err)
{
	*out = (struct store_rows){0};
	if (!hosts_known(&store->hosts, group->host) || group->n_columns == 0)
		return 0;
	struct reading r = {
		.store = store,
		.group = group,
		.from_ms = from_ms,
		.to_ms = to_ms,
		.undigested = true,
		.patience = patience,
		.arena = arena,
	};
	int rc = -ESTALE;
	for (int look = 0; look < READING_LOOKS && rc == -ESTALE; look++)
		rc = read_rows(&r, group->table, tier, out);
	out->damaged_blocks = r.damaged;
	reading_done(&r);
	return reading_told(rc, err);
}
