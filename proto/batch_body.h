/* The two forms of a batch's cells: sweep by sweep with a bitmap (live.c) and
 * column by column (backlog.c). Both fill the same three runs of bytes, which
 * batch.c, or for packed ones packed.c, puts into the message and finds there again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/batch.h>

/* The fields of the Batch message by their numbers. */
enum batch_field {
	SEQ = 1,
	SCHEMA,
	KEY,
	HOST,
	BACKLOG,
	T0_MS,
	INTERVAL_MS,
	JITTER_MS,
	SWEEPS,
	CHANGED,
	DELTAS,
	GONE,
	RAW_LENGTH,
	PACKED,
	BATCH_FIELDS
};

struct body {
	struct fw_buf changed, deltas, gone;
};

struct batch_head {
	uint64_t seq;
	uint32_t schema, interval_ms;
	bool key, backlog;
};

/* Everything but the cells. */
void batch_put_head(
	struct fw_buf *out, const struct batch_head *head, const struct fw_sweeps *sweeps);
void batch_put_body(struct fw_buf *out, const struct body *body);
/* Under zstd where that is smaller and within the limits, else as above. */
int batch_put_packed(struct fw_buf *out, const struct body *body);
/* Decompresses and finds the three runs of bytes in what comes out. */
int batch_unpack(struct fw_batch *batch, const uint8_t *packed, size_t length, size_t raw_length,
	struct fw_arena *arena, struct fw_err *err);
/* Undoes what was put behind the first `length` bytes. */
void batch_take_back(struct fw_buf *out, size_t length);
void batch_body_done(struct body *body);

int batch_decode_live(const struct fw_batch *batch, uint32_t n_columns, const int64_t *state,
	int64_t *cells, struct fw_err *err);
int batch_decode_backlog(
	const struct fw_batch *batch, uint32_t n_columns, int64_t *cells, struct fw_err *err);

/* Where the cells of some columns go; `state` is theirs in the sweep before. */
struct some {
	const uint32_t *columns; /* ascending */
	size_t n;
	int64_t *state, *cells;
	size_t to_column;
};

int batch_some_live(const struct fw_batch *batch, uint32_t n_columns, const struct some *some);
int batch_some_backlog(const struct fw_batch *batch, uint32_t n_columns, const struct some *some);

/* Differences wrap, so that every pair of cells has one. */
static inline int64_t cell_minus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}

static inline int64_t cell_plus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}
