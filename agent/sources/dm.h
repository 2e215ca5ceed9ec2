/* Devices of the device mapper, as /sys/block shows them to everyone. */
#pragma once

#include "parse.h"

#define DM_BYTES 256

struct dm_device {
	char device[NAME_BYTES];             /* "dm-3" */
	char name[DM_BYTES], uuid[DM_BYTES]; /* "vg0-root", "LVM-..." */
	bool suspended;
};

/* Calls `each` for those whose UUID begins with `prefix`. -ENOENT: no /sys/block. */
int dm_each(struct machine *m, const char *prefix,
	void (*each)(struct machine *m, const struct dm_device *d, void *arg), void *arg);
/* Calls `each` for the devices below it; returns how many there are. */
int dm_below(struct machine *m, const struct dm_device *d,
	int (*each)(struct machine *m, const char *device, void *arg), void *arg);
