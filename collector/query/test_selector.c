/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "matching.h"
#include "selector.h"

/* What was read, written so that nothing is lost: name=v|... [range] offset. */
static void describe(const struct selector *s, char *out, size_t size)
{
	static const char *const kinds[] = {"=", "!=", "=~", "!~"};
	size_t used = 0;
	for (size_t i = 0; i < s->n_matchers; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s%s%s", i ? "|" : "",
			s->matchers[i].name, kinds[s->matchers[i].kind], s->matchers[i].value);
	if (s->range_ms)
		used += (size_t)snprintf(out + used, size - used, "[%lld]", (long long)s->range_ms);
	if (s->offset_ms)
		snprintf(out + used, size - used, "@%lld", (long long)s->offset_ms);
}

static void test_what_is_read(void **state)
{
	(void)state;
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{"up", "__name__=up"},
		{" up # the rest is a comment", "__name__=up"},
		{"node:cpu:rate5m", "__name__=node:cpu:rate5m"},
		{"up{}", "__name__=up"},
		{"up{a=\"b\",}", "__name__=up|a=b"},
		{"up { a = \"b\" , c != 'd' }", "__name__=up|a=b|c!=d"},
		{"up{a=~\"x.*\",b!~`y\\d`}", "__name__=up|a=~x.*|b!~y\\d"},
		{"{a=\"b\"}", "a=b"},
		{"{__name__=~\"node_.*\"}", "__name__=~node_.*"},
		{"{a=\"b\", \"my.metric\", \"lab.el\"='v'}", "__name__=my.metric|a=b|lab.el=v"},
		{"up{a=\"\\x41\\102\\u00e9\\U0001F600\\n\\\"\"}",
			"__name__=up|a=AB\xc3\xa9\xf0\x9f\x98\x80\n\""},
		{"up{offset=\"1\",by=\"2\"}", "__name__=up|offset=1|by=2"},
		{"up[5m]", "__name__=up[300000]"},
		{"up[ 1h30m ] offset 5m", "__name__=up[5400000]@300000"},
		{"up OFFSET -1m", "__name__=up@-60000"},
		{"up[90]", "__name__=up[90000]"},
		{"offset", "__name__=offset"},
		{"infinite", "__name__=infinite"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fw_arena arena = {0};
		struct selector s;
		struct fw_err err;
		char got[512] = "";
		if (selector_parse(rows[i].text, &arena, &s, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_int_equal(s.kind, SELECTOR_SERIES);
		describe(&s, got, sizeof got);
		assert_string_equal(got, rows[i].wanted);
		fw_arena_done(&arena);
	}
}

static void test_literals(void **state)
{
	(void)state;
	struct fw_arena arena = {0};
	struct selector s;
	assert_int_equal(selector_parse(" 1.5e3 ", &arena, &s, NULL), 0);
	assert_int_equal(s.kind, SELECTOR_NUMBER);
	assert_true(s.number == 1500);
	assert_int_equal(selector_parse("-Inf", &arena, &s, NULL), 0);
	assert_true(s.number == -INFINITY);
	assert_int_equal(selector_parse("nan", &arena, &s, NULL), 0);
	assert_true(isnan(s.number));
	assert_int_equal(selector_parse("'a\\'b'", &arena, &s, NULL), 0);
	assert_int_equal(s.kind, SELECTOR_STRING);
	assert_string_equal(s.string, "a'b");
	fw_arena_done(&arena);
}

static void test_what_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{"", "unknown position: parse error: no expression found in input"},
		{" # only a comment",
			"unknown position: parse error: no expression found in input"},
		{"up{", "1:4: parse error: unexpected end of input inside braces"},
		{"up{a=\"b\"", "1:9: parse error: unexpected end of input inside braces"},
		{"up{a b}",
			"1:6: parse error: unexpected identifier \"b\" in label matching, expected label matching operator"},
		{"up{a=b}",
			"1:6: parse error: unexpected identifier \"b\" in label matching, expected string"},
		{"up{a=\"b}", "1:6: parse error: unterminated quoted string"},
		{"up{\na=\"\\q\"}", "2:4: parse error: unknown escape sequence in a quoted string"},
		{"up{a=\"\\xff\"}", "1:6: parse error: invalid UTF-8 in a quoted string"},
		{"up{a=\"\\x00\"}", "1:7: parse error: unknown escape sequence in a quoted string"},
		{"up{\"b\"}",
			"1:4: parse error: metric name must not be set twice: \"up\" or \"b\""},
		{"up{__name__=\"b\"}",
			"1:4: parse error: metric name must not be set twice: \"up\" or \"b\""},
		{"up[5m", "1:6: parse error: unexpected end of input in a range, expected \"]\""},
		{"up[5q]", "1:4: parse error: bad number or duration syntax: \"5q\""},
		{"up[0s]", "1:4: parse error: duration must be greater than 0"},
		{"up[5m:1m]",
			"1:6: parse error: subqueries are not answered yet, only a range such as [5m]"},
		{"up offset 5m[1m]", "1:13: parse error: no offset modifiers allowed before range"},
		{"up offset", "1:10: parse error: unexpected end of input, expected duration"},
		{"rate(up[5m])",
			"1:5: parse error: functions are not answered yet, only a selector such as up{job=\"node\"}[5m]"},
		{"1 + 1",
			"1:3: parse error: unexpected character: '+': operators are not answered yet, expected only a selector such as up{job=\"node\"}[5m]"},
		{"*", "1:1: parse error: unexpected character: '*'"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fw_arena arena = {0};
		struct selector s;
		struct fw_err err = {0};
		assert_true(selector_parse(rows[i].text, &arena, &s, &err) < 0);
		assert_string_equal(err.text, rows[i].wanted);
		fw_arena_done(&arena);
	}
}

static bool accepts(const char *text, const char *value)
{
	struct fw_arena arena = {0};
	struct selector s;
	struct matching m;
	assert_int_equal(selector_parse(text, &arena, &s, NULL), 0);
	assert_int_equal(matching_init(&m, &s, &arena, NULL), 0);
	const struct store_matcher *last = &m.matchers[m.n_matchers - 1];
	bool yes = last->accepts(last, value);
	for (int i = 0; i < 1000; i++) {
		char other[16];
		snprintf(other, sizeof other, "v%d", i);
		last->accepts(last, other);
	}
	/* What was remembered between so many others is what was answered. */
	assert_int_equal(last->accepts(last, value), yes);
	matching_done(&m);
	fw_arena_done(&arena);
	return yes;
}

static void test_expressions_are_anchored(void **state)
{
	(void)state;
	assert_true(accepts("up{a=~\"web.*\"}", "web01"));
	assert_false(accepts("up{a=~\"web\"}", "web01"));
	assert_false(accepts("up{a=~\"eb01\"}", "web01"));
	assert_true(accepts("up{a=~\"a.b\"}", "a\nb"));
	assert_true(accepts("up{a=~\"web|db\"}", "db"));
	assert_true(accepts("up{a!~\"web\"}", "db"));
	assert_true(accepts("up{a!~\"web\"}", ""));
}

static const char *refusal(const char *text, struct fw_err *err)
{
	struct fw_arena arena = {0};
	struct selector s;
	struct matching m;
	assert_int_equal(selector_parse(text, &arena, &s, err), 0);
	assert_true(matching_init(&m, &s, &arena, err) < 0);
	fw_arena_done(&arena);
	return err->text;
}

static void test_matchers_that_are_refused(void **state)
{
	(void)state;
	struct fw_err err = {0};
	static const char empty[] =
		"1:1: parse error: vector selector must contain at least one non-empty matcher";
	assert_string_equal(refusal("{}", &err), empty);
	assert_string_equal(refusal("{a=\"\"}", &err), empty);
	assert_string_equal(refusal("{a=~\".*\",b!=\"x\"}", &err), empty);
	assert_string_equal(refusal("up{a=~\"(\"}", &err),
		"1:4: parse error: error parsing regexp: missing ): (");
	assert_string_equal(refusal("up{a=~\"((a{0,100}){0,100}){0,100}\"}", &err),
		"1:4: parse error: error parsing regexp: invalid repetition size: {0,100}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read),
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_expressions_are_anchored),
		cmocka_unit_test(test_matchers_that_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
