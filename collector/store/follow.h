/* The store's log, as others may follow it: everything that was accepted, in the order
 * it was, once it is durable.
 *
 * A follower belongs to one thread and has a position in the log, which stays good over
 * restarts. The log is a ring: who stands still for too long is told that some went by,
 * and goes on with the oldest that is left.
 */
#pragma once

#include <stdbool.h>

#include "store.h"

struct store_follower;

/* Sweeps of one record, or samples of a foreign series: then the schema has it alone, and
 * lives as long as the call. */
struct store_followed {
	uint32_t host, schema_id;
	const struct fw_label *host_labels;
	size_t n_host_labels;
	const struct fw_schema *schema;
	size_t n_sweeps;
	const int64_t *times_ms; /* ascending */
	const int64_t *cells;    /* sweep after sweep */
	const int64_t *before;   /* those of the sweep before, NULL: not known */
	bool foreign;            /* an absent cell is a stale mark of its own */
};

typedef void store_on_followed(const struct store_followed *sweeps, void *arg);

/* Behind all that is durable now. */
uint64_t store_durable_position(struct store *store);
struct store_follower *store_follow(struct store *store, uint64_t from);
/* The next record, 1; 0 when there is none yet. -ENODATA: some have gone by unread.
 * -EBADMSG: the log is damaged here, and no other segment follows yet. */
int store_follow_next(struct store_follower *follower, store_on_followed *on_sweeps, void *arg);
/* Behind what was told: where another can go on. */
uint64_t store_follow_position(const struct store_follower *follower);
void store_unfollow(struct store_follower *follower);
