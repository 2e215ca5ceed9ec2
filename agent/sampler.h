/* Sweeps on a fixed grid.
 *
 * A sweep is due whenever the wall clock is a multiple of the interval, and
 * carries that very time. The timer is monotonic and set anew for every sweep,
 * so after a step of the clock the grid is found again within one interval,
 * without a burst. Every source that is on is read and timed; a failure becomes a
 * series and one line in the log. Slow sources are read in children on their own
 * schedule and replayed from what they last gave.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>

#include "documents.h"
#include "source.h"
#include "sweep.h"

struct sampler;

struct sampler_config {
	struct machine *machine;
	int64_t interval_ms;
	/* More samples for every sweep, and the sweep when it is whole. */
	void (*on_sweeping)(struct sweep *sweep, void *arg);
	void (*on_swept)(const struct sweep *sweep, void *arg);
	/* Inventory that a slow source has read. */
	void (*on_document)(const struct document_news *news, void *arg);
	void *arg;
};

struct source_plan {
	bool on;
	unsigned every_s; /* slow sources */
	const char *why;  /* it is on or off, for a person */
};

/* What the sampler adds of each source. */
const struct metric *sampler_metrics(size_t *n);

/* `plans`: one for each of sources[]. */
int sampler_open(struct sampler **out, uv_loop_t *loop, const struct sampler_config *config,
	const struct source_plan *plans, struct fw_err *err);
void sampler_set_interval(struct sampler *s, int64_t interval_ms);
void sampler_set_plan(struct sampler *s, const struct source_plan *plans);
/* The memory goes from the loop. */
void sampler_close(struct sampler *s);

/* Reads the sources once, all in this process, without a loop. Their inventory goes
 * to `inventory` as text, `brief` or item by item. */
struct sweep *sampler_once(struct machine *machine, const struct source_plan *plans, bool brief,
	struct fw_buf *inventory);

/* Wait from `now_ms` until the next sweep is due. `since_ms`: how long ago, by the
 * monotonic clock, the last one was; a point of the grid is not taken twice. */
int64_t grid_wait_ms(int64_t now_ms, int64_t interval_ms, int64_t since_ms);
/* The time that a sweep made at `now_ms` carries. */
int64_t grid_time_ms(int64_t now_ms, int64_t interval_ms);
