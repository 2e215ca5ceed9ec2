/* SPDX-License-Identifier: Apache-2.0 */
#include "name_file.h"

#include <errno.h>
#include <fcntl.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"

enum { RECORD_HEAD = ENVELOPE_BYTES + 4, PIECE_BYTES = 1 << 20 };

/* ---- opening ---- */

static char *path_in(const char *dir, enum file_kind kind)
{
	return fw_format("%s/%s", dir, kind == FILE_SCHEMAS ? "schema.log" : "host.log");
}

static int put_header(const struct name_file *file, int fd)
{
	uint8_t header[FILE_HEADER_BYTES] = {0};
	file_header_seal(header, file->super, file->kind, 0);
	return fw_pwrite(fd, header, sizeof header, 0);
}

static int sync_file(const struct name_file *file, const char *dir)
{
	int rc = fw_fdatasync(file->fd);
	return rc < 0 ? rc : fw_fsync_dir(dir);
}

static int make_file(const struct name_file *file, const char *dir)
{
	int rc = put_header(file, file->fd);
	return rc < 0 ? rc : sync_file(file, dir);
}

static int check_header(struct name_file *file, const char *dir, const char *path, bool read_only,
	struct fw_err *err)
{
	uint8_t header[FILE_HEADER_BYTES];
	ssize_t got = file->fd < 0 ? 0 : fw_pread(file->fd, header, sizeof header, 0);
	if (got < 0)
		return fw_fail_sys(err, (int)got, "cannot read %s", path);
	int rc = got < (ssize_t)sizeof header
		? -EBADMSG
		: file_header_open(header, file->super, file->kind, 0);
	if (rc == -ENOTSUP)
		return fw_fail(err, rc, "%s was written by a newer Fenwatch", path);
	file->damaged += rc < 0 && (got > 0 || super_was_opened(file->super));
	/* Who was killed may not have come to sync what is read now, or its name. */
	if (!read_only)
		rc = rc < 0 ? make_file(file, dir) : sync_file(file, dir);
	if (rc < 0 && !read_only)
		return fw_fail_sys(err, rc, "cannot write %s", path);
	return 0;
}

int name_file_open(struct name_file *file, const char *dir, enum file_kind kind,
	const struct super *super, bool read_only, struct fw_err *err)
{
	char *path = path_in(dir, kind);
	int fd = fw_open(path, read_only ? O_RDONLY : O_RDWR | O_CREAT, 0600), rc = fd;
	if (fd < 0 && !(read_only && fd == -ENOENT)) {
		fw_fail_sys(err, fd, "cannot open %s", path);
	} else {
		*file = (struct name_file){.super = super,
			.kind = kind,
			.fd = fd,
			.end = FILE_HEADER_BYTES,
			.next_id = 1};
		rc = check_header(file, dir, path, read_only, err);
	}
	fw_free(path);
	return rc;
}

void name_file_close(struct name_file *file)
{
	if (file->fd >= 0)
		fw_close(file->fd);
}

/* What lies between two sound records is damage; what lies behind the last was
 * never synced, and the next record is written over it. */
int name_file_read(struct name_file *file,
	bool (*take)(uint32_t id, const uint8_t *name, size_t length, void *arg), void *arg)
{
	struct scan scan;
	if (file->fd < 0)
		return 0;
	scan_init(&scan, file->fd, file_size(file->fd), MAGIC_NAME, file->super->salt);
	uint64_t offset = file->end;
	uint32_t length;
	const uint8_t *at;
	while ((at = scan_next(&scan, &offset, &length))) {
		file->damaged += offset != file->end;
		uint32_t id = length >= 4 ? get_u32(at + ENVELOPE_BYTES) : 0;
		bool sound =
			id > 0 && id < NAME_ID_LIMIT && take(id, at + RECORD_HEAD, length - 4, arg);
		file->damaged += !sound;
		if (sound)
			name_file_skip_id(file, id);
		offset += align8(ENVELOPE_BYTES + (uint64_t)length);
		file->end = offset;
	}
	return scan_done(&scan);
}

/* ---- appending ---- */

int name_file_take_id(struct name_file *file, uint32_t *id, struct fw_err *err)
{
	if (file->next_id >= NAME_ID_LIMIT)
		return fw_fail(err, -ENOSPC, "the store has given out all its ids");
	*id = file->next_id++;
	return 0;
}

void name_file_skip_id(struct name_file *file, uint32_t id)
{
	if (id >= file->next_id && id < NAME_ID_LIMIT)
		file->next_id = id + 1;
}

size_t name_record_begin(struct fw_buf *records)
{
	static const uint8_t zeroes[8], head[RECORD_HEAD];
	fw_buf_append(records, zeroes, align8(records->length) - records->length);
	fw_buf_append(records, head, sizeof head);
	return records->length - sizeof head;
}

void name_record_end(const struct name_file *file, struct fw_buf *records, size_t from, uint32_t id)
{
	uint8_t *record = records->data + from;
	put_u32(record + ENVELOPE_BYTES, id);
	envelope_seal(
		record, MAGIC_NAME, records->length - from - ENVELOPE_BYTES, file->super->salt);
}

int name_file_append(struct name_file *file, const struct fw_buf *records, struct fw_err *err)
{
	int rc = fw_pwrite(file->fd, records->data, records->length, file->end);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot write a name into the store");
	rc = fw_fdatasync(file->fd);
	if (rc < 0) {
		file->failed = true;
		return fw_fail_sys(err, rc, "cannot sync a name into the store");
	}
	file->end += align8(records->length);
	return 0;
}

/* ---- writing it anew ---- */

uint64_t name_record_bytes(size_t length)
{
	return align8(RECORD_HEAD + (uint64_t)length);
}

static int put_piece(int fd, struct fw_buf *piece, uint64_t *end)
{
	int rc = fw_pwrite(fd, piece->data, piece->length, *end);
	*end += piece->length;
	fw_buf_reset(piece);
	return rc;
}

static int copy_kept(const struct name_file *file, int fd, bool (*keeps)(uint32_t id, void *arg),
	void *arg, uint64_t *end)
{
	static const uint8_t zeroes[8];
	struct fw_buf piece = {0};
	struct scan scan;
	uint64_t offset = FILE_HEADER_BYTES;
	uint32_t length;
	const uint8_t *at;
	int rc = 0;
	scan_init(&scan, file->fd, file->end, MAGIC_NAME, file->super->salt);
	while (rc >= 0 && (at = scan_next(&scan, &offset, &length))) {
		size_t bytes = ENVELOPE_BYTES + (size_t)length;
		if (length >= 4 && keeps(get_u32(at + ENVELOPE_BYTES), arg)) {
			fw_buf_append(&piece, at, bytes);
			fw_buf_append(&piece, zeroes, align8(bytes) - bytes);
		}
		offset += align8(bytes);
		if (piece.length >= PIECE_BYTES)
			rc = put_piece(fd, &piece, end);
	}
	int unread = scan_done(&scan);
	if (rc >= 0)
		rc = unread < 0 ? unread : put_piece(fd, &piece, end);
	fw_buf_done(&piece);
	return rc;
}

/* The descriptor of the new file, which is synced. */
static int write_kept(const struct name_file *file, const char *path,
	bool (*keeps)(uint32_t id, void *arg), void *arg, uint64_t *end)
{
	int fd = fw_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return fd;
	int rc = put_header(file, fd);
	if (rc >= 0)
		rc = copy_kept(file, fd, keeps, arg, end);
	if (rc >= 0)
		rc = fw_fsync(fd);
	if (rc < 0)
		fw_close(fd);
	return rc < 0 ? rc : fd;
}

static int take_over(
	struct name_file *file, int fd, uint64_t end, const char *dir, struct fw_err *err)
{
	fw_close(file->fd);
	file->fd = fd;
	file->end = end;
	int rc = fw_fsync_dir(dir);
	return rc < 0 ? fw_fail_sys(err, rc, "cannot sync %s", dir) : 1;
}

int name_file_rewrite(struct name_file *file, const char *dir,
	bool (*keeps)(uint32_t id, void *arg), void *arg, struct fw_err *err)
{
	char *path = path_in(dir, file->kind), *fresh = fw_format("%s.new", path);
	uint64_t end = FILE_HEADER_BYTES;
	int fd = write_kept(file, fresh, keeps, arg, &end);
	int rc = fd < 0 ? fd : fw_rename(fresh, path);
	if (rc < 0)
		fw_unlink(fresh);
	if (rc < 0 && fd >= 0)
		fw_close(fd);
	rc = rc < 0 ? 0 : take_over(file, fd, end, dir, err);
	fw_free(path);
	fw_free(fresh);
	return rc;
}
