/* SPDX-License-Identifier: Apache-2.0 */
#include "dm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lvmbackup.h"

#define SECTOR_BYTES 512

enum { FAULTY, SUSPENDED, GROUP_SIZE, GROUP_FREE, MISSING };

static const struct metric metrics[] = {
	[FAULTY] = {"fenwatch_lvm_volume_faulty", FW_GAUGE, "",
		"Whether an active logical volume lacks a device that it should lie on.", 0, 1},
	[SUSPENDED] = {"fenwatch_lvm_volume_suspended", FW_GAUGE, "",
		"Whether a logical volume is suspended: who reads or writes it waits.", 0, 1},
	[GROUP_SIZE] = {"node_volume_group_size", FW_GAUGE, "bytes", "Volume group size in bytes",
		0, SECTOR_BYTES},
	[GROUP_FREE] = {"node_volume_group_free", FW_GAUGE, "bytes",
		"volume group free space in bytes", 0, SECTOR_BYTES},
	[MISSING] = {"fenwatch_lvm_devices_missing", FW_GAUGE, "",
		"Physical volumes that LVM has noted as missing when it last changed the group.", 0,
		1},
};

/* ---- active volumes, for everyone to see ---- */

/* "vg0-my--data": a single hyphen parts group, volume and layer, two are one of the name. */
static const char *cut_part(const char *name, char out[DM_BYTES])
{
	size_t n = 0;
	while (*name && n < DM_BYTES - 1) {
		if (name[0] == '-' && name[1] != '-')
			break;
		out[n++] = *name;
		name += *name == '-' ? 2 : 1;
	}
	out[n] = '\0';
	return *name == '-' ? name + 1 : name;
}

/* What is missing of an incomplete volume is a device of its own, "vg0-data-missing_0_0";
 * and under a volume whose disk was pulled there is nothing. */
static void add_volume(struct machine *m, const struct dm_device *d, void *arg)
{
	char group[DM_BYTES], volume[DM_BYTES];
	const char *layer = cut_part(cut_part(d->name, group), volume);
	const char *const labels[] = {"device", d->name, "lv_name", volume, "vg_name", group, NULL};
	bool faulty = strncmp(layer, "missing_", 8) == 0 || dm_below(m, d, NULL, NULL) == 0;
	sweep_add(arg, &metrics[FAULTY], faulty, labels);
	sweep_add(arg, &metrics[SUSPENDED], d->suspended, labels);
}

/* ---- LVM's own copy of its metadata, where it may be read ---- */

static int add_group(struct machine *m, const char *name, void *arg)
{
	char path[512];
	struct fw_cursor c;
	struct lvm_group g;
	if (snprintf(path, sizeof path, "etc/lvm/backup/%s", name) >= (int)sizeof path ||
		machine_read(m, path, &c) < 0 || !lvm_backup_read(c, &g))
		return 0;
	const char *const labels[] = {"name", g.name, NULL};
	sweep_add(arg, &metrics[GROUP_SIZE], g.extent_sectors * g.extents, labels);
	sweep_add(arg, &metrics[GROUP_FREE], g.extent_sectors * (g.extents - g.used), labels);
	sweep_add(arg, &metrics[MISSING], g.missing, labels);
	return 0;
}

static int read_lvm(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	if (dm_each(m, "LVM-", add_volume, out) < 0)
		return fw_fail(err, -ENODATA, "this machine has no /sys/block");
	machine_list(m, "etc/lvm/backup", add_group, out);
	return 0;
}

const struct source source_lvm = {
	.name = "lvm",
	.help = "Logical volumes that lack a device or are suspended; room in volume groups.",
	.purpose =
		"Volumes whose disk was lost, and groups that are full, before somebody needs them.",
	.reads = "/sys/block/dm-*/dm, /etc/lvm/backup where it may be read",
	.slow = true,
	.only_with = "sys/module/dm_mod",
	.every_s = 60,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_lvm,
};
