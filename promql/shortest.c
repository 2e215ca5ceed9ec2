/* SPDX-License-Identifier: Apache-2.0 */
/* What rounds to a double lies between the middles to its neighbours. Scaled by a power of
 * ten such that this holds a multiple of 1 and at most one of 10, only four candidates are
 * left. Middles and double are compared as integers, times four, whose lowest bit says that
 * something was cut off.
 */
#include "shortest.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define MANTISSA_BITS 52
#define HIDDEN_BIT (UINT64_C(1) << MANTISSA_BITS)
#define EXPONENT_OF_ONE 1075 /* of a mantissa that is an integer */

__extension__ typedef unsigned __int128 wide;

/* ---- powers of ten ---- */

enum { POWER_LEAST = -292, POWER_MOST = 324, WORDS = 20 };

/* 10^k, as the 128 bits from its highest on, rounded up. */
struct power {
	uint64_t high, low;
};

static struct power powers[POWER_MOST - POWER_LEAST + 1];
static pthread_once_t powers_once = PTHREAD_ONCE_INIT;

/* Words of a long number, the lowest first. */
static void multiply_by_ten(uint64_t *words)
{
	wide carry = 0;
	for (int i = 0; i < WORDS; i++) {
		carry += (wide)words[i] * 10;
		words[i] = (uint64_t)carry;
		carry >>= 64;
	}
}

/* What is left over is true: a floor of floors is the floor of the whole. */
static void divide_by_ten(uint64_t *words)
{
	wide rest = 0;
	for (int i = WORDS - 1; i >= 0; i--) {
		rest = rest << 64 | words[i];
		words[i] = (uint64_t)(rest / 10);
		rest %= 10;
	}
}

/* Its highest 128 bits. `exact`: whether nothing of it was cut off before. */
static struct power top_of(const uint64_t *words, bool exact)
{
	int top = WORDS - 1;
	while (words[top] == 0)
		top--;
	int shift = __builtin_clzll(words[top]);
	uint64_t w[3] = {0};
	for (int i = 0; i < 3 && top >= i; i++)
		w[i] = words[top - i];
	wide bits = (wide)w[0] << 64 | w[1];
	bits = shift ? bits << shift | w[2] >> (64 - shift) : bits;
	exact = exact && (w[2] << shift) == 0;
	for (int i = top - 3; i >= 0; i--)
		exact = exact && words[i] == 0;
	bits += !exact;
	return (struct power){(uint64_t)(bits >> 64), (uint64_t)bits};
}

static void make_powers(void)
{
	uint64_t words[WORDS] = {1};
	for (int k = 0; k <= POWER_MOST; k++, multiply_by_ten(words))
		powers[k - POWER_LEAST] = top_of(words, true);
	memset(words, 0, sizeof words);
	words[WORDS - 1] = UINT64_C(1) << 63;
	for (int k = -1; k >= POWER_LEAST; k--) {
		divide_by_ten(words);
		powers[k - POWER_LEAST] = top_of(words, false);
	}
}

/* ---- logarithms, rounded down; true for all exponents that doubles have ---- */

static int log10_of_power_of_two(int exponent)
{
	return (exponent * 1262611) >> 22;
}

static int log10_of_three_quarters(int exponent) /* of 2^exponent */
{
	return (exponent * 1262611 - 524031) >> 22;
}

static int log2_of_power_of_ten(int exponent)
{
	return (exponent * 1741647) >> 19;
}

/* ---- one number ---- */

/* mantissa * 2^exponent */
struct binary {
	uint64_t mantissa;
	int exponent;
	bool lower_is_nearer; /* of its neighbours: it is a power of two */
};

static struct binary binary_of(double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	uint64_t fraction = bits & (HIDDEN_BIT - 1);
	int biased = (int)(bits >> MANTISSA_BITS);
	if (biased == 0)
		return (struct binary){fraction, 1 - EXPONENT_OF_ONE, false};
	return (struct binary){
		fraction | HIDDEN_BIT, biased - EXPONENT_OF_ONE, fraction == 0 && biased > 1};
}

/* The upper bits of the product; the lowest is set where something is cut off. */
static uint64_t times_power(const struct power *power, uint64_t n)
{
	wide low = (wide)n * power->low;
	wide high = (wide)n * power->high + (uint64_t)(low >> 64);
	return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* A double and the middles to its neighbours, four times, scaled. */
struct scaled {
	uint64_t value, lower, upper;
};

static struct scaled scale(const struct binary *of, int power_of_ten)
{
	const struct power *power = &powers[power_of_ten - POWER_LEAST];
	int shift = of->exponent + log2_of_power_of_ten(power_of_ten) + 1;
	uint64_t value = 4 * of->mantissa;
	uint64_t lower = value - (of->lower_is_nearer ? 1 : 2), upper = value + 2;
	uint64_t open = of->mantissa & 1; /* the middles belong to the even neighbour */
	return (struct scaled){
		times_power(power, value << shift),
		times_power(power, lower << shift) + open,
		times_power(power, upper << shift) - open,
	};
}

static bool is_within(const struct scaled *s, uint64_t candidate)
{
	return s->lower <= 4 * candidate && 4 * candidate <= s->upper;
}

struct decimal shortest_decimal(double value)
{
	pthread_once(&powers_once, make_powers);
	struct binary of = binary_of(value);
	int exponent = of.lower_is_nearer ? log10_of_three_quarters(of.exponent)
					  : log10_of_power_of_two(of.exponent);
	struct scaled s = scale(&of, -exponent);
	uint64_t below = s.value / 4, tens = below / 10;
	bool lower_ten = is_within(&s, 10 * tens), upper_ten = is_within(&s, 10 * tens + 10);
	if (lower_ten != upper_ten)
		return (struct decimal){tens + upper_ten, exponent + 1};
	bool lower = is_within(&s, below), upper = is_within(&s, below + 1);
	if (lower != upper)
		return (struct decimal){below + upper, exponent};
	uint64_t middle = 4 * below + 2;
	bool up = s.value > middle || (s.value == middle && below % 2 == 1);
	return (struct decimal){below + up, exponent};
}
