/* SPDX-License-Identifier: Apache-2.0 */
#include "columns.h"

#include <assert.h>
#include <string.h>

#include <fenwatch/crc.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "codes.h"
#include "columns_bytes.h"

enum {
	TILE_COLUMNS = 8, /* taken at once: the cells of a sweep lie side by side */
	STRETCHES = 7,
	PROBES = 16,
};
#define MANTISSA_LIMIT ((int64_t)1 << 50)

/* A way to write a column. */
struct way {
	uint8_t shape;
	int64_t base;
	uint32_t n, estimate; /* numbers; about what they will take, in 1/16 bits */
	struct codes_lengths lengths;
	uint64_t numbers[FW_SWEEPS_LIMIT];
};

/* Memory for one column after the other. */
struct work {
	int64_t tile[TILE_COLUMNS][FW_SWEEPS_LIMIT];
	int64_t mantissas[FW_SWEEPS_LIMIT], differences[FW_SWEEPS_LIMIT], parts[FW_SWEEPS_LIMIT];
	struct way ways[2];
};

/* One column on its way: its cells with holes closed, and what became of them. One
 * whose cells are all alike goes as if it had a single one. */
struct column {
	uint32_t n;
	int64_t *cells;
	bool has_holes, is_decimal;
	uint8_t decimals; /* and TIMES_A_PART */
};

/* ---- cells ---- */

static void load_tile(int64_t tile[][FW_SWEEPS_LIMIT], const struct columns_cells *from,
	uint32_t first, uint32_t n_columns)
{
	const int64_t *at = from->cells + first * from->to_column;
	for (uint32_t i = 0; i < from->n_sweeps; i++, at += from->to_sweep)
		for (uint32_t c = 0; c < n_columns; c++)
			tile[c][i] = at[c * from->to_column];
}

static bool are_alike(const int64_t *cells, uint32_t n)
{
	uint64_t differ = 0;
	for (uint32_t i = 1; i < n; i++)
		differ |= (uint64_t)(cells[i] ^ cells[0]);
	return differ == 0;
}

static bool has_holes(const int64_t *cells, uint32_t n)
{
	bool found = false;
	for (uint32_t i = 0; i < n; i++)
		found |= cells[i] == FW_ABSENT;
	return found;
}

static void mark_holes(const int64_t *cells, uint32_t n, uint8_t *holes)
{
	memset(holes, 0, HOLE_BYTES(n));
	for (uint32_t i = 0; i < n; i++)
		holes[i / 8] |= (uint8_t)((cells[i] == FW_ABSENT) << i % 8);
}

/* A hole repeats the cell before it, at the start the one after it, and so costs nothing. */
static void close_holes(int64_t *cells, uint32_t n)
{
	uint32_t first = 0;
	while (first < n && cells[first] == FW_ABSENT)
		first++;
	int64_t value = first < n ? cells[first] : 0;
	for (uint32_t i = 0; i < n; i++) {
		value = cells[i] == FW_ABSENT ? value : cells[i];
		cells[i] = value;
	}
}

/* ---- doubles that are decimals ---- */

/* 0 if the doubles are these mantissas with so many decimals. */
static uint64_t take_mantissas(
	const int64_t *cells, uint32_t n, unsigned decimals, int64_t *mantissas)
{
	uint64_t wrong = 0;
	double power = decimal_power(decimals & DECIMALS_LIMIT);
	for (uint32_t i = 0; i < n; i++) {
		int64_t mantissa = rounded(double_of(cells[i]) * power);
		wrong |= (uint64_t)cells_plus(mantissa, MANTISSA_LIMIT) / (2 * MANTISSA_LIMIT);
		wrong |= (uint64_t)(bits_of(decimal_double(mantissa, decimals)) ^ cells[i]);
		mantissas[i] = mantissa;
	}
	return wrong;
}

/* Most numbers of decimals fail at the first cell, so the first looks are short. */
static bool are_decimals(const struct column *column, unsigned decimals, int64_t *mantissas)
{
	for (uint32_t i = 0, n = 1; i < column->n; i += n, n = 2 * n) {
		n = column->n - i < n ? column->n - i : n;
		if (take_mantissas(column->cells + i, n, decimals, mantissas + i) != 0)
			return false;
	}
	return true;
}

static void find_decimals(struct column *column, int64_t *mantissas)
{
	for (unsigned part = 0; part <= TIMES_A_PART; part += TIMES_A_PART) {
		for (unsigned decimals = 0; decimals <= DECIMALS_LIMIT; decimals++) {
			if (!are_decimals(column, decimals | part, mantissas))
				continue;
			memcpy(column->cells, mantissas, column->n * sizeof *mantissas);
			column->is_decimal = true;
			column->decimals = (uint8_t)(decimals | part);
			return;
		}
	}
}

/* ---- differences, and what they have in common ---- */

static void subtract(const int64_t *cells, uint32_t n, int64_t *differences)
{
	for (uint32_t i = 0; i + 1 < n; i++)
		differences[i] = cells_minus(cells[i + 1], cells[i]);
}

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

/* Of numbers that are not all zero; the powers of two apart, as they are most of it. */
static unsigned common_twos(const int64_t *differences, uint32_t n)
{
	uint64_t any = 0;
	for (uint32_t i = 0; i < n; i++)
		any |= (uint64_t)differences[i];
	return (unsigned)__builtin_ctzll(any);
}

static uint64_t common_rest(const int64_t *differences, uint32_t n, unsigned twos)
{
	uint64_t divisor = 0;
	for (uint32_t i = 0; i < n && divisor != 1; i++)
		divisor = common_divisor(magnitude(differences[i]) >> twos, divisor);
	return divisor;
}

/* Divides them by what they have in common. All arithmetic wraps: a multiple of the
 * quotients is the differences again, and sums and differences of both keep to that. */
static uint64_t divide(int64_t *differences, uint32_t n)
{
	unsigned twos = common_twos(differences, n);
	uint64_t rest = common_rest(differences, n, twos);
	for (uint32_t i = 0; twos != 0 && i < n; i++)
		differences[i] >>= twos;
	for (uint32_t i = 0; rest != 1 && i < n; i++) {
		uint64_t quotient = magnitude(differences[i]) / rest;
		differences[i] = (int64_t)(differences[i] < 0 ? 0 - quotient : quotient);
	}
	return rest << twos;
}

/* ---- prediction ---- */

/* The way found so far, and room for the next try. */
struct search {
	struct way *best, *next;
};

static void try_way(
	struct search *search, uint8_t shape, const int64_t *parts, uint32_t n, int64_t base)
{
	struct way *way = search->next;
	for (uint32_t i = 0; i < n; i++)
		way->numbers[i] = fw_zigzag(cells_minus(parts[i], base));
	codes_measure(&way->lengths, way->numbers, n);
	way->shape = shape;
	way->base = base;
	way->n = n;
	way->estimate = codes_estimate(&way->lengths);
	if (shape == DELTA2 || base != 0)
		way->estimate += 2 * 8 * 16;
	if (way->estimate >= search->best->estimate)
		return;
	search->next = search->best;
	search->best = way;
}

/* An offset can only help where nearly all are on one side of zero, or on zero. */
static bool is_lopsided(const int64_t *parts, uint32_t n)
{
	uint32_t below = 0;
	for (uint32_t i = 0; i < n; i++)
		below += parts[i] < 0;
	return below < n / 8 || n - below < n / 8;
}

static void sort(int64_t *v, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t j = i; j > 0 && v[j] < v[j - 1]; j--) {
			int64_t t = v[j];
			v[j] = v[j - 1];
			v[j - 1] = t;
		}
}

/* Their middle, more or less: the median of the means of seven stretches. */
static int64_t find_middle(const int64_t *parts, uint32_t n)
{
	int64_t means[STRETCHES] = {0};
	uint32_t log2 = 0, n_means = n < STRETCHES ? n : STRETCHES;
	while ((uint32_t)STRETCHES << (log2 + 1) <= n)
		log2++;
	for (uint32_t k = 0; k < n_means; k++) {
		uint64_t sum = 0;
		for (uint32_t i = 0; i < 1u << log2; i++)
			sum += (uint64_t)parts[(k << log2) + i];
		means[k] = (int64_t)sum >> log2;
	}
	sort(means, n_means);
	return means[n_means / 2];
}

/* The lengths of some of the numbers, in sum, which is enough to see what is hopeless. */
static uint32_t probe(const int64_t *parts, uint32_t n, int64_t base)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < PROBES; i++) {
		int64_t part = cells_minus(parts[i * n / PROBES], base);
		sum += 64 - (unsigned)__builtin_clzll(fw_zigzag(part) | 1);
	}
	return sum;
}

/* 0 where an offset would not help. It may cost half a bit: lengths come closer together. */
static int64_t find_base(const int64_t *parts, uint32_t n)
{
	if (!is_lopsided(parts, n))
		return 0;
	int64_t middle = find_middle(parts, n);
	return probe(parts, n, middle) < probe(parts, n, 0) + PROBES / 2 ? middle : 0;
}

/* A bit more than the best has so far is too much. */
static void try_shape(struct search *search, uint8_t shape, const int64_t *parts, uint32_t n)
{
	const struct codes_lengths *best = &search->best->lengths;
	int64_t base = shape == DELTA2 ? 0 : find_base(parts, n);
	if (best->n == 0 || probe(parts, n, base) * best->n <= (best->sum + best->n) * PROBES)
		try_way(search, shape, parts, n, base);
}

/* For differences that are not all alike. */
static const struct way *find_way(struct work *work, uint32_t n)
{
	uint64_t sum = 0;
	struct search search = {&work->ways[0], &work->ways[1]};
	search.best->estimate = UINT32_MAX;
	search.best->lengths.n = 0;
	try_shape(&search, DELTA, work->differences, n);
	for (uint32_t i = 0; i < n; i++)
		work->parts[i] = (int64_t)(sum += (uint64_t)work->differences[i]);
	try_shape(&search, PLAIN, work->parts, n);
	subtract(work->differences, n, work->parts);
	try_shape(&search, DELTA2, work->parts, n - 1);
	return search.best;
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

static size_t varint_bytes(uint64_t v)
{
	size_t n = 1;
	while (v >>= 7)
		n++;
	return n;
}

static void put_way(
	struct fw_buf *out, const struct column *column, const struct way *way, uint64_t divisor)
{
	struct code code = codes_choose(&way->lengths, way->numbers);
	int64_t second = cells_minus(column->cells[1], column->cells[0]);
	size_t length = codes_bytes(&code);
	length += way->shape == DELTA2 ? varint_bytes(fw_zigzag(second)) : 0;
	length += divisor > 1 ? varint_bytes(divisor) : 0;
	length += way->base != 0 ? varint_bytes(fw_zigzag(way->base)) : 0;
	put_head(out, column,
		(uint8_t)(way->shape | (divisor > 1 ? DIVIDED : 0) | (way->base ? BASED : 0)));
	fw_buf_put_varint(out, length);
	if (way->shape == DELTA2)
		put_signed(out, second);
	if (divisor > 1)
		fw_buf_put_varint(out, divisor);
	if (way->base)
		put_signed(out, way->base);
	codes_put(out, &code, way->numbers, way->n);
}

static void put_cells(struct fw_buf *out, const struct column *column, struct work *work)
{
	int64_t *differences = work->differences;
	if (column->n == 1) {
		put_head(out, column, column->cells[0] == 0 ? ZERO : CONSTANT);
		return;
	}
	subtract(column->cells, column->n, differences);
	if (are_alike(differences, column->n - 1)) {
		put_head(out, column, LINE);
		put_signed(out, differences[0]);
		return;
	}
	uint64_t divisor = divide(differences, column->n - 1);
	put_way(out, column, find_way(work, column->n - 1), divisor);
}

static void put_column(
	struct fw_buf *out, int64_t *cells, uint32_t n, bool is_double, struct work *work)
{
	uint8_t holes[HOLE_BYTES(FW_SWEEPS_LIMIT)];
	struct column column = {.cells = cells, .n = are_alike(cells, n) ? 1 : n};
	column.has_holes = has_holes(cells, column.n);
	if (column.has_holes) {
		mark_holes(cells, n, holes);
		close_holes(cells, n);
		column.n = are_alike(cells, n) ? 1 : n;
	}
	if (is_double && (column.n > 1 || cells[0] != 0))
		find_decimals(&column, work->mantissas);
	put_cells(out, &column, work);
	if (column.has_holes)
		fw_buf_append(out, holes, HOLE_BYTES(n));
}

static void put_times(struct fw_buf *out, const struct columns_cells *from, struct work *work)
{
	int64_t *times = work->tile[0];
	memcpy(times, from->times_ms, from->n_sweeps * sizeof *times);
	put_column(out, times, from->n_sweeps, false, work);
}

static void put_columns(struct fw_buf *out, const struct columns_cells *from,
	const struct fw_column *columns, uint32_t first, uint32_t end, struct work *work)
{
	for (uint32_t c = first; c < end; c += TILE_COLUMNS) {
		uint32_t n = end - c < TILE_COLUMNS ? end - c : TILE_COLUMNS;
		load_tile(work->tile, from, c, n);
		for (uint32_t i = 0; i < n; i++)
			put_column(out, work->tile[i], from->n_sweeps,
				columns[c + i].type & FW_DOUBLE, work);
	}
}

/* ---- a body ---- */

static void put_whole(struct fw_buf *out, const struct columns_cells *from,
	const struct fw_column *columns, struct work *work)
{
	struct fw_buf row = {0};
	put_times(out, from, work);
	put_columns(&row, from, columns, 0, from->n_columns, work);
	if (from->n_columns > 0)
		fw_buf_put_varint(out, row.length);
	fw_buf_append(out, row.data, row.length);
	fw_buf_done(&row);
}

static void put_in_directory(uint8_t *at, const uint8_t *group, size_t length)
{
	assert(length <= UINT16_MAX); /* 24 columns of 240 cells of 73 bits, and their heads */
	put_u16(at, (uint16_t)length);
	put_u32(at + 2, fw_crc32c(0, group, length));
}

/* All groups; the directory is filled in. */
static void put_groups(struct fw_buf *out, const struct columns_cells *from,
	const struct fw_column *columns, uint8_t *directory, struct work *work)
{
	for (uint32_t c = 0; c < from->n_columns; c += GROUP_COLUMNS) {
		size_t begin = out->length;
		uint32_t left = from->n_columns - c;
		put_columns(out, from, columns, c,
			c + (left < GROUP_COLUMNS ? left : GROUP_COLUMNS), work);
		put_in_directory(directory, out->data + begin, out->length - begin);
		directory += FRONT_GROUP_BYTES;
	}
}

static void put_grouped(struct fw_buf *out, const struct columns_cells *from,
	const struct fw_column *columns, struct work *work)
{
	static const uint8_t no_sum[FRONT_SUM_BYTES];
	struct fw_buf times = {0}, groups = {0};
	uint32_t n_groups = (from->n_columns + GROUP_COLUMNS - 1) / GROUP_COLUMNS;
	size_t length = FRONT_HEAD_BYTES + (size_t)n_groups * FRONT_GROUP_BYTES;
	uint8_t *front = fw_buf_reserve(out, length);
	put_times(&times, from, work);
	put_u16(front, (uint16_t)times.length);
	put_u16(front + 2, (uint16_t)n_groups);
	put_groups(&groups, from, columns, front + FRONT_HEAD_BYTES, work);
	out->length += length;
	fw_buf_append(out, times.data, times.length);
	fw_buf_append(out, no_sum, sizeof no_sum);
	fw_buf_append(out, groups.data, groups.length);
	fw_buf_done(&times);
	fw_buf_done(&groups);
}

void columns_pack(
	const struct columns_cells *from, const struct fw_column *columns, struct fw_buf *out)
{
	struct work *work = fw_alloc(sizeof *work);
	assert(from->n_sweeps > 0 && from->n_sweeps <= FW_SWEEPS_LIMIT);
	if (columns_are_grouped(from->n_columns))
		put_grouped(out, from, columns, work);
	else
		put_whole(out, from, columns, work);
	fw_free(work);
}
