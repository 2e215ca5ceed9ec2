/* SPDX-License-Identifier: Apache-2.0 */
/* Sweeps of one group, put together from runs in memory and blocks on disk.
 *
 * Memory is looked at first and the ring second: a run becomes a block between
 * the two at worst, and is then seen twice, never not at all. Every piece knows
 * where its records lie in the log; of equal times the one logged last wins.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/mem.h>

#include "reading.h"

struct joined_row {
	int64_t at_ms;
	uint64_t logged;
	const struct piece *piece;
	size_t index;
};

/* Sweeps as they were decoded: the cell of column c in sweep i is
 * cells[c * to_column + i * to_sweep], where c is one of `columns` or, without, counts. */
struct decoded {
	const int64_t *times_ms, *cells;
	const uint32_t *columns;
	size_t to_column, to_sweep, n;
};

static void copy_columns(
	const struct decoded *from, size_t first, size_t n, size_t n_columns, int64_t *to)
{
	for (size_t c = 0; c < n_columns; c++) {
		size_t column = from->columns ? from->columns[c] : c;
		const int64_t *at = from->cells + column * from->to_column + first * from->to_sweep;
		for (size_t i = 0; i < n; i++)
			*to++ = at[i * from->to_sweep];
	}
}

/* Keeps what lies within the range. */
static int keep_piece(struct reading *r, const struct decoded *from, uint64_t logged)
{
	size_t first = 0, n = from->n, n_columns = r->group->n_columns;
	while (first < n && from->times_ms[first] < r->from_ms)
		first++;
	while (n > first && from->times_ms[n - 1] > r->to_ms)
		n--;
	if (first == n)
		return 0;
	n -= first;
	struct piece *piece = fw_arena_try(r->arena, sizeof *piece);
	int64_t *kept = piece ? fw_arena_try(r->arena, n * (n_columns + 1) * sizeof *kept) : NULL;
	if (!kept)
		return -ENOMEM;
	*piece = (struct piece){r->pieces, logged, n, kept, kept + n};
	memcpy(piece->times_ms, from->times_ms + first, n * sizeof *kept);
	copy_columns(from, first, n, n_columns, piece->cells);
	r->pieces = piece;
	r->n_pieces++;
	r->n_rows += n;
	return 0;
}

/* ---- memory ---- */

/* Copies the batches of a run, as the writer may forget it when the lock is gone. */
static struct held *copy_run(struct reading *r, const struct run *run)
{
	struct held *first = NULL, **end = &first;
	for (const struct held *held = run->first; held; held = held->next) {
		struct held *copy = fw_arena_try(&r->scratch, sizeof *copy + held->length);
		if (!copy)
			return NULL;
		memcpy(copy, held, sizeof *copy + held->length);
		copy->next = NULL;
		*end = copy;
		end = &copy->next;
	}
	return first;
}

struct copied_run {
	struct copied_run *next;
	struct held *held;
	bool foreign;
	uint32_t n_sweeps;
	uint64_t logged;
};

static struct copied_run *copy_runs(struct reading *r, const struct table *table)
{
	struct copied_run *copies = NULL;
	pthread_mutex_lock(&table->host->lock);
	for (const struct run *run = table->first; run; run = run->next) {
		if (run->t0_ms > r->to_ms || run->t1_ms < r->from_ms)
			continue;
		struct copied_run *copy = fw_arena_alloc(&r->scratch, sizeof *copy);
		copy->held = copy_run(r, run);
		copy->foreign = run->foreign;
		copy->n_sweeps = run->n_sweeps;
		copy->logged = run->logged_to;
		copy->next = copies;
		copies = copy;
	}
	pthread_mutex_unlock(&table->host->lock);
	return copies;
}

int reading_memory(struct reading *r, const struct table *table)
{
	int rc = 0;
	uint32_t width = r->group->schema->n_columns;
	for (struct copied_run *run = copy_runs(r, table); run && rc >= 0; run = run->next) {
		int64_t *cells = scratch_take(&r->cells, (size_t)run->n_sweeps * width + 1);
		int64_t *times = fw_arena_alloc(&r->scratch, run->n_sweeps * sizeof *times);
		if (!cells)
			return -ENOMEM;
		rc = run_decode(
			run->held, run->foreign, width, &r->scratch, times, cells, run->n_sweeps);
		const struct decoded decoded = {
			times, cells, r->group->columns, 1, width, rc < 0 ? 0 : (size_t)rc};
		if (rc >= 0)
			rc = keep_piece(r, &decoded, run->logged);
	}
	fw_arena_reset(&r->scratch);
	return rc;
}

/* ---- blocks ---- */

int reading_find(
	struct reading *r, enum store_tier tier, bool undigested, int64_t from_ms, int64_t to_ms)
{
	const struct ring_question question = {
		r->group->host, r->group->schema_id, from_ms, to_ms, false};
	size_t kept = 0;
	r->places.n = 0;
	int rc = ring_find(&r->store->rings.tiers[tier], &question, &r->places);
	for (size_t i = 0; i < r->places.n; i++)
		if (!undigested || !r->places.at[i].digested)
			r->places.at[kept++] = r->places.at[i];
	r->places.n = kept;
	r->damaged += rc == -EBADMSG;
	return rc == -EBADMSG ? 0 : rc;
}

int reading_pass_over(struct reading *r, int rc)
{
	if (rc >= 0 || rc == -ESTALE || rc == -ENOMEM)
		return rc;
	r->damaged++;
	r->store->counters.damaged++;
	return 0;
}

static int read_block(struct reading *r, const struct ring_place *place)
{
	const uint8_t *body;
	size_t length;
	int rc = ring_read(raw_ring(r->store), place, &r->block, &body, &length);
	if (rc >= 0)
		rc = body_read(&r->body, &place->ref, body, length, r->group->schema->n_columns,
			r->group->columns, r->group->n_columns);
	if (rc < 0)
		return reading_pass_over(r, rc);
	const size_t n = place->ref.n_sweeps;
	const struct decoded decoded = {r->body.times_ms, r->body.cells, NULL, n, 1, n};
	return keep_piece(r, &decoded, place->ref.logged_to);
}

int reading_raw(struct reading *r)
{
	int rc = reading_find(r, STORE_RAW, r->undigested, r->from_ms, r->to_ms);
	for (size_t i = 0; i < r->places.n && rc >= 0; i++)
		rc = read_block(r, &r->places.at[i]);
	return rc;
}

/* ---- putting together ---- */

static int by_time(const void *a, const void *b)
{
	const struct joined_row *x = a, *y = b;
	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	return x->logged < y->logged ? 1 : x->logged > y->logged ? -1 : 0;
}

static size_t list_rows(const struct reading *r, struct joined_row *rows)
{
	size_t n = 0;
	for (const struct piece *piece = r->pieces; piece; piece = piece->next) {
		for (size_t i = 0; i < piece->n_sweeps; i++)
			rows[n++] =
				(struct joined_row){piece->times_ms[i], piece->logged, piece, i};
	}
	qsort(rows, n, sizeof *rows, by_time);
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || rows[i].at_ms != rows[kept - 1].at_ms)
			rows[kept++] = rows[i];
	}
	return kept;
}

/* Room for n sweeps, and the columns that point into it. */
static int64_t *make_room(struct reading *r, size_t n, struct store_columns *out)
{
	size_t n_columns = r->group->n_columns;
	int64_t **columns = fw_arena_try(r->arena, n_columns * sizeof *columns + 1);
	int64_t *room = fw_arena_try(r->arena, (n * (n_columns + 1) + 1) * sizeof *room);
	if (!columns || !room)
		return NULL;
	for (size_t c = 0; c < n_columns; c++)
		columns[c] = room + (c + 1) * n;
	*out = (struct store_columns){
		.n = n,
		.times_ms = room,
		.cells = (const int64_t *const *)columns,
		.damaged_blocks = r->damaged,
	};
	return room;
}

/* Pieces that cover the same times: row by row. */
static int join_rows(struct reading *r, struct store_columns *out)
{
	struct joined_row *rows = fw_try_alloc((r->n_rows + 1) * sizeof *rows);
	if (!rows)
		return -ENOMEM;
	size_t n = list_rows(r, rows);
	int64_t *room = make_room(r, n, out);
	for (size_t i = 0; room && i < n; i++)
		room[i] = rows[i].at_ms;
	for (size_t c = 0; room && c < r->group->n_columns; c++)
		for (size_t i = 0; i < n; i++)
			room[(c + 1) * n + i] =
				rows[i].piece->cells[c * rows[i].piece->n_sweeps + rows[i].index];
	fw_free(rows);
	return room ? 0 : -ENOMEM;
}

static int by_first_time(const void *a, const void *b)
{
	const struct piece *x = *(const struct piece *const *)a,
			   *y = *(const struct piece *const *)b;
	return x->times_ms[0] < y->times_ms[0] ? -1 : x->times_ms[0] > y->times_ms[0];
}

/* False when two pieces cover the same times. */
static bool sort_pieces(const struct reading *r, const struct piece **pieces)
{
	size_t n = 0;
	for (const struct piece *piece = r->pieces; piece; piece = piece->next)
		pieces[n++] = piece;
	qsort(pieces, n, sizeof(struct piece *), by_first_time);
	for (size_t i = 1; i < n; i++)
		if (pieces[i]->times_ms[0] <= pieces[i - 1]->times_ms[pieces[i - 1]->n_sweeps - 1])
			return false;
	return true;
}

/* Pieces one behind the other, as they nearly always are. */
static int join_runs(
	struct reading *r, const struct piece *const *pieces, struct store_columns *out)
{
	size_t done = 0, n = r->n_rows;
	int64_t *room = make_room(r, n, out);
	for (size_t i = 0; room && i < r->n_pieces; i++) {
		const struct piece *piece = pieces[i];
		size_t length = piece->n_sweeps;
		memcpy(room + done, piece->times_ms, length * sizeof *room);
		for (size_t c = 0; c < r->group->n_columns; c++)
			memcpy(room + (c + 1) * n + done, piece->cells + c * length,
				length * sizeof *room);
		done += length;
	}
	return room ? 0 : -ENOMEM;
}

int reading_join(struct reading *r, struct store_columns *out)
{
	const struct piece **pieces = fw_try_alloc((r->n_pieces + 1) * sizeof(struct piece *));
	if (!pieces)
		return -ENOMEM;
	int rc = sort_pieces(r, pieces) ? join_runs(r, pieces, out) : join_rows(r, out);
	fw_free(pieces);
	return rc;
}

void reading_clear(struct reading *r)
{
	r->pieces = NULL;
	r->n_pieces = r->n_rows = r->damaged = 0;
}

void reading_done(struct reading *r)
{
	fw_arena_done(&r->scratch);
	fw_free(r->cells.cells);
	fw_buf_done(&r->block);
	fw_free(r->places.at);
	body_done(&r->body);
}

/* Memory first, so that a run that becomes a block meanwhile is seen twice at worst. What
 * a digest moves while it is looked at lies elsewhere at the next look. */
static int read_all(struct reading *r, const struct table *table, struct store_columns *out)
{
	enum store_tier tier = STORE_RAW;
	int rc = -ESTALE;
	for (int look = 0; look < READING_LOOKS && rc == -ESTALE; look++) {
		reading_clear(r);
		rc = reading_memory(r, table);
		if (rc >= 0)
			rc = reading_raw(r);
		if (rc >= 0)
			rc = reading_tiers(r, &tier);
	}
	if (rc >= 0 || rc == -ESTALE)
		rc = reading_join(r, out);
	out->tier = tier;
	return rc;
}

int store_read(struct store *store, const struct store_group *group, int64_t from_ms, int64_t to_ms,
	struct fw_arena *arena, struct store_columns *out, struct fw_err *err)
{
	struct host *host = hosts_known(&store->hosts, group->host);
	struct table *table = host ? host_table(host, group->schema_id) : NULL;
	*out = (struct store_columns){.n = 0};
	if (!host) /* forgotten since it was selected */
		return 0;
	if (!table)
		return fw_fail(err, -ENOENT, "the host has no such series");
	struct reading r = {
		.store = store,
		.group = group,
		.from_ms = from_ms,
		.to_ms = to_ms,
		.arena = arena,
	};
	int rc = read_all(&r, table, out);
	reading_done(&r);
	if (rc == -ENOMEM)
		return fw_fail(err, rc, "the question needs more memory than it may have");
	return rc < 0 ? fw_fail_sys(err, rc, "cannot read the store") : 0;
}

int store_latest(struct store *store, const struct store_group *group, struct fw_arena *arena,
	int64_t *at_ms, int64_t **cells)
{
	struct host *host = hosts_known(&store->hosts, group->host);
	const struct table *table = host ? host_table(host, group->schema_id) : NULL;
	if (!table)
		return -ENODATA;
	int64_t *copy = fw_arena_try(arena, group->n_columns * sizeof *copy + 1);
	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&host->lock);
	bool known = table_is_current(table);
	for (size_t c = 0; c < group->n_columns && known; c++)
		copy[c] = table->last[group->columns[c]];
	int64_t newest_ms = table->last_ms;
	pthread_mutex_unlock(&host->lock);
	if (!known)
		return -ENODATA;
	*at_ms = newest_ms;
	*cells = copy;
	return 0;
}
