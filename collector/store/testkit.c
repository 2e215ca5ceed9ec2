/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fenwatch/mem.h>
#include <fenwatch/unpack.h>

#include "testkit.h"

int64_t kit_now_ms = 1795000000000;

static void on_fatal(const char *why, void *arg)
{
	struct kit *kit = arg;
	(void)why;
	kit->fatal++;
}

void kit_init(struct kit *kit)
{
	kit_init_of(kit, 512 << 10, 16);
}

void kit_init_of(struct kit *kit, uint64_t segment_bytes, uint64_t segments)
{
	const uint64_t bytes = segment_bytes * segments;
	const char *folder = getenv("TMPDIR");
	*kit = (struct kit){0};
	snprintf(kit->dir, sizeof kit->dir, "%s/fenwatch-store-XXXXXX", folder ? folder : "/tmp");
	assert_non_null(mkdtemp(kit->dir));
	kit->config = (struct store_config){
		.dir = kit->dir,
		.tier_bytes = {bytes, bytes, bytes},
		.segment_bytes = segment_bytes,
		.log_segment_bytes = 64 << 10, /* so that the log goes round in a test */
		.late_ms = INT64_C(35) * 24 * 3600 * 1000,
		.columns_per_host = 5000,
		.commit_ms = 1,
		.on_fatal = on_fatal,
		.arg = kit,
	};
	struct fw_err err = {""};
	if (kit_open(kit, &err) < 0)
		fail_msg("%s", err.text);
	kit->host = kit_host(kit, "alpha");
	kit->schema = kit_schema(kit, "m");
}

int kit_open(struct kit *kit, struct fw_err *err)
{
	kit->store = NULL;
	return store_open(&kit->store, &kit->config, err);
}

void kit_reopen(struct kit *kit)
{
	struct fw_err err = {""};
	store_close(kit->store);
	if (kit_open(kit, &err) < 0)
		fail_msg("%s", err.text);
}

void kit_done(struct kit *kit)
{
	store_close(kit->store);
	kit_remove(kit->dir);
}

uint32_t kit_host(struct kit *kit, const char *instance)
{
	const struct fw_label labels[] = {{"instance", instance}, {"job", "node"}};
	uint32_t id = 0;
	assert_int_equal(store_host_intern(kit->store, labels, 2, &id, NULL), 0);
	return id;
}

uint32_t kit_schema_of(struct kit *kit, const char *const *names, uint32_t n)
{
	struct fw_column *columns = calloc(n, sizeof *columns);
	uint32_t id = 0;
	for (uint32_t i = 0; i < n; i++)
		columns[i] = (struct fw_column){.name = names[i], .factor = 1};
	struct fw_schema schema = {.n_columns = n, .columns = columns};
	fw_schema_seal(&schema);
	assert_int_equal(store_schema_intern(kit->store, &schema, &id, NULL), 0);
	free(columns);
	return id;
}

uint32_t kit_schema(struct kit *kit, const char *prefix)
{
	char names[KIT_COLUMNS][16];
	const char *pointers[KIT_COLUMNS];
	for (int i = 0; i < KIT_COLUMNS; i++) {
		snprintf(names[i], sizeof names[i], "%s%d", prefix, i);
		pointers[i] = names[i];
	}
	return kit_schema_of(kit, pointers, KIT_COLUMNS);
}

static void waste_one(struct kit *kit, unsigned which)
{
	enum { COLUMNS = 700 };
	static char names[COLUMNS][32];
	const char *pointers[COLUMNS];
	for (int i = 0; i < COLUMNS; i++) {
		snprintf(names[i], sizeof names[i], "waste_%06u_of_column_%03d", which, i);
		pointers[i] = names[i];
	}
	kit_schema_of(kit, pointers, COLUMNS);
}

void kit_waste(struct kit *kit, unsigned n)
{
	static unsigned which;
	for (unsigned i = 0; i < n; i++)
		waste_one(kit, which++);
}

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t done;
	struct store_entry *entry;
	bool is_done;
	struct waiting *next;
};

/* Entries have no place for an argument; the waiter is found by its entry. */
static pthread_mutex_t waiters_lock = PTHREAD_MUTEX_INITIALIZER;
static struct waiting *waiters;

static void on_done(struct store_entry *entry)
{
	pthread_mutex_lock(&waiters_lock);
	struct waiting *waiting = waiters;
	while (waiting->entry != entry)
		waiting = waiting->next;
	pthread_mutex_lock(&waiting->lock);
	pthread_mutex_unlock(&waiters_lock);
	waiting->is_done = true;
	pthread_cond_signal(&waiting->done);
	pthread_mutex_unlock(&waiting->lock);
}

static void forget(struct waiting *waiting)
{
	pthread_mutex_lock(&waiters_lock);
	struct waiting **at = &waiters;
	while (*at != waiting)
		at = &(*at)->next;
	*at = waiting->next;
	pthread_mutex_unlock(&waiters_lock);
}

void kit_submit(struct kit *kit, struct store_entry *entry)
{
	struct waiting waiting = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.done = PTHREAD_COND_INITIALIZER,
		.entry = entry,
	};
	entry->on_done = on_done;
	entry->received_ms = entry->received_ms ? entry->received_ms : kit_now_ms;
	pthread_mutex_lock(&waiters_lock);
	waiting.next = waiters;
	waiters = &waiting;
	pthread_mutex_unlock(&waiters_lock);
	store_submit(kit->store, entry);
	pthread_mutex_lock(&waiting.lock);
	while (!waiting.is_done)
		pthread_cond_wait(&waiting.done, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
	forget(&waiting);
}

struct store_entry sender_begin(
	struct sender *sender, struct kit *kit, uint8_t agent, uint64_t stream)
{
	uint64_t next[STORE_LANES] = {sender->next[0], sender->next[1]};
	*sender = (struct sender){.kit = kit, .stream = stream, .session = ++kit->session};
	memset(sender->agent, agent, sizeof sender->agent);
	struct store_entry entry = {
		.kind = STORE_SESSION,
		.stream = stream,
		.session = sender->session,
		.announced = {next[0], next[1]},
	};
	memcpy(entry.agent, sender->agent, sizeof entry.agent);
	kit_submit(kit, &entry);
	for (int lane = 0; lane < STORE_LANES; lane++)
		sender->next[lane] = entry.acked[lane] + 1;
	return entry;
}

int64_t kit_cell(int64_t at_ms, uint32_t c)
{
	return c == 0 ? 42 : at_ms / 1000 * (int64_t)c + (at_ms % 7 == 0 ? -3 : 5);
}

static void fill(int64_t *cells, int64_t at_ms)
{
	for (uint32_t c = 0; c < KIT_COLUMNS; c++)
		cells[c] = kit_cell(at_ms, c);
}

enum store_verdict sender_send(struct sender *sender, enum store_lane lane, uint32_t host,
	uint32_t schema, int64_t at_ms, uint32_t n, int64_t step_ms, bool key)
{
	int64_t *times = calloc(n, sizeof *times);
	int64_t *cells = calloc((size_t)n * KIT_COLUMNS, sizeof *cells);
	for (uint32_t i = 0; i < n; i++) {
		times[i] = at_ms + i * step_ms;
		fill(cells + (size_t)i * KIT_COLUMNS, times[i]);
	}
	struct fw_sweeps sweeps = {
		.n_sweeps = n, .n_columns = KIT_COLUMNS, .times_ms = times, .cells = cells};
	struct fw_buf message = {0};
	struct fw_arena arena = {0};
	struct fw_batch batch;
	uint64_t seq = sender->next[lane];
	const int64_t *state = key || !sender->has_last ? NULL : sender->last;
	if (lane == STORE_BACKLOG)
		fw_batch_encode_backlog(&sweeps, seq, 1, (uint32_t)step_ms, &message);
	else
		fw_batch_encode_live(&sweeps, seq, 1, (uint32_t)step_ms, state, &message);
	assert_int_equal(fw_batch_open(message.data, message.length, &arena, &batch, NULL), 0);
	struct store_entry entry = {
		.kind = STORE_BATCH,
		.stream = sender->stream,
		.session = sender->session,
		.lane = lane,
		.seq = seq,
		.host = host,
		.schema = schema,
		.payload = message.data,
		.length = message.length,
		.batch = &batch,
	};
	memcpy(entry.agent, sender->agent, sizeof entry.agent);
	kit_submit(sender->kit, &entry);
	if (entry.verdict == STORE_DURABLE || entry.verdict == STORE_REFUSED) {
		sender->next[lane]++;
		sender->has_last |= lane == STORE_LIVE && entry.verdict == STORE_DURABLE;
		if (lane == STORE_LIVE)
			memcpy(sender->last, cells + (size_t)(n - 1) * KIT_COLUMNS,
				sizeof sender->last);
	}
	fw_arena_done(&arena);
	fw_buf_done(&message);
	free(times);
	free(cells);
	return entry.verdict;
}

size_t kit_read(struct kit *kit, uint32_t host, int64_t from_ms, int64_t to_ms,
	struct fw_arena *arena, struct store_columns *out)
{
	struct store_group *groups = NULL;
	size_t n = 0;
	*out = (struct store_columns){0};
	assert_int_equal(
		store_select(kit->store, NULL, 0, from_ms, to_ms, arena, &groups, &n, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		if (groups[i].host != host || groups[i].schema_id != kit->schema)
			continue;
		assert_int_equal(
			store_read(kit->store, &groups[i], from_ms, to_ms, NULL, arena, out, NULL),
			0);
	}
	return out->n;
}

size_t kit_count(struct kit *kit, uint32_t host, bool exact)
{
	struct fw_arena arena = {0};
	struct store_columns columns;
	size_t n = kit_read(kit, host, INT64_MIN, INT64_MAX, &arena, &columns);
	for (size_t i = 0; i < n && exact; i++) {
		for (uint32_t c = 0; c < KIT_COLUMNS; c++)
			assert_int_equal(columns.cells[c][i], kit_cell(columns.times_ms[i], c));
	}
	fw_arena_done(&arena);
	return n;
}

/* ---- series from elsewhere ---- */

static bool accepts(const struct store_matcher *matcher, const char *value)
{
	return strcmp(matcher->value, value) == 0;
}

static void take_found(const struct store_columns *columns, struct kit_found *found)
{
	struct store_sample *all =
		fw_arena_alloc(&found->arena, (found->n + columns->n) * sizeof *all + 1);
	if (found->n)
		memcpy(all, found->samples, found->n * sizeof *all);
	for (size_t i = 0; i < columns->n; i++)
		if (columns->cells[0][i] != STORE_UNSAID)
			all[found->n++] =
				(struct store_sample){columns->times_ms[i], columns->cells[0][i]};
	found->samples = all;
}

struct kit_found kit_find(struct kit *kit, const char *name, const char *l)
{
	const struct store_matcher matchers[] = {
		{.name = "__name__", .accepts = accepts, .value = name},
		{.name = "l", .accepts = accepts, .value = l},
	};
	struct kit_found found = {.arena = {0}};
	struct store_group *groups;
	assert_int_equal(store_select(kit->store, matchers, 2, 0, INT64_MAX, &found.arena, &groups,
				 &found.groups, NULL),
		0);
	for (size_t g = 0; g < found.groups; g++) {
		struct store_columns columns;
		assert_int_equal(store_read(kit->store, &groups[g], 0, INT64_MAX, NULL,
					 &found.arena, &columns, NULL),
			0);
		take_found(&columns, &found);
	}
	return found;
}

static const char *const target_series[KIT_SERIES] = {"0", "1", "2", "3", "4", "5"};

int64_t kit_target_shift(int series)
{
	return series >= KIT_BEYOND ? 7000 : series == KIT_SHIFTED ? 5000 : 0;
}

int64_t kit_target_cell(int64_t at_ms, int series)
{
	int64_t s = at_ms / 1000;
	if (series == KIT_ENDING && s % 7 == 0)
		return FW_ABSENT;
	return fw_double_cell(series == 0 ? 42 : (double)(s % 10000) / 8 + series);
}

static void fill_samples(
	struct store_sample *to, int series, int64_t at_ms, uint32_t n, int64_t step_ms)
{
	at_ms += kit_target_shift(series);
	for (uint32_t i = 0; i < n; i++, at_ms += step_ms)
		to[i] = (struct store_sample){at_ms, kit_target_cell(at_ms, series)};
}

int kit_target_write(
	struct kit *kit, int n_series, int64_t at_ms, uint32_t n_sweeps, int64_t step_ms)
{
	struct store_foreign series[KIT_SERIES];
	struct fw_label labels[KIT_SERIES][3];
	struct store_sample *samples = calloc((size_t)n_series * n_sweeps, sizeof *samples);
	for (int s = 0; s < n_series; s++) {
		labels[s][0] = (struct fw_label){"__name__", "target"};
		labels[s][1] =
			(struct fw_label){"instance", s < KIT_BEYOND ? "elsewhere" : "beyond"};
		labels[s][2] = (struct fw_label){"l", target_series[s]};
		series[s] = (struct store_foreign){
			.labels = labels[s],
			.n_labels = 3,
			.samples = samples + (size_t)s * n_sweeps,
			.n_samples = n_sweeps,
		};
		fill_samples(series[s].samples, s, at_ms, n_sweeps, step_ms);
	}
	int rc = store_foreign_write(kit->store, series, (size_t)n_series, kit_now_ms, NULL);
	free(samples);
	return rc;
}

struct kit_found kit_target_read(struct kit *kit, int series)
{
	return kit_find(kit, "target", target_series[series]);
}

size_t kit_target_count(struct kit *kit, bool exact)
{
	size_t n = 0;
	for (int s = 0; s < KIT_SERIES; s++) {
		struct kit_found found = kit_target_read(kit, s);
		for (size_t i = 0; i < found.n && exact; i++)
			assert_int_equal(
				found.samples[i].cell, kit_target_cell(found.samples[i].at_ms, s));
		n += found.n;
		fw_arena_done(&found.arena);
	}
	return n;
}

/* ---- folders ---- */

static void each_file(
	const char *dir, void (*with)(const char *path, const char *name, void *arg), void *arg)
{
	DIR *folder = opendir(dir);
	struct dirent *entry;
	while (folder && (entry = readdir(folder))) {
		char path[512];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
		with(path, entry->d_name, arg);
	}
	if (folder)
		closedir(folder);
}

static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void copy_one(const char *path, const char *name, void *arg)
{
	char to[512];
	snprintf(to, sizeof to, "%s/%s", (const char *)arg, name);
	if (is_folder(path)) {
		kit_copy(path, to);
		return;
	}
	FILE *in = fopen(path, "rb"), *out = fopen(to, "wb");
	assert_true(in && out);
	static char bytes[1 << 16];
	static const char zeroes[1 << 16];
	size_t n;
	while ((n = fread(bytes, 1, sizeof bytes, in)) > 0) {
		/* Holes stay holes: most of a new store is zeroes. */
		if (memcmp(bytes, zeroes, n) == 0)
			fseek(out, (long)n, SEEK_CUR);
		else
			fwrite(bytes, 1, n, out);
	}
	assert_int_equal(ftruncate(fileno(out), ftell(out)), 0);
	long end = ftell(in);
	fclose(in);
	fclose(out);
	assert_int_equal(truncate(to, end), 0);
}

void kit_copy(const char *from, const char *to)
{
	mkdir(to, 0700);
	each_file(from, copy_one, (void *)(uintptr_t)to);
}

/* ---- tar ---- */

enum { TAR_BLOCK = 512, TAR_SIZE = 124, TAR_SIZE_DIGITS = 12 };

static void next_block(struct fw_unpack *in, char block[TAR_BLOCK])
{
	for (size_t at = 0; at < TAR_BLOCK;) {
		ssize_t got = fw_unpack_read(in, block + at, TAR_BLOCK - at);
		assert_true(got > 0);
		at += (size_t)got;
	}
}

static void unpack_one(struct fw_unpack *in, const char *head, const char *to)
{
	char path[256], block[TAR_BLOCK], digits[TAR_SIZE_DIGITS + 1] = "";
	memcpy(digits, head + TAR_SIZE, TAR_SIZE_DIGITS);
	snprintf(path, sizeof path, "%s/%s", to, head);
	if (path[strlen(path) - 1] == '/') {
		mkdir(path, 0700);
		return;
	}
	FILE *out = fopen(path, "wb");
	assert_non_null(out);
	for (long left = strtol(digits, NULL, 8); left > 0; left -= TAR_BLOCK) {
		next_block(in, block);
		fwrite(block, 1, left < TAR_BLOCK ? (size_t)left : TAR_BLOCK, out);
	}
	fclose(out);
}

static void unpack(const char *archive, const char *to)
{
	char head[TAR_BLOCK];
	int fd = open(archive, O_RDONLY);
	assert_true(fd >= 0);
	struct fw_unpack *in = fw_unpack_new(fd, archive);
	for (next_block(in, head); head[0]; next_block(in, head))
		unpack_one(in, head, to);
	fw_unpack_free(in);
	close(fd);
}

void kit_init_recorded(
	struct kit *kit, const char *folder, const char *name, uint64_t segment_bytes)
{
	char archive[512];
	struct fw_err err = {""};
	kit_init_of(kit, segment_bytes, 16);
	store_close(kit->store);
	kit_remove(kit->dir);
	mkdir(kit->dir, 0700);
	snprintf(archive, sizeof archive, "%s/%s.tar.zst", folder, name);
	unpack(archive, kit->dir);
	snprintf(kit->inside, sizeof kit->inside, "%s/store", kit->dir);
	kit->config.dir = kit->inside;
	if (kit_open(kit, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	kit->schema = kit_schema(kit, "m");
}

static void remove_one(const char *path, const char *name, void *arg)
{
	(void)name;
	(void)arg;
	if (is_folder(path))
		kit_remove(path);
	else
		unlink(path);
}

void kit_remove(const char *dir)
{
	each_file(dir, remove_one, NULL);
	rmdir(dir);
}

static void print(const char *sentence, void *arg)
{
	(void)arg;
	printf("# %s\n", sentence);
}

int kit_check(const char *dir)
{
	struct fw_err err = {""};
	int rc = store_check(dir, &(struct store_inspector){.on_fault = print}, NULL, &err);
	if (rc < 0)
		printf("# %s\n", err.text);
	return rc;
}
