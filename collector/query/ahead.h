/* Groups of the store, read in their order and taken one after the other.
 *
 * Where there is much to read a second thread reads ahead, so that decoding and
 * evaluating go on at once. Each group lies in memory of its own, which lives
 * until the one after the next is taken.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "store.h"

struct ahead;

struct ahead_order {
	struct store *store;
	const struct store_group *groups;
	size_t n_groups;
	int64_t from_ms, to_ms;
	bool newest;      /* only the newest sweep up to `to_ms` is wanted */
	bool two_threads; /* read ahead */
	struct store_patience patience;
	size_t max_bytes;
};

/* One group at once. 0, or what store_read() gives. */
int ahead_read(const struct ahead_order *order, const struct store_group *group,
	struct fw_arena *arena, struct store_columns *out, struct fw_err *err);

struct ahead *ahead_new(const struct ahead_order *order);
/* The next group in the order. */
int ahead_take(struct ahead *ahead, struct store_columns *out, struct fw_err *err);
void ahead_free(struct ahead *ahead);
