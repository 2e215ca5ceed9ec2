/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tiers against what a naive reader makes of the same sweeps. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/mem.h>

#include "rows.h"

#define FIVE_MINUTES 300000ll
#define HOUR 3600000ll
#define BEGIN 1700000000000ll

enum { MOST_SWEEPS = 1200, MOST_ROWS = MOST_SWEEPS, MOST_COLUMNS = 40 };

/* Deterministic: every run tries the same. */
static uint64_t dice_state;

static uint64_t dice(void)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return dice_state;
}

static int64_t cell_of(double v)
{
	int64_t cell;
	memcpy(&cell, &v, sizeof cell);
	return cell;
}

static double double_of(int64_t cell)
{
	double v;
	memcpy(&v, &cell, sizeof v);
	return v;
}

/* ---- what a host has said ---- */

struct ledger {
	struct fw_column columns[MOST_COLUMNS];
	uint32_t n, n_columns;
	int64_t times[MOST_SWEEPS], cells[MOST_COLUMNS][MOST_SWEEPS];
};

static struct ledger ledger;

typedef int64_t (*maker)(uint32_t i, int64_t before);

static int64_t constant(uint32_t i, int64_t before)
{
	return i ? before : (int64_t)(dice() % 100000) - 50000;
}

static int64_t wandering(uint32_t i, int64_t before)
{
	(void)i;
	return before + (int64_t)(dice() % 9000) - 4500;
}

static int64_t rising(uint32_t i, int64_t before)
{
	(void)i;
	return before == FW_ABSENT ? 0 : before + (int64_t)(dice() % 1000);
}

static int64_t resetting(uint32_t i, int64_t before)
{
	return dice() % 15 == 0 ? (int64_t)(dice() % 50) : rising(i, before);
}

static int64_t holey(uint32_t i, int64_t before)
{
	return dice() % 3 == 0 ? FW_ABSENT : resetting(i, before);
}

static int64_t rare(uint32_t i, int64_t before)
{
	(void)before;
	return dice() % 50 ? FW_ABSENT : i;
}

static int64_t nothing(uint32_t i, int64_t before)
{
	(void)i;
	(void)before;
	return FW_ABSENT;
}

static const maker gentle[] = {constant, wandering, rising, resetting, holey, rare, nothing};

static int64_t huge(uint32_t i, int64_t before)
{
	static const int64_t values[] = {INT64_MAX, INT64_MIN + 1, 0, 1ll << 62, -(1ll << 62),
		INT64_MAX / 100, FW_ABSENT, INT64_MAX - 1};
	(void)i;
	(void)before;
	return values[dice() % 8];
}

static int64_t any_width(uint32_t i, int64_t before)
{
	int64_t v = (int64_t)(dice() >> dice() % 64);
	(void)i;
	(void)before;
	return dice() % 2 ? v : (int64_t)(0 - (uint64_t)v);
}

static int64_t cents(uint32_t i, int64_t before)
{
	(void)i;
	(void)before;
	return cell_of((double)(int64_t)(dice() % 10000) / 100);
}

static int64_t real_counter(uint32_t i, int64_t before)
{
	double v = before == FW_ABSENT ? 0 : double_of(before);
	(void)i;
	return cell_of(dice() % 20 ? v + (double)(dice() % 1000) / 8 : 0);
}

static int64_t vast(uint32_t i, int64_t before)
{
	(void)before;
	return cell_of(i % 3 == 1 ? 1e100 : i % 3 == 2 ? -1e100 : 1);
}

static int64_t strange(uint32_t i, int64_t before)
{
	static const uint64_t values[] = {0x7ff0000000000000, 0xfff0000000000000,
		0x7ff8000000000001, 0xfff8dead0000beef, 1, 0x3ff0000000000000, 0,
		(uint64_t)FW_ABSENT};
	(void)i;
	(void)before;
	return (int64_t)values[dice() % 8];
}

static int64_t no_number(uint32_t i, int64_t before)
{
	(void)i;
	(void)before;
	return dice() % 4 ? 0x7ff8000000000001 : cell_of(3);
}

static const maker reals[] = {cents, real_counter, vast, strange, no_number, nothing};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void add_column(uint8_t type, maker make)
{
	uint32_t c = ledger.n_columns++;
	int64_t before = 0;
	ledger.columns[c] = (struct fw_column){.name = "c", .factor = 1, .type = type};
	for (uint32_t i = 0; i < ledger.n; i++)
		before = ledger.cells[c][i] = make(i, before);
}

static void begin_ledger(uint32_t n, int64_t step_ms, uint32_t jitter_ms)
{
	int64_t at = BEGIN + (int64_t)(dice() % 300000);
	ledger.n = n;
	ledger.n_columns = 0;
	for (uint32_t i = 0; i < n; i++, at += step_ms)
		ledger.times[i] = at + (jitter_ms ? (int64_t)(dice() % jitter_ms) : 0);
}

static void add_all(const maker *makers, size_t n, uint8_t is_double)
{
	for (size_t i = 0; i < n; i++)
		for (uint8_t type = FW_GAUGE; type <= FW_UNTYPED; type++)
			add_column(type | is_double, makers[i]);
}

static struct columns_cells sweeps_at(uint32_t first, uint32_t n)
{
	return (struct columns_cells){.times_ms = ledger.times + first,
		.cells = ledger.cells[0] + first,
		.to_column = MOST_SWEEPS,
		.to_sweep = 1,
		.n_sweeps = n,
		.n_columns = ledger.n_columns};
}

/* ---- the naive reader ---- */

struct naive {
	int64_t n, first, last, min, max, increase;
	int64_t sum; /* modulo 2^64 */
};

static int64_t plus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t gain(int64_t before, int64_t now)
{
	return now < before ? now : (int64_t)((uint64_t)now - (uint64_t)before);
}

static struct naive recompute(uint32_t c, int64_t from_ms, int64_t to_ms)
{
	struct naive t = {0};
	for (uint32_t i = 0; i < ledger.n; i++) {
		int64_t v = ledger.cells[c][i];
		if (ledger.times[i] < from_ms || ledger.times[i] > to_ms || v == FW_ABSENT)
			continue;
		t.first = t.n ? t.first : v;
		t.min = t.n && t.min < v ? t.min : v;
		t.max = t.n && t.max > v ? t.max : v;
		t.increase = plus(t.increase, t.n ? gain(t.last, v) : 0);
		t.last = v;
		t.sum = plus(t.sum, v);
		t.n++;
	}
	return t;
}

struct naive_real {
	int64_t n;
	double first, last, min, max, resets;
	long double sum, size;
};

static struct naive_real recompute_real(uint32_t c, int64_t from_ms, int64_t to_ms)
{
	struct naive_real t = {0};
	for (uint32_t i = 0; i < ledger.n; i++) {
		double v = double_of(ledger.cells[c][i]);
		if (ledger.times[i] < from_ms || ledger.times[i] > to_ms ||
			ledger.cells[c][i] == FW_ABSENT)
			continue;
		t.first = t.n ? t.first : v;
		t.min = t.n == 0 || v < t.min || isnan(t.min) ? v : t.min;
		t.max = t.n == 0 || v > t.max || isnan(t.max) ? v : t.max;
		t.resets += t.n > 0 && v < t.last ? t.last : 0;
		t.last = v;
		t.sum += v;
		t.size += isnan(v) ? 0 : fabsl((long double)v);
		t.n++;
	}
	return t;
}

static void expect_integer(const struct store_rows_column *column, size_t i, uint32_t c,
	int64_t from_ms, int64_t to_ms)
{
	struct naive t = recompute(c, from_ms, to_ms);
	uint8_t type = ledger.columns[c].type;
	assert_int_equal(column->count[i], t.n);
	assert_int_equal(column->last[i], t.n ? t.last : FW_ABSENT);
	if (type == FW_GAUGE) {
		assert_int_equal(column->min[i], t.n ? t.min : FW_ABSENT);
		assert_int_equal(column->max[i], t.n ? t.max : FW_ABSENT);
		assert_null(column->increase);
	} else {
		assert_int_equal(column->first[i], t.n ? t.first : FW_ABSENT);
		assert_int_equal(column->increase[i], t.n ? t.increase : FW_ABSENT);
		assert_null(column->min);
	}
	if (type == FW_COUNTER)
		assert_null(column->sum);
	else
		assert_int_equal(column->sum[i], t.n ? t.sum : FW_ABSENT);
}

static void expect_close(double got, long double want, long double size)
{
	if (isnan((double)want))
		assert_true(isnan(got));
	else if (isinf((double)want))
		assert_true(got == (double)want);
	else
		assert_true(fabsl((long double)got - want) <= 1e-12L * size);
}

static void expect_bits(int64_t cell, int64_t n, double want)
{
	assert_int_equal(cell, n == 0 ? FW_ABSENT : cell_of(want));
}

static void expect_real(const struct store_rows_column *column, size_t i, uint32_t c,
	int64_t from_ms, int64_t to_ms)
{
	struct naive_real t = recompute_real(c, from_ms, to_ms);
	uint8_t type = ledger.columns[c].type & FW_TYPE_MASK;
	assert_int_equal(column->count[i], t.n);
	expect_bits(column->last[i], t.n, t.last);
	if (type == FW_GAUGE) {
		expect_bits(column->min[i], t.n, t.min);
		expect_bits(column->max[i], t.n, t.max);
	} else {
		expect_bits(column->first[i], t.n, t.first);
		if (t.n > 0)
			expect_close(double_of(column->increase[i]), t.last - t.first + t.resets,
				t.size);
	}
	if (type != FW_COUNTER && t.n > 0)
		expect_close(double_of(column->sum[i]), t.sum, t.size);
}

/* Every row says what its times say; rows do not overlap; nothing is missing. */
static void expect_answer(const struct store_rows *answer, int64_t bucket_ms, bool one_a_bucket)
{
	int64_t n = 0;
	for (size_t i = 0; i < answer->n; i++) {
		int64_t from = answer->first_ms[i], to = answer->last_ms[i];
		assert_false(answer->overlaps[i]);
		assert_true(rows_bucket(from, bucket_ms) == rows_bucket(to, bucket_ms));
		if (i > 0)
			assert_true(one_a_bucket ? rows_bucket(from, bucket_ms) >
						rows_bucket(answer->last_ms[i - 1], bucket_ms)
						 : from > answer->last_ms[i - 1]);
		for (uint32_t c = 0; c < ledger.n_columns; c++)
			(ledger.columns[c].type & FW_DOUBLE ? expect_real : expect_integer)(
				&answer->columns[c], i, c, from, to);
		for (uint32_t k = 0; k < ledger.n; k++)
			n += ledger.times[k] >= from && ledger.times[k] <= to;
	}
	assert_int_equal(n, ledger.n);
}

static uint32_t more_than_one_a_bucket(const struct store_rows *answer, int64_t bucket_ms)
{
	uint32_t n = 0;
	for (size_t i = 1; i < answer->n; i++)
		n += rows_bucket(answer->last_ms[i], bucket_ms) ==
			rows_bucket(answer->last_ms[i - 1], bucket_ms);
	return n;
}

/* ---- a tier: its blocks, as bytes ---- */

struct tier {
	int64_t bucket_ms;
	struct fw_buf blocks[MOST_SWEEPS];
	uint32_t lengths[MOST_SWEEPS], n;
};

static struct tier five, hour;

static void tier_reset(struct tier *tier, int64_t bucket_ms)
{
	for (uint32_t i = 0; i < tier->n; i++)
		fw_buf_done(&tier->blocks[i]);
	*tier = (struct tier){.bucket_ms = bucket_ms};
}

static void write_block(struct tier *tier, struct rows *rows)
{
	struct fw_column columns[ROWS_SHARED + TOTALS_CELLS * MOST_COLUMNS];
	rows_close(rows);
	struct columns_cells cells = rows_cells(rows);
	rows_columns(ledger.columns, ledger.n_columns, columns);
	assert_in_range(cells.n_sweeps, 1, FW_SWEEPS_LIMIT);
	columns_pack(&cells, columns, &tier->blocks[tier->n]);
	tier->lengths[tier->n++] = cells.n_sweeps;
	rows_clear(rows);
}

static void begin_rows(const struct tier *tier, struct rows *rows, uint32_t most)
{
	assert_int_equal(
		rows_begin(rows, ledger.columns, ledger.n_columns, tier->bucket_ms, most), 0);
}

/* Sweeps of the ledger, handed over in pieces, in blocks of at most so many rows. */
static void write_sweeps(struct tier *tier, uint32_t piece, uint32_t most)
{
	struct rows rows = {0};
	begin_rows(tier, &rows, most);
	for (uint32_t done = 0; done < ledger.n;) {
		uint32_t n = 1 + (uint32_t)(dice() % piece);
		n = n < ledger.n - done ? n : ledger.n - done;
		struct columns_cells cells = sweeps_at(done, n);
		uint32_t taken = rows_add_sweeps(&rows, &cells);
		done += taken;
		if (taken < n || dice() % 16 == 0)
			write_block(tier, &rows);
	}
	if (rows.is_open)
		write_block(tier, &rows);
	rows_done(&rows);
}

/* The rows of a block, as the store reads them. */
static struct columns_cells read_block(const struct tier *tier, uint32_t block)
{
	static int64_t times[FW_SWEEPS_LIMIT],
		cells[FW_SWEEPS_LIMIT * (ROWS_SHARED + TOTALS_CELLS * MOST_COLUMNS)];
	uint32_t chosen[MOST_COLUMNS], wanted[ROWS_SHARED + TOTALS_CELLS * MOST_COLUMNS];
	uint32_t n = tier->lengths[block], width = rows_width(ledger.n_columns);
	struct columns columns;
	for (uint32_t c = 0; c < ledger.n_columns; c++)
		chosen[c] = c;
	rows_wanted(chosen, ledger.n_columns, wanted);
	assert_int_equal((columns_are_grouped(width) ? columns_open_groups : columns_open)(&columns,
				 tier->blocks[block].data, tier->blocks[block].length, n, width),
		0);
	assert_int_equal(columns_times(&columns, times), 0);
	assert_int_equal(columns_read(&columns, wanted, width, cells, n), 0);
	return (struct columns_cells){times, cells, n, 1, n, width};
}

static void roll_up(const struct tier *from, struct tier *to)
{
	struct rows rows = {0};
	begin_rows(to, &rows, FW_SWEEPS_LIMIT);
	for (uint32_t b = 0; b < from->n; b++) {
		struct columns_cells cells = read_block(from, b);
		assert_int_equal(
			rows_check(&cells, ledger.columns, ledger.n_columns, from->bucket_ms), 0);
		while (cells.n_sweeps > 0) {
			uint32_t taken = rows_add_rows(&rows, &cells);
			cells.times_ms += taken;
			cells.cells += taken;
			cells.n_sweeps -= taken;
			if (cells.n_sweeps > 0)
				write_block(to, &rows);
		}
	}
	write_block(to, &rows);
	rows_done(&rows);
}

static void read_tier(const struct tier *tier, struct fw_arena *arena, struct store_rows *answer)
{
	struct rows_reader reader = {.columns = ledger.columns,
		.n_columns = ledger.n_columns,
		.bucket_ms = tier->bucket_ms,
		.arena = arena};
	for (uint32_t b = 0; b < tier->n; b++) {
		struct columns_cells cells = read_block(tier, tier->n - 1 - b);
		assert_int_equal(rows_reader_add(&reader, &cells, 0, INT64_MAX), 0);
	}
	assert_int_equal(rows_reader_answer(&reader, answer), 0);
}

static uint32_t split_buckets; /* met so far */

static void expect_tier(const struct tier *tier, bool one_a_bucket)
{
	struct fw_arena arena = {0};
	struct store_rows answer;
	read_tier(tier, &arena, &answer);
	expect_answer(&answer, tier->bucket_ms, one_a_bucket);
	split_buckets += more_than_one_a_bucket(&answer, tier->bucket_ms);
	fw_arena_done(&arena);
}

static void expect_both_tiers(bool one_a_bucket)
{
	tier_reset(&five, FIVE_MINUTES);
	tier_reset(&hour, HOUR);
	write_sweeps(&five, 1 + (uint32_t)(dice() % 300), 1 + (uint32_t)(dice() % 240));
	expect_tier(&five, one_a_bucket);
	roll_up(&five, &hour);
	expect_tier(&hour, one_a_bucket);
}

/* ---- tests ---- */

static const uint32_t lengths[] = {1, 2, 3, 19, 20, 21, 240, 241, 700, MOST_SWEEPS};

static void test_rows_say_what_the_sweeps_said(void **state)
{
	(void)state;
	dice_state = 20261128;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		begin_ledger(lengths[i], i % 2 ? 15000 : 60000, i % 3 ? 5000 : 0);
		add_all(gentle, COUNT(gentle), 0);
		add_all(reals, COUNT(reals), FW_DOUBLE);
		expect_both_tiers(true);
	}
}

static void test_buckets_begin_after_their_border(void **state)
{
	(void)state;
	assert_int_equal(rows_bucket(0, HOUR), 0);
	assert_int_equal(rows_bucket(1, HOUR), 1);
	assert_int_equal(rows_bucket(HOUR, HOUR), 1);
	assert_int_equal(rows_bucket(HOUR + 1, HOUR), 2);
	assert_int_equal(rows_bucket(-1, HOUR), 0);
	assert_int_equal(rows_bucket(-HOUR, HOUR), -1);
	assert_int_equal(rows_bucket(INT64_MIN, 1), INT64_MIN);
	assert_int_equal(rows_bucket(INT64_MAX, 1), INT64_MAX);
}

static void test_many_sweeps_a_bucket(void **state)
{
	(void)state;
	dice_state = 3;
	begin_ledger(MOST_SWEEPS, 1000, 0);
	add_all(gentle, COUNT(gentle), 0);
	expect_both_tiers(true);
}

/* What leaves int64 begins another row, and is exact in both. */
static void test_sums_that_do_not_fit(void **state)
{
	static const maker makers[] = {huge, any_width, wandering};
	(void)state;
	split_buckets = 0;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		dice_state = seed * 0x9e3779b97f4a7c15;
		begin_ledger(1 + (uint32_t)(dice() % 400), 5000, 0);
		add_all(makers, COUNT(makers), 0);
		expect_both_tiers(false);
	}
	assert_true(split_buckets > 100);
}

static void test_sweep_after_sweep_or_column_after_column(void **state)
{
	struct rows a = {0}, b = {0};
	(void)state;
	dice_state = 5;
	begin_ledger(500, 15000, 0);
	add_all(gentle, COUNT(gentle), 0);
	int64_t *turned = fw_alloc_array((size_t)ledger.n * ledger.n_columns, sizeof *turned);
	for (uint32_t i = 0; i < ledger.n; i++)
		for (uint32_t c = 0; c < ledger.n_columns; c++)
			turned[i * ledger.n_columns + c] = ledger.cells[c][i];
	struct columns_cells columns = sweeps_at(0, ledger.n), sweeps = columns;
	sweeps.cells = turned;
	sweeps.to_column = 1;
	sweeps.to_sweep = ledger.n_columns;
	begin_rows(&(struct tier){.bucket_ms = HOUR}, &a, 240);
	begin_rows(&(struct tier){.bucket_ms = HOUR}, &b, 240);
	assert_int_equal(rows_add_sweeps(&a, &columns), ledger.n);
	assert_int_equal(rows_add_sweeps(&b, &sweeps), ledger.n);
	rows_close(&a);
	rows_close(&b);
	assert_int_equal(a.n, b.n);
	assert_memory_equal(a.times_ms, b.times_ms, a.n * sizeof *a.times_ms);
	for (uint32_t c = 0; c < rows_width(ledger.n_columns); c++)
		assert_memory_equal(a.cells + c * 240, b.cells + c * 240, a.n * sizeof *a.cells);
	rows_done(&a);
	rows_done(&b);
	fw_free(turned);
}

/* A part of the ledger as a block of its own. */
static void write_part(struct tier *tier, uint32_t first, uint32_t step, uint32_t n)
{
	struct rows rows = {0};
	begin_rows(tier, &rows, 240);
	for (uint32_t i = first; n-- > 0; i += step) {
		struct columns_cells one = sweeps_at(i, 1);
		assert_int_equal(rows_add_sweeps(&rows, &one), 1);
	}
	write_block(tier, &rows);
	rows_done(&rows);
}

/* What an agent kept while the line was down comes when the rest has rows already. */
static void test_late_sweeps(void **state)
{
	(void)state;
	dice_state = 7;
	begin_ledger(300, 15000, 0);
	add_all(gentle, COUNT(gentle), 0);
	tier_reset(&five, FIVE_MINUTES);
	write_part(&five, 0, 1, 107);
	write_part(&five, 171, 1, 129);
	write_part(&five, 107, 1, 64);
	expect_tier(&five, true);
}

/* Rows that overlap say so, and what they guess of counters is no more than there was. */
static void test_overlapping_rows(void **state)
{
	static const struct {
		uint32_t first, step, n;
	} parts[][2] = {
		{{0, 2, 6}, {1, 2, 6}},  /* one across the other */
		{{0, 11, 2}, {3, 1, 4}}, /* one within the other */
		{{3, 1, 4}, {0, 11, 2}},
	};
	struct fw_arena arena = {0};
	struct store_rows answer;
	(void)state;
	dice_state = 11;
	for (size_t i = 0; i < COUNT(parts); i++) {
		begin_ledger(12, 100, 0);
		add_column(FW_GAUGE, wandering);
		add_column(FW_COUNTER, rising);
		add_column(FW_COUNTER, resetting);
		add_column(FW_COUNTER | FW_DOUBLE, real_counter);
		tier_reset(&five, HOUR);
		for (int k = 0; k < 2; k++)
			write_part(&five, parts[i][k].first, parts[i][k].step, parts[i][k].n);
		read_tier(&five, &arena, &answer);
		assert_int_equal(answer.n, 1);
		assert_true(answer.overlaps[0]);
		assert_int_equal(answer.first_ms[0], ledger.times[0]);
		assert_int_equal(answer.last_ms[0], ledger.times[11]);
		struct naive gauge = recompute(0, 0, INT64_MAX),
			     counter = recompute(1, 0, INT64_MAX),
			     reset = recompute(2, 0, INT64_MAX);
		assert_int_equal(answer.columns[0].count[0], parts[i][0].n + parts[i][1].n);
		assert_int_equal(answer.columns[0].last[0], gauge.last);
		assert_true(answer.columns[0].min[0] >= gauge.min);
		assert_int_equal(answer.columns[1].increase[0], counter.increase);
		assert_true(answer.columns[2].increase[0] <= reset.increase);
		fw_arena_reset(&arena);
	}
	fw_arena_done(&arena);
}

/* Overlap is remembered by the tier above. */
static void test_overlap_goes_up(void **state)
{
	struct fw_arena arena = {0};
	struct store_rows answer;
	(void)state;
	dice_state = 13;
	begin_ledger(12, 100, 0);
	ledger.times[11] += FIVE_MINUTES;
	add_column(FW_COUNTER, rising);
	tier_reset(&five, FIVE_MINUTES);
	tier_reset(&hour, HOUR);
	write_part(&five, 0, 2, 6);
	write_part(&five, 1, 2, 6);
	roll_up(&five, &hour);
	read_tier(&hour, &arena, &answer);
	assert_int_equal(answer.n, 1);
	assert_true(answer.overlaps[0]);
	assert_int_equal(answer.columns[0].increase[0], recompute(0, 0, INT64_MAX).increase);
	fw_arena_done(&arena);
}

/* Two rows at one time that do not go together: the later is for another block. */
static void test_equal_times_that_do_not_fit(void **state)
{
	struct fw_arena arena = {0};
	struct rows rows = {0};
	struct store_rows answer;
	(void)state;
	begin_ledger(1, 100, 0);
	add_column(FW_GAUGE, huge);
	ledger.cells[0][0] = INT64_MAX;
	tier_reset(&five, FIVE_MINUTES);
	begin_rows(&five, &rows, 240);
	struct columns_cells one = sweeps_at(0, 1);
	assert_int_equal(rows_add_sweeps(&rows, &one), 1);
	assert_int_equal(rows_add_sweeps(&rows, &one), 0);
	write_block(&five, &rows);
	assert_int_equal(rows_add_sweeps(&rows, &one), 1);
	write_block(&five, &rows);
	rows_done(&rows);
	read_tier(&five, &arena, &answer);
	assert_int_equal(answer.n, 2);
	assert_int_equal(answer.columns[0].sum[1], INT64_MAX);
	fw_arena_done(&arena);
}

static void test_what_stands_still_costs_little(void **state)
{
	(void)state;
	dice_state = 17;
	begin_ledger(840, 15000, 0);
	for (uint32_t c = 0; c < MOST_COLUMNS; c++)
		add_column((uint8_t)(c % 3), constant);
	tier_reset(&five, FIVE_MINUTES);
	write_sweeps(&five, 240, 240);
	size_t bytes = 0;
	for (uint32_t b = 0; b < five.n; b++)
		bytes += five.blocks[b].length;
	assert_in_range(bytes, 1, five.n * (MOST_COLUMNS * 9 + 60));
}

/* ---- rows that are not ours ---- */

static int check_changed(uint32_t cell, int64_t value)
{
	struct columns_cells cells = read_block(&five, 0);
	int64_t *copy = fw_alloc_array((size_t)cells.n_columns * cells.n_sweeps, sizeof *copy);
	memcpy(copy, cells.cells, (size_t)cells.n_columns * cells.n_sweeps * sizeof *copy);
	copy[(size_t)cell * cells.n_sweeps] = value;
	cells.cells = copy;
	int rc = rows_check(&cells, ledger.columns, ledger.n_columns, FIVE_MINUTES);
	fw_free(copy);
	return rc;
}

static void test_rows_that_no_tier_has(void **state)
{
	(void)state;
	dice_state = 19;
	begin_ledger(40, 15000, 0);
	add_column(FW_GAUGE, wandering);
	add_column(FW_COUNTER, rising);
	add_column(FW_GAUGE | FW_DOUBLE, cents);
	tier_reset(&five, FIVE_MINUTES);
	write_part(&five, 0, 1, 40);
	int64_t n = read_block(&five, 0).cells[five.lengths[0]];
	assert_int_equal(check_changed(1, n), 0);
	assert_int_equal(check_changed(1, -n), 0);
	assert_int_equal(check_changed(0, -1), -EBADMSG);
	assert_int_equal(check_changed(0, FIVE_MINUTES), -EBADMSG);
	assert_int_equal(check_changed(0, INT64_MAX), -EBADMSG);
	assert_int_equal(check_changed(1, 0), -EBADMSG);
	assert_int_equal(check_changed(1, INT64_MIN), -EBADMSG);
	assert_int_equal(check_changed(1, INT64_MAX), -EBADMSG);
	for (uint32_t c = 0; c < 3; c++) {
		assert_int_equal(check_changed(rows_width(c), n - 1), 0);
		assert_int_equal(check_changed(rows_width(c), n), -EBADMSG);
		assert_int_equal(check_changed(rows_width(c), -1), -EBADMSG);
		assert_int_equal(check_changed(rows_width(c), FW_ABSENT), -EBADMSG);
		assert_int_equal(check_changed(rows_width(c) + 1, FW_ABSENT), -EBADMSG);
	}
	assert_int_equal(check_changed(rows_width(1) + 3, INT64_MAX), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_say_what_the_sweeps_said),
		cmocka_unit_test(test_buckets_begin_after_their_border),
		cmocka_unit_test(test_many_sweeps_a_bucket),
		cmocka_unit_test(test_sums_that_do_not_fit),
		cmocka_unit_test(test_sweep_after_sweep_or_column_after_column),
		cmocka_unit_test(test_late_sweeps),
		cmocka_unit_test(test_overlapping_rows),
		cmocka_unit_test(test_overlap_goes_up),
		cmocka_unit_test(test_equal_times_that_do_not_fit),
		cmocka_unit_test(test_what_stands_still_costs_little),
		cmocka_unit_test(test_rows_that_no_tier_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
