/* SPDX-License-Identifier: Apache-2.0 */
#include "dm.h"

#include <stdio.h>
#include <string.h>

struct search {
	const char *prefix;
	void (*each)(struct machine *m, const struct dm_device *d, void *arg);
	void *arg;
};

static void read_of(struct machine *m, const char *device, const char *file, char out[DM_BYTES])
{
	char path[NAME_BYTES + 48];
	snprintf(path, sizeof path, "sys/block/%s/dm/%s", device, file);
	read_text(m, path, out, DM_BYTES);
}

static int look_at(struct machine *m, const char *name, void *arg)
{
	const struct search *search = arg;
	struct dm_device d;
	char suspended[DM_BYTES];
	if (strncmp(name, "dm-", 3) != 0 || strlen(name) >= sizeof d.device)
		return 0;
	memcpy(d.device, name, strlen(name) + 1);
	read_of(m, d.device, "uuid", d.uuid);
	if (strncmp(d.uuid, search->prefix, strlen(search->prefix)) != 0)
		return 0;
	read_of(m, d.device, "name", d.name);
	read_of(m, d.device, "suspended", suspended);
	d.suspended = strcmp(suspended, "1") == 0;
	search->each(m, &d, search->arg);
	return 0;
}

int dm_each(struct machine *m, const char *prefix,
	void (*each)(struct machine *m, const struct dm_device *d, void *arg), void *arg)
{
	struct search search = {prefix, each, arg};
	return machine_list(m, "sys/block", look_at, &search);
}

struct below {
	int (*each)(struct machine *m, const char *device, void *arg);
	void *arg;
	int n;
};

static int count(struct machine *m, const char *name, void *arg)
{
	struct below *below = arg;
	below->n++;
	return below->each ? below->each(m, name, below->arg) : 0;
}

int dm_below(struct machine *m, const struct dm_device *d,
	int (*each)(struct machine *m, const char *device, void *arg), void *arg)
{
	struct below below = {each, arg, 0};
	char path[NAME_BYTES + 48];
	snprintf(path, sizeof path, "sys/block/%s/slaves", d->device);
	machine_list(m, path, count, &below);
	return below.n;
}
