/* The body of a block: the sweeps of one host under one schema, column by column.
 *
 * Columns lie in groups of 64, and each says how long it is, so that one series
 * costs the walk through its group and not the block. A column is predicted
 * (constant, a line, by its first cell, by the cell before or by the difference
 * before), what all residuals have in common is divided out, a common offset
 * taken off, and the rest written as codes.h has it. A column of doubles that
 * are decimals is kept as the integers behind them; others as their bits. Every
 * cell comes back as it was. docs/store-format.md has the bytes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/batch.h>
#include <fenwatch/buf.h>
#include <fenwatch/schema.h>

/* Of a block: rows of a tier have five for one of the schema's, and two (rows.h). */
#define COLUMNS_LIMIT (2 + 5 * FW_COLUMNS_LIMIT)

/* Sweeps to pack, lying either way round: the cell of column c in sweep i is
 * cells[c * to_column + i * to_sweep]. */
struct columns_cells {
	const int64_t *times_ms, *cells;
	size_t to_column, to_sweep;
	uint32_t n_sweeps, n_columns;
};

/* Appends the body; at least one sweep and at most FW_SWEEPS_LIMIT. */
void columns_pack(
	const struct columns_cells *from, const struct fw_column *columns, struct fw_buf *out);

/* A body whose groups have been found; it points into the bytes. */
struct columns {
	const uint8_t *data, *end;
	uint32_t n_sweeps, n_columns;
};

int columns_open(struct columns *c, const uint8_t *body, size_t length, uint32_t n_sweeps,
	uint32_t n_columns);
/* -EBADMSG where they are not strictly ascending, or damaged. */
int columns_times(const struct columns *c, int64_t *times_ms);
/* Cells of the columns `wanted`, ascending: each column's begin `to_column` cells, at least
 * n_sweeps, behind those of the one before. */
int columns_read(const struct columns *c, const uint32_t *wanted, size_t n_wanted, int64_t *cells,
	size_t to_column);
