/* What was told of each filesystem, kept in the collector's state: a forecast stands for
 * days where the data carry none (forecast.h), whether or not the collector is restarted
 * in between. Main thread.
 */
#pragma once

#include <stdint.h>

#include <fenwatch/err.h>

#include "history.h"

struct state;

int keep_open(struct state *state, struct fw_err *err);
/* `forecast` zeroed: there is none any more. */
int keep_write(struct state *state, uint32_t host, const char *mountpoint, enum resource resource,
	const struct forecast *forecast, struct fw_err *err);
int keep_forget(struct state *state, uint32_t host, struct fw_err *err);
int keep_each(struct state *state,
	void (*each)(uint32_t host, const char *mountpoint, enum resource resource,
		const struct forecast *forecast, void *arg),
	void *arg, struct fw_err *err);
