/* The body of a block: the sweeps of one host under one schema, column by column.
 *
 * Where there are more than 24 columns they lie in groups, each with a checksum of its
 * own, and the front of the body says how long they are: so one series costs the
 * front and its group, and not the block. A column is predicted
 * (constant, a line, by its first cell, by the cell before or by the difference
 * before), what all residuals have in common is divided out, a common offset
 * taken off, and the rest written as codes.h has it. A column of doubles that
 * are decimals is kept as the integers behind them; others as their bits. Every
 * cell comes back as it was. docs/store-format.md has the bytes.
 */
#pragma once

#include <stdbool.h>
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

/* Appends the body; at least one sweep and at most FW_SWEEPS_LIMIT. The checksum of a
 * front is left out (block.h). */
void columns_pack(
	const struct columns_cells *from, const struct fw_column *columns, struct fw_buf *out);
/* Whether columns_pack() makes groups of so many. */
bool columns_are_grouped(uint32_t n_columns);

/* A body, whole or its front; it points into the bytes. */
struct columns {
	const uint8_t *data, *end;
	const uint8_t *directory; /* of groups; NULL: there are none */
	const uint8_t *times, *times_end;
	uint32_t n_sweeps, n_columns;
};

/* Of a body without groups. */
int columns_open(struct columns *c, const uint8_t *body, size_t length, uint32_t n_sweeps,
	uint32_t n_columns);
/* Of a body in groups, of which the front is there at least. */
int columns_open_groups(struct columns *c, const uint8_t *body, size_t length, uint32_t n_sweeps,
	uint32_t n_columns);
/* Of a body in groups: bytes up to the end of the front, whose last four are for its
 * checksum. 0: there are too few to tell. */
size_t columns_front_bytes(const uint8_t *body, size_t length);
/* About as much for so many columns; seldom less. */
size_t columns_likely_front(uint32_t n_columns);

/* -EBADMSG where they are not strictly ascending, or damaged. */
int columns_times(const struct columns *c, int64_t *times_ms);
/* Cells of the columns `wanted`, ascending: each column's begin `to_column` cells, at least
 * n_sweeps, behind those of the one before. The body is whole. */
int columns_read(const struct columns *c, const uint32_t *wanted, size_t n_wanted, int64_t *cells,
	size_t to_column);

/* The bytes of a body in groups that hold some columns: so far from its start. */
struct columns_span {
	size_t from, length;
	uint32_t first; /* column */
};

struct columns_span columns_find(const struct columns *c, const uint32_t *wanted, size_t n_wanted);
/* As columns_read(), from the bytes of the span. */
int columns_read_span(const struct columns *c, const struct columns_span *span,
	const uint8_t *bytes, const uint32_t *wanted, size_t n_wanted, int64_t *cells,
	size_t to_column);
