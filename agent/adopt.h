/* What programs beside the agent hand over becomes frames of the spool.
 *
 * A sweep goes to the live lane as a key while its window there has room, else to the
 * backlog lane, column by column, and while there is no connection with others of its host
 * in one frame; an event likewise, alone. A document, which may be large, goes to
 * the backlog lane. Keys alone, since neither their
 * program nor the agent then holds anything that the next one counts from: any frame can
 * be lost, come late or change lanes without another suffering.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent.h"
#include "intake.h"

struct spool;

struct adopter {
	struct spool *spool;
	uint64_t live[WINDOW_GUESTS]; /* numbers of those under way */
	unsigned n_live;
	size_t live_bytes;
	size_t unwritten; /* bytes since the spool was last written */
	uint64_t sweeps, events, documents;
};

/* The live lane takes another of them. */
bool adopter_has_room(const struct adopter *a);
/* True when the frame went to the live lane. */
bool adopt(struct adopter *a, const struct handed *handed, bool live);
/* The spool has forgotten live frames: those of them that were adopted make room. */
void adopter_acked(struct adopter *a);
void adopter_begin_stream(struct adopter *a); /* numbers begin anew */
