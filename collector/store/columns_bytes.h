/* What packing and reading of columns agree on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define GROUP_COLUMNS 24
#define ROW_COLUMNS 64 /* whose lengths are told together where there are no groups */
#define FRONT_HEAD_BYTES 4
#define FRONT_GROUP_BYTES 6 /* of the directory */
#define FRONT_SUM_BYTES 4
#define HOLE_BYTES(sweeps) (((sweeps) + 7) / 8)
#define DECIMALS_LIMIT 15

/* The first byte of a column: how it is predicted, and flags. */
enum {
	ZERO = 0,     /* every cell is 0 */
	CONSTANT = 1, /* the first cell */
	LINE = 2,     /* the first cell, the step */
	PLAIN = 3,    /* residuals to the first cell */
	DELTA = 4,    /* to the cell before */
	DELTA2 = 5,   /* to the difference before, whose first is given */
	SHAPE = 7,
	HOLES = 8,    /* a bit for each sweep without a value follows */
	DIVIDED = 16, /* residuals are multiples of a divisor */
	BASED = 32,   /* and have an offset taken off */
	DECIMAL = 64, /* doubles, kept as integers: decimals follow, and how they were made */
	FLAGS = 127,
	TIMES_A_PART = 128, /* of the byte of decimals: m * 0.001, not m / 1000 */
};

/* What the integers of a DECIMAL column are multiplied with or divided by. */
static inline double decimal_power(unsigned decimals)
{
	static const double powers[DECIMALS_LIMIT + 1] = {
		1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	static const double parts[DECIMALS_LIMIT + 1] = {1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6,
		1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15};
	return (decimals & TIMES_A_PART ? parts : powers)[decimals & DECIMALS_LIMIT];
}

static inline int64_t bits_of(double value)
{
	int64_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits;
}

static inline double double_of(int64_t bits)
{
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

static inline int64_t cells_plus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t cells_minus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}

/* A double and its rounded integer, for integers of at most 51 bits: this sum has the
 * integer in its low bits. Unlike a cast, compilers can do several at once. */
#define ROUNDER 0x1.8p52

static inline int64_t rounded(double value)
{
	return cells_minus(bits_of(value + ROUNDER), bits_of(ROUNDER));
}

/* The double that a mantissa of a DECIMAL column stands for. */
static inline double decimal_double(int64_t mantissa, unsigned decimals)
{
	double whole = double_of(cells_plus(bits_of(ROUNDER), mantissa)) - ROUNDER;
	double power = decimal_power(decimals);
	return decimals & TIMES_A_PART ? whole * power : whole / power;
}
