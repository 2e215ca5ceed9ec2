/* SPDX-License-Identifier: Apache-2.0 */
#include "rollup.h"

#include <fenwatch/mem.h>

#include "alert.h"
#include "noise.h"
#include "outbox.h"
#include "route.h"

void rollup_add(
	struct crowd *crowd, const struct alert_options *options, const struct episode *episode)
{
	if (!crowd->wanted) {
		crowd->wanted = fw_alloc_array(options->n_feeds + 1, sizeof *crowd->wanted);
		crowd->n_wanted = options->n_feeds;
	}
	for (size_t i = 0; i < crowd->n_wanted; i++) {
		if (crowd->wanted[i] || !route_wants(options, i, episode))
			continue;
		crowd->wanted[i] = true;
		crowd->grew = true;
	}
}

void rollup_forget(struct crowd *crowd)
{
	fw_free(crowd->wanted);
	crowd->wanted = NULL;
	crowd->n_wanted = 0;
}

/* What is held fits somebody, so who hears of the rest alone does not hear of this. */
bool rollup_wants(const struct crowd *crowd, const struct alert_options *options, size_t feed,
	const struct episode *episode)
{
	if (!crowd || crowd->n_wanted == 0)
		return route_wants(options, feed, episode);
	return crowd->wanted[feed] ||
		(!options->feeds[feed]->route.otherwise && route_wants(options, feed, episode));
}
