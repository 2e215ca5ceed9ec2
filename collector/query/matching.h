/* Matchers made ready for the store.
 *
 * A regular expression is asked once for each distinct value and remembers what
 * it answered, so a fleet that shares its names costs as much as one host. Made
 * for one query on one thread; the memory is the query's arena's, but for the
 * compiled expressions, which matching_done gives back.
 */
#pragma once

#include <stddef.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "node.h"
#include "store.h"

struct matching {
	struct store_matcher *matchers;
	size_t n_matchers;
	struct expression **expressions; /* one a matcher, NULL where it has none */
};

/* On failure nothing is left to be given back. */
int matching_init(struct matching *out, const struct matcher *matchers, size_t n,
	struct fw_arena *arena, struct fw_err *err);
void matching_done(struct matching *matching);
