/* SPDX-License-Identifier: Apache-2.0 */
/* The process that runs plugins, asked over its connection: well, badly, and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/wait.h>

#include <fenwatch/file.h>

#include "runner.h"

static char path[] = "/tmp/fenwatch-runner-XXXXXX";
static struct check_config config;

static const char text[] =
	"checks:\n"
	"- {name: three, type: plugin, command: [/bin/sh, -c, 'echo as told; exit 3']}\n"
	"- {name: hangs, type: plugin, command: [/bin/sh, -c, 'sleep 300 & echo; wait']}\n"
	"- {name: web, type: http, target: 'http://127.0.0.1/'}\n";

static int setup(void **state)
{
	struct fw_err err;
	(void)state;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fw_file_replace(path, text, strlen(text), 0600, &err), 0);
	assert_int_equal(check_config_load(&config, path, true, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	check_config_done(&config);
	return unlink(path);
}

/* Our end of the connection. */
static int begin_runner(pid_t *pid)
{
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	*pid = fork();
	if (*pid == 0) {
		close(ends[0]);
		runner_serve(ends[1], &config, false);
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

static void end_runner(int connection, pid_t pid)
{
	int status;
	close(connection);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void ask(int connection, const void *data, size_t length, int descriptor)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_level = SOL_SOCKET,
			     .cmsg_type = SCM_RIGHTS,
			     .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	memcpy(CMSG_DATA(&control.head), &descriptor, sizeof descriptor);
	if (descriptor >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
	}
	assert_int_equal(sendmsg(connection, &message, MSG_NOSIGNAL), length);
}

/* The reading end of the pipe that the plugin writes into. */
static int ask_for(int connection, uint32_t id, const char *name)
{
	struct runner_request request = {.code = RUNNER_BEGIN, .id = id};
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	snprintf(request.name, sizeof request.name, "%s", name);
	ask(connection, &request, sizeof request, ends[1]);
	close(ends[1]);
	return ends[0];
}

static int answer_to(int connection, uint32_t id)
{
	struct runner_answer answer;
	assert_int_equal(recv(connection, &answer, sizeof answer, 0), sizeof answer);
	assert_int_equal(answer.id, id);
	return answer.status;
}

static void test_what_it_runs_stands_in_the_file(void **state)
{
	(void)state;
	pid_t pid;
	char said[32] = "";
	int connection = begin_runner(&pid), output = ask_for(connection, 7, "three");
	int status = answer_to(connection, 7);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_int_equal(read(output, said, sizeof said - 1), 8);
	assert_string_equal(said, "as told\n");
	assert_int_equal(read(output, said, sizeof said), 0);
	close(output);
	close(ask_for(connection, 8, "four"));
	assert_int_equal(answer_to(connection, 8), -ENOENT);
	close(ask_for(connection, 9, "web")); /* is no plugin */
	assert_int_equal(answer_to(connection, 9), -ENOENT);
	end_runner(connection, pid);
}

/* Something else than a request is not guessed at. */
static void expect_the_end(const void *data, size_t length, int descriptor)
{
	struct runner_answer answer;
	pid_t pid;
	int connection = begin_runner(&pid);
	ask(connection, data, length, descriptor);
	assert_int_equal(recv(connection, &answer, sizeof answer, 0), 0);
	end_runner(connection, pid);
}

static void test_who_is_not_understood_is_left(void **state)
{
	(void)state;
	struct runner_request good = {.code = RUNNER_BEGIN, .id = 1, .name = "three"}, bad = good;
	char more[sizeof good + 1] = "";
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	memcpy(more, &good, sizeof good);
	expect_the_end(more, sizeof more, null);
	expect_the_end(&good, sizeof good - 1, null);
	expect_the_end(&good, 1, null);
	expect_the_end(&good, sizeof good, -1); /* with nowhere to write to */
	bad.id = 0;
	expect_the_end(&bad, sizeof bad, null);
	bad = good;
	bad.code = 9;
	expect_the_end(&bad, sizeof bad, null);
	bad = good;
	memset(bad.name, 'x', sizeof bad.name);
	expect_the_end(&bad, sizeof bad, null);
	pid_t pid;
	int connection = begin_runner(&pid);
	ask(connection, &good, sizeof good, null);
	assert_true(WIFEXITED(answer_to(connection, 1)));
	end_runner(connection, pid);
	close(null);
}

static bool is_silent(int output)
{
	struct pollfd one = {.fd = output, .events = POLLIN};
	return poll(&one, 1, 0) == 0;
}

/* Of the pipe there is no end before the last process that has it is gone. */
static void test_with_it_ends_what_it_runs(void **state)
{
	(void)state;
	pid_t pid;
	char line[2];
	int connection = begin_runner(&pid), output = ask_for(connection, 1, "hangs");
	assert_int_equal(read(output, line, sizeof line), 1);
	assert_true(is_silent(output));
	end_runner(connection, pid);
	assert_int_equal(read(output, line, sizeof line), 0);
	close(output);
}

static void test_one_is_killed_alone(void **state)
{
	(void)state;
	pid_t pid;
	char line[2];
	struct runner_request end = {.code = RUNNER_KILL, .id = 2};
	int connection = begin_runner(&pid);
	int stays = ask_for(connection, 1, "hangs"), goes = ask_for(connection, 2, "hangs");
	assert_int_equal(read(stays, line, sizeof line), 1);
	assert_int_equal(read(goes, line, sizeof line), 1);
	ask(connection, &end, sizeof end, -1);
	int status = answer_to(connection, 2);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(read(goes, line, sizeof line), 0);
	assert_true(is_silent(stays));
	end_runner(connection, pid);
	close(stays);
	close(goes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_runs_stands_in_the_file),
		cmocka_unit_test(test_who_is_not_understood_is_left),
		cmocka_unit_test(test_with_it_ends_what_it_runs),
		cmocka_unit_test(test_one_is_killed_alone),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
