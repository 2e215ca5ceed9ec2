/* SPDX-License-Identifier: Apache-2.0 */
#include "texts.h"

#include <string.h>

#define FIRST_SLOTS 64

static uint64_t hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
	return hash;
}

static struct texts_slot *find_slot(
	struct texts_slot *slots, size_t n_slots, const char *text, uint64_t hash)
{
	size_t i = hash & (n_slots - 1);
	while (slots[i].text && (slots[i].hash != hash || strcmp(slots[i].text, text) != 0))
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

static void grow(struct texts *texts)
{
	size_t n_slots = texts->n_slots ? texts->n_slots * 2 : FIRST_SLOTS;
	struct texts_slot *slots = fw_arena_alloc(texts->arena, n_slots * sizeof *slots);
	for (size_t i = 0; i < texts->n_slots; i++) {
		const struct texts_slot *old = &texts->slots[i];
		if (old->text)
			*find_slot(slots, n_slots, old->text, old->hash) = *old;
	}
	texts->slots = slots;
	texts->n_slots = n_slots;
}

struct texts_slot *texts_put(struct texts *texts, const char *text)
{
	if (texts->count * 2 >= texts->n_slots)
		grow(texts);
	uint64_t hash = hash_text(text);
	struct texts_slot *slot = find_slot(texts->slots, texts->n_slots, text, hash);
	if (!slot->text) {
		slot->hash = hash;
		texts->count++;
	}
	return slot;
}
