/* SPDX-License-Identifier: Apache-2.0 */
#include "map.h"

#include <fenwatch/mem.h>

enum { FIRST_BUCKETS = 64 };

static void grow(struct map *map)
{
	size_t n = map->n_buckets ? 2 * map->n_buckets : FIRST_BUCKETS;
	struct link **buckets = fw_alloc_array(n, sizeof(struct link *));
	for (size_t i = 0; i < map->n_buckets; i++) {
		for (struct link *link = map->buckets[i], *next; link; link = next) {
			next = link->next;
			link->next = buckets[link->hash & (n - 1)];
			buckets[link->hash & (n - 1)] = link;
		}
	}
	fw_free(map->buckets);
	map->buckets = buckets;
	map->n_buckets = n;
}

void map_add(struct map *map, struct link *link, uint64_t hash)
{
	if (map->count >= map->n_buckets)
		grow(map);
	struct link **bucket = &map->buckets[hash & (map->n_buckets - 1)];
	link->hash = hash;
	link->next = *bucket;
	*bucket = link;
	map->count++;
}

static struct link *from(struct link *link, uint64_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct link *map_find(const struct map *map, uint64_t hash)
{
	return map->n_buckets ? from(map->buckets[hash & (map->n_buckets - 1)], hash) : NULL;
}

struct link *map_again(const struct link *link)
{
	return from(link->next, link->hash);
}

void map_done(struct map *map)
{
	fw_free(map->buckets);
	*map = (struct map){0};
}

/* FNV-1a, and a mix so that the low bits depend on all. */
uint64_t map_hash(const void *data, size_t length, uint64_t seed)
{
	const unsigned char *at = data;
	uint64_t hash = seed ^ 0xcbf29ce484222325u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}
