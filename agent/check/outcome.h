/* What becomes of a reading: series of the target's host, and an event when a check's
 * state changes. */
#pragma once

#include <uv.h>

#include <fenwatch/err.h>

#include "schedule.h"

struct outcome;

/* `specs` must outlive it. */
int outcome_open(struct outcome **out, uv_loop_t *loop, const char *socket,
	const struct check_spec *specs, size_t n_specs, struct fw_err *err);
/* Others from now on. Those that stay are told of where they change, as before. */
void outcome_replace(struct outcome *r, const struct check_spec *specs, size_t n_specs);
void outcome_take(const struct check_reading *reading, void *arg); /* a schedule_sink */
void outcome_close(struct outcome *r);
