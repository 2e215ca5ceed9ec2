/* A block: sweeps of one host under one schema, as a segment of a ring holds them.
 *
 * An envelope of a head and a body (body.h). The head names the life of the segment
 * that the block was written into, so that what an earlier life left is known. A block
 * that a digest made names the life of the newest segment it was made from: until the
 * digest is committed such a block does not count.
 *
 * The envelope's checksum is of the whole block. Where the body is in groups another one,
 * of the head and the body's front, lets a reader do without the rest.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_BYTES 64          /* before the body */
#define BLOCK_BYTES_DIGESTED 72 /* of those that a digest made */

enum {
	BLOCK_LATE = 1,    /* not part of the live run */
	BLOCK_PARTIAL = 2, /* more blocks of the same run follow */
	BLOCK_VOID = 4,    /* no sweeps: a hole that a power cut left, or of a digest broken off */
	BLOCK_COLUMNS = 8, /* the body is as columns.h has it; without, a backlog batch */
	BLOCK_DIGESTED = 16, /* made from blocks of segments up to life `source` */
	BLOCK_JOINED = 32,   /* of the same tier; otherwise rows of the tier below */
	BLOCK_GROUPS = 64,   /* of columns: the front can be read and checked alone */
};

/* A block as the index knows it. */
struct block_ref {
	uint32_t host, schema;
	int64_t t0_ms;
	uint32_t span_ms;
	uint32_t offset, length; /* of the whole envelope */
	uint16_t n_sweeps, flags;
	uint64_t logged_from, logged_to; /* positions of its first and newest record */
	uint64_t source;                 /* 0: made from the log */
};

/* Which life of which segment a block was written into. */
struct block_home {
	uint64_t number;
	uint32_t synced; /* what lay before this offset had been synced */
};

static inline size_t block_head_bytes(const struct block_ref *ref)
{
	return ref->flags & BLOCK_DIGESTED ? BLOCK_BYTES_DIGESTED : BLOCK_BYTES;
}

static inline int64_t block_end_ms(const struct block_ref *ref)
{
	return ref->t0_ms + ref->span_ms;
}

/* A table is a host under a schema. */
static inline bool block_same_table(const struct block_ref *a, const struct block_ref *b)
{
	return a->host == b->host && a->schema == b->schema;
}

/* The head, without its envelope. */
void block_put(uint8_t *at, const struct block_ref *ref, const struct block_home *home);
/* `length` is what the envelope holds. False: malformed. */
bool block_open(const uint8_t *at, size_t length, struct block_ref *ref, struct block_home *home);

/* The front of a whole block in groups gets its checksum, before the envelope is sealed. */
void block_seal_front(uint8_t *at, const struct block_ref *ref, size_t length, uint32_t salt);
/* `length`: up to the end of the front. */
bool block_front_is_sound(const uint8_t *at, size_t length, uint32_t salt);

/* Sorts by host, schema, first time, place. */
int block_compare(const void *a, const void *b);
