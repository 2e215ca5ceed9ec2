/* SPDX-License-Identifier: Apache-2.0 */
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <linux/btrfs.h>
#include <sys/ioctl.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#define TREE "sys/fs/btrfs"
#define UUID_LENGTH 36
#define DEVICES_LIMIT 64    /* of a filesystem */
#define DEVICE_ID_LIMIT 256 /* ids are given out in turn, also after devices were taken away */

enum {
	INFO,
	RESERVE,
	COMMITS,
	LAST_COMMIT,
	MAX_COMMIT,
	COMMIT_SECONDS,
	RESERVED,
	USED,
	SIZE,
	RATIO,
	DEVICE_SIZE,
	DEVICE_UNUSED,
	DEVICE_ERRORS,
	MISSING,
};

static const struct metric metrics[] = {
	[INFO] = {"node_btrfs_info", FW_GAUGE, "", "Filesystem information", 0, 1},
	[RESERVE] = {"node_btrfs_global_rsv_size_bytes", FW_GAUGE, "bytes",
		"Size of global reserve.", 0, 1},
	[COMMITS] = {"node_btrfs_commits_total", FW_COUNTER, "",
		"The total number of commits that have occurred.", 0, 1},
	[LAST_COMMIT] = {"node_btrfs_last_commit_seconds", FW_GAUGE, "seconds",
		"Duration of the most recent commit, in seconds.", 3, 1},
	[MAX_COMMIT] = {"node_btrfs_max_commit_seconds", FW_GAUGE, "seconds",
		"Duration of the slowest commit, in seconds.", 3, 1},
	[COMMIT_SECONDS] = {"node_btrfs_commit_seconds_total", FW_COUNTER, "seconds",
		"Sum of the duration of all commits, in seconds.", 3, 1},
	[RESERVED] = {"node_btrfs_reserved_bytes", FW_GAUGE, "bytes",
		"Amount of space reserved for a data type", 0, 1},
	[USED] = {"node_btrfs_used_bytes", FW_GAUGE, "bytes",
		"Amount of used space by a layout/data type", 0, 1},
	[SIZE] = {"node_btrfs_size_bytes", FW_GAUGE, "bytes",
		"Amount of space allocated for a layout/data type", 0, 1},
	[RATIO] = {"node_btrfs_allocation_ratio", FW_GAUGE, "",
		"Data allocation ratio for a layout/data type", 9, 1},
	[DEVICE_SIZE] = {"node_btrfs_device_size_bytes", FW_GAUGE, "bytes",
		"Size of a device that is part of the filesystem.", 0, 1},
	[DEVICE_UNUSED] = {"node_btrfs_device_unused_bytes", FW_GAUGE, "bytes",
		"Unused bytes unused on a device that is part of the filesystem.", 0, 1},
	[DEVICE_ERRORS] = {"node_btrfs_device_errors_total", FW_COUNTER, "",
		"Errors reported for the device", 0, 1},
	[MISSING] = {"fenwatch_btrfs_devices_missing", FW_GAUGE, "",
		"Devices that belong to a filesystem and are not there.", 0, 1},
};

/* As the kernel numbers them. */
static const char *const errors[] = {"write", "read", "flush", "corruption", "generation"};

struct device {
	char name[NAME_BYTES], uuid[UUID_LENGTH + 1];
	int64_t total, used;
	int64_t errors[COUNT(errors)];
};

struct filesystem {
	struct sweep *out;
	const char *uuid;
	int64_t devices, missing;
	const char *type; /* of block groups being looked at: "data" */
};

static void add_device(const struct filesystem *fs, const struct device *d)
{
	const char *const labels[] = {
		"btrfs_dev_uuid", d->uuid, "device", d->name, "uuid", fs->uuid, NULL};
	sweep_add(fs->out, &metrics[DEVICE_SIZE], d->total, labels);
	sweep_add(fs->out, &metrics[DEVICE_UNUSED], d->total - d->used, labels);
	for (size_t i = 0; i < COUNT(errors); i++)
		sweep_add(fs->out, &metrics[DEVICE_ERRORS], d->errors[i],
			SWEEP_LABELS("btrfs_dev_uuid", d->uuid, "device", d->name, "type",
				errors[i], "uuid", fs->uuid));
}

/* ---- devices, as the kernel answers for a mounted filesystem ---- */

static void write_uuid(const uint8_t *bytes, char out[UUID_LENGTH + 1])
{
	char hex[2 * BTRFS_UUID_SIZE + 1];
	fw_hex(bytes, BTRFS_UUID_SIZE, hex);
	snprintf(out, UUID_LENGTH + 1, "%.8s-%.4s-%.4s-%.4s-%s", hex, hex + 8, hex + 12, hex + 16,
		hex + 20);
}

static bool ask_device(int fd, uint64_t id, struct device *d)
{
	struct btrfs_ioctl_dev_info_args info = {.devid = id};
	struct btrfs_ioctl_get_dev_stats stats = {
		.devid = id, .nr_items = BTRFS_DEV_STAT_VALUES_MAX};
	if (ioctl(fd, BTRFS_IOC_DEV_INFO, &info) < 0 ||
		ioctl(fd, BTRFS_IOC_GET_DEV_STATS, &stats) < 0)
		return false;
	info.path[sizeof info.path - 1] = '\0';
	const char *slash = strrchr((const char *)info.path, '/');
	snprintf(d->name, sizeof d->name, "%s", slash ? slash + 1 : (const char *)info.path);
	write_uuid(info.uuid, d->uuid);
	d->total = (int64_t)info.total_bytes;
	d->used = (int64_t)info.bytes_used;
	for (size_t i = 0; i < COUNT(errors); i++)
		d->errors[i] = i < stats.nr_items ? (int64_t)stats.values[i] : 0;
	return true;
}

/* Whether this is where the filesystem is mounted. */
static bool ask_mount(const struct filesystem *fs, const char *mountpoint)
{
	struct btrfs_ioctl_fs_info_args info = {0};
	int fd = fw_open(mountpoint, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return false;
	char uuid[UUID_LENGTH + 1] = "";
	if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) == 0)
		write_uuid(info.fsid, uuid);
	bool found = strcmp(uuid, fs->uuid) == 0;
	unsigned n = 0;
	for (uint64_t id = 0; found && id <= info.max_id && id <= DEVICE_ID_LIMIT; id++) {
		struct device d;
		if (n < DEVICES_LIMIT && ask_device(fd, id, &d)) {
			add_device(fs, &d);
			n++;
		}
	}
	fw_close(fd);
	return n > 0;
}

static bool ask_devices(struct machine *m, const struct filesystem *fs)
{
	struct fw_cursor c, line;
	struct mount mount;
	if (machine_read(m, "proc/self/mountinfo", &c) < 0)
		return false;
	while (fw_cut_line(&c, &line))
		if (mount_cut(&line, &mount) && strcmp(mount.type, "btrfs") == 0 &&
			ask_mount(fs, mount.mountpoint))
			return true;
	return false;
}

/* ---- devices of a recorded tree, or where the kernel does not answer ---- */

/* recorded/btrfs: filesystem's UUID, name, device's UUID, size, used, errors of five kinds. */
static bool find_recorded(struct machine *m, const struct filesystem *fs)
{
	struct fw_cursor c, line;
	char uuid[NAME_BYTES];
	bool found = false;
	if (machine_read(m, "recorded/btrfs", &c) < 0)
		return false;
	while (fw_cut_line(&c, &line)) {
		struct device d = {0};
		if (!cut_name(&line, ' ', uuid, sizeof uuid) || strcmp(uuid, fs->uuid) != 0 ||
			!cut_name(&line, ' ', d.name, sizeof d.name) ||
			!cut_name(&line, ' ', d.uuid, sizeof d.uuid) ||
			!fw_cut_i64(&line, &d.total) || !fw_cut_i64(&line, &d.used))
			continue;
		for (size_t i = 0; i < COUNT(errors); i++)
			fw_cut_i64(&line, &d.errors[i]);
		add_device(fs, &d);
		found = true;
	}
	return found;
}

static int add_size(struct machine *m, const char *name, void *arg)
{
	const struct filesystem *fs = arg;
	char path[NAME_BYTES + 48];
	int64_t sectors;
	snprintf(path, sizeof path, "sys/class/block/%.*s/size", NAME_BYTES, name);
	if (machine_read_i64(m, path, &sectors) == 0)
		sweep_add(fs->out, &metrics[DEVICE_SIZE], sectors * 512,
			SWEEP_LABELS("device", name, "uuid", fs->uuid));
	return 0;
}

static void add_devices(struct machine *m, struct filesystem *fs)
{
	char path[UUID_LENGTH + 48];
	if (m->recorded ? find_recorded(m, fs) : ask_devices(m, fs))
		return;
	snprintf(path, sizeof path, TREE "/%s/devices", fs->uuid);
	machine_list(m, path, add_size, fs);
}

/* ---- /sys/fs/btrfs ---- */

static int count_device(struct machine *m, const char *name, void *arg)
{
	struct filesystem *fs = arg;
	(void)m;
	(void)name;
	fs->devices++;
	return 0;
}

static int count_missing(struct machine *m, const char *id, void *arg)
{
	struct filesystem *fs = arg;
	char path[UUID_LENGTH + 2 * NAME_BYTES];
	int64_t missing;
	snprintf(path, sizeof path, TREE "/%s/devinfo/%.*s/missing", fs->uuid, NAME_BYTES, id);
	if (machine_read_i64(m, path, &missing) == 0)
		fs->missing += missing != 0;
	return 0;
}

/* How many bytes of the disks a byte of data takes, in billionths. */
static int64_t ratio_of(const char *layout, int64_t devices)
{
	static const struct {
		const char *layout;
		int64_t copies;
	} fixed[] = {{"single", 1}, {"raid0", 1}, {"dup", 2}, {"raid1", 2}, {"raid10", 2},
		{"raid1c3", 3}, {"raid1c4", 4}};
	const int64_t one = 1000000000;
	for (size_t i = 0; i < COUNT(fixed); i++)
		if (strcmp(layout, fixed[i].layout) == 0)
			return fixed[i].copies * one;
	int64_t parity = strcmp(layout, "raid5") == 0 ? 1 : strcmp(layout, "raid6") == 0 ? 2 : 0;
	return parity && devices > parity ? devices * one / (devices - parity) : 0;
}

/* A folder of the block groups' is a layout. */
static int add_layout(struct machine *m, const char *layout, void *arg)
{
	const struct filesystem *fs = arg;
	char path[UUID_LENGTH + 2 * NAME_BYTES];
	int64_t total, used;
	const char *const labels[] = {
		"block_group_type", fs->type, "mode", layout, "uuid", fs->uuid, NULL};
	int length = snprintf(path, sizeof path, TREE "/%s/allocation/%s/%.*s/", fs->uuid, fs->type,
		NAME_BYTES / 2, layout);
	snprintf(path + length, sizeof path - (size_t)length, "total_bytes");
	if (machine_read_i64(m, path, &total) < 0)
		return 0;
	snprintf(path + length, sizeof path - (size_t)length, "used_bytes");
	if (machine_read_i64(m, path, &used) < 0)
		return 0;
	sweep_add(fs->out, &metrics[USED], used, labels);
	sweep_add(fs->out, &metrics[SIZE], total, labels);
	sweep_add(fs->out, &metrics[RATIO], ratio_of(layout, fs->devices), labels);
	return 0;
}

static void add_allocation(struct machine *m, struct filesystem *fs)
{
	static const char *const types[] = {"data", "metadata", "system"};
	char path[UUID_LENGTH + 64];
	int64_t value;
	snprintf(path, sizeof path, TREE "/%s/allocation/global_rsv_size", fs->uuid);
	if (machine_read_i64(m, path, &value) == 0)
		sweep_add(fs->out, &metrics[RESERVE], value, SWEEP_LABELS("uuid", fs->uuid));
	for (size_t i = 0; i < COUNT(types); i++) {
		fs->type = types[i];
		snprintf(path, sizeof path, TREE "/%s/allocation/%s/bytes_reserved", fs->uuid,
			types[i]);
		if (machine_read_i64(m, path, &value) == 0)
			sweep_add(fs->out, &metrics[RESERVED], value,
				SWEEP_LABELS("block_group_type", types[i], "uuid", fs->uuid));
		snprintf(path, sizeof path, TREE "/%s/allocation/%s", fs->uuid, types[i]);
		machine_list(m, path, add_layout, fs);
	}
}

/* From Linux 6.0 on: "commits 3\nlast_commit_ms 1\n..." */
static void add_commits(struct machine *m, const struct filesystem *fs)
{
	static const struct {
		const char *key;
		unsigned metric;
	} keys[] = {{"commits ", COMMITS}, {"last_commit_ms ", LAST_COMMIT},
		{"max_commit_ms ", MAX_COMMIT}, {"total_commit_ms ", COMMIT_SECONDS}};
	struct fw_cursor c, line;
	char path[UUID_LENGTH + 48];
	int64_t value;
	snprintf(path, sizeof path, TREE "/%s/commit_stats", fs->uuid);
	if (machine_read(m, path, &c) < 0)
		return;
	while (fw_cut_line(&c, &line))
		for (size_t i = 0; i < COUNT(keys); i++)
			if (fw_cut_literal(&line, keys[i].key) && fw_cut_i64(&line, &value))
				sweep_add(fs->out, &metrics[keys[i].metric], value,
					SWEEP_LABELS("uuid", fs->uuid));
}

static int add_filesystem(struct machine *m, const char *name, void *arg)
{
	struct filesystem fs = {.out = arg, .uuid = name};
	char path[UUID_LENGTH + 32];
	const char *label;
	if (strlen(name) != UUID_LENGTH || name[8] != '-')
		return 0;
	snprintf(path, sizeof path, TREE "/%s/label", name);
	if (machine_read_line(m, path, &label) < 0)
		return 0;
	sweep_add(fs.out, &metrics[INFO], 1, SWEEP_LABELS("label", label, "uuid", name));
	snprintf(path, sizeof path, TREE "/%s/devices", name);
	machine_list(m, path, count_device, &fs);
	snprintf(path, sizeof path, TREE "/%s/devinfo", name);
	machine_list(m, path, count_missing, &fs);
	sweep_add(fs.out, &metrics[MISSING], fs.missing, SWEEP_LABELS("uuid", name));
	add_commits(m, &fs);
	add_allocation(m, &fs);
	add_devices(m, &fs);
	return 0;
}

static int read_btrfs(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	(void)state;
	int rc = machine_list(m, TREE, add_filesystem, out);
	return rc < 0 ? fw_fail(err, -ENODATA, "this machine has no /" TREE) : 0;
}

const struct source source_btrfs = {
	.name = "btrfs",
	.help = "Btrfs: allocation, devices and their errors.",
	.purpose =
		"Errors of disks, lost disks, and room that is allotted though df shows it as free.",
	.reads = "/sys/fs/btrfs, the kernel's answer for each mounted one",
	.slow = true,
	.only_with = TREE,
	.every_s = 60,
	.timeout_s = 20,
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.read = read_btrfs,
};
