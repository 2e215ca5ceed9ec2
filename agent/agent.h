/* The agent's parts, which share these types but never call each other; main.c
 * joins them.
 *
 *   sources -> sampler -> (sweep) -> spool -> (frames) -> uplink -> collector
 *                                      ^                     |
 *                                      +------- acks --------+
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
