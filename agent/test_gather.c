/* SPDX-License-Identifier: Apache-2.0 */
/* Sweeps of other hosts while there is no collector: gathered, joined, and there once, whatever
 * happens in between. */
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fenwatch/fault.h>
#include <fenwatch/mem.h>

#include "adopt.h"
#include "spool.h"
#include "test_tree.h"

enum { HOSTS = 3, COLUMNS = 2, SWEEPS = 300, MINUTE_MS = 60000 };

static char root[64], dir[96];

static int set_up(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/fenwatch-gather-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(dir, sizeof dir, "%s/spool", root);
	fw_fault_clear();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fw_fault_clear();
	test_remove_tree(root);
	return 0;
}

static struct spool *open_with(const struct spool_config *config)
{
	struct spool *spool = NULL;
	struct fw_err err = {""};
	bool made;
	if (spool_open(&spool, config, &made, &err) < 0)
		fail_msg("%s", err.text);
	return spool;
}

static struct spool *open_spool(void)
{
	return open_with(&(struct spool_config){.dir = dir, .max_bytes = 1 << 20});
}

/* ---- what a program hands over ---- */

struct said {
	unsigned host, schema;
	int64_t at_ms;
	uint32_t interval_ms;
};

static uint32_t borrow(struct spool *spool, unsigned which)
{
	const char *const names[] = {"ifInOctets", "upsBatteryVoltage"};
	const struct fw_column columns[COLUMNS] = {
		{.name = names[which], .factor = 1}, {.name = "sysUpTime", .factor = 1}};
	struct fw_schema schema = {.n_columns = COLUMNS, .columns = columns};
	size_t bytes;
	fw_schema_seal(&schema);
	return spool_schema_borrow(spool, &schema, &bytes);
}

static void hand_over(struct spool *spool, const struct said *said)
{
	struct adopter adopter = {.spool = spool};
	char host[16];
	snprintf(host, sizeof host, "host %u", said->host);
	const int64_t cells[COLUMNS] = {said->at_ms * 3, said->host};
	const struct handed handed = {
		.type = FW_FRAME_BATCH,
		.host = {said->host + 1, (const uint8_t *)host, strlen(host)},
		.schema = borrow(spool, said->schema),
		.interval_ms = said->interval_ms,
		.sweeps = {said->host + 1, 1, COLUMNS, &said->at_ms, cells},
	};
	adopt(&adopter, &handed, false);
	spool_schema_return(spool, handed.schema);
}

static void say(struct spool *spool, unsigned host, unsigned n)
{
	hand_over(spool, &(struct said){host, 0, (n + 1) * MINUTE_MS, MINUTE_MS});
}

static void keep(struct spool *spool)
{
	struct fw_err err = {""};
	if (spool_flush(spool, &err) < 0 || spool_join(spool, &err) < 0)
		fail_msg("%s", err.text);
}

static void want(struct spool *spool)
{
	spool_gather_end(spool);
	keep(spool);
}

/* ---- what goes to the collector ---- */

struct heard {
	unsigned times[HOSTS][SWEEPS]; /* how often the sweep of that minute was heard */
	unsigned frames, most;         /* sweeps of one */
};

static void hear_frame(struct spool *spool, const struct frame *frame, struct heard *heard)
{
	struct fw_arena arena = {0};
	struct fw_batch batch;
	int64_t cells[CHAIN_SWEEPS * COLUMNS];
	assert_int_equal(fw_batch_open(frame->payload, frame->length, &arena, &batch, NULL), 0);
	assert_int_equal(batch.seq, frame->seq);
	assert_int_equal(spool_schema_columns(spool, frame->schema), COLUMNS);
	assert_non_null(spool_schema_hash(spool, frame->schema));
	assert_true(batch.n_sweeps <= CHAIN_SWEEPS && batch.n_sweeps == frame->sweeps);
	assert_int_equal(fw_batch_decode(&batch, COLUMNS, NULL, cells, NULL), 0);
	for (uint32_t i = 0; i < batch.n_sweeps; i++) {
		unsigned host = (unsigned)cells[i * COLUMNS + 1];
		char name[16];
		snprintf(name, sizeof name, "host %u", host);
		assert_true(host + 1 == batch.host && frame->host == batch.host);
		assert_int_equal(frame->host_length, strlen(name));
		assert_memory_equal(frame->host_message, name, strlen(name));
		assert_true(cells[i * COLUMNS] == batch.times_ms[i] * 3);
		heard->times[host][batch.times_ms[i] / MINUTE_MS - 1]++;
	}
	heard->frames++;
	heard->most = batch.n_sweeps > heard->most ? batch.n_sweeps : heard->most;
	fw_arena_done(&arena);
}

static void hear(struct spool *spool, struct heard *heard)
{
	*heard = (struct heard){.frames = 0};
	uint64_t next = spool_next(spool, LANE_BACKLOG);
	for (uint64_t seq = spool_oldest(spool, LANE_BACKLOG); seq < next; seq++) {
		struct frame frame;
		assert_int_equal(spool_read(spool, LANE_BACKLOG, seq, &frame, NULL), 0);
		assert_int_equal(frame.seq, seq);
		if (frame.type == FW_FRAME_BATCH)
			hear_frame(spool, &frame, heard);
	}
}

static void check_heard(const struct heard *heard, unsigned hosts, unsigned sweeps)
{
	for (unsigned host = 0; host < HOSTS; host++)
		for (unsigned n = 0; n < SWEEPS; n++)
			assert_int_equal(heard->times[host][n], host < hosts && n < sweeps);
}

/* ---- tests ---- */

static void test_sweeps_of_a_host_go_together(void **state)
{
	(void)state;
	struct spool *spool = open_spool();
	struct heard heard;
	struct spool_stat stat;
	for (unsigned n = 0; n < 130; n++) {
		for (unsigned host = 0; host < HOSTS; host++)
			say(spool, host, n);
		assert_false(spool_is_flushed(spool));
		keep(spool);
		assert_true(spool_is_flushed(spool));
	}
	spool_stat(spool, &stat);
	assert_int_equal(stat.sweeps, 130 * HOSTS);
	assert_int_equal(stat.oldest_ms, MINUTE_MS);
	assert_int_equal(spool_next(spool, LANE_BACKLOG), 1);
	uint64_t apart = stat.bytes;
	want(spool);
	hear(spool, &heard);
	check_heard(&heard, HOSTS, 130);
	assert_int_equal(heard.frames, HOSTS * 3); /* 60, 60 and 10 */
	spool_stat(spool, &stat);
	assert_int_equal(stat.sweeps, 130 * HOSTS);
	assert_true(stat.bytes * 10 < apart);
	spool_ack(spool, LANE_BACKLOG, heard.frames);
	spool_stat(spool, &stat);
	assert_int_equal(stat.frames + stat.sweeps + stat.bytes, 0);
	spool_close(spool);
}

/* Other columns, another pace, a clock that was set back or ahead. */
static void test_what_does_not_belong_together_does_not_go_together(void **state)
{
	(void)state;
	enum { DAY = 24 * 60 };
	static const struct said said[] = {
		{0, 0, 10 * MINUTE_MS, MINUTE_MS},
		{0, 0, 11 * MINUTE_MS, MINUTE_MS},
		{0, 1, 12 * MINUTE_MS, MINUTE_MS},
		{0, 0, 13 * MINUTE_MS, MINUTE_MS},
		{0, 0, 14 * MINUTE_MS, 2 * MINUTE_MS},
		{0, 0, 9 * MINUTE_MS, 2 * MINUTE_MS},
		{0, 0, INT64_C(1) * (9 + DAY) * MINUTE_MS, 2 * MINUTE_MS},
		{0, 0, INT64_C(1) * (10 + DAY) * MINUTE_MS, 2 * MINUTE_MS},
	};
	static const unsigned sweeps[] = {2, 1, 1, 1, 2, 1};
	enum { FRAMES = sizeof sweeps / sizeof *sweeps };
	struct spool *spool = open_spool();
	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		hand_over(spool, &said[i]);
	keep(spool);
	want(spool);
	assert_int_equal(spool_next(spool, LANE_BACKLOG), FRAMES + 1);
	for (unsigned i = 0; i < FRAMES; i++) {
		struct frame frame;
		assert_int_equal(spool_read(spool, LANE_BACKLOG, i + 1, &frame, NULL), 0);
		assert_int_equal(frame.sweeps, sweeps[i]);
	}
	spool_close(spool);
}

/* A short time without a connection makes no file. */
static void test_a_few_go_as_they_are(void **state)
{
	(void)state;
	struct spool *spool = open_spool();
	struct heard heard;
	say(spool, 0, 0);
	say(spool, 1, 0);
	want(spool);
	hear(spool, &heard);
	check_heard(&heard, 2, 1);
	char path[128];
	snprintf(path, sizeof path, "%s/gathering", dir);
	assert_int_not_equal(access(path, F_OK), 0);
	spool_close(spool);
}

static void test_it_is_joined_when_there_is_much(void **state)
{
	(void)state;
	struct spool *spool = open_spool();
	struct heard heard;
	struct spool_stat stat;
	unsigned joins = 0;
	for (unsigned n = 0; n < SWEEPS; n++) {
		uint64_t next = spool_next(spool, LANE_BACKLOG);
		for (unsigned host = 0; host < HOSTS; host++)
			for (unsigned k = 0; k < 8; k++)
				hand_over(spool,
					&(struct said){host, k & 1, (n + 1) * MINUTE_MS + k, 1});
		keep(spool);
		joins += spool_next(spool, LANE_BACKLOG) > next;
		spool_stat(spool, &stat);
		assert_true(stat.bytes < 1 << 20);
	}
	assert_true(joins >= 2);
	hear(spool, &heard);
	spool_close(spool);
}

static void test_a_full_disk_leaves_frames_in_memory(void **state)
{
	(void)state;
	struct spool *spool = open_with(&(struct spool_config){
		.dir = dir, .max_bytes = 1 << 20, .keep_free_bytes = UINT64_C(1) << 60});
	struct heard heard;
	struct fw_err err;
	for (unsigned n = 0; n < 20; n++) {
		say(spool, 0, n);
		assert_int_equal(spool_flush(spool, &err), -ENOSPC);
		assert_int_equal(spool_join(spool, &err), 0);
	}
	hear(spool, &heard);
	check_heard(&heard, 1, 20);
	assert_int_equal(heard.frames, 20);
	spool_close(spool);
}

/* ---- a crash at any moment ---- */

struct fault {
	enum fw_op op;
	uint64_t nth; /* 0: none */
	int rc;
	bool forever;
};

/* Ends without another word, as a kill does: nothing is closed, no cursor written. */
static void in_a_child(
	void (*play)(unsigned *durable), unsigned *durable, const struct fault *fault)
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		fw_fault_clear();
		if (fault->nth > 0)
			fw_fault_arm(fault->op, fault->nth, fault->rc, fault->forever);
		play(durable);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

enum { KILL_SWEEPS = 20 };

/* Away twice, each time until it is joined; `durable`: sweeps of each host that a flush has
 * called so. */
static void be_away(unsigned *durable)
{
	struct spool_config config = {.dir = dir, .max_bytes = 1 << 20};
	struct spool *spool;
	bool made;
	*durable = 0;
	if (spool_open(&spool, &config, &made, NULL) < 0)
		return;
	for (unsigned n = 0; n < KILL_SWEEPS; n++) {
		for (unsigned host = 0; host < HOSTS; host++)
			say(spool, host, n);
		if (spool_flush(spool, NULL) == 0)
			*durable = n + 1;
		if (n == 9 || n == 15)
			spool_gather_end(spool);
		spool_join(spool, NULL);
	}
}

/* Sweeps called durable that are not heard after a start, and those that are heard twice. */
static void hear_after(unsigned durable, unsigned *missing, unsigned *twice)
{
	struct heard heard;
	struct spool *spool = open_spool();
	want(spool);
	hear(spool, &heard);
	*missing = *twice = 0;
	for (unsigned host = 0; host < HOSTS; host++)
		for (unsigned n = 0; n < KILL_SWEEPS; n++) {
			*missing += n < durable && heard.times[host][n] == 0;
			*twice += heard.times[host][n] > 1;
		}
	spool_close(spool);
}

static unsigned *shared_number(void)
{
	unsigned *number = mmap(
		NULL, sizeof *number, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(number, MAP_FAILED);
	return number;
}

/* The n-th call fails, alone or with all behind it, and the process dies with what it knows. */
static unsigned kill_behind(enum fw_op op, bool forever, unsigned *durable)
{
	unsigned missing, twice, played = 0;
	for (uint64_t nth = 0; nth < 60; nth += nth < 12 ? 1 : fw_fault_stride(5)) {
		test_remove_tree(dir);
		in_a_child(be_away, durable, &(struct fault){op, nth, -EIO, forever});
		assert_true(nth > 0 || *durable == KILL_SWEEPS);
		played += *durable > 0 && *durable < KILL_SWEEPS;
		hear_after(*durable, &missing, &twice);
		assert_int_equal(missing, 0);
		assert_int_equal(twice, 0);
	}
	return played;
}

static void test_a_kill_behind_any_operation_loses_nothing(void **state)
{
	(void)state;
	static const enum fw_op ops[] = {FW_OP_OPEN, FW_OP_PWRITE, FW_OP_FSYNC, FW_OP_FDATASYNC,
		FW_OP_READ, FW_OP_RENAME, FW_OP_UNLINK, FW_OP_TRUNCATE};
	unsigned *durable = shared_number(), played = 0;
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		played += kill_behind(ops[i], true, durable);
		kill_behind(ops[i], false, durable);
	}
	assert_true(played > 20);
	munmap(durable, sizeof *durable);
}

static void keep_copy(const char *name, const char *copy)
{
	char from[128], to[128], bytes[1 << 16];
	snprintf(from, sizeof from, "%s/%s", dir, name);
	snprintf(to, sizeof to, "%s/%s", root, copy);
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n = read(in, bytes, sizeof bytes);
	assert_true(in >= 0 && n > 0 && write(out, bytes, (size_t)n) == n);
	close(in);
	close(out);
}

static void put_back(const char *copy, const char *name)
{
	char from[128], to[128];
	snprintf(from, sizeof from, "%s/%s", root, copy);
	snprintf(to, sizeof to, "%s/%s", dir, name);
	assert_int_equal(rename(from, to), 0);
}

/* The segment has its name, and what it was made of is still there: frames count. Without
 * the segment, as before it had its name, what it was made of counts. */
static void test_of_both_only_one_counts(void **state)
{
	(void)state;
	unsigned missing, twice;
	char path[128];
	for (int with_segment = 0; with_segment < 2; with_segment++) {
		test_remove_tree(dir);
		struct spool *spool = open_spool();
		for (unsigned n = 0; n < KILL_SWEEPS; n++)
			for (unsigned host = 0; host < HOSTS; host++)
				say(spool, host, n);
		assert_int_equal(spool_flush(spool, NULL), 0);
		keep_copy("gathering", "gathering");
		keep_copy("cursor", "cursor");
		want(spool);
		spool_close(spool);
		put_back("gathering", "gathering");
		put_back("cursor", "cursor");
		snprintf(path, sizeof path, "%s/00000001.seg", dir);
		assert_int_equal(with_segment ? access(path, F_OK) : unlink(path), 0);
		hear_after(KILL_SWEEPS, &missing, &twice);
		assert_int_equal(missing, 0);
		assert_int_equal(twice, 0);
	}
	/* The control: with neither, the same check finds that they are gone. */
	test_remove_tree(dir);
	spool_close(open_spool());
	hear_after(KILL_SWEEPS, &missing, &twice);
	assert_int_equal(missing, KILL_SWEEPS * HOSTS);
}

static void test_the_kill_check_has_teeth(void **state)
{
	(void)state;
	unsigned *durable = shared_number(), missing, twice;
	in_a_child(be_away, durable, &(struct fault){FW_OP_PWRITE, 12, 1, false}); /* it lies */
	assert_int_equal(*durable, KILL_SWEEPS);
	hear_after(*durable, &missing, &twice);
	assert_true(missing > 0);
	munmap(durable, sizeof *durable);
}

/* ---- damage ---- */

enum { DAMAGE_SWEEPS = 4 };

static size_t write_gathering(uint8_t *bytes, size_t size)
{
	char path[128];
	struct spool *spool = open_spool();
	for (unsigned n = 0; n < DAMAGE_SWEEPS; n++)
		for (unsigned host = 0; host < HOSTS; host++)
			say(spool, host, n);
	assert_int_equal(spool_flush(spool, NULL), 0);
	spool_close(spool);
	snprintf(path, sizeof path, "%s/gathering", dir);
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, bytes, size);
	close(fd);
	assert_true(n > 0);
	return (size_t)n;
}

static void spill(const uint8_t *bytes, size_t length)
{
	char path[128];
	test_remove_tree(dir);
	spool_close(open_spool());
	snprintf(path, sizeof path, "%s/gathering", dir);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

/* Sweeps that are there; what came behind is taken all the same. */
static unsigned count_left(bool *told)
{
	struct heard heard;
	struct spool_stat stat;
	struct spool *spool = open_spool();
	unsigned left = 0;
	say(spool, 0, SWEEPS - 1);
	keep(spool);
	want(spool);
	spool_stat(spool, &stat);
	*told = stat.dropped_frames > 0;
	hear(spool, &heard);
	assert_int_equal(heard.times[0][SWEEPS - 1], 1);
	for (unsigned host = 0; host < HOSTS; host++)
		for (unsigned n = 0; n < DAMAGE_SWEEPS; n++)
			left += heard.times[host][n];
	spool_close(spool);
	return left;
}

static void test_cut_or_damaged_at_every_byte(void **state)
{
	(void)state;
	static uint8_t bytes[1 << 15];
	size_t length = write_gathering(bytes, sizeof bytes);
	unsigned all = HOSTS * DAMAGE_SWEEPS, before = 0;
	bool told;
	for (size_t cut = 0; cut < length; cut += fw_fault_stride(7)) {
		spill(bytes, cut);
		unsigned left = count_left(&told);
		assert_true(left >= before && left < all && !told);
		before = left;
	}
	assert_true(before >= all - 2);
	size_t schema_end = 0;
	for (size_t at = 0; at < length; at += fw_fault_stride(7)) {
		bytes[at] ^= 0x10;
		spill(bytes, length);
		bytes[at] ^= 0x10;
		unsigned left = count_left(&told);
		if (left == 0)
			schema_end = at; /* nobody can read any of them without it */
		assert_true(left == 0 || left >= all - 1);
		assert_true(told || left == all || at + 200 > length);
	}
	assert_true(schema_end > 0 && schema_end < 200);
}

/* What cannot be opened for once is not begun anew: no start, and the next has it all. */
static void test_what_cannot_be_opened_is_not_written_over(void **state)
{
	(void)state;
	unsigned missing, twice, refused = 0;
	bool made;
	for (uint64_t nth = 1; nth < 12; nth++) {
		struct spool_config config = {.dir = dir, .max_bytes = 1 << 20};
		struct fw_err err = {""};
		test_remove_tree(dir);
		struct spool *spool = open_spool();
		for (unsigned n = 0; n < KILL_SWEEPS - 1; n++)
			n == 9 ? want(spool) : say(spool, 0, n);
		say(spool, 0, 9);
		keep(spool);
		spool_close(spool);
		fw_fault_arm(FW_OP_OPEN, nth, -EIO, false);
		int rc = spool_open(&spool, &config, &made, &err);
		refused += rc < 0 &&
			(strstr(err.text, "gathering") || strstr(err.text, "00000001.seg"));
		if (rc >= 0) {
			say(spool, 0, KILL_SWEEPS - 1);
			spool_flush(spool, NULL);
			spool_close(spool);
		}
		fw_fault_clear();
		hear_after(KILL_SWEEPS - 1, &missing, &twice);
		assert_int_equal(
			missing, (HOSTS - 1) * (KILL_SWEEPS - 1)); /* of others, who said nothing */
		assert_int_equal(twice, 0);
	}
	assert_int_equal(refused, 2);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_sweeps_of_a_host_go_together),
		CASE(test_what_does_not_belong_together_does_not_go_together),
		CASE(test_a_few_go_as_they_are),
		CASE(test_it_is_joined_when_there_is_much),
		CASE(test_a_full_disk_leaves_frames_in_memory),
		CASE(test_a_kill_behind_any_operation_loses_nothing),
		CASE(test_of_both_only_one_counts),
		CASE(test_the_kill_check_has_teeth),
		CASE(test_cut_or_damaged_at_every_byte),
		CASE(test_what_cannot_be_opened_is_not_written_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
