/* SPDX-License-Identifier: Apache-2.0 */
#include "mounts.h"
#include "people.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "distant.h"

/* A machine with more mounts is a host of containers or of homes: the rest is counted. */
#define MOUNTS_LIMIT 400
#define FSTAB_LIMIT 400

enum {
	SIZE,
	FREE,
	AVAIL,
	FILES,
	FILES_FREE,
	READONLY,
	DEVICE_ERROR,
	MOUNT_INFO,
	READONLY_SINCE,
	LEFT_OUT,
	FSTAB_STATUS,
};

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
	[READONLY_SINCE] = {"fenwatch_filesystem_readonly_since_timestamp_seconds", FW_GAUGE,
		"seconds",
		"When a filesystem that should be written was first seen read-only; 0: it is not.",
		3, 1},
	[LEFT_OUT] = {"fenwatch_filesystem_mounts_left_out", FW_GAUGE, "",
		"Mounts that have no series of their own, since there are too many.", 0, 1},
	[FSTAB_STATUS] = {"node_fstab_mount_status", FW_GAUGE, "",
		"Whether what /etc/fstab wants mounted is mounted.", 0, 1},
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
	"reiserfs",
	"udf",
	"vfat",
	"xfs",
	"zfs",
};

/* In memory. */
static const char *const memory_types[] = {"ramfs", "tmpfs"};

/* What is kept first when there are too many: what fstab names, then disks, then what
 * others serve, then memory. Within a rank, what was mounted first. */
enum rank { NAMED, DISK, SERVED, MEMORY, RANKS, IGNORED };

struct entry { /* of the kernel's list */
	uint64_t place;
	uint32_t at; /* of its line in the text */
	enum rank rank;
};

struct wish { /* of fstab */
	uint64_t place;
	bool readonly;
};

struct flip {
	uint64_t place;
	int64_t since_ms;
};

struct filesystem {
	struct distant_set distant;
	struct fw_buf text; /* the kernel's list, since more is read for its lines */
	struct fw_buf fstab;
	struct fw_buf recorded; /* a recorded tree's own answers */
	struct entry *entries;
	size_t n_entries, entries_capacity;
	struct wish wishes[FSTAB_LIMIT];
	size_t n_wishes;
	struct flip flips[MOUNTS_LIMIT]; /* what is read-only and should not be */
	size_t n_flips;
};

static struct fw_cursor cursor_of(const struct fw_buf *text)
{
	const char *at = text->data ? (const char *)text->data : "";
	return (struct fw_cursor){at, at + text->length};
}

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

/* recorded/statvfs of a recorded tree: mountpoint, block size, blocks, free,
 * available, files, files free. */
static int find_recorded(const struct filesystem *fs, const char *mountpoint, struct space *out)
{
	struct fw_cursor c = cursor_of(&fs->recorded), line;
	char path[PATH_BYTES];
	int64_t block;
	while (fw_cut_line(&c, &line)) {
		if (!mount_cut_path(&line, path, sizeof path) || strcmp(path, mountpoint) != 0)
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
	if (is_among(mount->type, local_types, COUNT(local_types)) ||
		is_among(mount->type, memory_types, COUNT(memory_types)))
		return space_read(mount->mountpoint, out);
	return distant_read(&fs->distant, mount->mountpoint, m->now_ms, out);
}

/* ---- fstab ---- */

static const struct wish *find_wish(const struct filesystem *fs, uint64_t place)
{
	for (size_t i = 0; i < fs->n_wishes; i++)
		if (fs->wishes[i].place == place)
			return &fs->wishes[i];
	return NULL;
}

static bool is_mounted(const struct filesystem *fs, uint64_t place)
{
	for (size_t i = 0; i < fs->n_entries; i++)
		if (fs->entries[i].place == place)
			return true;
	return false;
}

static void read_fstab(struct filesystem *fs, struct machine *m)
{
	struct fw_cursor c;
	fw_buf_reset(&fs->fstab);
	if (machine_read(m, "etc/fstab", &c) == 0)
		fw_buf_append(&fs->fstab, c.at, (size_t)(c.end - c.at));
}

static bool next_line(struct fw_cursor *c, struct fstab_line *out)
{
	struct fw_cursor line;
	while (fw_cut_line(c, &line))
		if (fstab_cut(&line, out))
			return true;
	return false;
}

static void note_wishes(struct filesystem *fs)
{
	struct fw_cursor c = cursor_of(&fs->fstab);
	struct fstab_line line;
	fs->n_wishes = 0;
	while (fs->n_wishes < FSTAB_LIMIT && next_line(&c, &line))
		fs->wishes[fs->n_wishes++] =
			(struct wish){mount_place(line.mountpoint), line.readonly};
}

static void add_wishes(const struct filesystem *fs, const struct machine *m, struct sweep *out)
{
	struct fw_cursor c = cursor_of(&fs->fstab);
	struct fstab_line line;
	char path[PATH_BYTES];
	for (size_t i = 0; i < fs->n_wishes && next_line(&c, &line); i++)
		if (line.wanted)
			sweep_add(out, &metrics[FSTAB_STATUS], is_mounted(fs, fs->wishes[i].place),
				SWEEP_LABELS("mountpoint",
					people_free_path(m, line.mountpoint, path, sizeof path)));
}

/* ---- read-only ---- */

/* Kept in memory only: where the agent's own disk is the one that flipped, nothing can be
 * written. The alert at the collector keeps its own date. */
static int64_t flipped_since_ms(struct filesystem *fs, uint64_t place, bool flipped, int64_t now_ms)
{
	size_t i = 0;
	while (i < fs->n_flips && fs->flips[i].place != place)
		i++;
	if (!flipped) {
		if (i < fs->n_flips)
			fs->flips[i] = fs->flips[--fs->n_flips];
		return 0;
	}
	if (i == COUNT(fs->flips))
		return now_ms;
	if (i == fs->n_flips)
		fs->flips[fs->n_flips++] = (struct flip){place, now_ms};
	return fs->flips[i].since_ms;
}

static void add_readonly(struct filesystem *fs, const struct entry *entry,
	const struct mount *mount, struct sweep *out, int64_t now_ms)
{
	const struct wish *wish = find_wish(fs, entry->place);
	const char *const labels[] = {"device", mount->device, "fstype", mount->type, "mountpoint",
		mount->mountpoint, NULL};
	sweep_add(out, &metrics[READONLY], mount->readonly, labels);
	if (!wish && !is_among(mount->type, local_types, COUNT(local_types)))
		return;
	bool flipped = wish ? mount->readonly && !wish->readonly : mount->forced;
	sweep_add(out, &metrics[READONLY_SINCE],
		flipped_since_ms(fs, entry->place, flipped, now_ms), labels);
}

/* ---- mounts ---- */

static void add_space(
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
	sweep_add(out, &metrics[DEVICE_ERROR], rc != 0,
		SWEEP_LABELS("device", mount->device, "device_error", error, "fstype", mount->type,
			"mountpoint", mount->mountpoint));
}

static void add_info(struct sweep *out, const struct mount *mount)
{
	char major[24], minor[24];
	snprintf(major, sizeof major, "%llu", (unsigned long long)mount->major);
	snprintf(minor, sizeof minor, "%llu", (unsigned long long)mount->minor);
	sweep_add(out, &metrics[MOUNT_INFO], 1,
		SWEEP_LABELS("device", mount->device, "major", major, "minor", minor, "mountpoint",
			mount->mountpoint));
}

static void add_mount(
	struct filesystem *fs, struct machine *m, const struct entry *entry, struct sweep *out)
{
	struct fw_cursor c = cursor_of(&fs->text), line;
	struct mount mount;
	struct space space;
	c.at += entry->at;
	if (!fw_cut_line(&c, &line) || !mount_cut(&line, &mount))
		return;
	int rc = read_space(fs, m, &mount, &space);
	if (rc == -EAGAIN)
		return;
	char text[PATH_BYTES];
	if (people_free_path(m, mount.mountpoint, text, sizeof text) == text)
		snprintf(mount.mountpoint, sizeof mount.mountpoint, "%s", text);
	if (people_free_device(m, mount.device, text, sizeof text) == text)
		snprintf(mount.device, sizeof mount.device, "%s", text);
	add_space(out, &mount, rc, &space);
	add_readonly(fs, entry, &mount, out, m->now_ms);
	add_info(out, &mount);
}

static void read_recorded(struct filesystem *fs, struct machine *m)
{
	struct fw_cursor c;
	fw_buf_reset(&fs->recorded);
	if (machine_read(m, "recorded/statvfs", &c) == 0)
		fw_buf_append(&fs->recorded, c.at, (size_t)(c.end - c.at));
}

/* The first process sees all mounts, where the agent may be shown fewer. */
static int read_mountinfo(struct filesystem *fs, struct machine *m, struct fw_err *err)
{
	struct fw_cursor c;
	int rc = machine_read(m, "proc/1/mountinfo", &c);
	if (rc < 0)
		rc = read_facts(m, "proc/self/mountinfo", &c, err);
	if (rc < 0)
		return rc;
	fw_buf_reset(&fs->text);
	fw_buf_append(&fs->text, c.at, (size_t)(c.end - c.at));
	return 0;
}

static enum rank rank_of(const struct filesystem *fs, const struct mount *mount, uint64_t place)
{
	if (is_ignored(mount))
		return IGNORED;
	if (find_wish(fs, place) || strcmp(mount->mountpoint, "/") == 0)
		return NAMED;
	if (is_among(mount->type, memory_types, COUNT(memory_types)))
		return MEMORY;
	return is_among(mount->type, local_types, COUNT(local_types)) ? DISK : SERVED;
}

static struct entry *new_entry(struct filesystem *fs)
{
	if (fs->n_entries == fs->entries_capacity) {
		fs->entries_capacity = fs->entries_capacity ? fs->entries_capacity * 2 : 32;
		fs->entries = fw_realloc(fs->entries, fs->entries_capacity * sizeof *fs->entries);
	}
	return &fs->entries[fs->n_entries++];
}

/* The text has at most as many bytes as machine_read() reads, so the entries have a limit too. */
static void list_entries(struct filesystem *fs)
{
	struct fw_cursor c = cursor_of(&fs->text), line;
	const char *text = c.at;
	struct mount mount;
	fs->n_entries = 0;
	while (fw_cut_line(&c, &line)) {
		uint32_t at = (uint32_t)(line.at - text);
		if (!mount_cut(&line, &mount))
			continue;
		uint64_t place = mount_place(mount.mountpoint);
		*new_entry(fs) = (struct entry){place, at, rank_of(fs, &mount, place)};
	}
}

/* How many of each rank are kept. */
static size_t share_out(const struct filesystem *fs, size_t share[RANKS])
{
	size_t left = MOUNTS_LIMIT, left_out = 0;
	memset(share, 0, RANKS * sizeof *share);
	for (size_t i = 0; i < fs->n_entries; i++)
		if (fs->entries[i].rank != IGNORED)
			share[fs->entries[i].rank]++;
	for (size_t i = 0; i < RANKS; i++) {
		size_t kept = share[i] < left ? share[i] : left;
		left_out += share[i] - kept;
		left -= kept;
		share[i] = kept;
	}
	return left_out;
}

static int read_filesystem(void *state, struct machine *m, struct sweep *out, struct fw_err *err)
{
	struct filesystem *fs = state;
	size_t share[RANKS];
	int rc = read_mountinfo(fs, m, err);
	if (rc < 0)
		return rc;
	if (m->recorded)
		read_recorded(fs, m);
	read_fstab(fs, m);
	note_wishes(fs);
	list_entries(fs);
	sweep_add_plain(out, &metrics[LEFT_OUT], (int64_t)share_out(fs, share));
	distant_begin(&fs->distant);
	for (size_t i = 0; i < fs->n_entries; i++) {
		const struct entry *entry = &fs->entries[i];
		if (entry->rank != IGNORED && share[entry->rank] > 0) {
			share[entry->rank]--;
			add_mount(fs, m, entry, out);
		}
	}
	distant_end(&fs->distant);
	add_wishes(fs, m, out);
	return 0;
}

static void close_filesystem(void *state)
{
	struct filesystem *fs = state;
	distant_done(&fs->distant);
	fw_buf_done(&fs->text);
	fw_buf_done(&fs->fstab);
	fw_buf_done(&fs->recorded);
	fw_free(fs->entries);
}

const struct source source_filesystem = {
	.name = "filesystem",
	.help = "Size and free space of what is mounted, and what should be mounted and is not.",
	.purpose = "To act before a filesystem is full, read-only or missing.",
	.reads = "/proc/self/mountinfo, /etc/fstab, statvfs() of each mount",
	.metrics = metrics,
	.n_metrics = COUNT(metrics),
	.state_size = sizeof(struct filesystem),
	.close = close_filesystem,
	.read = read_filesystem,
};
