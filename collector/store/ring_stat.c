/* SPDX-License-Identifier: Apache-2.0 */
#include "ring.h"

/* How much of a segment's bytes of a day is of the time from `from_ms` on, if they lie evenly. */
static uint64_t day_bytes_since(
	const struct ring_segment *segment, int64_t day, uint64_t bytes, int64_t from_ms)
{
	int64_t begin_ms = day * RING_DAY_MS, end_ms = begin_ms + RING_DAY_MS - 1;
	begin_ms = begin_ms > segment->min_ms ? begin_ms : segment->min_ms;
	end_ms = end_ms < segment->max_ms ? end_ms : segment->max_ms;
	if (begin_ms >= from_ms)
		return bytes;
	if (end_ms < from_ms)
		return 0;
	return (uint64_t)((double)bytes * (double)(end_ms - from_ms + 1) /
		(double)(end_ms - begin_ms + 1));
}

/* The time is no more than a day before the newest of all. */
static uint64_t bytes_since(const struct ring_segment *segment, int64_t from_ms)
{
	if (segment->min_ms >= from_ms)
		return segment->used;
	uint64_t bytes = 0;
	for (int i = 0; i < 2; i++)
		bytes += day_bytes_since(segment, segment->day - i, segment->day_bytes[i], from_ms);
	return bytes;
}

static void stat_day(const struct ring *ring, struct store_tier_stat *out)
{
	int64_t held_ms = out->newest_ms - out->oldest_ms;
	out->day_ms = held_ms < RING_DAY_MS ? held_ms : RING_DAY_MS;
	for (uint32_t i = 0; i < ring->n_segments; i++) {
		const struct ring_segment *segment = &ring->segments[i];
		if (segment->number && segment->index.n > 0)
			out->day_bytes += bytes_since(segment, out->newest_ms - out->day_ms);
	}
}

void ring_stat(struct ring *ring, struct store_tier_stat *out)
{
	*out = (struct store_tier_stat){.bytes = ring->n_segments * ring->segment_bytes};
	pthread_rwlock_rdlock(&ring->all->lock);
	out->undigested = ring->undigested;
	for (uint32_t i = 0; i < ring->n_segments; i++) {
		const struct ring_segment *segment = &ring->segments[i];
		if (!segment->number || segment->index.n == 0)
			continue;
		if (out->blocks == 0 || segment->min_ms < out->oldest_ms)
			out->oldest_ms = segment->min_ms;
		if (out->blocks == 0 || segment->max_ms > out->newest_ms)
			out->newest_ms = segment->max_ms;
		out->used_bytes += segment->used;
		out->blocks += segment->index.n;
	}
	stat_day(ring, out);
	pthread_rwlock_unlock(&ring->all->lock);
}
