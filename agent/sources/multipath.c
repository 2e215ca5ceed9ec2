/* SPDX-License-Identifier: Apache-2.0 */
#include "dm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { INFO, ACTIVE, SIZE, PATHS, PATHS_ACTIVE, PATHS_FAILED, PATH_STATE };

static const struct metric metrics[] = {
	[INFO] = {"node_dmmultipath_device_info", FW_GAUGE, "",
		"What a multipath device is, value is always 1.", 0, 1},
	[ACTIVE] = {"node_dmmultipath_device_active", FW_GAUGE, "",
		"Whether the multipath device is active (1) or suspended (0).", 0, 1},
	[SIZE] = {"node_dmmultipath_device_size_bytes", FW_GAUGE, "bytes",
		"Size of the multipath device.", 0, 512},
	[PATHS] = {"node_dmmultipath_device_paths", FW_GAUGE, "",
		"Number of paths of a multipath device.", 0, 1},
	[PATHS_ACTIVE] = {"node_dmmultipath_device_paths_active", FW_GAUGE, "",
		"Number of paths that are active (SCSI running, NVMe live).", 0, 1},
	[PATHS_FAILED] = {"node_dmmultipath_device_paths_failed", FW_GAUGE, "",
		"Number of paths that are not active.", 0, 1},
	[PATH_STATE] = {"node_dmmultipath_path_state", FW_GAUGE, "",
		"The state of the device behind a path, value is always 1.", 0, 1},
};

struct paths {
	struct sweep *out;
	const char *name;
	int64_t all, active;
};

static int add_path(struct machine *m, const char *device, void *arg)
{
	struct paths *paths = arg;
	char path[NAME_BYTES + 48], state[TEXT_BYTES];
	snprintf(path, sizeof path, "sys/block/%.*s/device/state", NAME_BYTES, device);
	if (!read_text(m, path, state, sizeof state))
		snprintf(state, sizeof state, "unknown");
	paths->all++;
	paths->active += strcmp(state, "running") == 0 || strcmp(state, "live") == 0;
	sweep_add(paths->out, &metrics[PATH_STATE], 1,
		SWEEP_LABELS("device", paths->name, "path", device, "state", state));
	return 0;
}

static void add_device(struct machine *m, const struct dm_device *d, void *arg)
{
	struct sweep *out = arg;
	struct paths paths = {out, d->name, 0, 0};
	char path[NAME_BYTES + 32];
	int64_t sectors;
	const char *const labels[] = {"device", d->name, "sysfs_name", d->device, NULL};
	sweep_add(out, &metrics[INFO], 1,
		SWEEP_LABELS("device", d->name, "sysfs_name", d->device, "uuid", d->uuid));
	sweep_add(out, &metrics[ACTIVE], !d->suspended, labels);
	snprintf(path, sizeof path, "sys/block/%s/size", d->device);
	if (machine_read_i64(m, path, &sectors) == 0)
		sweep_add(out, &metrics[SIZE], sectors, labels);
	dm_below(m, d, add_path, &paths);
	sweep_add(out, &metrics[PATHS], paths.all, labels);
	sweep_add(out, &metrics[PATHS_ACTIVE], paths.active, labels);
	sweep_add(out, &metrics[PATHS_FAILED], paths.all - paths.active, labels);
}

static int read_multipath(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	if (dm_each(m, "mpath-", add_device, out) < 0)
		return fw_fail(err, -ENODATA, "this machine has no /sys/block");
	return 0;
}

const struct source source_multipath = {
	.name = "multipath",
	.help = "Devices with several paths: how many there are, and how many have failed.",
	.purpose = "A path that has failed is not felt until the last one does.",
	.reads = "/sys/block/dm-*, the state of the disks below",
	.slow = true,
	.only_with = "sys/module/dm_multipath",
	.every_s = 60,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_multipath,
};
