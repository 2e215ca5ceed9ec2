/* SPDX-License-Identifier: Apache-2.0 */
#include "block.h"

#include <fenwatch/crc.h>

#include "bytes.h"
#include "columns.h"

void block_put(uint8_t *at, const struct block_ref *ref, const struct block_home *home)
{
	put_u32(at + 12, ref->host);
	put_u32(at + 16, ref->schema);
	put_u16(at + 20, ref->n_sweeps);
	put_u16(at + 22, ref->flags);
	put_u64(at + 24, home->number);
	put_u64(at + 32, (uint64_t)ref->t0_ms);
	put_u32(at + 40, ref->span_ms);
	put_u32(at + 44, home->synced);
	put_u64(at + 48, ref->logged_from);
	put_u64(at + 56, ref->logged_to);
	if (ref->flags & BLOCK_DIGESTED)
		put_u64(at + 64, ref->source);
}

bool block_open(const uint8_t *at, size_t length, struct block_ref *ref, struct block_home *home)
{
	if (length < BLOCK_BYTES - ENVELOPE_BYTES)
		return false;
	*ref = (struct block_ref){
		.host = get_u32(at + 12),
		.schema = get_u32(at + 16),
		.n_sweeps = get_u16(at + 20),
		.flags = get_u16(at + 22),
		.t0_ms = (int64_t)get_u64(at + 32),
		.span_ms = get_u32(at + 40),
		.logged_from = get_u64(at + 48),
		.logged_to = get_u64(at + 56),
		.length = (uint32_t)(ENVELOPE_BYTES + length),
	};
	home->number = get_u64(at + 24);
	home->synced = get_u32(at + 44);
	if (length < block_head_bytes(ref) - ENVELOPE_BYTES)
		return false;
	if (ref->flags & BLOCK_DIGESTED)
		ref->source = get_u64(at + 64);
	return ref->t0_ms < INT64_MAX - UINT32_MAX;
}

static uint32_t sum_front(const uint8_t *at, size_t length, uint32_t salt)
{
	return fw_crc32c(salt, at + ENVELOPE_BYTES, length - ENVELOPE_BYTES - sizeof(uint32_t));
}

void block_seal_front(uint8_t *at, const struct block_ref *ref, size_t length, uint32_t salt)
{
	size_t head = block_head_bytes(ref);
	size_t front = head + columns_front_bytes(at + head, length - head);
	put_u32(at + front - sizeof(uint32_t), sum_front(at, front, salt));
}

bool block_front_is_sound(const uint8_t *at, size_t length, uint32_t salt)
{
	return sum_front(at, length, salt) == get_u32(at + length - sizeof(uint32_t));
}

int block_compare(const void *a, const void *b)
{
	const struct block_ref *x = a, *y = b;
	if (x->host != y->host)
		return x->host < y->host ? -1 : 1;
	if (x->schema != y->schema)
		return x->schema < y->schema ? -1 : 1;
	if (x->t0_ms != y->t0_ms)
		return x->t0_ms < y->t0_ms ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}
