/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of many blocks are sorted by time, joined as a digest joins them, and told
 * column by column. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>

#include "rows.h"

/* Row after row, as they came. */
struct kept_rows {
	struct kept_rows *next;
	size_t order;
	uint32_t n;
	int64_t *times_ms, *cells;
};

struct place {
	int64_t time_ms;
	size_t order;
	const int64_t *cells;
};

static void keep_row(const struct columns_cells *rows, uint32_t i, struct kept_rows *kept)
{
	int64_t *to = kept->cells + (size_t)kept->n * rows->n_columns;
	for (uint32_t c = 0; c < rows->n_columns; c++)
		to[c] = rows->cells[c * rows->to_column + i * rows->to_sweep];
	kept->times_ms[kept->n++] = rows->times_ms[i];
}

int rows_reader_add(struct rows_reader *reader, const struct columns_cells *rows, int64_t from_ms,
	int64_t to_ms)
{
	int rc = rows_check(rows, reader->columns, reader->n_columns, reader->bucket_ms);
	if (rc < 0)
		return rc;
	struct kept_rows *kept = fw_arena_try(reader->arena, sizeof *kept);
	size_t n_cells = (size_t)rows->n_sweeps * (rows->n_columns + 1);
	int64_t *room = kept ? fw_arena_try(reader->arena, n_cells * sizeof *room + 1) : NULL;
	if (!room)
		return -ENOMEM;
	*kept = (struct kept_rows){
		.next = reader->pieces,
		.order = reader->pieces ? reader->pieces->order + 1 : 0,
		.times_ms = room,
		.cells = room + rows->n_sweeps,
	};
	for (uint32_t i = 0; i < rows->n_sweeps; i++)
		if (rows->times_ms[i] >= from_ms && rows->times_ms[i] <= to_ms)
			keep_row(rows, i, kept);
	reader->pieces = kept;
	reader->n += kept->n;
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void sort_rows(const struct rows_reader *reader, struct place *places)
{
	size_t width = rows_width(reader->n_columns);
	struct place *at = places;
	for (const struct kept_rows *kept = reader->pieces; kept; kept = kept->next)
		for (uint32_t i = 0; i < kept->n; i++)
			*at++ = (struct place){
				kept->times_ms[i], kept->order, kept->cells + i * width};
	qsort(places, reader->n, sizeof *places, by_time);
}

/* One by one, so that those at the same time which do not go together stay apart. */
static void join_sorted(
	const struct rows_reader *reader, const struct place *places, struct rows *rows)
{
	for (size_t i = 0; i < reader->n; i++) {
		const struct columns_cells one = {
			.times_ms = &places[i].time_ms,
			.cells = places[i].cells,
			.to_column = 1,
			.n_sweeps = 1,
			.n_columns = rows_width(reader->n_columns),
		};
		if (rows_add_rows(rows, &one) == 1)
			continue;
		rows_close(rows);
		rows_add_rows(rows, &one);
	}
	rows_close(rows);
}

/* ---- the answer ---- */

static const int64_t *column_of(const struct rows *rows, uint32_t c)
{
	return rows->cells + (size_t)c * rows->most;
}

/* Five arrays of a column, one behind the other. */
static void tell_column(const struct rows *rows, uint32_t c, int64_t *to)
{
	uint32_t n = rows->n;
	for (uint32_t i = 0; i < n; i++) {
		int64_t cells[TOTALS_CELLS];
		struct totals_told told;
		for (uint32_t k = 0; k < TOTALS_CELLS; k++)
			cells[k] = column_of(rows, rows_width(c) + k)[i];
		totals_tell(rows->columns[c].type,
			&(struct totals_part){cells, llabs(column_of(rows, 1)[i])}, &told);
		to[i] = told.n;
		to[n + i] = told.last;
		to[2 * n + i] = told.lowest;
		to[3 * n + i] = told.highest;
		to[4 * n + i] = told.sum;
	}
}

static struct store_rows_column name_arrays(uint8_t type, const int64_t *at, size_t n)
{
	struct store_rows_column column = {.count = at, .last = at + n};
	if (totals_keep_resets(type)) {
		column.first = at + 2 * n;
		column.increase = at + 3 * n;
	} else {
		column.min = at + 2 * n;
		column.max = at + 3 * n;
	}
	if (totals_keep_sum(type))
		column.sum = at + 4 * n;
	return column;
}

static void tell_rows(const struct rows *rows, int64_t *first_ms, int64_t *last_ms, bool *overlaps)
{
	for (uint32_t i = 0; i < rows->n; i++) {
		last_ms[i] = rows->times_ms[i];
		first_ms[i] = last_ms[i] - column_of(rows, 0)[i];
		overlaps[i] = column_of(rows, 1)[i] < 0;
	}
}

static int tell(const struct rows_reader *reader, const struct rows *rows, struct store_rows *out)
{
	size_t n = rows->n, n_columns = rows->n_columns;
	struct store_rows_column *columns =
		fw_arena_try(reader->arena, n_columns * sizeof *columns + 1);
	bool *overlaps = fw_arena_try(reader->arena, n + 1);
	size_t n_cells = n * (2 + TOTALS_CELLS * n_columns);
	int64_t *room = fw_arena_try(reader->arena, n_cells * sizeof *room + 1);
	if (!columns || !overlaps || !room)
		return -ENOMEM;
	tell_rows(rows, room, room + n, overlaps);
	*out = (struct store_rows){n, room, room + n, overlaps, columns, 0};
	room += 2 * n;
	for (uint32_t c = 0; c < n_columns; c++, room += TOTALS_CELLS * n) {
		tell_column(rows, c, room);
		columns[c] = name_arrays(rows->columns[c].type, room, n);
	}
	return 0;
}

int rows_reader_answer(const struct rows_reader *reader, struct store_rows *out)
{
	struct rows rows = {0};
	int rc = reader->n < UINT32_MAX ? rows_begin(&rows, reader->columns, reader->n_columns,
						  reader->bucket_ms, (uint32_t)reader->n + 1)
					: -ENOMEM;
	if (rc < 0)
		return rc;
	struct place *places = fw_try_alloc((reader->n + 1) * sizeof *places);
	rc = -ENOMEM;
	if (places) {
		sort_rows(reader, places);
		join_sorted(reader, places, &rows);
		rc = tell(reader, &rows, out);
	}
	fw_free(places);
	rows_done(&rows);
	return rc;
}
