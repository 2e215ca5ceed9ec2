/* SPDX-License-Identifier: Apache-2.0 */
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"

enum { HEADER_MORE = 96 - FILE_HEADER_BYTES, ENTRY_BYTES = 48, INDEX_HEAD = ENVELOPE_BYTES + 12 };
enum segment_state { SEGMENT_FREE, SEGMENT_OPEN, SEGMENT_SEALED };

/* ---- blocks ---- */

static void put_block(uint8_t *at, const struct block_ref *ref, const struct ring_segment *segment)
{
	put_u32(at + 12, ref->host);
	put_u32(at + 16, ref->schema);
	put_u16(at + 20, ref->n_sweeps);
	put_u16(at + 22, ref->flags);
	put_u64(at + 24, segment->number);
	put_u64(at + 32, (uint64_t)ref->t0_ms);
	put_u32(at + 40, ref->span_ms);
	put_u32(at + 44, (uint32_t)segment->synced);
	put_u64(at + 48, ref->logged_from);
	put_u64(at + 56, ref->logged_to);
}

bool block_open(const uint8_t *at, size_t length, struct block_ref *ref, struct block_home *home)
{
	if (length < BLOCK_BYTES - ENVELOPE_BYTES)
		return false;
	*ref = (struct block_ref){
		.host = get_u32(at + 12),
		.schema = get_u32(at + 16),
		.n_sweeps = get_u16(at + 20),
		.flags = get_u16(at + 22),
		.t0_ms = (int64_t)get_u64(at + 32),
		.span_ms = get_u32(at + 40),
		.logged_from = get_u64(at + 48),
		.logged_to = get_u64(at + 56),
		.length = (uint32_t)(ENVELOPE_BYTES + length),
	};
	home->number = get_u64(at + 24);
	home->synced = get_u32(at + 44);
	return ref->t0_ms < INT64_MAX - UINT32_MAX;
}

static int by_place(const void *a, const void *b)
{
	const struct block_ref *x = a, *y = b;
	if (x->host != y->host)
		return x->host < y->host ? -1 : 1;
	if (x->schema != y->schema)
		return x->schema < y->schema ? -1 : 1;
	if (x->t0_ms != y->t0_ms)
		return x->t0_ms < y->t0_ms ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* ---- the index in memory ---- */

static void grow_index(struct ring_segment *segment, size_t count)
{
	if (count <= segment->capacity)
		return;
	segment->capacity = count + count / 2 + 16;
	segment->blocks = fw_realloc(segment->blocks, segment->capacity * sizeof *segment->blocks);
}

static void count_times(struct ring_segment *segment, const struct block_ref *ref)
{
	int64_t last_ms = ref->t0_ms + ref->span_ms;
	if (segment->n_blocks == 0 || ref->t0_ms < segment->min_ms)
		segment->min_ms = ref->t0_ms;
	if (segment->n_blocks == 0 || last_ms > segment->max_ms)
		segment->max_ms = last_ms;
}

/* First block of the segment that does not stand before `key`. */
static size_t index_find(const struct ring_segment *segment, const struct block_ref *key)
{
	size_t low = 0, high = segment->n_blocks;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_place(&segment->blocks[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void index_insert(struct ring_segment *segment, const struct block_ref *ref)
{
	grow_index(segment, segment->n_blocks + 1);
	count_times(segment, ref);
	size_t at = index_find(segment, ref);
	memmove(&segment->blocks[at + 1], &segment->blocks[at],
		(segment->n_blocks - at) * sizeof *segment->blocks);
	segment->blocks[at] = *ref;
	segment->n_blocks++;
}

/* ---- the index on disk ---- */

static size_t index_bytes(size_t n_blocks)
{
	return INDEX_HEAD + n_blocks * ENTRY_BYTES;
}

static void put_entry(uint8_t *at, const struct block_ref *ref)
{
	put_u32(at, ref->host);
	put_u32(at + 4, ref->schema);
	put_u64(at + 8, (uint64_t)ref->t0_ms);
	put_u32(at + 16, ref->span_ms);
	put_u32(at + 20, ref->offset);
	put_u32(at + 24, ref->length);
	put_u16(at + 28, ref->n_sweeps);
	put_u16(at + 30, ref->flags);
	put_u64(at + 32, ref->logged_from);
	put_u64(at + 40, ref->logged_to);
}

static void get_entry(const uint8_t *at, struct block_ref *ref)
{
	*ref = (struct block_ref){
		.host = get_u32(at),
		.schema = get_u32(at + 4),
		.t0_ms = (int64_t)get_u64(at + 8),
		.span_ms = get_u32(at + 16),
		.offset = get_u32(at + 20),
		.length = get_u32(at + 24),
		.n_sweeps = get_u16(at + 28),
		.flags = get_u16(at + 30),
		.logged_from = get_u64(at + 32),
		.logged_to = get_u64(at + 40),
	};
}

static int write_index(struct ring *ring, struct ring_segment *segment)
{
	size_t length = index_bytes(segment->n_blocks);
	fw_buf_reset(&ring->scratch);
	uint8_t *at = fw_buf_reserve(&ring->scratch, length);
	put_u64(at + 12, segment->number);
	put_u32(at + 20, (uint32_t)segment->n_blocks);
	for (size_t i = 0; i < segment->n_blocks; i++)
		put_entry(at + INDEX_HEAD + i * ENTRY_BYTES, &segment->blocks[i]);
	envelope_seal(at, MAGIC_INDEX, length - ENVELOPE_BYTES, ring->super->salt);
	return fw_pwrite(segment->fd, at, length, segment->used);
}

static bool entry_is_sound(const struct ring_segment *segment, const struct block_ref *ref)
{
	return ref->offset >= RING_HEADER_BYTES && ref->length >= BLOCK_BYTES &&
		(uint64_t)ref->offset + ref->length <= segment->used &&
		ref->t0_ms < INT64_MAX - UINT32_MAX;
}

/* 1: it is read. 0: there is none that is sound. */
static int read_index(struct ring *ring, struct ring_segment *segment, uint64_t offset)
{
	struct scan scan;
	scan_init(
		&scan, segment->fd, ring->super->raw_segment_bytes, MAGIC_INDEX, ring->super->salt);
	uint32_t length = 0;
	const uint8_t *at = offset % 8 == 0 ? scan_at(&scan, offset, &length) : NULL;
	uint32_t n = at && length >= 12 ? get_u32(at + 20) : 0;
	bool sound = at && length >= 12 && get_u64(at + 12) == segment->number &&
		length == index_bytes(n) - ENVELOPE_BYTES;
	segment->used = offset;
	if (sound)
		grow_index(segment, n);
	for (uint32_t i = 0; i < n && sound; i++) {
		struct block_ref ref;
		get_entry(at + INDEX_HEAD + (size_t)i * ENTRY_BYTES, &ref);
		sound = entry_is_sound(segment, &ref);
		count_times(segment, &ref);
		segment->blocks[segment->n_blocks++] = ref;
	}
	if (!sound)
		segment->n_blocks = 0;
	int rc = scan_done(&scan);
	return rc < 0 ? rc : sound;
}

/* ---- segments ---- */

/* `index` is the offset of the segment's index, 0 where it has none. */
static int write_header(struct ring *ring, const struct ring_segment *segment,
	enum segment_state state, uint64_t index)
{
	uint8_t header[RING_HEADER_BYTES] = {0};
	uint8_t *at = header + FILE_HEADER_BYTES;
	put_u64(at, segment->number);
	put_u32(at + 8, state);
	put_u32(at + 12, segment->late);
	put_u64(at + 16, index);
	file_header_seal(header, ring->super, FILE_RAW, HEADER_MORE);
	int rc = fw_pwrite(segment->fd, header, sizeof header, 0);
	return rc < 0 ? rc : fw_fdatasync(segment->fd);
}

int ring_scan(const struct ring *ring, struct ring_segment *segment,
	void (*on_block)(
		const struct block_ref *ref, const uint8_t *body, size_t length, void *arg),
	void *arg)
{
	struct scan scan;
	uint64_t offset = RING_HEADER_BYTES, sound = offset;
	struct block_home home;
	uint32_t length;
	const uint8_t *at;
	int damaged = 0;
	scan_init(
		&scan, segment->fd, ring->super->raw_segment_bytes, MAGIC_BLOCK, ring->super->salt);
	while ((at = scan_next(&scan, &offset, &length))) {
		struct block_ref ref;
		if (!block_open(at, length, &ref, &home) ||
			(segment->number && home.number != segment->number)) {
			offset += 8;
			continue;
		}
		segment->number = home.number;
		/* A hole that was never synced is the torn end of a life: its sweeps are
		 * still in the log. */
		if (offset != sound && home.synced > sound)
			damaged++;
		else if (offset != sound)
			segment->torn = true;
		ref.offset = (uint32_t)offset;
		if (!(ref.flags & BLOCK_VOID))
			on_block(&ref, at + BLOCK_BYTES, ref.length - BLOCK_BYTES, arg);
		offset = sound = offset + align8(ref.length);
	}
	segment->used = sound;
	int rc = scan_done(&scan);
	return rc < 0 ? rc : damaged;
}

static void on_scanned(const struct block_ref *ref, const uint8_t *body, size_t length, void *arg)
{
	struct ring_segment *segment = arg;
	(void)body;
	(void)length;
	grow_index(segment, segment->n_blocks + 1);
	count_times(segment, ref);
	segment->blocks[segment->n_blocks++] = *ref;
	segment->late = (ref->flags & BLOCK_LATE) != 0;
}

static int rebuild_index(struct ring *ring, struct ring_segment *segment)
{
	segment->n_blocks = 0;
	int damaged = ring_scan(ring, segment, on_scanned, segment);
	if (damaged < 0)
		return damaged;
	ring->damaged += (unsigned)damaged;
	if (segment->n_blocks)
		qsort(segment->blocks, segment->n_blocks, sizeof *segment->blocks, by_place);
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

/* A damaged header costs nothing: the blocks name the life they belong to. */
static int load_segment(struct ring *ring, struct ring_segment *segment)
{
	uint8_t header[RING_HEADER_BYTES];
	ssize_t got = fw_pread(segment->fd, header, sizeof header, 0);
	if (got < 0)
		return (int)got;
	segment->used = RING_HEADER_BYTES;
	if (got < (ssize_t)sizeof header || all_zero(header, sizeof header))
		return 0;
	const uint8_t *at = header + FILE_HEADER_BYTES;
	int rc = file_header_open(header, ring->super, FILE_RAW, HEADER_MORE);
	if (rc == -ENOTSUP)
		return rc;
	enum segment_state state = SEGMENT_OPEN;
	if (rc >= 0) {
		state = (enum segment_state)get_u32(at + 8);
		segment->number = get_u64(at);
		segment->late = get_u32(at + 12) != 0;
	} else {
		ring->damaged++;
	}
	if (segment->number >= ring->next_number)
		ring->next_number = segment->number + 1;
	if (state == SEGMENT_FREE) {
		segment->number = 0;
		return 0;
	}
	segment->sealed = state == SEGMENT_SEALED;
	uint64_t index = rc >= 0 ? get_u64(at + 16) : 0;
	rc = index < RING_HEADER_BYTES ? 0 : read_index(ring, segment, index);
	if (rc == 0) {
		ring->damaged += segment->sealed;
		rc = rebuild_index(ring, segment);
	}
	if (segment->number >= ring->next_number)
		ring->next_number = segment->number + 1;
	return rc < 0 ? rc : 0;
}

/* A block of no sweeps from the end of what is sound to the next block. */
static int write_void(
	struct ring *ring, const struct ring_segment *segment, uint64_t from, uint64_t to)
{
	uint8_t *at = fw_alloc((size_t)(to - from));
	const struct block_ref ref = {.flags = BLOCK_VOID};
	put_block(at, &ref, segment);
	envelope_seal(at, MAGIC_BLOCK, (size_t)(to - from) - ENVELOPE_BYTES, ring->super->salt);
	int rc = fw_pwrite(segment->fd, at, (size_t)(to - from), from);
	fw_free(at);
	return rc;
}

static int by_offset(const void *a, const void *b)
{
	const struct block_ref *x = a, *y = b;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Once there is no hole of the past, a later one is known for damage. */
static int fill_holes(struct ring *ring, struct ring_segment *segment)
{
	uint64_t sound = RING_HEADER_BYTES;
	int rc = 0;
	qsort(segment->blocks, segment->n_blocks, sizeof *segment->blocks, by_offset);
	for (size_t i = 0; i < segment->n_blocks && rc >= 0; i++) {
		const struct block_ref *ref = &segment->blocks[i];
		if (ref->offset >= sound + BLOCK_BYTES)
			rc = write_void(ring, segment, sound, ref->offset);
		sound = ref->offset + align8(ref->length);
	}
	if (segment->n_blocks)
		qsort(segment->blocks, segment->n_blocks, sizeof *segment->blocks, by_place);
	return rc < 0 ? rc : fw_fdatasync(segment->fd);
}

static int allocate(struct ring *ring, uint32_t i, const struct store_config *config)
{
	const uint64_t bytes = ring->super->raw_segment_bytes;
	int fd = ring->segments[i].fd;
	if (file_size(fd) >= bytes)
		return 0;
	int rc = fw_preallocate(fd, bytes);
	if (rc >= 0)
		rc = fw_fsync(fd);
	if (rc >= 0 && config->on_allocated)
		config->on_allocated((i + 1) * bytes, ring->n_segments * bytes, config->arg);
	return rc;
}

/* One of a kind was open. Where damaged heads make others look so, the newest life is
 * written on; the others are complete, and used again in their turn. */
static void take_for_open(struct ring *ring, uint32_t i)
{
	struct ring_segment *segment = &ring->segments[i];
	int32_t *open = &ring->open[segment->late];
	struct ring_segment *other = *open >= 0 ? &ring->segments[*open] : NULL;
	if (other && other->number > segment->number) {
		segment->sealed = true;
		return;
	}
	if (other)
		other->sealed = true;
	*open = (int32_t)i;
}

static int open_segment(
	struct ring *ring, uint32_t i, const char *path, const struct store_config *config)
{
	struct ring_segment *segment = &ring->segments[i];
	segment->fd = fw_open(path, config ? O_RDWR | O_CREAT : O_RDONLY, 0600);
	if (segment->fd < 0)
		return segment->fd;
	int rc = config ? allocate(ring, i, config) : 0;
	if (rc >= 0)
		rc = load_segment(ring, segment);
	if (rc < 0 || !segment->number || segment->sealed)
		return rc;
	take_for_open(ring, i);
	return segment->torn && config ? fill_holes(ring, segment) : 0;
}

int ring_open(struct ring *ring, const char *dir, const struct super *super,
	const struct store_config *config, struct fw_err *err)
{
	*ring = (struct ring){.super = super,
		.n_segments = super->raw_segments,
		.open = {-1, -1},
		.next_number = 1};
	pthread_rwlock_init(&ring->lock, NULL);
	ring->segments = fw_alloc_array(ring->n_segments, sizeof *ring->segments);
	for (uint32_t i = 0; i < ring->n_segments; i++)
		ring->segments[i].fd = -1;
	char *raw = fw_format("%s/raw", dir);
	int rc = config ? fw_mkdir_all(raw, 0700) : 0;
	for (uint32_t i = 0; i < ring->n_segments && rc >= 0; i++) {
		char *path = fw_format("%s/%04x", raw, i);
		rc = open_segment(ring, i, path, config);
		if (rc < 0)
			fw_fail_sys(err, rc, "cannot open the store's segment %s (%llu bytes)",
				path, (unsigned long long)super->raw_segment_bytes);
		fw_free(path);
	}
	if (rc >= 0 && config && (rc = fw_fsync_dir(raw)) < 0)
		fw_fail_sys(err, rc, "cannot sync %s", raw);
	fw_free(raw);
	return rc;
}

void ring_close(struct ring *ring)
{
	if (!ring->super)
		return;
	for (uint32_t i = 0; i < ring->n_segments; i++) {
		if (ring->segments[i].fd >= 0)
			fw_close(ring->segments[i].fd);
		fw_free(ring->segments[i].blocks);
	}
	fw_free(ring->segments);
	fw_buf_done(&ring->scratch);
	pthread_rwlock_destroy(&ring->lock);
}

/* ---- writing ---- */

size_t ring_body_limit(const struct ring *ring)
{
	uint64_t around = RING_HEADER_BYTES + BLOCK_BYTES + 16 + index_bytes(1);
	return (size_t)(ring->super->raw_segment_bytes - around);
}

static int seal(struct ring *ring, struct ring_segment *segment)
{
	int rc = write_index(ring, segment);
	if (rc >= 0)
		rc = fw_fdatasync(segment->fd);
	if (rc >= 0)
		rc = write_header(ring, segment, SEGMENT_SEALED, segment->used);
	if (rc < 0)
		return rc;
	segment->sealed = true;
	ring->open[segment->late] = -1;
	return 0;
}

/* A free segment, or else the sealed one that ends earliest. */
static uint32_t choose_segment(const struct ring *ring)
{
	uint32_t best = UINT32_MAX;
	for (uint32_t i = 0; i < ring->n_segments; i++) {
		const struct ring_segment *segment = &ring->segments[i];
		if (segment->number == 0)
			return i;
		if (segment->sealed &&
			(best == UINT32_MAX || segment->max_ms < ring->segments[best].max_ms))
			best = i;
	}
	return best;
}

static int open_next(struct ring *ring, bool late)
{
	uint32_t i = choose_segment(ring);
	struct ring_segment *segment = &ring->segments[i];
	if (segment->number) {
		int rc = write_header(ring, segment, SEGMENT_FREE, 0);
		if (rc < 0)
			return rc;
	}
	pthread_rwlock_wrlock(&ring->lock);
	segment->number = ring->next_number++;
	segment->sealed = false;
	segment->late = late;
	segment->n_blocks = 0;
	segment->used = segment->synced = RING_HEADER_BYTES;
	pthread_rwlock_unlock(&ring->lock);
	ring->open[late] = (int32_t)i;
	return write_header(ring, segment, SEGMENT_OPEN, 0);
}

/* An open segment with room for the block and for the index behind it. */
static int make_room(struct ring *ring, bool late, size_t block_bytes)
{
	int rc = 0;
	if (ring->open[late] >= 0) {
		struct ring_segment *segment = &ring->segments[ring->open[late]];
		uint64_t end =
			segment->used + align8(block_bytes) + index_bytes(segment->n_blocks + 1);
		if (end <= ring->super->raw_segment_bytes)
			return 0;
		rc = seal(ring, segment);
	}
	return rc < 0 ? rc : open_next(ring, late);
}

int ring_write(struct ring *ring, struct block_ref *ref, const void *body, size_t length)
{
	bool late = (ref->flags & BLOCK_LATE) != 0;
	int rc = make_room(ring, late, BLOCK_BYTES + length);
	if (rc < 0)
		return rc;
	struct ring_segment *segment = &ring->segments[ring->open[late]];
	size_t whole = BLOCK_BYTES + length, padded = (size_t)align8(whole);
	fw_buf_reset(&ring->scratch);
	uint8_t *at = fw_buf_reserve(&ring->scratch, padded);
	put_block(at, ref, segment);
	memcpy(at + BLOCK_BYTES, body, length);
	memset(at + whole, 0, padded - whole);
	envelope_seal(at, MAGIC_BLOCK, whole - ENVELOPE_BYTES, ring->super->salt);
	rc = fw_pwrite(segment->fd, at, padded, segment->used);
	if (rc < 0)
		return rc;
	ref->offset = (uint32_t)segment->used;
	ref->length = (uint32_t)whole;
	pthread_rwlock_wrlock(&ring->lock);
	index_insert(segment, ref);
	segment->used += padded;
	pthread_rwlock_unlock(&ring->lock);
	ring->dirty_bytes += padded;
	return 0;
}

int ring_sync(struct ring *ring)
{
	for (int late = 0; late < 2 && ring->dirty_bytes; late++) {
		if (ring->open[late] < 0)
			continue;
		struct ring_segment *segment = &ring->segments[ring->open[late]];
		int rc = fw_fdatasync(segment->fd);
		if (rc < 0)
			return rc;
		segment->synced = segment->used;
	}
	ring->dirty_bytes = 0;
	return 0;
}

int ring_finish(struct ring *ring)
{
	for (int late = 0; late < 2; late++) {
		if (ring->open[late] < 0)
			continue;
		struct ring_segment *segment = &ring->segments[ring->open[late]];
		int rc = write_index(ring, segment);
		if (rc >= 0)
			rc = fw_fdatasync(segment->fd);
		if (rc >= 0)
			rc = write_header(ring, segment, SEGMENT_OPEN, segment->used);
		if (rc < 0)
			return rc;
		segment->synced = segment->used;
	}
	ring->dirty_bytes = 0;
	return 0;
}

/* ---- reading ---- */

size_t ring_find(struct ring *ring, uint32_t host, uint32_t schema, int64_t from_ms, int64_t to_ms,
	struct ring_place *places, size_t most)
{
	size_t n = 0;
	const struct block_ref key = {.host = host, .schema = schema, .t0_ms = INT64_MIN};
	pthread_rwlock_rdlock(&ring->lock);
	for (uint32_t s = 0; s < ring->n_segments; s++) {
		const struct ring_segment *segment = &ring->segments[s];
		if (!segment->number || segment->n_blocks == 0 || segment->min_ms > to_ms ||
			segment->max_ms < from_ms)
			continue;
		for (size_t i = index_find(segment, &key); i < segment->n_blocks; i++) {
			const struct block_ref *ref = &segment->blocks[i];
			if (ref->host != host || ref->schema != schema || ref->t0_ms > to_ms)
				break;
			if (ref->t0_ms + ref->span_ms < from_ms)
				continue;
			if (n < most)
				places[n] = (struct ring_place){*ref, s, segment->number};
			n++;
		}
	}
	pthread_rwlock_unlock(&ring->lock);
	return n;
}

static bool is_current(struct ring *ring, const struct ring_place *place)
{
	pthread_rwlock_rdlock(&ring->lock);
	bool current = ring->segments[place->segment].number == place->number;
	pthread_rwlock_unlock(&ring->lock);
	return current;
}

int ring_read(struct ring *ring, const struct ring_place *place, struct fw_buf *buf,
	const uint8_t **body, size_t *length)
{
	fw_buf_reset(buf);
	uint8_t *at = fw_buf_reserve(buf, place->ref.length);
	if (!at)
		return -ENOMEM;
	ssize_t got = fw_pread(
		ring->segments[place->segment].fd, at, place->ref.length, place->ref.offset);
	int64_t inside =
		got < 0 ? -1 : envelope_open(at, (size_t)got, MAGIC_BLOCK, ring->super->salt);
	struct block_ref ref;
	struct block_home home;
	bool sound = inside >= 0 && block_open(at, (size_t)inside, &ref, &home) &&
		home.number == place->number && ref.host == place->ref.host &&
		ref.schema == place->ref.schema;
	if (!sound)
		return is_current(ring, place) ? -EBADMSG : -ESTALE;
	*body = at + BLOCK_BYTES;
	*length = (size_t)inside - (BLOCK_BYTES - ENVELOPE_BYTES);
	return 0;
}
