/* When which check is read.
 *
 * Each has its own clock: first at an offset that is drawn from its name, so that many
 * checks spread over their interval, then every `every`, whatever the others do. One that
 * is still under way at its timeout is cancelled. Of plugins, which are processes, only so
 * many run at once.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "check.h"

struct schedule;

/* One reading, with probe_success (or a plugin's state) and its duration, from the loop. The sweep
 * and the text are the receiver's during the call. */
struct check_reading {
	const struct check_spec *spec;
	const struct sweep *sweep;
	enum check_state state;
	const char *text; /* why, or what a plugin says */
};
typedef void schedule_sink(const struct check_reading *reading, void *arg);

/* The specs must outlive it; the sink may close it. */
struct schedule_plan {
	const struct check_spec *specs;
	size_t n_specs;
	size_t most_plugins; /* that run at once; the others wait for one to end */
	schedule_sink *sink;
	void *arg;
};

/* `before` NULL, or a schedule whose checks keep their clocks where they stay. */
struct schedule *schedule_open(
	uv_loop_t *loop, const struct schedule_plan *plan, const struct schedule *before);
/* One check, at once and never again. */
struct schedule *schedule_once(
	uv_loop_t *loop, const struct check_spec *spec, schedule_sink *sink, void *arg);
void schedule_close(struct schedule *schedule); /* the memory goes from the loop */
