/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

#include <string.h>

#define DAY_MS (24 * 3600 * INT64_C(1000))

static struct quota **bucket_of(struct quotas *quotas, const uint8_t agent[16])
{
	unsigned hash = (unsigned)agent[0] << 8 | agent[1]; /* UUIDs are random */
	return &quotas->buckets[hash % SEAT_BUCKETS];
}

static struct quota *find(struct quotas *quotas, const uint8_t agent[16])
{
	struct quota **bucket = bucket_of(quotas, agent), *quota = *bucket;
	while (quota && memcmp(quota->agent, agent, 16) != 0)
		quota = quota->next;
	if (!quota) {
		quota = fw_alloc(sizeof *quota);
		memcpy(quota->agent, agent, 16);
		quota->next = *bucket;
		*bucket = quota;
	}
	return quota;
}

void quotas_forget(struct quotas *quotas)
{
	for (unsigned i = 0; i < SEAT_BUCKETS; i++) {
		while (quotas->buckets[i]) {
			struct quota *quota = quotas->buckets[i];
			quotas->buckets[i] = quota->next;
			fw_free(quota);
		}
	}
}

bool quotas_take(struct quotas *quotas, const uint8_t agent[16], uint32_t columns, int64_t now_ms)
{
	uv_mutex_lock(&quotas->lock);
	if (now_ms - quotas->since_ms >= DAY_MS) {
		quotas_forget(quotas);
		quotas->since_ms = now_ms;
	}
	struct quota *quota = find(quotas, agent);
	bool fits = quota->columns + columns <= QUOTA_COLUMNS;
	if (fits)
		quota->columns += columns;
	uv_mutex_unlock(&quotas->lock);
	return fits;
}
