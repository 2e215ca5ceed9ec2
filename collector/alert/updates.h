/* Notices of what has changed of an alert that goes on: somebody has taken it up, or its
 * priority is another.
 *
 * Only feeds that take them have some, only of what they were told or may have been, and
 * none comes after the close. Of several that wait the newest is enough: it has what was
 * in those before.
 */
#pragma once

#include <stdint.h>

#include <fenwatch/err.h>

#include "pairs.h"

struct alert_options;
struct alerts;
struct state;

/* Within the caller's transaction: annotations that are other than before. `except`: a feed
 * that knows it already, or "". */
int updates_tell(struct state *state, const struct alert_options *options, const char *key,
	int64_t starts_ms, const struct pairs *said, const char *except, int64_t now_ms,
	struct fw_err *err);
/* It is over: what waits is not told any more. */
int updates_drop(struct state *state, const char *key, int64_t starts_ms, int64_t now_ms,
	struct fw_err *err);

/* After a reload: whether the register gives what fires another priority. */
void updates_look(struct alerts *alerts);
