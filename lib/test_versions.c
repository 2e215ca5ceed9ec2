/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/versions.h>

/* Each is less than the next, to Debian. */
static const char *const deb_ascending[] = {
	"0~~",
	"0~~a",
	"0~",
	"0",
	"0a",
	"0.",
	"0.1~rc1",
	"0.1",
	"0.1-1~bpo1",
	"0.1-1",
	"0.1-1+deb12u1",
	"0.1-1.1",
	"0.1-2",
	"0.1a",
	"0.1+",
	"0.9",
	"0.10",
	"1.0-0",
	"1.2.3-4",
	"1.2.3-10",
	"1.10",
	"2a",
	"2a1",
	"2b",
	"2+b",
	"3.0.11-1~deb12u2",
	"3.0.15-1~deb12u1",
	"20240203",
	"99999999999999999999999999999998",
	"99999999999999999999999999999999",
	"1:0.1",
	"1:1snap1-0ubuntu2",
	"2:0",
	"10:0",
};

static const char *const deb_equal[][2] = {
	{"1.0", "1.0-0"},
	{"0:1.0", "1.0"},
	{"1.00", "1.0"},
	{"1.01-01", "1.1-1"},
	{"", ""},
};

/* And to RPM. */
static const char *const rpm_ascending[] = {
	"1~rc1~git1-1",
	"1~rc1-1",
	"1-0",
	"1-1.el9",
	"1-1.el9_2",
	"1-1.el9_2.1",
	"1-2.el9",
	"1-10.el9",
	"1^20240101-1",
	"1^20240101.git-1",
	"1a-1",
	"1b-1",
	"1.0-1",
	"1.0^-1",
	"1.0.1-1",
	"1.2-1",
	"1.10-1",
	"2-1",
	"99999999999999999999999999999998-1",
	"99999999999999999999999999999999-1",
	"1:0-1",
	"2:0-1",
	"10:0-1",
};

static const char *const rpm_equal[][2] = {
	{"1.0-1", "1_0-1"},
	{"0:1.0-1", "1.0-1"},
	{"1.0-1", "1.0"},
	{"1.01-1", "1.1-1"},
	{"1.0.-1", "1.0-1"},
	{"1.a-1", "1a-1"},
	{"", ""},
};

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void check_order(
	int (*compare)(const char *, const char *), const char *const *ascending, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			if (sign(compare(ascending[i], ascending[k])) != sign((int)i - (int)k))
				fail_msg("%s and %s", ascending[i], ascending[k]);
}

static void check_equal(
	int (*compare)(const char *, const char *), const char *const (*equal)[2], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (compare(equal[i][0], equal[i][1]) != 0 ||
			compare(equal[i][1], equal[i][0]) != 0)
			fail_msg("%s and %s", equal[i][0], equal[i][1]);
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

static void test_debian(void **state)
{
	(void)state;
	check_order(fw_debversion_compare, deb_ascending, COUNT(deb_ascending));
	check_equal(fw_debversion_compare, deb_equal, COUNT(deb_equal));
}

static void test_rpm(void **state)
{
	(void)state;
	check_order(fw_rpmversion_compare, rpm_ascending, COUNT(rpm_ascending));
	check_equal(fw_rpmversion_compare, rpm_equal, COUNT(rpm_equal));
}

static int random_digit(unsigned *seed, const char *alphabet)
{
	*seed = *seed * 1103515245u + 12345u;
	return alphabet[(*seed >> 16) % strlen(alphabet)];
}

static void make_version(unsigned *seed, const char *alphabet, char *out)
{
	size_t length = 1 + (size_t)(random_digit(seed, "0123456789") - '0') % 8;
	*out++ = (char)random_digit(seed, "012345");
	for (size_t i = 0; i < length; i++)
		*out++ = (char)random_digit(seed, alphabet);
	*out++ = '1';
	*out = '\0';
}

/* What a program writes, up to `size`; its exit status. */
static int ask(const char *const *argv, char *out, size_t size)
{
	int pipes[2], status;
	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(pipes[1]);
	ssize_t n = read(pipes[0], out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

/* The judge is dpkg. */
static void test_as_dpkg(void **state)
{
	(void)state;
	unsigned seed = 20240203;
	for (int i = 0; i < 150; i++) {
		char a[32], b[32], none[2];
		make_version(&seed, "0011239abZ.+~-", a);
		make_version(&seed, "0011239abZ.+~-", b);
		const char *const argv[] = {
			"/usr/bin/dpkg", "--compare-versions", a, "lt", b, NULL};
		int less = ask(argv, none, sizeof none) == 0;
		if (less != (fw_debversion_compare(a, b) < 0))
			fail_msg("%s and %s", a, b);
	}
}

/* And rpm, which compares parts only. */
static void test_as_rpm(void **state)
{
	(void)state;
	unsigned seed = 20240203;
	for (int i = 0; i < 150; i++) {
		char a[32], b[32], question[128], answer[8];
		make_version(&seed, "0011239abZ._+~^", a);
		make_version(&seed, "0011239abZ._+~^", b);
		snprintf(question, sizeof question, "%%{lua:print(rpm.vercmp('%s','%s'))}", a, b);
		const char *const argv[] = {"/usr/bin/rpm", "--eval", question, NULL};
		assert_int_equal(ask(argv, answer, sizeof answer), 0);
		int wanted = answer[0] == '-' ? -1 : answer[0] - '0';
		if (wanted != sign(fw_rpmversion_compare(a, b)))
			fail_msg("%s and %s: rpm says %d", a, b, wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_debian),
		cmocka_unit_test(test_rpm),
		cmocka_unit_test(test_as_dpkg),
		cmocka_unit_test(test_as_rpm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
