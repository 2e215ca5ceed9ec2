/* The ring of raw segments: blocks of sweeps on a fixed budget.
 *
 * Every segment is preallocated when the store is made. Blocks are appended to
 * an open segment; late ones to another, so that the times of a segment stay
 * together. A full segment gets an index behind its blocks and is sealed. When
 * none is free the sealed one that ends earliest is marked free, synced,
 * forgotten and written over.
 *
 * What is in the ring is known from indices in memory, sorted by host, schema
 * and time. The writer changes them under the lock, readers copy from them.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

#include "store.h"
#include "super.h"

#define RING_LEAST_SEGMENTS 8
#define RING_HEADER_BYTES 128
#define BLOCK_BYTES 64 /* before the body */

enum {
	BLOCK_LATE = 1,    /* not part of the live run */
	BLOCK_PARTIAL = 2, /* more blocks of the same run follow */
	BLOCK_VOID = 4,    /* no sweeps: fills a hole that a power cut left */
	BLOCK_COLUMNS = 8, /* the body is as columns.h has it; without, a backlog batch */
};

/* A block as the index knows it. */
struct block_ref {
	uint32_t host, schema;
	int64_t t0_ms;
	uint32_t span_ms;
	uint32_t offset, length; /* of the whole envelope */
	uint16_t n_sweeps, flags;
	uint64_t logged_from, logged_to; /* positions of its first and newest record */
};

struct ring_segment {
	int fd;
	uint64_t number; /* of its life; 0: free */
	bool sealed, late;
	bool torn;             /* found at open: a hole where blocks were never synced */
	uint64_t used, synced; /* offsets: the end of its blocks, and of those that were synced */
	int64_t min_ms, max_ms;
	struct block_ref *blocks;
	size_t n_blocks, capacity;
};

struct ring {
	const struct super *super;
	pthread_rwlock_t lock; /* indices and numbers */
	struct ring_segment *segments;
	uint32_t n_segments;
	int32_t open[2]; /* for blocks in order, for late ones; -1: none */
	uint64_t next_number;
	uint64_t dirty_bytes; /* written since the last sync */
	uint64_t damaged;     /* places that could not be read at open */
	struct fw_buf scratch;
};

/* Makes what is not there yet, and tells config->on_allocated; `config` NULL: reads only. */
int ring_open(struct ring *ring, const char *dir, const struct super *super,
	const struct store_config *config, struct fw_err *err);
void ring_close(struct ring *ring);
/* The longest body that a block can have. */
size_t ring_body_limit(const struct ring *ring);
/* Writes a block; `ref` says everything but offset and length. Writer only. */
int ring_write(struct ring *ring, struct block_ref *ref, const void *body, size_t length);
int ring_sync(struct ring *ring);
/* Puts an index behind the blocks of open segments, so that they need no scan. */
int ring_finish(struct ring *ring);

struct ring_place {
	struct block_ref ref;
	uint32_t segment;
	uint64_t number;
};

/* Copies the places of blocks with sweeps in [from, to] into `places` (at most
 * `most`) and returns how many there are. */
size_t ring_find(struct ring *ring, uint32_t host, uint32_t schema, int64_t from_ms, int64_t to_ms,
	struct ring_place *places, size_t most);
/* Reads a block's body into `buf` and checks it. -ESTALE: written over meanwhile;
 * -EBADMSG: damaged. */
int ring_read(struct ring *ring, const struct ring_place *place, struct fw_buf *buf,
	const uint8_t **body, size_t *length);

/* Walks the blocks that lie in a segment, whatever its index says; returns the
 * number of damaged places, or why not all could be read. */
int ring_scan(const struct ring *ring, struct ring_segment *segment,
	void (*on_block)(
		const struct block_ref *ref, const uint8_t *body, size_t length, void *arg),
	void *arg);
/* Which life of which segment a block was written into. */
struct block_home {
	uint64_t number;
	uint32_t synced; /* what lay before this offset had been synced */
};
/* The head of a block; false: malformed. */
bool block_open(const uint8_t *at, size_t length, struct block_ref *ref, struct block_home *home);
