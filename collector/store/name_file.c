/* SPDX-License-Identifier: Apache-2.0 */
#include "name_file.h"

#include <errno.h>
#include <fcntl.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"

enum { RECORD_HEAD = ENVELOPE_BYTES + 4 };

/* ---- opening ---- */

static int make_file(struct name_file *file, const char *dir, enum file_kind kind)
{
	uint8_t header[FILE_HEADER_BYTES] = {0};
	file_header_seal(header, file->super, kind, 0);
	int rc = fw_pwrite(file->fd, header, sizeof header, 0);
	if (rc >= 0)
		rc = fw_fdatasync(file->fd);
	return rc < 0 ? rc : fw_fsync_dir(dir);
}

static int check_header(struct name_file *file, const char *dir, enum file_kind kind,
	bool read_only, struct fw_err *err)
{
	const char *name = kind == FILE_SCHEMAS ? "schema.log" : "host.log";
	uint8_t header[FILE_HEADER_BYTES];
	ssize_t got = file->fd < 0 ? 0 : fw_pread(file->fd, header, sizeof header, 0);
	if (got < 0)
		return fw_fail_sys(err, (int)got, "cannot read %s/%s", dir, name);
	int rc = got < (ssize_t)sizeof header ? -EBADMSG
					      : file_header_open(header, file->super, kind, 0);
	if (rc == -ENOTSUP)
		return fw_fail(err, rc, "%s/%s was written by a newer Fenwatch", dir, name);
	file->damaged += rc < 0 && (got > 0 || super_was_opened(file->super));
	/* Who was killed may not have come to sync what is read now. */
	if (!read_only)
		rc = rc < 0 ? make_file(file, dir, kind) : fw_fdatasync(file->fd);
	if (rc < 0 && !read_only)
		return fw_fail_sys(err, rc, "cannot write %s/%s", dir, name);
	return 0;
}

int name_file_open(struct name_file *file, const char *dir, enum file_kind kind,
	const struct super *super, bool read_only, struct fw_err *err)
{
	const char *name = kind == FILE_SCHEMAS ? "schema.log" : "host.log";
	char *path = fw_format("%s/%s", dir, name);
	int fd = fw_open(path, read_only ? O_RDONLY : O_RDWR | O_CREAT, 0600);
	fw_free(path);
	if (fd < 0 && !(read_only && fd == -ENOENT))
		return fw_fail_sys(err, fd, "cannot open %s/%s", dir, name);
	*file = (struct name_file){
		.super = super, .fd = fd, .end = FILE_HEADER_BYTES, .next_id = 1};
	return check_header(file, dir, kind, read_only, err);
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
