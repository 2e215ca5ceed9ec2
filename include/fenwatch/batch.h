/* Batches: some sweeps of one host and one schema, encoded.
 *
 * Live batches carry, sweep by sweep, a bitmap of the columns that differ from
 * the sweep before and their differences; a key batch counts from zero and
 * needs no state. Backlog batches are keys, column by column under zstd.
 * Differences wrap, so every int64 survives; FW_ABSENT marks a cell without a
 * value (the series has vanished). docs/wire-format.md has the bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#define FW_ABSENT INT64_MIN
#define FW_SWEEPS_LIMIT 240           /* in one batch */
#define FW_BATCH_RAW_LIMIT (8u << 20) /* decompressed */
#define FW_BATCH_RATIO_LIMIT 200      /* decompressed : compressed, above 64 KiB */

struct fw_sweeps {
	uint32_t host;
	uint32_t n_sweeps, n_columns;
	const int64_t *times_ms; /* ascending */
	const int64_t *cells;    /* sweep after sweep */
};

/* The Batch message. `state` is the sweep before (n_columns cells), or NULL for
 * a key. Live encoding leaves `state` alone: the caller copies its last sweep.
 * Many sweeps of many columns can be more than a frame holds (FW_FRAME_LIMIT):
 * the caller looks and encodes fewer; backlog encoding says -EMSGSIZE. */
void fw_batch_encode_live(const struct fw_sweeps *sweeps, uint64_t seq, uint32_t schema,
	uint32_t interval_ms, const int64_t *state, struct fw_buf *out);
int fw_batch_encode_backlog(const struct fw_sweeps *sweeps, uint64_t seq, uint32_t schema,
	uint32_t interval_ms, struct fw_buf *out);
/* The same message with another number and schema id (a stream made anew, a new connection). */
int fw_batch_renumber(const uint8_t *data, size_t length, uint64_t seq, uint32_t schema,
	struct fw_buf *out, struct fw_err *err);

/* A batch that is opened but not decoded: its numbers are checked against the
 * limits, its bytes lie in the message or (decompressed) in the arena. */
struct fw_batch {
	uint64_t seq;
	uint32_t schema, host, interval_ms, n_sweeps;
	bool key, backlog;
	int64_t t0_ms;
	int64_t *times_ms; /* in the arena, strictly ascending */
	const uint8_t *changed, *deltas, *gone;
	size_t changed_length, deltas_length, gone_length;
};

int fw_batch_open(const uint8_t *data, size_t length, struct fw_arena *arena, struct fw_batch *out,
	struct fw_err *err);
/* Decodes all sweeps into `cells` (n_sweeps * n_columns, sweep after sweep).
 * `state` is the sweep before, NULL for a key; it is not changed. -EBADMSG when
 * bytes are missing or left over, or name a column that is not there. */
int fw_batch_decode(const struct fw_batch *batch, uint32_t n_columns, const int64_t *state,
	int64_t *cells, struct fw_err *err);
/* Cells of the columns `wanted` alone, ascending: each column's begin `to_column` cells behind
 * those of the one before. `state` has the cells of these columns in the sweep before, if this
 * is no key, and then those of the last. Of a batch that fw_batch_decode() has taken before:
 * what it says of other columns is passed over, not checked. */
int fw_batch_decode_some(const struct fw_batch *batch, uint32_t n_columns, const uint32_t *wanted,
	size_t n_wanted, int64_t *state, int64_t *cells, size_t to_column);
