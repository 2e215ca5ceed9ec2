/* SPDX-License-Identifier: Apache-2.0 */
/* What needs no network: the configuration, a plugin's output, a name server's answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>

#include "dnsanswer.h"
#include "options.h"
#include "perfdata.h"

/* ---- performance data ---- */

static void on_value(const struct perf_value *v, void *arg)
{
	fw_buf_printf(arg, "%s=%g%s", v->label, v->value, v->unit);
	fw_buf_printf(arg, " w%g..%g c%g..%g\n", v->warning.lower, v->warning.upper,
		v->critical.lower, v->critical.upper);
}

static void expect_values(const char *output, const char *expected)
{
	struct fw_buf text = {0};
	fw_buf_puts(&text, "");
	perf_each(output, strlen(output), on_value, &text);
	assert_string_equal((const char *)text.data, expected);
	fw_buf_done(&text);
}

static void test_values_are_read(void **state)
{
	(void)state;
	expect_values("DISK OK | /=12MB;10;20;0;100 '/home it''s'=3%;5:;~:7\n",
		"/=12MB wnan..10 cnan..20\n/home it's=3% w5..nan cnan..7\n");
	expect_values("one | a=1\nlong text\nmore | b=2s\nc=-3.5e1c;10:20;@5:6;;\n",
		"a=1 wnan..nan cnan..nan\nb=2s wnan..nan cnan..nan\n"
		"c=-35c w10..20 cnan..nan\n");
}

static void test_nonsense_is_passed_over(void **state)
{
	(void)state;
	expect_values("| =1 a= b=U 'c=1 d=0x10 e=inf f=nan", "d=0x10 wnan..nan cnan..nan\n");
	expect_values("no bar at all a=1", "");
	expect_values("|", "");
	expect_values("| a=1 b=zwei c=3", "a=1 wnan..nan cnan..nan\nc=3 wnan..nan cnan..nan\n");
}

static void test_no_more_values_than_many(void **state)
{
	(void)state;
	struct fw_buf text = {0}, values = {0};
	fw_buf_puts(&text, "ok |");
	for (int i = 0; i < 1000; i++)
		fw_buf_printf(&text, " v%d=1", i);
	perf_each((const char *)text.data, text.length, on_value, &values);
	size_t lines = 0;
	for (size_t i = 0; i < values.length; i++)
		lines += values.data[i] == '\n';
	assert_int_equal(lines, PERF_VALUES);
	fw_buf_done(&text);
	fw_buf_done(&values);
}

static void test_the_first_line_is_the_text(void **state)
{
	(void)state;
	static const char output[] = "  PING OK - 3 ms \t| rta=3ms\nmore\n";
	char text[32], cut[8];
	perf_text(output, sizeof output - 1, text, sizeof text);
	assert_string_equal(text, "PING OK - 3 ms");
	perf_text(output, sizeof output - 1, cut, sizeof cut);
	assert_string_equal(cut, "PING OK");
	perf_text("", 0, text, sizeof text);
	assert_string_equal(text, "");
}

/* ---- answers of name servers ---- */

#define HEADER(id, flags, answers) "\0" id "\x81" flags "\0\1\0" answers "\0\0\0\0"
#define QUESTION "\7example\3gov\2uk\0\0\17\0\1"
#define RECORD(type, length) "\300\14\0" type "\0\1\0\0\0\x3c\0" length

static const char question[] = "\0\7\1\0\0\1\0\0\0\0\0\0" QUESTION;

static void on_text(const char *text, void *arg)
{
	fw_buf_printf(arg, "%s\n", text);
}

static int read_answer(
	const char *bytes, size_t length, struct dns_answer *out, struct fw_buf *text)
{
	fw_buf_reset(text);
	fw_buf_puts(text, "");
	return dns_answer_read((const uint8_t *)bytes, length, (const uint8_t *)question,
		sizeof question - 1, out, on_text, text, NULL);
}

#define ANSWER(out, text, bytes) read_answer(bytes, sizeof(bytes) - 1, out, text)

/* clang-format off */
static const char records[] =
	HEADER("\7", "\x80", "\4") QUESTION
	RECORD("\17", "\11") "\0\12\4mail\300\14"
	RECORD("\1", "\4") "\12\0\0\1"
	RECORD("\20", "\6") "\2a\1\2bc"
	RECORD("\6", "\32") "\1n\300\14\300\14\0\0\1\2" "\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0";
/* clang-format on */

static void test_records_become_text(void **state)
{
	(void)state;
	struct fw_buf text = {0};
	struct dns_answer answer;
	assert_int_equal(ANSWER(&answer, &text, records), 0);
	assert_string_equal((const char *)text.data,
		"10 mail.example.gov.uk\n10.0.0.1\na\\001bc\nn.example.gov.uk 258\n");
	assert_int_equal(answer.serial, 258);
	assert_int_equal(answer.rcode, 0);
	assert_int_equal(ANSWER(&answer, &text, HEADER("\7", "\x83", "\0") QUESTION), 0);
	assert_int_equal(answer.rcode, 3);
	fw_buf_done(&text);
}

static void test_another_answer_is_none(void **state)
{
	(void)state;
	struct fw_buf text = {0};
	struct dns_answer answer;
	assert_int_equal(ANSWER(&answer, &text, HEADER("\10", "\x80", "\0") QUESTION), -EAGAIN);
	assert_int_equal(
		ANSWER(&answer, &text, HEADER("\7", "\x80", "\0") "\7exbmple\3gov\2uk\0\0\17\0\1"),
		-EAGAIN);
	assert_int_equal(ANSWER(&answer, &text, "\0\7"), -EAGAIN);
	fw_buf_done(&text);
}

/* Every beginning of a good answer, and one whose names lead to themselves. */
static void test_cut_answers_are_refused(void **state)
{
	(void)state;
	static const char whole[] =
		HEADER("\7", "\x80", "\1") QUESTION RECORD("\17", "\11") "\0\12\4mail\300\14";
	static const char loop[] =
		HEADER("\7", "\x80", "\1") QUESTION RECORD("\17", "\4") "\0\12\300\56";
	struct fw_buf text = {0};
	struct dns_answer answer;
	assert_int_equal(read_answer(whole, sizeof whole - 1, &answer, &text), 0);
	for (size_t length = 0; length < sizeof whole - 1; length++) {
		char *exact = malloc(length + 1); /* so that a read behind it is seen */
		memcpy(exact, whole, length);
		char *tight = realloc(exact, length ? length : 1);
		assert_true(read_answer(tight, length, &answer, &text) < 0);
		free(tight);
	}
	assert_int_equal(read_answer(loop, sizeof loop - 1, &answer, &text), -EBADMSG);
	fw_buf_done(&text);
}

/* ---- the configuration ---- */

static char path[] = "/tmp/fenwatch-check-XXXXXX";

static int load(const char *text, mode_t mode, struct check_config *config, struct fw_err *err)
{
	assert_int_equal(fw_file_replace(path, text, strlen(text), mode, err), 0);
	assert_int_equal(chmod(path, mode), 0);
	return check_config_load(config, path, true, err);
}

static void expect_refusal(const char *text, const char *sentence)
{
	struct check_config config;
	struct fw_err err;
	assert_true(load(text, 0600, &config, &err) < 0);
	if (!strstr(err.text, sentence))
		fail_msg("'%s' is not in '%s'", sentence, err.text);
}

static void test_checks_are_read(void **state)
{
	(void)state;
	struct check_config config;
	struct fw_err err;
	int rc = load("checks:\n"
		      "- {name: intranet, type: http, target: 'https://intranet.example/', "
		      "status: [200, 401], matches: 'W.lcome'}\n"
		      "- {name: mx, type: dns, target: '192.0.2.1:5353', query: example.gov.uk, "
		      "record: MX}\n"
		      "- {name: ups, type: plugin, every: 5s, command: [/bin/check, -H, ups]}\n"
		      "- {name: v6, type: tls, target: '2001:db8::1'}\n",
		0644, &config, &err);
	if (rc < 0)
		fail_msg("%s", err.text);
	assert_int_equal(config.n_specs, 4);
	assert_int_equal(config.specs[0].timeout_ms, 10000);
	assert_int_equal(config.specs[1].port, 5353);
	assert_string_equal(config.specs[2].target, "ups");
	assert_int_equal(config.specs[2].timeout_ms, 5000);
	assert_int_equal(config.specs[3].port, 443);
	assert_non_null(check_config_find(&config, "mx", &err));
	assert_null(check_config_find(&config, "my", &err));
	check_config_done(&config);
}

static void test_mistakes_are_named(void **state)
{
	(void)state;
	expect_refusal("checks: [{name: a, type: ping, target: b}]", "a check needs a type");
	expect_refusal("checks: [{name: a, type: icmp}]", "'target' is missing");
	expect_refusal("checks: [{name: a, type: icmp, target: b, methd: x}]", "methd");
	expect_refusal("checks: [{name: a, type: tcp, target: b}]", "HOST:PORT");
	expect_refusal("checks: [{name: a, type: http, target: 'ftp://b/'}]", "must be a URL");
	expect_refusal(
		"checks: [{name: a, type: http, target: 'http://u:p@b/'}]", "belongs into a file");
	expect_refusal("checks: [{name: a, type: http, target: 'http://b/', matches: '('}]", "'('");
	expect_refusal("checks: [{name: a, type: icmp, target: b, every: 1s, timeout: 2s}]",
		"not be longer than 'every'");
	expect_refusal("checks: [{name: a, type: plugin, command: [check_x]}]", "a path from /");
	expect_refusal("checks: [{name: a, type: icmp, target: b}, {name: a, type: icmp, "
		       "target: c}]",
		"a second check 'a'");
}

static void test_a_file_that_others_can_write_is_refused(void **state)
{
	(void)state;
	struct check_config config;
	struct fw_err err;
	assert_int_equal(load("checks: []", 0644, &config, &err), 0);
	check_config_done(&config);
	assert_int_equal(load("checks: []", 0664, &config, &err), -EPERM);
	assert_int_equal(load("checks: []", 0646, &config, &err), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_read),
		cmocka_unit_test(test_nonsense_is_passed_over),
		cmocka_unit_test(test_no_more_values_than_many),
		cmocka_unit_test(test_the_first_line_is_the_text),
		cmocka_unit_test(test_records_become_text),
		cmocka_unit_test(test_another_answer_is_none),
		cmocka_unit_test(test_cut_answers_are_refused),
		cmocka_unit_test(test_checks_are_read),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_a_file_that_others_can_write_is_refused),
	};
	int fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
