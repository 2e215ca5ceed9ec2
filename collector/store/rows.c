/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <fenwatch/batch.h>

static const struct fw_column plain = {.name = "", .factor = 1};

void rows_columns(const struct fw_column *columns, uint32_t n_columns, struct fw_column *out)
{
	for (uint32_t i = 0; i < ROWS_SHARED; i++)
		*out++ = plain;
	for (uint32_t c = 0; c < n_columns; c++)
		for (uint32_t i = 0; i < TOTALS_CELLS; i++) {
			*out = plain;
			out++->type = i == 0 ? 0 : columns[c].type & FW_DOUBLE;
		}
}

void rows_wanted(const uint32_t *chosen, uint32_t n, uint32_t *out)
{
	for (uint32_t i = 0; i < ROWS_SHARED; i++)
		*out++ = i;
	for (uint32_t c = 0; c < n; c++)
		for (uint32_t i = 0; i < TOTALS_CELLS; i++)
			*out++ = rows_width(chosen[c]) + i;
}

/* ---- one row ---- */

static int64_t *cells_of(const struct row *row, uint32_t column)
{
	return row->cells + rows_width(column);
}

static int64_t first_ms(const struct row *row)
{
	return row->time_ms - row->cells[0];
}

static int64_t sweeps_of(const struct row *row)
{
	return row->cells[1] < 0 ? -row->cells[1] : row->cells[1];
}

/* Of the sweeps from `first` on, how many lie in the bucket of the first. */
static uint32_t sweeps_in_bucket(
	const struct rows *rows, const struct columns_cells *sweeps, uint32_t first)
{
	int64_t bucket = rows_bucket(sweeps->times_ms[first], rows->bucket_ms);
	uint32_t n = 1;
	while (n < TOTALS_SLICE && first + n < sweeps->n_sweeps &&
		rows_bucket(sweeps->times_ms[first + n], rows->bucket_ms) == bucket)
		n++;
	return n;
}

/* Side by side, copied if they are not. */
static const int64_t *slice(const struct columns_cells *source, uint32_t column, uint32_t first,
	uint32_t n, int64_t *room)
{
	const int64_t *at = source->cells + column * source->to_column + first * source->to_sweep;
	if (source->to_sweep == 1)
		return at;
	for (uint32_t i = 0; i < n; i++)
		room[i] = at[i * source->to_sweep];
	return room;
}

/* A column whose sums would not fit makes the row shorter for all; then all are done
 * again, and fit. */
static uint32_t make_row(const struct rows *rows, const struct columns_cells *sweeps,
	uint32_t first, struct row *row)
{
	int64_t room[TOTALS_SLICE];
	uint32_t n = sweeps_in_bucket(rows, sweeps, first), before;
	do {
		before = n;
		for (uint32_t c = 0; c < rows->n_columns; c++)
			n = totals_take(rows->columns[c].type, slice(sweeps, c, first, n, room), n,
				cells_of(row, c));
	} while (n < before);
	row->time_ms = sweeps->times_ms[first + n - 1];
	row->cells[0] = row->time_ms - sweeps->times_ms[first];
	row->cells[1] = n;
	return n;
}

/* ---- joining ---- */

static enum totals_order order_of(const struct row *a, const struct row *b)
{
	if (first_ms(b) > a->time_ms)
		return TOTALS_BEHIND;
	return first_ms(b) >= first_ms(a) ? TOTALS_ACROSS : TOTALS_AROUND;
}

/* Of two rows of a bucket; `b` ends last. */
static bool join_rows(
	const struct rows *rows, const struct row *a, const struct row *b, struct row *out)
{
	enum totals_order order = order_of(a, b);
	int64_t n_a = sweeps_of(a), n_b = sweeps_of(b), n = n_a + n_b;
	bool exact = order == TOTALS_BEHIND && a->cells[1] > 0 && b->cells[1] > 0;
	if (n > UINT32_MAX)
		return false;
	for (uint32_t c = 0; c < rows->n_columns; c++)
		if (!totals_join(rows->columns[c].type, &(struct totals_part){cells_of(a, c), n_a},
			    &(struct totals_part){cells_of(b, c), n_b}, order, cells_of(out, c)))
			return false;
	out->time_ms = b->time_ms;
	out->cells[0] = b->time_ms - first_ms(order == TOTALS_AROUND ? b : a);
	out->cells[1] = exact ? n : -n;
	return true;
}

static void swap(struct row *a, struct row *b)
{
	struct row t = *a;
	*a = *b;
	*b = t;
}

static bool continues(const struct rows *rows)
{
	return rows->is_open &&
		rows_bucket(rows->open.time_ms, rows->bucket_ms) ==
		rows_bucket(rows->fresh.time_ms, rows->bucket_ms);
}

/* The fresh row goes into the open one, if it can. */
static bool join_fresh(struct rows *rows)
{
	if (!continues(rows))
		return false;
	const struct row *a = &rows->open, *b = &rows->fresh;
	bool turned = b->time_ms < a->time_ms;
	if (!join_rows(rows, turned ? b : a, turned ? a : b, &rows->joined))
		return false;
	swap(&rows->open, &rows->joined);
	return true;
}

/* Joined or behind the others; false: not here. In a block times ascend. */
static bool take_fresh(struct rows *rows)
{
	if (join_fresh(rows))
		return true;
	if (rows->is_open &&
		(rows->n + 1 == rows->most || rows->fresh.time_ms <= rows->open.time_ms))
		return false;
	rows_close(rows);
	assert(rows->n < rows->most);
	swap(&rows->open, &rows->fresh);
	rows->is_open = true;
	return true;
}

/* ---- rows ---- */

int rows_begin(struct rows *rows, const struct fw_column *columns, uint32_t n_columns,
	int64_t bucket_ms, uint32_t most)
{
	size_t width = rows_width(n_columns);
	int64_t *room = scratch_take(&rows->room, (width + 1) * most + 3 * width);
	if (!room)
		return -ENOMEM;
	rows->columns = columns;
	rows->n_columns = n_columns;
	rows->bucket_ms = bucket_ms;
	rows->most = most;
	rows->times_ms = room;
	rows->cells = room + most;
	rows->open.cells = rows->cells + width * most;
	rows->fresh.cells = rows->open.cells + width;
	rows->joined.cells = rows->fresh.cells + width;
	rows_clear(rows);
	return 0;
}

void rows_done(struct rows *rows)
{
	fw_free(rows->room.cells);
	*rows = (struct rows){0};
}

void rows_close(struct rows *rows)
{
	if (!rows->is_open)
		return;
	rows->times_ms[rows->n] = rows->open.time_ms;
	for (uint32_t i = 0; i < rows_width(rows->n_columns); i++)
		rows->cells[(size_t)i * rows->most + rows->n] = rows->open.cells[i];
	rows->n++;
	rows->is_open = false;
}

void rows_clear(struct rows *rows)
{
	rows->n = 0;
	rows->is_open = false;
}

struct columns_cells rows_cells(const struct rows *rows)
{
	return (struct columns_cells){
		.times_ms = rows->times_ms,
		.cells = rows->cells,
		.to_column = rows->most,
		.to_sweep = 1,
		.n_sweeps = rows->n,
		.n_columns = rows_width(rows->n_columns),
	};
}

uint32_t rows_add_sweeps(struct rows *rows, const struct columns_cells *sweeps)
{
	uint32_t done = 0;
	while (done < sweeps->n_sweeps) {
		uint32_t n = make_row(rows, sweeps, done, &rows->fresh);
		if (!take_fresh(rows))
			break;
		done += n;
	}
	return done;
}

/* ---- rows from rows ---- */

/* Can a tier have such a row? */
static bool is_sound(const struct row *row, const struct fw_column *columns, uint32_t n_columns,
	int64_t bucket_ms)
{
	int64_t first, span = row->cells[0], n = row->cells[1];
	if (span < 0 || n == 0 || n > UINT32_MAX || n < -(int64_t)UINT32_MAX ||
		__builtin_sub_overflow(row->time_ms, span, &first) ||
		rows_bucket(first, bucket_ms) != rows_bucket(row->time_ms, bucket_ms))
		return false;
	for (uint32_t c = 0; c < n_columns; c++)
		if (!totals_check(columns[c].type,
			    &(struct totals_part){cells_of(row, c), sweeps_of(row)}))
			return false;
	return true;
}

static void copy_row(
	const struct columns_cells *source, uint32_t i, uint32_t n_columns, struct row *row)
{
	const int64_t *at = source->cells + i * source->to_sweep;
	row->time_ms = source->times_ms[i];
	for (uint32_t c = 0; c < rows_width(n_columns); c++)
		row->cells[c] = at[c * source->to_column];
}

uint32_t rows_add_rows(struct rows *rows, const struct columns_cells *finer)
{
	uint32_t done = 0;
	for (; done < finer->n_sweeps; done++) {
		copy_row(finer, done, rows->n_columns, &rows->fresh);
		if (!take_fresh(rows))
			break;
	}
	return done;
}

int rows_check(const struct columns_cells *cells, const struct fw_column *columns,
	uint32_t n_columns, int64_t bucket_ms)
{
	struct row row = {.cells = fw_try_alloc(rows_width(n_columns) * sizeof *row.cells)};
	if (!row.cells)
		return -ENOMEM;
	int rc = 0;
	for (uint32_t i = 0; i < cells->n_sweeps && rc == 0; i++) {
		copy_row(cells, i, n_columns, &row);
		if (!is_sound(&row, columns, n_columns, bucket_ms))
			rc = -EBADMSG;
	}
	fw_free(row.cells);
	return rc;
}
