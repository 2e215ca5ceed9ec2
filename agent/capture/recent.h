/* How it went in the last ten minutes: what the built-in rules of alerts look at.
 *
 * Counters only rise, and a rule compares a value with a threshold; so the program that
 * counts says, too, how much of what was asked lately went wrong. Of few there is no
 * share: a network where three of four questions fail at night is well.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "watch.h"

#define RECENT_MS (10 * 60 * 1000)
#define RECENT_STEPS 40

/* Since the start; only these are looked at. */
struct recent_totals {
	int64_t at_ms; /* on a clock that is never set */
	struct watch_counts counts;
	uint64_t received, dropped; /* by the kernel; those that it dropped are among the first */
};

struct recent {
	struct recent_totals steps[RECENT_STEPS]; /* the oldest first */
	unsigned n_steps;
};

struct recent_values {
	uint64_t address_conflicts, arp_storm_seconds;
	double dhcp_unanswered, dns_failing, retransmitted, dropped; /* shares, from 0 to 1 */
};

/* Also takes `now` as a step, where the last one was long enough ago. */
struct recent_values recent_take(struct recent *r, const struct recent_totals *now);
