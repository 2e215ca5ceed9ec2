/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <fenwatch/buf.h>

static size_t put_varint(uint64_t value, uint8_t *to)
{
	size_t n = 0;
	for (; value >= 0x80; value >>= 7)
		to[n++] = (uint8_t)(value | 0x80);
	to[n++] = (uint8_t)value;
	return n;
}

static size_t put_difference(uint64_t difference, uint8_t *to)
{
	if (difference == 0) {
		*to = 0;
		return 1;
	}
	unsigned low = (unsigned)__builtin_ctzll(difference) / 8;
	unsigned n = 8 - low - (unsigned)__builtin_clzll(difference) / 8;
	*to++ = (uint8_t)(low << 4 | n);
	for (unsigned i = 0; i < n; i++)
		to[i] = (uint8_t)(difference >> 8 * (low + i));
	return 1 + n;
}

static size_t get_difference(const uint8_t *data, size_t length, uint64_t *difference)
{
	if (length == 0)
		return 0;
	unsigned low = data[0] >> 4, n = data[0] & 15;
	*difference = 0;
	if (data[0] == 0)
		return 1;
	if (n == 0 || low + n > 8 || length < 1 + n)
		return 0;
	for (unsigned i = 0; i < n; i++)
		*difference |= (uint64_t)data[1 + i] << 8 * (low + i);
	return 1 + n;
}

size_t samples_put(
	struct samples_state *state, const struct store_sample *sample, uint8_t to[SAMPLES_MOST])
{
	size_t n = put_varint((uint64_t)sample->at_ms - (uint64_t)state->at_ms, to);
	n += put_difference((uint64_t)sample->cell ^ (uint64_t)state->cell, to + n);
	*state = (struct samples_state){sample->at_ms, sample->cell};
	return n;
}

size_t samples_get(
	struct samples_state *state, const uint8_t *data, size_t length, struct store_sample *out)
{
	uint64_t later, difference;
	size_t n = fw_get_varint(data, length, &later);
	size_t m = n ? get_difference(data + n, length - n, &difference) : 0;
	if (m == 0)
		return 0;
	state->at_ms = (int64_t)((uint64_t)state->at_ms + later);
	state->cell = (int64_t)((uint64_t)state->cell ^ difference);
	*out = (struct store_sample){state->at_ms, state->cell};
	return n + m;
}
