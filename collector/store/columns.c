/* SPDX-License-Identifier: Apache-2.0 */
/*   times | groups: length, columns
 *
 *   column    kind u8
 *             decimals u8                 DECIMAL
 *             first cell                  but for ZERO
 *             step                        LINE
 *             length of what follows      PLAIN, DELTA, DELTA2
 *               first difference          DELTA2
 *               divisor                   DIVIDED
 *               offset                    BASED
 *               code u8, shift u8, bits
 *             a bit for each sweep        HOLES
 */
#include "columns.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

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
	const uint64_t *numbers;
};

static inline uint64_t residual(const struct parts *parts, uint32_t i)
{
	return ((uint64_t)fw_unzigzag(parts->numbers[i]) + parts->base) * parts->divisor;
}

/* From residuals to cells, of which the first one (DELTA2: two) are there. */
static void sum_up(uint8_t shape, const struct parts *parts, int64_t *cells, uint32_t n)
{
	uint64_t cell = (uint64_t)cells[0], step;
	switch (shape) {
	case PLAIN:
		for (uint32_t i = 0; i < n; i++)
			cells[1 + i] = (int64_t)(cell + residual(parts, i));
		break;
	case DELTA:
		for (uint32_t i = 0; i < n; i++)
			cells[1 + i] = (int64_t)(cell += residual(parts, i));
		break;
	default:
		step = (uint64_t)cells[1] - cell;
		cell = (uint64_t)cells[1];
		for (uint32_t i = 0; i < n; i++)
			cells[2 + i] = (int64_t)(cell += step += residual(parts, i));
	}
}

static bool read_coded(
	const struct head *head, const uint8_t *end, uint32_t n_sweeps, int64_t *cells)
{
	struct place p = head->coded;
	uint64_t numbers[FW_SWEEPS_LIMIT];
	struct parts parts = {1, 0, numbers};
	int64_t base = 0, second = 0;
	struct code code = {0};
	uint8_t shape = head->kind & SHAPE;
	uint32_t given = shape == DELTA2 ? 2 : 1;
	if (n_sweeps <= given || (shape == DELTA2 && !take_signed(&p, &second)) ||
		((head->kind & DIVIDED) && !take_unsigned(&p, &parts.divisor)) ||
		((head->kind & BASED) && !take_signed(&p, &base)) || !take_byte(&p, &code.table) ||
		!take_byte(&p, &code.shift))
		return false;
	uint32_t n = n_sweeps - given;
	if (codes_get(p.at, (size_t)(p.end - p.at), end, code, numbers, n) < 0)
		return false;
	cells[0] = head->first;
	if (shape == DELTA2)
		cells[1] = cells_plus(head->first, second);
	parts.base = (uint64_t)base;
	sum_up(shape, &parts, cells, n);
	return true;
}

/* The first cell in all of them: copies of copies, as the loop is what constant columns cost. */
static void repeat_first(int64_t *cells, uint32_t n_sweeps)
{
	for (uint32_t done = 1, more; done < n_sweeps; done += more) {
		more = done < n_sweeps - done ? done : n_sweeps - done;
		memcpy(cells + done, cells, more * sizeof *cells);
	}
}

static void read_line(const struct head *head, uint32_t n_sweeps, int64_t *cells)
{
	cells[0] = head->first;
	if (head->step == 0) {
		repeat_first(cells, n_sweeps);
		return;
	}
	for (uint32_t i = 1; i < n_sweeps; i++)
		cells[i] = cells_plus(cells[i - 1], head->step);
}

/* decimal_double() of each, with what is alike for all of them done once. */
static void make_doubles(const struct head *head, uint32_t n_sweeps, int64_t *cells)
{
	double power = decimal_power(head->decimals);
	if ((head->kind & SHAPE) <= CONSTANT) {
		cells[0] = bits_of(decimal_double(head->first, head->decimals));
		repeat_first(cells, n_sweeps);
	} else if (head->decimals & TIMES_A_PART)
		for (uint32_t i = 0; i < n_sweeps; i++)
			cells[i] = bits_of((double)cells[i] * power);
	else
		for (uint32_t i = 0; i < n_sweeps; i++)
			cells[i] = bits_of((double)cells[i] / power);
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
	if (!is_coded(head->kind))
		read_line(head, n_sweeps, cells);
	else if (!read_coded(head, end, n_sweeps, cells))
		return false;
	if (head->kind & DECIMAL)
		make_doubles(head, n_sweeps, cells);
	if (head->kind & HOLES)
		make_holes(head, n_sweeps, cells);
	return true;
}

/* ---- a body ---- */

int columns_open(struct columns *c, const uint8_t *body, size_t length, uint32_t n_sweeps,
	uint32_t n_columns)
{
	if (n_sweeps == 0 || n_sweeps > FW_SWEEPS_LIMIT || n_columns > COLUMNS_LIMIT)
		return -EBADMSG;
	*c = (struct columns){body, body + length, n_sweeps, n_columns};
	return 0;
}

int columns_times(const struct columns *c, int64_t *times_ms)
{
	struct place p = {c->data, c->end};
	struct head head;
	if (!take_head(&p, c->n_sweeps, &head) || (head.kind & (HOLES | DECIMAL)) ||
		!read_cells(&head, c->end, c->n_sweeps, times_ms))
		return -EBADMSG;
	for (uint32_t i = 1; i < c->n_sweeps; i++)
		if (times_ms[i] <= times_ms[i - 1])
			return -EBADMSG;
	return 0;
}

/* Reads the wanted columns of the group that begins at `first`; returns how many they
 * are. The group ends where its last column does. */
static int read_group(const struct columns *c, struct place group, uint32_t first,
	const uint32_t *wanted, size_t n_wanted, int64_t *cells)
{
	size_t done = 0;
	struct head head;
	for (uint32_t column = first; column < c->n_columns && column < first + GROUP_COLUMNS;
		column++) {
		if (done == n_wanted)
			return (int)done;
		if (!take_head(&group, c->n_sweeps, &head))
			return -EBADMSG;
		if (wanted[done] != column)
			continue;
		if (!read_cells(&head, c->end, c->n_sweeps, cells + done * c->n_sweeps))
			return -EBADMSG;
		done++;
	}
	return group.at == group.end ? (int)done : -EBADMSG;
}

int columns_read(const struct columns *c, const uint32_t *wanted, size_t n_wanted, int64_t *cells)
{
	struct place p = {c->data, c->end}, group;
	struct head times;
	if (!take_head(&p, c->n_sweeps, &times))
		return -EBADMSG;
	for (uint32_t first = 0; n_wanted > 0; first += GROUP_COLUMNS) {
		uint64_t length;
		assert(wanted[n_wanted - 1] < c->n_columns && wanted[0] >= first);
		if (!take_unsigned(&p, &length) || !take_place(&p, length, &group))
			return -EBADMSG;
		int n = wanted[0] < first + GROUP_COLUMNS
			? read_group(c, group, first, wanted, n_wanted, cells)
			: 0;
		if (n < 0)
			return n;
		wanted += n;
		n_wanted -= (size_t)n;
		cells += (size_t)n * c->n_sweeps;
	}
	return 0;
}
