/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of columns of every kind, there and back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/mem.h>

#include "codes.h"
#include "columns.h"

enum { MOST_COLUMNS = 200 };

static const struct fw_column integer = {.type = FW_COUNTER, .factor = 1};
static const struct fw_column real = {.type = FW_GAUGE | FW_DOUBLE, .factor = 1};

/* Deterministic: every run tries the same. */
static uint64_t dice_state;

static uint64_t dice(void)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return dice_state;
}

static int64_t bits_of(double v)
{
	int64_t bits;
	memcpy(&bits, &v, sizeof bits);
	return bits;
}

struct block {
	uint32_t n_sweeps, n_columns;
	int64_t times[FW_SWEEPS_LIMIT], *cells; /* sweep after sweep */
	struct fw_column columns[MOST_COLUMNS];
	struct fw_buf body;
};

static void block_init(struct block *b, uint32_t n_sweeps, uint32_t n_columns)
{
	*b = (struct block){.n_sweeps = n_sweeps, .n_columns = n_columns};
	b->cells = fw_alloc(((size_t)n_sweeps * n_columns + 1) * sizeof *b->cells);
	for (uint32_t i = 0; i < n_sweeps; i++)
		b->times[i] = 1700000000000 + i * 15000;
	for (uint32_t c = 0; c < n_columns; c++)
		b->columns[c] = integer;
}

static void block_done(struct block *b)
{
	fw_free(b->cells);
	fw_buf_done(&b->body);
}

static int64_t *cell(const struct block *b, uint32_t sweep, uint32_t column)
{
	return &b->cells[(size_t)sweep * b->n_columns + column];
}

/* As columns_pack() made it. */
static int open_body(struct columns *c, const uint8_t *body, size_t length, uint32_t n_sweeps,
	uint32_t n_columns)
{
	return columns_are_grouped(n_columns)
		? columns_open_groups(c, body, length, n_sweeps, n_columns)
		: columns_open(c, body, length, n_sweeps, n_columns);
}

static void pack(struct block *b)
{
	const struct columns_cells rows = {
		b->times, b->cells, 1, b->n_columns, b->n_sweeps, b->n_columns};
	fw_buf_reset(&b->body);
	columns_pack(&rows, b->columns, &b->body);
}

/* Cells that lie column after column give the same bytes. */
static void expect_same_turned(const struct block *b)
{
	struct fw_buf body = {0};
	int64_t *turned = fw_alloc(((size_t)b->n_sweeps * b->n_columns + 1) * sizeof *turned);
	for (uint32_t c = 0; c < b->n_columns; c++)
		for (uint32_t i = 0; i < b->n_sweeps; i++)
			turned[c * b->n_sweeps + i] = *cell(b, i, c);
	const struct columns_cells columns = {
		b->times, turned, b->n_sweeps, 1, b->n_sweeps, b->n_columns};
	columns_pack(&columns, b->columns, &body);
	assert_int_equal(body.length, b->body.length);
	assert_memory_equal(body.data, b->body.data, body.length);
	fw_buf_done(&body);
	fw_free(turned);
}

static void expect_column(const struct block *b, const struct columns *c, uint32_t column)
{
	int64_t got[FW_SWEEPS_LIMIT];
	assert_int_equal(columns_read(c, &column, 1, got, 0), 0);
	for (uint32_t i = 0; i < b->n_sweeps; i++)
		assert_int_equal(got[i], *cell(b, i, column));
}

#define GAP 7
#define UNTOUCHED INT64_C(0x5a5a5a5a5a5a5a5a)

/* Columns further apart than they are long, as a range has them: what lies between stays. */
static void expect_gaps(const struct block *b, const struct columns *c, const uint32_t *all)
{
	size_t apart = b->n_sweeps + GAP;
	int64_t *got = fw_alloc(apart * b->n_columns * sizeof *got + 1);
	for (size_t i = 0; i < apart * b->n_columns; i++)
		got[i] = UNTOUCHED;
	assert_int_equal(columns_read(c, all, b->n_columns, got, apart), 0);
	for (uint32_t i = 0; i < b->n_columns; i++)
		for (uint32_t s = 0; s < apart; s++)
			assert_int_equal(
				got[i * apart + s], s < b->n_sweeps ? *cell(b, s, i) : UNTOUCHED);
	fw_free(got);
}

/* All columns at once, and each alone. */
static void expect_same(struct block *b)
{
	struct columns c;
	int64_t times[FW_SWEEPS_LIMIT];
	uint32_t all[MOST_COLUMNS];
	int64_t *got = fw_alloc(((size_t)b->n_sweeps * b->n_columns + 1) * sizeof *got);
	pack(b);
	expect_same_turned(b);
	assert_int_equal(open_body(&c, b->body.data, b->body.length, b->n_sweeps, b->n_columns), 0);
	assert_int_equal(columns_times(&c, times), 0);
	assert_memory_equal(times, b->times, b->n_sweeps * sizeof *times);
	for (uint32_t i = 0; i < b->n_columns; i++)
		all[i] = i;
	assert_int_equal(columns_read(&c, all, b->n_columns, got, b->n_sweeps), 0);
	for (uint32_t i = 0; i < b->n_columns; i++) {
		for (uint32_t s = 0; s < b->n_sweeps; s++)
			assert_int_equal(got[i * b->n_sweeps + s], *cell(b, s, i));
		expect_column(b, &c, i);
	}
	expect_gaps(b, &c, all);
	fw_free(got);
}

/* ---- cells of every kind ---- */

typedef int64_t (*maker)(uint32_t i, int64_t before);

static int64_t nothing(uint32_t i, int64_t before)
{
	(void)i;
	(void)before;
	return FW_ABSENT;
}

static int64_t zero(uint32_t i, int64_t before)
{
	(void)i;
	(void)before;
	return 0;
}

static int64_t constant(uint32_t i, int64_t before)
{
	(void)i;
	(void)before;
	return -123456789012345;
}

static int64_t line(uint32_t i, int64_t before)
{
	(void)before;
	return 1000 + 4096ll * i;
}

static int64_t pages(uint32_t i, int64_t before)
{
	(void)i;
	return before + 4096 * (int64_t)(dice() % 9) - 4 * 4096;
}

static int64_t counter(uint32_t i, int64_t before)
{
	return i % 97 == 96 ? 0 : before + 90000 + (int64_t)(dice() % 3000);
}

static int64_t sparse(uint32_t i, int64_t before)
{
	(void)i;
	return dice() % 20 ? before : before + 1 + (int64_t)(dice() % 5);
}

static int64_t curve(uint32_t i, int64_t before)
{
	(void)before;
	return (int64_t)i * i * 1000 + (int64_t)(dice() % 3);
}

static int64_t any_width(uint32_t i, int64_t before)
{
	(void)before;
	int64_t v = (int64_t)(dice() >> (i % 64));
	return i % 2 ? v : (int64_t)(0 - (uint64_t)v);
}

static int64_t edges(uint32_t i, int64_t before)
{
	static const int64_t values[] = {INT64_MAX, INT64_MIN + 1, 0, -1, 1, INT64_MAX - 1};
	(void)before;
	return values[(i + dice() % 3) % 6];
}

static int64_t holey(uint32_t i, int64_t before)
{
	return dice() % 3 == 0 ? FW_ABSENT : counter(i, before == FW_ABSENT ? 7 : before);
}

static int64_t vanishing(uint32_t i, int64_t before)
{
	(void)before;
	return i < 5 ? 42 : FW_ABSENT;
}

static const maker integers[] = {nothing, zero, constant, line, pages, counter, sparse, curve,
	any_width, edges, holey, vanishing};

static int64_t cents(uint32_t i, int64_t before)
{
	(void)i;
	(void)before;
	return bits_of((double)(int64_t)(dice() % 10000) / 100);
}

static int64_t thousandth_parts(uint32_t i, int64_t before)
{
	(void)before;
	return bits_of((double)(i * 977 + dice() % 50) * .001);
}

static int64_t noise(uint32_t i, int64_t before)
{
	(void)i;
	(void)before;
	return bits_of((double)dice() * 1e-9);
}

/* Infinities, payloads of NaNs, the smallest and largest, and what negative zero stands as. */
static int64_t strange(uint32_t i, int64_t before)
{
	static const uint64_t values[] = {0x7ff0000000000000, 0xfff0000000000000,
		0x7ff8000000000001, 0xfff8dead0000beef, 1, 0x7fefffffffffffff, FW_STALE_NAN_BITS,
		0x3ff0000000000000};
	(void)i;
	(void)before;
	return (int64_t)values[dice() % 8];
}

static int64_t large_decimal(uint32_t i, int64_t before)
{
	(void)before;
	return bits_of(1e15 + i * 1000);
}

static int64_t missing_cents(uint32_t i, int64_t before)
{
	return dice() % 4 ? cents(i, before) : FW_ABSENT;
}

static const maker reals[] = {
	nothing, zero, cents, thousandth_parts, noise, strange, large_decimal, missing_cents};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void fill(struct block *b, uint32_t column, maker make)
{
	int64_t before = 0;
	for (uint32_t i = 0; i < b->n_sweeps; i++)
		*cell(b, i, column) = before = make(i, before);
}

static void test_every_kind_and_length(void **state)
{
	static const uint32_t lengths[] = {1, 2, 3, 4, 7, 8, 9, 59, 60, 61, 64, 127, 239, 240};
	(void)state;
	dice_state = 20261128;
	for (size_t l = 0; l < COUNT(lengths); l++) {
		struct block b;
		block_init(&b, lengths[l], COUNT(integers) + COUNT(reals));
		for (uint32_t c = 0; c < b.n_columns; c++) {
			bool is_real = c >= COUNT(integers);
			b.columns[c] = is_real ? real : integer;
			fill(&b, c, is_real ? reals[c - COUNT(integers)] : integers[c]);
		}
		expect_same(&b);
		block_done(&b);
	}
}

static void test_random_blocks(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct block b;
		dice_state = seed * 0x9e3779b97f4a7c15;
		block_init(&b, 1 + (uint32_t)(dice() % FW_SWEEPS_LIMIT),
			(uint32_t)(dice() % MOST_COLUMNS));
		for (uint32_t c = 0; c < b.n_columns; c++) {
			bool is_real = dice() % 3 == 0;
			b.columns[c] = is_real ? real : integer;
			fill(&b, c,
				is_real ? reals[dice() % COUNT(reals)]
					: integers[dice() % COUNT(integers)]);
		}
		for (uint32_t i = 1; i < b.n_sweeps; i++)
			b.times[i] = b.times[i - 1] + 1 + (int64_t)(dice() % 20000);
		expect_same(&b);
		block_done(&b);
	}
}

/* What it is for: sizes that the rest of the store counts on. */
static void test_sizes(void **state)
{
	struct block b;
	(void)state;
	dice_state = 7;
	block_init(&b, 240, 64);
	for (uint32_t c = 0; c < 64; c++)
		fill(&b, c, zero);
	pack(&b);
	assert_in_range(b.body.length, 64, 64 + 48);
	for (uint32_t c = 0; c < 64; c++)
		fill(&b, c, pages); /* nine values, alike: 3.2 bits at best */
	pack(&b);
	assert_in_range(b.body.length, 240 * 64 * 32 / 80, 240 * 64 * 41 / 80);
	for (uint32_t c = 0; c < 64; c++) {
		b.columns[c] = real;
		fill(&b, c,
			thousandth_parts); /* a slope, and 50 values: differences have 6.6 bits */
	}
	pack(&b);
	assert_in_range(b.body.length, 240 * 64 * 60 / 80, 240 * 64 * 72 / 80);
	for (uint32_t c = 0; c < 64; c++)
		*cell(&b, 0, c) = 0; /* 0.0 is a decimal, too */
	pack(&b);
	assert_in_range(b.body.length, 240 * 64 * 60 / 80, 240 * 64 * 72 / 80);
	block_done(&b);
}

/* ---- bytes that are not ours ---- */

static int read_all(const uint8_t *body, size_t length, uint32_t n_sweeps, uint32_t n_columns)
{
	static int64_t cells[FW_SWEEPS_LIMIT * MOST_COLUMNS];
	uint32_t all[MOST_COLUMNS];
	struct columns c;
	int64_t times[FW_SWEEPS_LIMIT];
	for (uint32_t i = 0; i < n_columns; i++)
		all[i] = i;
	int rc = open_body(&c, body, length, n_sweeps, n_columns);
	rc = rc < 0 ? rc : columns_times(&c, times);
	return rc < 0 ? rc : columns_read(&c, all, n_columns, cells, n_sweeps);
}

static void test_damage_is_told_or_harmless(void **state)
{
	struct block b;
	(void)state;
	dice_state = 11;
	block_init(&b, 60, COUNT(integers));
	for (uint32_t c = 0; c < b.n_columns; c++)
		fill(&b, c, integers[c]);
	pack(&b);
	assert_int_equal(read_all(b.body.data, b.body.length, 60, b.n_columns), 0);
	for (size_t length = 0; length < b.body.length; length++) {
		uint8_t *cut = fw_alloc(length + 1); /* exactly as long, for the sanitizer */
		memcpy(cut, b.body.data, length);
		assert_int_equal(read_all(cut, length, 60, b.n_columns), -EBADMSG);
		fw_free(cut);
	}
	for (size_t bit = 0; bit < 8 * b.body.length; bit++) {
		b.body.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		read_all(b.body.data, b.body.length, 60, b.n_columns);
		b.body.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(read_all(b.body.data, b.body.length, 0, b.n_columns), -EBADMSG);
	assert_int_equal(read_all(b.body.data, b.body.length, 241, b.n_columns), -EBADMSG);
	assert_int_equal(read_all(b.body.data, b.body.length, 59, b.n_columns), -EBADMSG);
	block_done(&b);
}

enum { WIDE = 100 };

static void fill_wide(struct block *b, uint32_t n_sweeps)
{
	dice_state = 13;
	block_init(b, n_sweeps, WIDE);
	for (uint32_t c = 0; c < WIDE; c++) {
		bool is_real = c % 3 == 0;
		b->columns[c] = is_real ? real : integer;
		fill(b, c, is_real ? reals[c % COUNT(reals)] : integers[c % COUNT(integers)]);
	}
}

/* Which columns can still be read, and are right; whatever is read is right. */
static uint32_t count_readable(const struct block *b, const struct columns *c)
{
	uint32_t n = 0;
	int64_t got[FW_SWEEPS_LIMIT];
	for (uint32_t column = 0; column < b->n_columns; column++) {
		int rc = columns_read(c, &column, 1, got, 0);
		assert_true(rc == 0 || rc == -EBADMSG);
		for (uint32_t i = 0; rc == 0 && i < b->n_sweeps; i++)
			assert_int_equal(got[i], *cell(b, i, column));
		n += rc == 0;
	}
	return n;
}

/* A flipped bit behind the front costs the columns of one group, and is never read. */
static void test_damage_costs_a_group(void **state)
{
	struct block b;
	struct columns c;
	(void)state;
	fill_wide(&b, 12);
	pack(&b);
	assert_int_equal(open_body(&c, b.body.data, b.body.length, 12, WIDE), 0);
	assert_int_equal(count_readable(&b, &c), WIDE);
	size_t front = columns_front_bytes(b.body.data, b.body.length);
	for (size_t bit = 8 * front; bit < 8 * b.body.length; bit += 3) {
		b.body.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		uint32_t n = count_readable(&b, &c);
		assert_true(n >= WIDE - 24 && n < WIDE);
		b.body.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	block_done(&b);
}

/* ---- bodies as format 3 had them ---- */

static void put_row(const struct block *b, uint32_t first, uint32_t n, struct fw_buf *row)
{
	struct fw_buf body = {0}, times = {0};
	const struct columns_cells none = {b->times, b->cells, 1, b->n_columns, b->n_sweeps, 0};
	struct columns_cells part = none;
	part.cells += first;
	part.n_columns = n;
	columns_pack(&none, b->columns, &times);
	columns_pack(&part, b->columns + first, &body);
	uint64_t length;
	size_t begin = times.length;
	begin += fw_get_varint(body.data + begin, body.length - begin, &length);
	fw_buf_append(row, body.data + begin, length);
	fw_buf_done(&times);
	fw_buf_done(&body);
}

/* Rows of 64 columns without groups, put together from bodies that have none. */
static void pack_in_rows(const struct block *b, struct fw_buf *out)
{
	const struct columns_cells none = {b->times, b->cells, 1, b->n_columns, b->n_sweeps, 0};
	columns_pack(&none, b->columns, out);
	for (uint32_t first = 0; first < b->n_columns; first += 64) {
		struct fw_buf row = {0};
		uint32_t end = first + 64 < b->n_columns ? first + 64 : b->n_columns;
		for (uint32_t c = first; c < end; c += 16)
			put_row(b, c, c + 16 < end ? 16 : end - c, &row);
		fw_buf_put_varint(out, row.length);
		fw_buf_append(out, row.data, row.length);
		fw_buf_done(&row);
	}
}

static void test_bodies_of_format_3(void **state)
{
	struct block b;
	struct columns c;
	struct fw_buf body = {0};
	int64_t times[FW_SWEEPS_LIMIT];
	(void)state;
	fill_wide(&b, 60);
	pack_in_rows(&b, &body);
	assert_int_equal(columns_open(&c, body.data, body.length, 60, WIDE), 0);
	assert_int_equal(columns_times(&c, times), 0);
	assert_memory_equal(times, b.times, 60 * sizeof *times);
	assert_int_equal(count_readable(&b, &c), WIDE);
	fw_buf_done(&body);
	block_done(&b);
}

static void expect_numbers(const uint64_t *numbers, uint32_t n)
{
	uint64_t got[CODES_NUMBERS_LIMIT];
	struct codes_lengths lengths;
	struct fw_buf out = {0};
	codes_measure(&lengths, numbers, n);
	struct code code = codes_choose(&lengths, numbers);
	codes_put(&out, &code, numbers, n);
	assert_int_equal(out.length, codes_bytes(&code));
	assert_int_equal(codes_get(out.data, out.length, out.data + out.length, got, n), 0);
	assert_memory_equal(numbers, got, n * sizeof *got);
	assert_int_equal(
		codes_get(out.data, out.length - 1, out.data + out.length, got, n), -EBADMSG);
	if (n > 16)
		assert_int_equal(codes_get(out.data, out.length, out.data + out.length, got, n / 2),
			-EBADMSG);
	fw_buf_done(&out);
}

/* Each code with each shift reads what it has written, and says what it takes. */
static void test_codes(void **state)
{
	uint64_t numbers[CODES_NUMBERS_LIMIT];
	(void)state;
	dice_state = 5;
	for (unsigned width = 0; width <= 64; width++) {
		for (uint32_t n = 1; n <= CODES_NUMBERS_LIMIT; n += 1 + n / 3) {
			for (uint32_t i = 0; i < n; i++)
				numbers[i] = width && dice() % 8
					? dice() >> (64 - width) >> dice() % 4
					: 0;
			expect_numbers(numbers, n);
		}
	}
}

/* Numbers of all lengths among each other, so that all symbols come. */
static void test_codes_of_any_length(void **state)
{
	uint64_t numbers[CODES_NUMBERS_LIMIT];
	(void)state;
	dice_state = 9;
	for (unsigned shortest = 0; shortest < 64; shortest++) {
		for (uint32_t i = 0; i < CODES_NUMBERS_LIMIT; i++)
			numbers[i] = dice() >> dice() % (64 - shortest);
		expect_numbers(numbers, CODES_NUMBERS_LIMIT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_and_length),
		cmocka_unit_test(test_random_blocks),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_damage_is_told_or_harmless),
		cmocka_unit_test(test_damage_costs_a_group),
		cmocka_unit_test(test_bodies_of_format_3),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_codes_of_any_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
