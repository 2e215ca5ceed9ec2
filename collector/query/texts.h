/* A growing table of texts, each once, with a mark for the caller's use. The
 * table is its arena's; the texts are the caller's. Zeroes and an arena make an
 * empty one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/mem.h>

struct texts_slot {
	const char *text; /* NULL: free */
	uint64_t hash;
	bool mark;
};

struct texts {
	struct fw_arena *arena;
	struct texts_slot *slots; /* open addressing, at most half full */
	size_t n_slots, count;
};

/* The slot of `text`. A new one is counted, and its text is NULL until the caller puts it. */
struct texts_slot *texts_put(struct texts *texts, const char *text);
