/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "store.h"

#define DAY_MS (24.0 * 3600 * 1000)
#define HOUR_MS (3600 * 1000)

static const struct {
	double target_days;
	int64_t least_ms; /* with less of it nothing can be said */
} tiers[STORE_TIERS] = {
	[STORE_RAW] = {30, HOUR_MS},
	[STORE_FIVE_MINUTE] = {100, HOUR_MS},
	[STORE_HOUR] = {400, 12 * HOUR_MS},
};

static struct store_reach reach_of(const struct store_stat *stat, int tier)
{
	const struct store_tier_stat *at = &stat->tiers[tier];
	struct store_reach reach = {.name = store_tier_name((enum store_tier)tier),
		.target_days = tiers[tier].target_days};
	if (at->blocks > 0)
		reach.held_days = (double)(at->newest_ms - at->oldest_ms) / DAY_MS;
	if (at->day_ms < tiers[tier].least_ms || at->day_bytes == 0)
		return reach;
	reach.bytes_a_day = (double)at->day_bytes * DAY_MS / (double)at->day_ms;
	reach.days = (double)at->bytes / reach.bytes_a_day;
	reach.is_short = reach.days < reach.target_days;
	return reach;
}

void store_reach(const struct store_stat *stat, struct store_reach reach[STORE_TIERS])
{
	for (int tier = 0; tier < STORE_TIERS; tier++) {
		reach[tier] = reach_of(stat, tier);
		if (tier > 0 && reach[tier].days > 0 && reach[tier - 1].days > 0)
			reach[tier].is_near =
				reach[tier].days < STORE_REACH_TIMES * reach[tier - 1].days;
	}
}

bool store_reach_warning(
	const struct store_reach reach[STORE_TIERS], enum store_tier tier, char *text, size_t size)
{
	const struct store_reach *at = &reach[tier];
	if (at->is_short)
		snprintf(text, size,
			"the %s tier holds %.1f days at today's load, less than its %.0f: raise "
			"store.%s",
			at->name, at->days, at->target_days, at->name);
	else if (at->is_near)
		snprintf(text, size,
			"the %s tier holds %.1f days at today's load, less than %d times the %s "
			"tier's %.1f: raise store.%s",
			at->name, at->days, STORE_REACH_TIMES, reach[tier - 1].name,
			reach[tier - 1].days, at->name);
	return at->is_short || at->is_near;
}
