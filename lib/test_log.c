/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fenwatch/log.h>

static void test_harmful_characters_are_escaped(void **state)
{
	(void)state;
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"web01", "web01"},
		{"Zo\xc3\xab \xe2\x82\xac", "Zo\xc3\xab \xe2\x82\xac"},
		{"a\nb\tc", "a\\x0ab\\x09c"},
		{"\x1b[2J", "\\x1b[2J"},
		{"\x7f", "\\x7f"},
		{"\xc2\x9b"
		 "31m",
			"\\u{009b}31m"},
		{"\xe2\x80\xaegnp", "\\u{202e}gnp"},
		{"\xe2\x81\xa6x", "\\u{2066}x"},
		{"\xff\xc3", "\\xff\\xc3"},
		{"\xc0\x8a", "\\xc0\\x8a"},
	};
	char out[64];
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(fw_escape(cases[i].text, out, sizeof out), cases[i].shown);
}

static void test_escape_is_cut_between_characters(void **state)
{
	(void)state;
	char out[6];
	assert_string_equal(fw_escape("abcd\n", out, sizeof out), "abcd");
	assert_string_equal(fw_escape("abcd\xc3\xab", out, sizeof out), "abcd");
	assert_string_equal(fw_escape("abcdefg", out, sizeof out), "abcde");
	assert_string_equal(fw_escape("abc", out, 1), "");
}

/* What fw_log wrote to standard error. */
static void logged(char *text, size_t size, enum fw_level level, const char *message)
{
	int ends[2], saved = dup(STDERR_FILENO);
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	fw_log(level, "%s", message);
	dup2(saved, STDERR_FILENO);
	close(saved);
	ssize_t length = read(ends[0], text, size - 1);
	close(ends[0]);
	assert_true(length >= 0);
	text[length] = '\0';
}

static void test_a_line_for_the_journal(void **state)
{
	(void)state;
	char line[256];
	setenv("JOURNAL_STREAM", "1:2", 1);
	fw_log_init("test", FW_INFO);
	logged(line, sizeof line, FW_WARNING, "host 'a\nb' gone");
	assert_string_equal(line, "<4>host 'a\\x0ab' gone\n");
	logged(line, sizeof line, FW_DEBUG, "not shown");
	assert_string_equal(line, "");
}

static void test_a_line_with_a_time(void **state)
{
	(void)state;
	char line[256];
	unsetenv("JOURNAL_STREAM");
	fw_log_init("test", FW_DEBUG);
	logged(line, sizeof line, FW_DEBUG, "shown");
	assert_int_equal(line[10], 'T');
	assert_string_equal(line + 23, "Z test debug: shown\n");
}

static void test_a_long_message_is_one_line(void **state)
{
	(void)state;
	char message[5000], line[8000];
	memset(message, '\n', sizeof message);
	message[sizeof message - 1] = '\0';
	logged(line, sizeof line, FW_ERROR, message);
	size_t length = strlen(line);
	assert_true(length > 1000 && length < 2300);
	assert_ptr_equal(strchr(line, '\n'), line + length - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_harmful_characters_are_escaped),
		cmocka_unit_test(test_escape_is_cut_between_characters),
		cmocka_unit_test(test_a_line_for_the_journal),
		cmocka_unit_test(test_a_line_with_a_time),
		cmocka_unit_test(test_a_long_message_is_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
