/* SPDX-License-Identifier: Apache-2.0 */
/*   without groups    times | for each 64 columns: length, columns
 *   in groups         front | columns
 *
 *   front     length of times u16, groups u16
 *             length u16, checksum u32    of each group
 *             times
 *             checksum u32                of the block's head and what stands above
 *
 *   column    kind u8
 *             decimals u8                 DECIMAL
 *             first cell                  but for ZERO
 *             step                        LINE
 *             length of what follows      PLAIN, DELTA, DELTA2
 *               first difference          DELTA2
 *               divisor                   DIVIDED
 *               offset                    BASED
 *               numbers, as codes.h has them
 *             a bit for each sweep        HOLES
 */
#include "columns.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <fenwatch/crc.h>

#include "bytes.h"
#include "codes.h"
#include "columns_bytes.h"

/* A place that only moves forward and never past its end. */
struct place {
	const uint8_t *at, *end;
};

static bool take_byte(struct place *p, uint8_t *byte)
{
	if (p->at == p->end)
		return false;
	*byte = *p->at++;
	return true;
}

static bool take_unsigned(struct place *p, uint64_t *v)
{
	size_t used = fw_get_varint(p->at, (size_t)(p->end - p->at), v);
	p->at += used;
	return used > 0;
}

static bool take_signed(struct place *p, int64_t *v)
{
	uint64_t bits;
	if (!take_unsigned(p, &bits))
		return false;
	*v = fw_unzigzag(bits);
	return true;
}

static bool take_place(struct place *p, uint64_t length, struct place *out)
{
	if (length > (size_t)(p->end - p->at))
		return false;
	*out = (struct place){p->at, p->at + length};
	p->at += length;
	return true;
}

/* ---- one column ---- */

struct head {
	uint8_t kind, decimals;
	int64_t first, step;
	struct place coded, holes;
};

static bool is_coded(uint8_t kind)
{
	return (kind & SHAPE) >= PLAIN;
}

static bool take_head(struct place *p, uint32_t n_sweeps, struct head *head)
{
	uint64_t length = 0;
	*head = (struct head){0};
	if (!take_byte(p, &head->kind) || head->kind > FLAGS || (head->kind & SHAPE) > DELTA2)
		return false;
	bool well = !(head->kind & DECIMAL) || take_byte(p, &head->decimals);
	well = well && (head->decimals & ~TIMES_A_PART) <= DECIMALS_LIMIT;
	well = well && ((head->kind & SHAPE) == ZERO || take_signed(p, &head->first));
	well = well && ((head->kind & SHAPE) != LINE || take_signed(p, &head->step));
	well = well && (!is_coded(head->kind) || take_unsigned(p, &length));
	well = well && take_place(p, length, &head->coded);
	length = head->kind & HOLES ? HOLE_BYTES(n_sweeps) : 0;
	return well && take_place(p, length, &head->holes);
}

struct parts {
	uint64_t divisor, base;
};

static inline uint64_t residual(const struct parts *parts, int64_t number)
{
	return ((uint64_t)fw_unzigzag((uint64_t)number) + parts->base) * parts->divisor;
}

/* From numbers to cells, in their place; before them stands the first cell (DELTA2: two). */
static void sum_up(uint8_t shape, const struct parts *parts, int64_t *at, uint32_t n)
{
	uint64_t cell = (uint64_t)at[-1], step;
	switch (shape) {
	case PLAIN:
		for (uint32_t i = 0; i < n; i++)
			at[i] = (int64_t)(cell + residual(parts, at[i]));
		break;
	case DELTA:
		for (uint32_t i = 0; i < n; i++)
			at[i] = (int64_t)(cell += residual(parts, at[i]));
		break;
	default:
		step = cell - (uint64_t)at[-2];
		for (uint32_t i = 0; i < n; i++)
			at[i] = (int64_t)(cell += step += residual(parts, at[i]));
	}
}

static bool read_coded(
	const struct head *head, const uint8_t *end, uint32_t n_sweeps, int64_t *cells)
{
	struct place p = head->coded;
	struct parts parts = {1, 0};
	int64_t base = 0, second = 0;
	uint8_t shape = head->kind & SHAPE;
	uint32_t given = shape == DELTA2 ? 2 : 1;
	if (n_sweeps <= given || (shape == DELTA2 && !take_signed(&p, &second)) ||
		((head->kind & DIVIDED) && !take_unsigned(&p, &parts.divisor)) ||
		((head->kind & BASED) && !take_signed(&p, &base)))
		return false;
	parts.base = (uint64_t)base;
	cells[0] = head->first;
	cells[given - 1] = cells_plus(head->first, second);
	if (codes_get(p.at, (size_t)(p.end - p.at), end, (uint64_t *)cells + given,
		    n_sweeps - given) < 0)
		return false;
	sum_up(shape, &parts, cells + given, n_sweeps - given);
	return true;
}

/* What two columns of three cost. */
static void read_constant(const struct head *head, uint32_t n_sweeps, int64_t *cells)
{
	int64_t first = head->first;
	if (head->kind & DECIMAL)
		first = bits_of(decimal_double(first, head->decimals));
	for (uint32_t i = 0; i < n_sweeps; i++)
		cells[i] = first;
}

static void read_line(const struct head *head, uint32_t n_sweeps, int64_t *cells)
{
	uint64_t cell = (uint64_t)head->first;
	for (uint32_t i = 0; i < n_sweeps; i++, cell += (uint64_t)head->step)
		cells[i] = (int64_t)cell;
}

static void make_doubles(uint8_t decimals, uint32_t n, int64_t *cells)
{
	if (decimals == 0)
		for (uint32_t i = 0; i < n; i++)
			cells[i] = bits_of(decimal_double(cells[i], 0));
	else if (decimals & TIMES_A_PART)
		for (uint32_t i = 0; i < n; i++)
			cells[i] = bits_of(decimal_double(cells[i], decimals | TIMES_A_PART));
	else
		for (uint32_t i = 0; i < n; i++)
			cells[i] = bits_of(decimal_double(cells[i], decimals & DECIMALS_LIMIT));
}

static void make_holes(const struct head *head, uint32_t n_sweeps, int64_t *cells)
{
	for (uint32_t i = 0; i < n_sweeps; i++)
		if (head->holes.at[i / 8] & 1u << (i % 8))
			cells[i] = FW_ABSENT;
}

static bool read_cells(
	const struct head *head, const uint8_t *end, uint32_t n_sweeps, int64_t *cells)
{
	bool is_constant = (head->kind & SHAPE) <= CONSTANT;
	if (is_constant)
		read_constant(head, n_sweeps, cells);
	else if ((head->kind & SHAPE) == LINE)
		read_line(head, n_sweeps, cells);
	else if (!read_coded(head, end, n_sweeps, cells))
		return false;
	if ((head->kind & DECIMAL) && !is_constant)
		make_doubles(head->decimals, n_sweeps, cells);
	if (head->kind & HOLES)
		make_holes(head, n_sweeps, cells);
	return true;
}

/* ---- columns side by side ---- */

/* Over what varints there are; as fast as it goes, for most columns are passed over. */
static bool skip_varint(struct place *p)
{
	uint64_t bytes;
	if (p->end - p->at >= (ptrdiff_t)sizeof bytes) {
		memcpy(&bytes, p->at, sizeof bytes);
		bytes = ~le64toh(bytes) & 0x8080808080808080;
		if (bytes) {
			p->at += __builtin_ctzll(bytes) / 8 + 1;
			return true;
		}
	}
	return take_unsigned(p, &bytes);
}

static bool skip_column(struct place *p, uint32_t n_sweeps)
{
	uint8_t kind = ZERO, decimals;
	uint64_t length = 0;
	struct place rest;
	bool well = take_byte(p, &kind) && kind <= FLAGS && (kind & SHAPE) <= DELTA2;
	well = well && (!(kind & DECIMAL) || take_byte(p, &decimals));
	well = well && ((kind & SHAPE) == ZERO || skip_varint(p));
	well = well && ((kind & SHAPE) != LINE || skip_varint(p));
	well = well && (!is_coded(kind) || take_unsigned(p, &length));
	length += kind & HOLES ? HOLE_BYTES(n_sweeps) : 0;
	return well && take_place(p, length, &rest);
}

/* Reads the wanted ones of the `n` columns from `first` on, which fill the place; returns
 * how many they are. It ends where its last column does. */
static int read_columns(const struct columns *c, struct place place, uint32_t first, uint32_t n,
	const uint32_t *wanted, size_t n_wanted, int64_t *cells, size_t to_column)
{
	size_t done = 0;
	struct head head;
	for (uint32_t column = first; column < first + n; column++) {
		if (done == n_wanted)
			return (int)done;
		if (wanted[done] != column) {
			if (!skip_column(&place, c->n_sweeps))
				return -EBADMSG;
			continue;
		}
		if (!take_head(&place, c->n_sweeps, &head) ||
			!read_cells(&head, c->end, c->n_sweeps, cells + done * to_column))
			return -EBADMSG;
		done++;
	}
	return place.at == place.end ? (int)done : -EBADMSG;
}

static uint32_t at_most(uint32_t n, uint32_t most)
{
	return n < most ? n : most;
}

/* ---- a body without groups ---- */

static bool has_columns(uint32_t n_sweeps, uint32_t n_columns)
{
	return n_sweeps > 0 && n_sweeps <= FW_SWEEPS_LIMIT && n_columns <= COLUMNS_LIMIT;
}

int columns_open(struct columns *c, const uint8_t *body, size_t length, uint32_t n_sweeps,
	uint32_t n_columns)
{
	const uint8_t *end = body + length;
	if (!has_columns(n_sweeps, n_columns))
		return -EBADMSG;
	*c = (struct columns){body, end, NULL, body, end, n_sweeps, n_columns};
	return 0;
}

int columns_times(const struct columns *c, int64_t *times_ms)
{
	struct place p = {c->times, c->times_end};
	struct head head;
	if (!take_head(&p, c->n_sweeps, &head) || (head.kind & (HOLES | DECIMAL)) ||
		!read_cells(&head, c->end, c->n_sweeps, times_ms))
		return -EBADMSG;
	for (uint32_t i = 1; i < c->n_sweeps; i++)
		if (times_ms[i] <= times_ms[i - 1])
			return -EBADMSG;
	return 0;
}

static int read_rows(const struct columns *c, const uint32_t *wanted, size_t n_wanted,
	int64_t *cells, size_t to_column)
{
	struct place p = {c->data, c->end}, row;
	if (!skip_column(&p, c->n_sweeps)) /* the times */
		return -EBADMSG;
	for (uint32_t first = 0; n_wanted > 0; first += ROW_COLUMNS) {
		uint64_t length;
		if (!take_unsigned(&p, &length) || !take_place(&p, length, &row))
			return -EBADMSG;
		int n = wanted[0] < first + ROW_COLUMNS
			? read_columns(c, row, first, at_most(c->n_columns - first, ROW_COLUMNS),
				  wanted, n_wanted, cells, to_column)
			: 0;
		if (n < 0)
			return n;
		wanted += n;
		n_wanted -= (size_t)n;
		cells += (size_t)n * to_column;
	}
	return 0;
}

/* ---- a body in groups ---- */

static uint32_t count_groups(uint32_t n_columns)
{
	return (n_columns + GROUP_COLUMNS - 1) / GROUP_COLUMNS;
}

bool columns_are_grouped(uint32_t n_columns)
{
	return n_columns > GROUP_COLUMNS;
}

size_t columns_front_bytes(const uint8_t *body, size_t length)
{
	if (length < FRONT_HEAD_BYTES)
		return 0;
	return FRONT_HEAD_BYTES + get_u16(body) + (size_t)get_u16(body + 2) * FRONT_GROUP_BYTES +
		FRONT_SUM_BYTES;
}

size_t columns_likely_front(uint32_t n_columns)
{
	return FRONT_HEAD_BYTES + (size_t)count_groups(n_columns) * FRONT_GROUP_BYTES +
		FW_SWEEPS_LIMIT + FRONT_SUM_BYTES;
}

int columns_open_groups(struct columns *c, const uint8_t *body, size_t length, uint32_t n_sweeps,
	uint32_t n_columns)
{
	size_t front = columns_front_bytes(body, length);
	if (!has_columns(n_sweeps, n_columns) || front == 0 || front > length ||
		get_u16(body + 2) != count_groups(n_columns))
		return -EBADMSG;
	const uint8_t *times_end = body + front - FRONT_SUM_BYTES;
	*c = (struct columns){
		.data = body,
		.end = body + length,
		.directory = body + FRONT_HEAD_BYTES,
		.times = times_end - get_u16(body),
		.times_end = times_end,
		.n_sweeps = n_sweeps,
		.n_columns = n_columns,
	};
	return 0;
}

static size_t group_bytes(const struct columns *c, uint32_t group)
{
	return get_u16(c->directory + (size_t)group * FRONT_GROUP_BYTES);
}

struct columns_span columns_find(const struct columns *c, const uint32_t *wanted, size_t n_wanted)
{
	uint32_t first = wanted[0] / GROUP_COLUMNS, last = wanted[n_wanted - 1] / GROUP_COLUMNS;
	struct columns_span span = {
		.from = (size_t)(c->times_end - c->data) + FRONT_SUM_BYTES,
		.first = first * GROUP_COLUMNS,
	};
	for (uint32_t group = 0; group < first; group++)
		span.from += group_bytes(c, group);
	for (uint32_t group = first; group <= last; group++)
		span.length += group_bytes(c, group);
	return span;
}

/* One that nothing is wanted of is not looked at. */
static int read_group(const struct columns *c, struct place place, uint32_t group,
	const uint32_t *wanted, size_t n_wanted, int64_t *cells, size_t to_column)
{
	uint32_t first = group * GROUP_COLUMNS;
	const uint8_t *sum = c->directory + (size_t)group * FRONT_GROUP_BYTES + 2;
	if (wanted[0] >= first + GROUP_COLUMNS)
		return 0;
	if (fw_crc32c(0, place.at, (size_t)(place.end - place.at)) != get_u32(sum))
		return -EBADMSG;
	return read_columns(c, place, first, at_most(c->n_columns - first, GROUP_COLUMNS), wanted,
		n_wanted, cells, to_column);
}

int columns_read_span(const struct columns *c, const struct columns_span *span,
	const uint8_t *bytes, const uint32_t *wanted, size_t n_wanted, int64_t *cells,
	size_t to_column)
{
	struct place p = {bytes, bytes + span->length}, place;
	struct columns in_span = *c;
	in_span.end = p.end;
	for (uint32_t group = span->first / GROUP_COLUMNS; n_wanted > 0; group++) {
		assert(wanted[n_wanted - 1] < c->n_columns);
		if (!take_place(&p, group_bytes(c, group), &place))
			return -EBADMSG;
		int n = read_group(&in_span, place, group, wanted, n_wanted, cells, to_column);
		if (n < 0)
			return n;
		wanted += n;
		n_wanted -= (size_t)n;
		cells += (size_t)n * to_column;
	}
	return 0;
}

/* ---- either ---- */

int columns_read(const struct columns *c, const uint32_t *wanted, size_t n_wanted, int64_t *cells,
	size_t to_column)
{
	if (n_wanted == 0)
		return 0;
	assert(wanted[n_wanted - 1] < c->n_columns);
	if (!c->directory)
		return read_rows(c, wanted, n_wanted, cells, to_column);
	const struct columns_span span = columns_find(c, wanted, n_wanted);
	size_t length = (size_t)(c->end - c->data);
	if (span.from > length || span.length > length - span.from)
		return -EBADMSG;
	return columns_read_span(c, &span, c->data + span.from, wanted, n_wanted, cells, to_column);
}
