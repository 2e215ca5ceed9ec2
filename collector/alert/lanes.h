/* What waits for a feed: entries in the order of their numbers, of each alert the oldest first.
 *
 * A list of all, and by the key of the alert a bucket each, so that those of one alert are
 * found at once. An entry that is over stays, and lets the next one of its alert by, until it
 * is known to be written down: then lanes_remove, or it counts again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "identity.h"

#define LANES 1024

struct sending;

/* A notice that waits or is under way. */
struct entry {
	struct entry *next;      /* oldest first */
	struct entry *next_lane; /* of the bucket, oldest first */
	struct entry *next_over; /* of those that are over in the transaction under way */
	int64_t id, due_ms;      /* monotonic */
	int64_t tries;
	int64_t astray_ms; /* monotonic: since when others than the receiver answer; 0: none does */
	char key[IDENTITY_KEY];
	bool repeat; /* it was told already, or is a beat: it has no row of its own */
	bool is_over;
	struct sending *sending; /* NULL: it waits */
};

struct lanes {
	struct entry *first, **last;
	struct entry *buckets[LANES];
};

void lanes_init(struct lanes *lanes);
void lanes_done(struct lanes *lanes);
struct entry *lanes_append(struct lanes *lanes, int64_t id, const char *key);
/* Takes it out and gives its memory back. */
void lanes_remove(struct lanes *lanes, struct entry *entry);
/* The notice with this number; NULL: it is not there. */
struct entry *lanes_find(const struct lanes *lanes, int64_t id, const char *key);
/* An alert's notices leave in order: only the oldest of a key may go. */
bool lanes_is_oldest(const struct lanes *lanes, const struct entry *entry);
bool lanes_is_under_way(const struct lanes *lanes, const char *key);
