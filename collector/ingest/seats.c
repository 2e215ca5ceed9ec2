/* SPDX-License-Identifier: Apache-2.0 */
/* One agent, one seat.
 *
 * A newcomer of the same machine and boot is the same agent connecting again:
 * it replaces the older connection. Of the same machine and another boot it may
 * be a machine that was restarted, whose old connection is dead but has not been
 * missed yet, or a copy of a machine that lives on. So the newcomer has to come
 * again, and is a clone if the older one was heard from in between.
 */
#include "internal.h"

#include <string.h>

/* Who came by once is asked anew after so long, twice the longest pause of an agent: the
 * copy of then says nothing of the restart of now. */
#define CHALLENGE_MS (10 * 60 * 1000)

static struct seat **bucket_of(struct seats *seats, const uint8_t agent[16])
{
	unsigned hash = (unsigned)agent[0] << 8 | agent[1]; /* UUIDs are random */
	return &seats->buckets[hash % SEAT_BUCKETS];
}

static struct seat **find(struct seats *seats, const uint8_t agent[16])
{
	struct seat **at = bucket_of(seats, agent);
	while (*at && memcmp((*at)->agent, agent, 16) != 0)
		at = &(*at)->next;
	return at;
}

static void sit(struct seats *seats, struct seat *seat)
{
	struct seat **bucket = bucket_of(seats, seat->agent);
	seat->next = *bucket;
	seat->taken = true;
	*bucket = seat;
}

static enum seat_verdict compare(struct seat *older, const struct seat *newer, int64_t now_ms)
{
	if (memcmp(older->machine, newer->machine, MACHINE_BYTES) != 0)
		return SEAT_CLONE;
	if (memcmp(older->boot, newer->boot, BOOT_BYTES) == 0)
		return SEAT_REPLACED;
	if (older->challenged_ms == 0 || now_ms - older->challenged_ms > CHALLENGE_MS)
		older->challenged_ms = now_ms;
	return atomic_load(&older->heard_ms) > older->challenged_ms ? SEAT_CLONE : SEAT_BUSY;
}

enum seat_verdict seats_take(
	struct seats *seats, struct seat *seat, int64_t now_ms, struct seat_older *older)
{
	enum seat_verdict verdict = SEAT_TAKEN;
	atomic_store(&seat->heard_ms, now_ms);
	uv_mutex_lock(&seats->lock);
	struct seat **at = find(seats, seat->agent), *there = *at;
	if (there) {
		verdict = compare(there, seat, now_ms);
		older->worker = there->worker;
		older->number = there->number;
		memcpy(older->machine, there->machine, MACHINE_BYTES);
	}
	if (verdict == SEAT_REPLACED) {
		*at = there->next;
		there->taken = false;
	}
	if (verdict == SEAT_TAKEN || verdict == SEAT_REPLACED)
		sit(seats, seat);
	uv_mutex_unlock(&seats->lock);
	return verdict;
}

void seats_leave(struct seats *seats, struct seat *seat)
{
	uv_mutex_lock(&seats->lock);
	if (seat->taken)
		for (struct seat **at = bucket_of(seats, seat->agent); *at; at = &(*at)->next)
			if (*at == seat) {
				*at = seat->next;
				break;
			}
	seat->taken = false;
	uv_mutex_unlock(&seats->lock);
}
