/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "template.h"

static struct fw_arena arena;

static int drop_arena(void **state)
{
	(void)state;
	fw_arena_done(&arena);
	return 0;
}

static const struct fw_label host_labels[] = {{"device", "sda"}, {"instance", "web01.site:9100"}};
static const struct label_set host = {host_labels, 2};

static int ask(void *arg, const char *query, struct fw_arena *memory,
	struct template_sample **samples, size_t *n, struct fw_err *err)
{
	static const struct fw_label a[] = {{"a", "1"}}, b[] = {{"a", "2"}};
	(void)arg;
	if (strcmp(query, "bad") == 0)
		return fw_fail(err, -22, "no such thing");
	*n = strcmp(query, "none") == 0 ? 0 : 2;
	*samples = fw_arena_alloc(memory, 2 * sizeof **samples);
	(*samples)[0] = (struct template_sample){{b, 1}, 20};
	(*samples)[1] = (struct template_sample){{a, 1}, 10.5};
	return 0;
}

static const char *expand(const char *text, double value)
{
	static const struct fw_label external[] = {{"site", "north"}};
	static const struct label_set outside = {external, 1};
	const struct template_data data = {
		.labels = &host,
		.external_labels = &outside,
		.external_url = "https://watch.example/fw",
		.value = value,
		.ask = ask,
	};
	struct template *template = NULL;
	struct fw_err err = {""};
	const char *out = NULL;
	if (template_parse("A", text, &arena, &template, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	template_expand(template, &data, &arena, &out);
	return out;
}

#define SAYS(text, value, expected) assert_string_equal(expand(text, value), expected)

static void test_labels_and_values(void **state)
{
	(void)state;
	SAYS("plain", 1, "plain");
	SAYS("{{ $labels.instance }} {{$labels.none}}|", 1, "web01.site:9100 |");
	SAYS("{{ $labels }}", 1, "map[device:sda instance:web01.site:9100]");
	SAYS("{{ .Labels.device }} {{ .Value }} {{ $externalLabels.site }} {{ $externalURL }}", 1.5,
		"sda 1.5 north https://watch.example/fw");
	SAYS("{{ $value }}", 100000, "100000");
	SAYS("{{ $value }}", 1000000, "1e+06");
	SAYS("{{ $value }}", 0.00009, "9e-05");
	SAYS("{{ $value }} {{ printf \"%.2f %8.1f\" $value $value }}", NAN, "NaN NaN      NaN");
	SAYS("{{ $value }}", INFINITY, "+Inf");
}

static void test_trims_and_comments(void **state)
{
	(void)state;
	SAYS("a {{- 1 }} b", 1, "a1 b");
	SAYS("a {{ 1 -}}  \n b", 1, "a 1b");
	SAYS("{{ 0b11 }} {{ -0b1 }} {{ 0o17 }} {{ 017 }} {{ 0x1F }} {{ 1_0 }} {{ 0x1p4 }}", 1,
		"3 -1 15 15 31 10 16");
	SAYS("a{{/* none */}}b {{- /* none */ -}} c", 1, "abc");
	SAYS("{{ `raw \\n` }}{{ \"x\\ty\\u00e9\" }}{{ 'a' }}", 1,
		"raw \\nx\ty\xc3\xa9"
		"97");
}

static void test_humanize(void **state)
{
	(void)state;
	SAYS("{{ $value | humanize }}", 1234567, "1.235M");
	SAYS("{{ $value | humanize }}", 0, "0");
	SAYS("{{ $value | humanize }}", 0.0123, "12.3m");
	SAYS("{{ $value | humanize }}", -INFINITY, "-Inf");
	SAYS("{{ humanize \"1e9\" }}", 1, "1G");
	SAYS("{{ $value | humanize1024 }}", 1048576, "1Mi");
	SAYS("{{ $value | humanizePercentage }}", 0.123456, "12.35%");
	SAYS("{{ $value | humanizeDuration }}", 1000000, "11d 13h 46m 40s");
	SAYS("{{ $value | humanizeDuration }}", 899.99, "14m 59s");
	SAYS("{{ $value | humanizeDuration }}", 1.5, "1.5s");
	SAYS("{{ $value | humanizeDuration }}", 0.00001234, "12.34us");
	SAYS("{{ $value | humanizeTimestamp }}", 1435065584.128,
		"2015-06-23 13:19:44.128 +0000 UTC");
	SAYS("{{ $value | humanizeTimestamp }}", 0, "1970-01-01 00:00:00 +0000 UTC");
	SAYS("{{ parseDuration \"1h30m\" }}", 1, "5400");
}

static void test_printf(void **state)
{
	(void)state;
	SAYS("{{ printf \"%d\" $value }}", 1e6, "%!d(float64=1e+06)");
	SAYS("{{ printf \"%s|%q|%5s|%-5s|%v\" \"a\" \"b\\\"\" \"c\" \"d\" true }}", 1,
		"a|\"b\\\"\"|    c|d    |true");
	SAYS("{{ printf \"%d %05d %x %+d %c %t\" 7 42 255 5 65 false }}", 1,
		"7 00042 ff +5 A false");
	SAYS("{{ printf \"%d %s\" 1 }}", 1, "1 %!s(MISSING)");
	SAYS("{{ printf \"x\" 1 \"y\" }}", 1, "x%!(EXTRA int=1, string=y)");
	SAYS("{{ printf \"%.3s %% %T\" \"abcdef\" $value }}", 1, "abc % float64");
	SAYS("{{ print 1 2 \"x\" 3 }}{{ println 1 }}", 1, "1 2x31\n");
}

static void test_texts(void **state)
{
	(void)state;
	SAYS("{{ title \"some words\" }} {{ toUpper \"ab\" }} {{ toLower \"AB\" }}", 1,
		"Some Words AB ab");
	SAYS("{{ $labels.instance | stripPort }} {{ $labels.instance | stripDomain }}", 1,
		"web01.site web01:9100");
	SAYS("{{ stripDomain \"10.0.0.1:80\" }} {{ stripPort \"[::1]:80\" }}", 1,
		"10.0.0.1:80 ::1");
	SAYS("{{ match \"b+\" \"abbc\" }} {{ match \"^b\" \"abc\" }}", 1, "true false");
	SAYS("{{ reReplaceAll \"(.*)\\\\.site:.*\" \"host-$1\" $labels.instance }}", 1,
		"host-web01");
	SAYS("{{ reReplaceAll \"a*\" \"-\" \"baac\" }}", 1, "-b-c-");
	SAYS("{{ graphLink \"up == 1\" }}", 1, "/graph?g0.expr=up+%3D%3D+1&g0.tab=0");
	SAYS("{{ pathPrefix }} {{ html \"<a>\" }} {{ urlquery \"a b\" }}", 1, "/fw &lt;a&gt; a+b");
}

static void test_branches(void **state)
{
	(void)state;
	SAYS("{{ if gt $value 10.0 }}high{{ else if gt $value 5.0 }}middle{{ else }}low{{ end }}",
		7, "middle");
	SAYS("{{ with $labels.none }}{{ . }}{{ else }}none{{ end }}", 1, "none");
	SAYS("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", 1, "2");
	SAYS("{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}", 1,
		"device=sda;instance=web01.site:9100;");
	SAYS("{{ range query \"none\" }}x{{ else }}empty{{ end }}", 1, "empty");
	SAYS("{{ range $i, $s := query \"x\" }}{{ if $i }}{{ break }}{{ end }}{{ $s.Value }}{{ end }}",
		1, "20");
	SAYS("{{ define \"t\" }}<{{ .arg0 }}{{ .arg1 }}>{{ end }}{{ template \"t\" args 1 \"b\" }}",
		1, "<1b>");
	SAYS("{{ and 1 0 2 }} {{ or 0 \"\" \"x\" }} {{ not 0 }} {{ eq 1 2 1 }} {{ ne \"a\" \"b\" }}",
		1, "0 x true true true");
	SAYS("{{ len $labels }} {{ index $labels \"device\" }} {{ slice \"abcd\" 1 3 }}", 1,
		"2 sda bc");
}

static void test_questions(void **state)
{
	(void)state;
	SAYS("{{ query \"x\" | sortByLabel \"a\" | first | value }}", 1, "10.5");
	SAYS("{{ range query \"x\" }}{{ . | label \"a\" }}:{{ .Value }} {{ end }}", 1,
		"2:20 1:10.5 ");
	SAYS("{{ with query \"x\" }}{{ (first .).Labels.a }}{{ end }}", 1, "2");
}

/* Words and columns are Go's. */
static void test_what_fails_says_so(void **state)
{
	(void)state;
	SAYS("{{ humanize \"abc\" }}", 1,
		"<error expanding template: error executing template __alert_A: template: __alert_A:1:115: executing \"__alert_A\" at <humanize \"abc\">: error calling humanize: strconv.ParseFloat: parsing \"abc\": invalid syntax>");
	SAYS("{{ query \"none\" | first | value }}", 1,
		"<error expanding template: error executing template __alert_A: template: __alert_A:1:130: executing \"__alert_A\" at <first>: error calling first: first() called on vector with no elements>");
	SAYS("{{ if gt $value 10 }}x{{ end }}", 1,
		"<error expanding template: error executing template __alert_A: template: __alert_A:1:118: executing \"__alert_A\" at <gt $value 10>: error calling gt: incompatible types for comparison>");
	assert_non_null(
		strstr(expand("{{ query \"bad\" }}", 1), "error calling query: no such thing>"));
	assert_non_null(strstr(expand("{{ .Foo }}", 1), "can't evaluate field Foo in type struct"));
	assert_non_null(strstr(expand("{{ toUpper 1 }}", 1), "expected string; found 1>"));
	assert_non_null(strstr(expand("{{ $value | toUpper }}", 1),
		"wrong type for value; expected string; got float64>"));
	assert_non_null(strstr(expand("{{ humanize }}", 1), "wrong number of args for humanize"));
	assert_non_null(strstr(expand("{{ template \"x\" }}", 1), "template \"x\" not defined>"));
}

static void test_what_has_no_end_is_ended(void **state)
{
	(void)state;
	assert_non_null(strstr(expand("{{ range 1000000000 }}{{ end }}", 1), "steps>"));
	assert_non_null(strstr(
		expand("{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}", 1),
		"maximum template depth"));
	assert_non_null(strstr(
		expand("{{ $x := \"aaaaaaaaaaaaaaaa\" }}{{ range 40 }}{{ $x = print $x $x }}{{ end }}",
			1),
		"too long>"));
}

static void test_mistakes_are_found_when_it_is_read(void **state)
{
	static const char *const bad[][2] = {
		{"{{ foo }}", "function \"foo\" not defined"},
		{"{{ $x }}", "undefined variable \"$x\""},
		{"{{ 1", "unclosed action"},
		{"{{ if true }}", "unexpected EOF"},
		{"{{ end }}", "unexpected {{end}}"},
		{"{{ else }}", "unexpected {{else}}"},
		{"{{ (1 }}", "unclosed left paren"},
		{"{{ 1 | 2 }}", "non executable command in pipeline stage 2"},
		{"{{ }}", "missing value for command"},
		{"{{ \"x }}", "unterminated quoted string"},
		{"{{ break }}", "{{break}} outside {{range}}"},
		{"{{ 1.2.3 }}", "bad number syntax: \"1.2.3\""},
		{"{{ 0b2 }}", "bad number syntax: \"0b2\""},
		{"{{ 08 }}", "integer overflow: \"08\""},
		{"{{ 1e400 }}", "illegal number syntax: \"1e400\""},
		{"{{ $a, $b := . }}", "too many declarations in command"},
		{"{{/* }}", "unclosed comment"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct template *template;
		struct fw_err err = {""};
		assert_int_equal(template_parse("A", bad[i][0], &arena, &template, &err), -22);
		assert_string_equal(err.text, bad[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_labels_and_values, drop_arena),
		cmocka_unit_test_teardown(test_trims_and_comments, drop_arena),
		cmocka_unit_test_teardown(test_humanize, drop_arena),
		cmocka_unit_test_teardown(test_printf, drop_arena),
		cmocka_unit_test_teardown(test_texts, drop_arena),
		cmocka_unit_test_teardown(test_branches, drop_arena),
		cmocka_unit_test_teardown(test_questions, drop_arena),
		cmocka_unit_test_teardown(test_what_fails_says_so, drop_arena),
		cmocka_unit_test_teardown(test_what_has_no_end_is_ended, drop_arena),
		cmocka_unit_test_teardown(test_mistakes_are_found_when_it_is_read, drop_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
