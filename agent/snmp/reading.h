/* One read of a device becomes series.
 *
 * What was walked is joined: each row of a metric's column with the labels of its index
 * and of what is looked up by it. The series go into a sweep in the same order every
 * time. A device gives READING_SERIES at most; what is more is left out and told: whole rows
 * of the table that is too long, and what stands behind it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sweep.h"
#include "walk.h"
#include "wraps.h"

#define READING_SERIES 4900 /* a collector takes 5,000 of a host, and we add some */

/* What is told of the reading itself. */
const struct metric *reading_metrics(size_t *n);

/* Of one module. */
struct reading_stat {
	int64_t took_ms;
	uint64_t pdus, sent, retried; /* packets */
	const char *ended;            /* why something of it is not whole; NULL: it is */
};

/* Adds the series; `room` goes down with each. False: there was not enough. */
bool reading_add(struct sweep *sweep, const struct walk *walk, struct wraps *wraps, unsigned *room);
/* sysUpTime in ms, where it is among what was walked; -1: it is not. */
int64_t reading_uptime_ms(const struct walk *walk);
/* What the read itself was like. */
void reading_add_stat(
	struct sweep *sweep, const struct mib_module *module, const struct reading_stat *stat);
void reading_add_duration(struct sweep *sweep, int64_t took_ms);
