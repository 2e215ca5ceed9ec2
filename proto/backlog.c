/* SPDX-License-Identifier: Apache-2.0 */
/* Cells column by column.
 *
 *   changed   a byte for each column: its kind
 *   deltas    for each column, in order: zigzag varint of its first value; unless
 *             it is constant: the divisor as a varint if its kind says so, then a
 *             zigzag varint for each further sweep
 *   gone      for each column with holes: ceil(sweeps / 8) bytes, a bit for each
 *             sweep that has no value
 *
 * A hole repeats the value before it, at the start the one after it, so that it
 * costs nothing here.
 */
#include <errno.h>

#include <fenwatch/frame.h>

#include "batch_body.h"
#include "little.h"

enum {
	CONSTANT = 0,
	DELTA = 1,  /* numbers are differences to the sweep before */
	DELTA2 = 2, /* numbers are differences of those, which begin at 0 */
	ORDER = 3,
	DIVIDED = 4, /* all numbers are multiples of the divisor, which is given first */
	HOLES = 8,
	KINDS = 15,
};

#define HOLE_BYTES(sweeps) (((sweeps) + 7) / 8)

/* One column while it is written: its numbers, and what they have in common. */
struct column {
	int64_t numbers[FW_SWEEPS_LIMIT];
	uint32_t n;
	uint64_t divisor;
	unsigned bits;
};

static uint64_t magnitude(int64_t v)
{
	return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

static unsigned count_bits(uint64_t v)
{
	return v == 0 ? 0 : 64 - (unsigned)__builtin_clzll(v);
}

static void measure(struct column *column)
{
	column->divisor = 0;
	column->bits = 0;
	for (uint32_t i = 0; i < column->n; i++)
		column->divisor = common_divisor(magnitude(column->numbers[i]), column->divisor);
	if (column->divisor == 0)
		return;
	for (uint32_t i = 0; i < column->n; i++)
		column->bits += count_bits(magnitude(column->numbers[i]) / column->divisor);
}

/* In place: differences of what stands there, the first to `before`. */
static void differ(struct column *column, int64_t before)
{
	for (uint32_t i = 0; i < column->n; i++) {
		int64_t now = column->numbers[i];
		column->numbers[i] = cell_minus(now, before);
		before = now;
	}
	measure(column);
}

static void put_numbers(struct fw_buf *out, const struct column *column)
{
	if (column->divisor > 1)
		fw_buf_put_varint(out, column->divisor);
	for (uint32_t i = 0; i < column->n; i++) {
		uint64_t part = magnitude(column->numbers[i]) / column->divisor;
		int64_t signed_part = (int64_t)(column->numbers[i] < 0 ? 0 - part : part);
		fw_buf_put_varint(out, fw_zigzag(signed_part));
	}
}

/* Fills the column from the sweeps, holes closed; the first value goes to *first. */
static bool gather(
	const struct fw_sweeps *sweeps, uint32_t c, struct column *column, int64_t *first)
{
	bool holes = false;
	size_t n = sweeps->n_columns;
	int64_t value = 0;
	for (uint32_t s = sweeps->n_sweeps; s-- > 0;)
		if (sweeps->cells[s * n + c] != FW_ABSENT)
			value = sweeps->cells[s * n + c];
	*first = value;
	for (uint32_t s = 0; s < sweeps->n_sweeps; s++) {
		int64_t cell = sweeps->cells[s * n + c];
		holes = holes || cell == FW_ABSENT;
		value = cell == FW_ABSENT ? value : cell;
		if (s > 0)
			column->numbers[s - 1] = value;
	}
	column->n = sweeps->n_sweeps - 1;
	return holes;
}

static void put_holes(struct fw_buf *out, const struct fw_sweeps *sweeps, uint32_t c)
{
	uint8_t holes[HOLE_BYTES(FW_SWEEPS_LIMIT)] = {0};
	for (uint32_t s = 0; s < sweeps->n_sweeps; s++)
		if (sweeps->cells[(size_t)s * sweeps->n_columns + c] == FW_ABSENT)
			holes[s / 8] |= (uint8_t)(1u << (s % 8));
	fw_buf_append(out, holes, HOLE_BYTES(sweeps->n_sweeps));
}

static void put_column(struct body *body, const struct fw_sweeps *sweeps, uint32_t c)
{
	struct column once, twice;
	int64_t first;
	bool holes = gather(sweeps, c, &once, &first);
	differ(&once, first);
	twice = once;
	differ(&twice, 0);
	const struct column *best = twice.bits < once.bits ? &twice : &once;
	unsigned order = once.divisor == 0 ? CONSTANT : best == &twice ? DELTA2 : DELTA;
	uint8_t kind = (uint8_t)(order | (best->divisor > 1 ? DIVIDED : 0) | (holes ? HOLES : 0));
	fw_buf_append(&body->changed, &kind, 1);
	fw_buf_put_varint(&body->deltas, fw_zigzag(first));
	if (order != CONSTANT)
		put_numbers(&body->deltas, best);
	if (holes)
		put_holes(&body->gone, sweeps, c);
}

int fw_batch_encode_backlog(const struct fw_sweeps *sweeps, uint64_t seq, uint32_t schema,
	uint32_t interval_ms, struct fw_buf *out)
{
	struct batch_head head = {
		.seq = seq,
		.schema = schema,
		.interval_ms = interval_ms,
		.key = true,
		.backlog = true,
	};
	struct body body = {0};
	size_t before = out->length;
	batch_put_head(out, &head, sweeps);
	for (uint32_t c = 0; c < sweeps->n_columns; c++)
		put_column(&body, sweeps, c);
	int rc = batch_put_packed(out, &body);
	if (rc == 0 && out->length - before > FW_FRAME_LIMIT)
		rc = -EMSGSIZE;
	if (rc < 0)
		batch_take_back(out, before);
	batch_body_done(&body);
	return rc;
}

struct backlog_reader {
	struct bytes deltas, gone;
	uint32_t n_sweeps;
	size_t stride; /* from a sweep to the next, in cells */
};

static bool read_numbers(struct backlog_reader *r, unsigned kind, int64_t value, int64_t *cells)
{
	uint64_t divisor = 1, number;
	int64_t step = 0;
	if ((kind & DIVIDED) && !bytes_varint(&r->deltas, &divisor))
		return false;
	for (uint32_t s = 1; s < r->n_sweeps; s++) {
		if (!bytes_varint(&r->deltas, &number))
			return false;
		int64_t part = (int64_t)((uint64_t)fw_unzigzag(number) * divisor);
		step = (kind & ORDER) == DELTA2 ? cell_plus(step, part) : part;
		value = cell_plus(value, step);
		cells[s * r->stride] = value;
	}
	return true;
}

static bool read_holes(struct backlog_reader *r, int64_t *cells)
{
	size_t length = HOLE_BYTES(r->n_sweeps);
	if (bytes_left(&r->gone) < length)
		return false;
	for (uint32_t s = 0; s < 8 * length; s++) {
		if (!(r->gone.at[s / 8] & 1u << (s % 8)))
			continue;
		if (s >= r->n_sweeps)
			return false;
		cells[s * r->stride] = FW_ABSENT;
	}
	r->gone.at += length;
	return true;
}

static bool read_column(struct backlog_reader *r, unsigned kind, int64_t *cells)
{
	uint64_t number;
	if (kind > KINDS || (kind & ORDER) == ORDER || !bytes_varint(&r->deltas, &number))
		return false;
	cells[0] = fw_unzigzag(number);
	if ((kind & ORDER) == CONSTANT)
		for (uint32_t s = 1; s < r->n_sweeps; s++)
			cells[s * r->stride] = cells[0];
	else if (!read_numbers(r, kind, cells[0], cells))
		return false;
	return !(kind & HOLES) || read_holes(r, cells);
}

static struct backlog_reader backlog_reader_of(const struct fw_batch *batch, size_t stride)
{
	return (struct backlog_reader){
		.deltas = {batch->deltas, batch->deltas + batch->deltas_length},
		.gone = {batch->gone, batch->gone + batch->gone_length},
		.n_sweeps = batch->n_sweeps,
		.stride = stride,
	};
}

int batch_decode_backlog(
	const struct fw_batch *batch, uint32_t n_columns, int64_t *cells, struct fw_err *err)
{
	struct backlog_reader r = backlog_reader_of(batch, n_columns);
	if (batch->changed_length != n_columns)
		return fw_fail(err, -EBADMSG, "batch: has %zu columns, its schema %u",
			batch->changed_length, n_columns);
	for (uint32_t c = 0; c < n_columns; c++)
		if (!read_column(&r, batch->changed[c], cells + c))
			return fw_fail(err, -EBADMSG,
				"batch: column %u is cut short or of an unknown kind", c);
	if (bytes_left(&r.deltas) || bytes_left(&r.gone))
		return fw_fail(err, -EBADMSG, "batch: bytes are left over");
	return 0;
}

static bool pass_column(struct backlog_reader *r, unsigned kind)
{
	size_t numbers = (kind & ORDER) == CONSTANT ? 1 : r->n_sweeps + !!(kind & DIVIDED);
	size_t holes = kind & HOLES ? HOLE_BYTES(r->n_sweeps) : 0;
	if (!bytes_pass_varints(&r->deltas, numbers) || bytes_left(&r->gone) < holes)
		return false;
	r->gone.at += holes;
	return true;
}

int batch_some_backlog(const struct fw_batch *batch, uint32_t n_columns, const struct some *some)
{
	struct backlog_reader r = backlog_reader_of(batch, 1);
	size_t done = 0;
	if (batch->changed_length != n_columns)
		return -EBADMSG;
	for (uint32_t c = 0; c < n_columns && done < some->n; c++) {
		int64_t *cells = some->cells + done * some->to_column;
		bool is_wanted = some->columns[done] == c;
		if (!(is_wanted ? read_column(&r, batch->changed[c], cells)
				: pass_column(&r, batch->changed[c])))
			return -EBADMSG;
		if (is_wanted)
			some->state[done++] = cells[batch->n_sweeps - 1];
	}
	return 0;
}
