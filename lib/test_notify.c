/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/notify.h>

/* A service manager's socket with an abstract or a path name, in NOTIFY_SOCKET. */
static int listen_as(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void assert_hears(int fd, const char *expected)
{
	char text[64] = {0};
	fw_notify(expected);
	assert_int_equal(recv(fd, text, sizeof text - 1, 0), strlen(expected));
	assert_string_equal(text, expected);
}

static void test_both_kinds_of_name(void **state)
{
	(void)state;
	char name[64];
	snprintf(name, sizeof name, "@fenwatch-test-%d", (int)getpid());
	int fd = listen_as(name);
	assert_hears(fd, "READY=1");
	close(fd);
	snprintf(name, sizeof name, "/tmp/fenwatch-notify-%d", (int)getpid());
	fd = listen_as(name);
	assert_hears(fd, "STATUS=on a path");
	close(fd);
	unlink(name);
	fw_notify("nobody listens any more");
}

static void test_without_a_manager_nothing_happens(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	setenv("WATCHDOG_USEC", "30000000", 1);
	fw_notify("READY=1");
	assert_int_equal(fw_notify_watchdog_ms(), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	fw_notify("READY=1");
}

static void test_watchdog(void **state)
{
	(void)state;
	char pid[16];
	setenv("NOTIFY_SOCKET", "/tmp/absent", 1);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(fw_notify_watchdog_ms(), 15000);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(fw_notify_watchdog_ms(), 15000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(fw_notify_watchdog_ms(), 0);
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "soon", 1);
	assert_int_equal(fw_notify_watchdog_ms(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_kinds_of_name),
		cmocka_unit_test(test_without_a_manager_nothing_happens),
		cmocka_unit_test(test_watchdog),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
