/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"

static bool is_beyond(enum comparison comparison, double value, double limit)
{
	return comparison == ABOVE ? value > limit : value < limit;
}

bool engine_is_breach(const struct limits *limits, double value)
{
	return is_beyond(limits->comparison, value, limits->threshold);
}

enum change engine_end(struct life *life, struct moment now)
{
	enum phase was = life->phase;
	life->phase = CLEAR;
	life->ends_ms = now.wall_ms > life->starts_ms ? now.wall_ms : life->starts_ms;
	return was == FIRING ? CHANGE_RESOLVED : was == PENDING ? CHANGE_DROPPED : CHANGE_NONE;
}

enum change engine_observe(struct life *life, const struct limits *limits, double value,
	int64_t began_ms, struct moment now)
{
	life->value = value;
	life->gone_ms = 0;
	if (life->phase == FIRING)
		return is_beyond(limits->comparison, value, limits->recovery)
			? CHANGE_NONE
			: engine_end(life, now);
	if (!engine_is_breach(limits, value))
		return engine_end(life, now);
	enum change change = CHANGE_NONE;
	if (life->phase == CLEAR) {
		life->phase = PENDING;
		life->since_ms = began_ms;
		life->starts_ms = now.wall_ms - (now.mono_ms - began_ms);
		life->ends_ms = 0;
		change = CHANGE_PENDING;
	}
	if (now.mono_ms - life->since_ms < limits->hold_ms)
		return change;
	life->phase = FIRING;
	return CHANGE_FIRED;
}

enum change engine_miss(struct life *life, bool ends, struct moment now)
{
	if (life->phase != FIRING)
		return engine_end(life, now);
	if (life->gone_ms == 0 || !ends)
		life->gone_ms = now.mono_ms;
	return now.mono_ms - life->gone_ms < ENGINE_GONE_MS ? CHANGE_NONE : engine_end(life, now);
}
