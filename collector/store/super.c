/* SPDX-License-Identifier: Apache-2.0 */
#include "super.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include <fenwatch/crc.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"

enum { COPY_BYTES = 4096, SUPER_LENGTH = 64 };

void super_set_uuid(struct super *super, const uint8_t uuid[16])
{
	memcpy(super->uuid, uuid, sizeof super->uuid);
	super->salt = fw_crc32c(0, uuid, sizeof super->uuid);
}

static void encode(const struct super *super, uint8_t copy[COPY_BYTES])
{
	memset(copy, 0, COPY_BYTES);
	uint8_t *at = copy + ENVELOPE_BYTES;
	put_u16(at, STORE_FORMAT);
	memcpy(at + 4, super->uuid, 16);
	put_u64(at + 20, super->generation);
	put_u64(at + 28, super->raw_segment_bytes);
	put_u64(at + 36, super->log_segment_bytes);
	put_u32(at + 44, super->raw_segments);
	put_u32(at + 48, super->log_segments);
	put_u64(at + 52, super->log_first);
	envelope_seal(copy, MAGIC_SUPER, SUPER_LENGTH, 0);
}

/* 0, -EBADMSG or -ENOTSUP. */
static int decode(const uint8_t *copy, size_t available, struct super *super)
{
	if (envelope_open(copy, available, MAGIC_SUPER, 0) < SUPER_LENGTH)
		return -EBADMSG;
	const uint8_t *at = copy + ENVELOPE_BYTES;
	if (get_u16(at) > STORE_FORMAT)
		return -ENOTSUP;
	*super = (struct super){
		.generation = get_u64(at + 20),
		.raw_segment_bytes = get_u64(at + 28),
		.log_segment_bytes = get_u64(at + 36),
		.raw_segments = get_u32(at + 44),
		.log_segments = get_u32(at + 48),
		.log_first = get_u64(at + 52),
	};
	super_set_uuid(super, at + 4);
	return 0;
}

int super_load(const char *dir, struct super *super, struct fw_err *err)
{
	char *path = fw_format("%s/super", dir);
	int fd = fw_open(path, O_RDONLY, 0);
	fw_free(path);
	if (fd < 0)
		return fw_fail_sys(err, fd, "cannot open the store's super file in %s", dir);
	uint8_t copies[2 * COPY_BYTES] = {0};
	ssize_t got = fw_pread(fd, copies, sizeof copies, 0);
	fw_close(fd);
	if (got < 0)
		return fw_fail_sys(err, (int)got, "cannot read the store's super file in %s", dir);

	int found = -EBADMSG;
	for (int i = 0; i < 2; i++) {
		struct super copy;
		int rc = decode(copies + (size_t)i * COPY_BYTES, COPY_BYTES, &copy);
		if (rc == -ENOTSUP)
			return fw_fail(
				err, rc, "the store in %s was written by a newer Fenwatch", dir);
		if (rc == 0 && (found < 0 || copy.generation > super->generation)) {
			*super = copy;
			found = 0;
		}
	}
	return found < 0 ? fw_fail(err, found, "both copies of %s/super are damaged", dir) : 0;
}

int super_save(const char *dir, struct super *super, struct fw_err *err)
{
	char *path = fw_format("%s/super", dir);
	int fd = fw_open(path, O_RDWR | O_CREAT, 0600);
	fw_free(path);
	if (fd < 0)
		return fw_fail_sys(err, fd, "cannot open the store's super file in %s", dir);
	struct super next = *super;
	next.generation++;
	uint8_t copy[COPY_BYTES];
	encode(&next, copy);
	int rc = fw_pwrite(fd, copy, sizeof copy, next.generation % 2 * COPY_BYTES);
	if (rc >= 0)
		rc = fw_fdatasync(fd);
	fw_close(fd);
	if (rc >= 0 && next.generation == 1)
		rc = fw_fsync_dir(dir);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot write the store's super file in %s", dir);
	*super = next;
	return 0;
}

void file_header_seal(uint8_t *at, const struct super *super, enum file_kind kind, size_t more)
{
	put_u16(at + 12, STORE_FORMAT);
	put_u16(at + 14, (uint16_t)kind);
	memcpy(at + 16, super->uuid, 16);
	envelope_seal(at, MAGIC_FILE, FILE_HEADER_BYTES - ENVELOPE_BYTES + more, super->salt);
}

int file_header_open(const uint8_t *at, const struct super *super, enum file_kind kind, size_t more)
{
	size_t length = FILE_HEADER_BYTES - ENVELOPE_BYTES + more;
	int64_t inside = envelope_open(at, FILE_HEADER_BYTES + more, MAGIC_FILE, super->salt);
	if (inside >= 0 && get_u16(at + 12) > STORE_FORMAT)
		return -ENOTSUP;
	if (inside != (int64_t)length || get_u16(at + 14) != kind)
		return -EBADMSG;
	return memcmp(at + 16, super->uuid, 16) == 0 ? 0 : -EBADMSG;
}
