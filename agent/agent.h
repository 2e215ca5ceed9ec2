/* The agent's parts, which share these types but never call each other; run.c
 * joins them.
 *
 *   sources -> sampler -> (sweep) -> packer -> (frames) -> uplink -> collector
 *                                      |                     |
 *                                    spool <----- acks ------+
 *
 * The packer stands on the spool: it turns sweeps into frames and numbers them
 * there. The uplink reads frames by lane and number through callbacks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/batch.h>
#include <fenwatch/buf.h>
#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/frame.h>
#include <fenwatch/schema.h>

#include "source.h"

enum lane { LANE_LIVE, LANE_BACKLOG, LANES };

/* Frames sent and not acknowledged: of this machine's own sweeps, of what programs beside
 * the agent have handed over, and of both together. */
#define WINDOW_OWN 8
#define WINDOW_GUESTS 32
#define WINDOW_LIVE (WINDOW_OWN + WINDOW_GUESTS)
#define WINDOW_BACKLOG 64

/* In one frame. Of the backlog so many sweeps; of either lane 512 KiB decoded, and well under
 * a frame (1 MiB) even where every cell takes a varint's ten bytes; and from its first sweep
 * to its last a day: a clock that leaps, or a laptop that sleeps, begins another, for the
 * collector has no room for weeks in one piece. */
#define CHAIN_SWEEPS 60
#define BATCH_CELLS (64u << 10)
#define BATCH_SPAN_MS (INT64_C(24) * 3600 * 1000)

/* Whether a sweep may follow others in one frame. */
static inline bool sweep_goes_on(int64_t first_ms, int64_t last_ms, int64_t at_ms)
{
	return at_ms > last_ms && at_ms - first_ms <= BATCH_SPAN_MS;
}

/* A message that is made and numbered, and waits to be durable on the collector. */
struct frame {
	enum fw_frame_type type; /* BATCH, DOCUMENT or EVENT */
	enum lane lane;
	uint64_t seq;    /* its number in the lane, as the collector sees it */
	uint32_t schema; /* id; 0: none */
	uint32_t sweeps;
	uint32_t chain;    /* of the sweeps it was gathered from; 0: none */
	int64_t oldest_ms; /* wall time of its first sweep */
	const uint8_t *payload;
	size_t length;
	/* Of another host than this machine: its number in the payload, and the Host message
	 * that says whose it is. A program beside the agent watches it. */
	uint32_t host;
	const uint8_t *host_message;
	size_t host_length; /* 0: this machine's own */
};
