/* Labels of recorded samples and of alerts: sorted by name, in one block of memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

struct label_set {
	const struct fw_label *items; /* sorted by name; "__name__" is one of them */
	size_t n;
};

/* By the first difference; the shorter of two that agree comes first. */
int label_set_compare(const struct label_set *a, const struct label_set *b);
const char *label_set_get(
	const struct label_set *labels, const char *name); /* "" where there is none */

/* A copy with what `items` say put in their place, in the arena. A value of "" takes a label
 * away; of two that say the same name the last one counts. */
struct label_set label_set_with(const struct label_set *from, const struct fw_label *items,
	size_t n, struct fw_arena *arena);

/* A copy in one block that label_set_free gives back. */
struct label_set label_set_copy(const struct label_set *from);
void label_set_free(struct label_set *labels);
