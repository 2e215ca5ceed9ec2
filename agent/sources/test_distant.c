/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <sys/wait.h>

#include <fenwatch/fault.h>

#include "distant.h"

#define MINUTE_MS 60000

static int read_at(struct distant_set *set, int64_t now_ms, struct space *out)
{
	distant_begin(set);
	set->patience_ms = 10000; /* a busy machine is no reason to fail */
	int rc = distant_read(set, "/", now_ms, out);
	distant_end(set);
	return rc;
}

static void assert_no_children(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_a_child_answers(void **state)
{
	(void)state;
	struct distant_set set = {0};
	struct space direct, asked;
	assert_int_equal(space_read("/", &direct), 0);
	assert_int_equal(read_at(&set, 1000, &asked), 0);
	assert_int_equal(asked.size, direct.size);
	assert_int_equal(asked.files, direct.files);
	/* Within a minute nobody is asked again. */
	assert_int_equal(read_at(&set, 30000, &asked), 0);
	assert_no_children();
	distant_done(&set);
}

static void test_what_statvfs_refuses(void **state)
{
	(void)state;
	struct distant_set set = {0};
	struct space space;
	distant_begin(&set);
	set.patience_ms = 10000;
	assert_int_equal(distant_read(&set, "/nonexistent", 1000, &space), -ENOENT);
	distant_end(&set);
	distant_done(&set);
}

/* What is no longer mounted is forgotten, with its child. */
static void test_unmounted(void **state)
{
	(void)state;
	struct distant_set set = {0};
	struct space space;
	assert_int_equal(read_at(&set, 1000, &space), 0);
	distant_begin(&set);
	distant_end(&set);
	assert_null(set.first);
	assert_no_children();
}

/* 400 mounts seen at once: their children do not all start in one sweep. */
static void test_many(void **state)
{
	(void)state;
	struct distant_set set = {0};
	struct space space;
	unsigned asked = 0;
	for (int sweep = 0; sweep < 2; sweep++) {
		distant_begin(&set);
		set.patience_ms = 100000;
		for (int i = 0; i < 400; i++) {
			char path[32];
			snprintf(path, sizeof path, "/%d", i);
			if (distant_read(&set, path, 1000, &space) != -EAGAIN)
				asked++;
		}
		distant_end(&set);
	}
	assert_int_equal(asked, 16 + 32); /* the second sweep reads the first one's again */
	distant_done(&set);
	assert_no_children();
}

/* While all children are stuck in other mounts, this one has no answer: neither an error
 * nor, after a while, an old one. */
static void test_no_child_to_spare(void **state)
{
	(void)state;
	struct distant_set set = {.children = DISTANT_CHILDREN};
	struct space space;
	assert_int_equal(read_at(&set, 1000, &space), -EAGAIN);
	set.children = 0;
	assert_int_equal(read_at(&set, 2000, &space), 0);
	set.children = DISTANT_CHILDREN;
	assert_int_equal(read_at(&set, 2000 + 2 * MINUTE_MS, &space), 0);
	assert_int_equal(read_at(&set, 2000 + 4 * MINUTE_MS, &space), -EAGAIN);
	assert_no_children();
	distant_done(&set);
}

#ifdef FW_TEST_SEAMS
static int read_until(struct distant_set *set, int64_t now_ms, int wanted)
{
	struct space space;
	int rc = read_at(set, now_ms, &space);
	for (int i = 0; i < 4000 && rc != wanted; i++) {
		struct timespec pause = {.tv_nsec = 5000000};
		nanosleep(&pause, NULL);
		rc = read_at(set, now_ms, &space);
	}
	return rc;
}

/* A child that never answers: one at a time, and the sweep goes on without it. */
static void test_no_answer(void **state)
{
	(void)state;
	struct distant_set set = {0};
	struct space space;
	fw_fault_arm(FW_OP_WRITE, 1, -EIO, true); /* the child's answer gets lost */
	assert_int_equal(read_at(&set, 1000, &space), -ETIMEDOUT);
	assert_int_equal(read_at(&set, 16000, &space), -ETIMEDOUT);
	assert_no_children();
	fw_fault_clear();
	/* The next one, a minute later, does answer. */
	int64_t now_ms = 1000 + MINUTE_MS;
	assert_int_equal(read_until(&set, now_ms, 0), 0);
	/* The one after it does not: the old answer is not given for it. */
	fw_fault_arm(FW_OP_WRITE, 1, -EIO, true);
	assert_int_equal(read_until(&set, now_ms + MINUTE_MS, -ETIMEDOUT), -ETIMEDOUT);
	fw_fault_clear();
	distant_done(&set);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_child_answers),
		cmocka_unit_test(test_what_statvfs_refuses),
		cmocka_unit_test(test_unmounted),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_no_child_to_spare),
#ifdef FW_TEST_SEAMS
		cmocka_unit_test(test_no_answer),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
