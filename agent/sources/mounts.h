/* What is mounted, by the kernel's own list, and what should be, by /etc/fstab.
 *
 * Both are read a line at a time. To hold one against the other, a mountpoint is
 * known by a 64-bit hash of its path, so that 2,000 mounts cost no memory for
 * their paths.
 */
#pragma once

#include "parse.h"

#define PATH_BYTES 1025

struct mount {
	char device[PATH_BYTES], mountpoint[PATH_BYTES], type[NAME_BYTES];
	uint64_t major, minor;
	bool readonly;
	bool forced; /* mounted to be written, but the filesystem itself is read-only */
};

/* A line of /proc/PID/mountinfo. */
bool mount_cut(struct fw_cursor *line, struct mount *out);
/* A path in which blanks and backslashes are written as \040 and the like. */
bool mount_cut_path(struct fw_cursor *line, char *out, size_t size);

/* Whether it may stop to answer, as its server or the program behind it may. */
bool mount_is_distant(const struct mount *mount);
/* The mount that `path` (absolute) lies on, by the kernel's list. -ENOENT. */
int mount_find(struct machine *m, const char *path, struct mount *out);

struct fstab_line {
	char mountpoint[PATH_BYTES];
	bool readonly;
	bool wanted; /* mounted at boot, or an automount that waits for its first use */
};

/* A line of /etc/fstab. False for comments, swap and what has no mountpoint. */
bool fstab_cut(struct fw_cursor *line, struct fstab_line *out);

uint64_t mount_place(const char *mountpoint);
