/* SPDX-License-Identifier: Apache-2.0 */
/* On disk, inside the envelope: life u64 | entries u32 | 0 u32 | chunks; a chunk is up
 * to 64 entries of 56 bytes, its checksum u32 and 0 u32. */
#include "index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/crc.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "super.h"

enum {
	ENTRY_BYTES = 56,
	ENTRY_BYTES_2 = 48,
	HEAD_BYTES = ENVELOPE_BYTES + 16,
	HEAD_BYTES_2 = ENVELOPE_BYTES + 12,
	NEWEST = 256, /* entries that may lie unsorted */
	CHUNK = 64,   /* entries */
	CHUNK_BYTES = CHUNK * ENTRY_BYTES + 8,
	FILTER_PER_TABLE = 12, /* bits */
	PROBES = 4,
};

/* ---- in memory ---- */

void index_done(struct index *index)
{
	fw_free(index->refs);
	index_drop(index->disk);
	*index = (struct index){0};
}

static void grow(struct index *index, size_t count)
{
	if (count <= index->capacity)
		return;
	index->capacity = count + count / 2 + 16;
	index->refs = fw_realloc(index->refs, index->capacity * sizeof *index->refs);
}

void index_append(struct index *index, const struct block_ref *ref)
{
	grow(index, index->n + 1);
	index->refs[index->n++] = *ref;
	index->stored = false;
}

void index_sort(struct index *index)
{
	if (index->n)
		qsort(index->refs, index->n, sizeof *index->refs, block_compare);
	index->n_sorted = index->n;
}

bool index_is_full(const struct index *index)
{
	return index->n == index->capacity || index->n - index->n_sorted >= NEWEST;
}

struct index index_merged(const struct index *index)
{
	struct index out = {.n = index->n, .n_sorted = index->n, .capacity = index->n + NEWEST};
	const struct block_ref *old = index->refs, *old_end = old + index->n_sorted;
	size_t n_new = index->n - index->n_sorted;
	struct block_ref *copy = fw_alloc_array(n_new + 1, sizeof *copy);
	if (n_new > 0) {
		memcpy(copy, old_end, n_new * sizeof *copy);
		qsort(copy, n_new, sizeof *copy, block_compare);
	}
	out.refs = fw_alloc_array(out.capacity, sizeof *out.refs);
	for (size_t i = 0, k = 0; i < out.n; i++) {
		bool take_old = k == n_new || (old < old_end && block_compare(old, &copy[k]) <= 0);
		out.refs[i] = take_old ? *old++ : copy[k++];
	}
	fw_free(copy);
	return out;
}

static int compare_key(const struct block_ref *ref, uint32_t host, uint32_t schema, int64_t t0_ms)
{
	if (ref->host != host)
		return ref->host < host ? -1 : 1;
	if (ref->schema != schema)
		return ref->schema < schema ? -1 : 1;
	return ref->t0_ms < t0_ms ? -1 : ref->t0_ms > t0_ms;
}

size_t index_find(const struct index *index, uint32_t host, uint32_t schema, int64_t t0_ms)
{
	size_t low = 0, high = index->n_sorted;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_key(&index->refs[middle], host, schema, t0_ms) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- bytes ---- */

static size_t chunks_of(size_t n)
{
	return (n + CHUNK - 1) / CHUNK;
}

size_t index_bytes(size_t n)
{
	return HEAD_BYTES + n * ENTRY_BYTES + chunks_of(n) * 8;
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
	put_u64(at + 48, ref->source);
}

static void get_entry(const uint8_t *at, size_t entry_bytes, struct block_ref *ref)
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
		.source = entry_bytes == ENTRY_BYTES ? get_u64(at + 48) : 0,
	};
}

void index_put(const struct index *index, uint64_t number, uint32_t salt, struct fw_buf *out)
{
	size_t length = index_bytes(index->n);
	fw_buf_reset(out);
	uint8_t *start = fw_buf_reserve(out, length), *at = start + HEAD_BYTES;
	put_u64(start + 12, number);
	put_u32(start + 20, (uint32_t)index->n);
	put_u32(start + 24, 0);
	for (size_t first = 0; first < index->n; first += CHUNK) {
		uint8_t *chunk = at;
		for (size_t i = first; i < index->n && i < first + CHUNK; i++, at += ENTRY_BYTES)
			put_entry(at, &index->refs[i]);
		put_u32(at, fw_crc32c(salt, chunk, (size_t)(at - chunk)));
		put_u32(at + 4, 0);
		at += 8;
	}
	out->length = length;
	envelope_seal(start, MAGIC_INDEX, length - ENVELOPE_BYTES, salt);
}

static bool take(struct index *index, const struct block_ref *ref, uint64_t from, uint64_t to)
{
	if (ref->offset < from || ref->length < BLOCK_BYTES ||
		(uint64_t)ref->offset + ref->length > to || ref->t0_ms >= INT64_MAX - UINT32_MAX ||
		(index->n && block_compare(&index->refs[index->n - 1], ref) >= 0))
		return false;
	index_append(index, ref);
	return true;
}

/* Of `n` entries, of which every CHUNK are followed by `between` bytes. */
static bool take_all(struct index *index, const uint8_t *at, size_t n, size_t entry_bytes,
	size_t between, uint64_t from, uint64_t to)
{
	grow(index, n);
	for (size_t i = 0; i < n; i++, at += entry_bytes) {
		struct block_ref ref;
		if (i && i % CHUNK == 0)
			at += between;
		get_entry(at, entry_bytes, &ref);
		if (!take(index, &ref, from, to)) {
			index->n = 0;
			return false;
		}
	}
	index->n_sorted = n;
	return true;
}

bool index_get(struct index *index, const uint8_t *at, uint32_t length, uint64_t number,
	uint64_t from, uint64_t to)
{
	uint32_t n = length >= HEAD_BYTES - ENVELOPE_BYTES ? get_u32(at + 20) : 0;
	if (length < HEAD_BYTES - ENVELOPE_BYTES || get_u64(at + 12) != number ||
		length != index_bytes(n) - ENVELOPE_BYTES)
		return false;
	index->stored = take_all(index, at + HEAD_BYTES, n, ENTRY_BYTES, 8, from, to);
	return index->stored;
}

bool index_get_2(struct index *index, const uint8_t *at, uint32_t length, uint64_t number,
	uint64_t from, uint64_t to)
{
	uint32_t n = length >= HEAD_BYTES_2 - ENVELOPE_BYTES ? get_u32(at + 20) : 0;
	if (length < HEAD_BYTES_2 - ENVELOPE_BYTES || get_u64(at + 12) != number ||
		length != HEAD_BYTES_2 - ENVELOPE_BYTES + (uint64_t)n * ENTRY_BYTES_2)
		return false;
	return take_all(index, at + HEAD_BYTES_2, n, ENTRY_BYTES_2, 0, from, to);
}

/* ---- on disk ---- */

static uint64_t hash_table(uint32_t host, uint32_t schema)
{
	uint64_t h = ((uint64_t)host << 32 | schema) * 0x9e3779b97f4a7c15u;
	return (h ^ h >> 29) * 0xbf58476d1ce4e5b9u;
}

bool index_may_have(const struct index_disk *disk, uint32_t host, uint32_t schema)
{
	uint64_t hash = hash_table(host, schema), step = hash >> 32 | 1;
	for (int i = 0; i < PROBES; i++, hash += step) {
		uint64_t bit = hash & (disk->filter_bits - 1);
		if (!(disk->filter[bit / 64] >> bit % 64 & 1))
			return false;
	}
	return true;
}

static void add_to_filter(struct index_disk *disk, uint32_t host, uint32_t schema)
{
	uint64_t hash = hash_table(host, schema), step = hash >> 32 | 1;
	for (int i = 0; i < PROBES; i++, hash += step) {
		uint64_t bit = hash & (disk->filter_bits - 1);
		disk->filter[bit / 64] |= (uint64_t)1 << bit % 64;
	}
}

static bool begins_table(const struct index *index, size_t i)
{
	return i == 0 || !block_same_table(&index->refs[i], &index->refs[i - 1]);
}

size_t index_tables(const struct index *index)
{
	size_t tables = 0;
	for (size_t i = 0; i < index->n; i++)
		tables += begins_table(index, i);
	return tables;
}

static void fill_filter(struct index_disk *disk, const struct index *index)
{
	size_t tables = index_tables(index);
	disk->filter_bits = 64;
	while (disk->filter_bits < tables * FILTER_PER_TABLE)
		disk->filter_bits *= 2;
	disk->filter = fw_alloc_array(disk->filter_bits / 64, sizeof *disk->filter);
	for (size_t i = 0; i < index->n; i++)
		if (begins_table(index, i))
			add_to_filter(disk, index->refs[i].host, index->refs[i].schema);
}

void index_to_disk(struct index *index, int fd, uint64_t offset)
{
	size_t n_chunks = chunks_of(index->n);
	struct index_disk *disk = fw_alloc(sizeof *disk + n_chunks * sizeof *disk->keys);
	disk->holders = 1;
	disk->fd = fd;
	disk->offset = offset + HEAD_BYTES;
	disk->n = index->n;
	disk->n_chunks = n_chunks;
	for (size_t c = 0; c < n_chunks; c++) {
		const struct block_ref *first = &index->refs[c * CHUNK];
		disk->keys[c] = (struct index_key){first->host, first->schema, first->t0_ms};
	}
	fill_filter(disk, index);
	fw_free(index->refs);
	*index = (struct index){.n = disk->n, .n_sorted = disk->n, .stored = true, .disk = disk};
}

struct index_disk *index_hold(struct index_disk *disk)
{
	atomic_fetch_add(&disk->holders, 1);
	return disk;
}

void index_drop(struct index_disk *disk)
{
	if (!disk || atomic_fetch_sub(&disk->holders, 1) > 1)
		return;
	fw_free(disk->filter);
	fw_free(disk);
}

static bool key_is_before(const struct index_key *a, const struct index_key *b)
{
	if (a->host != b->host)
		return a->host < b->host;
	return a->schema != b->schema ? a->schema < b->schema : a->t0_ms < b->t0_ms;
}

/* The last chunk whose first entry stands before the key: what is sought begins there. */
static size_t find_chunk(const struct index_disk *disk, const struct index_key *key)
{
	size_t low = 0, high = disk->n_chunks;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (key_is_before(&disk->keys[middle], key))
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? low - 1 : 0;
}

static int read_chunk(
	const struct index_disk *disk, size_t c, uint32_t salt, uint8_t *chunk, size_t *n)
{
	*n = c + 1 < disk->n_chunks ? CHUNK : disk->n - c * CHUNK;
	size_t length = *n * ENTRY_BYTES;
	ssize_t got = fw_pread(disk->fd, chunk, length + 8, disk->offset + c * CHUNK_BYTES);
	if (got < 0)
		return (int)got;
	bool sound = (size_t)got == length + 8 &&
		get_u32(chunk + length) == fw_crc32c(salt, chunk, length);
	return sound ? 0 : -EBADMSG;
}

int index_walk(const struct index_disk *disk, uint32_t salt, const struct index_key *from,
	bool (*each)(const struct block_ref *ref, void *arg), void *arg)
{
	uint8_t chunk[CHUNK_BYTES];
	for (size_t c = find_chunk(disk, from), n; c < disk->n_chunks; c++) {
		int rc = read_chunk(disk, c, salt, chunk, &n);
		if (rc < 0)
			return rc;
		for (size_t i = 0; i < n; i++) {
			struct block_ref ref;
			get_entry(chunk + i * ENTRY_BYTES, ENTRY_BYTES, &ref);
			if (compare_key(&ref, from->host, from->schema, from->t0_ms) >= 0 &&
				!each(&ref, arg))
				return 0;
		}
	}
	return 0;
}
