/* SPDX-License-Identifier: Apache-2.0 */
#include "recent.h"

#include <string.h>

#define STEP_MS (RECENT_MS / (RECENT_STEPS - 2))
#define FEWEST_DISCOVERIES 5
#define FEWEST_QUERIES 100
#define FEWEST_SEGMENTS 1000

enum { DISCOVER = 1 };

static double share(uint64_t part, uint64_t of, uint64_t fewest)
{
	return of < fewest ? 0 : part < of ? (double)part / (double)of : 1;
}

/* Where answers go by another way than past this place none is ever heard: only where most
 * were heard before is it news that they fail. */
static double share_where_it_went_well(
	uint64_t part, uint64_t of, uint64_t fewest, uint64_t part_before, uint64_t of_before)
{
	return of_before < fewest || 2 * part_before > of_before ? 0 : share(part, of, fewest);
}

/* The last one that is out of the window, so that what is left spans it whole; before there
 * is one, the start. */
static struct recent_totals forget_old(struct recent *r, int64_t now_ms)
{
	unsigned old = 0;
	while (old + 1 < r->n_steps && now_ms - r->steps[old + 1].at_ms >= RECENT_MS)
		old++;
	r->n_steps -= old;
	memmove(r->steps, r->steps + old, r->n_steps * sizeof *r->steps);
	if (r->n_steps == 0 || now_ms - r->steps[0].at_ms < RECENT_MS)
		return (struct recent_totals){0};
	return r->steps[0];
}

static void keep(struct recent *r, const struct recent_totals *now)
{
	if (r->n_steps < RECENT_STEPS &&
		(r->n_steps == 0 || now->at_ms - r->steps[r->n_steps - 1].at_ms >= STEP_MS))
		r->steps[r->n_steps++] = *now;
}

struct recent_values recent_take(struct recent *r, const struct recent_totals *now)
{
	const struct recent_totals then = forget_old(r, now->at_ms);
	const struct watch_counts *a = &then.counts, *b = &now->counts;
	keep(r, now);
	return (struct recent_values){
		.address_conflicts = b->address_conflicts - a->address_conflicts,
		.arp_storm_seconds = b->arp_storm_seconds - a->arp_storm_seconds,
		.dhcp_unanswered = share_where_it_went_well(b->dhcp_unanswered - a->dhcp_unanswered,
			b->dhcp[DISCOVER] - a->dhcp[DISCOVER], FEWEST_DISCOVERIES,
			a->dhcp_unanswered, a->dhcp[DISCOVER]),
		.dns_failing = share_where_it_went_well(b->dns_failed - a->dns_failed,
			b->dns_queries - a->dns_queries, FEWEST_QUERIES, a->dns_failed,
			a->dns_queries),
		.retransmitted = share(b->retransmissions - a->retransmissions,
			b->tcp_segments - a->tcp_segments, FEWEST_SEGMENTS),
		.dropped = share(now->dropped - then.dropped, now->received - then.received,
			FEWEST_SEGMENTS),
	};
}
