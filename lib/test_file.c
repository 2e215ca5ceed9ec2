/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/fault.h>
#include <fenwatch/file.h>

/* Every test has an empty folder of its own and stands in it. */
static int enter_folder(void **state)
{
	char *folder = strdup("/tmp/fenwatch-file-XXXXXX");
	*state = folder;
	return folder && mkdtemp(folder) ? chdir(folder) : -1;
}

static int leave_folder(void **state)
{
	static const char *const made[] = {
		"a", "a.new", "b", "lock", "deep/er/folder", "deep/er", "deep"};
	fw_fault_clear();
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
		if (unlink(made[i]) < 0 && errno == EISDIR)
			rmdir(made[i]);
	int rc = chdir("/tmp") == 0 ? rmdir(*state) : -1;
	free(*state);
	return rc;
}

static void put(const char *path, const char *text)
{
	assert_int_equal(fw_file_replace(path, text, strlen(text), 0600, NULL), 0);
}

static void assert_holds(const char *path, const char *text)
{
	struct fw_buf buf = {0};
	assert_int_equal(fw_file_read(path, 4096, &buf, NULL), 0);
	assert_string_equal((char *)buf.data, text);
	fw_buf_done(&buf);
}

static void test_written_is_read_back(void **state)
{
	(void)state;
	char back[8] = {0};
	int fd = fw_open("a", O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fw_write(fd, "abcdef", 6), 0);
	assert_int_equal(fw_pwrite(fd, "XY", 2, 2), 0);
	assert_int_equal(fw_fdatasync(fd), 0);
	assert_int_equal(fw_pread(fd, back, sizeof back, 0), 6);
	assert_string_equal(back, "abXYef");
	assert_int_equal(fw_pread(fd, back, sizeof back, 6), 0);
	assert_int_equal(fw_truncate(fd, 2), 0);
	assert_int_equal(fw_pread(fd, back, sizeof back, 0), 2);
	assert_int_equal(fw_close(fd), 0);
	assert_int_equal(fw_rename("a", "b"), 0);
	assert_int_equal(fw_unlink("b"), 0);
	assert_int_equal(fw_unlink("b"), -ENOENT);
	assert_int_equal(fw_open("b", O_RDONLY, 0), -ENOENT);
	assert_int_equal(fw_close(fd), -EBADF);
}

static void test_preallocated_is_zero_and_keeps_what_was(void **state)
{
	(void)state;
	struct stat st;
	char back[5] = "....";
	int fd = fw_open("a", O_RDWR | O_CREAT, 0600);
	assert_int_equal(fw_write(fd, "ring", 4), 0);
	assert_int_equal(fw_preallocate(fd, 1000000), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 1000000);
	assert_true(st.st_blocks * 512 >= 1000000);
	assert_int_equal(fw_pread(fd, back, 4, 0), 4);
	assert_string_equal(back, "ring");
	assert_int_equal(fw_pread(fd, back, 4, 999996), 4);
	assert_memory_equal(back, "\0\0\0\0", 4);
	assert_int_equal(fw_preallocate(fd, 1000), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 1000000);
	fw_close(fd);
}

static void test_folders_are_made(void **state)
{
	(void)state;
	struct stat st;
	assert_int_equal(fw_mkdir_all("deep/er/folder", 0700), 0);
	assert_int_equal(fw_mkdir_all("deep/er/folder/", 0700), 0);
	assert_int_equal(stat("deep/er/folder", &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(fw_fsync_dir("deep"), 0);
	assert_int_equal(fw_fsync_dir("absent"), -ENOENT);
	put("a", "in the way");
	assert_int_equal(fw_mkdir_all("a", 0700), -ENOTDIR);
	assert_int_equal(fw_mkdir_all("a/b", 0700), -ENOTDIR);
	assert_int_equal(fw_mkdir_all("", 0700), -ENOENT);
}

static void test_file_read_has_a_limit(void **state)
{
	(void)state;
	struct fw_err err = {0};
	struct fw_buf buf = {0};
	put("a", "12345");
	assert_int_equal(fw_file_read("a", 5, &buf, &err), 0);
	assert_int_equal(buf.length, 5);
	assert_int_equal(fw_file_read("a", 4, &buf, &err), -EFBIG);
	assert_string_equal(err.text, "'a' is larger than 4 bytes");
	assert_string_equal((char *)buf.data, "12345");
	assert_int_equal(fw_file_read("absent", 4, &buf, &err), -ENOENT);
	assert_string_equal(err.text, "cannot open 'absent': no such file or directory");
	fw_buf_done(&buf);
}

static void test_files_without_a_size_are_read_whole(void **state)
{
	(void)state;
	struct fw_buf buf = {0};
	assert_int_equal(fw_file_read("/proc/self/status", 65536, &buf, NULL), 0);
	assert_non_null(strstr((char *)buf.data, "ctxt_switches"));
	fw_buf_done(&buf);
}

static void test_replace_keeps_mode_and_leaves_nothing_behind(void **state)
{
	(void)state;
	struct stat st;
	umask(022);
	assert_int_equal(fw_file_replace("a", "one", 3, 0664, NULL), 0);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0664);
	put("a.new", "left by a crash");
	put("a", "two");
	assert_holds("a", "two");
	assert_int_equal(access("a.new", F_OK), -1);
	assert_int_equal(fw_unlink("a.new.new"), -ENOENT);
}

/* Whatever fails: the old content or the new, and a sentence. */
static void test_failed_replace_keeps_the_old(void **state)
{
	(void)state;
	static const enum fw_op steps[] = {FW_OP_OPEN, FW_OP_WRITE, FW_OP_FSYNC, FW_OP_RENAME};
	put("a", "old");
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		struct fw_err err = {0};
		fw_fault_arm(steps[i], 1, -ENOSPC, false);
		assert_int_equal(fw_file_replace("a", "new", 3, 0600, &err), -ENOSPC);
		fw_fault_clear();
		assert_string_equal(err.text, "cannot write 'a': no space left on device");
		assert_holds("a", "old");
		assert_int_equal(access("a.new", F_OK), -1);
	}
	fw_fault_arm(FW_OP_FSYNC, 2, -EIO, false);
	assert_int_equal(fw_file_replace("a", "new", 3, 0600, NULL), -EIO);
	fw_fault_clear();
	assert_holds("a", "new");
}

static void test_every_operation_has_its_fault(void **state)
{
	(void)state;
	char byte;
	int fd = fw_open("a", O_RDWR | O_CREAT, 0600);
	for (int op = 0; op < FW_OP_ALLOC; op++)
		fw_fault_arm((enum fw_op)op, 1, -EIO, false);
	assert_int_equal(fw_open("a", O_RDONLY, 0), -EIO);
	assert_int_equal(fw_pread(fd, &byte, 1, 0), -EIO);
	assert_int_equal(fw_write(fd, "x", 1), -EIO);
	assert_int_equal(fw_pwrite(fd, "x", 1, 0), -EIO);
	assert_int_equal(fw_fsync(fd), -EIO);
	assert_int_equal(fw_fdatasync(fd), -EIO);
	assert_int_equal(fw_rename("a", "b"), -EIO);
	assert_int_equal(fw_unlink("a"), -EIO);
	assert_int_equal(fw_truncate(fd, 0), -EIO);
	assert_int_equal(fw_preallocate(fd, 1), -EIO);
	assert_int_equal(fw_write(fd, "x", 1), 0);
	fw_fault_clear();
	fw_close(fd);
}

static void test_skipped_write_says_it_was_done(void **state)
{
	(void)state;
	put("a", "old");
	int fd = fw_open("a", O_RDWR, 0);
	fw_fault_arm(FW_OP_PWRITE, 1, 1, true);
	assert_int_equal(fw_pwrite(fd, "new", 3, 0), 0);
	fw_fault_clear();
	fw_close(fd);
	assert_holds("a", "old");
}

static int lock_in_another_process(void)
{
	pid_t child = fork();
	if (child == 0) {
		struct fw_err err = {0};
		int fd = fw_file_lock("lock", &err);
		if (fd == -EBUSY && strstr(err.text, "in use by process"))
			_exit(1);
		_exit(fd >= 0 ? 0 : 2);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_lock_keeps_others_out(void **state)
{
	(void)state;
	assert_int_equal(lock_in_another_process(), 0);
	int fd = fw_file_lock("lock", NULL);
	assert_true(fd >= 0);
	assert_int_equal(lock_in_another_process(), 1);
	assert_int_equal(fw_close(fd), 0);
	assert_int_equal(lock_in_another_process(), 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_written_is_read_back),
		IN_FOLDER(test_preallocated_is_zero_and_keeps_what_was),
		IN_FOLDER(test_folders_are_made),
		IN_FOLDER(test_file_read_has_a_limit),
		IN_FOLDER(test_files_without_a_size_are_read_whole),
		IN_FOLDER(test_replace_keeps_mode_and_leaves_nothing_behind),
		IN_FOLDER(test_failed_replace_keeps_the_old),
		IN_FOLDER(test_every_operation_has_its_fault),
		IN_FOLDER(test_skipped_write_says_it_was_done),
		IN_FOLDER(test_lock_keeps_others_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
