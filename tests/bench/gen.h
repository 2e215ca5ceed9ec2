/* Made-up hosts: 300 series each, as node_exporter has them on a lightly used machine.
 *
 * Half are constant, a tenth changes about once an hour, the rest in nearly every
 * sweep: counters of time, bytes and packets, gauges of memory, load averages,
 * durations. Every value comes from the host, the series and the sweeps before;
 * no clock is read. So any two runs see the same, and so do other stores that are
 * fed with it.
 */
#pragma once

#include <stdint.h>

#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#define GEN_SERIES 300
#define GEN_INTERVAL_MS 10000

enum gen_kind {
	GEN_CONSTANT,
	GEN_RARE,
	GEN_CPU,
	GEN_FAST,
	GEN_SLOW,
	GEN_SPARSE,
	GEN_SECONDS,
	GEN_MEMORY,
	GEN_SMALL,
	GEN_LOAD,
	GEN_DURATION,
	GEN_TIME,
	GEN_KINDS,
};

/* The columns, as doubles. */
void gen_schema(struct fw_arena *arena, struct fw_schema *out);

struct gen_series {
	enum gen_kind kind;
	uint64_t rng;
	double size, step; /* what they mean is the kind's */
	double middle, value;
	int64_t count;
};

struct gen_host {
	struct gen_series series[GEN_SERIES];
	unsigned number;
	uint64_t rng;
	double activity; /* 0 to 1, of the whole host */
	double busy[4];  /* hundredths of a second of each CPU in this sweep */
};

void gen_host_init(struct gen_host *host, unsigned number);
/* The values of the next sweep, which is number `sweep`. */
void gen_host_step(struct gen_host *host, uint32_t sweep, int64_t at_ms, double *values);
