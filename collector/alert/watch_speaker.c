/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "watch.h"

#define OWN_JOB "node" /* of an agent's own machine; programs beside it cannot have it */

static bool has_agent(const struct host *host)
{
	static const uint8_t nobody[sizeof host->agent];
	return memcmp(host->agent, nobody, sizeof nobody) != 0;
}

static bool is_own(const struct host *host)
{
	return strcmp(fw_label_value(host->labels, host->n_labels, "job"), OWN_JOB) == 0;
}

static int by_agent(const void *a, const void *b)
{
	const struct host *const *x = a, *const *y = b;
	return memcmp((*x)->agent, (*y)->agent, sizeof(*x)->agent);
}

static void sort_agents(struct watch *watch)
{
	watch->by_agent = fw_alloc_array(watch->n_hosts + 1, sizeof(struct host *));
	watch->n_by_agent = 0;
	for (size_t i = 0; i < watch->n_hosts; i++)
		if (watch->hosts[i] && has_agent(watch->hosts[i]) && is_own(watch->hosts[i]))
			watch->by_agent[watch->n_by_agent++] = watch->hosts[i];
	if (watch->n_by_agent > 1)
		qsort(watch->by_agent, watch->n_by_agent, sizeof(struct host *), by_agent);
}

struct host *watch_speaker(struct watch *watch, const struct host *host)
{
	if (!has_agent(host) || is_own(host))
		return NULL;
	if (!watch->by_agent)
		sort_agents(watch);
	struct host *const *found = watch->n_by_agent == 0
		? NULL
		: bsearch(&host, watch->by_agent, watch->n_by_agent, sizeof(struct host *),
			  by_agent);
	return found ? *found : NULL;
}

void watch_drop_speakers(struct watch *watch)
{
	fw_free(watch->by_agent);
	watch->by_agent = NULL;
}
