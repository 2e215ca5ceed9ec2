/* SPDX-License-Identifier: Apache-2.0 */
#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"

bool ring_shows(const struct ring *ring, const struct block_ref *ref)
{
	if (!(ref->flags & BLOCK_DIGESTED))
		return true;
	int tier = (int)ring->tier - !(ref->flags & BLOCK_JOINED);
	bool late = ref->flags & BLOCK_LATE;
	return tier >= 0 && ref->source <= ring->all->super->tiers[tier].digested[late];
}

bool segment_is_digested(const struct ring *ring, const struct ring_segment *segment)
{
	return segment->kind == SEGMENT_JOINED ||
		segment->number <= ring->all->super->tiers[ring->tier].digested[segment->kind];
}

void segment_note_end(struct ring *ring, struct ring_segment *segment)
{
	segment->end_ms = segment->max_ms;
	if (segment->kind != SEGMENT_JOINED)
		return;
	if (segment->end_ms < ring->joined_end_ms)
		segment->end_ms = ring->joined_end_ms;
	ring->joined_end_ms = segment->end_ms;
}

/* How much of a block is of a day. */
static uint64_t bytes_of_day(const struct block_ref *ref, int64_t day)
{
	int64_t from_ms = day * RING_DAY_MS, to_ms = from_ms + RING_DAY_MS;
	int64_t begin_ms = ref->t0_ms, end_ms = block_end_ms(ref) + 1;
	from_ms = from_ms > begin_ms ? from_ms : begin_ms;
	to_ms = to_ms < end_ms ? to_ms : end_ms;
	if (to_ms <= from_ms)
		return 0;
	return (uint64_t)ref->length * (uint64_t)(to_ms - from_ms) / (uint64_t)(end_ms - begin_ms);
}

static void note_days(struct ring_segment *segment, const struct block_ref *ref)
{
	int64_t day = block_end_ms(ref) / RING_DAY_MS;
	uint64_t *bytes = segment->day_bytes;
	if (segment->index.n == 0 || day > segment->day) {
		bool goes_on = segment->index.n > 0 && day == segment->day + 1;
		bytes[1] = goes_on ? bytes[0] : 0;
		bytes[0] = 0;
		segment->day = day;
	}
	for (int i = 0; i < 2; i++)
		bytes[i] += bytes_of_day(ref, segment->day - i);
}

void segment_note_times(struct ring_segment *segment, const struct block_ref *ref)
{
	note_days(segment, ref);
	if (segment->index.n == 0 || ref->t0_ms < segment->min_ms)
		segment->min_ms = ref->t0_ms;
	if (segment->index.n == 0 || block_end_ms(ref) > segment->max_ms)
		segment->max_ms = block_end_ms(ref);
}

void segment_free(struct ring_segment *segment)
{
	segment->before = segment->number;
	segment->number = 0;
	segment->sealed = false;
	index_done(&segment->index);
}

int segment_by_number(const void *a, const void *b)
{
	const struct ring_segment *x = *(struct ring_segment *const *)a,
				  *y = *(struct ring_segment *const *)b;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* ---- segments ---- */

enum { HEADER_MORE = 96 - FILE_HEADER_BYTES };

void segment_head(const struct ring *ring, const struct ring_segment *segment,
	enum segment_state state, uint64_t index, uint8_t head[RING_HEADER_BYTES])
{
	uint8_t *at = head + FILE_HEADER_BYTES;
	memset(head, 0, RING_HEADER_BYTES);
	put_u64(at, segment->number ? segment->number : segment->before);
	put_u32(at + 8, state);
	put_u32(at + 12, segment->kind);
	put_u64(at + 16, index);
	file_header_seal(
		head, ring->all->super, (enum file_kind)(FILE_RAW + ring->tier), HEADER_MORE);
}

int segment_write_head(const struct ring *ring, const struct ring_segment *segment,
	enum segment_state state, uint64_t index)
{
	uint8_t head[RING_HEADER_BYTES];
	segment_head(ring, segment, state, index, head);
	int rc = fw_pwrite(segment->fd, head, sizeof head, 0);
	return rc < 0 ? rc : fw_fdatasync(segment->fd);
}

static void merge_index(const struct ring *ring, struct ring_segment *segment)
{
	struct index before = segment->index, merged = index_merged(&before);
	pthread_rwlock_wrlock(&ring->all->lock);
	segment->index = merged;
	pthread_rwlock_unlock(&ring->all->lock);
	index_done(&before);
}

int segment_write_index(const struct ring *ring, struct ring_segment *segment)
{
	struct fw_buf *out = &ring->all->scratch;
	merge_index(ring, segment);
	index_put(&segment->index, segment->number, ring->all->super->salt, out);
	int rc = fw_pwrite(segment->fd, out->data, out->length, segment->used);
	if (rc >= 0)
		rc = fw_fdatasync(segment->fd);
	segment->index.stored = rc >= 0;
	return rc;
}

/* All of its blocks count, and no digest will ask for them. */
static bool is_settled(const struct ring *ring, const struct ring_segment *segment)
{
	if (!segment->sealed || !segment->index.stored || !segment_is_digested(ring, segment))
		return false;
	bool shown = true;
	for (size_t i = 0; segment->index.refs && i < segment->index.n && shown; i++)
		shown = ring_shows(ring, &segment->index.refs[i]);
	return shown;
}

static void settle(struct ring *ring, struct ring_segment *segment)
{
	if (segment->index.refs && is_settled(ring, segment))
		index_to_disk(&segment->index, segment->fd, segment->used);
}

static int seal(struct ring *ring, struct ring_segment *segment)
{
	int rc = segment_write_index(ring, segment);
	if (rc >= 0)
		rc = segment_write_head(ring, segment, STATE_SEALED, segment->used);
	if (rc < 0)
		return rc;
	pthread_rwlock_wrlock(&ring->all->lock);
	segment->sealed = true;
	segment_note_end(ring, segment);
	settle(ring, segment);
	pthread_rwlock_unlock(&ring->all->lock);
	ring->open[segment->kind] = -1;
	ring->seals++;
	return 0;
}

static bool goes_before(
	const struct ring *ring, const struct ring_segment *a, const struct ring_segment *b)
{
	bool a_digested = segment_is_digested(ring, a), b_digested = segment_is_digested(ring, b);
	if (!a->number || !b->number)
		return a->number ? false : b->number || a->before < b->before;
	if (a_digested != b_digested)
		return a_digested;
	if (!a_digested || a->end_ms == b->end_ms)
		return a->number < b->number;
	return a->end_ms < b->end_ms;
}

static bool is_held(const struct ring *ring, const struct ring_segment *segment)
{
	return segment->kind != SEGMENT_JOINED && !segment_is_digested(ring, segment) &&
		segment->number <= ring->held[segment->kind];
}

/* A free segment, the one that is free for longest; or the digested one that ends
 * earliest; or the oldest. With `spare` free ones that are pinned do not count. */
static struct ring_segment *choose_segment(const struct ring *ring, bool spare)
{
	struct ring_segment *best = NULL;
	for (uint32_t i = 0; i < ring->n_segments; i++) {
		struct ring_segment *segment = &ring->segments[i];
		if (segment->number && (!segment->sealed || is_held(ring, segment)))
			continue;
		if (spare && !segment->number && atomic_load(&segment->pinned))
			continue;
		if (!best || goes_before(ring, segment, best))
			best = segment;
	}
	return best;
}

/* Where a pinned one comes next, the snapshot ends and not what is newer. */
static struct ring_segment *next_segment(const struct ring *ring)
{
	struct ring_segment *segment = choose_segment(ring, true);
	if (!segment || atomic_load(&segment->pinned))
		segment = choose_segment(ring, false);
	return segment;
}

/* It is told before anything goes, so that it is never said too late. */
static int forget(struct ring *ring, struct ring_segment *segment)
{
	struct super next = *ring->all->super;
	struct super_tier *tier = &next.tiers[ring->tier];
	ring->undigested += !segment_is_digested(ring, segment);
	if (segment->max_ms > tier->forgotten_ms) {
		tier->forgotten_ms = segment->max_ms;
		int rc = super_save(ring->all->dir, &next, NULL);
		if (rc < 0)
			return rc;
		pthread_rwlock_wrlock(&ring->all->lock);
		ring->all->super->generation = next.generation;
		ring->all->super->tiers[ring->tier].forgotten_ms = tier->forgotten_ms;
		pthread_rwlock_unlock(&ring->all->lock);
	}
	return segment_write_head(ring, segment, STATE_FREE, 0);
}

static int open_next(struct ring *ring, enum segment_kind kind)
{
	struct ring_segment *segment = next_segment(ring);
	if (!segment)
		return -ENOSPC;
	atomic_store(&segment->pinned, false);
	int rc = segment->number ? forget(ring, segment) : 0;
	if (rc < 0)
		return rc;
	pthread_rwlock_wrlock(&ring->all->lock);
	index_done(&segment->index);
	segment->number = ring->next_number++;
	segment->sealed = segment->torn = false;
	segment->kind = kind;
	segment->used = segment->synced = RING_HEADER_BYTES;
	pthread_rwlock_unlock(&ring->all->lock);
	ring->open[kind] = (int32_t)(segment - ring->segments);
	return segment_write_head(ring, segment, STATE_OPEN, 0);
}

/* ---- writing ---- */

size_t ring_body_limit(const struct ring *ring)
{
	uint64_t around = RING_HEADER_BYTES + BLOCK_BYTES_DIGESTED + 16 + index_bytes(1);
	return (size_t)(ring->segment_bytes - around);
}

/* An open segment with room for the block and for the index behind it. */
static int make_room(struct ring *ring, enum segment_kind kind, size_t block_bytes)
{
	int rc = 0;
	if (ring->open[kind] >= 0) {
		struct ring_segment *segment = &ring->segments[ring->open[kind]];
		uint64_t end =
			segment->used + align8(block_bytes) + index_bytes(segment->index.n + 1);
		if (end <= ring->segment_bytes)
			return 0;
		rc = seal(ring, segment);
	}
	return rc < 0 ? rc : open_next(ring, kind);
}

static enum segment_kind kind_of(const struct block_ref *ref)
{
	if (ref->flags & BLOCK_JOINED)
		return SEGMENT_JOINED;
	return ref->flags & BLOCK_LATE ? SEGMENT_LATE : SEGMENT_LIVE;
}

int ring_write(struct ring *ring, struct block_ref *ref, const void *body, size_t length)
{
	size_t head = block_head_bytes(ref), whole = head + length;
	int rc = make_room(ring, kind_of(ref), whole);
	if (rc < 0)
		return rc;
	struct ring_segment *segment = &ring->segments[ring->open[kind_of(ref)]];
	struct fw_buf *scratch = &ring->all->scratch;
	size_t padded = (size_t)align8(whole);
	fw_buf_reset(scratch);
	uint8_t *at = fw_buf_reserve(scratch, padded);
	block_put(at, ref, &(struct block_home){segment->number, (uint32_t)segment->synced});
	memcpy(at + head, body, length);
	memset(at + whole, 0, padded - whole);
	if (ref->flags & BLOCK_GROUPS)
		block_seal_front(at, ref, whole, ring->all->super->salt);
	envelope_seal(at, MAGIC_BLOCK, whole - ENVELOPE_BYTES, ring->all->super->salt);
	rc = fw_pwrite(segment->fd, at, padded, segment->used);
	if (rc < 0)
		return rc;
	ref->offset = (uint32_t)segment->used;
	ref->length = (uint32_t)whole;
	if (index_is_full(&segment->index))
		merge_index(ring, segment);
	pthread_rwlock_wrlock(&ring->all->lock);
	segment_note_times(segment, ref);
	index_append(&segment->index, ref);
	segment->used += padded;
	pthread_rwlock_unlock(&ring->all->lock);
	ring->dirty_bytes += padded;
	return 0;
}

/* The next `super` says so; what is not there at an opening is known for damage then. */
static void note_synced(struct ring *ring, struct ring_segment *segment)
{
	segment->synced = segment->used;
	ring->all->super->tiers[ring->tier].synced[segment->kind] =
		(struct super_synced){segment->number, segment->used};
}

int ring_sync_open(struct ring *ring)
{
	for (int kind = 0; kind < SEGMENT_KINDS; kind++) {
		if (ring->open[kind] < 0)
			continue;
		struct ring_segment *segment = &ring->segments[ring->open[kind]];
		int rc = segment->synced < segment->used ? fw_fdatasync(segment->fd) : 0;
		if (rc < 0)
			return rc;
		note_synced(ring, segment);
	}
	ring->dirty_bytes = 0;
	return 0;
}

int ring_sync(struct ring *ring)
{
	return ring->dirty_bytes ? ring_sync_open(ring) : 0;
}

static int finish_ring(struct ring *ring)
{
	for (int kind = 0; kind < SEGMENT_KINDS; kind++) {
		if (ring->open[kind] < 0)
			continue;
		struct ring_segment *segment = &ring->segments[ring->open[kind]];
		int rc = segment_write_index(ring, segment);
		if (rc >= 0)
			rc = segment_write_head(ring, segment, STATE_OPEN, segment->used);
		if (rc < 0)
			return rc;
		note_synced(ring, segment);
	}
	ring->dirty_bytes = 0;
	return 0;
}

int rings_finish(struct rings *rings)
{
	int rc = 0;
	for (int tier = 0; tier < STORE_TIERS && rc >= 0; tier++)
		rc = finish_ring(&rings->tiers[tier]);
	return rc;
}

/* ---- digests ---- */

size_t ring_undigested(
	const struct ring *ring, enum segment_kind lane, struct ring_segment **segments)
{
	size_t n = 0;
	for (uint32_t i = 0; i < ring->n_segments; i++) {
		struct ring_segment *segment = &ring->segments[i];
		if (segment->number && segment->sealed && segment->kind == lane &&
			!segment_is_digested(ring, segment))
			segments[n++] = segment;
	}
	qsort(segments, n, sizeof *segments, segment_by_number);
	return n;
}

/* What a committed digest leaves: live segments were joined, late ones stay as they are. */
void ring_settle(struct ring *ring)
{
	for (uint32_t i = 0; i < ring->n_segments; i++) {
		struct ring_segment *segment = &ring->segments[i];
		if (!segment->number || !segment->sealed || !segment_is_digested(ring, segment))
			continue;
		if (segment->kind == SEGMENT_LIVE)
			segment_free(segment);
		else
			settle(ring, segment);
	}
}

int rings_commit_digest(
	struct rings *rings, enum store_tier tier, enum segment_kind lane, uint64_t upto)
{
	struct super next = *rings->super;
	next.tiers[tier].digested[lane] = upto;
	int rc = super_save(rings->dir, &next, NULL);
	if (rc < 0)
		return rc;
	pthread_rwlock_wrlock(&rings->lock);
	rings->super->generation = next.generation;
	rings->super->tiers[tier].digested[lane] = upto;
	rings->digests++;
	for (int t = 0; t < STORE_TIERS; t++)
		ring_settle(&rings->tiers[t]);
	pthread_rwlock_unlock(&rings->lock);
	return 0;
}
