/* SPDX-License-Identifier: Apache-2.0 */
#include "aptphase.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { WORDS = 4, P = 1, Q = 2, MULTIPLIER = 48271, MODULUS = 2147483647, HIGHEST = 100 };

static uint32_t stir(uint32_t x)
{
	return x ^ (x >> 27);
}

/* seed_seq::generate of four words; the generator is seeded with the last. */
static uint32_t seed_of(const char *text)
{
	uint32_t word[WORDS] = {0x8b8b8b8b, 0x8b8b8b8b, 0x8b8b8b8b, 0x8b8b8b8b};
	size_t s = strlen(text), m = s + 1 > WORDS ? s + 1 : WORDS;
	for (size_t k = 0; k < m; k++) {
		uint32_t *here = &word[k % WORDS];
		uint32_t *p = &word[(k + P) % WORDS], *q = &word[(k + Q) % WORDS];
		uint32_t r1 = 1664525 * stir(*here ^ *p ^ word[(k + WORDS - 1) % WORDS]);
		uint32_t in = k == 0 ? (uint32_t)s : k <= s ? (uint32_t)text[k - 1] : 0;
		uint32_t r2 = r1 + (uint32_t)(k % WORDS) + in;
		*p += r1;
		*q += r2;
		*here = r2;
	}
	for (size_t k = m; k < m + WORDS; k++) {
		uint32_t *here = &word[k % WORDS];
		uint32_t *p = &word[(k + P) % WORDS], *q = &word[(k + Q) % WORDS];
		uint32_t r3 = 1566083941 * stir(*here + *p + word[(k + WORDS - 1) % WORDS]);
		uint32_t r4 = r3 - (uint32_t)(k % WORDS);
		*p ^= r3;
		*q ^= r4;
		*here = r4;
	}
	return word[WORDS - 1];
}

unsigned aptphase_draw(const char *seed)
{
	const uint32_t range = MODULUS - 2, scale = range / (HIGHEST + 1);
	uint64_t x = seed_of(seed) % MODULUS;
	if (x == 0)
		x = 1;
	do {
		x = x * MULTIPLIER % MODULUS;
	} while (x - 1 >= (uint64_t)scale * (HIGHEST + 1));
	return (unsigned)((x - 1) / scale);
}

bool aptphase_is_later(
	const char *source, const char *version, const char *machine_id, unsigned percentage)
{
	char seed[512];
	if (percentage >= 100 || !machine_id[0])
		return false;
	snprintf(seed, sizeof seed, "%s-%s-%s", source, version, machine_id);
	return aptphase_draw(seed) > percentage;
}
