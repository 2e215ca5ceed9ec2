/* What a host's filesystems have used, at the moments that a forecast asks for.
 *
 * A filesystem is known by its mountpoint, so that its history outlives a device
 * that is called otherwise after a reboot; of two mounted over one another the
 * later one is seen. Whatever the ring holds, a reading decodes at most a block
 * or two a moment. Reading goes to the disk: not on the main thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "forecast.h"
#include "store.h"

enum resource { BYTES, INODES, RESOURCES };

struct usage {
	const char *mountpoint;
	enum resource resource;
	int64_t at_ms;     /* of `size` and `used`; 0: nothing newer is known */
	double size, used; /* used: size less what ordinary users have left */
	struct forecast_sample *samples;
	size_t n_samples;
};

struct history {
	struct usage *usages;
	size_t n;
};

/* The series of all hosts that a history is made of, with sweeps since `from_ms`. */
int history_select(struct store *store, int64_t from_ms, struct fw_arena *arena,
	struct store_group **groups, size_t *n_groups, struct fw_err *err);

/* Of one host's groups, from memory: the newest values alone. */
void history_newest(struct store *store, const struct store_group *groups, size_t n_groups,
	struct fw_arena *arena, struct history *out);
/* All of it up to now. */
int history_read(struct store *store, const struct store_group *groups, size_t n_groups,
	int64_t now_ms, struct fw_arena *arena, struct history *out, struct fw_err *err);
