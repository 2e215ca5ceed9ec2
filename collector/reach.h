/* Says in the log when a tier of the ring reaches less far than it should, and when
 * that is over; each once. */
#pragma once

#include "store.h"

struct reach_watch {
	bool told[STORE_TIERS];
};

void reach_look(struct reach_watch *watch, struct store *store);
