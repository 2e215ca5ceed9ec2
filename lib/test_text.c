/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/text.h>
#include <fenwatch/utf8.h>

static struct fw_cursor over(const char *text)
{
	return (struct fw_cursor){text, text + strlen(text)};
}

static void test_a_line_of_proc(void **state)
{
	(void)state;
	struct fw_cursor c = over("cpu0  12 -7\t0.50\n\nlast"), line;
	const char *word;
	size_t length;
	uint64_t u;
	int64_t i;
	assert_true(fw_cut_line(&c, &line));
	assert_true(fw_cut_literal(&line, "cpu"));
	assert_false(fw_cut_literal(&line, "cpu"));
	assert_true(fw_cut_word(&line, &word, &length));
	assert_int_equal(length, 1);
	assert_true(fw_cut_u64(&line, &u) && u == 12);
	assert_false(fw_cut_u64(&line, &u));
	assert_true(fw_cut_i64(&line, &i) && i == -7);
	assert_true(fw_cut_decimal(&line, 2, &i) && i == 50);
	assert_false(fw_cut_word(&line, &word, &length));
	assert_true(fw_cut_line(&c, &line) && line.at == line.end);
	assert_true(fw_cut_line(&c, &line) && line.end - line.at == 4);
	assert_false(fw_cut_line(&c, &line));
}

static void test_numbers_at_their_ends(void **state)
{
	(void)state;
	uint64_t u = 0;
	int64_t i = 0;
	struct fw_cursor c = over("18446744073709551615");
	assert_true(fw_cut_u64(&c, &u) && u == UINT64_MAX);
	c = over("18446744073709551616");
	assert_false(fw_cut_u64(&c, &u));
	assert_int_equal(*c.at, '1');
	c = over("-9223372036854775808");
	assert_true(fw_cut_i64(&c, &i) && i == INT64_MIN);
	c = over("9223372036854775808");
	assert_false(fw_cut_i64(&c, &i));
	c = over("-");
	assert_false(fw_cut_i64(&c, &i));
	assert_int_equal(*c.at, '-');
}

static void test_decimals(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int scale;
		int64_t value;
		size_t left;
	} cases[] = {
		{"12.34", 2, 1234, 0},
		{"12.3456", 2, 1234, 0},
		{"12", 2, 1200, 0},
		{"12.", 2, 1200, 1},
		{"-0.05", 2, -5, 0},
		{" 7.9x", 0, 7, 1},
		{"9223372036854775.807", 3, INT64_MAX, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fw_cursor c = over(cases[i].text);
		int64_t value = 0;
		assert_true(fw_cut_decimal(&c, cases[i].scale, &value));
		assert_true(value == cases[i].value);
		assert_int_equal(c.end - c.at, cases[i].left);
	}
	int64_t value;
	struct fw_cursor c = over("9223372036854775.808");
	assert_false(fw_cut_decimal(&c, 3, &value));
	c = over(".5");
	assert_false(fw_cut_decimal(&c, 3, &value));
}

static void test_whole_numbers(void **state)
{
	(void)state;
	uint64_t value = 3;
	assert_int_equal(fw_parse_u64("42", &value), 0);
	assert_int_equal(value, 42);
	assert_int_equal(fw_parse_u64("", &value), -EINVAL);
	assert_int_equal(fw_parse_u64(" 4", &value), -EINVAL);
	assert_int_equal(fw_parse_u64("-4", &value), -EINVAL);
	assert_int_equal(fw_parse_u64("4x", &value), -EINVAL);
	assert_int_equal(fw_parse_u64("18446744073709551616", &value), -ERANGE);
	assert_int_equal(value, 42);
}

static void test_sizes(void **state)
{
	(void)state;
	uint64_t bytes = 0;
	assert_int_equal(fw_parse_size("64", &bytes), 0);
	assert_int_equal(bytes, 64);
	assert_int_equal(fw_parse_size("32MiB", &bytes), 0);
	assert_int_equal(bytes, 32u << 20);
	assert_int_equal(fw_parse_size("10kB", &bytes), 0);
	assert_int_equal(bytes, 10000);
	assert_int_equal(fw_parse_size("3B", &bytes), 0);
	assert_int_equal(bytes, 3);
	static const char *const wrong[] = {"", "MiB", "1.5GiB", "-1", "5mib", "5 MiB", "5MiBx"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(fw_parse_size(wrong[i], &bytes), -EINVAL);
	assert_int_equal(fw_parse_size("99999999999TiB", &bytes), -ERANGE);
	char text[32];
	assert_string_equal(fw_format_size(0, text, sizeof text), "0 B");
	assert_string_equal(fw_format_size(1023, text, sizeof text), "1023 B");
	assert_string_equal(fw_format_size(1536, text, sizeof text), "1.5 KiB");
	assert_string_equal(fw_format_size((1ull << 20) - 1, text, sizeof text), "1.0 MiB");
	assert_string_equal(fw_format_size(5ull << 30, text, sizeof text), "5.0 GiB");
	assert_string_equal(fw_format_size(UINT64_MAX, text, sizeof text), "16.0 EiB");
}

static void test_durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
		const char *shown;
	} cases[] = {
		{"0", 0, "0s"},
		{"250ms", 250, "250ms"},
		{"15s", 15000, "15s"},
		{"90s", 90000, "1m30s"},
		{"1h30m", 5400000, "1h30m"},
		{"90d", 90 * 86400000ll, "90d"},
		{"1w", 7 * 86400000ll, "7d"},
		{"1m1ms", 60001, "1m1ms"},
	};
	char text[64];
	int64_t ms;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(fw_parse_duration(cases[i].text, &ms), 0);
		assert_true(ms == cases[i].ms);
		assert_string_equal(fw_format_duration(ms, text, sizeof text), cases[i].shown);
	}
	static const char *const wrong[] = {
		"", "5", "s", "5 s", "-5s", "1m1h", "1s1s", "1.5s", "5sx"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(fw_parse_duration(wrong[i], &ms), -EINVAL);
	assert_int_equal(fw_parse_duration("999999999999y", &ms), -ERANGE);
	assert_int_equal(fw_parse_duration("99999999999999999999s", &ms), -ERANGE);
	assert_string_equal(fw_format_duration(-1500, text, sizeof text), "-1s500ms");
}

static void test_nearest(void **state)
{
	(void)state;
	static const char *const keys[] = {"interval", "listen", "data", "rules"};
	assert_string_equal(fw_nearest("interva", keys, 4), "interval");
	assert_string_equal(fw_nearest("intrevals", keys, 4), "interval");
	assert_string_equal(fw_nearest("lisetn", keys, 4), "listen");
	assert_string_equal(fw_nearest("dta", keys, 4), "data");
	assert_null(fw_nearest("xy", keys, 4));
	assert_null(fw_nearest("password", keys, 4));
	assert_null(fw_nearest("data", keys, 0));
	char longest[200];
	memset(longest, 'i', sizeof longest);
	longest[199] = '\0';
	assert_null(fw_nearest(longest, keys, 4));
	assert_string_equal(fw_did_you_mean("listen").text, "; did you mean 'listen'?");
	assert_string_equal(fw_did_you_mean(NULL).text, "");
	assert_int_equal(strlen(fw_did_you_mean(longest).text), 118);
}

static void test_digits(void **state)
{
	(void)state;
	char wanted[FW_DIGITS + 1], text[FW_DIGITS + 1] = "";
	uint64_t values[] = {0, 7, 9, 10, 99, 100, 101, 999, 1000, 1795383731860, UINT64_MAX};
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)values[i]);
		assert_string_equal(fw_digits(values[i], text + FW_DIGITS), wanted);
	}
}

static void test_hex(void **state)
{
	(void)state;
	char text[9];
	uint8_t data[4] = {0x00, 0x9f, 0xab, 0xff}, back[4];
	fw_hex(data, sizeof data, text);
	assert_string_equal(text, "009fabff");
	assert_int_equal(fw_unhex("009FabFf", back, sizeof back), 0);
	assert_memory_equal(back, data, sizeof data);
	assert_int_equal(fw_unhex("009fabf", back, sizeof back), -EINVAL);
	assert_int_equal(fw_unhex("009fabff0", back, sizeof back), -EINVAL);
	assert_int_equal(fw_unhex("009fabfg", back, sizeof back), -EINVAL);
}

static void test_utf8(void **state)
{
	(void)state;
	static const char *const good[] = {
		"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf",
		"\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "\xe2\x28\xa1"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(fw_utf8_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(fw_utf8_valid(bad[i], strlen(bad[i])));
	uint32_t code;
	assert_int_equal(fw_utf8_decode("\xe2\x82\xac", 3, &code), 3);
	assert_int_equal(code, 0x20ac);
}

static void test_lines(void **state)
{
	(void)state;
	assert_true(fw_is_line("", 0));
	assert_true(fw_is_line("caf\xc3\xa9", 5));
	assert_false(fw_is_line("caf\xc3\xa9", 4));
	assert_false(fw_is_line("a\nb", 9));
	assert_false(fw_is_line("a\x7f", 9));
	assert_false(fw_is_line("\xc3", 9));
}

static void test_same_secret(void **state)
{
	(void)state;
	assert_true(fw_same_secret("abcd", "abcd", 4));
	assert_false(fw_same_secret("abcd", "abce", 4));
	assert_true(fw_same_secret("a", "b", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_of_proc),
		cmocka_unit_test(test_numbers_at_their_ends),
		cmocka_unit_test(test_decimals),
		cmocka_unit_test(test_whole_numbers),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_same_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
