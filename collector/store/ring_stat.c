/* SPDX-License-Identifier: Apache-2.0 */
#include "ring.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

/* How much of a segment is of the time from `from_ms` on, if it lies evenly. */
static uint64_t bytes_since(const struct ring_segment *segment, int64_t from_ms)
{
	if (segment->min_ms >= from_ms)
		return segment->used;
	if (segment->max_ms < from_ms)
		return 0;
	double part = (double)(segment->max_ms - from_ms + 1);
	return (uint64_t)((double)segment->used * part /
		(double)(segment->max_ms - segment->min_ms + 1));
}

static void stat_day(const struct ring *ring, struct store_tier_stat *out)
{
	int64_t held_ms = out->newest_ms - out->oldest_ms;
	out->day_ms = held_ms < DAY_MS ? held_ms : DAY_MS;
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
