/* What a row knows of one column: totals of its samples, in five cells.
 *
 * A gauge keeps least, greatest and sum, a counter its first value and what it lost at
 * resets, an untyped column, which may be either, the latter and the sum. They are
 * written against the last value, so that a column that stands still costs nothing:
 *
 *              integers                                       doubles
 *   gauge      missing last last-min    max-last sum-n*last   missing last min   max    sum
 *   counter    missing last last-first  resets   0            missing last first resets 0
 *   untyped    missing last last-first  resets   sum-n*last   missing last first resets sum
 *
 * `n` is the number of samples, `missing` what the row's sweeps have more. Differences
 * wrap at 64 bits. Without a sample all five are FW_ABSENT. Integers are exact or there
 * is no such row: what leaves int64 is told. Doubles are summed as Prometheus does, and
 * NaN is least or greatest only where there is nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/schema.h>

#define TOTALS_CELLS 5
#define TOTALS_SLICE 240 /* sweeps that totals are made of at a time */

static inline bool totals_keep_sum(uint8_t type)
{
	return (type & FW_TYPE_MASK) != FW_COUNTER;
}

static inline bool totals_keep_resets(uint8_t type)
{
	return (type & FW_TYPE_MASK) != FW_GAUGE;
}

/* Of the samples of `n` sweeps. Returns for how many sweeps, from the first on, all that
 * is kept stays within int64, and off FW_ABSENT: at least one. If fewer than `n`, the
 * cells are not to be used. */
uint32_t totals_take(uint8_t type, const int64_t *samples, uint32_t n, int64_t *cells);

/* The cells of a column in a row of so many sweeps. */
struct totals_part {
	const int64_t *cells;
	int64_t n_sweeps;
};

/* How the times of two rows lie, of which the second ends last. */
enum totals_order {
	TOTALS_BEHIND, /* all of it is behind the first */
	TOTALS_ACROSS, /* it begins within the first */
	TOTALS_AROUND, /* it begins before the first */
};

/* Totals of both; false when they do not fit. A counter that goes on below what it was
 * has lost that at a reset. Where times overlap nobody knows the order, and resets are
 * guessed low: the larger sum of the two, or one if the ends show it. */
bool totals_join(uint8_t type, const struct totals_part *a, const struct totals_part *b,
	enum totals_order order, int64_t *cells);

/* Can a row have such cells? */
bool totals_check(uint8_t type, const struct totals_part *part);

/* What the cells say. Where there is no sample all but `n` are FW_ABSENT. */
struct totals_told {
	int64_t n;
	int64_t last;    /* this and the others are cells of the column */
	int64_t lowest;  /* or the first, where resets are kept */
	int64_t highest; /* or the increase: a reset begins at zero */
	int64_t sum;     /* if it is kept */
};
void totals_tell(uint8_t type, const struct totals_part *part, struct totals_told *out);
