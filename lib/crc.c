/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C in two ways that agree.
 *
 * By instruction: eight bytes a step. The instruction gives its answer late but can
 * begin anew at once, so three stretches of what is long are summed side by side, long
 * ones first and short ones of what is left. A CRC is put before another by what the
 * zeros in the other's place would make of it.
 * By table: eight bytes a step too ("slicing by 8"). tables[0] is the usual table
 * for one byte; tables[k][b] is what byte b does to the CRC when k more bytes come
 * after it, so the eight bytes of a step are looked up independently and combined
 * with xor.
 */
#include <fenwatch/crc.h>

#include <endian.h>
#include <pthread.h>
#include <string.h>

#include "crc_ways.h"

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

enum { SLICES = 8, LONG_STRETCH = 1024, SHORT_STRETCH = 128 /* bytes */ };

static const uint32_t polynomial = 0x82f63b78; /* Castagnoli, bits reversed */
static uint32_t tables[SLICES][256];
/* What a CRC's k-th byte is behind so many zeros. */
static struct over {
	uint32_t at[4][256];
} over_long, over_short;
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static uint32_t over_zeros(uint32_t crc, size_t zeros)
{
	for (size_t i = 0; i < zeros; i++)
		crc = (crc >> 8) ^ tables[0][crc & 0xff];
	return crc;
}

/* Bit by bit, as the bits of a byte count for themselves. */
static void make_over(struct over *over, size_t zeros)
{
	for (int k = 0; k < 4; k++)
		for (uint32_t bit = 1; bit < 256; bit *= 2) {
			uint32_t moved = over_zeros(bit << 8 * k, zeros);
			for (uint32_t below = 0; below < bit; below++)
				over->at[k][bit + below] = over->at[k][below] ^ moved;
		}
}

static void make_tables(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
		tables[0][byte] = crc;
	}
	for (int k = 1; k < SLICES; k++)
		for (int byte = 0; byte < 256; byte++) {
			uint32_t before = tables[k - 1][byte];
			tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
		}
	make_over(&over_long, LONG_STRETCH);
	make_over(&over_short, SHORT_STRETCH);
}

static uint64_t load_little_endian(const uint8_t *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof word);
	return le64toh(word);
}

uint32_t fw_crc32c_by_table(uint32_t crc, const void *data, size_t length)
{
	pthread_once(&tables_once, make_tables);
	const uint8_t *at = data;
	crc = ~crc;
	for (; length >= 8; at += 8, length -= 8) {
		uint64_t word = load_little_endian(at) ^ crc;
		crc = 0;
		for (int k = 0; k < SLICES; k++)
			crc ^= tables[SLICES - 1 - k][(word >> (8 * k)) & 0xff];
	}
	for (; length > 0; at++, length--)
		crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 0xff];
	return ~crc;
}

#ifdef __x86_64__
static uint32_t move(const struct over *over, uint64_t crc)
{
	return over->at[0][crc & 0xff] ^ over->at[1][crc >> 8 & 0xff] ^
		over->at[2][crc >> 16 & 0xff] ^ over->at[3][crc >> 24 & 0xff];
}

__attribute__((target("sse4.2"))) static inline uint32_t three_stretches(
	uint64_t crc, const uint8_t *at, size_t stretch, const struct over *over)
{
	uint64_t second = 0, third = 0;
	for (const uint8_t *end = at + stretch; at < end; at += 8) {
		crc = _mm_crc32_u64(crc, load_little_endian(at));
		second = _mm_crc32_u64(second, load_little_endian(at + stretch));
		third = _mm_crc32_u64(third, load_little_endian(at + 2 * stretch));
	}
	return move(over, move(over, crc) ^ second) ^ (uint32_t)third;
}

__attribute__((target("sse4.2"))) uint32_t fw_crc32c_by_sse42(
	uint32_t crc, const void *data, size_t length)
{
	const uint8_t *at = data;
	uint64_t wide = ~crc;
	if (length >= 3 * SHORT_STRETCH)
		pthread_once(&tables_once, make_tables);
	for (; length >= 3 * LONG_STRETCH; at += 3 * LONG_STRETCH, length -= 3 * LONG_STRETCH)
		wide = three_stretches(wide, at, LONG_STRETCH, &over_long);
	for (; length >= 3 * SHORT_STRETCH; at += 3 * SHORT_STRETCH, length -= 3 * SHORT_STRETCH)
		wide = three_stretches(wide, at, SHORT_STRETCH, &over_short);
	for (; length >= 8; at += 8, length -= 8)
		wide = _mm_crc32_u64(wide, load_little_endian(at));
	crc = (uint32_t)wide;
	for (; length > 0; at++, length--)
		crc = _mm_crc32_u8(crc, *at);
	return ~crc;
}

bool fw_crc32c_has_sse42(void)
{
	return __builtin_cpu_supports("sse4.2");
}

uint32_t fw_crc32c(uint32_t crc, const void *data, size_t length)
{
	if (fw_crc32c_has_sse42())
		return fw_crc32c_by_sse42(crc, data, length);
	return fw_crc32c_by_table(crc, data, length);
}
#else
bool fw_crc32c_has_sse42(void)
{
	return false;
}

uint32_t fw_crc32c(uint32_t crc, const void *data, size_t length)
{
	return fw_crc32c_by_table(crc, data, length);
}
#endif
