/* SPDX-License-Identifier: Apache-2.0 */
#include "slots.h"

#include <assert.h>
#include <string.h>

#include <fenwatch/mem.h>

#define WAYS 8

void slots_init(struct slots *s, size_t count, size_t entry_bytes, size_t key_bytes, uint64_t seed)
{
	assert(count >= WAYS && (count & (count - 1)) == 0 && key_bytes % 8 == 0);
	*s = (struct slots){
		.data = fw_alloc_array(count, entry_bytes),
		.count = count,
		.entry_bytes = entry_bytes,
		.key_bytes = key_bytes,
		.seed = seed,
	};
}

void slots_done(struct slots *s)
{
	fw_free(s->data);
	*s = (struct slots){0};
}

/* Multiply and fold, eight bytes at a time. */
uint64_t slots_hash(const void *key, size_t bytes, uint64_t seed)
{
	const uint8_t *at = key;
	uint64_t hash = seed ^ 0x9e3779b97f4a7c15u;
	for (size_t i = 0; i < bytes; i += 8) {
		uint64_t word;
		memcpy(&word, at + i, 8);
		hash = (hash ^ word) * 0xd6e8feb86659fd93u;
		hash ^= hash >> 32;
	}
	hash *= 0xd6e8feb86659fd93u;
	return hash ^ hash >> 29;
}

static struct slot *entry_at(const struct slots *s, size_t i)
{
	return (struct slot *)(s->data + i * s->entry_bytes);
}

static size_t bucket_of(const struct slots *s, uint64_t hash)
{
	return (size_t)(hash >> 8) & (s->count - 1) & ~(size_t)(WAYS - 1);
}

static struct slot *find(const struct slots *s, const void *key, uint64_t hash)
{
	size_t first = bucket_of(s, hash);
	for (size_t i = first; i < first + WAYS; i++) {
		struct slot *e = entry_at(s, i);
		if (e->hash == hash && memcmp(e + 1, key, s->key_bytes) == 0)
			return e;
	}
	return NULL;
}

void *slots_find(const struct slots *s, const void *key)
{
	return find(s, key, slots_hash(key, s->key_bytes, s->seed) | 1);
}

static struct slot *oldest_of(const struct slots *s, uint64_t hash)
{
	size_t first = bucket_of(s, hash);
	struct slot *oldest = entry_at(s, first);
	for (size_t i = first; i < first + WAYS; i++) {
		struct slot *e = entry_at(s, i);
		if (e->hash == 0)
			return e;
		if (e->last_us < oldest->last_us)
			oldest = e;
	}
	return oldest;
}

void *slots_take(struct slots *s, const void *key, int64_t now_us, bool *fresh)
{
	uint64_t hash = slots_hash(key, s->key_bytes, s->seed) | 1;
	struct slot *e = find(s, key, hash);
	*fresh = !e;
	if (!e) {
		e = oldest_of(s, hash);
		if (e->hash != 0) {
			s->dropped++;
			if (s->on_dropped)
				s->on_dropped(e, s->arg);
		}
		memset(e, 0, s->entry_bytes);
		e->hash = hash;
		memcpy(e + 1, key, s->key_bytes);
	}
	e->last_us = now_us;
	return e;
}

void *slots_next(const struct slots *s, size_t *i)
{
	while (*i < s->count) {
		struct slot *e = entry_at(s, (*i)++);
		if (e->hash != 0)
			return e;
	}
	return NULL;
}
