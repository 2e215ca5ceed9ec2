/* Snapshots: all that a collector needs to go on elsewhere, copied while it runs.
 *
 * A snapshot is a folder DATA/snapshots/NAME: the store, state.db, and the keys and
 * certificate of the certification authority. A thread of its own makes it as NAME.part,
 * and it gets its name when all of it is synced, the list of its files (contents.h) last. What
 * is found under such a name at a start was broken off, and goes. One is made at a time. Main
 * thread.
 */
#pragma once

#include <stdint.h>

#include <fenwatch/err.h>

#include "api.h"
#include "store.h"

struct snapshots;

/* `data` is the folder, which must live as long. */
int snapshots_open(
	struct snapshots **out, const char *data, struct store *store, struct fw_err *err);
/* Breaks off what is being made. */
void snapshots_close(struct snapshots *snapshots);

/* -EINVAL: no name for a folder. -EEXIST. -EBUSY: another is being made. -ENOSPC. */
int snapshots_begin(struct snapshots *snapshots, const char *name, struct fw_err *err);
/* The one that is being made, or was made last. */
void snapshots_look(struct snapshots *snapshots, struct api_snapshot *out);

/* Without a running collector: checks the snapshot in the folder `from` by its list and by what
 * its store says, and makes it what `data` holds. `inspector` hears of faults; with any, or where there is a collector's data
 * already, nothing is done. */
int snapshots_restore(const char *from, const char *data, const struct store_inspector *inspector,
	const struct store_progress *progress, struct store_stat *stat, struct fw_err *err);
