/* SPDX-License-Identifier: Apache-2.0 */
/* Damage on disk: whichever bit is wrong, the store opens, no value is wrong,
 * and what is lost is a block, or in the log the batches up to the next key: of a host, or
 * of a target whose series are from elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "follow.h"
#include "testkit.h"

/* The store is small, since it is copied for every flip. */
enum {
	STEP = 15000,
	SWEEPS = 200, /* so many that all of the log is one segment */
	KEY_EVERY = 10,
	LATER = 100, /* sweep of the target with which its other series begin */
	SAMPLES = SWEEPS * KIT_EARLY + (SWEEPS - LATER) * (KIT_SERIES - KIT_EARLY),
	/* Runs of series with other times wait for each other a while, so their blocks differ. */
	A_BLOCK = (STORE_BLOCK_SWEEPS + STORE_BLOCK_SWEEPS / 4) * KIT_EARLY,
	SEGMENT = 32 << 10,
	SEGMENTS = 16,
};

static struct kit kit;
static char image[80]; /* the store as it is to be damaged */
static uint64_t random_state = 5;

static uint32_t chance(uint32_t below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

static void fill_store(bool clean)
{
	struct sender sender = {0};
	kit_init_of(&kit, SEGMENT, SEGMENTS);
	kit.config.log_segment_bytes = 0;
	sender_begin(&sender, &kit, 1, 7);
	for (int i = 0; i < SWEEPS; i++) {
		int64_t at_ms = kit_now_ms - INT64_C(86400000) + (int64_t)i * STEP;
		assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit.schema, at_ms, 1,
					 STEP, i % KEY_EVERY == 0),
			STORE_DURABLE);
		assert_int_equal(
			kit_target_write(&kit, i < LATER ? KIT_EARLY : KIT_SERIES, at_ms, 1, STEP),
			0);
	}
	if (clean)
		store_close(kit.store);
	snprintf(image, sizeof image, "%s-image", kit.dir);
	kit_copy(kit.dir, image);
	if (!clean)
		store_close(kit.store);
}

/* How often a test does its harm: FENWATCH_DAMAGE says, in the long form. */
static int rounds(int brief)
{
	const char *wanted = getenv("FENWATCH_DAMAGE");
	return wanted ? (int)strtol(wanted, NULL, 10) : brief;
}

static void path_in(char path[160], const char *name)
{
	snprintf(path, 160, "%s/%s", kit.dir, name);
}

static void restore_image(void)
{
	kit_remove(kit.dir);
	kit_copy(image, kit.dir);
}

/* The end of what is not zero. */
static long used_bytes(const char *path)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	static char bytes[1 << 20];
	long used = 0, at = 0;
	for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0; at += (long)n) {
		for (size_t i = 0; i < n; i++) {
			if (bytes[i])
				used = at + (long)i + 1;
		}
	}
	fclose(file);
	return used;
}

static void flip(const char *name)
{
	char path[160];
	path_in(path, name);
	long at = (long)chance((uint32_t)used_bytes(path));
	int fd = open(path, O_RDWR);
	uint8_t byte;
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= (uint8_t)(1u << chance(8));
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void zero_from(const char *name, long at)
{
	char path[160];
	static const char zeroes[1 << 20];
	path_in(path, name);
	long used = used_bytes(path);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0 && used - at <= (long)sizeof zeroes);
	if (used > at)
		assert_int_equal(pwrite(fd, zeroes, (size_t)(used - at), at), used - at);
	close(fd);
}

/* What an opening says is damaged. */
static char heard[4096];

static void hear(const char *sentence, void *arg)
{
	size_t length = strlen(heard);
	(void)arg;
	snprintf(heard + length, sizeof heard - length, "%s\n", sentence);
}

/* What is there; every cell of it exact. */
struct tally {
	size_t sweeps, samples; /* of the host, and of the target */
	bool noticed;           /* that something is damaged */
};

static bool is_all(const struct tally *tally)
{
	return tally->sweeps == SWEEPS && tally->samples == SAMPLES;
}

static struct tally open_and_count(void)
{
	struct fw_err err = {""};
	struct store_stat stat;
	struct tally tally;
	heard[0] = '\0';
	kit.config.on_damage = hear;
	if (kit_open(&kit, &err) < 0)
		fail_msg("%s", err.text);
	tally.sweeps = kit_count(&kit, kit.host, true);
	tally.samples = kit_target_count(&kit, true);
	store_stat(kit.store, &stat);
	tally.noticed = stat.damaged_blocks > 0;
	store_close(kit.store);
	return tally;
}

static void done(void)
{
	kit_remove(kit.dir);
	kit_remove(image);
}

/* Counts what a flip cost. */
struct losses {
	unsigned host, target;
};

static void count_losses(struct losses *losses, const struct tally *tally)
{
	losses->host += tally->sweeps < SWEEPS;
	losses->target += tally->samples < SAMPLES;
}

static void test_flips_in_blocks(void **state)
{
	(void)state;
	struct losses losses = {0};
	fill_store(true);
	struct tally whole = open_and_count();
	assert_true(is_all(&whole) && !whole.noticed);
	for (int i = 0; i < rounds(60); i++) {
		restore_image();
		flip("raw/0000");
		int faults = kit_check(kit.dir);
		struct tally left = open_and_count();
		assert_true(left.sweeps >= SWEEPS - STORE_BLOCK_SWEEPS);
		assert_true(left.samples >= SAMPLES - A_BLOCK);
		assert_true(is_all(&left) || (left.noticed && faults > 0));
		count_losses(&losses, &left);
	}
	assert_true(losses.host > 0 && losses.target > 0);
	done();
}

/* ---- blocks in groups, column by column ---- */

enum {
	WIDE = 60,
	A_GROUP = 24,
	WIDE_SWEEPS = 2 * STORE_BLOCK_SWEEPS,
	JOINED_SWEEPS = 40 * STORE_BLOCK_SWEEPS,
	PART_SEGMENT = 4 << 10, /* so short that what is joined is cut in parts */
	PART_SEGMENTS = 32,
};

static uint32_t wide_schema(void)
{
	static char texts[WIDE][8];
	const char *names[WIDE];
	for (int c = 0; c < WIDE; c++) {
		snprintf(texts[c], sizeof texts[c], "w%02d", c);
		names[c] = texts[c];
	}
	return kit_schema_of(&kit, names, WIDE);
}

/* A block's sweeps from the `first` on. */
static void fill_wide(struct fw_buf *message, uint64_t seq, int first)
{
	static int64_t times[STORE_BLOCK_SWEEPS], cells[STORE_BLOCK_SWEEPS * WIDE];
	for (int i = 0; i < STORE_BLOCK_SWEEPS; i++) {
		times[i] = kit_now_ms - INT64_C(86400000) + (int64_t)(first + i) * STEP;
		for (uint32_t c = 0; c < WIDE; c++)
			cells[i * WIDE + (int)c] = kit_cell(times[i], c);
	}
	const struct fw_sweeps sweeps = {.n_sweeps = STORE_BLOCK_SWEEPS,
		.n_columns = WIDE,
		.times_ms = times,
		.cells = cells};
	fw_batch_encode_live(&sweeps, seq, 1, STEP, NULL, message);
}

static void send_wide(struct sender *sender, int first)
{
	struct fw_buf message = {0};
	struct fw_arena arena = {0};
	struct fw_batch batch;
	fill_wide(&message, sender->next[STORE_LIVE], first);
	assert_int_equal(fw_batch_open(message.data, message.length, &arena, &batch, NULL), 0);
	struct store_entry entry = {
		.kind = STORE_BATCH,
		.stream = sender->stream,
		.session = sender->session,
		.lane = STORE_LIVE,
		.seq = sender->next[STORE_LIVE]++,
		.host = kit.host,
		.schema = kit.schema,
		.payload = message.data,
		.length = message.length,
		.batch = &batch,
	};
	memcpy(entry.agent, sender->agent, sizeof entry.agent);
	kit_submit(&kit, &entry);
	assert_int_equal(entry.verdict, STORE_DURABLE);
	fw_arena_done(&arena);
	fw_buf_done(&message);
}

static void fill_wide_store(void)
{
	struct sender sender = {0};
	kit_init_of(&kit, SEGMENT, SEGMENTS);
	kit.config.log_segment_bytes = 0;
	kit.schema = wide_schema();
	sender_begin(&sender, &kit, 1, 7);
	for (int first = 0; first < WIDE_SWEEPS; first += STORE_BLOCK_SWEEPS)
		send_wide(&sender, first);
	store_close(kit.store);
	snprintf(image, sizeof image, "%s-image", kit.dir);
	kit_copy(kit.dir, image);
}

/* Sweeps of one column, every one of them exact. */
static size_t count_column(const struct store_group *all, uint32_t column, bool *noticed)
{
	struct fw_arena arena = {0};
	struct store_group one = *all;
	struct store_columns read;
	one.columns = &column;
	one.n_columns = 1;
	assert_int_equal(
		store_read(kit.store, &one, INT64_MIN, INT64_MAX, NULL, &arena, &read, NULL), 0);
	for (size_t i = 0; i < read.n; i++)
		assert_int_equal(read.cells[0][i], kit_cell(read.times_ms[i], column));
	*noticed = read.damaged_blocks > 0;
	size_t n = read.n;
	fw_arena_done(&arena);
	return n;
}

/* How many columns lost any of so many sweeps, each of them told. */
static uint32_t count_losers(size_t sweeps, size_t at_most)
{
	struct fw_arena arena = {0};
	struct fw_err err = {""};
	struct store_group *groups;
	size_t n_groups;
	uint32_t losers = 0;
	if (kit_open(&kit, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(store_select(kit.store, NULL, 0, INT64_MIN, INT64_MAX, &arena, &groups,
				 &n_groups, NULL),
		0);
	for (uint32_t c = 0; n_groups > 0 && c < WIDE; c++) {
		bool noticed;
		size_t n = count_column(&groups[0], c, &noticed);
		assert_true(n >= sweeps - at_most);
		assert_true(n == sweeps || noticed);
		losers += n < sweeps;
	}
	fw_arena_done(&arena);
	store_close(kit.store);
	return losers;
}

/* As one that was killed leaves it: all that went into blocks is in the log, too. */
static void fill_joined_in_parts(void)
{
	struct sender sender = {0};
	struct store_stat stat;
	struct fw_err err = {""};
	kit_init_of(&kit, PART_SEGMENT, PART_SEGMENTS);
	kit.config.log_segment_bytes = 1 << 20;
	store_close(kit.store);
	kit_remove(kit.dir);
	assert_int_equal(kit_open(&kit, &err), 0);
	kit.host = kit_host(&kit, "alpha");
	kit.schema = wide_schema();
	sender_begin(&sender, &kit, 1, 7);
	for (int first = 0; first < JOINED_SWEEPS; first += STORE_BLOCK_SWEEPS)
		send_wide(&sender, first);
	store_stat(kit.store, &stat);
	assert_true(stat.digests > 0);
	snprintf(image, sizeof image, "%s-image", kit.dir);
	kit_copy(kit.dir, image);
	store_close(kit.store);
}

/* A part of what was joined stays, whatever becomes of the others. */
static void test_flips_in_joined_parts(void **state)
{
	(void)state;
	unsigned losses = 0;
	fill_joined_in_parts();
	restore_image();
	assert_int_equal(count_losers(JOINED_SWEEPS, 0), 0);
	for (int i = 0; i < rounds(60); i++) {
		char name[32], path[160];
		snprintf(name, sizeof name, "raw/%04x", chance(PART_SEGMENTS));
		restore_image();
		path_in(path, name);
		if (used_bytes(path) == 0)
			continue;
		flip(name);
		losses += count_losers(JOINED_SWEEPS, STORE_JOINED_SWEEPS) > 0;
	}
	assert_true(losses > 0);
	done();
}

/* A group's bytes cost its columns, a front's all of them. */
static void test_flips_in_groups(void **state)
{
	(void)state;
	unsigned losses = 0;
	fill_wide_store();
	assert_int_equal(count_losers(WIDE_SWEEPS, 0), 0);
	assert_int_equal(kit_check(kit.dir), 0);
	for (int i = 0; i < rounds(60); i++) {
		restore_image();
		flip("raw/0000");
		int faults = kit_check(kit.dir);
		uint32_t losers = count_losers(WIDE_SWEEPS, STORE_BLOCK_SWEEPS);
		assert_true(losers == 0 || losers == A_GROUP || losers == WIDE % A_GROUP ||
			losers == WIDE);
		assert_true(losers == 0 || faults > 0);
		losses += losers > 0 && losers < WIDE;
	}
	assert_true(losses > 0);
	done();
}

static void test_flips_in_the_log(void **state)
{
	(void)state;
	struct losses losses = {0};
	fill_store(false);
	for (int i = 0; i < rounds(60); i++) {
		restore_image();
		flip("wal/00000000");
		struct tally left = open_and_count();
		assert_true(left.sweeps >= SWEEPS - KEY_EVERY);
		assert_true(left.samples >= SAMPLES - KIT_SERIES);
		count_losses(&losses, &left);
	}
	assert_true(losses.host > 0 && losses.target > 0);
	done();
}

/* A schema that is lost takes its columns with it, a host all that it has. */
static void test_flips_elsewhere(void **state)
{
	(void)state;
	static const char *const files[] = {"super", "schema.log", "host.log"};
	struct losses losses = {0};
	fill_store(true);
	for (int i = 0; i < rounds(60); i++) {
		restore_image();
		flip(files[i % 3]);
		struct tally left = open_and_count();
		assert_true(left.sweeps == SWEEPS || (left.sweeps == 0 && left.noticed));
		assert_true(is_all(&left) || left.noticed);
		assert_true(is_all(&left) || i % 3 > 0);
		count_losses(&losses, &left);
	}
	assert_true(losses.host > 0 && losses.target > 0);
	done();
}

/* A log that ends anywhere: nothing is wrong, and more is there the later the end. Where blocks
 * were made of what was behind it, that is known. */
static void test_log_ends_anywhere(void **state)
{
	(void)state;
	char path[160];
	struct tally most = {0};
	fill_store(false);
	path_in(path, "wal/00000000");
	long used = used_bytes(path);
	bool brief = rounds(0) == 0;
	long from = brief ? used - 2000 : used - (64 << 10);
	for (long at = from < 0 ? 0 : from; at <= used; at += !brief ? 1
			: at < used - 200                            ? 61
								     : 7) {
		restore_image();
		zero_from("wal/00000000", at);
		struct tally left = open_and_count();
		assert_true(left.sweeps >= most.sweeps && left.sweeps <= SWEEPS);
		assert_true(left.samples >= most.samples && left.samples <= SAMPLES);
		assert_false(left.noticed && !most.noticed && most.sweeps > 0);
		most = left;
	}
	assert_true(most.sweeps == SWEEPS && most.samples >= SAMPLES - KIT_SERIES);
	assert_false(most.noticed);
	restore_image();
	zero_from("wal/00000000", 0);
	assert_true(kit_check(kit.dir) > 0);
	assert_true(open_and_count().noticed && strstr(heard, "log: it ends at 0"));
	done();
}

enum { DIGEST_SWEEPS = 4800, DIGEST_BATCH = 120, DIGEST_SEGMENT = 8 << 10 };

/* Blocks that were joined, and rows. */
static void fill_digested(bool clean)
{
	struct sender sender = {0};
	struct store_stat stat;
	kit_init_of(&kit, DIGEST_SEGMENT, 16);
	kit.config.log_segment_bytes = 0;
	sender_begin(&sender, &kit, 1, 7);
	for (int i = 0; i < DIGEST_SWEEPS; i += DIGEST_BATCH)
		assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit.schema,
					 kit_now_ms - INT64_C(86400000) + (int64_t)i * STEP,
					 DIGEST_BATCH, STEP, i == 0),
			STORE_DURABLE);
	store_stat(kit.store, &stat);
	assert_true(stat.digests > 0 && stat.tiers[STORE_FIVE_MINUTE].blocks > 0);
	if (clean)
		store_close(kit.store);
	snprintf(image, sizeof image, "%s-image", kit.dir);
	kit_copy(kit.dir, image);
	if (!clean)
		store_close(kit.store);
}

/* Without a clean end the log still has much of it. What was joined is in parts here. */
static void flip_after_digests(bool clean)
{
	static const char *const folders[] = {"raw", "raw", "five_minute", "hour"};
	unsigned losses = 0;
	fill_digested(clean);
	assert_int_equal(open_and_count().sweeps, DIGEST_SWEEPS);
	for (int i = 0; i < rounds(60); i++) {
		char name[32], path[160];
		snprintf(name, sizeof name, "%s/%04x", folders[chance(4)], chance(16));
		restore_image();
		path_in(path, name);
		if (used_bytes(path) == 0)
			continue;
		flip(name);
		int faults = kit_check(kit.dir);
		struct tally left = open_and_count();
		assert_true(left.sweeps >= DIGEST_SWEEPS - STORE_JOINED_SWEEPS);
		assert_true(left.sweeps == DIGEST_SWEEPS || (left.noticed && faults > 0));
		losses += left.sweeps < DIGEST_SWEEPS;
	}
	assert_true(losses > 0);
	done();
}

static void test_flips_after_digests(void **state)
{
	(void)state;
	flip_after_digests(true);
	flip_after_digests(false);
}

/* ---- ends of files, and whole files ---- */

/* The blocks of rows that count; how many faults there are. */
static int check_rows(uint64_t *rows)
{
	const struct store_inspector inspector = {0};
	struct store_stat stat;
	int faults = store_check(kit.dir, &inspector, &stat, NULL);
	assert_true(faults >= 0);
	*rows = stat.tiers[STORE_FIVE_MINUTE].blocks + stat.tiers[STORE_HOUR].blocks;
	return faults;
}

/* Any file but those of the log, whose end may be torn. */
static void choose_file(char name[32])
{
	static const char *const folders[] = {"raw", "raw", "raw", "five_minute", "hour"};
	static const char *const names[] = {"schema.log", "host.log"};
	uint32_t i = chance(7);
	if (i < 5)
		snprintf(name, 32, "%s/%04x", folders[i], chance(i < 3 ? 16 : 2));
	else
		snprintf(name, 32, "%s", names[i - 5]);
}

static bool lose_end(const char *name, bool zeroed)
{
	char path[160];
	path_in(path, name);
	long used = used_bytes(path);
	if (used == 0)
		return false;
	long at = (long)chance((uint32_t)used);
	if (zeroed)
		zero_from(name, at);
	else
		assert_int_equal(truncate(path, at), 0);
	return true;
}

/* The end of a file is not there any more, or is zero: what is missing is counted, and the
 * file is named where it is one of a ring. */
static void lose_ends(bool clean)
{
	unsigned losses = 0, losses_of_rows = 0;
	uint64_t all_rows, rows;
	fill_digested(clean);
	assert_int_equal(check_rows(&all_rows), 0);
	struct tally whole = open_and_count();
	assert_true(whole.sweeps == DIGEST_SWEEPS && !whole.noticed && all_rows > 0);
	assert_string_equal(heard, "");
	for (int i = 0; i < rounds(30); i++) {
		char name[32];
		bool zeroed = chance(2);
		choose_file(name);
		restore_image();
		if (!lose_end(name, zeroed))
			continue;
		int faults = check_rows(&rows);
		struct tally left = open_and_count();
		bool same = left.sweeps == DIGEST_SWEEPS && rows == all_rows;
		assert_true(same || (left.noticed && faults > 0));
		if (!zeroed && strchr(name, '/'))
			assert_true(faults > 0 && left.noticed && strstr(heard, name));
		losses += left.sweeps < DIGEST_SWEEPS;
		losses_of_rows += rows < all_rows;
	}
	assert_true(losses > 0 && losses_of_rows > 0);
	done();
}

static void test_ends_of_files_lost(void **state)
{
	(void)state;
	lose_ends(true);
	lose_ends(false);
}

/* One that is not there is named, counted once, and made anew; the next opening knows of no
 * damage. */
static void lose_file(const char *name)
{
	char path[160];
	uint64_t rows;
	restore_image();
	path_in(path, name);
	assert_int_equal(unlink(path), 0);
	assert_true(check_rows(&rows) > 0);
	assert_true(open_and_count().noticed);
	assert_non_null(strstr(heard, name));
	assert_false(strchr(name, '/') && strchr(heard, '\n') != strrchr(heard, '\n'));
	if (strchr(name, '/'))
		assert_false(open_and_count().noticed);
}

static void test_files_missing(void **state)
{
	(void)state;
	static const char *const names[] = {"raw/0000", "raw/0007", "raw/000f", "five_minute/0000",
		"hour/0009", "wal/00000000", "wal/00000003", "schema.log", "host.log"};
	char raw[160];
	fill_digested(true);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		lose_file(names[i]);
	restore_image();
	path_in(raw, "raw");
	kit_remove(raw);
	struct tally left = open_and_count();
	assert_true(left.noticed && left.sweeps < DIGEST_SWEEPS);
	assert_non_null(strstr(heard, "raw/000f: it is missing"));
	done();
}

/* ---- super ---- */

static void lose_super(const char *name, long from)
{
	char path[160];
	restore_image();
	path_in(path, name);
	if (from < 0)
		assert_int_equal(unlink(path), 0);
	else
		zero_from(name, from);
	assert_true(kit_check(kit.dir) == 1 || from > 0);
	struct tally left = open_and_count();
	assert_int_equal(left.sweeps, DIGEST_SWEEPS);
	assert_true((left.noticed && strstr(heard, "super: it is ")) || from > 0);
	assert_false(open_and_count().noticed);
}

/* Each file is as good as the other, also where the newer copy of the first is lost. */
static void test_super_lost(void **state)
{
	(void)state;
	fill_digested(true);
	lose_super("super", -1);
	lose_super("super", 0);
	lose_super("super", 4096);
	restore_image();
	char path[160];
	path_in(path, "super");
	assert_int_equal(truncate(path, 4096), 0);
	assert_int_equal(open_and_count().sweeps, DIGEST_SWEEPS);
	restore_image();
	zero_from("super.spare", 0);
	struct tally left = open_and_count();
	assert_true(left.noticed && left.sweeps == DIGEST_SWEEPS);
	assert_string_equal(heard, "super.spare: it is damaged\n");
	done();
}

/* A store of before the spare gets one; with both files gone nothing is begun over the rest. */
static void test_super_and_its_spare_lost(void **state)
{
	(void)state;
	char super[160], spare[160], away[160];
	struct fw_err err = {""};
	fill_digested(true);
	path_in(super, "super");
	path_in(spare, "super.spare");
	path_in(away, "away");
	assert_int_equal(unlink(spare), 0);
	assert_false(open_and_count().noticed);
	assert_int_equal(rename(super, away), 0);
	struct tally left = open_and_count();
	assert_true(left.noticed && left.sweeps == DIGEST_SWEEPS);
	assert_int_equal(unlink(super), 0);
	assert_int_equal(unlink(spare), 0);
	assert_int_equal(kit_open(&kit, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "super is missing"));
	assert_non_null(strstr(err.text, "snapshot"));
	assert_int_equal(store_check(kit.dir, &(struct store_inspector){0}, NULL, &err), -EBADMSG);
	assert_int_equal(rename(away, super), 0);
	assert_int_equal(open_and_count().sweeps, DIGEST_SWEEPS);
	done();
}

static void file_later(const struct store_record *record, void *arg)
{
	(void)record;
	(void)arg;
}

static void send_event(struct sender *sender)
{
	struct store_entry entry = {
		.kind = STORE_EVENT,
		.stream = sender->stream,
		.session = sender->session,
		.seq = sender->next[STORE_LIVE]++,
		.host = kit.host,
		.payload = (const uint8_t *)"event",
		.length = 5,
		.received_ms = kit_now_ms,
	};
	memcpy(entry.agent, sender->agent, sizeof entry.agent);
	kit_submit(&kit, &entry);
	assert_int_equal(entry.verdict, STORE_DURABLE);
}

static void fill_log(struct sender *sender, uint64_t bytes)
{
	static int64_t sent_ms;
	uint64_t until = store_durable_position(kit.store) + bytes;
	for (; store_durable_position(kit.store) < until; sent_ms += 60 * STEP)
		assert_int_equal(sender_send(sender, STORE_LIVE, kit.host, kit.schema,
					 kit_now_ms - INT64_C(864000000) + sent_ms,
					 STORE_BLOCK_SWEEPS, STEP, true),
			STORE_DURABLE);
}

/* What waits to be filed keeps all segments for replay; with the blocks gone, each of them has
 * sweeps that are nowhere else, and the log must go round all the same. */
static void test_blocks_gone_and_a_full_log(void **state)
{
	(void)state;
	struct sender sender = {0};
	struct fw_err err = {""};
	char raw[160], name[16];
	kit_init(&kit);
	kit.config.on_record = file_later;
	kit_reopen(&kit);
	const uint64_t segment = kit.config.log_segment_bytes;
	sender_begin(&sender, &kit, 1, 7);
	send_event(&sender);
	for (int i = 1; i <= 3; i++) {
		fill_log(&sender, segment);
		snprintf(name, sizeof name, "left-%d", i);
		assert_int_equal(sender_send(&sender, STORE_LIVE, kit_host(&kit, name), kit.schema,
					 kit_now_ms, 1, STEP, true),
			STORE_DURABLE);
	}
	fill_log(&sender, segment / 2);
	store_close(kit.store);
	path_in(raw, "raw");
	kit_remove(raw);
	assert_int_equal(kit_open(&kit, &err), 0);
	sender_begin(&sender, &kit, 1, 7);
	fill_log(&sender, 10 * segment);
	assert_int_equal(kit.fatal, 0);
	for (int i = 1; i <= 3; i++) {
		snprintf(name, sizeof name, "left-%d", i);
		assert_int_equal(kit_count(&kit, kit_host(&kit, name), true), 1);
	}
	kit_done(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flips_in_blocks),
		cmocka_unit_test(test_flips_in_groups),
		cmocka_unit_test(test_flips_in_joined_parts),
		cmocka_unit_test(test_flips_in_the_log),
		cmocka_unit_test(test_flips_elsewhere),
		cmocka_unit_test(test_log_ends_anywhere),
		cmocka_unit_test(test_flips_after_digests),
		cmocka_unit_test(test_ends_of_files_lost),
		cmocka_unit_test(test_files_missing),
		cmocka_unit_test(test_super_lost),
		cmocka_unit_test(test_super_and_its_spare_lost),
		cmocka_unit_test(test_blocks_gone_and_a_full_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
