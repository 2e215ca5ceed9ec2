/* What a whole block holds: sweeps, as columns.h has them, or (format 1) as a backlog batch.
 *
 * body_read() gives times and the cells of the columns wanted, one column after the
 * other, in memory of its own that the next call writes over; body_read_to() puts them
 * where the caller wants them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/mem.h>

#include "block.h"
#include "columns.h"

/* Room for decoded sweeps, kept from one use to the next. */
struct scratch {
	int64_t *cells;
	size_t capacity;
};

int64_t *scratch_take(struct scratch *scratch, size_t n_cells); /* NULL: too large */

struct body_reader {
	struct fw_arena arena;
	struct scratch whole, room;
	const int64_t *times_ms, *cells; /* of what body_read() read last */
};

void body_done(struct body_reader *reader);
/* `wanted` ascending; NULL: all. -EBADMSG: damaged. -ENOMEM. */
int body_read(struct body_reader *reader, const struct block_ref *ref, const uint8_t *body,
	size_t length, uint32_t n_columns, const uint32_t *wanted, size_t n_wanted);
/* Where times and cells go: each column's `to_column` cells behind the one before. */
struct body_room {
	int64_t *times_ms, *cells;
	size_t to_column;
};
int body_read_to(struct body_reader *reader, const struct block_ref *ref, const uint8_t *body,
	size_t length, uint32_t n_columns, const uint32_t *wanted, size_t n_wanted,
	const struct body_room *room);
/* The room that body_read() would read so many columns into. -ENOMEM. */
int body_take_room(struct body_reader *reader, const struct block_ref *ref, size_t n_wanted,
	struct body_room *room);
/* What body_read() read last, of so many columns. */
struct columns_cells body_cells(
	const struct body_reader *reader, const struct block_ref *ref, uint32_t n_columns);
