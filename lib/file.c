/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/file.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fenwatch/buf.h>
#include <fenwatch/fault.h>
#include <fenwatch/mem.h>

enum { CHUNK_BYTES = 64 * 1024, ZEROES_BYTES = 256 * 1024 };

/* True where a test's fault stands in for the operation; *rc is then its result. */
static bool is_faulted(enum fw_op op, int *rc)
{
	int fault = fw_fault(op);
	*rc = fault < 0 ? fault : 0;
	return fault != 0;
}

static int result_of(int returned)
{
	return returned < 0 ? -errno : returned;
}

int fw_open(const char *path, int flags, mode_t mode)
{
	return fw_openat(AT_FDCWD, path, flags, mode);
}

int fw_openat(int dir, const char *path, int flags, mode_t mode)
{
	int rc;
	if (is_faulted(FW_OP_OPEN, &rc) && rc < 0)
		return rc;
	do
		rc = openat(dir, path, flags | O_CLOEXEC, mode);
	while (rc < 0 && errno == EINTR);
	return result_of(rc);
}

/* Linux has closed the descriptor even when it says EINTR. */
int fw_close(int fd)
{
	int rc = result_of(close(fd));
	return rc == -EINTR ? 0 : rc;
}

ssize_t fw_pread(int fd, void *data, size_t length, uint64_t offset)
{
	int rc;
	if (is_faulted(FW_OP_READ, &rc) && rc < 0)
		return rc;
	size_t got = 0;
	while (got < length) {
		ssize_t n = pread(fd, (char *)data + got, length - got, (off_t)(offset + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

int fw_write(int fd, const void *data, size_t length)
{
	int rc;
	if (is_faulted(FW_OP_WRITE, &rc))
		return rc;
	for (size_t put = 0; put < length;) {
		ssize_t n = write(fd, (const char *)data + put, length - put);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			put += (size_t)n;
	}
	return 0;
}

static int write_at(int fd, const void *data, size_t length, uint64_t offset)
{
	for (size_t put = 0; put < length;) {
		ssize_t n =
			pwrite(fd, (const char *)data + put, length - put, (off_t)(offset + put));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			put += (size_t)n;
	}
	return 0;
}

int fw_pwrite(int fd, const void *data, size_t length, uint64_t offset)
{
	int rc;
	if (is_faulted(FW_OP_PWRITE, &rc))
		return rc;
	return write_at(fd, data, length, offset);
}

/* A failed fsync is never tried again: the kernel may have dropped the pages. */
int fw_fsync(int fd)
{
	int rc;
	if (is_faulted(FW_OP_FSYNC, &rc))
		return rc;
	return result_of(fsync(fd));
}

int fw_fdatasync(int fd)
{
	int rc;
	if (is_faulted(FW_OP_FDATASYNC, &rc))
		return rc;
	return result_of(fdatasync(fd));
}

int fw_rename(const char *from, const char *to)
{
	int rc;
	if (is_faulted(FW_OP_RENAME, &rc))
		return rc;
	return result_of(rename(from, to));
}

int fw_unlink(const char *path)
{
	int rc;
	if (is_faulted(FW_OP_UNLINK, &rc))
		return rc;
	return result_of(unlink(path));
}

int fw_truncate(int fd, uint64_t length)
{
	int rc;
	if (is_faulted(FW_OP_TRUNCATE, &rc))
		return rc;
	return result_of(ftruncate(fd, (off_t)length));
}

/* Written, not only reserved: a file system that cannot reserve has then met
 * its limit here, and later writes change no extents. */
static int write_zeroes(int fd, uint64_t from, uint64_t to)
{
	static const char zeroes[ZEROES_BYTES];
	int rc = 0;
	while (rc == 0 && from < to) {
		size_t length = to - from < sizeof zeroes ? (size_t)(to - from) : sizeof zeroes;
		rc = write_at(fd, zeroes, length, from);
		from += length;
	}
	return rc;
}

int fw_preallocate(int fd, uint64_t length)
{
	int rc;
	if (is_faulted(FW_OP_FALLOCATE, &rc))
		return rc;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	do
		rc = result_of(fallocate(fd, 0, 0, (off_t)length));
	while (rc == -EINTR);
	if (rc < 0 && rc != -EOPNOTSUPP)
		return rc;
	return write_zeroes(fd, (uint64_t)st.st_size, length);
}

int fw_fsync_dir(const char *path)
{
	int fd = fw_open(path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	int rc = fw_fsync(fd);
	fw_close(fd);
	return rc;
}

static int make_one(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	struct stat st;
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int fw_mkdir_all(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t length = strlen(path);
	if (length == 0)
		return -ENOENT;
	if (length >= sizeof part)
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= length; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		int rc = make_one(part, mode);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Until the end of the file, not to its size: files of /proc have none. One
 * byte more than the limit is asked for, so that "too big" is noticed. */
static int read_to_end(int fd, size_t limit, struct fw_buf *out)
{
	uint64_t offset = 0;
	while (offset <= limit) {
		size_t wanted =
			limit - offset < CHUNK_BYTES ? (size_t)(limit - offset) + 1 : CHUNK_BYTES;
		uint8_t *at = fw_buf_reserve(out, wanted);
		if (!at)
			return -EFBIG;
		ssize_t got = fw_pread(fd, at, wanted, offset);
		if (got < 0)
			return (int)got;
		out->length += (size_t)got;
		out->data[out->length] = '\0';
		offset += (uint64_t)got;
		if ((size_t)got < wanted)
			return 0;
	}
	return -EFBIG;
}

int fw_file_read(const char *path, size_t limit, struct fw_buf *out, struct fw_err *err)
{
	int fd = fw_open(path, O_RDONLY | O_NOCTTY, 0);
	if (fd < 0)
		return fw_fail_sys(err, fd, "cannot open '%s'", path);
	size_t before = out->length;
	int rc = read_to_end(fd, limit, out);
	fw_close(fd);
	if (rc == 0)
		return 0;
	out->length = before;
	if (out->data)
		out->data[before] = '\0';
	if (rc == -EFBIG)
		return fw_fail(err, rc, "'%s' is larger than %zu bytes", path, limit);
	return fw_fail_sys(err, rc, "cannot read '%s'", path);
}

static int fsync_dir_of(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	if (!slash)
		return fw_fsync_dir(".");
	size_t length = slash == path ? 1 : (size_t)(slash - path);
	if (length >= sizeof dir)
		return -ENAMETOOLONG;
	memcpy(dir, path, length);
	dir[length] = '\0';
	return fw_fsync_dir(dir);
}

/* O_EXCL: nobody holds the new file open from before, as it may be secret. */
static int create_anew(const char *path, mode_t mode)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
	int fd = fw_open(path, flags, mode);
	if (fd != -EEXIST)
		return fd;
	int rc = fw_unlink(path);
	return rc < 0 ? rc : fw_open(path, flags, mode);
}

static int write_whole(const char *path, const void *data, size_t length, mode_t mode)
{
	int fd = create_anew(path, mode);
	if (fd < 0)
		return fd;
	int rc = result_of(fchmod(fd, mode));
	if (rc == 0)
		rc = fw_write(fd, data, length);
	if (rc == 0)
		rc = fw_fsync(fd);
	int closed = fw_close(fd);
	return rc < 0 ? rc : closed;
}

int fw_file_replace(
	const char *path, const void *data, size_t length, mode_t mode, struct fw_err *err)
{
	char temporary[PATH_MAX];
	int n = snprintf(temporary, sizeof temporary, "%s.new", path);
	if (n < 0 || (size_t)n >= sizeof temporary)
		return fw_fail_sys(err, -ENAMETOOLONG, "cannot write '%s'", path);
	int rc = write_whole(temporary, data, length, mode);
	if (rc == 0)
		rc = fw_rename(temporary, path);
	if (rc == 0)
		rc = fsync_dir_of(path);
	else
		unlink(temporary);
	return rc < 0 ? fw_fail_sys(err, rc, "cannot write '%s'", path) : 0;
}

int fw_become(uid_t uid, gid_t gid)
{
	bool done = setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
		setresuid(uid, uid, uid) == 0;
	return done ? 0 : -errno;
}

int fw_become_owner(const char *dir, struct fw_err *err)
{
	struct stat st;
	if (geteuid() != 0 || stat(dir, &st) < 0 || st.st_uid == 0)
		return 0;
	int rc = fw_become(st.st_uid, st.st_gid);
	return rc < 0 ? fw_fail_sys(err, rc, "becoming the owner of '%s'", dir) : 0;
}

/* A record lock, as a child that is forked and hangs must not keep it. */
int fw_file_lock(const char *path, struct fw_err *err)
{
	int fd = fw_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fw_fail_sys(err, fd, "cannot open lock '%s'", path);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(fd, F_SETLK, &lock) == 0)
		return fd;
	int rc = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	if (rc == -EBUSY && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		fw_fail(err, rc, "'%s' is in use by process %d", path, (int)lock.l_pid);
	else
		fw_fail_sys(err, rc, "cannot lock '%s'", path);
	fw_close(fd);
	return rc;
}
