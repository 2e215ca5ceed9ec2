/* One answer in the making: pieces of the sweeps of a group, from memory and blocks. */
#pragma once

#include "internal.h"

/* Some sweeps of the group, column after column. */
struct piece {
	struct piece *next;
	uint64_t logged;
	size_t n_sweeps;
	int64_t *times_ms, *cells;
};

struct reading {
	struct store *store;
	const struct store_group *group;
	int64_t from_ms, to_ms;
	bool undigested;         /* only blocks that no digest has seen */
	struct fw_arena *arena;  /* the caller's: for what is returned, and pieces */
	struct fw_arena scratch; /* for one batch */
	struct scratch cells;
	struct body_reader body;
	struct fw_buf block;
	struct ring_places places;
	struct piece *pieces;
	size_t n_pieces, n_rows, damaged;
};

#define READING_LOOKS 4 /* as a digest may move what is looked at */

void reading_done(struct reading *r);
/* Forgets its pieces, to begin again. */
void reading_clear(struct reading *r);
/* Places of blocks in a tier, into r->places; a damaged index is counted and passed over. */
int reading_find(
	struct reading *r, enum store_tier tier, bool undigested, int64_t from_ms, int64_t to_ms);
/* What to do after a block could not be read: one that is damaged is counted and passed
 * over. */
int reading_pass_over(struct reading *r, int rc);
/* Sweeps still in memory. */
int reading_memory(struct reading *r, const struct table *table);
/* Sweeps of the blocks in the raw ring. -ESTALE: something was written over meanwhile. */
int reading_raw(struct reading *r);
/* Puts the pieces together; of equal times the one logged last stays. */
int reading_join(struct reading *r, struct store_columns *out);

/* read_tiers.c: pieces of the last cells of rows, where raw does not reach. */
int reading_tiers(struct reading *r, enum store_tier *coarsest);
