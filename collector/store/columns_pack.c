/* SPDX-License-Identifier: Apache-2.0 */
#include "columns.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "codes.h"
#include "columns_bytes.h"

/* One column on its way: its cells with holes closed, and what became of them. */
struct column {
	uint32_t n;
	bool has_holes;
	uint8_t decimals; /* and TIMES_A_PART */
	bool is_decimal;
	int64_t cells[FW_SWEEPS_LIMIT];
};

/* A way to write it. */
struct way {
	uint8_t shape;
	int64_t second; /* LINE: the step; DELTA2: the first difference */
	uint64_t divisor;
	int64_t base;
	uint32_t n;
	struct code code;
	uint64_t numbers[FW_SWEEPS_LIMIT];
};

/* A hole repeats the cell before it, at the start the one after it, and so costs nothing. */
static void gather(struct column *column, const struct columns_cells *from, uint32_t c)
{
	size_t stride = from->to_sweep;
	const int64_t *at = from->cells + c * from->to_column;
	uint32_t first = 0;
	column->n = from->n_sweeps;
	column->has_holes = false;
	column->is_decimal = false;
	while (first < column->n && at[first * stride] == FW_ABSENT)
		first++;
	int64_t value = first < column->n ? at[first * stride] : 0;
	for (uint32_t i = 0; i < column->n; i++) {
		int64_t cell = at[i * stride];
		column->has_holes |= cell == FW_ABSENT;
		value = cell == FW_ABSENT ? value : cell;
		column->cells[i] = value;
	}
}

/* ---- doubles that are decimals ---- */

static double double_of(int64_t bits)
{
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

static bool is_decimal(int64_t cell, unsigned decimals, int64_t *mantissa)
{
	double scaled = rint(double_of(cell) * decimal_power(decimals & DECIMALS_LIMIT));
	if (!(fabs(scaled) <= 1e15))
		return false;
	*mantissa = (int64_t)scaled;
	return bits_of(decimal_double(*mantissa, decimals)) == cell;
}

static uint32_t count_decimals(const struct column *column, unsigned decimals, int64_t *mantissas)
{
	uint32_t n = 0;
	while (n < column->n && is_decimal(column->cells[n], decimals, &mantissas[n]))
		n++;
	return n;
}

/* More decimals only help from the first cell on that has too few. */
static void find_decimals(struct column *column)
{
	int64_t mantissas[FW_SWEEPS_LIMIT];
	for (unsigned part = 0; part <= TIMES_A_PART; part += TIMES_A_PART) {
		for (unsigned decimals = 0; decimals <= DECIMALS_LIMIT; decimals++) {
			if (count_decimals(column, decimals | part, mantissas) < column->n)
				continue;
			memcpy(column->cells, mantissas, column->n * sizeof *mantissas);
			column->is_decimal = true;
			column->decimals = (uint8_t)(decimals | part);
			return;
		}
	}
}

/* ---- prediction ---- */

static uint64_t magnitude(int64_t v)
{
	return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static uint64_t common_divisor(const int64_t *residuals, uint32_t n)
{
	uint64_t a = 0;
	for (uint32_t i = 0; i < n && a != 1; i++)
		for (uint64_t b = magnitude(residuals[i]); b != 0;) {
			uint64_t rest = a % b;
			a = b;
			b = rest;
		}
	return a;
}

static int64_t divided(int64_t v, uint64_t divisor)
{
	uint64_t part = divisor == 1 ? magnitude(v) : magnitude(v) / divisor;
	return (int64_t)(v < 0 ? 0 - part : part);
}

/* Moves the cells around until the k-th smallest is in its place. */
static int64_t nth(int64_t *v, int32_t n, int32_t k)
{
	for (int32_t low = 0, high = n - 1; low < high;) {
		int64_t pivot = v[low + (high - low) / 2];
		int32_t i = low, j = high;
		while (i <= j) {
			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i <= j) {
				int64_t t = v[i];
				v[i++] = v[j];
				v[j--] = t;
			}
		}
		if (k > j)
			low = i;
		if (k < i)
			high = j;
	}
	return v[k];
}

static int64_t median(const int64_t *v, uint32_t n)
{
	int64_t copy[FW_SWEEPS_LIMIT];
	memcpy(copy, v, n * sizeof *v);
	return nth(copy, (int32_t)n, (int32_t)n / 2);
}

static size_t varint_bytes(uint64_t v)
{
	size_t n = 1;
	while (v >>= 7)
		n++;
	return n;
}

static size_t way_head_bytes(const struct way *way)
{
	return (way->divisor > 1 ? varint_bytes(way->divisor) : 0) +
		(way->base ? varint_bytes(fw_zigzag(way->base)) : 0) +
		(way->shape == DELTA2 ? varint_bytes(fw_zigzag(way->second)) : 0);
}

static uint64_t way_bits(const struct way *way)
{
	return way->code.bits + 8 * way_head_bytes(way);
}

/* Keeps the way if it is better. Numbers that are longer in sum are not coded to see:
 * a code cannot make good an eighth. */
static void keep_better(struct way *best, struct way *way, const int64_t *parts)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < way->n; i++) {
		way->numbers[i] = fw_zigzag(cells_minus(parts[i], way->base));
		sum += 64 - (unsigned)__builtin_clzll(way->numbers[i] | 1);
	}
	if (best->n != 0 && sum > best->code.bits)
		return;
	way->code = codes_choose(way->numbers, way->n);
	if (best->n == 0 || way_bits(way) < way_bits(best))
		*best = *way;
}

/* Tries the residuals, which are divided here, as they are and, where it can help,
 * with their median taken off. */
static void try_shape(
	struct way *best, uint8_t shape, int64_t *residuals, uint32_t n, int64_t second)
{
	struct way way = {.shape = shape, .second = second, .n = n};
	way.divisor = common_divisor(residuals, n);
	if (way.divisor == 0)
		way.divisor = 1;
	for (uint32_t i = 0; i < n; i++)
		residuals[i] = divided(residuals[i], way.divisor);
	keep_better(best, &way, residuals);
	if (shape == DELTA2)
		return;
	way.base = median(residuals, n);
	if (way.base != 0)
		keep_better(best, &way, residuals);
}

/* At least three cells, and not on a line. */
static void find_way(struct way *best, const struct column *column)
{
	const int64_t *cells = column->cells;
	int64_t plain[FW_SWEEPS_LIMIT], once[FW_SWEEPS_LIMIT], twice[FW_SWEEPS_LIMIT];
	uint32_t n = column->n;
	for (uint32_t i = 0; i + 1 < n; i++) {
		plain[i] = cells_minus(cells[i + 1], cells[0]);
		once[i] = cells_minus(cells[i + 1], cells[i]);
	}
	for (uint32_t i = 0; i + 2 < n; i++)
		twice[i] = cells_minus(once[i + 1], once[i]);
	best->n = 0;
	try_shape(best, DELTA, once, n - 1, 0);
	try_shape(best, PLAIN, plain, n - 1, 0);
	try_shape(best, DELTA2, twice, n - 2, cells_minus(cells[1], cells[0]));
}

static uint8_t find_line(const struct column *column, int64_t *step)
{
	const int64_t *cells = column->cells;
	*step = column->n > 1 ? cells_minus(cells[1], cells[0]) : 0;
	for (uint32_t i = 2; i < column->n; i++)
		if (cells_minus(cells[i], cells[i - 1]) != *step)
			return SHAPE;
	if (*step != 0)
		return LINE;
	return cells[0] == 0 ? ZERO : CONSTANT;
}

/* ---- bytes ---- */

static void put_signed(struct fw_buf *out, int64_t v)
{
	fw_buf_put_varint(out, fw_zigzag(v));
}

static void put_head(struct fw_buf *out, const struct column *column, uint8_t kind)
{
	kind |= (uint8_t)((column->has_holes ? HOLES : 0) | (column->is_decimal ? DECIMAL : 0));
	fw_buf_append(out, &kind, 1);
	if (column->is_decimal)
		fw_buf_append(out, &column->decimals, 1);
	if ((kind & SHAPE) != ZERO)
		put_signed(out, column->cells[0]);
}

static void put_way(struct fw_buf *out, const struct column *column, const struct way *way)
{
	size_t length = way_head_bytes(way) + 2 + (size_t)(way->code.bits + 7) / 8;
	put_head(out, column,
		(uint8_t)(way->shape | (way->divisor > 1 ? DIVIDED : 0) | (way->base ? BASED : 0)));
	fw_buf_put_varint(out, length);
	if (way->shape == DELTA2)
		put_signed(out, way->second);
	if (way->divisor > 1)
		fw_buf_put_varint(out, way->divisor);
	if (way->base)
		put_signed(out, way->base);
	fw_buf_append(out, (const uint8_t[]){way->code.table, way->code.shift}, 2);
	codes_put(out, way->code, way->numbers, way->n);
}

static void put_cells(struct fw_buf *out, const struct column *column)
{
	int64_t step;
	uint8_t line = find_line(column, &step);
	if (line == SHAPE) {
		struct way way;
		find_way(&way, column);
		put_way(out, column, &way);
		return;
	}
	put_head(out, column, line);
	if (line == LINE)
		put_signed(out, step);
}

static void put_holes(struct fw_buf *out, const struct columns_cells *from, uint32_t c)
{
	uint8_t holes[HOLE_BYTES(FW_SWEEPS_LIMIT)] = {0};
	const int64_t *at = from->cells + c * from->to_column;
	for (uint32_t i = 0; i < from->n_sweeps; i++)
		if (at[i * from->to_sweep] == FW_ABSENT)
			holes[i / 8] |= (uint8_t)(1u << (i % 8));
	fw_buf_append(out, holes, HOLE_BYTES(from->n_sweeps));
}

static void put_column(
	struct fw_buf *out, const struct columns_cells *from, uint32_t c, bool is_double)
{
	struct column column;
	gather(&column, from, c);
	if (is_double)
		find_decimals(&column);
	put_cells(out, &column);
	if (column.has_holes)
		put_holes(out, from, c);
}

static void put_times(struct fw_buf *out, const struct columns_cells *from)
{
	struct column column = {.n = from->n_sweeps};
	memcpy(column.cells, from->times_ms, column.n * sizeof *column.cells);
	put_cells(out, &column);
}

static void put_group(struct fw_buf *out, const struct columns_cells *from,
	const struct fw_column *columns, uint32_t first)
{
	struct fw_buf group = {0};
	for (uint32_t c = first; c < from->n_columns && c < first + GROUP_COLUMNS; c++)
		put_column(&group, from, c, columns[c].type & FW_DOUBLE);
	fw_buf_put_varint(out, group.length);
	fw_buf_append(out, group.data, group.length);
	fw_buf_done(&group);
}

void columns_pack(
	const struct columns_cells *from, const struct fw_column *columns, struct fw_buf *out)
{
	assert(from->n_sweeps > 0 && from->n_sweeps <= FW_SWEEPS_LIMIT);
	put_times(out, from);
	for (uint32_t c = 0; c < from->n_columns; c += GROUP_COLUMNS)
		put_group(out, from, columns, c);
}
