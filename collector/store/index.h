/* What lies in a segment: its blocks by host, schema and time.
 *
 * While a segment is written its index is an array in memory, sorted but for the newest
 * few. Behind the blocks of a
 * sealed one the same lies on disk in chunks of 64 entries, each with a checksum; then
 * memory keeps the first entry of every chunk and a filter that says of nearly every
 * host and schema without blocks here that it has none. A query costs one read of a
 * chunk a segment, and a block costs memory 0.3 bytes.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>

#include "block.h"

struct index_key {
	uint32_t host, schema;
	int64_t t0_ms;
};

/* An index on disk, kept alive by whoever looks into it. */
struct index_disk {
	atomic_uint holders;
	int fd;
	uint64_t offset; /* of the first chunk */
	size_t n;        /* entries */
	size_t n_chunks;
	uint64_t filter_bits; /* a power of two */
	uint64_t *filter;
	struct index_key keys[]; /* the first of each chunk */
};

struct index {
	struct block_ref *refs; /* NULL when the index is left to the disk */
	size_t n, n_sorted, capacity;
	bool stored; /* the disk has it as it is */
	struct index_disk *disk;
};

void index_done(struct index *index);
/* To the newest, which are looked through one by one. */
void index_append(struct index *index, const struct block_ref *ref);
void index_sort(struct index *index);
/* Then a merged copy takes its place, so that readers wait for no more than the swap. */
bool index_is_full(const struct index *index);
struct index index_merged(const struct index *index);

/* In memory: the first of the sorted entries that does not stand before it. */
size_t index_find(const struct index *index, uint32_t host, uint32_t schema, int64_t t0_ms);

/* How many hosts under a schema there are in a sorted one in memory. */
size_t index_tables(const struct index *index);

/* Bytes on disk of so many entries, and the index written there. */
size_t index_bytes(size_t n);
void index_put(const struct index *index, uint64_t number, uint32_t salt, struct fw_buf *out);
/* Reads it back from `at`, an envelope of `length` bytes inside; false: not sound. The
 * entries must lie between `from` and `to`. */
bool index_get(struct index *index, const uint8_t *at, uint32_t length, uint64_t number,
	uint64_t from, uint64_t to);
/* The one of formats 1 and 2, which had no chunks. */
bool index_get_2(struct index *index, const uint8_t *at, uint32_t length, uint64_t number,
	uint64_t from, uint64_t to);

/* Leaves to the disk what index_put() has written at `offset` of `fd`. */
void index_to_disk(struct index *index, int fd, uint64_t offset);
struct index_disk *index_hold(struct index_disk *disk);
void index_drop(struct index_disk *disk);
bool index_may_have(const struct index_disk *disk, uint32_t host, uint32_t schema);
/* Calls back with the entries from the first that does not stand before (host, schema,
 * t0_ms) on until one returns false. -EBADMSG: a chunk is damaged. */
int index_walk(const struct index_disk *disk, uint32_t salt, const struct index_key *from,
	bool (*each)(const struct block_ref *ref, void *arg), void *arg);
