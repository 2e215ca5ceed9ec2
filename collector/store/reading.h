/* One answer in the making: pieces of the sweeps of a group, from memory and blocks. */
#pragma once

#include "internal.h"

struct reading;

/* Some sweeps of the group: what they are read from, and then where they lie in the room. */
struct piece {
	int64_t t0_ms;
	uint64_t logged;
	size_t most; /* sweeps */
	/* How many came, or why none. */
	int (*read)(struct reading *r, const struct piece *piece, const struct body_room *to);
	const void *from;
	enum store_tier tier;
	size_t first, n; /* rows of the room */
};

struct reading {
	struct store *store;
	const struct store_group *group;
	int64_t from_ms, to_ms;
	bool undigested; /* only blocks that no digest has seen */
	const struct store_patience *patience;
	struct fw_arena *arena;  /* the caller's: for what is returned */
	struct fw_arena scratch; /* for one look */
	struct body_reader body;
	struct fw_buf block, span; /* bytes of one that is read */
	struct ring_places sweep_places, row_places;
	struct piece *pieces;
	size_t n_pieces, pieces_capacity;
	struct body_room room; /* of all pieces, one behind the other */
	size_t n_rows, damaged;
	enum store_tier coarsest;
};

#define READING_LOOKS 4 /* as a digest may move what is looked at */

void reading_done(struct reading *r);
/* Forgets its pieces, to begin again. */
void reading_clear(struct reading *r);
void reading_add(struct reading *r, const struct piece *piece);
/* -ECANCELED when who asked has given up. */
int reading_goes_on(const struct reading *r);
/* Places of blocks in a tier; a damaged index is counted and passed over. */
int reading_find(struct reading *r, enum store_tier tier, bool undigested, int64_t from_ms,
	int64_t to_ms, struct ring_places *out);
/* What to do after a block could not be read: one that is damaged is counted and passed
 * over. */
int reading_pass_over(struct reading *r, const struct ring_place *place, int rc);
/* Of a block: the cells of the columns `wanted`, of so many, and all of its times. */
int reading_block(struct reading *r, const struct ring_place *place, uint32_t n_columns,
	const uint32_t *wanted, size_t n_wanted, const struct body_room *room);
/* Adds the sweeps still in memory. -ENOMEM. */
int reading_memory(struct reading *r, const struct table *table);
/* Adds those of the blocks in the raw ring. -ESTALE: something was written over meanwhile. */
int reading_raw(struct reading *r);
/* Reads all pieces and puts them together; of equal times the one logged last stays.
 * -ESTALE: something was written over meanwhile, the others are there. */
int reading_take(struct reading *r, struct store_columns *out);

/* What comes back from a reading, with its sentence. */
int reading_told(int rc, struct fw_err *err);

/* read_tiers.c: adds the last cells of rows, where raw does not reach. */
int reading_tiers(struct reading *r);
