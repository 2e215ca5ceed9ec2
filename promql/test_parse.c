/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node.h"

/* What is read, in its normal form; NULL: as it was written. */
static const struct {
	const char *text, *normal;
} taken[] = {
	{"foo", NULL},
	{"foo{}", "foo"},
	{"foo{a=\"b\"}", NULL},
	{"foo{a!=\"b\"}", NULL},
	{"foo{a=~\"b|c\"}", NULL},
	{"foo{a!~\"b.*\"}", NULL},
	{"foo{a=\"b\",c=\"d\"}", NULL},
	{"foo{c=\"d\",a=\"b\",}", "foo{a=\"b\",c=\"d\"}"},
	{"foo { a = \"b\" , c = 'd' }", "foo{a=\"b\",c=\"d\"}"},
	{"foo{a=`b\\n`}", "foo{a=\"b\\\\n\"}"},
	{"foo{a=\"b\\\"c\"}", NULL},
	{"foo{a=\"b\\\\c\"}", NULL},
	{"foo{a=\"\\t\\n\"}", NULL},
	{"foo{a='it\\'s'}", "foo{a=\"it's\"}"},
	{"foo{by=\"x\",without=\"y\",on=\"z\",bool=\"w\"}",
		"foo{bool=\"w\",by=\"x\",on=\"z\",without=\"y\"}"},
	{"foo:bar", NULL},
	{":foo", NULL},
	{"foo:bar:rate5m{a=\"b\"}", NULL},
	{"_foo", NULL},
	{"{__name__=\"foo\"}", NULL},
	{"{__name__=~\"foo.*\"}", NULL},
	{"{__name__!~\"foo.*\",a=\"b\"}", NULL},
	{"{a=\"b\"}", NULL},
	{"{a!=\"\"}", NULL},
	{"{a=~\".+\"}", NULL},
	{"{a=\"\",b=\"c\"}", NULL},
	{"foo[5m]", NULL},
	{"foo[5m] offset 1h", NULL},
	{"foo offset 1h", NULL},
	{"foo offset -1h", NULL},
	{"foo offset 0s", "foo"},
	{"foo OFFSET 1h30m", "foo offset 1h30m"},
	{"foo offset 1w", NULL},
	{"foo offset 14d", "foo offset 2w"},
	{"foo offset 365d", "foo offset 1y"},
	{"foo offset 1d12h", NULL},
	{"foo[90s]", "foo[1m30s]"},
	{"foo[1h30m5s250ms]", NULL},
	{"foo[1y]", NULL},
	{"foo[53w]", NULL},
	{"foo @ 1", "foo @ 1.000"},
	{"foo @ 1.5", "foo @ 1.500"},
	{"foo @ 1603774568", "foo @ 1603774568.000"},
	{"foo @ -5", "foo @ -5.000"},
	{"foo @ +5", "foo @ 5.000"},
	{"foo @ 1e3", "foo @ 1000.000"},
	{"foo @ start()", NULL},
	{"foo @ end()", NULL},
	{"foo[5m] @ start()", NULL},
	{"foo @ 5 offset 1m", "foo @ 5.000 offset 1m"},
	{"foo offset 1m @ 5", "foo @ 5.000 offset 1m"},
	{"foo[5m] offset 1m @ end()", "foo[5m] @ end() offset 1m"},
	{"foo[5m] @ end() offset -1m", NULL},
	{"foo[5m:1m]", NULL},
	{"foo[5m:]", NULL},
	{"foo[1h:30s] offset 5m", NULL},
	{"foo[1h:30s] @ 5 offset 5m", "foo[1h:30s] @ 5.000 offset 5m"},
	{"foo{a=\"b\"}[1h:30s]", NULL},
	{"rate(foo[5m])[1h:]", NULL},
	{"rate(foo[5m])[1h:1m] @ start()", NULL},
	{"max_over_time(rate(foo[5m])[1h:1m])", NULL},
	{"min_over_time(max_over_time(rate(foo[5m])[1h:1m])[1d:10m])", NULL},
	{"(foo)[5m:]", NULL},
	{"(foo + bar)[5m:1m]", NULL},
	{"sum(foo)[5m:1m]", NULL},
	{"(foo offset 5m)[5m:1m]", NULL},
	{"foo offset 5m[5m:1m]", NULL},
	{"1", NULL},
	{"1.5", NULL},
	{"-1", NULL},
	{"+1", "1"},
	{".5", "0.5"},
	{"5.", "5"},
	{"1e3", "1000"},
	{"1e-3", "0.001"},
	{"1E3", "1000"},
	{"1e+3", "1000"},
	{"0x1f", "31"},
	{"0X1F", "31"},
	{"0x_1f", "31"},
	{"0755", "493"},
	{"0", NULL},
	{"-0", NULL},
	{"00", "0"},
	{"089", "89"},
	{"1_000", "1000"},
	{"1_000.5", "1000.5"},
	{"1_2e1_0", "120000000000"},
	{"Inf", "+Inf"},
	{"inf", "+Inf"},
	{"+Inf", NULL},
	{"-INF", "-Inf"},
	{"NaN", NULL},
	{"nan", "NaN"},
	{"-NaN", "NaN"},
	{"123456789012345678", "123456789012345680"},
	{"9223372036854775807", "9223372036854776000"},
	{"9223372036854775808", "9223372036854776000"},
	{"0.1", NULL},
	{"100000000000000000000000", NULL},
	{"1e308",
		"100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"},
	{"5e-324",
		"0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000005"},
	{"\"foo\"", NULL},
	{"'foo'", "\"foo\""},
	{"`foo`", "\"foo\""},
	{"\"foo\\nbar\"", NULL},
	{"\"\\x41\\101\\u0041\\U00000041\"", "\"AAAA\""},
	{"\"\\u00e9é\"", "\"éé\""},
	{"\"\\a\\b\\f\\r\\v\\\\\"", NULL},
	{"\"'\"", NULL},
	{"'\"'", "\"\\\"\""},
	{"\"\\u2028\"", NULL},
	{"\"日本\"", NULL},
	{"\"\\U0001F600\"", "\"😀\""},
	{"1 + 1", NULL},
	{"1 - 1", NULL},
	{"1 * 1", NULL},
	{"1 / 1", NULL},
	{"1 % 1", NULL},
	{"1 ^ 1", NULL},
	{"1 atan2 1", NULL},
	{"1 == bool 1", NULL},
	{"1 != bool 1", NULL},
	{"1 > bool 1", NULL},
	{"1 >= bool 1", NULL},
	{"1 < bool 1", NULL},
	{"1 <= bool 1", NULL},
	{"1+2*3", "1 + 2 * 3"},
	{"(1+2)*3", "(1 + 2) * 3"},
	{"1+2/(3*1)", "1 + 2 / (3 * 1)"},
	{"1-2-3", "1 - 2 - 3"},
	{"1-(2-3)", "1 - (2 - 3)"},
	{"2^3^2", "2 ^ 3 ^ 2"},
	{"(2^3)^2", "(2 ^ 3) ^ 2"},
	{"-1^2", "-1 ^ 2"},
	{"-1*2", "-1 * 2"},
	{"-1^-2", "-1 ^ -2"},
	{"+1 + -2 * 1", "1 + -2 * 1"},
	{"1 < bool 2 - 1 * 2", NULL},
	{"-foo", NULL},
	{"+foo", NULL},
	{"--foo", NULL},
	{"-+foo", NULL},
	{"- -foo", "--foo"},
	{"-(foo)", NULL},
	{"-foo{a=\"b\"}", NULL},
	{"-foo^2", "-foo ^ 2"},
	{"-foo*bar", "-foo * bar"},
	{"-foo offset 5m", NULL},
	{"-sum(foo)", NULL},
	{"2^-foo", "2 ^ -foo"},
	{"foo + bar", NULL},
	{"foo - bar", NULL},
	{"foo * bar", NULL},
	{"foo / bar", NULL},
	{"foo % bar", NULL},
	{"foo ^ bar", NULL},
	{"foo atan2 bar", NULL},
	{"foo == bar", NULL},
	{"foo != bar", NULL},
	{"foo > bar", NULL},
	{"foo < bar", NULL},
	{"foo >= bar", NULL},
	{"foo <= bar", NULL},
	{"foo == bool bar", NULL},
	{"foo == 1", NULL},
	{"1 == foo", NULL},
	{"foo == bool 1", NULL},
	{"foo and bar", NULL},
	{"foo or bar", NULL},
	{"foo unless bar", NULL},
	{"foo AND bar OR baz UNLESS qux", "foo and bar or baz unless qux"},
	{"foo or bar and baz", NULL},
	{"foo and bar unless baz", NULL},
	{"foo + bar or bla and blub", NULL},
	{"foo and bar unless baz or qux", NULL},
	{"bar + on(foo) bla / on(baz, buz) group_right(test) blub",
		"bar + on (foo) bla / on (baz, buz) group_right (test) blub"},
	{"foo * on(test,blub) bar", "foo * on (test, blub) bar"},
	{"foo * on(test,blub) group_left bar", "foo * on (test, blub) group_left () bar"},
	{"foo * on(test,blub) group_left() bar", "foo * on (test, blub) group_left () bar"},
	{"foo and on(test,blub) bar", "foo and on (test, blub) bar"},
	{"foo and on() bar", "foo and on () bar"},
	{"foo and ignoring(test,blub) bar", "foo and ignoring (test, blub) bar"},
	{"foo and ignoring() bar", "foo and bar"},
	{"foo unless on(bar) baz", "foo unless on (bar) baz"},
	{"foo / on(test,blub) group_left(bar) bar", "foo / on (test, blub) group_left (bar) bar"},
	{"foo / ignoring(test,blub) group_left(blub) bar",
		"foo / ignoring (test, blub) group_left (blub) bar"},
	{"foo / ignoring(test,blub) group_left(bar) bar",
		"foo / ignoring (test, blub) group_left (bar) bar"},
	{"foo - on(test,blub) group_right(bar,foo) bar",
		"foo - on (test, blub) group_right (bar, foo) bar"},
	{"foo - ignoring(test,blub) group_right(bar,foo) bar",
		"foo - ignoring (test, blub) group_right (bar, foo) bar"},
	{"foo == bool on(a) bar", "foo == bool on (a) bar"},
	{"foo > bool ignoring(a) group_left(b) bar", "foo > bool ignoring (a) group_left (b) bar"},
	{"foo + on(a,) bar", "foo + on (a) bar"},
	{"foo + on(by, on, bool, group_left, offset, and, or, sum, start, end, atan2) bar",
		"foo + on (by, on, bool, group_left, offset, and, or, sum, start, end, atan2) bar"},
	{"foo + ignoring() group_left bar", "foo + ignoring () group_left () bar"},
	{"foo + on() group_left bar", "foo + on () group_left () bar"},
	{"foo + on(a) group_left -bar", "foo + on (a) group_left () -bar"},
	{"foo + on(a) group_left sum(bar)", "foo + on (a) group_left () sum(bar)"},
	{"foo + on(a) group_left {b=\"c\"}", "foo + on (a) group_left () {b=\"c\"}"},
	{"sum(foo)", NULL},
	{"sum by (a) (foo)", NULL},
	{"sum by (a, b) (foo)", NULL},
	{"sum by (a,) (foo)", "sum by (a) (foo)"},
	{"sum by () (foo)", "sum(foo)"},
	{"sum without (a) (foo)", NULL},
	{"sum without () (foo)", NULL},
	{"sum(foo) by (a)", "sum by (a) (foo)"},
	{"sum(foo) without (a, b)", "sum without (a, b) (foo)"},
	{"SUM BY (a) (foo)", "sum by (a) (foo)"},
	{"Sum(foo) By (a)", "sum by (a) (foo)"},
	{"avg(foo)", NULL},
	{"min(foo)", NULL},
	{"max(foo)", NULL},
	{"count(foo)", NULL},
	{"group(foo)", NULL},
	{"stddev(foo)", NULL},
	{"stdvar(foo)", NULL},
	{"topk(5, foo)", NULL},
	{"bottomk(5, foo)", NULL},
	{"quantile(0.9, foo)", NULL},
	{"count_values(\"v\", foo)", NULL},
	{"count_values by (a) (\"v\", foo)", NULL},
	{"topk(5, foo) by (a)", "topk by (a) (5, foo)"},
	{"topk(scalar(foo), bar)", NULL},
	{"topk by (a) (5, foo)", NULL},
	{"quantile(-1, foo)", NULL},
	{"sum(sum by (a) (foo))", NULL},
	{"sum by (sum, on, offset, bool, ignoring, group_left, group_right) (foo)", NULL},
	{"sum by (start, end, and, or, unless, atan2) (foo)", NULL},
	{"sum(foo) + sum(bar)", NULL},
	{"sum(foo) > 5", NULL},
	{"sum(rate(foo{a=\"b\"}[5m])) by (c) / ignoring(d) group_left sum(bar)",
		"sum by (c) (rate(foo{a=\"b\"}[5m])) / ignoring (d) group_left () sum(bar)"},
	{"abs(foo)", NULL},
	{"rate(foo[5m])", NULL},
	{"time()", NULL},
	{"pi()", NULL},
	{"vector(1)", NULL},
	{"vector(time())", NULL},
	{"scalar(foo)", NULL},
	{"round(foo)", NULL},
	{"round(foo, 5)", NULL},
	{"round(foo,0.1)", "round(foo, 0.1)"},
	{"day_of_month()", NULL},
	{"day_of_month(foo)", NULL},
	{"hour(vector(0))", NULL},
	{"label_replace(foo, \"a\", \"$1\", \"b\", \"(.*)\")", NULL},
	{"label_join(foo, \"a\", \"-\")", NULL},
	{"label_join(foo, \"a\", \"-\", \"b\", \"c\", \"d\")", NULL},
	{"histogram_quantile(0.9, foo)", NULL},
	{"histogram_quantile(0.9, sum by (le) (rate(foo_bucket[5m])))", NULL},
	{"quantile_over_time(0.5, foo[5m])", NULL},
	{"predict_linear(foo[1h], 3600)", NULL},
	{"predict_linear(foo[1h], 4 * 3600)", NULL},
	{"clamp(foo, 1, 2)", NULL},
	{"clamp_max(foo, 1)", NULL},
	{"absent(foo{a=\"b\"})", NULL},
	{"absent_over_time(foo[5m])", NULL},
	{"sort_desc(foo)", NULL},
	{"timestamp(foo)", NULL},
	{"sum", NULL},
	{"sum{a=\"b\"}", NULL},
	{"sum + avg", NULL},
	{"by", NULL},
	{"without", NULL},
	{"offset", NULL},
	{"and", NULL},
	{"or", NULL},
	{"unless", NULL},
	{"start", NULL},
	{"end", NULL},
	{"start{end=\"foo\"}", NULL},
	{"count_values + topk", NULL},
	{"min{max=\"x\"}", NULL},
	{"offset offset 5m", NULL},
	{"by offset 5m", NULL},
	{"and and and", NULL},
	{"or or or", NULL},
	{"unless unless unless", NULL},
	{"foo # comment", "foo"},
	{"foo#c", "foo"},
	{"((foo))", NULL},
	{"((1 + (2)))", NULL},
	{"(foo > 1) or (bar < 2)", NULL},
	{"a + b + c", NULL},
	{"a + (b + c)", NULL},
	{"a / b * c", NULL},
	{"a == b != c", NULL},
	{"a - b ^ c ^ d", NULL},
	{"foo{a=\"b\"}   [5m]   offset   1h", "foo{a=\"b\"}[5m] offset 1h"},
	{"sum(count_over_time(foo[5m])) by (a) > bool 0 and on(a) bar",
		"sum by (a) (count_over_time(foo[5m])) > bool 0 and on (a) bar"},
	{"foo{a=\"b\"} @ 1.0001", "foo{a=\"b\"} @ 1.000"},
	{"foo @ 1.9999", "foo @ 2.000"},
	{"foo @ 0x10", "foo @ 16.000"},
	{"foo @ end()[5m]", "foo[5m] @ end()"},
	{"1 + on() 1", "1 + 1"},
	{"foo + ignoring(a) group_left(a) bar", "foo + ignoring (a) group_left (a) bar"},
	{"08.5", "8.5"},
	{"_1", NULL},
	{"1.e5", "100000"},
	{"{__name__=\"foo\",__name__=\"bar\"}", "{__name__=\"bar\",__name__=\"foo\"}"},
	{"sum by (\"a\") (foo)", "sum by (a) (foo)"},
	{"sum(sum)", NULL},
	{"abs", NULL},
	{"max_over_time(foo[5m:1m] offset 5m)", NULL},
	{"time() == bool 1", NULL},
	{"sum(foo) == 1", NULL},
	{"-time()", NULL},
	{"inf + nan", "+Inf + NaN"},
	{"infinity", NULL},
	{"nano", NULL},
	{"{\"foo\"}", "{__name__=\"foo\"}"},
	{"{\"foo.bar\"}", "{__name__=\"foo.bar\"}"},
	{"{\"foo.bar\",\"a b\"=\"c\"}", "{\"a b\"=\"c\",__name__=\"foo.bar\"}"},
	{"{'foo.bar',a=\"b\",}", "{__name__=\"foo.bar\",a=\"b\"}"},
	{"{\"a b\"=\"c\"}", NULL},
	{"{\"foo\", \"bar\"}", "{__name__=\"bar\",__name__=\"foo\"}"},
	{"foo{\"a.b\"=~\"c.*\"}", NULL},
	{"{\"foo\"}[5m]", "{__name__=\"foo\"}[5m]"},
	{"rate({\"foo.bar\"}[5m])", "rate({__name__=\"foo.bar\"}[5m])"},
	{"sum by (\"a.b\", c) ({\"foo.bar\"})", "sum by (\"a.b\", c) ({__name__=\"foo.bar\"})"},
	{"foo + on(\"a.b\") group_left(\"c d\") bar",
		"foo + on (\"a.b\") group_left (\"c d\") bar"},
	{"foo[300]", "foo[5m]"},
	{"foo[0.5]", "foo[500ms]"},
	{"foo[1e2]", "foo[1m40s]"},
	{"foo[0x10:5]", "foo[16s:5s]"},
	{"foo[1h:60]", "foo[1h:1m]"},
	{"foo[+5m]", "foo[5m]"},
	{"foo[--5m]", "foo[5m]"},
	{"foo[ 5m ]", "foo[5m]"},
	{"foo[ 5m : 1m ]", "foo[5m:1m]"},
	{"foo offset 300", "foo offset 5m"},
	{"foo offset 0", "foo"},
	{"foo offset 0.001", "foo offset 1ms"},
	{"foo offset -0x10", "foo offset -16s"},
	{"foo offset +5m", "foo offset 5m"},
	{"foo offset --5m", "foo offset 5m"},
	{"foo offset 5m + 1", NULL},
	{"foo offset -5m ^ 2", NULL},
	{"foo offset 5m * bar", NULL},
	{"foo @ 5m", "foo @ 300.000"},
	{"foo @ -1h30m", "foo @ -5400.000"},
	{"foo @ 1_000", "foo @ 1000.000"},
	{"foo @ 5 + 1", "foo @ 5.000 + 1"},
	{"5m", NULL},
	{"1h30m", NULL},
	{"5m + 3", NULL},
	{"-5m", NULL},
	{"--5m", "5m"},
	{"1s * foo", NULL},
	{"vector(1h)", NULL},
	{"predict_linear(foo[1h], 4h)", NULL},
	{"clamp(foo, 1m, 1h)", NULL},
	{"topk(1m, foo)", NULL},
	{"foo > 5m", NULL},
	{"1ms", NULL},
	{"1s5ms", NULL},
	{"60s", "1m"},
	{"365d", "1y"},
	{"1y1w", "372d"},
	{"limitk", NULL},
	{"limitk{a=\"b\"}", NULL},
	{"sum by (limitk) (foo)", NULL},
	{"fill", NULL},
};

/* What is refused, where and why. */
static const struct {
	const char *text, *why;
} refused[] = {
	{"sum by (by, without) (foo)",
		"1:13: unexpected <without> in grouping opts, expected label"},
	{"# comment", "1:1: no expression found in input"},
	{"sum(# c", "1:8: unclosed left parenthesis"},
	{"foo{# c", "1:8: unexpected end of input inside braces"},
	{"foo @ Inf", "1:1: timestamp out of bounds for @ modifier: +Inf"},
	{"foo @ NaN", "1:1: timestamp out of bounds for @ modifier: NaN"},
	{"foo @ 1e20", "1:1: timestamp out of bounds for @ modifier: 100000000000000000000.000000"},
	{"foo @ -1e20",
		"1:1: timestamp out of bounds for @ modifier: -100000000000000000000.000000"},
	{"foo @ 9223372036854775807",
		"1:1: timestamp out of bounds for @ modifier: 9223372036854775808.000000"},
	{"foo @ 5 @ 6", "1:1: @ <timestamp> may not be set multiple times"},
	{"foo @ start() @ end()", "1:1: @ <timestamp> may not be set multiple times"},
	{"foo @ start", "1:12: unexpected end of input in @, expected timestamp"},
	{"foo @ start(", "1:13: unclosed left parenthesis"},
	{"foo @ start(5)", "1:13: unexpected number \"5\" in @, expected timestamp"},
	{"foo @", "1:6: unexpected end of input in @, expected timestamp"},
	{"foo @ -", "1:8: unexpected end of input in @, expected timestamp"},
	{"foo @ \"5\"", "1:7: unexpected string \"\\\"5\\\"\" in @, expected timestamp"},
	{"foo offset 5m offset 5m", "1:1: offset may not be set multiple times"},
	{"foo offset", "1:11: unexpected end of input in offset, expected number or duration"},
	{"foo offset \"5m\"",
		"1:12: unexpected string \"\\\"5m\\\"\" in offset, expected number or duration"},
	{"foo offset -", "1:13: unexpected end of input in offset, expected number or duration"},
	{"foo offset 1mm", "1:12: bad number or duration syntax: \"1mm\""},
	{"foo offset 5m1h", "1:12: not a valid duration string: \"5m1h\""},
	{"foo[", "1:5: unexpected end of input in duration expression"},
	{"foo[5m", "1:7: unclosed left bracket"},
	{"foo[5m:", "1:8: unclosed left bracket"},
	{"foo[5m:1m", "1:10: unclosed left bracket"},
	{"foo[]",
		"1:5: unexpected \"]\" in subquery or range selector, expected number or duration"},
	{"foo[:]", "1:6: unexpected colon before duration in duration expression"},
	{"foo[:1m]", "1:6: unexpected colon before duration in duration expression"},
	{"foo[5m:1m:1m]", "1:10: unexpected colon ':'"},
	{"foo[5m::1m]", "1:8: unexpected colon ':'"},
	{"foo[\"5m\"]", "1:5: unexpected character in duration expression: '\"'"},
	{"foo[abc]", "1:5: unexpected character in duration expression: 'a'"},
	{"foo[5m abc]", "1:8: unexpected character: 'a', expected ':'"},
	{"foo[5m,1m]", "1:7: unexpected \",\" in subquery or range, expected \":\" or \"]\""},
	{"foo[0m]", "1:5: duration must be greater than 0"},
	{"foo[0s]", "1:5: duration must be greater than 0"},
	{"foo[5m:0s]", "1:8: duration must be greater than 0"},
	{"foo[5mm]", "1:5: bad number or duration syntax: \"5mm\""},
	{"foo[5m1]", "1:5: bad number or duration syntax: \"5m1\""},
	{"foo[5m1h]", "1:5: not a valid duration string: \"5m1h\""},
	{"foo[5m1m]", "1:5: not a valid duration string: \"5m1m\""},
	{"foo[5y1hs]", "1:5: unknown unit \"hs\" in duration \"5y1hs\""},
	{"foo[1h5]", "1:5: bad number or duration syntax: \"1h5\""},
	{"foo[1x]", "1:5: bad number or duration syntax: \"1\""},
	{"foo[1.5h]", "1:5: unknown unit \".\" in duration \"1.5h\""},
	{"foo[300y]", "1:5: duration out of range"},
	{"foo]", "1:4: unexpected right bracket ']'"},
	{"foo[5m]]", "1:8: unexpected right bracket ']'"},
	{"foo[[5m]]", "1:5: unexpected character in duration expression: '['"},
	{"foo[5m][5m]", "1:8: ranges only allowed for vector selectors"},
	{"foo[5m] [5m:1m]", "1:1: subquery is only allowed on instant vector, got matrix instead"},
	{"foo[5m:][5m]", "1:9: ranges only allowed for vector selectors"},
	{"foo[5m:][5m:]", "1:1: subquery is only allowed on instant vector, got matrix instead"},
	{"foo offset 1m[5m]", "1:14: no offset modifiers allowed before range"},
	{"foo @ 5 [5m]", "1:9: no @ modifiers allowed before range"},
	{"(foo)[5m]", "1:6: ranges only allowed for vector selectors"},
	{"rate(foo[5m])[5m]", "1:14: ranges only allowed for vector selectors"},
	{"1[5m]", "1:2: ranges only allowed for vector selectors"},
	{"\"a\"[5m]", "1:4: ranges only allowed for vector selectors"},
	{"1 offset 5m",
		"1:1: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery"},
	{"1 @ 5",
		"1:1: @ modifier must be preceded by an instant vector selector or range vector selector or a subquery"},
	{"\"a\" offset 5m",
		"1:1: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery"},
	{"sum(foo) offset 5m",
		"1:1: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery"},
	{"(foo) offset 5m",
		"1:1: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery"},
	{"rate(foo[5m]) offset 5m",
		"1:1: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery"},
	{"(foo) @ 5",
		"1:1: @ modifier must be preceded by an instant vector selector or range vector selector or a subquery"},
	{"-foo[5m]",
		"1:1: unary expression only allowed on expressions of type scalar or instant vector, got \"range vector\""},
	{"-\"a\"",
		"1:1: unary expression only allowed on expressions of type scalar or instant vector, got \"string\""},
	{"+\"a\"",
		"1:1: unary expression only allowed on expressions of type scalar or instant vector, got \"string\""},
	{"-(foo[5m])",
		"1:1: unary expression only allowed on expressions of type scalar or instant vector, got \"range vector\""},
	{"foo[5m] + 1", "1:1: binary expression must contain only scalar and instant vector types"},
	{"1 + foo[5m]", "1:5: binary expression must contain only scalar and instant vector types"},
	{"\"a\" + 1", "1:1: binary expression must contain only scalar and instant vector types"},
	{"1 + \"a\"", "1:5: binary expression must contain only scalar and instant vector types"},
	{"\"a\" + \"b\"",
		"1:1: binary expression must contain only scalar and instant vector types"},
	{"foo + \"a\"", "1:7: binary expression must contain only scalar and instant vector types"},
	{"foo[5m] == bar[5m]",
		"1:1: binary expression must contain only scalar and instant vector types"},
	{"1 == 1", "1:3: comparisons between scalars must use BOOL modifier"},
	{"1 != 1", "1:3: comparisons between scalars must use BOOL modifier"},
	{"1 > 1", "1:3: comparisons between scalars must use BOOL modifier"},
	{"(1) == 2", "1:5: comparisons between scalars must use BOOL modifier"},
	{"1 == (2 + 1)", "1:3: comparisons between scalars must use BOOL modifier"},
	{"  1   ==   1", "1:7: comparisons between scalars must use BOOL modifier"},
	{"scalar(foo) == 1", "1:13: comparisons between scalars must use BOOL modifier"},
	{"1 and 1", "1:1: set operator \"and\" not allowed in binary scalar expression"},
	{"1 or 1", "1:1: set operator \"or\" not allowed in binary scalar expression"},
	{"1 unless 1", "1:1: set operator \"unless\" not allowed in binary scalar expression"},
	{"foo and 1", "1:1: set operator \"and\" not allowed in binary scalar expression"},
	{"1 and foo", "1:1: set operator \"and\" not allowed in binary scalar expression"},
	{"foo or 1", "1:1: set operator \"or\" not allowed in binary scalar expression"},
	{"1 == on(a) foo", "1:1: vector matching only allowed between instant vectors"},
	{"foo + on(a) 1", "1:1: vector matching only allowed between instant vectors"},
	{"1 + on(a) 1", "1:1: vector matching only allowed between instant vectors"},
	{"foo == bool on(a) 1", "1:1: vector matching only allowed between instant vectors"},
	{"foo + bool bar", "1:5: bool modifier can only be used on comparison operators"},
	{"foo and bool bar", "1:5: bool modifier can only be used on comparison operators"},
	{"1 + bool 1", "1:3: bool modifier can only be used on comparison operators"},
	{"foo + on(a) group_left(a) bar",
		"1:5: label \"a\" must not occur in ON and GROUP clause at once"},
	{"foo + on(a,b) group_right(b) bar",
		"1:5: label \"b\" must not occur in ON and GROUP clause at once"},
	{"foo and on(a) group_left(b) bar", "1:1: no grouping allowed for \"and\" operation"},
	{"foo or on(a) group_right bar", "1:1: no grouping allowed for \"or\" operation"},
	{"foo unless ignoring(a) group_left() bar",
		"1:1: no grouping allowed for \"unless\" operation"},
	{"foo + group_left bar", "1:7: unexpected <group_left>"},
	{"foo + group_left(a) bar", "1:7: unexpected <group_left>"},
	{"foo + on bar", "1:10: unexpected identifier \"bar\" in grouping opts, expected \"(\""},
	{"foo + on(a bar",
		"1:12: unexpected identifier \"bar\" in grouping opts, expected \",\" or \")\""},
	{"foo + on(a b) bar",
		"1:12: unexpected identifier \"b\" in grouping opts, expected \",\" or \")\""},
	{"foo + on(a,,b) bar", "1:12: unexpected \",\" in grouping opts, expected label"},
	{"foo + on(,) bar", "1:10: unexpected \",\" in grouping opts, expected label"},
	{"foo + on(5) bar", "1:10: unexpected number \"5\" in grouping opts, expected label"},
	{"foo + on(a=) bar", "1:11: unexpected \"=\" in grouping opts, expected \",\" or \")\""},
	{"foo + on(a) group_left(b c) bar",
		"1:26: unexpected identifier \"c\" in grouping opts, expected \",\" or \")\""},
	{"foo + on(a) group_left)", "1:24: unexpected right parenthesis ')'"},
	{"foo + on(a) group_left ]", "1:24: unexpected right bracket ']'"},
	{"foo + on(a) on(b) bar", "1:13: unexpected <on>"},
	{"foo + on(a) ignoring(b) bar", "1:13: unexpected <ignoring>"},
	{"foo + ignoring(a) bool bar", "1:19: unexpected <bool>"},
	{"foo on(a) bar", "1:5: unexpected <on>"},
	{"foo bool bar", "1:5: unexpected <bool>"},
	{"foo bar", "1:5: unexpected identifier \"bar\""},
	{"foo 5", "1:5: unexpected number \"5\""},
	{"foo \"a\"", "1:5: unexpected string \"\\\"a\\\"\""},
	{"foo (bar)", "1:1: unknown function with name \"foo\""},
	{"foo{a=\"b\"}{c=\"d\"}", "1:11: unexpected \"{\""},
	{"foo{a=\"b\"}(c)", "1:11: unexpected \"(\""},
	{"5 foo", "1:3: unexpected identifier \"foo\""},
	{"\"a\" \"b\"", "1:5: unexpected string \"\\\"b\\\"\""},
	{"1 1", "1:3: unexpected number \"1\""},
	{"1 +", "1:4: unexpected end of input"},
	{"1 + + ", "1:7: unexpected end of input"},
	{"+ ", "1:3: unexpected end of input"},
	{"-", "1:2: unexpected end of input"},
	{"*", "1:1: unexpected <op:*>"},
	{"* 1", "1:1: unexpected <op:*>"},
	{"/1", "1:1: unexpected <op:/>"},
	{"^2", "1:1: unexpected <op:^>"},
	{"1 ^", "1:4: unexpected end of input"},
	{"1 ==", "1:5: unexpected end of input"},
	{"== 1", "1:1: unexpected <op:==>"},
	{"and and", "1:8: unexpected end of input"},
	{",", "1:1: unexpected \",\""},
	{";", "1:1: unexpected character: ';'"},
	{".", "1:1: unexpected character: '.'"},
	{"..", "1:1: unexpected character: '.'"},
	{"1..2", "1:1: bad number or duration syntax: \"1..\""},
	{"1.2.3", "1:1: bad number or duration syntax: \"1.2.\""},
	{"2.5.", "1:1: bad number or duration syntax: \"2.5.\""},
	{"0x", "1:1: error parsing number: strconv.ParseFloat: parsing \"0x\": invalid syntax"},
	{"0xg", "1:1: bad number or duration syntax: \"0x\""},
	{"0b11", "1:1: bad number or duration syntax: \"0\""},
	{"0o17", "1:1: bad number or duration syntax: \"0\""},
	{"1__0", "1:1: bad number or duration syntax: \"1__\""},
	{"1_", "1:1: bad number or duration syntax: \"1_\""},
	{"1_.5", "1:1: bad number or duration syntax: \"1_.\""},
	{"1e", "1:1: bad number or duration syntax: \"1e\""},
	{"1e+", "1:1: bad number or duration syntax: \"1e+\""},
	{"1e5e5", "1:1: bad number or duration syntax: \"1e5e\""},
	{"1.5.e3", "1:1: bad number or duration syntax: \"1.5.\""},
	{"0deadbeef", "1:1: bad number or duration syntax: \"0de\""},
	{"1a", "1:1: bad number or duration syntax: \"1\""},
	{"5mfoo", "1:1: bad number or duration syntax: \"5mf\""},
	{"5m5", "1:1: bad number or duration syntax: \"5m5\""},
	{"1h1x", "1:1: bad number or duration syntax: \"1h1\""},
	{"99999999999999999999999999999999y",
		"1:1: not a valid duration string: \"99999999999999999999999999999999y\""},
	{"foo{", "1:5: unexpected end of input inside braces"},
	{"foo{a", "1:6: unexpected end of input inside braces"},
	{"foo{a=", "1:7: unexpected end of input inside braces"},
	{"foo{a=\"b", "1:7: unterminated quoted string"},
	{"foo{a=\"b\"", "1:10: unexpected end of input inside braces"},
	{"foo{a=\"b\",", "1:11: unexpected end of input inside braces"},
	{"foo{a=\"b\" c=\"d\"}",
		"1:11: unexpected identifier \"c\" in label matching, expected \",\" or \"}\""},
	{"foo{a=\"b\",,c=\"d\"}",
		"1:11: unexpected \",\" in label matching, expected identifier or \"}\""},
	{"foo{,}", "1:5: unexpected \",\" in label matching, expected identifier or \"}\""},
	{"foo{a}", "1:6: unexpected \"}\" in label matching, expected label matching operator"},
	{"foo{a,b}", "1:6: unexpected \",\" in label matching, expected label matching operator"},
	{"foo{a=\"b\"=}", "1:10: unexpected \"=\" in label matching, expected \",\" or \"}\""},
	{"foo{a=b}", "1:7: unexpected identifier \"b\" in label matching, expected string"},
	{"foo{a==b}", "1:7: unexpected \"=\" in label matching, expected string"},
	{"foo{a==\"b\"}", "1:7: unexpected \"=\" in label matching, expected string"},
	{"foo{a=~b}", "1:8: unexpected identifier \"b\" in label matching, expected string"},
	{"foo{a!b}", "1:6: unexpected character after '!' inside braces: 'b'"},
	{"foo{a!\"b\"}", "1:6: unexpected character after '!' inside braces: '\"'"},
	{"foo{a>\"b\"}", "1:6: unexpected character inside braces: '>'"},
	{"foo{5=\"b\"}", "1:5: unexpected character inside braces: '5'"},
	{"foo{a=\"b\"}}", "1:11: unexpected character: '}'"},
	{"foo{{a=\"b\"}", "1:5: unexpected left brace '{'"},
	{"foo{a:b=\"c\"}", "1:6: unexpected character inside braces: ':'"},
	{"foo{a=\"b\";}", "1:10: unexpected character inside braces: ';'"},
	{"foo{a-b=\"c\"}", "1:6: unexpected character inside braces: '-'"},
	{"foo{a=\"b\" or c=\"d\"}",
		"1:11: unexpected identifier \"or\" in label matching, expected \",\" or \"}\""},
	{"}", "1:1: unexpected character: '}'"},
	{"{", "1:2: unexpected end of input inside braces"},
	{"{}", "1:1: vector selector must contain at least one non-empty matcher"},
	{"{a=\"\"}", "1:1: vector selector must contain at least one non-empty matcher"},
	{"{a=~\"\"}", "1:1: vector selector must contain at least one non-empty matcher"},
	{"{a!~\".+\"}", "1:1: vector selector must contain at least one non-empty matcher"},
	{"{a=~\".*\"}", "1:1: vector selector must contain at least one non-empty matcher"},
	{"{a!=\"b\"}", "1:1: vector selector must contain at least one non-empty matcher"},
	{"{a=~\"b*\"}", "1:1: vector selector must contain at least one non-empty matcher"},
	{"{a=~\"b?\",c!~\"d\"}",
		"1:1: vector selector must contain at least one non-empty matcher"},
	{"{__name__=\"\"}", "1:1: vector selector must contain at least one non-empty matcher"},
	{"{a=~\"(\"}", "1:2: error parsing regexp: missing closing ): `(`"},
	{"{a=~\")\"}", "1:2: error parsing regexp: unexpected ): `)`"},
	{"{a=~\"[\"}", "1:2: error parsing regexp: missing closing ]: `[`"},
	{"{a=~\"[z-a]\"}", "1:2: error parsing regexp: invalid character class range: `z-a`"},
	{"{a=~\"*\"}", "1:2: error parsing regexp: missing argument to repetition operator: `*`"},
	{"{a=~\"a**\"}", "1:2: error parsing regexp: invalid nested repetition operator: `**`"},
	{"{a=~\"+\"}", "1:2: error parsing regexp: missing argument to repetition operator: `+`"},
	{"{a=~\"a\\\\C\"}", "1:2: error parsing regexp: invalid escape sequence: `\\C`"},
	{"{a=~\"[\\\\C]\"}", "1:2: error parsing regexp: invalid escape sequence: `\\C`"},
	{"{a=~\"\\\\Qx\\\\E\\\\C\"}", "1:2: error parsing regexp: invalid escape sequence: `\\C`"},
	{"{a=~\"a{1001}\"}", "1:2: error parsing regexp: invalid repeat count: `{1001}`"},
	{"{a=~\"a{2,1}\"}", "1:2: error parsing regexp: invalid repeat count: `{2,1}`"},
	{"{a=~\"(?<x\"}", "1:2: error parsing regexp: invalid or unsupported Perl syntax: `(?<`"},
	{"{a=~\"(?z)\"}", "1:2: error parsing regexp: invalid or unsupported Perl syntax: `(?z`"},
	{"{a=~\"\\\\\"}", "1:2: error parsing regexp: trailing backslash at end of expression: ``"},
	{"{a=~\"\\\\y\"}", "1:2: error parsing regexp: invalid escape sequence: `\\y`"},
	{"{a!~\"(\"}", "1:2: error parsing regexp: missing closing ): `(`"},
	{"{a=~\"[[:foo:]]\"}",
		"1:2: error parsing regexp: invalid character class range: `[:foo:]`"},
	{"foo{a=~\"(\",b=~\"[\"}", "1:5: error parsing regexp: missing closing ): `(`"},
	{"foo{__name__=\"bar\"}", "1:1: metric name must not be set twice: \"foo\" or \"bar\""},
	{"foo{__name__!=\"bar\"}", "1:1: metric name must not be set twice: \"foo\" or \"bar\""},
	{"foo{__name__=~\"bar\"}", "1:1: metric name must not be set twice: \"foo\" or \"bar\""},
	{"foo{a=\"b\",__name__=\"foo\"}",
		"1:1: metric name must not be set twice: \"foo\" or \"foo\""},
	{"\"", "1:1: unterminated quoted string"},
	{"'", "1:1: unterminated quoted string"},
	{"`", "1:1: unterminated raw string"},
	{"\"a", "1:1: unterminated quoted string"},
	{"'a", "1:1: unterminated quoted string"},
	{"`a", "1:1: unterminated raw string"},
	{"\"a\\", "1:1: escape sequence not terminated"},
	{"\"a\\\"", "1:1: unterminated quoted string"},
	{"\"\\q\"", "1:1: unknown escape sequence U+0071 'q'"},
	{"\"\\x\"", "1:1: illegal character U+0022 '\"' in escape sequence"},
	{"\"\\xg\"", "1:1: illegal character U+0067 'g' in escape sequence"},
	{"\"\\x1\"", "1:1: illegal character U+0022 '\"' in escape sequence"},
	{"\"\\u12\"", "1:1: illegal character U+0022 '\"' in escape sequence"},
	{"\"\\ud800\"", "1:1: escape sequence is an invalid Unicode code point"},
	{"\"\\U00110000\"", "1:1: escape sequence is an invalid Unicode code point"},
	{"\"\\8\"", "1:1: unknown escape sequence U+0038 '8'"},
	{"\"\\400\"", "1:1: escape sequence is an invalid Unicode code point"},
	{"\"\\377\"", "1:1: a string must be UTF-8 without zero bytes"},
	{"'\\\"'", "1:1: unknown escape sequence U+0022 '\"'"},
	{"\"\\'\"", "1:1: unknown escape sequence U+0027 '''"},
	{"é", "1:1: unexpected character: 'é'"},
	{"foo + é", "1:7: unexpected character: 'é'"},
	{"foo{é=\"x\"}", "1:5: unexpected character inside braces: 'é'"},
	{"foo$", "1:4: unexpected character: '$'"},
	{"foo~", "1:4: unexpected character: '~'"},
	{"foo?", "1:4: unexpected character: '?'"},
	{"foo!", "1:4: unexpected character after '!': '�'"},
	{"foo!bar", "1:4: unexpected character after '!': 'b'"},
	{"!foo", "1:1: unexpected character after '!': 'f'"},
	{"foo!~bar", "1:4: unexpected character after '!': '~'"},
	{"foo =~ bar", "1:5: unexpected character after '=': '~'"},
	{"foo = bar", "1:5: unexpected \"=\""},
	{"foo=bar", "1:4: unexpected \"=\""},
	{"foo := bar", "1:5: unexpected metric identifier \":\""},
	{"foo & bar", "1:5: unexpected character: '&'"},
	{"foo | bar", "1:5: unexpected character: '|'"},
	{"foo && bar", "1:5: unexpected character: '&'"},
	{"(", "1:2: unclosed left parenthesis"},
	{")", "1:2: unexpected right parenthesis ')'"},
	{"()", "1:2: unexpected \")\""},
	{"(foo", "1:5: unclosed left parenthesis"},
	{"foo)", "1:5: unexpected right parenthesis ')'"},
	{"((foo)", "1:7: unclosed left parenthesis"},
	{"(foo))", "1:7: unexpected right parenthesis ')'"},
	{"(foo,bar)", "1:5: unexpected \",\""},
	{"(foo bar)", "1:6: unexpected identifier \"bar\""},
	{"foo,bar", "1:4: unexpected \",\""},
	{"sum(", "1:5: unclosed left parenthesis"},
	{"sum()", "1:1: no arguments for aggregate expression provided"},
	{"sum(foo", "1:8: unclosed left parenthesis"},
	{"sum(foo,", "1:9: unclosed left parenthesis"},
	{"sum(foo,)", "1:8: trailing commas not allowed in function call args"},
	{"sum(foo, bar)",
		"1:1: wrong number of arguments for aggregate expression provided, expected 1, got 2"},
	{"sum(1, foo)",
		"1:1: wrong number of arguments for aggregate expression provided, expected 1, got 2"},
	{"sum(foo bar)", "1:9: unexpected identifier \"bar\" in aggregation"},
	{"sum((foo bar))", "1:10: unexpected identifier \"bar\" in aggregation"},
	{"sum(abs(foo bar))", "1:13: unexpected identifier \"bar\" in aggregation"},
	{"sum(foo + )", "1:11: unexpected \")\" in aggregation"},
	{"sum(foo) by", "1:12: unexpected end of input in grouping opts, expected \"(\""},
	{"sum(foo) by a", "1:13: unexpected identifier \"a\" in grouping opts, expected \"(\""},
	{"sum(foo) by (a", "1:15: unclosed left parenthesis"},
	{"sum(foo) by (a b)",
		"1:16: unexpected identifier \"b\" in grouping opts, expected \",\" or \")\""},
	{"sum(foo) by (a) by (b)", "1:17: unexpected <by>"},
	{"sum(foo) by (a) without (b)", "1:17: unexpected <without>"},
	{"sum by (a) (foo) by (b)", "1:18: unexpected <by>"},
	{"sum by (a)", "1:11: unexpected end of input in aggregation"},
	{"sum by (a) foo", "1:12: unexpected identifier \"foo\" in aggregation"},
	{"sum by a (foo)", "1:8: unexpected identifier \"a\" in grouping opts, expected \"(\""},
	{"sum by", "1:7: unexpected end of input in grouping opts, expected \"(\""},
	{"sum by (foo", "1:12: unclosed left parenthesis"},
	{"sum by (a", "1:10: unclosed left parenthesis"},
	{"sum by (5) (foo)", "1:9: unexpected number \"5\" in grouping opts, expected label"},
	{"sum by (without) (foo)", "1:9: unexpected <without> in grouping opts, expected label"},
	{"sum by (inf) (foo)", "1:9: unexpected number \"inf\" in grouping opts, expected label"},
	{"sum foo", "1:5: unexpected identifier \"foo\""},
	{"sum (foo) bar", "1:11: unexpected identifier \"bar\""},
	{"sum 5", "1:5: unexpected number \"5\""},
	{"sum(\"a\")", "1:5: expected type instant vector in aggregation expression, got string"},
	{"sum(1)", "1:5: expected type instant vector in aggregation expression, got scalar"},
	{"sum(foo[5m])",
		"1:5: expected type instant vector in aggregation expression, got range vector"},
	{"topk(foo)",
		"1:1: wrong number of arguments for aggregate expression provided, expected 2, got 1"},
	{"topk()", "1:1: no arguments for aggregate expression provided"},
	{"topk(5)",
		"1:1: wrong number of arguments for aggregate expression provided, expected 2, got 1"},
	{"topk(5, foo, bar)",
		"1:1: wrong number of arguments for aggregate expression provided, expected 2, got 3"},
	{"topk(\"a\", foo)", "1:6: expected type scalar in aggregation parameter, got string"},
	{"topk(foo, bar)",
		"1:6: expected type scalar in aggregation parameter, got instant vector"},
	{"topk(5, 5)", "1:9: expected type instant vector in aggregation expression, got scalar"},
	{"topk(5, foo[5m])",
		"1:9: expected type instant vector in aggregation expression, got range vector"},
	{"topk(foo) bar",
		"1:1: wrong number of arguments for aggregate expression provided, expected 2, got 1"},
	{"quantile(\"a\", foo)", "1:10: expected type scalar in aggregation parameter, got string"},
	{"count_values(5, foo)", "1:14: expected type string in aggregation parameter, got scalar"},
	{"count_values(\"a\")",
		"1:1: wrong number of arguments for aggregate expression provided, expected 2, got 1"},
	{"count_values(foo, \"a\")",
		"1:19: expected type instant vector in aggregation expression, got string"},
	{"count_values(\"a\", 5)",
		"1:19: expected type instant vector in aggregation expression, got scalar"},
	{"abs(", "1:5: unclosed left parenthesis"},
	{"abs()", "1:1: expected 1 argument(s) in call to \"abs\", got 0"},
	{"abs(foo", "1:8: unclosed left parenthesis"},
	{"abs(foo,", "1:9: unclosed left parenthesis"},
	{"abs(foo,)", "1:8: trailing commas not allowed in function call args"},
	{"abs(foo,,bar)", "1:8: trailing commas not allowed in function call args"},
	{"abs(,foo)", "1:5: unexpected \",\""},
	{"abs(foo, bar)", "1:1: expected 1 argument(s) in call to \"abs\", got 2"},
	{"abs(foo bar)", "1:9: unexpected identifier \"bar\""},
	{"abs(1)", "1:5: expected type instant vector in call to function \"abs\", got scalar"},
	{"abs(\"a\")", "1:5: expected type instant vector in call to function \"abs\", got string"},
	{"abs(foo[5m])",
		"1:5: expected type instant vector in call to function \"abs\", got range vector"},
	{"rate(foo)",
		"1:6: expected type range vector in call to function \"rate\", got instant vector"},
	{"rate(1)", "1:6: expected type range vector in call to function \"rate\", got scalar"},
	{"rate(\"a\")", "1:6: expected type range vector in call to function \"rate\", got string"},
	{"rate()", "1:1: expected 1 argument(s) in call to \"rate\", got 0"},
	{"rate(foo[5m], 5)", "1:1: expected 1 argument(s) in call to \"rate\", got 2"},
	{"rate(foo[5m] foo)", "1:14: unexpected identifier \"foo\""},
	{"time(1)", "1:1: expected 0 argument(s) in call to \"time\", got 1"},
	{"time(foo)", "1:1: expected 0 argument(s) in call to \"time\", got 1"},
	{"vector(foo)",
		"1:8: expected type scalar in call to function \"vector\", got instant vector"},
	{"vector()", "1:1: expected 1 argument(s) in call to \"vector\", got 0"},
	{"scalar(1)",
		"1:8: expected type instant vector in call to function \"scalar\", got scalar"},
	{"round()", "1:1: expected at least 1 argument(s) in call to \"round\", got 0"},
	{"round(foo, 1, 2)", "1:1: expected at most 2 argument(s) in call to \"round\", got 3"},
	{"round(foo, \"a\")",
		"1:12: expected type scalar in call to function \"round\", got string"},
	{"round(\"a\")",
		"1:7: expected type instant vector in call to function \"round\", got string"},
	{"hour(1)", "1:6: expected type instant vector in call to function \"hour\", got scalar"},
	{"hour(foo, bar)", "1:1: expected at most 1 argument(s) in call to \"hour\", got 2"},
	{"label_replace(foo)", "1:1: expected 5 argument(s) in call to \"label_replace\", got 1"},
	{"label_replace(foo, 1, 2, 3, 4)",
		"1:20: expected type string in call to function \"label_replace\", got scalar"},
	{"label_replace(foo, \"a\", \"b\", \"c\")",
		"1:1: expected 5 argument(s) in call to \"label_replace\", got 4"},
	{"label_join()", "1:1: expected at least 3 argument(s) in call to \"label_join\", got 0"},
	{"label_join(foo, \"a\")",
		"1:1: expected at least 3 argument(s) in call to \"label_join\", got 2"},
	{"label_join(foo, 5, \"a\")",
		"1:17: expected type string in call to function \"label_join\", got scalar"},
	{"label_join(foo, \"a\", \"b\", \"c\", 5)",
		"1:32: expected type string in call to function \"label_join\", got scalar"},
	{"histogram_quantile(foo, 0.9)",
		"1:20: expected type scalar in call to function \"histogram_quantile\", got instant vector"},
	{"histogram_quantile(\"a\", foo)",
		"1:20: expected type scalar in call to function \"histogram_quantile\", got string"},
	{"nope()", "1:1: unknown function with name \"nope\""},
	{"nope(foo)", "1:1: unknown function with name \"nope\""},
	{"nope(foo bar)", "1:10: unexpected identifier \"bar\""},
	{"nope(nope2(foo))", "1:6: unknown function with name \"nope2\""},
	{"Rate(foo[5m])", "1:1: unknown function with name \"Rate\""},
	{"RATE(foo[5m])", "1:1: unknown function with name \"RATE\""},
	{"foo:bar(baz)", "1:8: unexpected \"(\""},
	{"start()", "1:6: unexpected \"(\""},
	{"end()", "1:4: unexpected \"(\""},
	{"offset()", "1:7: unexpected \"(\""},
	{"by()", "1:3: unexpected \"(\""},
	{"and(foo)", "1:4: unexpected \"(\""},
	{"min(foo, bar)",
		"1:1: wrong number of arguments for aggregate expression provided, expected 1, got 2"},
	{"max_over_time(foo)",
		"1:15: expected type range vector in call to function \"max_over_time\", got instant vector"},
	{"avg_over_time(foo[5m] + 1)",
		"1:15: binary expression must contain only scalar and instant vector types"},
	{"absent(1)",
		"1:8: expected type instant vector in call to function \"absent\", got scalar"},
	{"absent_over_time(foo)",
		"1:18: expected type range vector in call to function \"absent_over_time\", got instant vector"},
	{"time() == 1", "1:8: comparisons between scalars must use BOOL modifier"},
	{"time() and foo", "1:1: set operator \"and\" not allowed in binary scalar expression"},
	{"foo unless time()",
		"1:1: set operator \"unless\" not allowed in binary scalar expression"},
	{"time()[5m:1m]", "1:1: subquery is only allowed on instant vector, got scalar instead"},
	{"time() offset 5m",
		"1:1: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery"},
	{"1[5m:]", "1:1: subquery is only allowed on instant vector, got scalar instead"},
	{"\"a\"[5m:]", "1:1: subquery is only allowed on instant vector, got string instead"},
	{"foo[5m] [5m:]", "1:1: subquery is only allowed on instant vector, got matrix instead"},
	{"group_left", "1:1: unexpected <group_left>"},
	{"group_right(foo)", "1:1: unexpected <group_right>"},
	{"bool", "1:1: unexpected <bool>"},
	{"on", "1:1: unexpected <on>"},
	{"ignoring", "1:1: unexpected <ignoring>"},
	{"atan2", "1:1: unexpected <op:atan2>"},
	{"bool(foo)", "1:1: unexpected <bool>"},
	{"on(foo)", "1:1: unexpected <on>"},
	{"foo atan2", "1:10: unexpected end of input"},
	{"atan2 foo", "1:1: unexpected <op:atan2>"},
	{"foo and", "1:8: unexpected end of input"},
	{"and foo", "1:5: unexpected identifier \"foo\""},
	{"foo or or bar", "1:11: unexpected identifier \"bar\""},
	{"foo by (a)", "1:5: unexpected <by>"},
	{"foo without (a)", "1:5: unexpected <without>"},
	{"by (a)", "1:4: unexpected \"(\""},
	{"inf{a=\"b\"}", "1:4: unexpected \"{\""},
	{"inf(foo)", "1:4: unexpected \"(\""},
	{"nan[5m]", "1:4: ranges only allowed for vector selectors"},
	{"foo\\bar", "1:4: unexpected character: '\\\\'"},
	{"foo{\"bar\"}", "1:1: metric name must not be set twice: \"foo\" or \"bar\""},
	{"sum by (\"\") (foo)", "1:9: invalid label name for grouping: \"\""},
	{"{\"\"}", "1:1: vector selector must contain at least one non-empty matcher"},
	{"{\"a\"=}", "1:6: unexpected \"}\" in label matching, expected string"},
	{"{\"a\" \"b\"}",
		"1:6: unexpected string \"\\\"b\\\"\" in label matching, expected \",\" or \"}\""},
	{"foo[-5m]", "1:5: duration must be greater than 0"},
	{"foo[NaN]", "1:5: unexpected character in duration expression: 'N'"},
	{"foo[Inf]", "1:5: unexpected character in duration expression: 'I'"},
	{"foo[9223372037]", "1:5: duration out of range"},
	{"foo[5m + 1m]", "1:5: experimental duration expression is not enabled"},
	{"foo[5m*2+1m]", "1:5: experimental duration expression is not enabled"},
	{"foo[(5m)]", "1:6: experimental duration expression is not enabled"},
	{"foo[5m + ]",
		"1:10: unexpected \"]\" in subquery or range selector, expected number or duration"},
	{"foo[(5m]",
		"1:8: unexpected \"]\" in subquery or range selector, expected number or duration"},
	{"foo[5m:1m + 1m]", "1:8: experimental duration expression is not enabled"},
	{"foo[5m:(1m)]", "1:9: experimental duration expression is not enabled"},
	{"foo[5m:+]",
		"1:9: unexpected \"]\" in subquery selector, expected number or duration or \"]\""},
	{"foo[5m:-1m]", "1:8: duration must be greater than 0"},
	{"foo[5m:0]", "1:8: duration must be greater than 0"},
	{"foo[5m+1m*2]", "1:8: experimental duration expression is not enabled"},
	{"foo[5m)]", "1:8: unexpected right parenthesis ')'"},
	{"foo[2^1]", "1:5: experimental duration expression is not enabled"},
	{"foo[#c", "1:5: unexpected character in duration expression: '#'"},
	{"foo offset (5m)", "1:13: experimental duration expression is not enabled"},
	{"foo offset -(5m)", "1:14: experimental duration expression is not enabled"},
	{"foo offset NaN", "1:12: duration out of range"},
	{"foo offset Inf", "1:12: duration out of range"},
	{"foo offset 1e11", "1:12: duration out of range"},
	{"foo offset 300y", "1:12: duration out of range"},
	{"foo[1w1y]", "1:5: bad number or duration syntax: \"1w1\""},
	{"limitk(5, foo)",
		"1:1: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions"},
	{"limit_ratio(0.5, foo)",
		"1:1: limit_ratio() is experimental and must be enabled with --enable-feature=promql-experimental-functions"},
	{"limitk()", "1:1: no arguments for aggregate expression provided"},
	{"info(foo)", "1:1: function \"info\" is not enabled"},
	{"info(foo, {a=\"b\"})", "1:1: function \"info\" is not enabled"},
	{"mad_over_time(foo[5m])", "1:1: function \"mad_over_time\" is not enabled"},
	{"foo{a=\"b\" , # c", "1:16: unexpected end of input inside braces"},
	{"sum(step())", "1:5: unknown function with name \"step\""},
	{"foo[step()]", "1:5: unexpected character in duration expression: 's'"},
	{"foo[max(5m,1m)]", "1:5: unexpected character in duration expression: 'm'"},
	{"foo anchored", "1:5: unexpected identifier \"anchored\""},
	{"foo smoothed", "1:5: unexpected identifier \"smoothed\""},
	{"foo + fill(0) bar", "1:7: unknown function with name \"fill\""},
	{"fill(foo)", "1:1: unknown function with name \"fill\""},
	{"max_of(foo, bar)", "1:1: unknown function with name \"max_of\""},
};

static char *printed(const char *text)
{
	struct fw_arena arena = {0};
	struct fw_buf out = {0};
	struct fw_err err;
	struct node *node;
	if (promql_parse(text, &arena, &node, &err) == 0)
		promql_print(node, &out);
	else
		fw_buf_puts(&out, err.text);
	fw_arena_done(&arena);
	return (char *)out.data;
}

static void test_what_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		const char *wanted = taken[i].normal ? taken[i].normal : taken[i].text;
		char *first = printed(taken[i].text), *second = printed(first);
		if (strcmp(first, wanted) != 0)
			print_error("%s\n", taken[i].text);
		assert_string_equal(first, wanted);
		assert_string_equal(second, wanted);
		fw_free(first);
		fw_free(second);
	}
}

static void test_what_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		char wanted[1024];
		const char *why = strchr(refused[i].why, ' ');
		snprintf(wanted, sizeof wanted, "%.*s parse error:%s", (int)(why - refused[i].why),
			refused[i].why, why);
		char *got = printed(refused[i].text);
		if (strcmp(got, wanted) != 0)
			print_error("%s\n", refused[i].text);
		assert_string_equal(got, wanted);
		fw_free(got);
	}
}

static void test_lines_and_columns(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "unknown position: parse error: no expression found in input"},
		{" \n# nothing\n", "1:1: parse error: no expression found in input"},
		{"foo\n  bar", "2:3: parse error: unexpected identifier \"bar\""},
		{"sum(\n\n\nrate(foo))",
			"4:6: parse error: expected type range vector in call to function \"rate\", "
			"got instant vector"},
		{"foo +\r\n", "2:1: parse error: unexpected end of input"},
		{"\"a\nb\"", "1:1: parse error: unterminated quoted string"},
		{"foo{a=\"\xff\"}", "1:7: parse error: invalid UTF-8 rune"},
		{"foo \xff", "1:5: parse error: unexpected character: '\xef\xbf\xbd'"},
		{"\"\\000\"", "1:1: parse error: a string must be UTF-8 without zero bytes"},
		{"\"\\xff\"", "1:1: parse error: a string must be UTF-8 without zero bytes"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *got = printed(rows[i].text);
		assert_string_equal(got, rows[i].why);
		fw_free(got);
	}
}

/* ---- trees ---- */

static struct node *parse(struct fw_arena *arena, const char *text)
{
	struct node *node;
	struct fw_err err;
	if (promql_parse(text, arena, &node, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return node;
}

static void test_a_tree(void **state)
{
	(void)state;
	struct fw_arena arena = {0};
	struct node *node = parse(&arena,
		"sum by (a) (rate(foo{b=~\"c|\"}[5m] offset -1m @ 1.5)) / on (a) group_left (d) bar");
	assert_int_equal(node->kind, NODE_BINARY);
	assert_int_equal(node->type, PROMQL_VECTOR);
	assert_int_equal(node->binary.matching.cardinality, MANY_TO_ONE);
	assert_true(node->binary.matching.on);
	assert_string_equal(node->binary.matching.labels[0], "a");
	assert_string_equal(node->binary.matching.include[0], "d");
	assert_int_equal(node->depth, 4);
	assert_int_equal(node->binary.right->from, 77);
	assert_int_equal(node->binary.right->to, 80);
	const struct node *sum = node->binary.left;
	assert_int_equal(sum->from, 0);
	assert_int_equal(sum->to, 52);
	const struct node *foo = sum->aggregate.inner->call.arguments[0];
	assert_int_equal(foo->type, PROMQL_MATRIX);
	assert_int_equal(foo->from, 17);
	assert_int_equal(foo->to, 50);
	assert_int_equal(foo->selector.range_ms, 300000);
	assert_int_equal(foo->selector.when.offset_ms, -60000);
	assert_int_equal(foo->selector.when.at, AT_TIME);
	assert_int_equal(foo->selector.when.at_ms, 1500);
	assert_int_equal(foo->selector.n_matchers, 2);
	assert_true(foo->selector.matchers[0].takes_empty);
	assert_false(foo->selector.matchers[1].takes_empty);
	fw_arena_done(&arena);
}

static void test_sets_are_many_to_many(void **state)
{
	(void)state;
	struct fw_arena arena = {0};
	assert_int_equal(
		parse(&arena, "a and on (b) c")->binary.matching.cardinality, MANY_TO_MANY);
	assert_int_equal(parse(&arena, "a + on (b) c")->binary.matching.cardinality, ONE_TO_ONE);
	assert_int_equal(parse(&arena, "1 + 2")->type, PROMQL_SCALAR);
	assert_int_equal(parse(&arena, "(\"x\")")->type, PROMQL_STRING);
	assert_int_equal(parse(&arena, "a[1m:]")->type, PROMQL_MATRIX);
	fw_arena_done(&arena);
}

static void count(const struct node *node, void *arg)
{
	unsigned *counts = arg;
	counts[node->kind]++;
}

static void test_a_walk_sees_every_node(void **state)
{
	(void)state;
	struct fw_arena arena = {0};
	unsigned counts[NODE_CALL + 1] = {0};
	static const unsigned wanted[NODE_CALL + 1] = {
		[NODE_NUMBER] = 2,
		[NODE_STRING] = 2,
		[NODE_SELECTOR] = 4,
		[NODE_SUBQUERY] = 1,
		[NODE_PAREN] = 2,
		[NODE_UNARY] = 1,
		[NODE_BINARY] = 4,
		[NODE_AGGREGATE] = 1,
		[NODE_CALL] = 2,
	};
	node_walk(
		parse(&arena,
			"topk(2, -(a + b)) or max_over_time((label_join(c, \"x\", \"y\") == 0)[1m:])"
			" or d"),
		count, counts);
	assert_memory_equal(counts, wanted, sizeof wanted);
	fw_arena_done(&arena);
}

/* ---- limits ---- */

static char *repeated(const char *before, const char *piece, unsigned n, const char *after)
{
	struct fw_buf text = {0};
	fw_buf_puts(&text, before);
	for (unsigned i = 0; i < n; i++)
		fw_buf_puts(&text, piece);
	fw_buf_puts(&text, after);
	return (char *)text.data;
}

static void check_limit(
	const char *before, const char *piece, unsigned n, const char *after, const char *wanted)
{
	char *text = repeated(before, piece, n, after);
	char *got = printed(text);
	if (wanted ? !strstr(got, wanted) : strstr(got, "parse error") != NULL)
		fail_msg("%u times %s: %s", n, piece, got);
	fw_free(got);
	fw_free(text);
}

static void test_limits(void **state)
{
	(void)state;
	static const char deep[] = "more than 200 expressions within each other";
	check_limit("foo", " + foo", 199, "", NULL);
	check_limit("foo", " + foo", 200, "", deep);
	check_limit("", "-", 10000, "foo", deep);
	check_limit("", "-", 10000, "1", deep);
	check_limit("", "(", 10000, "", deep);
	check_limit("", "abs(", 10000, "", deep);
	check_limit("foo", "[1m:]", 250, "", deep);
	check_limit("foo", "^foo", 10000, "", deep);
	check_limit("foo offset ", "-", 10000, "1m", "experimental");
	check_limit("foo{", "a!=\"b\",", 63, "}", NULL);
	check_limit("foo{", "a!=\"b\",", 64, "}", "more than 64 matchers");
	check_limit("sum by (", "a,", 64, ") (foo)", NULL);
	check_limit("sum by (", "a,", 65, ") (foo)", "more than 64 labels in a list");
	check_limit("label_join(foo,\"\",\"\"", ",\"a\"", 61, ")", NULL);
	check_limit("label_join(foo,\"\",\"\"", ",\"a\"", 62, ")", "more than 64 arguments");
	check_limit("", " ", 65533, "foo", NULL);
	check_limit("", " ", 65534, "foo", "the expression is longer than 65536 bytes");
}

/* ---- match[] ---- */

static void test_plain_selectors(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why; /* NULL: taken */
		bool all;
	} rows[] = {
		{"foo", NULL, false},
		{"foo{a=\"b\"}", NULL, false},
		{"{a=\"b\"}", NULL, false},
		{"{}", NULL, true},
		{"{a=~\".*\",b!=\"c\"}", NULL, true},
		{"", "unknown position: parse error: unexpected end of input", false},
		{"foo[5m]", "1:4: parse error: unexpected \"[\"", false},
		{"foo offset 5m", "1:5: parse error: unexpected <offset>", false},
		{"foo + bar", "1:5: parse error: unexpected <op:+>", false},
		{"abs(foo)", "1:4: parse error: unexpected \"(\"", false},
		{"1", "1:1: parse error: unexpected number \"1\"", false},
		{"\"foo\"", "1:1: parse error: unexpected string \"\\\"foo\\\"\"", false},
		{"foo{a=~\"(\"}", "1:5: parse error: error parsing regexp: missing closing ): `(`",
			false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fw_arena arena = {0};
		struct fw_err err;
		struct node *node;
		int rc = promql_parse_selector(rows[i].text, &arena, &node, &err);
		if (rows[i].why)
			assert_string_equal(err.text, rows[i].why);
		else
			assert_int_equal(node_takes_all(node), rows[i].all);
		assert_int_equal(rc < 0, rows[i].why != NULL);
		fw_arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_lines_and_columns),
		cmocka_unit_test(test_a_tree),
		cmocka_unit_test(test_sets_are_many_to_many),
		cmocka_unit_test(test_a_walk_sees_every_node),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_plain_selectors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
