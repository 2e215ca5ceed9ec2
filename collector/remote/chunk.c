/* SPDX-License-Identifier: Apache-2.0 */
#include "chunk.h"

#include <string.h>

#include <fenwatch/buf.h>

enum { LEADING_MOST = 31 };

static void put_bits(struct chunk_writer *c, uint64_t value, unsigned n)
{
	while (n > 0) {
		if (c->free_bits == 0) {
			fw_buf_putc(&c->bytes, 0);
			c->free_bits = 8;
		}
		unsigned take = n < c->free_bits ? n : c->free_bits;
		unsigned part = (unsigned)(value >> (n - take)) & ((1u << take) - 1);
		c->bytes.data[c->bytes.length - 1] |= (uint8_t)(part << (c->free_bits - take));
		c->free_bits -= take;
		n -= take;
	}
}

static void put_varint(struct chunk_writer *c, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		put_bits(c, (value & 0x7f) | 0x80, 8);
	put_bits(c, value, 8);
}

/* What a step is more than the one before. */
static void put_time(struct chunk_writer *c, int64_t more)
{
	static const struct {
		unsigned bits, mark, mark_bits;
	} widths[] = {{14, 2, 2}, {17, 6, 3}, {20, 14, 4}};
	if (more == 0) {
		put_bits(c, 0, 1);
		return;
	}
	for (int i = 0; i < 3; i++) {
		int64_t half = (int64_t)1 << (widths[i].bits - 1);
		if (more <= -half || more > half)
			continue;
		put_bits(c, widths[i].mark, widths[i].mark_bits);
		put_bits(c, (uint64_t)more, widths[i].bits);
		return;
	}
	put_bits(c, 15, 4);
	put_bits(c, (uint64_t)more, 64);
}

static void put_value(struct chunk_writer *c, uint64_t difference)
{
	if (difference == 0) {
		put_bits(c, 0, 1);
		return;
	}
	unsigned leading = (unsigned)__builtin_clzll(difference);
	unsigned trailing = (unsigned)__builtin_ctzll(difference);
	if (leading > LEADING_MOST)
		leading = LEADING_MOST;
	put_bits(c, 1, 1);
	if (c->has_window && leading >= c->leading && trailing >= c->trailing) {
		put_bits(c, 0, 1);
	} else {
		c->leading = leading;
		c->trailing = trailing;
		c->has_window = true;
		put_bits(c, 1, 1);
		put_bits(c, leading, 5);
		put_bits(c, (64 - leading - trailing) & 63, 6); /* 64 is written as 0 */
	}
	put_bits(c, difference >> c->trailing, 64 - c->leading - c->trailing);
}

void chunk_begin(struct chunk_writer *c)
{
	fw_buf_reset(&c->bytes);
	*c = (struct chunk_writer){.bytes = c->bytes};
	put_bits(c, 0, 16); /* the count */
}

void chunk_add(struct chunk_writer *c, int64_t at_ms, double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	int64_t delta_ms = at_ms - c->at_ms;
	if (c->n == 0) {
		c->from_ms = at_ms;
		put_varint(c, fw_zigzag(at_ms));
		put_bits(c, bits, 64);
	} else {
		if (c->n == 1)
			put_varint(c, (uint64_t)delta_ms);
		else
			put_time(c, delta_ms - c->delta_ms);
		put_value(c, bits ^ c->bits);
		c->delta_ms = delta_ms;
	}
	c->at_ms = at_ms;
	c->bits = bits;
	c->n++;
	c->bytes.data[0] = (uint8_t)(c->n >> 8);
	c->bytes.data[1] = (uint8_t)c->n;
}

void chunk_done(struct chunk_writer *c)
{
	fw_buf_done(&c->bytes);
}
