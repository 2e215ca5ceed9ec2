/* Rows: what a tier keeps of the sweeps of one host under one schema.
 *
 * Time is cut into buckets. Each begins just after a multiple of its length, as the
 * ranges of PromQL do, so that these are whole buckets. A row stands for the sweeps of
 * one bucket: it has the time of its last sweep, two cells of its own and five of each
 * column (totals.h). So rows are to the store what sweeps are, of a schema with 2 + 5 n
 * columns, and lie in blocks as those do. A bucket has one row as a rule. It has more
 * where its sweeps came at different times, or where sums would not fit; rows are joined
 * like sweeps, and rows of an hour are made from rows of five minutes.
 *
 *   cell 0       ms from the first sweep to the last
 *   cell 1       sweeps; negative: of rows that overlapped in time, and so not exact
 *   cell 2 + 5 c ...  column c
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#include "body.h"
#include "columns.h"
#include "store.h"
#include "totals.h"

#define ROWS_SHARED 2

static inline uint32_t rows_width(uint32_t n_columns)
{
	return ROWS_SHARED + TOTALS_CELLS * n_columns;
}

/* The columns of rows, as columns_pack() wants to know them: rows_width() of them. */
void rows_columns(const struct fw_column *columns, uint32_t n_columns, struct fw_column *out);
/* The columns of rows that hold the `n` columns `chosen`, as body_read() wants them:
 * rows_width(n) of them. */
void rows_wanted(const uint32_t *chosen, uint32_t n, uint32_t *out);

/* The number of the bucket of a time: (number - 1) * bucket_ms < time <= number * bucket_ms. */
static inline int64_t rows_bucket(int64_t time_ms, int64_t bucket_ms)
{
	return time_ms / bucket_ms + (time_ms % bucket_ms > 0);
}

struct row {
	int64_t time_ms, *cells;
};

/* Rows in the making. The newest is open, what comes next may belong to it; the others
 * are done and lie column after column: `cells` has `most` places for each. */
struct rows {
	const struct fw_column *columns;
	uint32_t n_columns;
	int64_t bucket_ms;
	uint32_t n, most;
	int64_t *times_ms, *cells;
	bool is_open;
	struct row open, fresh, joined;
	struct scratch room; /* all of it, kept from one use to the next */
};

/* Of these columns, which must live as long; room for `most` rows. Zeroed before the first
 * use; what was in it before is gone. -ENOMEM. */
int rows_begin(struct rows *rows, const struct fw_column *columns, uint32_t n_columns,
	int64_t bucket_ms, uint32_t most);
void rows_done(struct rows *rows);

/* Both take what comes behind the rows that are there, in the order of time, and return
 * how many they took: fewer when the rest is for another block. Then close, pack, clear,
 * and go on. Rows must have passed rows_check(). */
uint32_t rows_add_sweeps(struct rows *rows, const struct columns_cells *sweeps);
uint32_t rows_add_rows(struct rows *rows, const struct columns_cells *finer);
/* The open row is done, too. */
void rows_close(struct rows *rows);
void rows_clear(struct rows *rows);
/* Those that are done, to be packed. */
struct columns_cells rows_cells(const struct rows *rows);

/* Rows as a disk gave them, of buckets of this length. -EBADMSG: no tier has such rows. */
int rows_check(const struct columns_cells *cells, const struct fw_column *columns,
	uint32_t n_columns, int64_t bucket_ms);

/* ---- reading ---- */

/* Rows from many blocks, put together: one a bucket, but where sums do not fit. */
struct rows_reader {
	const struct fw_column *columns; /* those asked for */
	uint32_t n_columns;
	int64_t bucket_ms;
	struct fw_arena *arena; /* for what is kept and answered */
	struct kept_rows *pieces;
	size_t n; /* rows */
};

/* Keeps a copy of the rows with times from `from_ms` to `to_ms`; where times are equal
 * what was given last counts as the last. -EBADMSG: damaged, nothing was kept. -ENOMEM. */
int rows_reader_add(struct rows_reader *reader, const struct columns_cells *rows, int64_t from_ms,
	int64_t to_ms);
int rows_reader_answer(const struct rows_reader *reader, struct store_rows *out);
