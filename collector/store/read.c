/* SPDX-License-Identifier: Apache-2.0 */
/* Sweeps of one group, put together from runs in memory and blocks on disk.
 *
 * Memory is looked at first and the ring second: a run becomes a block between
 * the two at worst, and is then seen twice, never not at all. Only then is
 * anything decoded, piece after piece in the order of time, each just behind the
 * one before: so the answer lies there when the last is read. Every piece knows
 * where its records lie in the log; of equal times the one logged last wins.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/mem.h>

#include "foreign.h"
#include "reading.h"

/* A row of the room. */
struct joined_row {
	int64_t at_ms;
	uint64_t logged;
	size_t index;
	enum store_tier tier;
};

void reading_add(struct reading *r, const struct piece *piece)
{
	if (r->n_pieces == r->pieces_capacity) {
		r->pieces_capacity = 2 * r->pieces_capacity + 32;
		r->pieces = fw_realloc(r->pieces, r->pieces_capacity * sizeof *r->pieces);
	}
	r->pieces[r->n_pieces++] = *piece;
}

/* ---- memory ---- */

/* Copies the batches of a run, as the writer may forget it when the lock is gone. */
static struct held *copy_run(struct reading *r, const struct run *run)
{
	struct held *first = NULL, **end = &first;
	for (const struct held *held = run->first; held; held = held->next) {
		struct held *copy = fw_arena_room(&r->scratch, sizeof *copy + held->length);
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
	struct foreign_column *columns; /* those asked for, of a run of series from elsewhere */
	bool foreign;
	struct columns_cells woven; /* of these columns */
	uint32_t n_sweeps;
	int64_t t0_ms;
	uint64_t logged;
};

static int read_batches(struct reading *r, const struct piece *piece, const struct body_room *to)
{
	const struct copied_run *run = piece->from;
	const struct store_group *group = r->group;
	return run->held ? run_decode_some(run->held, group->schema->n_columns, group->columns,
				   group->n_columns, &r->scratch, to, run->n_sweeps)
			 : -ENOMEM;
}

static int read_woven(struct reading *r, const struct piece *piece, const struct body_room *to)
{
	const struct columns_cells *woven = &((const struct copied_run *)piece->from)->woven;
	size_t n = woven->n_sweeps;
	if (n > 0)
		memcpy(to->times_ms, woven->times_ms, n * sizeof *to->times_ms);
	for (size_t c = 0; c < r->group->n_columns && n > 0; c++)
		memcpy(to->cells + c * to->to_column, woven->cells + c * woven->to_column,
			n * sizeof *to->cells);
	return (int)n;
}

static struct foreign_column *copy_columns(struct reading *r, const struct run *run)
{
	size_t n = r->group->n_columns;
	struct foreign_column *copies = fw_arena_try(&r->scratch, n * sizeof *copies + 1);
	for (size_t i = 0; copies && i < n; i++) {
		struct foreign_column *copy = &copies[i];
		*copy = run->columns[r->group->columns[i]];
		uint8_t *data = fw_arena_room(&r->scratch, copy->length + 1);
		if (!data)
			return NULL;
		if (copy->length)
			memcpy(data, copy->data, copy->length);
		copy->data = data;
	}
	return copies;
}

/* Those within the times, the newest first. */
static struct copied_run *copy_runs(struct reading *r, const struct table *table)
{
	struct copied_run *copies = NULL;
	pthread_mutex_lock(&table->host->lock);
	for (const struct run *run = table->first; run; run = run->next) {
		if (run->t0_ms > r->to_ms || run->t1_ms < r->from_ms)
			continue;
		struct copied_run *copy = fw_arena_alloc(&r->scratch, sizeof *copy);
		*copy = (struct copied_run){
			.next = copies,
			.held = run->columns ? NULL : copy_run(r, run),
			.columns = run->columns ? copy_columns(r, run) : NULL,
			.foreign = run->columns,
			.n_sweeps = run->n_sweeps,
			.t0_ms = run->t0_ms,
			.logged = run->logged_to,
		};
		copies = copy;
	}
	pthread_mutex_unlock(&table->host->lock);
	return copies;
}

static int weave(struct reading *r, struct copied_run *run)
{
	size_t n = r->group->n_columns;
	struct foreign_strand *strands =
		run->columns ? foreign_unravel(run->columns, n, &r->scratch) : NULL;
	int rc = strands ? foreign_weave(strands, n, &r->scratch, &run->woven) : -ENOMEM;
	run->n_sweeps = run->woven.n_sweeps;
	return rc;
}

int reading_memory(struct reading *r, const struct table *table)
{
	int rc = 0;
	for (struct copied_run *run = copy_runs(r, table); run && rc >= 0; run = run->next) {
		if (run->foreign)
			rc = weave(r, run);
		reading_add(r,
			&(struct piece){.t0_ms = run->t0_ms,
				.logged = run->logged,
				.most = run->n_sweeps,
				.read = run->foreign ? read_woven : read_batches,
				.from = run});
	}
	return rc;
}

/* ---- blocks ---- */

int reading_find(struct reading *r, enum store_tier tier, bool undigested, int64_t from_ms,
	int64_t to_ms, struct ring_places *out)
{
	const struct ring_question question = {
		r->group->host, r->group->schema_id, from_ms, to_ms, false};
	size_t kept = 0;
	out->n = 0;
	int rc = ring_find(&r->store->rings.tiers[tier], &question, out);
	for (size_t i = 0; i < out->n; i++)
		if (!undigested || !out->at[i].digested)
			out->at[kept++] = out->at[i];
	out->n = kept;
	if (rc != -EBADMSG)
		return rc;
	r->damaged++;
	store_unread(r->store, &out->unsound);
	return 0;
}

int reading_goes_on(const struct reading *r)
{
	return r->patience && r->patience->is_over(r->patience->arg) ? -ECANCELED : 0;
}

int reading_pass_over(struct reading *r, const struct ring_place *place, int rc)
{
	if (rc >= 0 || rc == -ESTALE || rc == -ENOMEM)
		return rc;
	r->damaged++;
	store_unread(r->store, place);
	return 0;
}

/* The front says where the columns lie: the rest is not read. */
static int read_groups(struct reading *r, struct ring *ring, const struct ring_place *place,
	uint32_t n_columns, const uint32_t *wanted, size_t n_wanted, const struct body_room *room)
{
	struct columns columns;
	const uint8_t *bytes;
	size_t length;
	int rc = ring_read_front(
		ring, place, columns_likely_front(n_columns), &r->block, &bytes, &length);
	if (rc >= 0)
		rc = columns_open_groups(&columns, bytes, length, place->ref.n_sweeps, n_columns);
	if (rc >= 0)
		rc = columns_times(&columns, room->times_ms);
	if (rc < 0 || n_wanted == 0)
		return rc;
	const struct columns_span span = columns_find(&columns, wanted, n_wanted);
	rc = ring_read_span(ring, place, span.from, span.length, &r->span, &bytes);
	if (rc >= 0)
		rc = columns_read_span(
			&columns, &span, bytes, wanted, n_wanted, room->cells, room->to_column);
	return rc == -EBADMSG ? ring_unsound(ring, place) : rc;
}

int reading_block(struct reading *r, const struct ring_place *place, uint32_t n_columns,
	const uint32_t *wanted, size_t n_wanted, const struct body_room *room)
{
	struct ring *ring = &r->store->rings.tiers[place->tier];
	const uint8_t *body;
	size_t length;
	if (place->ref.flags & BLOCK_GROUPS)
		return read_groups(r, ring, place, n_columns, wanted, n_wanted, room);
	int rc = ring_read(ring, place, &r->block, &body, &length);
	return rc < 0 ? rc
		      : body_read_to(&r->body, &place->ref, body, length, n_columns, wanted,
				n_wanted, room);
}

static int read_block(struct reading *r, const struct piece *piece, const struct body_room *to)
{
	const struct ring_place *place = piece->from;
	int rc = reading_block(
		r, place, r->group->schema->n_columns, r->group->columns, r->group->n_columns, to);
	return rc < 0 ? reading_pass_over(r, place, rc) : place->ref.n_sweeps;
}

int reading_raw(struct reading *r)
{
	int rc = reading_find(r, STORE_RAW, r->undigested, r->from_ms, r->to_ms, &r->sweep_places);
	for (size_t i = 0; i < r->sweep_places.n; i++) {
		const struct ring_place *place = &r->sweep_places.at[i];
		reading_add(r,
			&(struct piece){.t0_ms = place->ref.t0_ms,
				.logged = place->ref.logged_to,
				.most = place->ref.n_sweeps,
				.read = read_block,
				.from = place});
	}
	return rc;
}

/* ---- putting together ---- */

/* Room for n sweeps. */
static int make_room(struct reading *r, size_t n)
{
	size_t cells;
	if (__builtin_mul_overflow(n + 1, r->group->n_columns + 1, &cells) ||
		cells > SIZE_MAX / sizeof(int64_t))
		return -ENOMEM;
	int64_t *room = fw_arena_room(r->arena, cells * sizeof *room);
	r->room = (struct body_room){room, room + n, n};
	return room ? 0 : -ENOMEM;
}

static int by_first_time(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	return x->t0_ms < y->t0_ms ? -1 : x->t0_ms > y->t0_ms;
}

/* One that was written over meanwhile is left out, and told when the others are read. */
static int read_pieces(struct reading *r)
{
	int rc = 0;
	for (size_t i = 0; i < r->n_pieces; i++) {
		struct piece *piece = &r->pieces[i];
		const struct body_room rest = {
			r->room.times_ms + r->n_rows, r->room.cells + r->n_rows, r->room.to_column};
		int n = reading_goes_on(r);
		if (n >= 0)
			n = piece->read(r, piece, &rest);
		if (n < 0 && n != -ESTALE)
			return n;
		rc = n < 0 ? n : rc;
		piece->first = r->n_rows;
		piece->n = n < 0 ? 0 : (size_t)n;
		r->n_rows += piece->n;
	}
	return rc;
}

/* False when two pieces cover the same times. */
static bool is_ascending(const struct reading *r)
{
	const int64_t *times_ms = r->room.times_ms;
	for (size_t i = 0; i < r->n_pieces; i++) {
		size_t first = r->pieces[i].first;
		if (r->pieces[i].n > 0 && first > 0 && times_ms[first] <= times_ms[first - 1])
			return false;
	}
	return true;
}

static int by_time(const void *a, const void *b)
{
	const struct joined_row *x = a, *y = b;
	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	if (x->logged != y->logged)
		return x->logged < y->logged ? 1 : -1;
	return (int)x->tier - (int)y->tier;
}

/* Of equal times the row logged last stands first; returns how many times there are. */
static size_t list_rows(const struct reading *r, struct joined_row *rows)
{
	size_t n = 0, times = 0;
	for (size_t p = 0; p < r->n_pieces; p++) {
		const struct piece *piece = &r->pieces[p];
		for (size_t i = piece->first; i < piece->first + piece->n; i++)
			rows[n++] = (struct joined_row){
				r->room.times_ms[i], piece->logged, i, piece->tier};
	}
	qsort(rows, n, sizeof *rows, by_time);
	for (size_t i = 0; i < n; i++)
		times += i == 0 || rows[i].at_ms != rows[i - 1].at_ms;
	return times;
}

/* Of equal times the first row counts. */
static void join_cells(const struct joined_row *rows, size_t n, const int64_t *from, int64_t *to)
{
	for (size_t i = 0; i < n; i++)
		if (i == 0 || rows[i].at_ms != rows[i - 1].at_ms)
			*to++ = from[rows[i].index];
}

/* Where series stand for themselves it is the first one that says something. The time of a
 * tier's row is that of its bundle's newest series: what it says of another may be older than
 * what a finer tier has just before. */
static void join_alone(const struct joined_row *rows, size_t n, const int64_t *from, int64_t *to)
{
	int64_t newest_ms[STORE_TIERS] = {
		INT64_MIN, INT64_MIN, INT64_MIN}; /* that each tier or a finer one says */
	for (size_t i = 0; i < n; i++) {
		const struct joined_row *row = &rows[i];
		int64_t cell = from[row->index];
		if (row->tier > STORE_RAW &&
			row->at_ms < newest_ms[row->tier - 1] + STORE_FIVE_MINUTE_MS)
			cell = FW_ABSENT;
		for (int tier = (int)row->tier; cell != FW_ABSENT && tier < STORE_TIERS; tier++)
			newest_ms[tier] = row->at_ms;
		if (i == 0 || row->at_ms != rows[i - 1].at_ms)
			*to++ = cell;
		else if (to[-1] == FW_ABSENT)
			to[-1] = cell;
	}
}

static void join_times(const struct joined_row *rows, size_t n, int64_t *to)
{
	for (size_t i = 0; i < n; i++)
		if (i == 0 || rows[i].at_ms != rows[i - 1].at_ms)
			*to++ = rows[i].at_ms;
}

/* Pieces that cover the same times: row by row, into another room. */
static int join_rows(struct reading *r)
{
	struct joined_row *rows = fw_try_alloc((r->n_rows + 1) * sizeof *rows);
	if (!rows)
		return -ENOMEM;
	const struct body_room from = r->room;
	void (*join)(const struct joined_row *rows, size_t n, const int64_t *from, int64_t *to) =
		schema_is_foreign(r->group->schema) ? join_alone : join_cells;
	size_t n = r->n_rows;
	r->n_rows = list_rows(r, rows);
	int rc = make_room(r, r->n_rows);
	if (rc >= 0)
		join_times(rows, n, r->room.times_ms);
	for (size_t c = 0; rc >= 0 && c < r->group->n_columns; c++)
		join(rows, n, from.cells + c * from.to_column,
			r->room.cells + c * r->room.to_column);
	fw_free(rows);
	return rc;
}

/* What lies within the times. */
static int answer(struct reading *r, struct store_columns *out)
{
	size_t first = 0, end = r->n_rows, n_columns = r->group->n_columns;
	const int64_t **columns = fw_arena_room(r->arena, n_columns * sizeof *columns + 1);
	if (!columns)
		return -ENOMEM;
	while (first < end && r->room.times_ms[first] < r->from_ms)
		first++;
	while (end > first && r->room.times_ms[end - 1] > r->to_ms)
		end--;
	for (size_t c = 0; c < n_columns; c++)
		columns[c] = r->room.cells + c * r->room.to_column + first;
	*out = (struct store_columns){
		.n = end - first,
		.times_ms = r->room.times_ms + first,
		.cells = columns,
		.damaged_blocks = r->damaged,
		.tier = r->coarsest,
	};
	return 0;
}

int reading_take(struct reading *r, struct store_columns *out)
{
	size_t most = 0;
	for (size_t i = 0; i < r->n_pieces; i++)
		most += r->pieces[i].most;
	if (r->n_pieces)
		qsort(r->pieces, r->n_pieces, sizeof *r->pieces, by_first_time);
	int rc = make_room(r, most), missed = 0;
	if (rc >= 0)
		rc = missed = read_pieces(r);
	if ((rc >= 0 || rc == -ESTALE) && !is_ascending(r))
		rc = join_rows(r);
	if (rc >= 0 || rc == -ESTALE)
		rc = answer(r, out);
	return rc < 0 ? rc : missed;
}

void reading_clear(struct reading *r)
{
	fw_arena_reset(&r->scratch);
	r->n_pieces = r->n_rows = r->damaged = 0;
	r->coarsest = STORE_RAW;
}

void reading_done(struct reading *r)
{
	fw_arena_done(&r->scratch);
	fw_free(r->pieces);
	fw_buf_done(&r->block);
	fw_buf_done(&r->span);
	fw_free(r->sweep_places.at);
	fw_free(r->row_places.at);
	body_done(&r->body);
}

/* Memory first, so that a run that becomes a block meanwhile is seen twice at worst. */
static int look(struct reading *r, const struct table *table, struct store_columns *out)
{
	reading_clear(r);
	int found = reading_memory(r, table);
	if (found >= 0)
		found = reading_raw(r);
	if (found >= 0)
		found = reading_tiers(r);
	if (found < 0 && found != -ESTALE)
		return found;
	int rc = reading_take(r, out);
	return rc < 0 ? rc : found;
}

/* What a digest moves while it is looked at lies elsewhere at the next look. */
static int read_all(struct reading *r, const struct table *table, struct store_columns *out)
{
	int rc = -ESTALE;
	for (int looks = 0; looks < READING_LOOKS && rc == -ESTALE; looks++)
		rc = look(r, table, out);
	return rc == -ESTALE ? 0 : rc;
}

/* What the store keeps of series that stand for themselves, as others know it. */
static int64_t told_as(int64_t cell)
{
	return cell == FW_ABSENT ? STORE_UNSAID : cell == STORE_ENDED ? FW_ABSENT : cell;
}

static void tell_alone(const struct reading *r, struct store_columns *columns)
{
	for (size_t c = 0; c < r->group->n_columns; c++) {
		int64_t *cells = r->room.cells + c * r->room.to_column;
		for (size_t i = 0; i < r->n_rows; i++) {
			columns->unsaid |= cells[i] == FW_ABSENT;
			cells[i] = told_as(cells[i]);
		}
	}
}

int reading_told(int rc, struct fw_err *err)
{
	if (rc == -ENOMEM)
		return fw_fail(err, rc, "the question needs more memory than it may have");
	if (rc == -ECANCELED)
		return fw_fail(err, rc, "the question was given up");
	return rc < 0 ? fw_fail_sys(err, rc, "cannot read the store") : 0;
}

int store_read(struct store *store, const struct store_group *group, int64_t from_ms, int64_t to_ms,
	const struct store_patience *patience, struct fw_arena *arena, struct store_columns *out,
	struct fw_err *err)
{
	*out = (struct store_columns){.n = 0};
	if (!hosts_known(&store->hosts, group->host)) /* forgotten since it was selected */
		return 0;
	struct reading r = {
		.store = store,
		.group = group,
		.from_ms = from_ms,
		.to_ms = to_ms,
		.patience = patience,
		.arena = arena,
	};
	int rc = read_all(&r, group->table, out);
	if (rc >= 0 && schema_is_foreign(group->schema))
		tell_alone(&r, out);
	reading_done(&r);
	return reading_told(rc, err);
}

void store_expect(const struct store_group *group, bool at_once)
{
	if (at_once) {
		__builtin_prefetch(group->table->host);
	} else {
		__builtin_prefetch(group->table);
		__builtin_prefetch(&group->table->ended);
	}
}

int store_latest(struct store *store, const struct store_group *group, struct fw_arena *arena,
	int64_t *at_ms, int64_t **cells)
{
	struct host *host = hosts_known(&store->hosts, group->host);
	const struct table *table = group->table;
	if (!host)
		return -ENODATA;
	int64_t *copy = fw_arena_try(arena, group->n_columns * sizeof *copy + 1);
	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&host->lock);
	bool known = table_is_current(table);
	for (size_t c = 0; c < group->n_columns && known; c++) {
		copy[c] = table->last[group->columns[c]];
		if (schema_is_foreign(group->schema))
			copy[c] = told_as(copy[c]);
		known = copy[c] != STORE_UNSAID;
	}
	int64_t newest_ms = table->last_ms;
	pthread_mutex_unlock(&host->lock);
	if (!known)
		return -ENODATA;
	*at_ms = newest_ms;
	*cells = copy;
	return 0;
}
