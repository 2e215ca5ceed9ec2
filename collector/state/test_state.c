/* SPDX-License-Identifier: Apache-2.0 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/fault.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "test_tree.h"

struct place {
	char dir[64];
	struct state *state;
};

static const char *const steps[] = {
	"CREATE TABLE pair (a INTEGER PRIMARY KEY, b TEXT) STRICT",
	"CREATE TABLE more (x INTEGER) STRICT; CREATE INDEX more_x ON more (x)",
};

static void open_state(struct place *place)
{
	struct fw_err err;
	if (state_open(&place->state, place->dir, &err) < 0)
		fail_msg("%s", err.text);
}

static void reopen(struct place *place)
{
	state_close(place->state);
	open_state(place);
}

static int set_up(void **arg)
{
	struct place *place = fw_alloc(sizeof *place);
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-state-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	open_state(place);
	*arg = place;
	return 0;
}

static const char *path_in(const struct place *place, const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", place->dir, name);
	return path;
}

static int tear_down(void **arg)
{
	struct place *place = *arg;
	fw_fault_clear();
	state_close(place->state);
	static const char *const names[] = {
		"state.db", "state.db-wal", "state.db-shm", "state.reserve"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(path_in(place, names[i]));
	assert_int_equal(rmdir(place->dir), 0);
	fw_free(place);
	return 0;
}

static int64_t count_pairs(struct state *state)
{
	sqlite3_stmt *row;
	assert_int_equal(state_query(state, &row, NULL, "SELECT count(*) FROM pair", ""), 0);
	assert_int_equal(state_step(state, row, NULL), 1);
	int64_t n = sqlite3_column_int64(row, 0);
	state_done(row);
	return n;
}

static void test_values_stay(void **arg)
{
	struct place *place = *arg;
	char value[16];
	assert_int_equal(state_get(place->state, "estate", value, sizeof value), -ENOENT);
	assert_int_equal(state_set(place->state, "estate", "one", NULL), 0);
	reopen(place);
	assert_int_equal(state_get(place->state, "estate", value, sizeof value), 0);
	assert_string_equal(value, "one");
	assert_int_equal(state_get(place->state, "estate", value, 3), -ENOBUFS);
}

/* As it was when it was asked for, whatever its owner does in between. */
static void test_backup(void **arg)
{
	struct place *place = *arg;
	char to[128], path[160], value[16];
	struct state *copy;
	struct stat st;
	struct fw_err err;
	snprintf(to, sizeof to, "%s/backup", place->dir);
	assert_int_equal(mkdir(to, 0700), 0);
	assert_int_equal(state_set(place->state, "estate", "one", NULL), 0);
	assert_int_equal(state_begin(place->state, NULL), 0);
	assert_int_equal(state_set(place->state, "estate", "two", NULL), 0);
	assert_int_equal(state_backup(place->dir, to, &err), 0);
	assert_int_equal(state_commit(place->state, NULL), 0);
	snprintf(path, sizeof path, "%s/state.db", to);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(state_open(&copy, to, &err), 0);
	assert_int_equal(state_get(copy, "estate", value, sizeof value), 0);
	assert_string_equal(value, "one");
	state_close(copy);
	assert_int_equal(test_remove_tree(to), 0);
	assert_true(state_backup(place->dir, to, &err) < 0);
}

static void test_only_the_owner_reads_it(void **arg)
{
	struct place *place = *arg;
	struct stat st;
	assert_int_equal(stat(path_in(place, "state.db"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(path_in(place, "state.reserve"), &st), 0);
	assert_int_equal(st.st_size, 4 << 20);
}

static void test_migrations_go_on_where_they_were(void **arg)
{
	struct place *place = *arg;
	assert_int_equal(state_migrate(place->state, "test", steps, 1, NULL), 0);
	assert_int_equal(state_run(place->state, NULL, "INSERT INTO pair VALUES (1, 'x')", ""), 0);
	assert_int_equal(state_migrate(place->state, "test", steps, 2, NULL), 0);
	assert_int_equal(count_pairs(place->state), 1);
	assert_int_equal(state_run(place->state, NULL, "INSERT INTO more VALUES (1)", ""), 0);

	struct fw_err err;
	assert_int_equal(state_migrate(place->state, "test", steps, 1, &err), -EPROTO);
	assert_non_null(strstr(err.text, "newer Fenwatch"));
}

static void test_a_failed_migration_leaves_nothing(void **arg)
{
	struct place *place = *arg;
	static const char *const wrong[] = {"CREATE TABLE half (x)", "CREATE NONSENSE"};
	struct fw_err err;
	assert_int_equal(state_migrate(place->state, "wrong", wrong, 2, &err), -EIO);
	assert_non_null(strstr(err.text, "NONSENSE"));
	assert_int_equal(state_run(place->state, NULL, "INSERT INTO half VALUES (1)", ""), -EIO);
}

static void test_one_statement_used_twice_at_once(void **arg)
{
	struct place *place = *arg;
	static const char sql[] = "SELECT ? UNION ALL SELECT 9";
	sqlite3_stmt *outer, *inner;
	assert_int_equal(state_query(place->state, &outer, NULL, sql, "i", (int64_t)1), 0);
	assert_int_equal(state_step(place->state, outer, NULL), 1);
	assert_int_equal(state_query(place->state, &inner, NULL, sql, "i", (int64_t)2), 0);
	assert_ptr_not_equal(outer, inner);
	assert_int_equal(state_step(place->state, inner, NULL), 1);
	assert_int_equal(sqlite3_column_int(outer, 0), 1);
	assert_int_equal(sqlite3_column_int(inner, 0), 2);
	state_done(inner);
	assert_int_equal(state_step(place->state, outer, NULL), 1);
	state_done(outer);
	assert_int_equal(state_query(place->state, &inner, NULL, sql, "i", (int64_t)3), 0);
	assert_true(inner == outer);
	state_done(inner);
}

static void expect_refusal(struct place *place, int rc, const char *words)
{
	struct state *state;
	struct fw_err err;
	assert_int_equal(state_open(&state, place->dir, &err), rc);
	if (!strstr(err.text, words))
		fail_msg("'%s' lacks '%s'", err.text, words);
}

static void replace_db(struct place *place, const void *data, size_t length, off_t offset)
{
	int fd = open(path_in(place, "state.db"), O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, length, offset), (ssize_t)length);
	close(fd);
}

static void test_damage_and_strangers_are_refused(void **arg)
{
	struct place *place = *arg;
	state_migrate(place->state, "test", steps, 2, NULL);
	sqlite3_exec(state_db(place->state), "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
	state_close(place->state);
	place->state = NULL;

	static const char stranger[4] = {0, 0, 0, 1}; /* application_id lies at byte 68 */
	replace_db(place, stranger, sizeof stranger, 68);
	expect_refusal(place, -EPROTO, "not made by Fenwatch");
	replace_db(place, "FWST", 4, 68);
	static const char future[4] = {0, 0, 0, 99}; /* user_version at byte 60 */
	replace_db(place, future, sizeof future, 60);
	expect_refusal(place, -EPROTO, "format 99");
	char noise[2000];
	memset(noise, 0x5a, sizeof noise);
	replace_db(place, noise, sizeof noise, 4096);
	expect_refusal(place, -EBADMSG, "damaged");
	replace_db(place, noise, sizeof noise, 0);
	expect_refusal(place, -EBADMSG, "not a database");
}

static bool is_in_file(struct place *place, const char *word)
{
	struct fw_buf bytes = {0};
	sqlite3_exec(state_db(place->state), "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
	assert_true(fw_file_read(path_in(place, "state.db"), 16 << 20, &bytes, NULL) >= 0);
	bool found = memmem(bytes.data, bytes.length, word, strlen(word)) != NULL;
	fw_buf_done(&bytes);
	return found;
}

/* What a forgotten host was called is not left in pages that are free. */
static void test_what_is_deleted_is_overwritten(void **arg)
{
	struct place *place = *arg;
	static const char insert[] = "INSERT INTO pair VALUES (1, 'turnip')";
	state_migrate(place->state, "test", steps, 2, NULL);
	assert_int_equal(state_run(place->state, NULL, insert, ""), 0);
	assert_true(is_in_file(place, "turnip"));
	assert_int_equal(state_run(place->state, NULL, "DELETE FROM pair", ""), 0);
	assert_false(is_in_file(place, "turnip"));
}

static void test_a_full_disk_takes_the_reserve_once(void **arg)
{
	struct place *place = *arg;
	struct fw_err err;
	state_migrate(place->state, "test", steps, 2, NULL);
	fw_fault_arm(FW_OP_WRITE, 1, -ENOSPC, false);
	assert_int_equal(state_run(place->state, &err, "INSERT INTO pair VALUES (1, 'x')", ""), 0);
	assert_int_equal(access(path_in(place, "state.reserve"), F_OK), -1);
	fw_fault_arm(FW_OP_WRITE, 1, -ENOSPC, true);
	assert_int_equal(
		state_run(place->state, &err, "INSERT INTO pair VALUES (2, 'x')", ""), -ENOSPC);
	assert_non_null(strstr(err.text, "full"));
	fw_fault_clear();
	assert_int_equal(count_pairs(place->state), 1);
	reopen(place);
	assert_int_equal(access(path_in(place, "state.reserve"), F_OK), 0);
	assert_int_equal(count_pairs(place->state), 1);
}

/* Two rows in one transaction. */
static int write_two(struct state *state)
{
	int rc = state_begin(state, NULL);
	for (int64_t i = 1; rc == 0 && i <= 2; i++)
		rc = state_run(state, NULL, "INSERT INTO pair VALUES (?, ?)", "it", i, "x");
	return state_finish(state, rc, NULL);
}

/* Whether all or nothing is there after a reopening, and all of it if it was promised. */
static bool kept_promise(struct place *place, enum fw_op op, uint64_t nth, int with, bool forever)
{
	fw_fault_arm(op, nth, with, forever);
	int rc = write_two(place->state);
	state_close(place->state);
	fw_fault_clear();
	open_state(place);
	int64_t n = count_pairs(place->state);
	state_run(place->state, NULL, "DELETE FROM pair", "");
	return rc == 0 ? n == 2 : n == 0 || n == 2;
}

static void test_every_fault_once_and_for_ever(void **arg)
{
	struct place *place = *arg;
	static const enum fw_op ops[] = {
		FW_OP_WRITE, FW_OP_FSYNC, FW_OP_TRUNCATE, FW_OP_OPEN, FW_OP_UNLINK};
	state_migrate(place->state, "test", steps, 2, NULL);
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		for (uint64_t nth = 1; nth <= 20; nth++) {
			assert_true(kept_promise(place, ops[i], nth, -EIO, false));
			assert_true(kept_promise(place, ops[i], nth, -EIO, true));
			assert_true(kept_promise(place, ops[i], nth, -ENOSPC, false));
			assert_true(kept_promise(place, ops[i], nth, -ENOSPC, true));
		}
	}
}

/* In a process of its own, which memory that is gone may end; true where it promised. */
static bool promised_without_memory(
	struct place *place, uint64_t nth, bool forever, uint64_t *calls)
{
	struct shared {
		bool promised;
		uint64_t calls;
	} *shared = mmap(
		NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct rlimit none = {0, 0};
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		freopen("/dev/null", "w", stderr);
		fw_fault_clear();
		if (nth)
			fw_fault_arm(FW_OP_ALLOC, nth, -ENOMEM, forever);
		if (state_open(&place->state, place->dir, NULL) == 0) {
			shared->promised = write_two(place->state) == 0;
			state_close(place->state);
		}
		shared->calls = fw_fault_calls(FW_OP_ALLOC);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGABRT);
	bool promised = shared->promised;
	*calls = shared->calls;
	munmap(shared, sizeof *shared);
	return promised;
}

static void test_every_allocation_once_and_for_ever(void **arg)
{
	struct place *place = *arg;
	uint64_t calls, most, n_promised = 0, stride = fw_fault_stride(5);
	state_migrate(place->state, "test", steps, 2, NULL);
	state_close(place->state);
	assert_true(promised_without_memory(place, 0, false, &most));
	for (uint64_t nth = 1; nth <= most; nth += stride) {
		for (int forever = 0; forever < 2; forever++) {
			bool promised = promised_without_memory(place, nth, forever, &calls);
			open_state(place);
			int64_t n = count_pairs(place->state);
			assert_true(n == 2 || (!promised && n == 0));
			assert_int_equal(state_run(place->state, NULL, "DELETE FROM pair", ""), 0);
			state_close(place->state);
			n_promised += promised;
		}
	}
	print_message("# of %u kept %u\n", (unsigned)(2 * most / stride), (unsigned)n_promised);
	assert_true(n_promised < most / stride);
	open_state(place);
}

/* The control: a disk that pretends must be caught by the check above. */
static void test_control_lost_writes_are_noticed(void **arg)
{
	struct place *place = *arg;
	state_migrate(place->state, "test", steps, 2, NULL);
	assert_false(kept_promise(place, FW_OP_WRITE, 1, 1, true));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_values_stay),
		CASE(test_backup),
		CASE(test_only_the_owner_reads_it),
		CASE(test_migrations_go_on_where_they_were),
		CASE(test_a_failed_migration_leaves_nothing),
		CASE(test_one_statement_used_twice_at_once),
		CASE(test_damage_and_strangers_are_refused),
		CASE(test_what_is_deleted_is_overwritten),
		CASE(test_a_full_disk_takes_the_reserve_once),
		CASE(test_every_fault_once_and_for_ever),
		CASE(test_every_allocation_once_and_for_ever),
		CASE(test_control_lost_writes_are_noticed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
