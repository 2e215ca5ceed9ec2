/* One series as it lies in the store, and its way back into one piece.
 *
 * A series is a column of a schema of its host. When the host's schema changes,
 * its past stays in the columns of the old one. A strand is what one schema
 * holds; a run is all strands of one series, read in the order of time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#include "store.h"

struct strand {
	const struct store_group *group;
	const struct fw_column *column;
	const int64_t *times_ms, *cells;
	size_t n, next;
};

/* The strands of some groups of one host, those of one series side by side. Without
 * columns they have no samples. */
struct strand *strands_new(const struct store_group *groups, const struct store_columns *columns,
	size_t n_groups, struct fw_arena *arena, size_t *n);
/* How many of them, from the first on, are one series. */
size_t strands_run(const struct strand *strands, size_t n);

struct sample {
	int64_t at_ms;
	double value;
	bool stale; /* the series has ended here */
};
/* The next sample of a run: times rise, each comes once. False at the end. */
bool strands_next(struct strand *run, size_t n, struct sample *out);

/* The host's labels, the column's and its name in one list, sorted; returns how many. */
size_t strand_labels(
	const struct store_group *group, const struct fw_column *column, struct fw_label *out);
size_t strand_labels_most(const struct store_group *group, const struct fw_column *column);
