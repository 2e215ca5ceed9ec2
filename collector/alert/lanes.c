/* SPDX-License-Identifier: Apache-2.0 */
#include "lanes.h"

#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>

void lanes_init(struct lanes *lanes)
{
	*lanes = (struct lanes){0};
	lanes->last = &lanes->first;
}

void lanes_done(struct lanes *lanes)
{
	while (lanes->first)
		lanes_remove(lanes, lanes->first);
}

static size_t bucket_of(const char *key)
{
	return identity_hash(key) % LANES;
}

struct entry *lanes_append(struct lanes *lanes, int64_t id, const char *key)
{
	struct entry *entry = fw_alloc(sizeof *entry);
	entry->id = id;
	snprintf(entry->key, sizeof entry->key, "%s", key);
	*lanes->last = entry;
	lanes->last = &entry->next;
	struct entry **link = &lanes->buckets[bucket_of(key)];
	while (*link)
		link = &(*link)->next_lane;
	*link = entry;
	return entry;
}

void lanes_remove(struct lanes *lanes, struct entry *entry)
{
	struct entry **link = &lanes->first;
	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	if (!entry->next)
		lanes->last = link;
	link = &lanes->buckets[bucket_of(entry->key)];
	while (*link != entry)
		link = &(*link)->next_lane;
	*link = entry->next_lane;
	fw_free(entry);
}

struct entry *lanes_find(const struct lanes *lanes, int64_t id, const char *key)
{
	struct entry *entry = lanes->buckets[bucket_of(key)];
	while (entry && (entry->id != id || entry->repeat))
		entry = entry->next_lane;
	return entry;
}

bool lanes_is_oldest(const struct lanes *lanes, const struct entry *entry)
{
	const struct entry *first = lanes->buckets[bucket_of(entry->key)];
	while (first->is_over || strcmp(first->key, entry->key) != 0)
		first = first->next_lane;
	return first == entry;
}

bool lanes_is_under_way(const struct lanes *lanes, const char *key)
{
	for (const struct entry *e = lanes->buckets[bucket_of(key)]; e; e = e->next_lane)
		if (e->sending && strcmp(e->key, key) == 0)
			return true;
	return false;
}
