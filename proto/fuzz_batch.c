/* SPDX-License-Identifier: Apache-2.0 */
/* A Batch message. The first two bytes say how many columns its schema has.
 *
 * What can be decoded is encoded again in every form, and each must decode to
 * the same cells and times; another number changes nothing but the number. Columns
 * decoded alone are the same. */
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/schema.h>
#include <fenwatch/wire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CELLS_LIMIT (1u << 20)

struct opened {
	struct fw_arena arena;
	struct fw_batch batch;
	int64_t *cells;
};

static void close_batch(struct opened *o)
{
	fw_arena_done(&o->arena);
	fw_free(o->cells);
}

static int open_batch(struct opened *o, const uint8_t *data, size_t size, uint32_t n_columns,
	const int64_t *state)
{
	struct fw_err err;
	*o = (struct opened){.arena.limit = FW_WIRE_ARENA};
	int rc = fw_batch_open(data, size, &o->arena, &o->batch, &err);
	size_t n = rc == 0 ? (size_t)o->batch.n_sweeps * n_columns : 0;
	if (rc < 0 || n > CELLS_LIMIT)
		return -1;
	o->cells = fw_alloc_array(n + 1, sizeof *o->cells);
	return fw_batch_decode(&o->batch, n_columns, state, o->cells, &err);
}

static void expect_same(const struct fw_buf *message, const struct opened *expected,
	uint32_t n_columns, const int64_t *state)
{
	struct opened back;
	uint32_t n = expected->batch.n_sweeps;
	if (open_batch(&back, message->data, message->length, n_columns, state) < 0 ||
		back.batch.n_sweeps != n || back.batch.host != expected->batch.host ||
		memcmp(back.batch.times_ms, expected->batch.times_ms, n * sizeof(int64_t)) != 0 ||
		memcmp(back.cells, expected->cells, (size_t)n * n_columns * sizeof(int64_t)) != 0)
		abort();
	close_batch(&back);
}

static void encode_again(const struct opened *o, uint32_t n_columns, const int64_t *state)
{
	const struct fw_batch *b = &o->batch;
	struct fw_buf message = {0};
	struct fw_sweeps sweeps = {
		.host = b->host,
		.n_sweeps = b->n_sweeps,
		.n_columns = n_columns,
		.times_ms = b->times_ms,
		.cells = o->cells,
	};
	fw_batch_encode_live(&sweeps, b->seq, b->schema, b->interval_ms, NULL, &message);
	expect_same(&message, o, n_columns, NULL);
	fw_buf_reset(&message);
	fw_batch_encode_live(&sweeps, b->seq, b->schema, b->interval_ms, state, &message);
	expect_same(&message, o, n_columns, state);
	fw_buf_reset(&message);
	if (fw_batch_encode_backlog(&sweeps, b->seq, b->schema, b->interval_ms, &message) == 0)
		expect_same(&message, o, n_columns, NULL);
	fw_buf_done(&message);
}

static void decode_some(const struct opened *o, uint32_t n_columns, const int64_t *state)
{
	static uint32_t wanted[FW_COLUMNS_LIMIT];
	static int64_t last[FW_COLUMNS_LIMIT];
	size_t n = 0, n_sweeps = o->batch.n_sweeps;
	for (uint32_t c = 0; c < n_columns; c++)
		if ((c * 2654435761u >> 16) % 7 < 2 || c + 1 == n_columns)
			wanted[n++] = c;
	for (size_t i = 0; i < n; i++)
		last[i] = state[wanted[i]];
	int64_t *cells = fw_alloc_array(n * n_sweeps + 1, sizeof *cells);
	if (fw_batch_decode_some(&o->batch, n_columns, wanted, n, last, cells, n_sweeps) < 0)
		abort();
	for (size_t i = 0; i < n * n_sweeps; i++)
		if (cells[i] != o->cells[i % n_sweeps * n_columns + wanted[i / n_sweeps]])
			abort();
	fw_free(cells);
}

static void renumber(const uint8_t *data, size_t size, const struct opened *o, uint32_t n_columns,
	const int64_t *state)
{
	struct fw_buf message = {0};
	if (fw_batch_renumber(data, size, 1, 2, &message, NULL) < 0)
		abort();
	expect_same(&message, o, n_columns, state);
	fw_buf_done(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int64_t state[FW_COLUMNS_LIMIT];
	struct opened o;
	if (size < 2)
		return 0;
	uint32_t n_columns = (data[0] | (uint32_t)data[1] << 8) % (FW_COLUMNS_LIMIT + 1);
	for (uint32_t c = 0; c < n_columns; c++)
		state[c] = c % 5 == 4 ? FW_ABSENT : (int64_t)c * 1000003;
	if (open_batch(&o, data + 2, size - 2, n_columns, state) == 0) {
		encode_again(&o, n_columns, state);
		renumber(data + 2, size - 2, &o, n_columns, state);
		decode_some(&o, n_columns, state);
	}
	close_batch(&o);
	return 0;
}
