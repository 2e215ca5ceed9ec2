/* A snapshot: the store as it is at one moment, copied while everything goes on.
 *
 * The writer commits, notes what lies where, and goes on. From then on bytes that were
 * noted do not change: logs, names and segments only grow, and a segment is pinned
 * against being written over until it has been copied. So the copy is what a power cut
 * at that moment would have left, and opens like that. Segments are copied in the order
 * in which the ring would come to them; if it comes first all the same, ingest wins and
 * the snapshot is broken off.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "log.h"
#include "ring.h"
#include "super.h"

/* What lies where. */
struct frozen {
	struct super super;
	struct ring_pin *pins;
	size_t n_pins;
	uint64_t log_bytes[LOG_SLOTS]; /* 0: nothing in it counts */
	uint64_t schema_bytes, host_bytes;
	bool done; /* under the store's lock */
	int rc;
	pthread_cond_t told;
};

/* The writer: what was applied is committed. */
void snapshot_freeze(struct store *store, struct frozen *frozen);
