/* What the agent says about itself in every sweep: its process, its build and its
 * spool. */
#pragma once

#include "handover.h"
#include "spool.h"
#include "sweep.h"

/* The table of them. */
const struct metric *self_metrics(size_t *n);
void self_add(struct sweep *sweep, const struct spool_stat *spool);
/* Where one was ever connected: the programs beside the agent. */
void self_add_programs(struct sweep *sweep, const struct handover_stat *stat);
/* Memory that is the agent's alone; 0 where it cannot be told. */
uint64_t self_own_bytes(void);
