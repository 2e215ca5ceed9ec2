/* SPDX-License-Identifier: Apache-2.0 */
/* Rings as they lie on disk: made, read back, and put in order where a life ended before
 * its end: without an index, with a hole, or with blocks of a digest that was broken off. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "ring.h"

enum { HEADER_MORE = 96 - FILE_HEADER_BYTES };

/* ---- what lies in a segment ---- */

/* 1: its index is read. 0: there is none that is sound. */
static int read_index(const struct ring *ring, struct ring_segment *segment, uint64_t offset)
{
	struct scan scan;
	uint32_t length = 0;
	scan_init(&scan, segment->fd, ring->segment_bytes, MAGIC_INDEX, ring->all->super->salt);
	const uint8_t *at = offset % 8 == 0 ? scan_at(&scan, offset, &length) : NULL;
	bool sound = at &&
		(index_get(
			 &segment->index, at, length, segment->number, RING_HEADER_BYTES, offset) ||
			index_get_2(&segment->index, at, length, segment->number, RING_HEADER_BYTES,
				offset));
	segment->used = offset;
	int rc = scan_done(&scan);
	return rc < 0 ? rc : sound;
}

static void take_scanned(struct ring_segment *segment, const struct block_ref *ref)
{
	index_append(&segment->index, ref);
	segment->kind = ref->flags & BLOCK_JOINED ? SEGMENT_JOINED
		: ref->flags & BLOCK_LATE         ? SEGMENT_LATE
						  : SEGMENT_LIVE;
}

/* Up to where it is known to have been synced: by a clean end, which left an index there, or
 * by `super`. */
static uint64_t known_end(
	const struct ring *ring, const struct ring_segment *segment, uint64_t index)
{
	const struct super_synced *synced = ring->all->super->tiers[ring->tier].synced;
	uint64_t end = index;
	for (int kind = 0; kind < KINDS_WRITTEN; kind++)
		if (synced[kind].life == segment->number && synced[kind].upto > end)
			end = synced[kind].upto;
	return end < ring->segment_bytes ? end : ring->segment_bytes;
}

/* Walks the blocks that lie there; returns the number of damaged places between them. A hole
 * that was never synced is the torn end of a life: its sweeps are still in the log. */
static int scan_blocks(const struct ring *ring, struct ring_segment *segment, uint64_t index)
{
	struct scan scan;
	uint64_t offset = RING_HEADER_BYTES, sound = offset;
	struct block_home home;
	struct block_ref ref;
	uint32_t length;
	const uint8_t *at;
	int damaged = 0;
	scan_init(&scan, segment->fd, ring->segment_bytes, MAGIC_BLOCK, ring->all->super->salt);
	while ((at = scan_next(&scan, &offset, &length))) {
		if (!block_open(at, length, &ref, &home) ||
			(segment->number && home.number != segment->number)) {
			offset += 8;
			continue;
		}
		segment->number = home.number;
		if (offset != sound &&
			(home.synced > sound || known_end(ring, segment, index) > sound))
			damaged++;
		else if (offset != sound)
			segment->torn = true;
		ref.offset = (uint32_t)offset;
		if (!(ref.flags & BLOCK_VOID))
			take_scanned(segment, &ref);
		offset = sound = offset + align8(ref.length);
	}
	segment->used = sound;
	int rc = scan_done(&scan);
	return rc < 0 ? rc : damaged;
}

static void damage_in(const struct ring *ring, const struct ring_segment *segment, const char *what)
{
	damage_found(ring->all->damage, 1, "%s/%04x: %s", store_tier_name(ring->tier),
		(unsigned)(segment - ring->segments), what);
}

static int rebuild_index(struct ring *ring, struct ring_segment *segment, uint64_t index)
{
	char what[96];
	index_done(&segment->index);
	int damaged = scan_blocks(ring, segment, index);
	if (damaged < 0)
		return damaged;
	uint64_t end = known_end(ring, segment, index);
	if (segment->sealed)
		damage_in(ring, segment, "its index is damaged");
	for (; damaged > 0; damaged--)
		damage_in(ring, segment, "a damaged place between its blocks");
	if (segment->used < end) {
		snprintf(what, sizeof what, "its blocks went up to %llu, and end at %llu",
			(unsigned long long)end, (unsigned long long)segment->used);
		damage_in(ring, segment, what);
	}
	index_sort(&segment->index);
	return 0;
}

static bool all_zero(const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (data[i])
			return false;
	}
	return true;
}

static void note_number(struct ring *ring, const struct ring_segment *segment)
{
	if (segment->number >= ring->next_number)
		ring->next_number = segment->number + 1;
}

static bool has_head(const struct ring *ring, const struct ring_segment *segment)
{
	const struct super_tier *tier = &ring->all->super->tiers[ring->tier];
	return tier->counted && segment - ring->segments < (ptrdiff_t)tier->made;
}

/* From its head; `index` is the offset of the index, 0 where there is none. 1: it is
 * there. A damaged head costs nothing: the blocks name the life they belong to. */
static int read_head(struct ring *ring, struct ring_segment *segment, uint64_t *index)
{
	uint8_t header[RING_HEADER_BYTES] = {0};
	ssize_t got = fw_pread(segment->fd, header, sizeof header, 0);
	if (got < 0)
		return (int)got;
	segment->used = RING_HEADER_BYTES;
	*index = 0;
	if (all_zero(header, sizeof header) && !has_head(ring, segment))
		return 0;
	const uint8_t *at = header + FILE_HEADER_BYTES;
	int rc = file_header_open(
		header, ring->all->super, (enum file_kind)(FILE_RAW + ring->tier), HEADER_MORE);
	if (rc == -ENOTSUP)
		return rc;
	if (rc < 0) {
		damage_in(ring, segment, "its header is damaged");
		return 1;
	}
	uint32_t state = get_u32(at + 8), kind = get_u32(at + 12);
	segment->number = get_u64(at);
	segment->kind = kind < SEGMENT_KINDS ? (enum segment_kind)kind : SEGMENT_LIVE;
	segment->sealed = state == STATE_SEALED;
	*index = get_u64(at + 16);
	return state != STATE_FREE;
}

static int load_segment(struct ring *ring, struct ring_segment *segment)
{
	uint64_t index;
	int rc = read_head(ring, segment, &index);
	note_number(ring, segment);
	if (rc <= 0) {
		segment_free(segment);
		return rc;
	}
	if (segment->sealed && segment->kind == SEGMENT_LIVE &&
		segment_is_digested(ring, segment)) {
		segment_free(segment);
		return 0;
	}
	rc = index < RING_HEADER_BYTES ? 0 : read_index(ring, segment, index);
	if (rc == 0)
		rc = rebuild_index(ring, segment, index);
	note_number(ring, segment);
	return rc < 0 ? rc : 0;
}

/* ---- putting in order ---- */

static int write_block(const struct ring *ring, const struct ring_segment *segment, uint8_t *at,
	size_t length, uint64_t offset)
{
	envelope_seal(at, MAGIC_BLOCK, length - ENVELOPE_BYTES, ring->all->super->salt);
	return fw_pwrite(segment->fd, at, length, offset);
}

/* A block of no sweeps from the end of what is sound to the next block. */
static int fill_hole(
	const struct ring *ring, const struct ring_segment *segment, uint64_t from, uint64_t to)
{
	uint8_t *at = fw_alloc((size_t)(to - from));
	const struct block_ref ref = {.flags = BLOCK_VOID};
	block_put(at, &ref, &(struct block_home){segment->number, (uint32_t)segment->synced});
	int rc = write_block(ring, segment, at, (size_t)(to - from), from);
	fw_free(at);
	return rc;
}

static int by_offset(const void *a, const void *b)
{
	const struct block_ref *x = a, *y = b;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Once there is no hole of the past, a later one is known for damage. */
static int fill_holes(const struct ring *ring, struct ring_segment *segment)
{
	struct index *index = &segment->index;
	uint64_t sound = RING_HEADER_BYTES;
	int rc = 0;
	if (index->n)
		qsort(index->refs, index->n, sizeof *index->refs, by_offset);
	index->n_sorted = 0;
	for (size_t i = 0; i < index->n && rc >= 0; i++) {
		const struct block_ref *ref = &index->refs[i];
		if (ref->offset >= sound + BLOCK_BYTES)
			rc = fill_hole(ring, segment, sound, ref->offset);
		sound = ref->offset + align8(ref->length);
	}
	index_sort(index);
	return rc < 0 ? rc : fw_fdatasync(segment->fd);
}

/* The block is there no more, also for those who find it by a scan. */
static int make_void(
	const struct ring *ring, const struct ring_segment *segment, const struct block_ref *ref)
{
	uint8_t *at = fw_try_alloc(ref->length);
	if (!at)
		return -ENOMEM;
	ssize_t got = fw_pread(segment->fd, at, ref->length, ref->offset);
	int rc = got < 0 ? (int)got : 0;
	if (got == (ssize_t)ref->length) {
		put_u16(at + 22, (uint16_t)(ref->flags | BLOCK_VOID));
		rc = write_block(ring, segment, at, ref->length, ref->offset);
	}
	fw_free(at);
	return rc;
}

/* What a digest wrote that was never committed is made again by another. */
static int drop_unfinished(const struct ring *ring, struct ring_segment *segment, bool writable)
{
	struct index *index = &segment->index;
	size_t kept = 0, n = index->n;
	int rc = 0;
	for (size_t i = 0; i < n && rc >= 0; i++) {
		if (ring_shows(ring, &index->refs[i]))
			index->refs[kept++] = index->refs[i];
		else if (writable)
			rc = make_void(ring, segment, &index->refs[i]);
	}
	index->n = index->n_sorted = kept;
	if (rc < 0 || kept == n)
		return rc;
	index->stored = false;
	return writable ? fw_fdatasync(segment->fd) : 0;
}

static void note_all_times(struct ring_segment *segment)
{
	struct index whole = segment->index;
	segment->index.n = 0;
	for (size_t i = 0; i < whole.n; i++, segment->index.n++)
		segment_note_times(segment, &whole.refs[i]);
}

/* One of a kind was open. Where damaged heads make others look so, the newest life is
 * written on; the others are complete, and used again in their turn. */
static void take_for_open(struct ring *ring, uint32_t i)
{
	struct ring_segment *segment = &ring->segments[i];
	int32_t *open = &ring->open[segment->kind];
	struct ring_segment *other = *open >= 0 ? &ring->segments[*open] : NULL;
	if (other && other->number > segment->number) {
		segment->sealed = true;
		return;
	}
	if (other)
		other->sealed = true;
	*open = (int32_t)i;
}

/* ---- opening ---- */

struct opening {
	const struct store_config *config; /* NULL: reads only */
	uint64_t bytes, of_bytes;
};

static int allocate(
	const struct ring *ring, const struct ring_segment *segment, const struct opening *opening)
{
	if (file_size(segment->fd) >= ring->segment_bytes)
		return 0;
	int rc = fw_preallocate(segment->fd, ring->segment_bytes);
	if (rc >= 0)
		rc = fw_fsync(segment->fd);
	if (rc >= 0 && opening->config->on_allocated)
		opening->config->on_allocated(
			opening->bytes, opening->of_bytes, opening->config->arg);
	return rc;
}

/* Where a sealed segment has lost its index, it gets another. */
static int mend_index(const struct ring *ring, struct ring_segment *segment)
{
	uint64_t end = segment->used + index_bytes(segment->index.n);
	if (!segment->sealed || segment->index.stored || end > ring->segment_bytes)
		return 0;
	int rc = segment_write_index(ring, segment);
	return rc < 0 ? rc : segment_write_head(ring, segment, STATE_SEALED, segment->used);
}

int ring_void(struct ring *ring, const struct ring_place *place)
{
	struct ring_segment *segment = &ring->segments[place->segment];
	struct index *index = &segment->index;
	size_t kept = 0;
	int rc = make_void(ring, segment, &place->ref);
	for (size_t i = 0; i < index->n; i++)
		if (index->refs[i].offset != place->ref.offset)
			index->refs[kept++] = index->refs[i];
	index->n = index->n_sorted = kept;
	index->stored = false;
	if (rc >= 0)
		rc = fw_fdatasync(segment->fd);
	return rc < 0 ? rc : mend_index(ring, segment);
}

/* Of a file that was made in full nothing goes by itself. 1: all that it held is gone. */
static int look_at_file(const struct ring *ring, const struct ring_segment *segment)
{
	bool made = segment - ring->segments < (ptrdiff_t)ring->all->super->tiers[ring->tier].made;
	uint64_t bytes = segment->fd < 0 ? 0 : file_size(segment->fd);
	char what[96];
	if (bytes < ring->segment_bytes && made) {
		snprintf(what, sizeof what, "%llu of its %llu bytes are there",
			(unsigned long long)bytes, (unsigned long long)ring->segment_bytes);
		damage_in(ring, segment, segment->fd < 0 ? "it is missing" : what);
	}
	return bytes == 0;
}

/* One that was never written has a head all the same, so that zeroes are known for damage. */
static int give_head(struct ring *ring, struct ring_segment *segment, bool empty)
{
	uint8_t first[ENVELOPE_BYTES] = {0};
	ssize_t got = empty ? 0 : fw_pread(segment->fd, first, sizeof first, 0);
	if (got < 0 || !all_zero(first, sizeof first))
		return got < 0 ? (int)got : 0;
	return segment_write_head(ring, segment, STATE_FREE, 0);
}

static int load_and_mend(struct ring *ring, uint32_t i, bool writable)
{
	struct ring_segment *segment = &ring->segments[i];
	int rc = load_segment(ring, segment);
	if (rc < 0 || !segment->number)
		return rc;
	rc = segment->torn && writable ? fill_holes(ring, segment) : 0;
	if (rc >= 0)
		rc = drop_unfinished(ring, segment, writable);
	note_all_times(segment);
	if (!segment->sealed)
		take_for_open(ring, i);
	return rc >= 0 && writable ? mend_index(ring, segment) : rc;
}

static int open_segment(
	struct ring *ring, uint32_t i, const char *path, const struct opening *opening)
{
	struct ring_segment *segment = &ring->segments[i];
	bool writable = opening->config;
	segment->fd = fw_open(path, writable ? O_RDWR : O_RDONLY, 0);
	if (segment->fd < 0 && segment->fd != -ENOENT)
		return segment->fd;
	bool empty = look_at_file(ring, segment);
	if (segment->fd < 0 && writable)
		segment->fd = fw_open(path, O_RDWR | O_CREAT, 0600);
	if (segment->fd < 0)
		return writable ? segment->fd : 0;
	fcntl(segment->fd, F_SETFL, O_NOATIME); /* nobody asks; who is not the owner may not */
	int rc = writable ? allocate(ring, segment, opening) : 0;
	if (rc >= 0 && !empty)
		rc = load_and_mend(ring, i, writable);
	return rc >= 0 && writable && !segment->number ? give_head(ring, segment, empty) : rc;
}

static int open_ring(
	struct ring *ring, const char *dir, struct opening *opening, struct fw_err *err)
{
	bool writable = opening->config;
	char *folder = fw_format("%s/%s", dir, store_tier_name(ring->tier));
	int rc = writable ? fw_mkdir_all(folder, 0700) : 0;
	for (uint32_t i = 0; i < ring->n_segments && rc >= 0; i++) {
		char *path = fw_format("%s/%04x", folder, i);
		opening->bytes += ring->segment_bytes;
		rc = open_segment(ring, i, path, opening);
		if (rc < 0)
			fw_fail_sys(err, rc, "cannot open the store's segment %s (%llu bytes)",
				path, (unsigned long long)ring->segment_bytes);
		fw_free(path);
	}
	if (rc >= 0 && writable) {
		rc = ring_sync_open(ring);
		if (rc >= 0)
			rc = fw_fsync_dir(folder);
		if (rc < 0)
			fw_fail_sys(err, rc, "cannot sync %s", folder);
	}
	fw_free(folder);
	return rc;
}

static void note_ends(struct ring *ring)
{
	struct ring_segment **order = fw_alloc_array(ring->n_segments + 1, sizeof *order);
	for (uint32_t i = 0; i < ring->n_segments; i++)
		order[i] = &ring->segments[i];
	qsort(order, ring->n_segments, sizeof *order, segment_by_number);
	for (uint32_t i = 0; i < ring->n_segments; i++)
		if (order[i]->number && order[i]->sealed)
			segment_note_end(ring, order[i]);
	fw_free(order);
}

static void init_ring(struct rings *rings, enum store_tier tier)
{
	const struct super_tier *super = &rings->super->tiers[tier];
	struct ring *ring = &rings->tiers[tier];
	*ring = (struct ring){
		.all = rings,
		.tier = tier,
		.segment_bytes = super->segment_bytes,
		.n_segments = super->segments,
		.open = {-1, -1, -1},
		.next_number = 1,
	};
	ring->segments = fw_alloc_array(ring->n_segments + 1, sizeof *ring->segments);
	for (uint32_t i = 0; i < ring->n_segments; i++)
		ring->segments[i].fd = -1;
	for (int lane = 0; lane < LANES_DIGESTED; lane++)
		if (super->digested[lane] >= ring->next_number)
			ring->next_number = super->digested[lane] + 1;
	for (int kind = 0; kind < KINDS_WRITTEN; kind++)
		if (super->synced[kind].life >= ring->next_number)
			ring->next_number = super->synced[kind].life + 1;
}

int rings_open(struct rings *rings, const char *dir, struct super *super,
	const struct store_config *config, struct damage *damage, struct fw_err *err)
{
	struct opening opening = {.config = config};
	*rings = (struct rings){.super = super, .damage = damage, .dir = fw_strdup(dir)};
	pthread_rwlock_init(&rings->lock, NULL);
	for (int tier = 0; tier < STORE_TIERS; tier++) {
		init_ring(rings, (enum store_tier)tier);
		opening.of_bytes += super->tiers[tier].segments * super->tiers[tier].segment_bytes;
	}
	int rc = 0;
	for (int tier = 0; tier < STORE_TIERS && rc >= 0; tier++)
		rc = open_ring(&rings->tiers[tier], dir, &opening, err);
	for (int tier = 0; tier < STORE_TIERS; tier++) {
		note_ends(&rings->tiers[tier]);
		ring_settle(&rings->tiers[tier]);
	}
	return rc;
}

static void close_ring(struct ring *ring)
{
	for (uint32_t i = 0; i < ring->n_segments; i++) {
		if (ring->segments[i].fd >= 0)
			fw_close(ring->segments[i].fd);
		index_done(&ring->segments[i].index);
	}
	fw_free(ring->segments);
}

void rings_close(struct rings *rings)
{
	if (!rings->super)
		return;
	for (int tier = 0; tier < STORE_TIERS; tier++)
		close_ring(&rings->tiers[tier]);
	fw_buf_done(&rings->scratch);
	fw_free(rings->dir);
	pthread_rwlock_destroy(&rings->lock);
}
