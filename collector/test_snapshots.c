/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot is made, and restored, while every call to the disk fails in turn, once and for ever.
 * What is said to be whole has all of it; what is said to have failed is not there, and the same
 * asked again goes well. The store does not mind.
 */
#include "snapshots.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/clock.h>
#include <fenwatch/fault.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#include "contents.h"
#include "state.h"
#include "test_tree.h"
#include "testkit.h"

enum { STEP = 1000, BATCH = 20, BATCHES = 150 };

static const struct {
	enum fw_op op;
	int with;
	uint64_t stride;
} faults[] = {
	{FW_OP_OPEN, -EMFILE, 16},
	{FW_OP_READ, -EIO, 40},
	{FW_OP_WRITE, -ENOSPC, 4},
	{FW_OP_PWRITE, -ENOSPC, 16},
	{FW_OP_FSYNC, -EIO, 16},
	{FW_OP_FDATASYNC, -EIO, 1},
	{FW_OP_RENAME, -EIO, 1},
	{FW_OP_FALLOCATE, -ENOSPC, 1},
};

static struct kit kit;
static struct snapshots *snapshots;
static char data[80], other[80]; /* a collector's folder, and another's */

static char *path_in(const char *folder, const char *name)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static bool is_there(const char *folder, const char *name)
{
	return access(path_in(folder, name), F_OK) == 0;
}

static int setup(void **state)
{
	static const char *const files[] = {"ca.pem", "ca.key", "admin.token"};
	struct sender sender = {0};
	struct state *db;
	(void)state;
	kit_init_of(&kit, 8 << 10, 16);
	sender_begin(&sender, &kit, 1, 7);
	for (int i = 0; i < BATCHES; i++)
		assert_int_equal(sender_send(&sender, STORE_LIVE, kit.host, kit.schema,
					 kit_now_ms - (int64_t)(BATCHES - i) * BATCH * STEP, BATCH,
					 STEP, i == 0),
			STORE_DURABLE);
	snprintf(data, sizeof data, "%s/data", kit.dir);
	snprintf(other, sizeof other, "%s/other", kit.dir);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		assert_int_equal(test_put(data, files[i], "text", 4), 0);
	assert_int_equal(state_open(&db, data, NULL), 0);
	assert_int_equal(state_set(db, "estate", "e", NULL), 0);
	state_close(db);
	assert_int_equal(snapshots_open(&snapshots, data, kit.store, NULL), 0);
	assert_int_equal(mkdir(other, 0700), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fw_fault_clear();
	snapshots_close(snapshots);
	kit_done(&kit);
	return 0;
}

static struct api_snapshot make(void)
{
	struct api_snapshot look;
	assert_int_equal(snapshots_begin(snapshots, "monday", NULL), 0);
	do {
		usleep(200);
		snapshots_look(snapshots, &look);
	} while (!look.ended_ms);
	return look;
}

static void remove_from(const char *folder, const char *name)
{
	assert_int_equal(test_remove_tree(path_in(folder, name)), 0);
}

static void expect_made(void)
{
	assert_int_equal(contents_check(path_in(data, "snapshots/monday"), NULL), 0);
	assert_int_equal(kit_check(path_in(data, "snapshots/monday/store")), 0);
	remove_from(data, "snapshots/monday");
}

/* Returns the number of calls. */
static uint64_t make_with(size_t fault, uint64_t nth, bool forever)
{
	fw_fault_arm(faults[fault].op, nth, faults[fault].with, forever);
	struct api_snapshot look = make();
	uint64_t calls = fw_fault_calls(faults[fault].op);
	fw_fault_clear();
	assert_false(is_there(data, "snapshots/monday.part"));
	assert_true(!look.failed || (calls >= nth && *look.why));
	if (!look.failed)
		expect_made();
	else
		assert_false(is_there(data, "snapshots/monday"));
	return calls;
}

/* From the last call on, where most is there already. */
static void each_fault(uint64_t (*with)(size_t fault, uint64_t nth, bool forever))
{
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		uint64_t stride = fw_fault_stride(faults[i].stride);
		uint64_t nth = with(i, UINT64_MAX, false);
		for (; nth > 0; nth = nth > stride ? nth - stride : 0) {
			with(i, nth, false);
			with(i, nth, true);
		}
	}
}

static void test_made(void **state)
{
	(void)state;
	each_fault(make_with);
	assert_int_equal(kit.fatal, 0);
	assert_int_equal(kit_count(&kit, kit.host, true), BATCHES * BATCH);
	assert_false(make().failed);
	expect_made();
}

static int restore(struct fw_err *err)
{
	struct store_stat stat;
	return snapshots_restore(path_in(data, "snapshots/monday"), other,
		&(struct store_inspector){0}, NULL, &stat, err);
}

static const char *const restored[] = {"ca.pem", "ca.key", "admin.token", "state.db", "store"};

/* Returns the number of calls. */
static uint64_t restore_with(size_t fault, uint64_t nth, bool forever)
{
	struct fw_err err = {""};
	fw_fault_arm(faults[fault].op, nth, faults[fault].with, forever);
	int rc = restore(&err);
	uint64_t calls = fw_fault_calls(faults[fault].op);
	fw_fault_clear();
	assert_true(rc == 0 || (calls >= nth && err.text[0]));
	for (size_t i = 0; i < sizeof restored / sizeof *restored; i++)
		assert_int_equal(is_there(other, restored[i]), rc == 0);
	if (rc == 0)
		assert_int_equal(kit_check(path_in(other, "store")), 0);
	remove_from(kit.dir, "other");
	assert_int_equal(mkdir(other, 0700), 0);
	return calls;
}

static void test_restored(void **state)
{
	(void)state;
	assert_false(make().failed);
	each_fault(restore_with);
	assert_int_equal(restore(NULL), 0);
	store_close(kit.store);
	kit.config.dir = path_in(other, "store");
	assert_int_equal(kit_open(&kit, NULL), 0);
	assert_int_equal(kit_count(&kit, kit.host, true), BATCHES * BATCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_made, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restored, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
