/* SPDX-License-Identifier: Apache-2.0 */
#include "checkup.h"

#include "schedule.h"

const char *checkup_store(uint64_t hosts, int64_t idle_ms)
{
	return hosts > 0 && idle_ms > CHECKUP_STORE_MS
		? "nothing was written to the store for three minutes"
		: NULL;
}

const char *checkup_rules(
	const struct schedule_group *groups, size_t n, int64_t loaded_ms, int64_t now_ms)
{
	for (size_t i = 0; i < n; i++) {
		int64_t last_ms =
			groups[i].evaluated_ms > loaded_ms ? groups[i].evaluated_ms : loaded_ms;
		if (now_ms - last_ms > 3 * groups[i].interval_ms + CHECKUP_RULES_MS)
			return "rules are not evaluated any more";
	}
	return NULL;
}
