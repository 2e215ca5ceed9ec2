/* When each group of rules is due, and what it is at.
 *
 * A group has its moments by its interval and a shift that its file and name
 * give it, so that groups are spread and keep their moments over restarts. Who
 * comes late skips what was missed and counts it. No thread and no clock: the
 * time is handed in, as are data to ask and a place for samples.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "group.h"

#define ROUNDS_RESTORE_AFTER 2 /* evaluations: then what alerts rest on is there again */

struct round {
	struct group group;
	int64_t interval_ms, due_ms;
	uint64_t evaluations, missed, failures; /* the last: of rules */
};

struct rounds {
	struct rule_set *set;
	struct round *items;
	size_t n;
};

/* The last moment of a group at or before `now_ms`. */
int64_t round_moment(const struct file_group *file, int64_t interval_ms, int64_t now_ms);

/* Goes over to another set of rule files, which it keeps and frees: alerts live on, series
 * that no rule gives any more end. Zeroes are an empty one. */
void rounds_load(struct rounds *rounds, struct rule_set *set, int64_t interval_ms, int64_t now_ms,
	const struct group_settings *settings);
/* The one that is due first, or NULL. */
struct round *rounds_first(const struct rounds *rounds, int64_t now_ms);
/* Evaluates it, for the moment that it is due at or the last one since. */
void round_run(struct round *round, int64_t now_ms, const struct group_settings *settings);
void rounds_done(struct rounds *rounds);
