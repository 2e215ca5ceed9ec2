/* A growing hash map of things that carry their own link. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct link {
	struct link *next;
	uint64_t hash;
};

struct map {
	struct link **buckets;
	size_t n_buckets, count;
};

void map_add(struct map *map, struct link *link, uint64_t hash);
/* The first with this hash, and the next with the same one after it; NULL at the end. */
struct link *map_find(const struct map *map, uint64_t hash);
struct link *map_again(const struct link *link);
void map_done(struct map *map); /* the things themselves are their owner's */

uint64_t map_hash(const void *data, size_t length, uint64_t seed);
