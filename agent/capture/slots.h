/* A table of fixed size: what has not been seen for longest makes room.
 *
 * Eight entries share a bucket, and a new one takes the place of that bucket's oldest, so
 * nothing on the wire makes it larger or slower. An entry is a struct of the caller's that
 * begins with a struct slot, its key right behind, without holes that are not zero.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slot {
	uint64_t hash;   /* 0: empty */
	int64_t last_us; /* when it was last taken */
};

struct slots {
	uint8_t *data;
	size_t count, entry_bytes, key_bytes;
	uint64_t seed;
	uint64_t dropped; /* entries that made room */
	/* Told of an entry before it goes; may be NULL. */
	void (*on_dropped)(void *entry, void *arg);
	void *arg;
};

/* `count` is a power of two and at least 8. The seed keeps who sends the keys from
 * choosing whose place they take. */
void slots_init(struct slots *s, size_t count, size_t entry_bytes, size_t key_bytes, uint64_t seed);
void slots_done(struct slots *s);
void *slots_find(const struct slots *s, const void *key); /* or NULL */
/* The entry of this key, zeroed but for its key where it is new. */
void *slots_take(struct slots *s, const void *key, int64_t now_us, bool *fresh);
void *slots_next(const struct slots *s, size_t *i); /* from *i on; NULL: no more */
uint64_t slots_hash(const void *key, size_t bytes, uint64_t seed);
