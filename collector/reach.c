/* SPDX-License-Identifier: Apache-2.0 */
#include "reach.h"

#include <fenwatch/log.h>

void reach_look(struct reach_watch *watch, struct store *store)
{
	struct store_stat stat;
	struct store_reach reach[STORE_TIERS];
	char text[256];
	store_stat(store, &stat);
	store_reach(&stat, reach);
	for (int tier = 0; tier < STORE_TIERS; tier++) {
		bool warns = store_reach_warning(reach, (enum store_tier)tier, text, sizeof text);
		if (warns && !watch->told[tier])
			fw_log(FW_WARNING, "%s", text);
		else if (!warns && watch->told[tier])
			fw_log(FW_NOTICE, "the %s tier reaches far enough again", reach[tier].name);
		watch->told[tier] = warns;
	}
}
