/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fenwatch/file.h>
#include <fenwatch/text.h>

static void close_if_foreign(int fd, const int *keep)
{
	if (fd > STDERR_FILENO && fd != keep[0] && fd != keep[1] && fd != keep[2])
		close(fd);
}

static void close_foreign(int keep, int keep_too)
{
	DIR *folder = opendir("/proc/self/fd");
	int kept[] = {keep, keep_too, folder ? dirfd(folder) : -1};
	if (!folder) {
		for (int fd = 0; fd < 1024; fd++)
			close_if_foreign(fd, kept);
		return;
	}
	const struct dirent *entry;
	while ((entry = readdir(folder))) {
		uint64_t fd;
		if (fw_parse_u64(entry->d_name, &fd) == 0)
			close_if_foreign((int)fd, kept);
	}
	closedir(folder);
}

/* libuv's handlers write into a pipe that is the agent's as well. */
static void reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void be_last_in_line(void)
{
	enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_CLASS_IDLE = 3, IOPRIO_CLASS_SHIFT = 13 };
	setpriority(PRIO_PROCESS, 0, 10);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT);
}

void process_become_helper(int keep, int keep_too)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	reset_signals();
	close_foreign(keep, keep_too);
	be_last_in_line();
}

pid_t process_fork(void)
{
	return _Fork();
}

#define NOBODY 65534

static int become_nobody(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (geteuid() != 0)
		return 0;
	return fw_become(NOBODY, NOBODY);
}

/* In the new process: times in UTC and words in English, whatever the agent was started with. */
static _Noreturn void run(const char *const *argv, int output, bool nobody)
{
	static const char *const environment[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C",
		"TZ=UTC",
		"SYSTEMD_COLORS=0",
		NULL,
	};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if ((!nobody || become_nobody() == 0) && null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
		dup2(null, STDERR_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0)
		execve(argv[0], (char *const *)(uintptr_t)argv,
			(char *const *)(uintptr_t)environment);
	_exit(127);
}

static int collect(int pipe, size_t limit, struct fw_buf *out)
{
	char bytes[4096];
	size_t all = 0;
	for (;;) {
		ssize_t got = read(pipe, bytes, sizeof bytes);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		all += (size_t)got;
		if (all > limit)
			return -EFBIG;
		fw_buf_append(out, bytes, (size_t)got);
	}
}

static int run_and_collect(const char *const *argv, size_t limit, bool nobody, struct fw_buf *out)
{
	int ends[2], status;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid_t pid = process_fork();
	if (pid == 0)
		run(argv, ends[1], nobody);
	int rc = pid < 0 ? -errno : 0;
	fw_close(ends[1]);
	if (rc == 0)
		rc = collect(ends[0], limit, out);
	fw_close(ends[0]);
	if (pid < 0)
		return rc;
	if (rc < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (rc < 0)
		return rc;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

int process_output(const char *const *argv, size_t limit, struct fw_buf *out)
{
	return run_and_collect(argv, limit, false, out);
}

int process_output_as_nobody(const char *const *argv, size_t limit, struct fw_buf *out)
{
	return run_and_collect(argv, limit, true, out);
}
