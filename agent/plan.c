/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <string.h>

#include <fenwatch/mem.h>

#define INTERVAL_LEAST_MS 1000
#define INTERVAL_MOST_MS 3600000
#define SPOOL_LEAST_BYTES (1u << 20)

struct source_plan *plan_new(void)
{
	size_t n = 0;
	while (sources[n])
		n++;
	return fw_alloc_array(n + 1, sizeof(struct source_plan));
}

static bool names(char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

/* What the collector says; NULL: nothing. */
static const Fenwatch__Wire__Settings *collectors(const struct settings *settings)
{
	return settings ? settings_now(settings) : NULL;
}

static void plan_source(const struct config *config, const Fenwatch__Wire__Settings *collector,
	size_t i, struct source_plan *plan)
{
	const char *name = sources[i]->name;
	enum source_switch said = config->sources[i].said;
	plan->on = true;
	plan->why = "nothing says otherwise; the collector may";
	if (said != SOURCE_UNSAID) {
		plan->on = said == SOURCE_ON;
		plan->why = "the configuration says so";
	} else if (sources[i]->servers_only && config->class != CLASS_SERVER) {
		plan->on = false;
		plan->why = "it is for servers alone, and the class here is another";
	} else if (sources[i]->on_request) {
		plan->on = false;
		plan->why = "it gives so much that it is on only where the configuration says so";
	} else if (collector && !names(collector->sources_on, collector->n_sources_on, name) &&
		names(collector->sources_off, collector->n_sources_off, name)) {
		plan->on = false;
		plan->why = "the collector says so";
	}
}

void plan_sources(
	const struct config *config, const struct settings *settings, struct source_plan *plans)
{
	for (size_t i = 0; sources[i]; i++) {
		int64_t every_ms = config->sources[i].every_ms;
		plan_source(config, collectors(settings), i, &plans[i]);
		plans[i].every_s = every_ms ? (unsigned)(every_ms / 1000) : sources[i]->every_s;
	}
}

int64_t plan_interval_ms(const struct config *config, const struct settings *settings)
{
	const Fenwatch__Wire__Settings *collector = collectors(settings);
	if (config->interval_ms)
		return config->interval_ms;
	if (collector && collector->interval_ms >= INTERVAL_LEAST_MS &&
		collector->interval_ms <= INTERVAL_MOST_MS)
		return collector->interval_ms;
	return CONFIG_INTERVAL_MS;
}

uint64_t plan_spool_bytes(const struct config *config, const struct settings *settings)
{
	const Fenwatch__Wire__Settings *collector = collectors(settings);
	if (config->spool.max_bytes)
		return config->spool.max_bytes;
	if (collector && collector->spool_max_bytes >= SPOOL_LEAST_BYTES)
		return collector->spool_max_bytes;
	return CONFIG_SPOOL_BYTES;
}

struct spool_config plan_spool(
	const struct config *config, const struct settings *settings, const char *dir)
{
	return (struct spool_config){
		.dir = dir,
		.max_bytes = plan_spool_bytes(config, settings),
		.keep_free_bytes = config->spool.keep_free_bytes,
		.keep_free_percent = 5,
	};
}
