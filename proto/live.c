/* SPDX-License-Identifier: Apache-2.0 */
/* Cells sweep by sweep.
 *
 *   changed   for each sweep ceil(columns / 8) bytes, bit c % 8 of byte c / 8 set
 *             where column c differs; in the whole run, zero bytes stand as
 *             0x00 and how many (1 to 255)
 *   deltas    for each bit set, in order: zigzag varint of the difference, modulo
 *             2^64; a cell that was absent counts from 0
 *   gone      for each cell that turns absent: varint of its distance from the one
 *             before, as places (sweep * columns + column); the first from place -1
 */
#include <errno.h>
#include <string.h>

#include "batch_body.h"
#include "little.h"

#define RUN_LIMIT 255

struct live_writer {
	struct body body;
	unsigned run;   /* zero bytes not written yet */
	uint64_t place; /* one past the last cell that went */
};

static void put_run(struct live_writer *w)
{
	const uint8_t run[] = {0, (uint8_t)w->run};
	if (w->run > 0)
		fw_buf_append(&w->body.changed, run, sizeof run);
	w->run = 0;
}

static void put_bits(struct live_writer *w, uint8_t bits)
{
	if (bits == 0) {
		if (++w->run == RUN_LIMIT)
			put_run(w);
		return;
	}
	put_run(w);
	fw_buf_append(&w->body.changed, &bits, 1);
}

/* Whether the cell's bit is set. */
static bool put_cell(struct live_writer *w, int64_t before, int64_t now, uint64_t place)
{
	if (before == now)
		return false;
	if (now == FW_ABSENT) {
		fw_buf_put_varint(&w->body.gone, place + 1 - w->place);
		w->place = place + 1;
		return false;
	}
	int64_t base = before == FW_ABSENT ? 0 : before;
	fw_buf_put_varint(&w->body.deltas, fw_zigzag(cell_minus(now, base)));
	return true;
}

static void put_sweep(struct live_writer *w, const struct fw_sweeps *sweeps, uint32_t sweep,
	const int64_t *before)
{
	uint32_t n = sweeps->n_columns;
	const int64_t *now = sweeps->cells + (size_t)sweep * n;
	uint8_t bits = 0;
	for (uint32_t c = 0; c < n; c++) {
		if (put_cell(w, before ? before[c] : 0, now[c], (uint64_t)sweep * n + c))
			bits |= (uint8_t)(1u << (c % 8));
		if (c % 8 == 7 || c + 1 == n) {
			put_bits(w, bits);
			bits = 0;
		}
	}
}

void fw_batch_encode_live(const struct fw_sweeps *sweeps, uint64_t seq, uint32_t schema,
	uint32_t interval_ms, const int64_t *state, struct fw_buf *out)
{
	struct batch_head head = {
		.seq = seq,
		.schema = schema,
		.interval_ms = interval_ms,
		.key = !state,
	};
	struct live_writer w = {0};
	const int64_t *before = state;
	for (uint32_t s = 0; s < sweeps->n_sweeps; s++) {
		put_sweep(&w, sweeps, s, before);
		before = sweeps->cells + (size_t)s * sweeps->n_columns;
	}
	put_run(&w);
	batch_put_head(out, &head, sweeps);
	batch_put_body(out, &w.body);
	batch_body_done(&w.body);
}

struct live_reader {
	struct bytes changed, deltas, gone;
	unsigned run;       /* zero bytes still to come */
	uint64_t next_gone; /* place, UINT64_MAX: none */
};

static struct live_reader live_reader_of(const struct fw_batch *batch)
{
	return (struct live_reader){
		.changed = {batch->changed, batch->changed + batch->changed_length},
		.deltas = {batch->deltas, batch->deltas + batch->deltas_length},
		.gone = {batch->gone, batch->gone + batch->gone_length},
	};
}

static bool cut_bits(struct live_reader *r, unsigned *bits)
{
	*bits = 0;
	if (r->run > 0) {
		r->run--;
		return true;
	}
	if (r->changed.at == r->changed.end)
		return false;
	*bits = *r->changed.at++;
	if (*bits != 0)
		return true;
	if (r->changed.at == r->changed.end || *r->changed.at == 0)
		return false;
	r->run = *r->changed.at++ - 1u;
	return true;
}

/* Up to eight columns of a sweep, which hold the sweep before. */
static bool change_cells(struct live_reader *r, unsigned bits, int64_t *row, uint32_t n)
{
	for (; bits != 0; bits &= bits - 1) {
		unsigned c = (unsigned)__builtin_ctz(bits);
		uint64_t delta;
		if (c >= n || !bytes_varint(&r->deltas, &delta))
			return false;
		row[c] = cell_plus(row[c] == FW_ABSENT ? 0 : row[c], fw_unzigzag(delta));
	}
	return true;
}

static bool cut_gone(struct live_reader *r, uint64_t last)
{
	uint64_t distance;
	if (r->gone.at == r->gone.end) {
		r->next_gone = UINT64_MAX;
		return true;
	}
	if (!bytes_varint(&r->gone, &distance) || distance == 0 || distance > UINT32_MAX)
		return false;
	r->next_gone = last + distance; /* `last` is UINT64_MAX before the first: place -1 */
	return true;
}

static bool read_sweep(struct live_reader *r, int64_t *row, uint32_t n, uint64_t place)
{
	unsigned bits;
	for (uint32_t c = 0; c < n; c += 8)
		if (!cut_bits(r, &bits) || !change_cells(r, bits, row + c, n - c))
			return false;
	while (r->next_gone < place + n) {
		row[r->next_gone - place] = FW_ABSENT;
		if (!cut_gone(r, r->next_gone))
			return false;
	}
	return true;
}

int batch_decode_live(const struct fw_batch *batch, uint32_t n_columns, const int64_t *state,
	int64_t *cells, struct fw_err *err)
{
	struct live_reader r = live_reader_of(batch);
	size_t row_bytes = n_columns * sizeof *cells;
	const int64_t *before = state;
	bool good = cut_gone(&r, UINT64_MAX);
	for (uint32_t s = 0; good && s < batch->n_sweeps; s++) {
		int64_t *row = cells + (size_t)s * n_columns;
		if (before)
			memcpy(row, before, row_bytes);
		else
			memset(row, 0, row_bytes);
		good = read_sweep(&r, row, n_columns, (uint64_t)s * n_columns);
		before = row;
	}
	if (!good)
		return fw_fail(err, -EBADMSG, "batch: bytes are missing, or a column is not there");
	if (r.run > 0 || bytes_left(&r.changed) || bytes_left(&r.deltas) ||
		r.next_gone != UINT64_MAX)
		return fw_fail(err, -EBADMSG, "batch: bytes are left over");
	return 0;
}

/* ---- some columns ---- */

struct some_reader {
	struct live_reader live;
	const struct some *some;
	uint32_t bytes; /* of the bitmap of a sweep that were read */
	unsigned bits;  /* of the last of them, in front of which nothing is asked for any more */
	size_t passed;  /* differences that lie before the next one asked for */
};

static unsigned count_bits(unsigned byte)
{
	byte -= byte >> 1 & 0x55;
	byte = (byte & 0x33) + (byte >> 2 & 0x33);
	return (byte + (byte >> 4)) & 0x0f;
}

/* On to a byte of the bitmap. */
static bool pass_bits(struct some_reader *r, uint32_t to)
{
	struct live_reader *live = &r->live;
	while (r->bytes < to) {
		unsigned zeros = live->run < to - r->bytes ? live->run : to - r->bytes;
		live->run -= zeros;
		r->bytes += zeros;
		r->passed += count_bits(r->bits);
		r->bits = 0;
		if (r->bytes < to && !cut_bits(live, &r->bits))
			return false;
		r->bytes += r->bytes < to;
	}
	return true;
}

static bool change_one(struct some_reader *r, int64_t *cell)
{
	uint64_t delta;
	if (!bytes_pass_varints(&r->live.deltas, r->passed) ||
		!bytes_varint(&r->live.deltas, &delta))
		return false;
	r->passed = 0;
	*cell = cell_plus(*cell == FW_ABSENT ? 0 : *cell, fw_unzigzag(delta));
	return true;
}

static bool change_some(struct some_reader *r, uint32_t n_columns)
{
	const struct some *some = r->some;
	r->bytes = 0;
	for (size_t i = 0; i < some->n; i++) {
		unsigned bit = 1u << some->columns[i] % 8;
		if (!pass_bits(r, some->columns[i] / 8 + 1))
			return false;
		r->passed += count_bits(r->bits & (bit - 1));
		if ((r->bits & bit) && !change_one(r, &some->state[i]))
			return false;
		r->bits &= ~(2 * bit - 1);
	}
	return pass_bits(r, (n_columns + 7) / 8);
}

static bool end_some(struct some_reader *r, uint32_t n_columns, uint64_t place)
{
	const struct some *some = r->some;
	while (r->live.next_gone < place + n_columns) {
		uint64_t column = r->live.next_gone - place;
		for (size_t i = 0; i < some->n; i++)
			if (some->columns[i] == column)
				some->state[i] = FW_ABSENT;
		if (!cut_gone(&r->live, r->live.next_gone))
			return false;
	}
	return true;
}

int batch_some_live(const struct fw_batch *batch, uint32_t n_columns, const struct some *some)
{
	struct some_reader r = {live_reader_of(batch), some, 0, 0, 0};
	if (batch->key && some->n > 0)
		memset(some->state, 0, some->n * sizeof *some->state);
	if (!cut_gone(&r.live, UINT64_MAX))
		return -EBADMSG;
	for (uint32_t s = 0; s < batch->n_sweeps; s++) {
		if (!change_some(&r, n_columns) ||
			!end_some(&r, n_columns, (uint64_t)s * n_columns))
			return -EBADMSG;
		for (size_t i = 0; i < some->n; i++)
			some->cells[i * some->to_column + s] = some->state[i];
	}
	return 0;
}
