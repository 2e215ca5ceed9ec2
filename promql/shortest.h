/* The fewest digits that read back as the same double, and of those the nearest.
 *
 * The algorithm is Schubfach: Raffaello Giulietti, "The Schubfach way to render doubles",
 * 2020. Its powers of ten are made at the first use, exactly.
 */
#pragma once

#include <stdint.h>

/* digits * 10^exponent; the last digit may be 0. */
struct decimal {
	uint64_t digits;
	int exponent;
};

/* Of a finite number above 0. */
struct decimal shortest_decimal(double value);
