/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/file.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "contents.h"
#include "state.h"

#define NAME_LIMIT 64
#define SMALL_FILE_LIMIT (64u << 10)
#define ROOM_LEFT_BYTES (UINT64_C(64) << 20) /* of the disk, for those who work on it */

/* What is copied as it is, beside the store and state.db. */
static const struct {
	const char *name;
	mode_t mode;
	bool needed;
} small_files[] = {
	{"ca.pem", 0644, true},
	{"ca.key", 0600, true},
	{"ca-next.pem", 0644, false},
	{"ca-next.key", 0600, false},
	{"admin.token", 0600, false},
};

struct snapshots {
	const char *data;
	struct store *store;
	pthread_t thread;
	bool has_thread;
	atomic_bool cancel, ended;
	_Atomic uint64_t bytes, of_bytes;
	char name[NAME_LIMIT + 1];
	int64_t began_ms, ended_ms; /* the latter is written before `ended` */
	struct fw_buf list;         /* the thread's: what was copied */
	struct fw_err err;
	int rc;
};

/* ---- folders ---- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static int remove_folder(const char *path)
{
	return nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT ? 0
											 : -errno;
}

static bool is_part(const char *name)
{
	size_t length = strlen(name);
	return length > 5 && strcmp(name + length - 5, ".part") == 0;
}

static void remove_parts(const char *folder)
{
	DIR *dir = opendir(folder);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		if (!is_part(entry->d_name))
			continue;
		char *path = fw_format("%s/%s", folder, entry->d_name);
		int rc = remove_folder(path);
		fw_log(rc < 0 ? FW_WARNING : FW_NOTICE, "snapshots: '%s' was broken off, and %s",
			entry->d_name, rc < 0 ? "cannot be removed" : "is removed");
		fw_free(path);
	}
	if (dir)
		closedir(dir);
}

int snapshots_open(
	struct snapshots **out, const char *data, struct store *store, struct fw_err *err)
{
	struct snapshots *snapshots = fw_alloc(sizeof *snapshots);
	char *folder = fw_format("%s/snapshots", data);
	snapshots->data = data;
	snapshots->store = store;
	int rc = fw_mkdir_all(folder, 0700);
	if (rc < 0)
		fw_fail_sys(err, rc, "cannot make the folder '%s'", folder);
	else
		remove_parts(folder);
	fw_free(folder);
	if (rc < 0)
		fw_free(snapshots);
	else
		*out = snapshots;
	return rc;
}

static void join(struct snapshots *snapshots)
{
	if (snapshots->has_thread)
		pthread_join(snapshots->thread, NULL);
	snapshots->has_thread = false;
}

void snapshots_close(struct snapshots *snapshots)
{
	if (!snapshots)
		return;
	atomic_store(&snapshots->cancel, true);
	join(snapshots);
	fw_buf_done(&snapshots->list);
	fw_free(snapshots);
}

/* ---- making one ---- */

static void on_file(const char *name, uint64_t bytes, uint32_t crc, void *arg)
{
	struct snapshots *snapshots = arg;
	char path[64];
	snprintf(path, sizeof path, "store/%s", name);
	contents_add(&snapshots->list, path, bytes, crc);
}

static bool on_copied(uint64_t bytes, uint64_t of_bytes, void *arg)
{
	struct snapshots *snapshots = arg;
	atomic_store(&snapshots->of_bytes, of_bytes);
	atomic_store(&snapshots->bytes, bytes);
	return !atomic_load(&snapshots->cancel);
}

/* `list` NULL: nobody asks. Some are not missed where they are not there: a token's file may go
 * once the token is known. */
static int copy_small(
	const char *from, const char *to, size_t i, struct fw_buf *list, struct fw_err *err)
{
	struct fw_buf text = {.limit = SMALL_FILE_LIMIT};
	char *source = fw_format("%s/%s", from, small_files[i].name);
	char *target = fw_format("%s/%s", to, small_files[i].name);
	int rc = fw_file_read(source, SMALL_FILE_LIMIT, &text, err);
	if (rc >= 0)
		rc = fw_file_replace(target, text.data, text.length, small_files[i].mode, err);
	if (rc >= 0 && list)
		rc = contents_add_file(list, to, small_files[i].name, err);
	if (text.data)
		explicit_bzero(text.data, text.capacity);
	fw_buf_done(&text);
	fw_free(source);
	fw_free(target);
	return rc == -ENOENT && !small_files[i].needed ? 0 : rc;
}

static int copy_smalls(const char *from, const char *to, struct fw_buf *list, struct fw_err *err)
{
	int rc = 0;
	for (size_t i = 0; i < sizeof small_files / sizeof *small_files && rc >= 0; i++)
		rc = copy_small(from, to, i, list, err);
	return rc;
}

static int make_folder(const char *path, struct fw_err *err)
{
	int rc = fw_mkdir_all(path, 0700);
	return rc < 0 ? fw_fail_sys(err, rc, "cannot make the folder '%s'", path) : 0;
}

/* The store first: what it has told of when it was frozen is in state.db by then, or
 * will be told of again. */
static int fill(struct snapshots *snapshots, const char *part, struct fw_err *err)
{
	const struct store_progress progress = {
		.on_copied = on_copied, .on_file = on_file, .arg = snapshots};
	char *store = fw_format("%s/store", part);
	int rc = make_folder(store, err);
	if (rc == 0)
		rc = store_snapshot(snapshots->store, store, &progress, err);
	fw_free(store);
	if (rc == 0)
		rc = state_backup(snapshots->data, part, err);
	if (rc == 0)
		rc = contents_add_file(&snapshots->list, part, "state.db", err);
	if (rc == 0)
		rc = copy_smalls(snapshots->data, part, &snapshots->list, err);
	return rc == 0 ? contents_write(&snapshots->list, part, err) : rc;
}

static int give_name(const char *part, const char *whole, const char *folder, struct fw_err *err)
{
	int rc = fw_fsync_dir(part);
	if (rc == 0)
		rc = fw_rename(part, whole);
	if (rc == 0 && (rc = fw_fsync_dir(folder)) < 0)
		fw_rename(whole, part); /* who is told that it failed must not find it */
	return rc < 0 ? fw_fail_sys(err, rc, "cannot finish '%s'", whole) : 0;
}

static int make(struct snapshots *snapshots, struct fw_err *err)
{
	char *folder = fw_format("%s/snapshots", snapshots->data);
	char *whole = fw_format("%s/%s", folder, snapshots->name);
	char *part = fw_format("%s.part", whole);
	fw_buf_reset(&snapshots->list);
	int rc = make_folder(part, err);
	if (rc == 0)
		rc = fill(snapshots, part, err);
	if (rc == 0)
		rc = give_name(part, whole, folder, err);
	if (rc < 0)
		remove_folder(part);
	fw_free(part);
	fw_free(whole);
	fw_free(folder);
	return rc;
}

static void *thread_main(void *arg)
{
	struct snapshots *snapshots = arg;
	snapshots->rc = make(snapshots, &snapshots->err);
	snapshots->ended_ms = fw_wall_ms();
	if (snapshots->rc < 0)
		fw_log(FW_ERROR, "snapshot '%s': %s", snapshots->name, snapshots->err.text);
	else
		fw_log(FW_NOTICE, "snapshot '%s' is complete", snapshots->name);
	atomic_store(&snapshots->ended, true);
	return NULL;
}

/* ---- whether it can be made ---- */

static bool is_name(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = strlen(name);
	return length > 0 && length <= NAME_LIMIT && name[0] != '.' &&
		strspn(name, letters) == length && !is_part(name);
}

static uint64_t state_bytes(const struct snapshots *snapshots)
{
	struct stat st;
	char *path = fw_format("%s/state.db", snapshots->data);
	uint64_t bytes = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
	fw_free(path);
	return bytes;
}

static int check_room(const struct snapshots *snapshots, struct fw_err *err)
{
	struct statvfs disk;
	char wanted[32], there[32];
	if (statvfs(snapshots->data, &disk) < 0)
		return fw_fail_sys(err, -errno, "'%s'", snapshots->data);
	uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
	uint64_t bytes = store_snapshot_bytes(snapshots->store) + state_bytes(snapshots);
	if (room >= bytes + ROOM_LEFT_BYTES)
		return 0;
	return fw_fail(err, -ENOSPC, "the snapshot takes %s, and the disk has %s left",
		fw_format_size(bytes, wanted, sizeof wanted),
		fw_format_size(room, there, sizeof there));
}

static int check_new(const struct snapshots *snapshots, const char *name, struct fw_err *err)
{
	if (!is_name(name))
		return fw_fail(err, -EINVAL,
			"'%s' is no name for a snapshot: up to %d letters, digits, '-', '_' and '.'",
			name, NAME_LIMIT);
	if (snapshots->has_thread && !atomic_load(&snapshots->ended))
		return fw_fail(err, -EBUSY, "the snapshot '%s' is being made", snapshots->name);
	char *path = fw_format("%s/snapshots/%s", snapshots->data, name);
	bool exists = access(path, F_OK) == 0;
	fw_free(path);
	return exists ? fw_fail(err, -EEXIST, "there is a snapshot '%s' already", name)
		      : check_room(snapshots, err);
}

int snapshots_begin(struct snapshots *snapshots, const char *name, struct fw_err *err)
{
	int rc = check_new(snapshots, name, err);
	if (rc < 0)
		return rc;
	join(snapshots);
	snprintf(snapshots->name, sizeof snapshots->name, "%s", name);
	snapshots->began_ms = fw_wall_ms();
	snapshots->bytes = snapshots->of_bytes = 0;
	snapshots->ended = false;
	rc = -pthread_create(&snapshots->thread, NULL, thread_main, snapshots);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot start a thread");
	snapshots->has_thread = true;
	return 0;
}

void snapshots_look(struct snapshots *snapshots, struct api_snapshot *out)
{
	bool ended = atomic_load(&snapshots->ended);
	*out = (struct api_snapshot){
		.bytes = atomic_load(&snapshots->bytes),
		.of_bytes = atomic_load(&snapshots->of_bytes),
		.began_ms = snapshots->began_ms,
		.ended_ms = ended ? snapshots->ended_ms : 0,
		.failed = ended && snapshots->rc < 0,
	};
	snprintf(out->name, sizeof out->name, "%s", snapshots->name);
	if (out->failed)
		snprintf(out->why, sizeof out->why, "%s", snapshots->err.text);
}

/* ---- restoring ---- */

static bool has_entries(const char *folder)
{
	DIR *dir = opendir(folder);
	bool found = false;
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		found |= entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return found;
}

static int check_empty(const char *data, struct fw_err *err)
{
	static const char *const names[] = {"store", "state.db", "ca.pem", "ca.key"};
	int rc = 0;
	for (size_t i = 0; i < sizeof names / sizeof *names && rc == 0; i++) {
		char *path = fw_format("%s/%s", data, names[i]);
		if (i == 0 ? has_entries(path) : access(path, F_OK) == 0)
			rc = fw_fail(err, -EEXIST,
				"'%s' is there already: a snapshot is restored only where no "
				"collector was",
				path);
		fw_free(path);
	}
	return rc;
}

/* What was there, by its list. */
static int check_files(const char *from, struct fw_err *err)
{
	struct fw_err why;
	int rc = contents_check(from, &why);
	if (rc == -ENOENT) {
		fw_log(FW_WARNING,
			"the snapshot in '%s' has no list of its files, as those of earlier "
			"versions: whether all of it is there cannot be known",
			from);
		return 0;
	}
	return rc < 0 ? fw_fail(err, rc, "%s; nothing is restored", why.text) : 0;
}

static int check_snapshot(const char *store, const struct store_inspector *inspector,
	struct store_stat *stat, struct fw_err *err)
{
	int faults = store_check(store, inspector, stat, err);
	if (faults < 0)
		return faults;
	return faults == 0
		? 0
		: fw_fail(err, -EBADMSG, "the snapshot has %d faults; nothing is restored", faults);
}

static int fill_part(const char *store, const char *part, const struct store_progress *progress,
	struct fw_err *err)
{
	int rc = remove_folder(part);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot remove '%s'", part);
	rc = make_folder(part, err);
	return rc < 0 ? rc : store_restore(store, part, progress, err);
}

static void undo(const char *data, const char *part)
{
	char *path = fw_format("%s/state.db", data);
	fw_unlink(path);
	fw_free(path);
	for (size_t i = 0; i < sizeof small_files / sizeof *small_files; i++) {
		path = fw_format("%s/%s", data, small_files[i].name);
		fw_unlink(path);
		fw_free(path);
	}
	remove_folder(part);
}

/* The store gets its name last, so that half of it is never taken for one. */
static int restore_all(const char *from, const char *data, const struct store_progress *progress,
	struct fw_err *err)
{
	char *source = fw_format("%s/store", from), *store = fw_format("%s/store", data);
	char *part = fw_format("%s/store.part", data);
	int rc = fill_part(source, part, progress, err);
	if (rc == 0)
		rc = state_backup(from, data, err);
	if (rc == 0)
		rc = copy_smalls(from, data, NULL, err);
	if (rc == 0) {
		rmdir(store);
		rc = give_name(part, store, data, err);
	}
	if (rc < 0)
		undo(data, part);
	fw_free(part);
	fw_free(store);
	fw_free(source);
	return rc;
}

int snapshots_restore(const char *from, const char *data, const struct store_inspector *inspector,
	const struct store_progress *progress, struct store_stat *stat, struct fw_err *err)
{
	char *store = fw_format("%s/store", from);
	int rc = check_empty(data, err);
	if (rc == 0)
		rc = check_files(from, err);
	if (rc == 0)
		rc = check_snapshot(store, inspector, stat, err);
	fw_free(store);
	return rc < 0 ? rc : restore_all(from, data, progress, err);
}
