/* What the configuration and the collector's settings come to. The file wins. */
#pragma once

#include "config.h"
#include "sampler.h"
#include "settings.h"
#include "spool.h"

/* Room for one plan for each of sources[]. */
struct source_plan *plan_new(void);
/* `settings` may be NULL. All sources are on unless one of the two says off; those for
 * servers alone are off elsewhere, and no collector turns them on. */
void plan_sources(
	const struct config *config, const struct settings *settings, struct source_plan *plans);
int64_t plan_interval_ms(const struct config *config, const struct settings *settings);
uint64_t plan_spool_bytes(const struct config *config, const struct settings *settings);
/* `dir` must live as long as the spool. */
struct spool_config plan_spool(
	const struct config *config, const struct settings *settings, const char *dir);
