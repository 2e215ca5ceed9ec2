/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>

#include "rulefile.h"

static struct fw_arena arena;

static int drop_arena(void **state)
{
	(void)state;
	fw_arena_done(&arena);
	return 0;
}

static struct rulefile parse(const char *text, struct problems *problems)
{
	struct rulefile file;
	*problems = (struct problems){.arena = &arena};
	rulefile_parse("x.yml", text, strlen(text), &arena, &file, problems);
	return file;
}

static void assert_refused(const char *text, unsigned line, const char *sentence)
{
	struct problems problems;
	parse(text, &problems);
	assert_int_equal(problems.n, 1);
	assert_int_equal(problems.items[0].line, line);
	assert_string_equal(problems.items[0].text, sentence);
}

static void test_a_whole_file(void **state)
{
	static const char text[] = "groups:\n"
				   "- name: g\n"
				   "  interval: 30s\n"
				   "  limit: 10\n"
				   "  query_offset: 5s\n"
				   "  labels: {team: net, severity: info}\n"
				   "  rules:\n"
				   "  - record: job:up:sum\n"
				   "    expr: sum by (job) (up)\n"
				   "  - alert: Down\n"
				   "    expr: >-\n"
				   "      up\n"
				   "      == 0\n"
				   "    for: 1h30m\n"
				   "    keep_firing_for: 10m\n"
				   "    labels: {severity: page}\n"
				   "    annotations:\n"
				   "      summary: '{{ $labels.instance }} is down'\n";
	struct problems problems;
	(void)state;
	struct rulefile file = parse(text, &problems);
	assert_int_equal(problems.n, 0);
	assert_int_equal(file.n_groups, 1);
	assert_int_equal(file.n_rules, 2);
	const struct file_group *group = &file.groups[0];
	assert_int_equal(group->interval_ms, 30000);
	assert_int_equal(group->offset_ms, 5000);
	assert_int_equal(group->limit, 10);
	assert_false(group->rules[0].is_alert);
	assert_string_equal(group->rules[0].name, "job:up:sum");
	assert_int_equal(group->rules[0].labels.n, 2); /* the group's */
	const struct file_rule *rule = &group->rules[1];
	assert_true(rule->is_alert);
	assert_string_equal(rule->expr, "up == 0");
	assert_int_equal(rule->for_ms, 5400000);
	assert_int_equal(rule->keep_firing_ms, 600000);
	assert_int_equal(rule->line, 10);
	assert_string_equal(rule->labels.items[0].name, "severity");
	assert_string_equal(rule->labels.items[0].text, "page"); /* the rule's word wins */
	assert_non_null(rule->annotations.items[0].template);
}

static void test_nothing_is_a_file_too(void **state)
{
	struct problems problems;
	(void)state;
	parse("", &problems);
	assert_int_equal(problems.n, 0);
	parse("groups:\n", &problems);
	assert_int_equal(problems.n, 0);
	parse("groups: [{name: x, rules: [null]}]\n---\nwhat comes after is not read: [",
		&problems);
	assert_int_equal(problems.n, 0);
}

static void test_anchors_and_merges(void **state)
{
	static const char text[] = "groups:\n"
				   "- name: g\n"
				   "  rules:\n"
				   "  - &down\n"
				   "    alert: Down\n"
				   "    expr: &e up == 0\n"
				   "    labels: &l {severity: page}\n"
				   "  - <<: *down\n"
				   "    alert: Gone\n"
				   "    labels:\n"
				   "      <<: *l\n"
				   "      team: net\n"
				   "  - {record: r, expr: *e}\n";
	struct problems problems;
	(void)state;
	struct rulefile file = parse(text, &problems);
	assert_int_equal(problems.n, 0);
	assert_string_equal(file.groups[0].rules[1].name, "Gone");
	assert_string_equal(file.groups[0].rules[1].expr, "up == 0");
	assert_int_equal(file.groups[0].rules[1].labels.n, 2);
	assert_string_equal(file.groups[0].rules[2].expr, "up == 0");
}

#define IN_GROUP(text) "groups:\n- name: g\n  " text
#define IN_RULE(text) "groups:\n- name: g\n  rules:\n  - " text

static void test_mistakes_have_a_line_and_a_sentence(void **state)
{
	(void)state;
	assert_refused(
		"group:\n", 1, "unknown field 'group' in a rule file; did you mean 'groups'?");
	assert_refused(IN_GROUP("intervall: 1m"), 3,
		"unknown field 'intervall' in a group; did you mean 'interval'?");
	assert_refused(IN_GROUP("interval: 5"), 3,
		"'5' is not a duration; write it like 30s, 5m or 1h30m");
	assert_refused(IN_GROUP("limit: '5'"), 3, "'5' is not a number");
	assert_refused(IN_GROUP("rules: {}"), 3, "'rules' must be a list");
	assert_refused(
		"groups: [{name: a}, {name: a}]", 1, "group 'a' is there twice, first in line 1");
	assert_refused("groups: [{rules: []}]", 1, "a group needs a 'name'");
	assert_refused(IN_RULE("{expr: up}"), 4, "a rule needs 'record' or 'alert'");
	assert_refused(IN_RULE("{record: a, alert: b, expr: up}"), 4,
		"a rule has either 'record' or 'alert', not both");
	assert_refused(IN_RULE("{record: a}"), 4, "rule 'a' needs an 'expr'");
	assert_refused(
		IN_RULE("{record: a-b, expr: up}"), 4, "invalid metric name 'a-b' in 'record'");
	assert_refused(
		IN_RULE("{record: a, expr: up, for: 1m}"), 4, "a recording rule has no 'for'");
	assert_refused(IN_RULE("{record: a, expr: up, annotations: {b: c}}"), 4,
		"a recording rule has no 'annotations'");
	assert_refused(IN_RULE("{alert: a, expr: up, labels: {__name__: x}}"), 4,
		"invalid label name '__name__'");
	assert_refused(IN_RULE("{alert: a, expr: up, annotations: {a-b: x}}"), 4,
		"invalid annotation name 'a-b'");
	assert_refused(IN_RULE("{alert: a, expr: up, labels: {b: '{{ foo }}'}}"), 4,
		"rule 'a': label 'b': function \"foo\" not defined");
	assert_refused(IN_RULE("{alert: a, expr: 'up =='}"), 4,
		"rule 'a': could not parse expression: 1:6: parse error: unexpected end of input");
	assert_refused(IN_RULE("{alert: a,\n    labels: {b: c},\n    expr: 'up =='}"), 6,
		"rule 'a': could not parse expression: 1:6: parse error: unexpected end of input");
	assert_refused(IN_RULE("{alert: a, alert: b, expr: up}"), 4,
		"key 'alert' is given twice, first in line 4");
}

static void test_all_mistakes_are_said(void **state)
{
	struct problems problems;
	(void)state;
	parse("groups:\n- name: g\n  foo: 1\n  rules:\n  - bar: 1\n  - {record: a}\n", &problems);
	assert_int_equal(problems.n_errors, 5);
}

static void test_an_alias_of_aliases_is_bounded(void **state)
{
	struct problems problems;
	struct fw_buf text = {0};
	(void)state;
	fw_buf_puts(&text, "groups:\n- &a0 {name: x, rules: [null, null, null, null]}\n");
	for (int i = 1; i < 12; i++)
		fw_buf_printf(
			&text, "- &a%d [*a%d, *a%d, *a%d, *a%d]\n", i, i - 1, i - 1, i - 1, i - 1);
	parse((const char *)text.data, &problems);
	assert_int_equal(problems.n, 1);
	assert_string_equal(problems.items[0].text, "more than 100,000 values");
	fw_buf_done(&text);
}

static void test_doubles_are_a_warning(void **state)
{
	struct problems problems;
	(void)state;
	struct rulefile file = parse(
		"groups:\n- name: g\n  rules:\n  - {record: a, expr: b}\n  - {record: a, expr: c}\n",
		&problems);
	rulefile_find_doubles(&file, &problems);
	assert_int_equal(problems.n_errors, 0);
	assert_int_equal(problems.n, 1);
	assert_string_equal(
		problems.items[0].text, "rule 'a' has the name and labels of the one in line 4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_whole_file, drop_arena),
		cmocka_unit_test_teardown(test_nothing_is_a_file_too, drop_arena),
		cmocka_unit_test_teardown(test_anchors_and_merges, drop_arena),
		cmocka_unit_test_teardown(test_mistakes_have_a_line_and_a_sentence, drop_arena),
		cmocka_unit_test_teardown(test_all_mistakes_are_said, drop_arena),
		cmocka_unit_test_teardown(test_an_alias_of_aliases_is_bounded, drop_arena),
		cmocka_unit_test_teardown(test_doubles_are_a_warning, drop_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
