/* SPDX-License-Identifier: Apache-2.0 */
#include "super.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <fenwatch/crc.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"

#define FIRST "super"
#define SPARE "super.spare"

enum {
	COPY_BYTES = 4096,
	SUPER_FIRST = 1,     /* generation */
	SUPER_LENGTH_2 = 64, /* formats 1 and 2: the raw tier alone */
	TIER_BYTES = 40,
	SUPER_LENGTH_3 = SUPER_LENGTH_2 + STORE_TIERS * TIER_BYTES, /* of what wrote no more */
	SYNCED_BYTES = 16,
	SUPER_LENGTH = SUPER_LENGTH_3 + STORE_TIERS * KINDS_WRITTEN * SYNCED_BYTES,
};

void super_set_uuid(struct super *super, const uint8_t uuid[16])
{
	memcpy(super->uuid, uuid, sizeof super->uuid);
	super->salt = fw_crc32c(0, uuid, sizeof super->uuid);
}

static void put_tier(uint8_t *at, const struct super_tier *tier)
{
	put_u64(at, tier->segment_bytes);
	put_u32(at + 8, tier->segments);
	put_u32(at + 12, tier->counted ? tier->made + 1 : 0);
	for (int lane = 0; lane < LANES_DIGESTED; lane++)
		put_u64(at + 16 + lane * 8, tier->digested[lane]);
	put_u64(at + 32, (uint64_t)tier->forgotten_ms);
}

static void get_tier(const uint8_t *at, struct super_tier *tier)
{
	tier->segment_bytes = get_u64(at);
	tier->segments = get_u32(at + 8);
	tier->counted = get_u32(at + 12) > 0;
	tier->made = tier->counted ? get_u32(at + 12) - 1 : 0;
	for (int lane = 0; lane < LANES_DIGESTED; lane++)
		tier->digested[lane] = get_u64(at + 16 + lane * 8);
	tier->forgotten_ms = (int64_t)get_u64(at + 32);
}

static void put_synced(uint8_t *at, const struct super *super)
{
	for (int t = 0; t < STORE_TIERS; t++)
		for (int kind = 0; kind < KINDS_WRITTEN; kind++, at += SYNCED_BYTES) {
			put_u64(at, super->tiers[t].synced[kind].life);
			put_u64(at + 8, super->tiers[t].synced[kind].upto);
		}
}

static void get_synced(const uint8_t *at, struct super *super)
{
	for (int t = 0; t < STORE_TIERS; t++)
		for (int kind = 0; kind < KINDS_WRITTEN; kind++, at += SYNCED_BYTES)
			super->tiers[t].synced[kind] =
				(struct super_synced){get_u64(at), get_u64(at + 8)};
}

static void encode(const struct super *super, uint8_t copy[COPY_BYTES])
{
	memset(copy, 0, COPY_BYTES);
	uint8_t *at = copy + ENVELOPE_BYTES;
	put_u16(at, STORE_FORMAT);
	memcpy(at + 4, super->uuid, 16);
	put_u64(at + 20, super->generation);
	put_u64(at + 28, super->tiers[STORE_RAW].segment_bytes);
	put_u64(at + 36, super->log_segment_bytes);
	put_u32(at + 44, super->tiers[STORE_RAW].segments);
	put_u32(at + 48, super->log_segments);
	put_u64(at + 52, super->log_first);
	for (int t = 0; t < STORE_TIERS; t++)
		put_tier(at + SUPER_LENGTH_2 + (size_t)t * TIER_BYTES, &super->tiers[t]);
	put_synced(at + SUPER_LENGTH_3, super);
	envelope_seal(copy, MAGIC_SUPER, SUPER_LENGTH, 0);
}

/* Who did not write how many were made had made all before it wrote again, but for a
 * snapshot, whose files are as long as what they hold. */
static void note_made(struct super *super)
{
	bool all = super_was_opened(super) && super->generation > SUPER_FIRST;
	for (int t = 0; t < STORE_TIERS; t++) {
		struct super_tier *tier = &super->tiers[t];
		if (!tier->counted)
			tier->made = all ? tier->segments : 0;
		tier->counted |= !all;
	}
}

/* 0, -EBADMSG or -ENOTSUP. */
static int decode(const uint8_t *copy, size_t available, struct super *super)
{
	int64_t length = envelope_open(copy, available, MAGIC_SUPER, 0);
	if (length < SUPER_LENGTH_2)
		return -EBADMSG;
	const uint8_t *at = copy + ENVELOPE_BYTES;
	uint16_t format = get_u16(at);
	if (format > STORE_FORMAT)
		return -ENOTSUP;
	*super = (struct super){
		.generation = get_u64(at + 20),
		.tiers[STORE_RAW] = {.segment_bytes = get_u64(at + 28),
			.segments = get_u32(at + 44)},
		.log_segment_bytes = get_u64(at + 36),
		.log_segments = get_u32(at + 48),
		.log_first = get_u64(at + 52),
	};
	if (format > 2 && length < SUPER_LENGTH_3)
		return -EBADMSG;
	for (int t = 0; t < STORE_TIERS && format > 2; t++)
		get_tier(at + SUPER_LENGTH_2 + (size_t)t * TIER_BYTES, &super->tiers[t]);
	if (length >= SUPER_LENGTH)
		get_synced(at + SUPER_LENGTH_3, super);
	super_set_uuid(super, at + 4);
	note_made(super);
	return 0;
}

/* The newest sound copy in a file. -ENOENT; -EBADMSG: none is sound; -ENOTSUP. */
static int load_file(const char *dir, const char *name, struct super *super)
{
	char *path = fw_format("%s/%s", dir, name);
	int fd = fw_open(path, O_RDONLY, 0);
	fw_free(path);
	if (fd < 0)
		return fd;
	uint8_t copies[2 * COPY_BYTES] = {0};
	ssize_t got = fw_pread(fd, copies, sizeof copies, 0);
	fw_close(fd);
	int found = got < 0 ? (int)got : -EBADMSG;
	for (int i = 0; i < 2 && got >= 0; i++) {
		struct super copy;
		int rc = decode(copies + (size_t)i * COPY_BYTES, COPY_BYTES, &copy);
		if (rc == -ENOTSUP)
			return rc;
		if (rc == 0 && (found < 0 || copy.generation > super->generation)) {
			*super = copy;
			found = 0;
		}
	}
	return found;
}

static bool has_others(const char *dir)
{
	static const char *const names[] = {"schema.log", "host.log", "wal/00000000", "raw/0000"};
	bool found = false;
	for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++) {
		char *path = fw_format("%s/%s", dir, names[i]);
		found = access(path, F_OK) == 0;
		fw_free(path);
	}
	return found;
}

/* Nothing else says what must not be guessed: which blocks count. To begin anew beside the other
 * files would write over them. */
static int no_super(const char *dir, int rc, struct fw_err *err)
{
	if (rc != -ENOENT && rc != -EBADMSG)
		return fw_fail_sys(err, rc, "cannot read the store's super file in %s", dir);
	if (!has_others(dir))
		return fw_fail(err, -ENOENT, "there is no store in %s", dir);
	return fw_fail(err, -EBADMSG,
		"%s/super is %s, and there is no sound spare of it; the store's other files are "
		"there, but cannot be read without it: put it back from a copy of the folder, or "
		"move %s away and restore the newest snapshot, or begin anew",
		dir, rc == -ENOENT ? "missing" : "damaged", dir);
}

/* The spare is written second: where it is the newer one, the first has lost what it had. */
int super_load(const char *dir, struct super *super, struct damage *damage, struct fw_err *err)
{
	struct super first = {0}, spare = {0};
	int rc = load_file(dir, FIRST, &first), spare_rc = load_file(dir, SPARE, &spare);
	if (rc == -ENOTSUP || spare_rc == -ENOTSUP)
		return fw_fail(
			err, -ENOTSUP, "the store in %s was written by a newer Fenwatch", dir);
	if (rc < 0 && (spare_rc < 0 || (rc != -ENOENT && rc != -EBADMSG)))
		return no_super(dir, rc, err);
	bool ours = spare_rc == 0 && (rc < 0 || memcmp(first.uuid, spare.uuid, 16) == 0);
	bool lost = ours && (rc < 0 || spare.generation > first.generation);
	*super = lost ? spare : first;
	super->one_file = lost || !ours || spare.generation < first.generation;
	damage_found(damage, lost, "super: it is %s; its spare has all of it",
		rc == -ENOENT ? "missing" : "damaged");
	damage_found(damage, spare_rc == -EBADMSG, "super.spare: it is damaged");
	return 0;
}

int super_sync(const char *dir, struct fw_err *err)
{
	char *path = fw_format("%s/super", dir);
	int fd = fw_open(path, O_RDWR, 0600);
	fw_free(path);
	int rc = fd < 0 ? fd : fw_fdatasync(fd);
	if (fd >= 0)
		fw_close(fd);
	if (rc >= 0)
		rc = fw_fsync_dir(dir);
	return rc < 0 ? fw_fail_sys(err, rc, "cannot sync the store's super file in %s", dir) : 0;
}

static int put_copy(int fd, const struct super *super)
{
	uint8_t copy[COPY_BYTES];
	encode(super, copy);
	int rc = fw_pwrite(fd, copy, sizeof copy, super->generation % 2 * COPY_BYTES);
	return rc < 0 ? rc : fw_fdatasync(fd);
}

/* It has its name once it is whole: who ends before has not damaged it. */
static int make_file(const char *dir, const char *path, const struct super *super)
{
	char *fresh = fw_format("%s.new", path);
	int fd = fw_open(fresh, O_RDWR | O_CREAT | O_TRUNC, 0600);
	int rc = fd < 0 ? fd : fw_preallocate(fd, 2 * COPY_BYTES);
	if (rc >= 0)
		rc = put_copy(fd, super);
	if (fd >= 0)
		fw_close(fd);
	if (rc >= 0)
		rc = fw_rename(fresh, path);
	if (rc < 0)
		fw_unlink(fresh);
	fw_free(fresh);
	return rc < 0 ? rc : fw_fsync_dir(dir);
}

static int save_file(const char *dir, const char *name, const struct super *super)
{
	char *path = fw_format("%s/%s", dir, name);
	int fd = fw_open(path, O_RDWR, 0);
	int rc = fd == -ENOENT ? make_file(dir, path, super) : fd < 0 ? fd : put_copy(fd, super);
	if (fd >= 0)
		fw_close(fd);
	fw_free(path);
	return rc;
}

/* Without room there is none rather than an old one: a full disk stops nothing. */
static int save_spare(const char *dir, const struct super *super)
{
	int rc = save_file(dir, SPARE, super);
	if (rc != -ENOSPC && rc != -EDQUOT)
		return rc;
	char *path = fw_format("%s/" SPARE, dir);
	rc = fw_unlink(path);
	fw_free(path);
	return rc == -ENOENT ? 0 : rc;
}

int super_save(const char *dir, struct super *super, struct fw_err *err)
{
	struct super next = *super;
	next.generation++;
	next.one_file = false;
	int rc = save_file(dir, FIRST, &next);
	if (rc >= 0)
		rc = save_spare(dir, &next);
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
