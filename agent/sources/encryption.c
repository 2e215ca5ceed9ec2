/* SPDX-License-Identifier: Apache-2.0 */
#include "encryption.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATH_LIMIT 512
#define DEPTH_LIMIT 8 /* a filesystem on LVM on LUKS on md on partitions is 4 */

struct walk {
	const char *device;
	unsigned depth, slaves;
	bool open; /* a way leads to a disk without dm-crypt */
};

static void walk_down(struct machine *m, struct walk *walk);

static int on_slave(struct machine *m, const char *name, void *arg)
{
	struct walk *above = arg;
	char path[PATH_LIMIT];
	int length = snprintf(path, sizeof path, "%s/slaves/%s", above->device, name);
	struct walk walk = {.device = path, .depth = above->depth + 1};
	above->slaves++;
	if (length < 0 || (size_t)length >= sizeof path || walk.depth > DEPTH_LIMIT)
		above->open = true;
	else
		walk_down(m, &walk);
	above->open |= walk.open;
	return 0;
}

static bool is_crypt(struct machine *m, const char *device)
{
	char path[PATH_LIMIT];
	const char *uuid;
	snprintf(path, sizeof path, "%s/dm/uuid", device);
	return machine_read_line(m, path, &uuid) == 0 && strncmp(uuid, "CRYPT-", 6) == 0;
}

static void walk_down(struct machine *m, struct walk *walk)
{
	char path[PATH_LIMIT];
	if (is_crypt(m, walk->device))
		return;
	snprintf(path, sizeof path, "%s/slaves", walk->device);
	machine_list(m, path, on_slave, walk);
	if (walk->slaves == 0)
		walk->open = true;
}

int encryption_of(struct machine *m, const char *device)
{
	struct walk walk = {.device = device};
	struct machine_file folder;
	if (machine_stat(m, device, &folder) < 0)
		return -ENOENT;
	walk_down(m, &walk);
	return !walk.open;
}
