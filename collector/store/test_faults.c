/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation on files and every allocation fails in turn, once and for
 * ever, each time in a process of its own on one and the same folder. Whatever
 * happens, what was acknowledged is there and the store is sound; so is what one request
 * has of series of two instances, with three sets of times. A run ends
 * well, refuses to open with a sentence, says that it has failed, or ends by
 * abort() where memory is gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fenwatch/fault.h>
#include <fenwatch/mem.h>

#include "name_file.h"
#include "testkit.h"

enum { STEP = 15000, BATCHES = 8, FINE = 0, REFUSED = 1, FAILED = 2 };

/* Shared with the children. */
static struct {
	uint64_t acked; /* highest number that a child was told of */
	uint64_t told;  /* requests of the target that one was told of */
	uint64_t calls; /* of the operation, in a run without a fault */
	uint64_t digests;
} * shared;

static struct kit kit;
static uint32_t sweeps = 1; /* of a batch */
static char image[80];      /* the folder at the start of each run, where it has one */

static int64_t time_of(uint64_t number)
{
	return kit_now_ms - INT64_C(240) * 3600 * 1000 + (int64_t)(number * sweeps) * STEP;
}

static void restore_image(void)
{
	if (!image[0])
		return;
	kit_remove(kit.dir);
	kit_copy(image, kit.dir);
	shared->acked = 0;
	shared->told = 0;
}

static int work(void)
{
	struct fw_err err = {""};
	struct sender sender = {0};
	if (kit_open(&kit, &err) < 0)
		return err.text[0] ? REFUSED : 99;
	uint32_t host, schema = kit.schema;
	const struct fw_label labels[] = {{"instance", "alpha"}, {"job", "node"}};
	bool whole = store_host_intern(kit.store, labels, 2, &host, &err) >= 0;
	sender_begin(&sender, &kit, 1, 7);
	for (int i = 0; i < BATCHES && whole; i++) {
		uint64_t number = sender.next[STORE_LIVE];
		whole = sender_send(&sender, STORE_LIVE, host, schema, time_of(number), sweeps,
				STEP, i == 0) == STORE_DURABLE;
		if (whole)
			shared->acked = number;
		whole = whole &&
			kit_target_write(&kit, KIT_SERIES, time_of(number), sweeps, STEP) == 0;
		shared->told += whole;
	}
	struct store_stat stat;
	store_stat(kit.store, &stat);
	shared->digests = stat.digests;
	store_close(kit.store);
	return whole && kit.fatal == 0 ? FINE : FAILED;
}

static int run_with(enum fw_op op, uint64_t nth, int with, bool forever)
{
	restore_image();
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct rlimit none = {0, 0};
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		setenv("CMOCKA_TEST_ABORT", "1", 1); /* a child must not go on as a test */
		freopen("/dev/null", "w", stderr);
		if (nth)
			fw_fault_arm(op, nth, with, forever);
		else
			fw_fault_clear();
		int rc = work();
		shared->calls = fw_fault_calls(op);
		_exit(rc);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	return WEXITSTATUS(status);
}

struct missing {
	uint64_t batches, requests;
};

static uint64_t what_is_missing(uint64_t *told, uint64_t stored)
{
	uint64_t missing = *told > stored ? *told - stored : 0;
	*told = stored;
	return missing;
}

/* Requests of the target that are there, whole. */
static uint64_t requests_stored(void)
{
	struct kit_found first = kit_target_read(&kit, 0);
	uint64_t n = first.n / sweeps;
	fw_arena_done(&first.arena);
	assert_int_equal(kit_target_count(&kit, true), n * sweeps * KIT_SERIES);
	return n;
}

/* How much of what was acknowledged is missing in a store that is sound. */
static struct missing missing(void)
{
	struct fw_err err = {""};
	struct sender sender = {0};
	if (kit_check(kit.dir) != 0)
		fail_msg("the store is not sound");
	if (kit_open(&kit, &err) < 0)
		fail_msg("%s", err.text);
	sender_begin(&sender, &kit, 1, 7);
	uint64_t stored = sender.next[STORE_LIVE] - 1;
	assert_int_equal(kit_count(&kit, kit.host, true), stored * sweeps);
	const struct missing missing = {what_is_missing(&shared->acked, stored),
		what_is_missing(&shared->told, requests_stored())};
	store_close(kit.store);
	return missing;
}

static void each_fault(enum fw_op op, uint64_t stride)
{
	unsigned ends[3] = {0}, aborts = 0;
	int with = op == FW_OP_ALLOC ? -ENOMEM : -EIO;
	assert_int_equal(run_with(op, 0, 0, false), FINE);
	uint64_t calls = shared->calls;
	for (uint64_t nth = 1; nth <= calls + 1; nth += stride) {
		for (int forever = 0; forever < 2; forever++) {
			int end = run_with(op, nth, with, forever);
			assert_in_range(end == -SIGABRT ? 0 : end, 0, 2);
			aborts += end == -SIGABRT;
			if (end >= 0)
				ends[end]++;
			assert_true(op == FW_OP_ALLOC || end >= 0);
			struct missing lost = missing();
			assert_int_equal(lost.batches + lost.requests, 0);
		}
	}
	print_message("# %u well, %u refused, %u failed, %u aborted\n", ends[FINE], ends[REFUSED],
		ends[FAILED], aborts);
	assert_true(ends[REFUSED] + ends[FAILED] + aborts > 0);
}

static int setup(void **state)
{
	(void)state;
	shared = mmap(
		NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	kit_init(&kit);
	kit.config.log_segment_bytes = 0;
	store_close(kit.store);
	return 0;
}

/* A store whose next few batches fill a segment, which is then digested, and of whose schemas so
 * many are of no use. */
static int setup_with(unsigned waste)
{
	struct sender sender = {0};
	shared = mmap(
		NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sweeps = 60;
	kit_init_of(&kit, 4 << 10, 32);
	sender_begin(&sender, &kit, 1, 7);
	for (int i = 0; i < BATCHES; i++)
		sender_send(&sender, STORE_LIVE, kit.host, kit.schema,
			time_of(sender.next[STORE_LIVE]), sweeps, STEP, i == 0);
	kit_waste(&kit, waste);
	store_close(kit.store);
	snprintf(image, sizeof image, "%s-image", kit.dir);
	kit_copy(kit.dir, image);
	return 0;
}

static int setup_digest(void **state)
{
	(void)state;
	return setup_with(0);
}

static int setup_names(void **state)
{
	(void)state;
	return setup_with(8);
}

static int teardown(void **state)
{
	(void)state;
	if (image[0])
		kit_remove(image);
	image[0] = '\0';
	sweeps = 1;
	kit_remove(kit.dir);
	munmap(shared, sizeof *shared);
	return 0;
}

static void test_open(void **state)
{
	(void)state;
	each_fault(FW_OP_OPEN, 1);
}

static void test_pwrite(void **state)
{
	(void)state;
	each_fault(FW_OP_PWRITE, 1);
}

static void test_sync(void **state)
{
	(void)state;
	each_fault(FW_OP_FDATASYNC, 1);
	each_fault(FW_OP_FSYNC, 1);
}

static void test_read(void **state)
{
	(void)state;
	each_fault(FW_OP_READ, 1);
}

static void test_memory(void **state)
{
	(void)state;
	each_fault(FW_OP_ALLOC, fw_fault_stride(4));
}

/* A digest that fails halfway has changed nothing, and another one does it all. */
static void test_digest(void **state)
{
	(void)state;
	each_fault(FW_OP_PWRITE, fw_fault_stride(3));
	assert_int_equal(run_with(FW_OP_PWRITE, 0, 0, false), FINE);
	assert_true(shared->digests > 0);
	each_fault(FW_OP_FDATASYNC, fw_fault_stride(3));
	each_fault(FW_OP_READ, fw_fault_stride(8));
}

static bool is_compact(void)
{
	struct stat st;
	char *path = fw_format("%s/schema.log", kit.dir);
	assert_int_equal(stat(path, &st), 0);
	fw_free(path);
	return st.st_size < 64 << 10;
}

/* Where names that nothing mentions cannot be left out, they stay. Where the folder cannot be
 * synced after it, the store does not open. */
static void test_names(void **state)
{
	(void)state;
	for (int forever = 0; forever < 2; forever++) {
		assert_int_equal(run_with(FW_OP_RENAME, 1, -EIO, forever), FINE);
		assert_false(is_compact());
		struct missing lost = missing();
		assert_int_equal(lost.batches + lost.requests, 0);
		assert_true(is_compact());
	}
	each_fault(FW_OP_FSYNC, 1);
	assert_true(is_compact());
}

static bool count_name(uint32_t id, const uint8_t *name, size_t length, void *arg)
{
	(void)name;
	(void)length;
	*(uint64_t *)arg += id;
	return true;
}

static bool is_odd(uint32_t id, void *arg)
{
	(void)arg;
	return id % 2;
}

/* The sum of the ids that it holds. */
static uint64_t open_names(struct name_file *file, const struct super *super)
{
	uint64_t ids = 0;
	assert_int_equal(name_file_open(file, kit.dir, FILE_SCHEMAS, super, false, NULL), 0);
	assert_int_equal(name_file_read(file, count_name, &ids), 0);
	assert_int_equal(file->damaged, 0);
	return ids;
}

/* Returns whether there was a call for the fault. */
static bool rewrite_with(enum fw_op op, uint64_t nth, bool forever)
{
	enum { ALL = 45, ODD = 25 }; /* of 1 to 9 */
	struct super super;
	struct damage damage = {0};
	struct name_file file;
	restore_image();
	assert_int_equal(super_load(kit.dir, &super, &damage, NULL), 0);
	assert_int_equal(open_names(&file, &super), ALL);
	fw_fault_arm(op, nth, -EIO, forever);
	int rc = name_file_rewrite(&file, kit.dir, is_odd, NULL, NULL);
	bool met = fw_fault_calls(op) >= nth;
	fw_fault_clear();
	name_file_close(&file);
	uint64_t ids = open_names(&file, &super);
	name_file_close(&file);
	assert_true(ids == (rc == 0 ? ALL : ODD));
	assert_true(met || rc == 1);
	return met;
}

static void test_names_written_anew(void **state)
{
	static const enum fw_op ops[] = {
		FW_OP_OPEN, FW_OP_READ, FW_OP_PWRITE, FW_OP_FSYNC, FW_OP_RENAME};
	(void)state;
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		uint64_t nth = 1;
		while (rewrite_with(ops[i], nth, false) && rewrite_with(ops[i], nth, true))
			nth++;
		assert_true(nth > 1);
	}
}

static uint64_t damage;

static void on_damage(const char *sentence, void *arg)
{
	(void)arg;
	print_message("# %s\n", sentence);
	damage++;
}

/* As a program leaves it that does not write how many files it has made, nor a spare. */
static void make_old(void)
{
	struct super super;
	struct damage none = {0};
	char *spare = fw_format("%s/super.spare", kit.dir);
	assert_int_equal(super_load(kit.dir, &super, &none, NULL), 0);
	for (int t = 0; t < STORE_TIERS; t++)
		super.tiers[t].counted = false;
	for (int copies = 0; copies < 2; copies++)
		assert_int_equal(super_save(kit.dir, &super, NULL), 0);
	assert_int_equal(unlink(spare), 0);
	fw_free(spare);
}

/* Returns whether a start was broken off; the next must miss nothing. */
static bool breaks_off(uint64_t nth)
{
	struct fw_err err = {""};
	restore_image();
	make_old();
	damage = 0;
	fw_fault_arm(FW_OP_FALLOCATE, nth, -EIO, true);
	int rc = kit_open(&kit, &err);
	fw_fault_clear();
	if (rc < 0)
		assert_int_equal(kit_open(&kit, &err), 0);
	store_close(kit.store);
	assert_int_equal(damage, 0);
	return rc < 0;
}

/* Nothing is damaged where a larger store, or the first start of a newer program, was broken off. */
static void test_starts_broken_off(void **state)
{
	(void)state;
	kit.config.on_damage = on_damage;
	for (uint64_t nth = 1; breaks_off(nth); nth++)
		assert_int_equal(nth, 1);
	for (int t = 0; t < STORE_TIERS; t++)
		kit.config.tier_bytes[t] *= 2;
	uint64_t nth = 1;
	while (breaks_off(nth))
		nth += 7;
	assert_true(nth > 60);
}

/* The control: a disk that only pretends to write is found out by the same check. */
static void test_control_a_disk_that_pretends_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(run_with(FW_OP_PWRITE, 3, 1, true), FINE);
	struct missing lost = missing();
	assert_true(lost.batches > 0 && lost.requests > 0);
}

/* Space is met at the start: a store that cannot have all of it refuses. */
static void test_disk_full(void **state)
{
	(void)state;
	struct kit full;
	struct fw_err err = {""};
	kit_init(&full);
	store_close(full.store);
	kit_remove(full.dir);
	/* Each try gets two files further, and the next one goes on from there. */
	for (int tries = 0; tries < 6; tries++) {
		fw_fault_arm(FW_OP_FALLOCATE, 3, -ENOSPC, true);
		assert_int_equal(kit_open(&full, &err), -ENOSPC);
		assert_non_null(strstr(err.text, "o space left"));
		fw_fault_clear();
	}
	assert_int_equal(kit_open(&full, &err), 0);
	full.host = kit_host(&full, "alpha");
	full.schema = kit_schema(&full, "m");
	struct sender sender = {0};
	sender_begin(&sender, &full, 1, 7);
	/* From then on nothing that ingest does takes space. */
	fw_fault_arm(FW_OP_FALLOCATE, 1, -ENOSPC, true);
	assert_int_equal(
		sender_send(&sender, STORE_LIVE, full.host, full.schema, time_of(1), 1, STEP, true),
		STORE_DURABLE);
	fw_fault_clear();
	kit_done(&full);
}

int main(void)
{
#define FAULT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		FAULT(test_open),
		FAULT(test_pwrite),
		FAULT(test_sync),
		FAULT(test_read),
		FAULT(test_memory),
		cmocka_unit_test_setup_teardown(test_digest, setup_digest, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup_names, teardown),
		cmocka_unit_test_setup_teardown(test_names_written_anew, setup_names, teardown),
		cmocka_unit_test_setup_teardown(test_starts_broken_off, setup_digest, teardown),
		FAULT(test_control_a_disk_that_pretends_is_noticed),
		cmocka_unit_test(test_disk_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
