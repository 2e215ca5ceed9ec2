/* Feeds that hear of what nobody has taken up (`after:`): the next one on the rota.
 *
 * Once an alert was told so long ago, still fires and was acknowledged by nobody, such a
 * feed hears of it like any other, and of its close. Not while the gate mutes it, nor where
 * it was told before the feed was configured so: whoever adds one is not told of all that
 * has gone on for long, at once and past every budget. */
#pragma once

#include <fenwatch/err.h>

#include "engine.h"

struct alert_options;
struct gate;
struct state;

#define ESCALATION_MS 10000 /* from one look to the next */

/* At the start and after each reload: since when each of these feeds is there. */
int escalation_configure(struct state *state, const struct alert_options *options, int64_t now_ms,
	struct fw_err *err);
/* In a transaction of its own. How many notices were written. */
int escalation_look(struct state *state, struct gate *gate, const struct alert_options *options,
	struct moment now, struct fw_err *err);
