/* Mounts whose server, or FUSE program, may not answer.
 *
 * statvfs() on a mount of a dead server cannot be interrupted, so a child asks
 * for each such mount once a minute and the sweep takes the last answer. While
 * a child is stuck no second one asks for the same mount; it is killed after
 * half a minute and gone when the kernel lets it go. There are never more than
 * DISTANT_CHILDREN of them: mounts that cannot be asked for so long have no answer.
 */
#pragma once

#include <stdint.h>

#define DISTANT_CHILDREN 32

struct space {
	int64_t size, free, avail; /* bytes */
	int64_t files, files_free;
};

/* In the calling process: for mounts that this machine serves itself. 0 or a negative errno. */
int space_read(const char *mountpoint, struct space *out);

struct distant;

struct distant_set {
	struct distant *first;
	int patience_ms; /* left of what this sweep may wait for mounts that it sees first */
	unsigned children;
	unsigned first_asks; /* left of those that it may make */
};

void distant_begin(struct distant_set *set);
/* 0, -ETIMEDOUT while the mount does not answer, -EAGAIN while nobody could ask it, or what statvfs() said. */
int distant_read(
	struct distant_set *set, const char *mountpoint, int64_t now_ms, struct space *out);
void distant_end(struct distant_set *set); /* forgets mounts that were not read since begin */
void distant_done(struct distant_set *set);
