/* SPDX-License-Identifier: Apache-2.0 */
/* Power cuts. Writes and syncs of the store pass through here: what was written
 * since the last sync of its file may be there, not be there, or be torn at a
 * sector. At a random operation the disk is copied as it might be after a cut,
 * the copy is opened, and agents say what they know to have been acknowledged;
 * so does one that writes series from elsewhere.
 * Then life goes on from the copy, so recovery is cut as well. Before some cuts the process is
 * killed: what it had not synced is there for the next one, and gone after the cut.
 *
 * The control syncs nothing, and must lose something of both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fenwatch/mem.h>

#include "block.h"
#include "bytes.h"
#include "super.h"
#include "testkit.h"

enum {
	SENDERS = 3,
	STEP = 15000,
	ROUNDS = 40,
	BURST = 8,
	SECTOR = 512,
	NUMBERS = 8192,
	DIGESTS = 60,
	SUPER_KILLS = 20,
	WASTE = 4 /* schemas, enough to be left out */
};

/* ---- the disk ---- */

struct unsynced {
	struct unsynced *next;
	char path[256]; /* within the store */
	char from[256]; /* not empty: a file of this name took that one's place */
	uint64_t offset;
	size_t length;
	uint8_t data[];
};

static struct {
	pthread_mutex_t lock;
	char store[64], synced[72], cut[72];
	bool watching, lying;
	int until_cut, until_kill;
	unsigned renames;
	bool torn; /* what took another file's place was not synced by then */
	/* Once that is written, and before it is synced; NULL: never. */
	bool (*kills_behind)(const char *path, const uint8_t *data, size_t length);
	struct unsynced *first, **end;
	uint64_t random;
	uint64_t acked[SENDERS][STORE_LANES], acked_at_cut[SENDERS][STORE_LANES];
	uint64_t told, told_at_cut; /* the newest number of the target */
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .end = &disk.first};

static uint32_t chance(uint32_t below)
{
	disk.random = disk.random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(disk.random >> 33) % below;
}

/* The path within the watched store, or NULL. */
static const char *path_of(int fd, char path[512])
{
	char link[64];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, 511);
	size_t prefix = strlen(disk.store);
	if (n <= 0 || !disk.watching)
		return NULL;
	path[n] = '\0';
	return strncmp(path, disk.store, prefix) == 0 ? path + prefix : NULL;
}

static void write_to(const char *folder, const struct unsynced *w, size_t from, size_t length)
{
	char path[512];
	snprintf(path, sizeof path, "%s%s", folder, w->path);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, w->data + from, length, (off_t)(w->offset + from)), length);
	close(fd);
}

static void write_some(const struct unsynced *w)
{
	size_t to_boundary = SECTOR - w->offset % SECTOR;
	for (size_t at = 0, n; at < w->length; at += n) {
		n = at == 0 ? to_boundary : SECTOR;
		if (n > w->length - at)
			n = w->length - at;
		if (chance(2))
			write_to(disk.cut, w, at, n);
	}
}

static void rename_in(const char *folder, const struct unsynced *w)
{
	char from[512], path[512];
	snprintf(from, sizeof from, "%s%s", folder, w->from);
	snprintf(path, sizeof path, "%s%s", folder, w->path);
	disk.torn |= rename(from, path) < 0 && !disk.lying;
}

static void take_cut(void)
{
	kit_copy(disk.synced, disk.cut);
	for (struct unsynced *w = disk.first; w; w = w->next) {
		uint32_t fate = chance(3);
		if (w->from[0] && fate < 2)
			rename_in(disk.cut, w);
		else if (fate == 0)
			write_to(disk.cut, w, 0, w->length);
		else if (fate == 1)
			write_some(w);
	}
	memcpy(disk.acked_at_cut, disk.acked, sizeof disk.acked);
	disk.told_at_cut = disk.told;
}

/* What the kernel has, synced or not, is what the next process finds; a cut after that still
 * takes what was never synced. */
static void take_kill(void)
{
	kit_copy(disk.store, disk.cut);
	memcpy(disk.acked_at_cut, disk.acked, sizeof disk.acked);
	disk.told_at_cut = disk.told;
	disk.watching = false;
}

static void pass_time(void)
{
	if (disk.watching && disk.until_cut > 0 && --disk.until_cut == 0)
		take_cut();
	if (disk.watching && disk.until_kill > 0 && --disk.until_kill == 0)
		take_kill();
}

/* The first block of a run, and not the last. */
static bool is_part(const char *path, const uint8_t *data, size_t length)
{
	(void)path;
	return length > BLOCK_BYTES && get_u32(data) == MAGIC_BLOCK &&
		get_u16(data + 22) & BLOCK_PARTIAL && !(get_u16(data + 22) & BLOCK_JOINED);
}

static bool is_super(const char *path, const uint8_t *data, size_t length)
{
	(void)data;
	(void)length;
	return strcmp(path, "super") == 0;
}

static struct unsynced *note(const char *path, uint64_t offset, size_t length)
{
	struct unsynced *w = malloc(sizeof *w + length);
	*w = (struct unsynced){.offset = offset, .length = length};
	snprintf(w->path, sizeof w->path, "%s", path);
	*disk.end = w;
	disk.end = &w->next;
	return w;
}

int __real_fw_pwrite(int fd, const void *data, size_t length, uint64_t offset);
int __wrap_fw_pwrite(int fd, const void *data, size_t length, uint64_t offset);
int __real_fw_fdatasync(int fd);
int __wrap_fw_fdatasync(int fd);
int __wrap_fw_fsync(int fd);
int __real_fw_rename(const char *from, const char *to);
int __wrap_fw_rename(const char *from, const char *to);
int __wrap_fw_fsync_dir(const char *path);

int __wrap_fw_pwrite(int fd, const void *data, size_t length, uint64_t offset)
{
	char buffer[512];
	pthread_mutex_lock(&disk.lock);
	const char *path = path_of(fd, buffer);
	if (path)
		pass_time();
	if (path && disk.watching)
		memcpy(note(path, offset, length)->data, data, length);
	int rc = __real_fw_pwrite(fd, data, length, offset);
	if (path && disk.watching && disk.kills_behind && disk.kills_behind(path, data, length))
		disk.until_kill = 1;
	pthread_mutex_unlock(&disk.lock);
	return rc;
}

static void sync_path(const char *path)
{
	struct unsynced **at = &disk.first;
	while (*at) {
		struct unsynced *w = *at;
		if (w->from[0] || strcmp(w->path, path) != 0) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		write_to(disk.synced, w, 0, w->length);
		free(w);
	}
	disk.end = at;
}

int __wrap_fw_fdatasync(int fd)
{
	char buffer[512];
	pthread_mutex_lock(&disk.lock);
	const char *path = path_of(fd, buffer);
	if (path) {
		pass_time();
		if (disk.watching && !disk.lying)
			sync_path(path);
	}
	pthread_mutex_unlock(&disk.lock);
	return 0;
}

/* What was made anew begins without what lay there. */
int __wrap_fw_fsync(int fd)
{
	char buffer[512], synced[512];
	pthread_mutex_lock(&disk.lock);
	const char *path = path_of(fd, buffer);
	if (path)
		pass_time();
	if (path && disk.watching && !disk.lying) {
		snprintf(synced, sizeof synced, "%s%s", disk.synced, path);
		unlink(synced);
		sync_path(path);
	}
	pthread_mutex_unlock(&disk.lock);
	return 0;
}

static bool is_waiting(const char *path)
{
	const struct unsynced *w = disk.first;
	while (w && strcmp(w->path, path) != 0)
		w = w->next;
	return w != NULL;
}

int __wrap_fw_rename(const char *from, const char *to)
{
	size_t prefix = strlen(disk.store);
	pthread_mutex_lock(&disk.lock);
	if (disk.watching)
		pass_time();
	if (disk.watching) {
		disk.torn |= !disk.lying && is_waiting(from + prefix);
		struct unsynced *w = note(to + prefix, 0, 0);
		snprintf(w->from, sizeof w->from, "%s", from + prefix);
		disk.renames++;
	}
	int rc = __real_fw_rename(from, to);
	pthread_mutex_unlock(&disk.lock);
	return rc;
}

static void sync_renames(void)
{
	struct unsynced **at = &disk.first;
	while (*at) {
		struct unsynced *w = *at;
		if (!w->from[0]) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		rename_in(disk.synced, w);
		free(w);
	}
	disk.end = at;
}

int __wrap_fw_fsync_dir(const char *path)
{
	(void)path; /* only in the store's own folder is anything renamed */
	pthread_mutex_lock(&disk.lock);
	if (disk.watching)
		pass_time();
	if (disk.watching && !disk.lying)
		sync_renames();
	pthread_mutex_unlock(&disk.lock);
	return 0;
}

static void stop_watching(void)
{
	pthread_mutex_lock(&disk.lock);
	disk.watching = false;
	while (disk.first) {
		struct unsynced *w = disk.first;
		disk.first = w->next;
		free(w);
	}
	disk.end = &disk.first;
	pthread_mutex_unlock(&disk.lock);
}

/* ---- the agents ---- */

struct machine {
	struct kit *kit;
	uint32_t host;
	uint64_t session;
	uint64_t next[STORE_LANES], made[STORE_LANES];
	int64_t at_ms[STORE_LANES][NUMBERS]; /* first sweep of each number */
	int64_t last[KIT_COLUMNS];
	bool has_last;
};

static struct machine machines[SENDERS];

struct shipment {
	struct store_entry entry;
	struct fw_buf message;
	struct fw_arena arena;
	struct fw_batch batch;
	unsigned machine;
	bool done;
};

static pthread_mutex_t done_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done_cond = PTHREAD_COND_INITIALIZER;

static void on_shipped(struct store_entry *entry)
{
	struct shipment *s = (struct shipment *)(void *)entry;
	pthread_mutex_lock(&disk.lock);
	if (entry->verdict == STORE_DURABLE && entry->kind == STORE_BATCH)
		disk.acked[s->machine][entry->lane] = entry->seq;
	pthread_mutex_unlock(&disk.lock);
	pthread_mutex_lock(&done_lock);
	s->done = true;
	pthread_cond_signal(&done_cond);
	pthread_mutex_unlock(&done_lock);
}

static void address(struct shipment *s, unsigned machine, enum store_kind kind)
{
	*s = (struct shipment){.machine = machine};
	s->entry = (struct store_entry){
		.kind = kind,
		.stream = 7,
		.session = machines[machine].session,
		.received_ms = kit_now_ms,
		.on_done = on_shipped,
	};
	memset(s->entry.agent, (int)machine + 1, sizeof s->entry.agent);
}

static uint32_t sweeps_of(enum store_lane lane)
{
	return lane == STORE_BACKLOG ? 20 : 1;
}

/* The batch with the machine's next number: the same whenever it is made again. */
static void pack(struct shipment *s, unsigned index, enum store_lane lane)
{
	struct machine *m = &machines[index];
	uint64_t seq = m->next[lane]++;
	uint32_t n = sweeps_of(lane);
	assert_true(seq < NUMBERS);
	if (seq > m->made[lane]) {
		int64_t base = kit_now_ms - INT64_C(3600000) * (lane == STORE_LIVE ? 24 : 500);
		m->at_ms[lane][seq] = base + (int64_t)seq * STEP * n;
		m->made[lane] = seq;
	}
	int64_t times[20], cells[20 * KIT_COLUMNS];
	for (uint32_t i = 0; i < n; i++) {
		times[i] = m->at_ms[lane][seq] + i * STEP;
		for (uint32_t c = 0; c < KIT_COLUMNS; c++)
			cells[i * KIT_COLUMNS + c] = kit_cell(times[i], c);
	}
	struct fw_sweeps sweeps = {
		.n_sweeps = n, .n_columns = KIT_COLUMNS, .times_ms = times, .cells = cells};
	address(s, index, STORE_BATCH);
	if (lane == STORE_LIVE) {
		fw_batch_encode_live(
			&sweeps, seq, 1, STEP, m->has_last ? m->last : NULL, &s->message);
		memcpy(m->last, cells, sizeof m->last);
		m->has_last = true;
	} else {
		fw_batch_encode_backlog(&sweeps, seq, 1, STEP, &s->message);
	}
	fw_batch_open(s->message.data, s->message.length, &s->arena, &s->batch, NULL);
	s->entry.lane = lane;
	s->entry.seq = seq;
	s->entry.host = m->host;
	s->entry.schema = m->kit->schema;
	s->entry.payload = s->message.data;
	s->entry.length = s->message.length;
	s->entry.batch = &s->batch;
}

static void wait_for(struct shipment *s)
{
	pthread_mutex_lock(&done_lock);
	while (!s->done)
		pthread_cond_wait(&done_cond, &done_lock);
	pthread_mutex_unlock(&done_lock);
	fw_buf_done(&s->message);
	fw_arena_done(&s->arena);
}

/* Or names that come from now on would go with the file. */
static void check_renames(void)
{
	bool sound = true;
	pthread_mutex_lock(&disk.lock);
	for (const struct unsynced *w = disk.first; w; w = w->next)
		sound = sound && (disk.lying || !w->from[0]);
	pthread_mutex_unlock(&disk.lock);
	assert_true(sound);
}

/* What it leaves in the dictionary goes with the next opening. */
static void connect_all(struct kit *kit)
{
	static const char *const names[SENDERS] = {"alpha", "beta", "gamma"};
	check_renames();
	kit->schema = kit_schema(kit, "m");
	kit_waste(kit, WASTE);
	for (unsigned i = 0; i < SENDERS; i++) {
		struct machine *m = &machines[i];
		struct shipment hello;
		m->kit = kit;
		m->host = kit_host(kit, names[i]);
		m->session = ++kit->session;
		address(&hello, i, STORE_SESSION);
		store_submit(kit->store, &hello.entry);
		wait_for(&hello);
		pthread_mutex_lock(&disk.lock);
		for (int lane = 0; lane < STORE_LANES; lane++) {
			m->next[lane] = hello.entry.acked[lane] + 1;
			disk.acked[i][lane] = hello.entry.acked[lane]; /* it may forget them */
		}
		pthread_mutex_unlock(&disk.lock);
		m->has_last = false;
	}
}

/* ---- the target ---- */

static uint64_t target_next;

enum { LATE_EVERY = 6, LATE_SWEEPS = 20, BEGINS = 20 };

/* What is written with a number: one sweep, or now and then some late ones. */
struct writing {
	int64_t at_ms;
	uint32_t n_sweeps;
	int n_series;
};

static struct writing writing_of(uint64_t number)
{
	int64_t day_ms = INT64_C(86400000);
	struct writing w = {.at_ms = kit_now_ms - day_ms + (int64_t)number * STEP,
		.n_sweeps = 1,
		.n_series = number < BEGINS ? KIT_EARLY : KIT_SERIES};
	if (number % LATE_EVERY == 0) {
		w.n_sweeps = LATE_SWEEPS;
		w.at_ms = kit_now_ms - 20 * day_ms +
			(int64_t)(number / LATE_EVERY) * STEP * LATE_SWEEPS;
	}
	return w;
}

static void write_target(struct kit *kit)
{
	struct writing w = writing_of(target_next);
	assert_int_equal(kit_target_write(kit, w.n_series, w.at_ms, w.n_sweeps, STEP), 0);
	pthread_mutex_lock(&disk.lock);
	disk.told = target_next++;
	pthread_mutex_unlock(&disk.lock);
}

static void send_burst(struct kit *kit, bool to_target)
{
	struct shipment shipments[BURST];
	unsigned n = 1 + chance(BURST);
	for (unsigned i = 0; i < n; i++)
		pack(&shipments[i], chance(SENDERS), chance(6) == 0 ? STORE_BACKLOG : STORE_LIVE);
	for (unsigned i = 0; i < n; i++)
		store_submit(kit->store, &shipments[i].entry);
	if (to_target)
		write_target(kit);
	for (unsigned i = 0; i < n; i++)
		wait_for(&shipments[i]);
}

/* ---- the comparison ---- */

static bool is_expected(const struct machine *m, int64_t at_ms, const uint64_t upto[STORE_LANES])
{
	for (int lane = 0; lane < STORE_LANES; lane++) {
		uint32_t n = sweeps_of((enum store_lane)lane);
		int64_t first = m->at_ms[lane][1];
		if (upto[lane] == 0 || at_ms < first || (at_ms - first) % STEP)
			continue;
		if ((uint64_t)((at_ms - first) / STEP) < upto[lane] * n)
			return true;
	}
	return false;
}

/* The store has exactly what lies below its own highest numbers; those must
 * reach what was acknowledged before the cut. Returns what is missing or extra. */
static size_t compare(struct kit *kit)
{
	size_t wrong = 0;
	for (unsigned i = 0; i < SENDERS; i++) {
		struct machine *m = &machines[i];
		uint64_t upto[STORE_LANES], expected = 0;
		for (int lane = 0; lane < STORE_LANES; lane++) {
			upto[lane] = m->next[lane] - 1;
			expected += upto[lane] * sweeps_of((enum store_lane)lane);
			if (upto[lane] < disk.acked_at_cut[i][lane])
				wrong += disk.acked_at_cut[i][lane] - upto[lane];
		}
		struct fw_arena arena = {0};
		struct store_columns columns;
		size_t n = kit_read(kit, m->host, 0, INT64_MAX, &arena, &columns);
		wrong += columns.damaged_blocks;
		for (size_t k = 0; k < n; k++) {
			bool good = is_expected(m, columns.times_ms[k], upto);
			for (uint32_t c = 0; c < KIT_COLUMNS; c++)
				good = good &&
					columns.cells[c][k] == kit_cell(columns.times_ms[k], c);
			wrong += !good;
		}
		wrong += n > expected ? n - expected : expected - n;
		fw_arena_done(&arena);
	}
	return wrong;
}

static bool has_sample(const struct kit_found *found, int64_t at_ms, int series)
{
	for (size_t i = 0; i < found->n; i++)
		if (found->samples[i].at_ms == at_ms)
			return found->samples[i].cell == kit_target_cell(at_ms, series);
	return false;
}

/* Samples of one series that were written with numbers up to `upto` and are missing, and those
 * that nobody wrote. */
static size_t compare_series(struct kit *kit, int series, uint64_t upto)
{
	struct kit_found found = kit_target_read(kit, series);
	size_t there = 0, missing = 0;
	for (uint64_t number = 1; number <= upto; number++) {
		struct writing w = writing_of(number);
		for (uint32_t i = 0; series < w.n_series && i < w.n_sweeps; i++) {
			int64_t at_ms = w.at_ms + i * STEP + kit_target_shift(series);
			bool has = has_sample(&found, at_ms, series);
			there += has;
			missing += !has;
		}
	}
	missing += found.n - there;
	fw_arena_done(&found.arena);
	return missing;
}

/* The newest that lies there, which may be one that nobody was told of. */
static uint64_t target_upto(struct kit *kit)
{
	struct kit_found found = kit_target_read(kit, 0);
	uint64_t upto = target_next;
	while (upto > 0 && !has_sample(&found, writing_of(upto).at_ms, 0))
		upto--;
	fw_arena_done(&found.arena);
	return upto;
}

static size_t compare_target(struct kit *kit)
{
	uint64_t upto = target_upto(kit);
	size_t wrong = upto < disk.told_at_cut ? disk.told_at_cut - upto : 0;
	for (int s = 0; s < KIT_SERIES; s++)
		wrong += compare_series(kit, s, upto);
	target_next = upto + 1;
	return wrong;
}

static void end_with_slash(char *path, size_t size)
{
	size_t length = strlen(path);
	snprintf(path + length, size - length, "/");
}

static void begin_watching(struct kit *kit, int until_cut)
{
	snprintf(disk.store, sizeof disk.store, "%s/", kit->dir);
	kit_remove(disk.synced);
	kit_remove(disk.cut);
	kit_copy(kit->dir, disk.synced);
	pthread_mutex_lock(&disk.lock);
	end_with_slash(disk.synced, sizeof disk.synced);
	end_with_slash(disk.cut, sizeof disk.cut);
	disk.until_cut = until_cut;
	disk.watching = true;
	pthread_mutex_unlock(&disk.lock);
}

/* The store in its folder becomes the cut one. */
static void move_into_cut(struct kit *kit)
{
	pthread_mutex_lock(&disk.lock);
	if (disk.until_cut > 0)
		take_cut();
	disk.until_cut = 0;
	pthread_mutex_unlock(&disk.lock);
	stop_watching();
	store_close(kit->store);
	kit->store = NULL;
	kit_remove(kit->dir);
	disk.synced[strlen(disk.synced) - 1] = '\0';
	disk.cut[strlen(disk.cut) - 1] = '\0';
	kit_copy(disk.cut, kit->dir);
}

/* The process dies, and another begins with what the kernel has. */
static void kill_and_open(struct kit *kit)
{
	struct fw_err err = {""};
	pthread_mutex_lock(&disk.lock);
	if (disk.until_kill > 0)
		take_kill();
	disk.until_kill = 0;
	pthread_mutex_unlock(&disk.lock);
	store_close(kit->store);
	assert_false(disk.watching);
	kit_remove(kit->dir);
	kit_copy(disk.cut, kit->dir);
	kit_remove(disk.cut);
	memcpy(disk.acked, disk.acked_at_cut, sizeof disk.acked);
	disk.told = disk.told_at_cut;
	target_next = disk.told + 1; /* what it was not told of it sends again */
	disk.watching = true;
	if (kit_open(kit, &err) < 0)
		fail_msg("%s", err.text);
	connect_all(kit);
}

struct loss {
	size_t hosts, target;
	uint64_t damage; /* a cut does none */
};

static void begin_anew(struct kit *kit)
{
	struct fw_err err = {""};
	store_close(kit->store);
	kit_remove(kit->dir);
	if (kit_open(kit, &err) < 0)
		fail_msg("%s", err.text);
	kit->schema = kit_schema(kit, "m");
}

/* `log_bytes`: of a segment of the log; 0: as small as may be. */
static void begin_life(struct kit *kit, bool lying, uint64_t log_bytes)
{
	memset(machines, 0, sizeof machines);
	memset(disk.acked, 0, sizeof disk.acked);
	memset(disk.acked_at_cut, 0, sizeof disk.acked_at_cut);
	disk.told = disk.told_at_cut = 0;
	target_next = 1;
	disk.lying = lying;
	/* Small segments: they are sealed and digested, too; so many that none is written over. */
	kit_init_of(kit, 4 << 10, 3 * ROUNDS);
	kit->config.log_segment_bytes = log_bytes;
	if (log_bytes)
		begin_anew(kit);
	snprintf(disk.synced, sizeof disk.synced, "%s-sync", kit->dir);
	snprintf(disk.cut, sizeof disk.cut, "%s-cut", kit->dir);
	connect_all(kit);
}

static void end_life(struct kit *kit)
{
	kit_done(kit);
	kit_remove(disk.synced);
	kit_remove(disk.cut);
}

static void work(struct kit *kit)
{
	for (int burst = 0; burst < 12; burst++)
		send_burst(kit, true);
}

/* Some work, a cut in it, and a look at what is left. Returns how many digests there were. */
static uint64_t cut_once(struct kit *kit, struct loss *loss)
{
	struct store_stat stat;
	struct fw_err err = {""};
	uint64_t digests;
	begin_watching(kit, 1 + (int)chance(60));
	if (chance(2)) {
		int until_cut = disk.until_cut;
		disk.until_cut = 0;
		disk.until_kill = 1 + (int)chance(60);
		work(kit);
		disk.until_cut = chance(2) ? until_cut : 1 + (int)chance(8);
		kill_and_open(kit);
	}
	work(kit);
	store_stat(kit->store, &stat);
	if (chance(3) == 0)
		kit_reopen(kit);
	digests = stat.digests;
	move_into_cut(kit);
	loss->damage += disk.lying ? 0 : (unsigned)kit_check(kit->dir);
	if (kit_open(kit, &err) < 0)
		fail_msg("%s", err.text);
	store_stat(kit->store, &stat);
	loss->damage += stat.damaged_blocks;
	connect_all(kit);
	loss->hosts += compare(kit);
	loss->target += compare_target(kit);
	memcpy(disk.acked, disk.acked_at_cut, sizeof disk.acked);
	disk.told = disk.told_at_cut;
	return digests;
}

/* A store's life from the first day on, with ROUNDS cuts. */
static void test_nothing_acknowledged_is_lost(void **state)
{
	(void)state;
	const char *wanted = getenv("FENWATCH_CUTS");
	unsigned cuts = wanted ? (unsigned)strtoul(wanted, NULL, 10) : ROUNDS, done = 0;
	disk.random = 11;
	while (done < cuts) {
		struct kit kit;
		struct loss loss = {0};
		uint64_t digests = 0;
		begin_life(&kit, false, 0);
		for (unsigned round = 0; round < ROUNDS; round++, done++) {
			digests += cut_once(&kit, &loss);
			if (loss.hosts + loss.target + loss.damage > 0)
				fail_msg("round %u: %zu of hosts and %zu of the target are wrong, "
					 "%llu places are damaged",
					round, loss.hosts, loss.target,
					(unsigned long long)loss.damage);
		}
		assert_true(digests > 0 && disk.renames > 0 && !disk.torn);
		end_life(&kit);
	}
	print_message("# %u cuts\n", done);
}

/* Its records count as long as the last block is not there, also when the first has been joined
 * with others in the meantime. */
static void test_a_run_that_was_written_in_part(void **state)
{
	(void)state;
	struct kit kit;
	struct store_stat stat = {0};
	disk.random = 11;
	begin_life(&kit, false, 1 << 20); /* so long that no run is written for it */
	begin_watching(&kit, 0);
	for (int burst = 0; burst < 5; burst++)
		send_burst(&kit, true);
	disk.kills_behind = is_part; /* while it ends */
	kill_and_open(&kit);
	disk.kills_behind = NULL;
	while (stat.digests < DIGESTS) {
		send_burst(&kit, false);
		store_stat(kit.store, &stat);
	}
	disk.until_kill = INT_MAX;
	kill_and_open(&kit);
	assert_int_equal(compare_target(&kit), 0);
	stop_watching();
	end_life(&kit);
}

static bool is_unsynced(bool (*wanted)(const char *path, const uint8_t *data, size_t length))
{
	bool found = false;
	pthread_mutex_lock(&disk.lock);
	for (const struct unsynced *w = disk.first; w && !found; w = w->next)
		found = wanted(w->path, w->data, w->length);
	pthread_mutex_unlock(&disk.lock);
	return found;
}

/* What it says of the digests frees segments, so they must not be written over before. */
static void test_what_super_says_is_synced(void **state)
{
	(void)state;
	struct kit kit;
	disk.random = 11;
	begin_life(&kit, false, 0);
	begin_watching(&kit, 0);
	for (int kills = 0; kills < SUPER_KILLS; kills++) {
		disk.kills_behind = is_super;
		while (disk.watching)
			send_burst(&kit, true);
		assert_true(is_unsynced(is_super));
		disk.kills_behind = NULL;
		kill_and_open(&kit);
		assert_false(is_unsynced(is_super));
	}
	stop_watching();
	end_life(&kit);
}

static void test_control_without_syncs_loses(void **state)
{
	(void)state;
	struct kit kit;
	struct loss loss = {0};
	disk.random = 11;
	begin_life(&kit, true, 0);
	for (unsigned round = 0; round < ROUNDS && (!loss.hosts || !loss.target); round++)
		cut_once(&kit, &loss);
	assert_true(loss.hosts > 0 && loss.target > 0);
	end_life(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_acknowledged_is_lost),
		cmocka_unit_test(test_a_run_that_was_written_in_part),
		cmocka_unit_test(test_what_super_says_is_synced),
		cmocka_unit_test(test_control_without_syncs_loses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
