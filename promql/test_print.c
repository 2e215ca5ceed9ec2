/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node.h"
#include "print.h"
#include "quote.h"

static const char *dashboard; /* the file of its queries */

static struct node *parse(struct fw_arena *arena, const char *text)
{
	struct node *node;
	struct fw_err err;
	if (promql_parse(text, arena, &node, &err) < 0)
		fail_msg("%s\n%s", text, err.text);
	return node;
}

static char *pretty(const char *text)
{
	struct fw_arena arena = {0};
	struct fw_buf out = {0};
	promql_print_pretty(parse(&arena, text), &out);
	fw_arena_done(&arena);
	return (char *)out.data;
}

static void check(const char *text, const char *wanted)
{
	char *got = pretty(text);
	assert_string_equal(got, wanted);
	char *again = pretty(got);
	assert_string_equal(again, wanted);
	fw_free(again);
	fw_free(got);
}

/* 60 letters, so that two of them do not fit on a line. */
#define LONG "a23456789_123456789_123456789_123456789_123456789_123456789_"

static void test_what_fits_stays_on_a_line(void **state)
{
	(void)state;
	check("sum( foo )by(a)", "sum by (a) (foo)");
	check("foo[5m:]", "foo[5m:]");
	check(LONG "{b=\"c\"}", LONG "{b=\"c\"}");
	/* A selector alone has no place to be parted at. */
	check(LONG LONG "[5m] offset 1m", LONG LONG "[5m] offset 1m");
}

static void test_what_does_not_fit(void **state)
{
	(void)state;
	check(LONG "+" LONG, "  " LONG "\n+\n  " LONG);
	check(LONG "+ on(a) group_left(b)" LONG, "  " LONG "\n+ on (a) group_left (b)\n  " LONG);
	check("(" LONG "+" LONG ")", "(\n    " LONG "\n  +\n    " LONG "\n)");
	check("-(" LONG "+" LONG ")", "-(\n    " LONG "\n  +\n    " LONG "\n)");
	check("sum by (a) (" LONG "+" LONG ")", "sum by (a) (\n    " LONG "\n  +\n    " LONG "\n)");
	check("topk(5, " LONG "+" LONG ")", "topk(\n  5,\n    " LONG "\n  +\n    " LONG "\n)");
	check("label_join(" LONG ", \"" LONG "\", \"c\")",
		"label_join(\n  " LONG ",\n  \"" LONG "\",\n  \"c\"\n)");
	check("1 > bool sum(" LONG ") + sum(" LONG ")",
		"  1\n> bool\n    sum(" LONG ")\n  +\n    sum(" LONG ")");
	check("Inf ^ " LONG LONG, "  Inf\n^\n  " LONG LONG);
}

static void test_subqueries(void **state)
{
	(void)state;
	check("max_over_time((" LONG "+" LONG ")[1h:5m] offset 1m)",
		"max_over_time(\n  (\n      " LONG "\n    +\n      " LONG
		"\n  )[1h:5m] offset 1m\n)");
	/* One that fits is not indented: so does Prometheus. */
	check("quantile_over_time(scalar(" LONG "), " LONG "[5m:])",
		"quantile_over_time(\n  scalar(" LONG "),\n" LONG "[5m:]\n)");
}

static void test_durations(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{0, "0s"},
		{1, "1ms"},
		{1000, "1s"},
		{61001, "1m1s1ms"},
		{5400000, "1h30m"},
		{86400000, "1d"},
		{604800000, "1w"},
		{691200000, "8d"},
		{31536000000, "1y"},
		{31622400000, "366d"},
		{9223372036854, "106751d23h47m16s854ms"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fw_buf out = {0};
		promql_put_duration(&out, rows[i].ms);
		assert_string_equal(out.data, rows[i].text);
		fw_buf_done(&out);
	}
}

static void test_quotes(void **state)
{
	(void)state;
	static const struct {
		const char *text, *quoted;
	} rows[] = {
		{"", "\"\""},
		{"a\"b\\c'", "\"a\\\"b\\\\c'\""},
		{"\a\b\f\n\r\t\v", "\"\\a\\b\\f\\n\\r\\t\\v\""},
		{"\001\177", "\"\\x01\\x7f\""},
		{"\xc3\xa9", "\"\xc3\xa9\""},
		{"\xff\xc3", "\"\\xff\\xc3\""},
		{"\xe2\x80\xa8\xc2\xa0", "\"\\u2028\\u00a0\""},
		{"\xf4\x8f\xbf\xbf", "\"\\U0010ffff\""},
		{"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fw_buf out = {0};
		promql_quote(&out, rows[i].text);
		assert_string_equal(out.data, rows[i].quoted);
		fw_buf_done(&out);
	}
}

/* Every query is read, and is the same when it was laid out over several lines. */
static void test_a_whole_dashboard(void **state)
{
	(void)state;
	unsigned n = 0, wide = 0;
	char line[4096];
	FILE *file = fopen(dashboard, "r");
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line == '#')
			continue;
		char *first = pretty(line), *second = pretty(first);
		assert_string_equal(first, second);
		wide += strchr(first, '\n') != NULL;
		fw_free(first);
		fw_free(second);
		n++;
	}
	fclose(file);
	assert_in_range(n, 250, 300);
	assert_true(wide > 20);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_fits_stays_on_a_line),
		cmocka_unit_test(test_what_does_not_fit),
		cmocka_unit_test(test_subqueries),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_a_whole_dashboard),
	};
	dashboard = argc > 1 ? argv[1] : "tests/query/node-exporter-full.txt";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
