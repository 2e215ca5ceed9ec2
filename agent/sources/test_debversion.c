/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/buf.h>

#include "../process.h"
#include "debversion.h"

/* Each is less than the next. */
static const char *const ascending[] = {
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
#define COUNT (sizeof ascending / sizeof ascending[0])

static const char *const equal[][2] = {
	{"1.0", "1.0-0"},
	{"0:1.0", "1.0"},
	{"1.00", "1.0"},
	{"1.01-01", "1.1-1"},
	{"", ""},
};

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < COUNT; k++)
			if (sign(debversion_compare(ascending[i], ascending[k])) !=
				sign((int)i - (int)k))
				fail_msg("%s and %s", ascending[i], ascending[k]);
}

static void test_equal(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof equal / sizeof equal[0]; i++)
		assert_int_equal(debversion_compare(equal[i][0], equal[i][1]), 0);
}

static int random_digit(unsigned *seed, const char *alphabet)
{
	*seed = *seed * 1103515245u + 12345u;
	return alphabet[(*seed >> 16) % strlen(alphabet)];
}

static void make_version(unsigned *seed, char *out)
{
	size_t length = 1 + (size_t)(random_digit(seed, "0123456789") - '0') % 8;
	*out++ = (char)random_digit(seed, "012345");
	for (size_t i = 0; i < length; i++)
		*out++ = (char)random_digit(seed, "0011239abZ.+~-");
	*out++ = '1';
	*out = '\0';
}

/* The judge is dpkg, where there is one. */
static void test_as_dpkg(void **state)
{
	(void)state;
	if (access("/usr/bin/dpkg", X_OK) < 0)
		skip();
	unsigned seed = 20240203;
	for (int i = 0; i < 150; i++) {
		char a[32], b[32];
		struct fw_buf text = {0};
		make_version(&seed, a);
		make_version(&seed, b);
		const char *const argv[] = {
			"/usr/bin/dpkg", "--compare-versions", a, "lt", b, NULL};
		int less = process_output(argv, 4096, &text) == 0;
		if (less != (debversion_compare(a, b) < 0))
			fail_msg("%s and %s", a, b);
		fw_buf_done(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_as_dpkg),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
