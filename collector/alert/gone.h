/* Feeds that are configured no more, under this name at least, while tickets are open with them.
 *
 * What waits for such a feed waits until there is one of its name again.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

struct alert_options;
struct state;

struct gone_feed {
	const char *name;
	const char *sentence; /* how many tickets, and what that means */
};
/* In the order of names, in the arena. */
int gone_feeds(struct state *state, const struct alert_options *options, struct fw_arena *arena,
	struct gone_feed **out, size_t *n, struct fw_err *err);
