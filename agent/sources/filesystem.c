/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "distant.h"

enum { SIZE, FREE, AVAIL, FILES, FILES_FREE, READONLY, DEVICE_ERROR, MOUNT_INFO };

static const struct metric metrics[] = {
	[SIZE] = {"node_filesystem_size_bytes", FW_GAUGE, "bytes", "Filesystem size in bytes.", 0,
		1},
	[FREE] = {"node_filesystem_free_bytes", FW_GAUGE, "bytes",
		"Filesystem free space in bytes.", 0, 1},
	[AVAIL] = {"node_filesystem_avail_bytes", FW_GAUGE, "bytes",
		"Filesystem space available to non-root users in bytes.", 0, 1},
	[FILES] = {"node_filesystem_files", FW_GAUGE, "", "Filesystem total file nodes.", 0, 1},
	[FILES_FREE] = {"node_filesystem_files_free", FW_GAUGE, "",
		"Filesystem total free file nodes.", 0, 1},
	[READONLY] = {"node_filesystem_readonly", FW_GAUGE, "", "Filesystem read-only status.", 0,
		1},
	[DEVICE_ERROR] = {"node_filesystem_device_error", FW_GAUGE, "",
		"Whether an error occurred while getting statistics for the given device.", 0, 1},
	[MOUNT_INFO] = {"node_filesystem_mount_info", FW_GAUGE, "",
		"Which device is mounted where, value is always 1.", 0, 1},
};

/* What holds no one's files. */
static const char *const ignored_types[] = {
	"autofs",
	"binfmt_misc",
	"bpf",
	"cgroup",
	"cgroup2",
	"configfs",
	"debugfs",
	"devpts",
	"devtmpfs",
	"fusectl",
	"hugetlbfs",
	"iso9660",
	"mqueue",
	"nsfs",
	"overlay",
	"proc",
	"procfs",
	"pstore",
	"rpc_pipefs",
	"securityfs",
	"selinuxfs",
	"squashfs",
	"erofs",
	"sysfs",
	"tracefs",
};

/* Everything else may depend on a server or a program that does not answer. */
static const char *const local_types[] = {
	"bcachefs",
	"btrfs",
	"exfat",
	"ext2",
	"ext3",
	"ext4",
	"f2fs",
	"jfs",
	"msdos",
	"ntfs3",
	"ramfs",
	"reiserfs",
	"tmpfs",
	"udf",
	"vfat",
	"xfs",
	"zfs",
};

#define PATH_BYTES 1025

struct mount {
	char device[PATH_BYTES], mountpoint[PATH_BYTES], type[NAME_BYTES];
	uint64_t major, minor;
	bool readonly;
};

struct filesystem {
	struct distant_set distant;
	struct fw_buf recorded; /* a recorded tree's own answers */
};

static bool is_among(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* ^/(dev|proc|sys|run/credentials/.+|var/lib/docker/.+|var/lib/containers/storage/.+)($|/) */
static bool is_ignored(const struct mount *mount)
{
	static const char *const trees[] = {"/dev", "/proc", "/sys"};
	static const char *const below[] = {
		"/run/credentials/", "/var/lib/docker/", "/var/lib/containers/storage/"};
	if (is_among(mount->type, ignored_types, COUNT(ignored_types)))
		return true;
	for (size_t i = 0; i < COUNT(trees); i++) {
		size_t length = strlen(trees[i]);
		const char *rest = mount->mountpoint + length;
		if (strncmp(mount->mountpoint, trees[i], length) == 0 &&
			(*rest == '\0' || *rest == '/'))
			return true;
	}
	for (size_t i = 0; i < COUNT(below); i++) {
		size_t length = strlen(below[i]);
		if (strncmp(mount->mountpoint, below[i], length) == 0 && mount->mountpoint[length])
			return true;
	}
	return false;
}

static bool is_octal(const char *text, const char *end)
{
	if (end - text < 3)
		return false;
	for (int i = 0; i < 3; i++)
		if (text[i] < '0' || text[i] > '7')
			return false;
	return true;
}

/* A word in which the kernel has written blanks and backslashes as \040 and the like. */
static bool cut_path(struct fw_cursor *line, char *out, size_t size)
{
	const char *at;
	size_t length, n = 0;
	if (!fw_cut_word(line, &at, &length) || length >= size)
		return false;
	const char *end = at + length;
	while (at < end) {
		if (*at == '\\' && is_octal(at + 1, end)) {
			out[n++] = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
			at += 4;
		} else {
			out[n++] = *at++;
		}
	}
	out[n] = '\0';
	return true;
}

static bool is_readonly(const char *options, size_t length)
{
	return length >= 2 && memcmp(options, "ro", 2) == 0 && (length == 2 || options[2] == ',');
}

/* "36 35 98:0 /root /mountpoint rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static bool cut_mount(struct fw_cursor *line, struct mount *out)
{
	uint64_t id, parent;
	const char *word;
	size_t length;
	if (!fw_cut_u64(line, &id) || !fw_cut_u64(line, &parent) ||
		!fw_cut_u64(line, &out->major) || !fw_cut_literal(line, ":") ||
		!fw_cut_u64(line, &out->minor) || !fw_cut_word(line, &word, &length) ||
		!cut_path(line, out->mountpoint, sizeof out->mountpoint) ||
		!fw_cut_word(line, &word, &length))
		return false;
	out->readonly = is_readonly(word, length);
	do {
		if (!fw_cut_word(line, &word, &length))
			return false;
	} while (length != 1 || *word != '-');
	if (!cut_name(line, ' ', out->type, sizeof out->type) ||
		!cut_path(line, out->device, sizeof out->device))
		return false;
	if (fw_cut_word(line, &word, &length))
		out->readonly = out->readonly || is_readonly(word, length);
	return true;
}

/* recorded/statvfs of a recorded tree: mountpoint, block size, blocks, free,
 * available, files, files free. */
static int find_recorded(const struct filesystem *fs, const char *mountpoint, struct space *out)
{
	const char *text = fs->recorded.data ? (const char *)fs->recorded.data : "";
	struct fw_cursor c = {text, text + fs->recorded.length}, line;
	char path[PATH_BYTES];
	int64_t block;
	while (fw_cut_line(&c, &line)) {
		if (!cut_path(&line, path, sizeof path) || strcmp(path, mountpoint) != 0)
			continue;
		if (!fw_cut_i64(&line, &block) || !fw_cut_i64(&line, &out->size) ||
			!fw_cut_i64(&line, &out->free) || !fw_cut_i64(&line, &out->avail) ||
			!fw_cut_i64(&line, &out->files) || !fw_cut_i64(&line, &out->files_free))
			return -EIO;
		out->size *= block;
		out->free *= block;
		out->avail *= block;
		return 0;
	}
	return -ENOENT;
}

static int read_space(
	struct filesystem *fs, struct machine *m, const struct mount *mount, struct space *out)
{
	if (m->recorded)
		return find_recorded(fs, mount->mountpoint, out);
	if (is_among(mount->type, local_types, COUNT(local_types)))
		return space_read(mount->mountpoint, out);
	return distant_read(&fs->distant, mount->mountpoint, m->now_ms, out);
}

static void add_mount(
	struct sweep *out, const struct mount *mount, int rc, const struct space *space)
{
	const char *error = rc == 0 ? ""
		: rc == -ETIMEDOUT  ? "mountpoint timeout"
				    : fw_strerror(rc);
	const char *const labels[] = {"device", mount->device, "fstype", mount->type, "mountpoint",
		mount->mountpoint, NULL};
	if (rc == 0) {
		sweep_add(out, &metrics[SIZE], space->size, labels);
		sweep_add(out, &metrics[FREE], space->free, labels);
		sweep_add(out, &metrics[AVAIL], space->avail, labels);
		sweep_add(out, &metrics[FILES], space->files, labels);
		sweep_add(out, &metrics[FILES_FREE], space->files_free, labels);
	}
	sweep_add(out, &metrics[READONLY], mount->readonly, labels);
	sweep_add(out, &metrics[DEVICE_ERROR], rc != 0,
		SWEEP_LABELS("device", mount->device, "device_error", error, "fstype", mount->type,
			"mountpoint", mount->mountpoint));
	char major[24], minor[24];
	snprintf(major, sizeof major, "%llu", (unsigned long long)mount->major);
	snprintf(minor, sizeof minor, "%llu", (unsigned long long)mount->minor);
	sweep_add(out, &metrics[MOUNT_INFO], 1,
		SWEEP_LABELS("device", mount->device, "major", major, "minor", minor, "mountpoint",
			mount->mountpoint));
}

static void read_recorded(struct filesystem *fs, struct machine *m)
{
	struct fw_cursor c;
	fw_buf_reset(&fs->recorded);
	if (machine_read(m, "recorded/statvfs", &c) == 0)
		fw_buf_append(&fs->recorded, c.at, (size_t)(c.end - c.at));
}

/* The first process sees all mounts, where the agent may be shown fewer. */
static int read_mounts(struct machine *m, struct fw_cursor *c, struct fw_err *err)
{
	int rc = machine_read(m, "proc/1/mountinfo", c);
	return rc < 0 ? read_facts(m, "proc/self/mountinfo", c, err) : 0;
}

static int read_filesystem(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	struct filesystem *fs = state;
	struct fw_cursor c, line;
	if (m->recorded)
		read_recorded(fs, m);
	int rc = read_mounts(m, &c, err);
	if (rc < 0)
		return rc;
	struct mount mount;
	struct space space;
	distant_begin(&fs->distant);
	while (fw_cut_line(&c, &line)) {
		if (!cut_mount(&line, &mount) || is_ignored(&mount))
			continue;
		rc = read_space(fs, m, &mount, &space);
		add_mount(out, &mount, rc, &space);
	}
	distant_end(&fs->distant);
	return 0;
}

static void close_filesystem(void *state)
{
	struct filesystem *fs = state;
	distant_done(&fs->distant);
	fw_buf_done(&fs->recorded);
}

const struct source source_filesystem = {
	.name = "filesystem",
	.help = "Size and free space of what is mounted.",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.state_size = sizeof(struct filesystem),
	.close = close_filesystem,
	.read = read_filesystem,
};
