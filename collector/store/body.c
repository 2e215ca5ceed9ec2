/* SPDX-License-Identifier: Apache-2.0 */
#include "body.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/batch.h>

enum { SCRATCH_LIMIT = 256 << 20 };

int64_t *scratch_take(struct scratch *scratch, size_t n_cells)
{
	if (n_cells > SCRATCH_LIMIT / sizeof(int64_t))
		return NULL;
	if (n_cells > scratch->capacity) {
		fw_free(scratch->cells);
		scratch->cells = fw_try_alloc(n_cells * sizeof(int64_t));
		scratch->capacity = scratch->cells ? n_cells : 0;
	}
	return scratch->cells;
}

void body_done(struct body_reader *reader)
{
	fw_arena_done(&reader->arena);
	fw_free(reader->whole.cells);
	fw_free(reader->room.cells);
	*reader = (struct body_reader){0};
}

static int read_columns(const struct block_ref *ref, const uint8_t *body, size_t length,
	uint32_t n_columns, const uint32_t *wanted, size_t n_wanted, const struct body_room *room)
{
	struct columns columns;
	int rc = ref->flags & BLOCK_GROUPS
		? columns_open_groups(&columns, body, length, ref->n_sweeps, n_columns)
		: columns_open(&columns, body, length, ref->n_sweeps, n_columns);
	if (rc == 0)
		rc = columns_times(&columns, room->times_ms);
	return rc < 0 ? rc : columns_read(&columns, wanted, n_wanted, room->cells, room->to_column);
}

/* Format 1: all columns are decoded, sweep after sweep. */
static int read_batch(struct body_reader *reader, const struct block_ref *ref, const uint8_t *body,
	size_t length, uint32_t n_columns, const uint32_t *wanted, size_t n_wanted,
	const struct body_room *room)
{
	struct fw_batch batch;
	int rc = fw_batch_open(body, length, &reader->arena, &batch, NULL);
	if (rc < 0)
		return rc;
	if (batch.n_sweeps != ref->n_sweeps || !batch.key)
		return -EBADMSG;
	int64_t *whole = scratch_take(&reader->whole, (size_t)batch.n_sweeps * n_columns + 1);
	if (!whole)
		return -ENOMEM;
	rc = fw_batch_decode(&batch, n_columns, NULL, whole, NULL);
	if (rc < 0)
		return rc;
	memcpy(room->times_ms, batch.times_ms, batch.n_sweeps * sizeof *batch.times_ms);
	for (size_t c = 0; c < n_wanted; c++)
		for (uint32_t i = 0; i < batch.n_sweeps; i++)
			room->cells[c * room->to_column + i] =
				whole[(size_t)i * n_columns + wanted[c]];
	return 0;
}

/* Every column of a schema, for those who want all. */
static const uint32_t *list_all(struct body_reader *reader, uint32_t n_columns)
{
	uint32_t *all = fw_arena_try(&reader->arena, n_columns * sizeof *all + 1);
	for (uint32_t c = 0; all && c < n_columns; c++)
		all[c] = c;
	return all;
}

static int read_any(struct body_reader *reader, const struct block_ref *ref, const uint8_t *body,
	size_t length, uint32_t n_columns, const uint32_t *wanted, size_t n_wanted,
	const struct body_room *room)
{
	return ref->flags & BLOCK_COLUMNS
		? read_columns(ref, body, length, n_columns, wanted, n_wanted, room)
		: read_batch(reader, ref, body, length, n_columns, wanted, n_wanted, room);
}

int body_read_to(struct body_reader *reader, const struct block_ref *ref, const uint8_t *body,
	size_t length, uint32_t n_columns, const uint32_t *wanted, size_t n_wanted,
	const struct body_room *room)
{
	fw_arena_reset(&reader->arena);
	return read_any(reader, ref, body, length, n_columns, wanted, n_wanted, room);
}

int body_take_room(struct body_reader *reader, const struct block_ref *ref, size_t n_wanted,
	struct body_room *room)
{
	if (ref->n_sweeps == 0 || ref->n_sweeps > FW_SWEEPS_LIMIT)
		return -EBADMSG;
	int64_t *cells = scratch_take(&reader->room, ref->n_sweeps * (n_wanted + 1));
	if (!cells)
		return -ENOMEM;
	*room = (struct body_room){cells, cells + ref->n_sweeps, ref->n_sweeps};
	reader->times_ms = room->times_ms;
	reader->cells = room->cells;
	return 0;
}

int body_read(struct body_reader *reader, const struct block_ref *ref, const uint8_t *body,
	size_t length, uint32_t n_columns, const uint32_t *wanted, size_t n_wanted)
{
	struct body_room room;
	fw_arena_reset(&reader->arena);
	if (!wanted) {
		wanted = list_all(reader, n_columns);
		n_wanted = n_columns;
	}
	int rc = wanted ? body_take_room(reader, ref, n_wanted, &room) : -ENOMEM;
	return rc < 0 ? rc
		      : read_any(reader, ref, body, length, n_columns, wanted, n_wanted, &room);
}

struct columns_cells body_cells(
	const struct body_reader *reader, const struct block_ref *ref, uint32_t n_columns)
{
	return (struct columns_cells){
		.times_ms = reader->times_ms,
		.cells = reader->cells,
		.to_column = ref->n_sweeps,
		.to_sweep = 1,
		.n_sweeps = ref->n_sweeps,
		.n_columns = n_columns,
	};
}
