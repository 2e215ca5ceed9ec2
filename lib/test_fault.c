/* SPDX-License-Identifier: Apache-2.0 */
/* The seams that other tests stand on. What comes by environment is read once
 * a process, so each of those cases runs this program again. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/clock.h>
#include <fenwatch/fault.h>

static const char self[] = "/proc/self/exe";

static void test_without_faults_all_goes_on(void **state)
{
	(void)state;
	fw_fault_clear();
	for (int op = 0; op < FW_OP_COUNT; op++)
		assert_int_equal(fw_fault((enum fw_op)op), 0);
	assert_int_equal(fw_fault_calls(FW_OP_RENAME), 1);
}

static void test_nth_call_once(void **state)
{
	(void)state;
	fw_fault_arm(FW_OP_PWRITE, 2, -ENOSPC, false);
	assert_int_equal(fw_fault(FW_OP_PWRITE), 0);
	assert_int_equal(fw_fault(FW_OP_WRITE), 0);
	assert_int_equal(fw_fault(FW_OP_PWRITE), -ENOSPC);
	assert_int_equal(fw_fault(FW_OP_PWRITE), 0);
	assert_int_equal(fw_fault_calls(FW_OP_PWRITE), 3);
	fw_fault_clear();
	assert_int_equal(fw_fault_calls(FW_OP_PWRITE), 0);
}

static void test_nth_call_and_all_after(void **state)
{
	(void)state;
	fw_fault_arm(FW_OP_FSYNC, 2, -EIO, true);
	assert_int_equal(fw_fault(FW_OP_FSYNC), 0);
	assert_int_equal(fw_fault(FW_OP_FSYNC), -EIO);
	assert_int_equal(fw_fault(FW_OP_FSYNC), -EIO);
	fw_fault_clear();
	assert_int_equal(fw_fault(FW_OP_FSYNC), 0);
}

static void test_two_faults_on_one_operation(void **state)
{
	(void)state;
	fw_fault_clear();
	fw_fault_arm(FW_OP_OPEN, 1, -EMFILE, false);
	fw_fault_arm(FW_OP_OPEN, 3, -ENOENT, false);
	assert_int_equal(fw_fault(FW_OP_OPEN), -EMFILE);
	assert_int_equal(fw_fault(FW_OP_OPEN), 0);
	assert_int_equal(fw_fault(FW_OP_OPEN), -ENOENT);
	fw_fault_clear();
}

static void test_wall_clock_is_shifted(void **state)
{
	(void)state;
	int64_t before = fw_wall_ms();
	fw_fault_clock(-3600 * 1000);
	int64_t after = fw_wall_ms();
	fw_fault_clear();
	assert_true(after < before - 3000 * 1000);
	assert_true(fw_wall_ms() >= before);
}

/* What a run of this program with these words in its environment ends with:
 * its exit status, or minus the signal. It says how the third pwrite went. */
static int run_with(const char *name, const char *value)
{
	pid_t child = fork();
	if (child == 0) {
		setenv(name, value, 1);
		execl(self, self, "third-pwrite", (char *)NULL);
		_exit(100);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int third_pwrite(void)
{
	int rc = 0;
	for (int i = 0; i < 3; i++)
		rc = fw_fault(FW_OP_PWRITE);
	return rc < 0 ? -rc : rc == 1 ? 99 : 0;
}

static void test_environment(void **state)
{
	(void)state;
	assert_int_equal(run_with("FENWATCH_FAULT", ""), 0);
	assert_int_equal(run_with("FENWATCH_FAULT", "pwrite:3:ENOSPC"), ENOSPC);
	assert_int_equal(run_with("FENWATCH_FAULT", "pwrite:2:ENOSPC"), 0);
	assert_int_equal(run_with("FENWATCH_FAULT", "pwrite:2+:EIO"), EIO);
	assert_int_equal(run_with("FENWATCH_FAULT", "pwrite:skip"), 99);
	assert_int_equal(run_with("FENWATCH_FAULT", "fsync:skip,pwrite:3:EROFS"), EROFS);
	assert_int_equal(run_with("FENWATCH_FAULT", "kill:pwrite:3"), -SIGKILL);
	assert_int_equal(run_with("FENWATCH_FAULT", "kill:pwrite:4"), 0);
}

static void test_misspelt_environment_ends_the_program(void **state)
{
	(void)state;
	static const char *const wrong[] = {"pwrit:3:EIO", "pwrite:0:EIO", "pwrite:3:EWRONG",
		"pwrite:3", "kill:pwrite", "fsync:skipped", "pwrite:3:EIO;fsync:skip"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(run_with("FENWATCH_FAULT", wrong[i]), 2);
}

static void put_shift(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Read anew at every look, and only what is a number counts. */
static int follow_clock_file(const char *path)
{
	static const struct {
		const char *text;
		int64_t shift_ms;
	} steps[] = {{"60000", 60000}, {"-60000\n", -60000}, {"", 0}, {"soon", 0}};
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		put_shift(path, steps[i].text);
		if (fw_fault_clock_shift() != steps[i].shift_ms ||
			fw_fault_steady_shift() != steps[i].shift_ms)
			return 1 + (int)i;
	}
	unlink(path);
	return fw_fault_clock_shift() == 0 ? 0 : 50;
}

static void test_clock_file(void **state)
{
	(void)state;
	char path[] = "/tmp/fenwatch-clock-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	pid_t child = fork();
	if (child == 0) {
		setenv("FENWATCH_CLOCK_FILE", path, 1);
		setenv("FENWATCH_STEADY_CLOCK_FILE", path, 1);
		execl(self, self, "clock-file", path, (char *)NULL);
		_exit(100);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "third-pwrite") == 0)
		return third_pwrite();
	if (argc == 3 && strcmp(argv[1], "clock-file") == 0)
		return follow_clock_file(argv[2]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_faults_all_goes_on),
		cmocka_unit_test(test_nth_call_once),
		cmocka_unit_test(test_nth_call_and_all_after),
		cmocka_unit_test(test_two_faults_on_one_operation),
		cmocka_unit_test(test_wall_clock_is_shifted),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_misspelt_environment_ends_the_program),
		cmocka_unit_test(test_clock_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
