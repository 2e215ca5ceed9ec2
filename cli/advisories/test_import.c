/* SPDX-License-Identifier: Apache-2.0 */
/* Files as vendors publish them, cut down to what matters, and what is told of them. */
#include "import.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/mem.h>

struct text {
	const char *at;
	size_t left, step; /* so many bytes at a time */
	int rc;            /* in place of the end */
};

static ssize_t on_read(void *from, void *data, size_t size)
{
	struct text *text = from;
	size_t n = text->left < text->step ? text->left : text->step;
	n = n < size ? n : size;
	memcpy(data, text->at, n);
	text->at += n;
	text->left -= n;
	return n > 0 ? (ssize_t)n : text->rc;
}

/* "DSA-5548-1 1699315200 [severity cvss]: package|release|version ...\n" */
static int on_advisory(const struct import_advisory *a, void *arg, struct fw_err *err)
{
	(void)err;
	fw_buf_printf(arg, "%s %lld", a->name, (long long)a->issued_s);
	if (*a->severity || a->cvss > 0)
		fw_buf_printf(arg, " %s %.1f", a->severity, a->cvss);
	fw_buf_putc(arg, ':');
	for (size_t i = 0; i < a->n_fixes; i++)
		fw_buf_printf(arg, " %s|%s|%s", a->fixes[i].package, a->fixes[i].release,
			a->fixes[i].version);
	fw_buf_putc(arg, '\n');
	return 0;
}

static int run(const char *input, size_t step, struct fw_buf *out, struct import *import,
	struct fw_err *err)
{
	struct text text = {input, strlen(input), step, 0};
	*import = (struct import){
		.read = on_read, .from = &text, .on_advisory = on_advisory, .arg = out};
	return import_run(import, err);
}

static void expect(const char *input, const char *wanted, size_t n_passed)
{
	static const size_t steps[] = {1, 7, 65536};
	for (size_t i = 0; i < 3; i++) {
		struct fw_buf out = {0};
		struct import import;
		struct fw_err err;
		fw_buf_puts(&out, "");
		if (run(input, steps[i], &out, &import, &err) < 0)
			fail_msg("%s", err.text);
		assert_string_equal((const char *)out.data, wanted);
		assert_int_equal(import.n_passed, n_passed);
		fw_buf_done(&out);
	}
}

static void expect_refusal(const char *input, const char *words)
{
	struct fw_buf out = {0};
	struct import import;
	struct fw_err err;
	assert_true(run(input, 65536, &out, &import, &err) < 0);
	if (!strstr(err.text, words))
		fail_msg("'%s' lacks '%s'", err.text, words);
	fw_buf_done(&out);
}

static void debians_list(void **state)
{
	(void)state;
	expect("[07 Nov 2023] DSA-5548-1 openjdk-17 - security update\n"
	       "\t{CVE-2023-22025 CVE-2023-22081}\n"
	       "\t[bullseye] - openjdk-17 17.0.9+9-1~deb11u1\n"
	       "\t[bookworm] - openjdk-17 17.0.9+9-1~deb12u1\n"
	       "\tNOTE: something\n"
	       "[31 Feb 2023] DSA-5547-1 pmix\n"
	       "\t[bookworm] - pmix 4.2.2-1+deb12u1\n"
	       "[04 Nov 2023] DSA-5546-1 chromium\n"
	       "\t[bullseye] - chromium <end-of-life>\n"
	       "[1 Nov 2023] DSA-1 a\n\t[x] - b 1\n"
	       "\t[broken\n"
	       "[04 Nov 2023] DSA-5545-1 vlc - update\r\n"
	       "\t[bookworm] - vlc 3.0.20-0+deb12u1",
		"DSA-5548-1 1699315200: openjdk-17|bullseye|17.0.9+9-1~deb11u1 "
		"openjdk-17|bookworm|17.0.9+9-1~deb12u1\n"
		"DSA-5545-1 1699056000: vlc|bookworm|3.0.20-0+deb12u1\n",
		3);
}

static void ubuntus_notices(void **state)
{
	(void)state;
	expect(" {\"5500-1\": {\"timestamp\": 1657800000.25, \"title\": \"x\\\"}\","
	       " \"releases\": {\"jammy\": {\"sources\": {\"openssl\": {\"version\": "
	       "\"3.0.2-0ubuntu1.6\"}}, \"binaries\": {}}, \"focal\": {\"sources\": {\"openssl\":"
	       " {\"version\": \"1.1.1f-1ubuntu2.16\"}}}}},\n"
	       "\"USN-5501-1\": {\"timestamp\": 1657800001, \"releases\": {\"jammy\": {\"sources\":"
	       " {\"curl\": {\"version\": \"7.81.0-1\"}}}}},"
	       "\"5502-1\": {\"releases\": 7}, \"5503-1\": []}",
		"USN-5500-1 1657800000: openssl|jammy|3.0.2-0ubuntu1.6 "
		"openssl|focal|1.1.1f-1ubuntu2.16\n"
		"USN-5501-1 1657800001: curl|jammy|7.81.0-1\n",
		2);
}

static void updateinfo_of_repositories(void **state)
{
	(void)state;
	expect("<?xml version=\"1.0\"?><updates>"
	       "<update type=\"security\"><id>RHSA-2023:1405</id><title>t</title>"
	       "<issued date=\"2023-03-22 10:11:12\"/><severity> Important </severity>"
	       "<references><reference id=\"CVE-1\"/></references>"
	       "<pkglist><collection><name>c</name>"
	       "<package name=\"openssl\" epoch=\"1\" version=\"3.0.1\" release=\"47.el9_1\" "
	       "arch=\"x86_64\"/>"
	       "<package name=\"openssl\" epoch=\"1\" version=\"3.0.1\" release=\"47.el9_1\" "
	       "arch=\"i686\"/>"
	       "<package name=\"libx\" version=\"1\" release=\"150500.2.1\"/>"
	       "</collection></pkglist></update>"
	       "<update type=\"bugfix\"><id>RHBA-1</id><issued date=\"2023-03-22\"/>"
	       "<pkglist><package name=\"a\" version=\"1\" release=\"1\"/></pkglist></update>"
	       "<update type=\"security\"><id>SUSE-1</id><issued date=\"1678788000\"/>"
	       "<severity>None</severity>"
	       "<pkglist><package name=\"b\" epoch=\"0\" version=\"2\" release=\"1.fc40\"/></pkglist>"
	       "</update></updates>",
		"RHSA-2023:1405 1679443200 Important 0.0: openssl|el9|1:3.0.1-47.el9_1 "
		"libx||0:1-150500.2.1\n"
		"SUSE-1 1678788000: b|fc40|0:2-1.fc40\n",
		0);
}

#define OVAL(definitions, rest)                                                       \
	"<oval_definitions xmlns=\"o\" xmlns:red-def=\"r\"><definitions>" definitions \
	"</definitions>" rest "</oval_definitions>"
#define TEST(kind, id, object, state)                               \
	"<" kind "_test id=\"" id "\"><object object_ref=\"" object \
	"\"/><state state_ref=\"" state "\"/></" kind "_test>"

static void oval_of_red_hat(void **state)
{
	(void)state;
	expect(OVAL("<definition class=\"patch\" id=\"d1\"><metadata><title>t</title>"
		    "<affected><platform>Red Hat Enterprise Linux 9</platform></affected>"
		    "<reference ref_id=\"CVE-2023-0286\" source=\"CVE\"/>"
		    "<reference ref_id=\"RHSA-2023:1405\" source=\"RHSA\"/>"
		    "<advisory><severity>Important</severity><issued date=\"2023-03-22\"/>"
		    "<cve cvss3=\"7.4/CVSS:3.1/AV:N\">CVE-2023-0286</cve>"
		    "<cve cvss3=\"5.9/CVSS:3.1/AV:N\">CVE-2022-4304</cve></advisory></metadata>"
		    "<criteria operator=\"AND\"><criterion test_ref=\"t2\"/><criteria>"
		    "<criterion test_ref=\"t1\"/></criteria></criteria></definition>",
		       "<tests>" TEST("red-def:rpminfo", "t1", "o1", "s1") TEST("rpminfo", "t2",
			       "o1",
			       "s2") "</tests>"
				     "<objects><red-def:rpminfo_object id=\"o1\"><red-def:name>openssl</red-def:name>"
				     "</red-def:rpminfo_object></objects>"
				     "<states><rpminfo_state id=\"s2\"><evr operation=\"equals\">1</evr></rpminfo_state>"
				     "<rpminfo_state id=\"s1\"><red-def:evr operation=\"less than\">"
				     "1:3.0.1-47.el9_1</red-def:evr></rpminfo_state></states>"),
		"RHSA-2023:1405 1679443200 Important 7.4: openssl|el9|1:3.0.1-47.el9_1\n", 0);
}

static void oval_of_ubuntu_and_debian(void **state)
{
	(void)state;
	expect(OVAL("<definition id=\"d1\"><metadata>"
		    "<affected family=\"unix\"><platform>Ubuntu 22.04 LTS</platform></affected>"
		    "<reference source=\"USN\" ref_id=\"USN-1-1\"/><advisory>"
		    "<severity>Low</severity><issued date=\"2023-01-02\"/></advisory></metadata>"
		    "<criterion test_ref=\"t1\"/></definition>"
		    "<definition id=\"d2\"><metadata><affected><platform>Debian GNU/Linux 12"
		    "</platform></affected><reference source=\"DSA\" ref_id=\"DSA-2\"/>"
		    "<debian><date>2023-01-03</date></debian></metadata>"
		    "<criterion test_ref=\"t2\"/><criterion test_ref=\"nowhere\"/></definition>"
		    "<definition id=\"d3\"><metadata><affected><platform>SUSE Linux Enterprise "
		    "Server 15 SP5</platform></affected><reference source=\"CVE\" "
		    "ref_id=\"CVE-3\"/></metadata><criterion test_ref=\"t2\"/></definition>",
		       "<tests>" TEST("dpkginfo", "t1", "o1", "s1") TEST("dpkginfo", "t2", "o2",
			       "s1") "</tests><objects><dpkginfo_object id=\"o1\"><name var_ref=\"v1\"/>"
				     "</dpkginfo_object><dpkginfo_object id=\"o2\"><name>zlib</name>"
				     "</dpkginfo_object></objects><states><dpkginfo_state id=\"s1\">"
				     "<evr operation=\"less than\">0:1.2-3</evr></dpkginfo_state></states>"
				     "<variables><constant_variable id=\"v1\"><value>zlib1g</value>"
				     "<value>zlib1g-dev</value></constant_variable></variables>"),
		"USN-1-1 1672617600 Low 0.0: zlib1g|ubuntu 22.04|0:1.2-3 "
		"zlib1g-dev|ubuntu 22.04|0:1.2-3\n"
		"DSA-2 1672704000: zlib|debian 12|0:1.2-3\n",
		1);
}

static void what_is_none_of_these(void **state)
{
	(void)state;
	expect_refusal("", "empty");
	expect_refusal("\x1f\x8b", "none of");
	expect_refusal("<html/>", "neither OVAL");
	expect_refusal("<updates><update>", "line 1");
	expect_refusal("<!DOCTYPE a [<!ENTITY b \"c\">]><updates/>", "document type");
	expect_refusal("{\"a\": {\"b\":", "JSON");
	expect_refusal("{\"a\": {}", "ends early");
	expect_refusal("{\"a\" 1}", "no JSON object");
	struct fw_buf deep = {0};
	fw_buf_puts(&deep, "<updates>");
	for (int i = 0; i < 40; i++)
		fw_buf_puts(&deep, "<a>");
	expect_refusal((const char *)deep.data, "nested");
	fw_buf_done(&deep);
}

static void a_reading_that_fails_is_told(void **state)
{
	(void)state;
	static const char *const begun[] = {"[07 Nov 2023] DSA-1 a\n", "{\"a\": {}, ", "<updates>"};
	for (size_t i = 0; i < 3; i++) {
		struct text text = {begun[i], strlen(begun[i]), 65536, -EIO};
		struct fw_buf out = {0};
		struct fw_err err;
		struct import import = {
			.read = on_read, .from = &text, .on_advisory = on_advisory, .arg = &out};
		assert_int_equal(import_run(&import, &err), -EIO);
		fw_buf_done(&out);
	}
}

/* More fixes than one piece holds. */
static void a_large_one_comes_in_pieces(void **state)
{
	(void)state;
	struct fw_buf text = {0}, out = {0};
	struct import import;
	struct fw_err err;
	size_t lines = 0;
	fw_buf_puts(&text, "[07 Nov 2023] DSA-1-1 a\n");
	for (unsigned i = 0; i < IMPORT_FIXES + 10; i++)
		fw_buf_printf(&text, "\t[bookworm] - p%u 1\n", i);
	assert_int_equal(run((const char *)text.data, 65536, &out, &import, &err), 0);
	for (size_t i = 0; i < out.length; i++)
		lines += out.data[i] == '\n';
	assert_int_equal(lines, 2);
	assert_int_equal(import.n, 1);
	fw_buf_done(&text);
	fw_buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(debians_list),
		cmocka_unit_test(ubuntus_notices),
		cmocka_unit_test(updateinfo_of_repositories),
		cmocka_unit_test(oval_of_red_hat),
		cmocka_unit_test(oval_of_ubuntu_and_debian),
		cmocka_unit_test(what_is_none_of_these),
		cmocka_unit_test(a_reading_that_fails_is_told),
		cmocka_unit_test(a_large_one_comes_in_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
