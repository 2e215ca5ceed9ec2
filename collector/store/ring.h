/* The rings: blocks on a fixed budget, a ring for each tier.
 *
 *                 digest              digest
 *   raw: sweeps --------> five minutes -----> hour: rows (rows.h)
 *
 * Every segment is preallocated when the store is made. Blocks are appended to an
 * open segment: live ones, late ones and joined ones each to their own, so that the
 * times of a segment stay together. A full segment gets its index behind its blocks
 * and is sealed. When none is free the sealed one that ends earliest is marked free,
 * synced, forgotten and written over; what a digest (digest.c) has not seen stays as
 * long as there is another.
 *
 * The writer alone changes rings. It holds the lock for as long as it changes numbers
 * and indices, readers for as long as they copy from them.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

#include "block.h"
#include "damage.h"
#include "index.h"
#include "store.h"
#include "super.h"

#define RING_HEADER_BYTES 128
#define RING_DAY_MS (INT64_C(24) * 3600 * 1000)

/* Live and late as the lanes of what lies in them; joined by a digest. */
enum segment_kind { SEGMENT_LIVE, SEGMENT_LATE, SEGMENT_JOINED, SEGMENT_KINDS };

struct ring_segment {
	int fd;
	uint64_t number; /* of its life; 0: free */
	uint64_t before; /* free: the number that it had */
	enum segment_kind kind;
	bool sealed;
	bool torn;             /* found at open: a hole where blocks were never synced */
	uint64_t used, synced; /* offsets: the end of its blocks, and of those that were synced */
	int64_t min_ms, max_ms;
	/* Bytes of its newest day, and of the day before: history that came by remote_write may
	 * lie beside them. */
	int64_t day;
	uint64_t day_bytes[2];
	atomic_bool pinned; /* a snapshot has it to copy yet */
	int64_t end_ms;     /* sealed: max_ms, and where it is joined, of those before it, too */
	struct index index;
};

struct ring {
	struct rings *all;
	enum store_tier tier;
	uint64_t segment_bytes;
	struct ring_segment *segments;
	uint32_t n_segments;
	int32_t open[SEGMENT_KINDS]; /* -1: none */
	uint64_t next_number;
	int64_t joined_end_ms;         /* of all that was joined and sealed */
	uint64_t dirty_bytes;          /* written since the last sync */
	uint64_t undigested;           /* segments written over before their digest */
	uint64_t seals;                /* since the ring was opened */
	uint64_t held[LANES_DIGESTED]; /* lives up to which a digest is at work on */
};

struct rings {
	struct super *super;
	struct damage *damage; /* hears of what is found at open */
	char *dir;
	pthread_rwlock_t lock; /* indices, numbers, and super's digested */
	struct ring tiers[STORE_TIERS];
	uint64_t digests; /* committed since the rings were opened */
	struct fw_buf scratch;
};

/* Makes what is not there yet, and tells config->on_allocated; `config` NULL: reads only. */
int rings_open(struct rings *rings, const char *dir, struct super *super,
	const struct store_config *config, struct damage *damage, struct fw_err *err);
void rings_close(struct rings *rings);
/* Puts an index behind the blocks of open segments, so that they need no scan. */
int rings_finish(struct rings *rings);

/* ---- writing ---- */

/* The longest body that a block can have. */
size_t ring_body_limit(const struct ring *ring);
/* Writes a block; `ref` says everything but offset and length. */
int ring_write(struct ring *ring, struct block_ref *ref, const void *body, size_t length);
int ring_sync(struct ring *ring);
int ring_sync_open(struct ring *ring); /* also what a process before this one wrote */

/* ---- digests ---- */

/* Sealed segments of the lane that no digest has seen, in the order of their lives; there
 * is room for all of the ring's. Returns how many. */
size_t ring_undigested(
	const struct ring *ring, enum segment_kind lane, struct ring_segment **segments);
/* What was made from segments up to life `upto` counts from now on, in their place. It
 * must have been synced. */
int rings_commit_digest(
	struct rings *rings, enum store_tier tier, enum segment_kind lane, uint64_t upto);

/* ---- reading; any thread ---- */

struct ring_place {
	struct block_ref ref;
	enum store_tier tier;
	uint32_t segment;
	uint64_t number;
	bool digested; /* the tier above has rows of it */
};

struct ring_places {
	struct ring_place *at;
	size_t n, capacity;
	struct ring_place unsound; /* of -EBADMSG: the segment, without a block */
};

struct ring_question {
	uint32_t host, schema;
	int64_t from_ms, to_ms;
	bool late; /* only what lies in late segments */
};

void ring_add_place(struct ring_places *out, const struct ring *ring,
	const struct ring_segment *segment, const struct block_ref *ref);
void ring_keep_place(struct ring_places *out, const struct ring_place *place);
/* Adds the places of blocks with sweeps within the times. -ESTALE: one went while it was
 * looked for; -EBADMSG: an index is damaged. Places found before stay. */
int ring_find(struct ring *ring, const struct ring_question *question, struct ring_places *out);
/* Sweeps up to this time may have been written over. */
int64_t ring_forgotten_ms(const struct ring *ring);
/* False when there is none; may be true although there is none. */
bool ring_may_have(struct ring *ring, const struct ring_question *question);
/* The block there is no more. While opening, before anything else is written. */
int ring_void(struct ring *ring, const struct ring_place *place);
/* Reads a block's body into `buf` and checks it. -ESTALE: written over meanwhile;
 * -EBADMSG: damaged. Others: the disk does not give it now. */
int ring_read(struct ring *ring, const struct ring_place *place, struct fw_buf *buf,
	const uint8_t **body, size_t *length);
/* The same of the front of a body in groups, which is `likely` so long, and more where
 * there is more; and of other bytes of the body, which the caller checks. */
int ring_read_front(struct ring *ring, const struct ring_place *place, size_t likely,
	struct fw_buf *buf, const uint8_t **front, size_t *length);
int ring_read_span(struct ring *ring, const struct ring_place *place, size_t from, size_t length,
	struct fw_buf *buf, const uint8_t **bytes);
/* What it means that they are not sound: -ESTALE or -EBADMSG. */
int ring_unsound(struct ring *ring, const struct ring_place *place);
/* Calls back with every block that counts, segment by segment, sorted within one. The
 * writer's, or of a store that nobody writes. */
int ring_walk(
	struct ring *ring, void (*each)(const struct ring_place *place, void *arg), void *arg);

void ring_stat(struct ring *ring, struct store_tier_stat *out); /* any thread */

/* ---- snapshots: ring_pin.c ---- */

/* A segment as it was at one moment. */
struct ring_pin {
	enum store_tier tier;
	uint32_t segment;
	uint64_t bytes; /* from its start, that count; 0: it was free */
	bool digested;
	int64_t rank;    /* among such in its ring */
	uint64_t number; /* of its life; of those of equal rank the lower goes first */
	uint32_t turn;   /* how soon it would be written over, of all */
	uint8_t head[RING_HEADER_BYTES];
};

/* The writer: pins all that hold something and gives all, the one to be copied first in
 * front. */
void rings_pin(struct rings *rings, struct ring_pin **pins, size_t *n);
/* Any thread. False: the segment was not pinned any more, for the ring had come to it. */
bool ring_unpin(struct rings *rings, const struct ring_pin *pin);

/* ---- ring_open.c and ring.c ---- */

enum segment_state { STATE_FREE, STATE_OPEN, STATE_SEALED };

/* `index` is the offset of the segment's index, 0 where it has none. */
void segment_head(const struct ring *ring, const struct ring_segment *segment,
	enum segment_state state, uint64_t index, uint8_t head[RING_HEADER_BYTES]);
int segment_write_head(const struct ring *ring, const struct ring_segment *segment,
	enum segment_state state, uint64_t index);
int segment_write_index(const struct ring *ring, struct ring_segment *segment);
/* Forgets what was joined elsewhere, and leaves indices to the disk that change no more. */
void ring_settle(struct ring *ring);
/* It is sealed: where does it stand in the order in which segments are written over? */
void segment_note_end(struct ring *ring, struct ring_segment *segment);
void segment_note_times(struct ring_segment *segment, const struct block_ref *ref);
void segment_free(struct ring_segment *segment);
/* For qsort(), of pointers to segments. */
int segment_by_number(const void *a, const void *b);
/* Does the block count? Not before the digest that made it is committed. */
bool ring_shows(const struct ring *ring, const struct block_ref *ref);
bool segment_is_digested(const struct ring *ring, const struct ring_segment *segment);
