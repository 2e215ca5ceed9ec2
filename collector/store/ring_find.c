/* SPDX-License-Identifier: Apache-2.0 */
/* Where blocks lie, and what is in them: for any thread. */
#include <errno.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "columns.h"
#include "ring.h"

void ring_keep_place(struct ring_places *out, const struct ring_place *place)
{
	if (out->n == out->capacity) {
		out->capacity = 2 * out->capacity + 32;
		out->at = fw_realloc(out->at, out->capacity * sizeof *out->at);
	}
	out->at[out->n++] = *place;
}

/* A place in the segment, but for its block. */
static struct ring_place place_in(const struct ring *ring, const struct ring_segment *segment)
{
	return (struct ring_place){
		.tier = ring->tier,
		.segment = (uint32_t)(segment - ring->segments),
		.number = segment->number,
		.digested = segment_is_digested(ring, segment),
	};
}

void ring_add_place(struct ring_places *out, const struct ring *ring,
	const struct ring_segment *segment, const struct block_ref *ref)
{
	struct ring_place place = place_in(ring, segment);
	place.ref = *ref;
	ring_keep_place(out, &place);
}

static bool segment_may_have(
	const struct ring_segment *segment, const struct ring_question *question)
{
	const struct index *index = &segment->index;
	if (question->late && segment->kind != SEGMENT_LATE)
		return false;
	if (!segment->number || index->n == 0 || segment->min_ms > question->to_ms ||
		segment->max_ms < question->from_ms)
		return false;
	return !index->disk || index_may_have(index->disk, question->host, question->schema);
}

static bool is_of(const struct block_ref *ref, const struct ring_question *question)
{
	return ref->host == question->host && ref->schema == question->schema &&
		ref->t0_ms <= question->to_ms;
}

static bool reaches(
	const struct ring *ring, const struct block_ref *ref, const struct ring_question *question)
{
	return block_end_ms(ref) >= question->from_ms && ring_shows(ring, ref);
}

static void find_in_memory(const struct ring *ring, const struct ring_segment *segment,
	const struct ring_question *question, struct ring_places *out)
{
	const struct index *index = &segment->index;
	struct ring_place place = place_in(ring, segment);
	size_t i = index_find(index, question->host, question->schema, INT64_MIN);
	while (i < index->n) {
		place.ref = index->refs[i];
		bool wanted = is_of(&place.ref, question);
		if (wanted && reaches(ring, &place.ref, question))
			ring_keep_place(out, &place);
		i = wanted || i >= index->n_sorted ? i + 1 : index->n_sorted;
	}
}

/* An index on disk, to be read when the lock is gone. */
struct unread {
	struct index_disk *disk;
	struct ring_place place;
};

static struct unread *find_unread(
	struct ring *ring, const struct ring_question *question, struct ring_places *out, size_t *n)
{
	struct unread *unread = fw_alloc_array(ring->n_segments + 1, sizeof *unread);
	pthread_rwlock_rdlock(&ring->all->lock);
	for (uint32_t i = 0; i < ring->n_segments; i++) {
		const struct ring_segment *segment = &ring->segments[i];
		if (!segment_may_have(segment, question))
			continue;
		if (segment->index.disk)
			unread[(*n)++] = (struct unread){
				index_hold(segment->index.disk), place_in(ring, segment)};
		else
			find_in_memory(ring, segment, question, out);
	}
	pthread_rwlock_unlock(&ring->all->lock);
	return unread;
}

static bool is_current(struct ring *ring, const struct ring_place *place)
{
	pthread_rwlock_rdlock(&ring->all->lock);
	bool current = ring->segments[place->segment].number == place->number;
	pthread_rwlock_unlock(&ring->all->lock);
	return current;
}

struct finding {
	const struct ring_question *question;
	struct ring_places *out;
	struct ring_place place;
};

static bool take_found(const struct block_ref *ref, void *arg)
{
	struct finding *finding = arg;
	finding->place.ref = *ref;
	if (!is_of(ref, finding->question))
		return false;
	if (block_end_ms(ref) >= finding->question->from_ms)
		ring_keep_place(finding->out, &finding->place);
	return true;
}

int ring_find(struct ring *ring, const struct ring_question *question, struct ring_places *out)
{
	size_t n = 0;
	struct unread *unread = find_unread(ring, question, out, &n);
	const struct index_key from = {question->host, question->schema, INT64_MIN};
	int rc = 0;
	for (size_t i = 0; i < n; i++) {
		struct finding finding = {question, out, unread[i].place};
		int one = index_walk(
			unread[i].disk, ring->all->super->salt, &from, take_found, &finding);
		if (one < 0 && !is_current(ring, &unread[i].place))
			one = -ESTALE;
		if (one == -EBADMSG)
			out->unsound = unread[i].place;
		if (one < 0 && rc != -ESTALE)
			rc = one;
		index_drop(unread[i].disk);
	}
	fw_free(unread);
	return rc;
}

int64_t ring_forgotten_ms(const struct ring *ring)
{
	pthread_rwlock_rdlock(&ring->all->lock);
	int64_t forgotten_ms = ring->all->super->tiers[ring->tier].forgotten_ms;
	pthread_rwlock_unlock(&ring->all->lock);
	return forgotten_ms;
}

/* From the last block that begins early enough backwards, as that one nearly always reaches;
 * then those that lie unsorted. */
static bool has_in_memory(const struct ring *ring, const struct ring_segment *segment,
	const struct ring_question *question)
{
	const struct index *index = &segment->index;
	const int64_t behind_ms = question->to_ms < INT64_MAX ? question->to_ms + 1 : INT64_MAX;
	size_t i = index_find(index, question->host, question->schema, behind_ms);
	for (; i > 0 && is_of(&index->refs[i - 1], question); i--)
		if (reaches(ring, &index->refs[i - 1], question))
			return true;
	for (i = index->n_sorted; i < index->n; i++)
		if (is_of(&index->refs[i], question) && reaches(ring, &index->refs[i], question))
			return true;
	return false;
}

bool ring_may_have(struct ring *ring, const struct ring_question *question)
{
	bool found = false;
	pthread_rwlock_rdlock(&ring->all->lock);
	for (uint32_t i = 0; i < ring->n_segments && !found; i++) {
		const struct ring_segment *segment = &ring->segments[i];
		found = segment_may_have(segment, question) &&
			(segment->index.disk || has_in_memory(ring, segment, question));
	}
	pthread_rwlock_unlock(&ring->all->lock);
	return found;
}

int ring_unsound(struct ring *ring, const struct ring_place *place)
{
	return is_current(ring, place) ? -EBADMSG : -ESTALE;
}

/* Up to `length` bytes of a block from `from` on; how many came. */
static ssize_t read_bytes(struct ring *ring, const struct ring_place *place, size_t from,
	size_t length, struct fw_buf *buf)
{
	fw_buf_reset(buf);
	uint8_t *at = fw_buf_reserve(buf, length);
	if (!at)
		return -ENOMEM;
	return fw_pread(ring->segments[place->segment].fd, at, length, place->ref.offset + from);
}

/* Whether a head, `length` bytes behind the envelope's, is of this block. */
static bool is_head_of(const uint8_t *at, size_t length, const struct ring_place *place)
{
	struct block_ref ref;
	struct block_home home;
	return block_open(at, length, &ref, &home) && home.number == place->number &&
		ref.host == place->ref.host && ref.schema == place->ref.schema &&
		ref.flags == place->ref.flags;
}

int ring_read(struct ring *ring, const struct ring_place *place, struct fw_buf *buf,
	const uint8_t **body, size_t *length)
{
	ssize_t got = read_bytes(ring, place, 0, place->ref.length, buf);
	if (got < 0)
		return (int)got;
	size_t head = block_head_bytes(&place->ref);
	const uint8_t *at = buf->data;
	int64_t inside = envelope_open(at, (size_t)got, MAGIC_BLOCK, ring->all->super->salt);
	if (inside < 0 || !is_head_of(at, (size_t)inside, place))
		return ring_unsound(ring, place);
	*body = at + head;
	*length = (size_t)inside + ENVELOPE_BYTES - head;
	return 0;
}

/* Reads a block up to the end of its front, in a second look where it is longer than the
 * first. Returns where that is, 0 where there is none. */
static ssize_t look_at_front(
	struct ring *ring, const struct ring_place *place, size_t likely, struct fw_buf *buf)
{
	size_t head = block_head_bytes(&place->ref), end = head + likely;
	for (int look = 0; look < 2; look++) {
		end = end < place->ref.length ? end : place->ref.length;
		ssize_t got = read_bytes(ring, place, 0, end, buf);
		if (got < (ssize_t)head)
			return got < 0 ? got : 0;
		size_t front = columns_front_bytes(buf->data + head, (size_t)got - head);
		end = head + front;
		if (front == 0 || end > place->ref.length)
			return 0;
		if (end <= (size_t)got)
			return (ssize_t)end;
	}
	return 0;
}

int ring_read_front(struct ring *ring, const struct ring_place *place, size_t likely,
	struct fw_buf *buf, const uint8_t **front, size_t *length)
{
	size_t head = block_head_bytes(&place->ref);
	ssize_t end = look_at_front(ring, place, likely, buf);
	if (end < 0)
		return (int)end;
	if (end == 0 || !is_head_of(buf->data, head - ENVELOPE_BYTES, place) ||
		!block_front_is_sound(buf->data, (size_t)end, ring->all->super->salt))
		return ring_unsound(ring, place);
	*front = buf->data + head;
	*length = (size_t)end - head;
	return 0;
}

int ring_read_span(struct ring *ring, const struct ring_place *place, size_t from, size_t length,
	struct fw_buf *buf, const uint8_t **bytes)
{
	size_t body = place->ref.length - block_head_bytes(&place->ref);
	if (from > body || length > body - from)
		return ring_unsound(ring, place);
	ssize_t got = read_bytes(ring, place, block_head_bytes(&place->ref) + from, length, buf);
	if (got < 0)
		return (int)got;
	*bytes = buf->data;
	return (size_t)got == length ? 0 : ring_unsound(ring, place);
}

/* ---- walking ---- */

struct walking {
	void (*each)(const struct ring_place *place, void *arg);
	void *arg;
	struct ring_place place;
};

static bool walk_one(const struct block_ref *ref, void *arg)
{
	struct walking *walking = arg;
	walking->place.ref = *ref;
	walking->each(&walking->place, walking->arg);
	return true;
}

static int walk_segment(
	const struct ring *ring, const struct ring_segment *segment, struct walking *walking)
{
	const struct index *index = &segment->index;
	walking->place = place_in(ring, segment);
	for (size_t i = 0; index->refs && i < index->n; i++)
		if (ring_shows(ring, &index->refs[i]))
			walk_one(&index->refs[i], walking);
	const struct index_key from = {0, 0, INT64_MIN};
	return index->disk
		? index_walk(index->disk, ring->all->super->salt, &from, walk_one, walking)
		: 0;
}

int ring_walk(struct ring *ring, void (*each)(const struct ring_place *place, void *arg), void *arg)
{
	struct walking walking = {.each = each, .arg = arg};
	int rc = 0;
	for (uint32_t i = 0; i < ring->n_segments; i++) {
		const struct ring_segment *segment = &ring->segments[i];
		int one = segment->number ? walk_segment(ring, segment, &walking) : 0;
		if (one < 0 && (rc == 0 || rc == -EBADMSG))
			rc = one;
	}
	return rc;
}
