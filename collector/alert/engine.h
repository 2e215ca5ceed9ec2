/* The life of one alert, as arithmetic.
 *
 *            breach              held long enough            recovered
 *   CLEAR ------------> PENDING ------------------> FIRING ------------> CLEAR
 *      ^                   |                           ^                   |
 *      +--- recovered, ----+                           +--- between the ---+
 *           or gone                                     thresholds it stays
 *
 * A breach is a value beyond the threshold; recovery is a value on the good
 * side of the recovery threshold. A hold of 0 fires at first sight. A series
 * that is gone while its host speaks on ends a pending alert at once. A firing
 * one it leaves open as unknown: for ENGINE_GONE_MS where that it is gone is an
 * end, for as long as it is gone where not. A host that does not speak is no
 * observation, so nothing changes. Hold times run on the clock that never
 * steps; wall time is only written down.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ENGINE_GONE_MS (10 * 60 * 1000)

enum comparison { ABOVE, BELOW };

struct limits {
	enum comparison comparison;
	double threshold, recovery;
	int64_t hold_ms;
};

enum phase { CLEAR, PENDING, FIRING };

struct life {
	enum phase phase;
	double value;
	int64_t since_ms; /* monotonic: when the breach began */
	int64_t gone_ms;  /* monotonic: when the series was first missed; 0: it is there */
	int64_t starts_ms, ends_ms; /* wall */
};

struct moment {
	int64_t mono_ms, wall_ms;
};

enum change { CHANGE_NONE, CHANGE_PENDING, CHANGE_FIRED, CHANGE_RESOLVED, CHANGE_DROPPED };

bool engine_is_breach(const struct limits *limits, double value);
/* A value was seen; a breach counts as having begun at `began_ms` (monotonic). */
enum change engine_observe(struct life *life, const struct limits *limits, double value,
	int64_t began_ms, struct moment now);
/* The host spoke, and the series was not in it. `ends`: what is gone for long is over. */
enum change engine_miss(struct life *life, bool ends, struct moment now);
/* The rule is no longer in force. */
enum change engine_end(struct life *life, struct moment now);
