/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <fenwatch/crc.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "internal.h"

enum { PIECE_BYTES = 1 << 20 };

/* ---- copying ---- */

struct copying {
	const char *to; /* a folder */
	const struct store_progress *progress;
	uint64_t bytes, of_bytes;
	uint8_t *piece;
	uint64_t file_bytes; /* of the file that is being written, and their checksum */
	uint32_t file_crc;
};

static int tell(struct copying *copying, uint64_t more)
{
	copying->bytes += more;
	const struct store_progress *progress = copying->progress;
	bool go_on =
		!progress || progress->on_copied(copying->bytes, copying->of_bytes, progress->arg);
	return go_on ? 0 : -ECANCELED;
}

static int put(
	struct copying *copying, int target, const void *data, size_t length, uint64_t offset)
{
	copying->file_crc = fw_crc32c(copying->file_crc, data, length);
	copying->file_bytes += length;
	return fw_pwrite(target, data, length, offset);
}

/* Bytes from `from` on, up to `to` or the end of the file. */
static int copy_range(struct copying *copying, int source, int target, uint64_t from, uint64_t to)
{
	while (from < to) {
		size_t want = to - from < PIECE_BYTES ? (size_t)(to - from) : PIECE_BYTES;
		ssize_t got = fw_pread(source, copying->piece, want, from);
		if (got <= 0)
			return (int)got;
		int rc = put(copying, target, copying->piece, (size_t)got, from);
		if (rc >= 0)
			rc = tell(copying, (uint64_t)got);
		if (rc < 0)
			return rc;
		from += (uint64_t)got;
	}
	return 0;
}

static int create(struct copying *copying, const char *name)
{
	char *path = fw_format("%s/%s", copying->to, name);
	copying->file_bytes = copying->file_crc = 0;
	int fd = fw_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	fw_free(path);
	return fd;
}

static void tell_file(const struct copying *copying, const char *name)
{
	const struct store_progress *progress = copying->progress;
	if (progress && progress->on_file)
		progress->on_file(name, copying->file_bytes, copying->file_crc, progress->arg);
}

static int finish(const struct copying *copying, const char *name, int fd, int rc)
{
	if (rc >= 0)
		rc = fw_fsync(fd);
	fw_close(fd);
	if (rc >= 0)
		tell_file(copying, name);
	return rc;
}

static int copy_bytes(struct copying *copying, int source, const char *name, uint64_t bytes)
{
	int fd = create(copying, name);
	if (fd < 0)
		return fd;
	return finish(copying, name, fd, copy_range(copying, source, fd, 0, bytes));
}

static int make_folders(const char *dir, bool sync)
{
	const char *const folders[] = {"wal", store_tier_name(STORE_RAW),
		store_tier_name(STORE_FIVE_MINUTE), store_tier_name(STORE_HOUR)};
	int rc = 0;
	for (size_t i = 0; i < sizeof folders / sizeof *folders && rc >= 0; i++) {
		char *path = fw_format("%s/%s", dir, folders[i]);
		rc = sync ? fw_fsync_dir(path) : fw_mkdir_all(path, 0700);
		fw_free(path);
	}
	return rc >= 0 && sync ? fw_fsync_dir(dir) : rc;
}

/* ---- the moment ---- */

void snapshot_freeze(struct store *store, struct frozen *frozen)
{
	const struct log *log = &store->log;
	assert(store->failed || log->buf.length == 0);
	frozen->super = store->super;
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		const struct log_slot *slot = &log->slots[i];
		if (slot->number && slot->number >= store->super.log_first)
			frozen->log_bytes[i] =
				i == log->active ? log->end : store->super.log_segment_bytes;
	}
	frozen->schema_bytes = file_size(store->names.schema_file.fd);
	frozen->host_bytes = file_size(store->names.host_file.fd);
	rings_pin(&store->rings, &frozen->pins, &frozen->n_pins);
	pthread_mutex_lock(&store->lock);
	frozen->rc = store->failed ? -EIO : 0;
	frozen->done = true;
	pthread_cond_signal(&frozen->told);
	pthread_mutex_unlock(&store->lock);
}

static int freeze(struct store *store, struct frozen *frozen)
{
	pthread_cond_init(&frozen->told, NULL);
	pthread_mutex_lock(&store->lock);
	int rc = store->wanted ? -EBUSY : store->stopping ? -ECANCELED : 0;
	if (rc == 0) {
		store->wanted = frozen;
		pthread_cond_signal(&store->wake);
		while (!frozen->done)
			pthread_cond_wait(&frozen->told, &store->lock);
		rc = frozen->rc;
	}
	pthread_mutex_unlock(&store->lock);
	pthread_cond_destroy(&frozen->told);
	return rc;
}

/* ---- its parts ---- */

/* Its head says that a segment of the log was not begun anew while it was copied. */
static int check_log_head(int source, int copy)
{
	uint8_t before[LOG_HEADER_BYTES] = {0}, after[LOG_HEADER_BYTES] = {0};
	ssize_t a = fw_pread(copy, before, sizeof before, 0);
	ssize_t b = fw_pread(source, after, sizeof after, 0);
	if (a < 0 || b < 0)
		return a < 0 ? (int)a : (int)b;
	return memcmp(before, after, sizeof before) == 0 ? 0 : -ESTALE;
}

static int copy_log(struct copying *copying, struct store *store, const struct frozen *frozen)
{
	int rc = 0;
	for (unsigned i = 0; i < LOG_SLOTS && rc >= 0; i++) {
		char *name = fw_format("wal/%08x", i);
		int source = store->log.slots[i].fd, fd = create(copying, name);
		rc = fd < 0 ? fd : copy_range(copying, source, fd, 0, frozen->log_bytes[i]);
		if (rc >= 0 && frozen->log_bytes[i] > 0)
			rc = check_log_head(source, fd);
		if (fd >= 0)
			rc = finish(copying, name, fd, rc);
		fw_free(name);
	}
	return rc;
}

static int copy_pin(struct copying *copying, struct rings *rings, const struct ring_pin *pin)
{
	char name[32];
	snprintf(name, sizeof name, "%s/%04x", store_tier_name(pin->tier), pin->segment);
	int source = rings->tiers[pin->tier].segments[pin->segment].fd;
	int fd = create(copying, name);
	if (fd < 0)
		return fd;
	int rc = 0;
	if (pin->bytes > 0)
		rc = put(copying, fd, pin->head, sizeof pin->head, 0);
	if (rc >= 0)
		rc = copy_range(copying, source, fd, sizeof pin->head, pin->bytes);
	if (!ring_unpin(rings, pin) && rc >= 0 && pin->bytes > 0)
		rc = -ESTALE;
	return finish(copying, name, fd, rc);
}

static int copy_rings(struct copying *copying, struct rings *rings, const struct frozen *frozen)
{
	int rc = 0;
	for (size_t i = 0; i < frozen->n_pins && rc >= 0; i++)
		rc = copy_pin(copying, rings, &frozen->pins[i]);
	return rc;
}

/* They are written as they are in the store, and read again to be told of. */
static int tell_supers(struct copying *copying)
{
	static const char *const names[] = {"super", "super.spare"};
	int rc = 0;
	for (size_t i = 0; i < sizeof names / sizeof *names && rc >= 0; i++) {
		char *path = fw_format("%s/%s", copying->to, names[i]);
		int fd = fw_open(path, O_RDONLY, 0);
		fw_free(path);
		ssize_t got = fd < 0 ? fd : fw_pread(fd, copying->piece, PIECE_BYTES, 0);
		if (fd >= 0)
			fw_close(fd);
		copying->file_bytes = got < 0 ? 0 : (uint64_t)got;
		copying->file_crc = fw_crc32c(0, copying->piece, (size_t)copying->file_bytes);
		if (got >= 0)
			tell_file(copying, names[i]);
		rc = got < 0 && got != -ENOENT ? (int)got : 0;
	}
	return rc;
}

static uint64_t bytes_of(const struct frozen *frozen)
{
	uint64_t bytes = frozen->schema_bytes + frozen->host_bytes;
	for (unsigned i = 0; i < LOG_SLOTS; i++)
		bytes += frozen->log_bytes[i];
	for (size_t i = 0; i < frozen->n_pins; i++)
		bytes += frozen->pins[i].bytes;
	return bytes;
}

/* The log first, since it turns quickest; `super` last, since without it there is no store. */
static int copy_all(struct store *store, struct copying *copying, struct frozen *frozen)
{
	copying->of_bytes = bytes_of(frozen);
	int rc = make_folders(copying->to, false);
	if (rc >= 0)
		rc = copy_log(copying, store, frozen);
	if (rc >= 0)
		rc = copy_rings(copying, &store->rings, frozen);
	if (rc >= 0)
		rc = copy_bytes(
			copying, store->names.schema_file.fd, "schema.log", frozen->schema_bytes);
	if (rc >= 0)
		rc = copy_bytes(copying, store->names.host_file.fd, "host.log", frozen->host_bytes);
	for (int tier = 0; tier < STORE_TIERS; tier++)
		frozen->super.tiers[tier].made = 0; /* files end where their contents do */
	frozen->super.generation = 0;
	if (rc >= 0)
		rc = super_save(copying->to, &frozen->super, NULL);
	if (rc >= 0)
		rc = tell_supers(copying);
	return rc < 0 ? rc : make_folders(copying->to, true);
}

static int fail(int rc, const char *what, const char *dir, struct fw_err *err)
{
	if (rc == -EBUSY)
		return fw_fail(err, rc, "another snapshot is being made");
	if (rc == -ECANCELED)
		return fw_fail(err, rc, "%s was broken off", what);
	if (rc == -ESTALE)
		return fw_fail(err, rc,
			"what was to be copied was written over meanwhile: the ring or the log is "
			"too small for the load");
	return fw_fail_sys(err, rc, "%s cannot be written to '%s'", what, dir);
}

int store_snapshot(struct store *store, const char *dir, const struct store_progress *progress,
	struct fw_err *err)
{
	struct frozen frozen = {0};
	int rc = freeze(store, &frozen);
	if (rc == -EBUSY)
		return fail(rc, "the snapshot", dir, err);
	struct copying copying = {.to = dir, .progress = progress, .piece = fw_alloc(PIECE_BYTES)};
	if (rc >= 0)
		rc = copy_all(store, &copying, &frozen);
	for (size_t i = 0; i < frozen.n_pins; i++)
		ring_unpin(&store->rings, &frozen.pins[i]);
	fw_free(copying.piece);
	fw_free(frozen.pins);
	pthread_mutex_lock(&store->lock);
	store->wanted = NULL;
	pthread_mutex_unlock(&store->lock);
	return rc < 0 ? fail(rc, "the snapshot", dir, err) : 0;
}

uint64_t store_snapshot_bytes(struct store *store)
{
	struct store_stat stat;
	uint64_t bytes = LOG_SLOTS * store->super.log_segment_bytes +
		file_size(store->names.schema_file.fd) + file_size(store->names.host_file.fd);
	store_stat(store, &stat);
	for (int tier = 0; tier < STORE_TIERS; tier++)
		bytes += stat.tiers[tier].used_bytes;
	return bytes;
}

/* ---- restoring ---- */

struct restoring {
	struct copying copying;
	const char *from;
};

/* What is not there is made when the store opens. */
static int restore_file(struct restoring *restoring, const char *name)
{
	char *path = fw_format("%s/%s", restoring->from, name);
	int source = fw_open(path, O_RDONLY, 0);
	fw_free(path);
	if (source == -ENOENT)
		return 0;
	if (source < 0)
		return source;
	int rc = copy_bytes(&restoring->copying, source, name, file_size(source));
	fw_close(source);
	return rc;
}

static int restore_many(struct restoring *restoring, const char *format, uint32_t n)
{
	int rc = 0;
	for (uint32_t i = 0; i < n && rc >= 0; i++) {
		char name[64];
		snprintf(name, sizeof name, "%s/%0*x", format, strcmp(format, "wal") == 0 ? 8 : 4,
			i);
		rc = restore_file(restoring, name);
	}
	return rc;
}

static int restore_rings(struct restoring *restoring, const struct super *super)
{
	int rc = 0;
	for (int tier = 0; tier < STORE_TIERS && rc >= 0; tier++)
		rc = restore_many(restoring, store_tier_name((enum store_tier)tier),
			super->tiers[tier].segments);
	return rc;
}

static uint64_t folder_bytes(const char *dir, const struct super *super)
{
	uint64_t bytes = 0;
	struct stat st;
	for (int tier = 0; tier < STORE_TIERS; tier++)
		for (uint32_t i = 0; i < super->tiers[tier].segments; i++) {
			char *path = fw_format(
				"%s/%s/%04x", dir, store_tier_name((enum store_tier)tier), i);
			bytes += stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
			fw_free(path);
		}
	return bytes;
}

int store_restore(const char *from, const char *dir, const struct store_progress *progress,
	struct fw_err *err)
{
	struct super super;
	struct damage damage = {0}; /* who restores has let it be checked */
	int rc = super_load(from, &super, &damage, err);
	if (rc < 0)
		return rc;
	struct restoring restoring = {
		.from = from,
		.copying = {.to = dir, .progress = progress, .piece = fw_alloc(PIECE_BYTES)},
	};
	restoring.copying.of_bytes = folder_bytes(from, &super);
	rc = make_folders(dir, false);
	if (rc >= 0)
		rc = restore_many(&restoring, "wal", LOG_SLOTS);
	if (rc >= 0)
		rc = restore_rings(&restoring, &super);
	if (rc >= 0)
		rc = restore_file(&restoring, "schema.log");
	if (rc >= 0)
		rc = restore_file(&restoring, "host.log");
	if (rc >= 0)
		rc = restore_file(&restoring, "super.spare");
	if (rc >= 0)
		rc = restore_file(&restoring, "super");
	if (rc >= 0)
		rc = make_folders(dir, true);
	fw_free(restoring.copying.piece);
	return rc < 0 ? fail(rc, "the store", dir, err) : 0;
}
