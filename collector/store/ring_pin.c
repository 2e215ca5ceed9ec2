/* SPDX-License-Identifier: Apache-2.0 */
/* Segments as they are at one moment, kept from being written over until they are copied. */
#include <stdlib.h>

#include <fenwatch/mem.h>

#include "ring.h"

enum { WHOLE_TURN = 1 << 16 };

static void pin_segment(struct ring *ring, uint32_t i, struct ring_pin *pin)
{
	struct ring_segment *segment = &ring->segments[i];
	*pin = (struct ring_pin){.tier = ring->tier, .segment = i, .turn = WHOLE_TURN};
	if (!segment->number)
		return;
	bool has_index = segment->sealed && (segment->index.stored || segment->index.disk);
	uint64_t behind = has_index ? index_bytes(segment->index.n) : 0;
	pin->bytes = segment->used + behind;
	if (pin->bytes > ring->segment_bytes)
		pin->bytes = ring->segment_bytes;
	pin->digested = segment_is_digested(ring, segment);
	pin->number = segment->number;
	pin->rank = !pin->digested ? 0 : segment->sealed ? segment->end_ms : INT64_MAX;
	segment_head(ring, segment, segment->sealed ? STATE_SEALED : STATE_OPEN,
		has_index ? segment->used : 0, pin->head);
	atomic_store(&segment->pinned, true);
}

/* As the ring goes: what was digested, then what is oldest. */
static int by_rank(const void *a, const void *b)
{
	const struct ring_pin *x = a, *y = b;
	if (!x->bytes || !y->bytes)
		return !x->bytes - !y->bytes;
	if (x->digested != y->digested)
		return y->digested - x->digested;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int by_turn(const void *a, const void *b)
{
	const struct ring_pin *x = a, *y = b;
	return x->turn < y->turn ? -1 : x->turn > y->turn;
}

/* The rings turn at their own speeds, and each is copied at its own. */
static void pin_ring(struct ring *ring, struct ring_pin *pins)
{
	for (uint32_t i = 0; i < ring->n_segments; i++)
		pin_segment(ring, i, &pins[i]);
	qsort(pins, ring->n_segments, sizeof *pins, by_rank);
	for (uint32_t i = 0; i < ring->n_segments && pins[i].bytes > 0; i++)
		pins[i].turn = (uint32_t)((uint64_t)i * WHOLE_TURN / ring->n_segments);
}

void rings_pin(struct rings *rings, struct ring_pin **pins, size_t *n)
{
	*n = 0;
	for (int tier = 0; tier < STORE_TIERS; tier++)
		*n += rings->tiers[tier].n_segments;
	struct ring_pin *at = *pins = fw_alloc_array(*n + 1, sizeof **pins);
	for (int tier = 0; tier < STORE_TIERS; tier++) {
		pin_ring(&rings->tiers[tier], at);
		at += rings->tiers[tier].n_segments;
	}
	qsort(*pins, *n, sizeof **pins, by_turn);
}

bool ring_unpin(struct rings *rings, const struct ring_pin *pin)
{
	return atomic_exchange(&rings->tiers[pin->tier].segments[pin->segment].pinned, false);
}
