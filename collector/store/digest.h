/* Digests: what lies in sealed segments is joined, and rolled up into the tier above.
 *
 * Blocks made from the log are short. Once sealed segments hold enough, the blocks of
 * each host and schema in them are joined into long ones and written again, and the
 * rows of their buckets go to the ring above. When all is synced, one write of `super`
 * makes the new count and the old not; until then, and for ever when the program ends
 * before, the new is ignored. Late segments are rolled up and stay.
 *
 * The writer does it a host and schema at a time, when nobody waits for a commit.
 */
#pragma once

#include <stdint.h>

#include "body.h"
#include "ring.h"
#include "rows.h"

struct store;

/* A sealed segment that is digested, and how far. */
struct digest_source {
	struct ring_segment *segment;
	size_t next; /* of its index */
};

/* Sweeps of one host and schema that become one block: column after column, each with
 * room for STORE_JOINED_SWEEPS. */
struct pile {
	uint32_t n_sweeps;
	uint64_t logged_from, logged_to;
	int64_t times_ms[STORE_JOINED_SWEEPS];
	struct scratch cells;
};

struct digest {
	bool running;
	enum store_tier tier;
	enum segment_kind lane;
	uint64_t upto; /* life of the newest source */
	struct digest_source *sources;
	size_t n_sources;
	uint64_t seals; /* of all rings, when last looked for something to do */
	struct ring_places members, late;
	struct fw_buf block;
	struct body_reader body;
	struct pile pile;
	struct rows rows;
};

/* Does a small part of what there is to do. 0: there is nothing. */
int digest_step(struct store *store);
void digest_done(struct digest *digest);
