/* Files, through the one door where a test can make them fail (fault.h).
 *
 * Everything returns 0 or a count, or a negative errno. Short writes and EINTR
 * are dealt with here: a write that returns has written all of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <fenwatch/err.h>

struct fw_buf;

int fw_open(const char *path, int flags, mode_t mode); /* O_CLOEXEC is added */
int fw_openat(int dir, const char *path, int flags, mode_t mode);
int fw_close(int fd);
ssize_t fw_pread(int fd, void *data, size_t length, uint64_t offset); /* may be short at the end */
int fw_write(int fd, const void *data, size_t length);
int fw_pwrite(int fd, const void *data, size_t length, uint64_t offset);
int fw_fsync(int fd);
int fw_fdatasync(int fd);
int fw_rename(const char *from, const char *to);
int fw_unlink(const char *path);
int fw_truncate(int fd, uint64_t length);
/* Reserves and zero-fills, so that later writes cannot meet a full disk. */
int fw_preallocate(int fd, uint64_t length);
int fw_fsync_dir(const char *path);
int fw_mkdir_all(const char *path, mode_t mode); /* what exists is well */

/* The whole file, refused with -EFBIG past `limit`. */
int fw_file_read(const char *path, size_t limit, struct fw_buf *out, struct fw_err *err);
/* Durable and atomic: temporary file, fsync, rename, fsync of the directory. */
int fw_file_replace(
	const char *path, const void *data, size_t length, mode_t mode, struct fw_err *err);
/* Root is another user from now on, for good and in no other group. */
int fw_become(uid_t uid, gid_t gid);
/* Run by root for a folder of somebody else's, goes on as that user for good: what is written
 * there is then readable for the service that comes after. Does nothing for others. */
int fw_become_owner(const char *dir, struct fw_err *err);
/* Takes an advisory lock on PATH (made if absent) that ends with the process;
 * -EBUSY when another holds it. Returns the descriptor. */
int fw_file_lock(const char *path, struct fw_err *err);
