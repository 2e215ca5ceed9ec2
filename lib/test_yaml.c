/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/conf.h>

static struct fw_arena arena;

static int drop_arena(void **state)
{
	(void)state;
	fw_arena_done(&arena);
	return 0;
}

static const struct fw_yaml *parse(const char *text)
{
	struct fw_err err = {0};
	const struct fw_yaml *root = NULL;
	if (fw_yaml_parse(text, strlen(text), &arena, &root, &err) < 0)
		fail_msg("%s", err.text);
	return root;
}

static void assert_refused(const char *text, const char *sentence)
{
	struct fw_err err = {0};
	const struct fw_yaml *root = NULL;
	assert_int_equal(fw_yaml_parse(text, strlen(text), &arena, &root, &err), -EINVAL);
	assert_string_equal(err.text, sentence);
	assert_null(root);
}

static void test_nodes_know_their_kind_and_line(void **state)
{
	(void)state;
	const struct fw_yaml *root = parse("name: web01\n"
					   "port: \"7443\"\n"
					   "list:\n"
					   "  - one\n"
					   "  - {inner: [x]}\n"
					   "empty:\n");
	assert_int_equal(fw_yaml_kind(root), FW_YAML_MAPPING);
	assert_int_equal(fw_yaml_count(root), 4);
	assert_string_equal(fw_yaml_text(fw_yaml_get(root, "name")), "web01");
	assert_false(fw_yaml_is_quoted(fw_yaml_get(root, "name")));
	assert_true(fw_yaml_is_quoted(fw_yaml_get(root, "port")));
	assert_string_equal(fw_yaml_text(fw_yaml_key(root, 2)), "list");
	assert_string_equal(fw_yaml_text(fw_yaml_item(root, 3)), "");
	assert_null(fw_yaml_get(root, "absent"));
	const struct fw_yaml *list = fw_yaml_get(root, "list");
	assert_int_equal(fw_yaml_kind(list), FW_YAML_SEQUENCE);
	assert_null(fw_yaml_text(list));
	assert_null(fw_yaml_get(list, "one"));
	assert_int_equal(fw_yaml_line(fw_yaml_item(list, 1)), 5);
	assert_int_equal(fw_yaml_count(fw_yaml_get(fw_yaml_item(list, 1), "inner")), 1);
}

static void test_nothing_is_an_empty_mapping(void **state)
{
	(void)state;
	assert_int_equal(fw_yaml_kind(parse("")), FW_YAML_MAPPING);
	assert_int_equal(fw_yaml_count(parse("# only a comment\n")), 0);
}

static void test_many_items_keep_their_order(void **state)
{
	(void)state;
	struct fw_buf text = {0};
	for (int i = 0; i < 5000; i++)
		fw_buf_printf(&text, "k%d: v%d\n", i, i);
	const struct fw_yaml *root = parse((char *)text.data);
	assert_int_equal(fw_yaml_count(root), 5000);
	assert_string_equal(fw_yaml_text(fw_yaml_key(root, 4999)), "k4999");
	assert_string_equal(fw_yaml_text(fw_yaml_item(root, 4999)), "v4999");
	fw_buf_done(&text);
}

static void test_what_could_hide_is_refused(void **state)
{
	(void)state;
	assert_refused("a: &x 1\nb: *x\n", "line 1: anchors are not allowed here");
	assert_refused("a: 1\nb: *x\n", "line 2: aliases are not allowed here");
	assert_refused("a: !!str 1\n", "line 1: tags are not allowed here");
	assert_refused("a: !x [1]\n", "line 1: tags are not allowed here");
	assert_refused("a: 1\n---\nb: 1\n", "line 2: a second document is not allowed here");
	assert_refused("[a]: 1\n", "line 1: a key must be a text");
	assert_refused("a: \"x\\0y\"\n", "line 1: a text may not hold a NUL character");
	assert_refused("a: 1\nb: 2\na: 3\n", "line 3: key 'a' is given twice, first in line 1");
	assert_refused(
		"o:\n  x: 1\n  y: 1\n  x: 1\n", "line 4: key 'x' is given twice, first in line 2");
}

static void test_syntax_errors_say_where(void **state)
{
	(void)state;
	assert_refused(
		"a: 1\nb\n", "line 3: while scanning a simple key, could not find expected ':'");
	assert_refused("a: [1, 2\n",
		"line 2: while parsing a flow sequence, did not find expected ',' or ']'");
	assert_refused("a: \x80\n", "byte 3: invalid leading UTF-8 octet");
}

static void put_nested(struct fw_buf *text, int depth)
{
	for (int i = 0; i < depth; i++)
		fw_buf_putc(text, '[');
	for (int i = 0; i < depth; i++)
		fw_buf_putc(text, ']');
}

static void test_depth_is_limited(void **state)
{
	(void)state;
	struct fw_buf text = {0};
	put_nested(&text, 16);
	parse((char *)text.data);
	fw_buf_reset(&text);
	put_nested(&text, 17);
	assert_refused((char *)text.data, "line 1: nested more than 16 deep");
	fw_buf_done(&text);
}

static void test_nodes_are_limited(void **state)
{
	(void)state;
	struct fw_buf text = {0};
	for (int i = 0; i < 99999; i++)
		fw_buf_puts(&text, "- 1\n");
	parse((char *)text.data);
	fw_buf_puts(&text, "- 1\n");
	assert_refused((char *)text.data, "line 100000: more than 100,000 values");
	fw_buf_done(&text);
}

static void test_size_is_limited(void **state)
{
	(void)state;
	struct fw_err err = {0};
	const struct fw_yaml *root;
	struct fw_buf text = {0};
	while (text.length < 1 << 20)
		fw_buf_putc(&text, '#');
	assert_int_equal(fw_yaml_parse((char *)text.data, text.length, &arena, &root, &err), 0);
	fw_buf_putc(&text, '#');
	assert_int_equal(
		fw_yaml_parse((char *)text.data, text.length, &arena, &root, &err), -EFBIG);
	assert_string_equal(err.text, "line 1: the text is larger than 1 MiB");
	fw_buf_done(&text);
}

static const struct fw_yaml *parse_foreign(const char *text)
{
	const struct fw_yaml *root = NULL;
	struct fw_err err = {""};
	if (fw_yaml_parse_foreign(text, strlen(text), &arena, &root, &err) < 0)
		fail_msg("%s", err.text);
	return root;
}

static void assert_foreign_refused(const char *text, const char *sentence)
{
	const struct fw_yaml *root;
	struct fw_err err = {""};
	assert_int_equal(fw_yaml_parse_foreign(text, strlen(text), &arena, &root, &err), -EINVAL);
	assert_string_equal(err.text, sentence);
}

static void test_foreign_files_have_aliases(void **state)
{
	(void)state;
	const struct fw_yaml *root = parse_foreign("a: &x {k: 1}\nb: *x\nc: !tag 2\nd: !!str 3\n");
	assert_ptr_equal(fw_yaml_get(root, "a"), fw_yaml_get(root, "b"));
	assert_false(fw_yaml_is_quoted(fw_yaml_get(root, "c")));
	assert_true(fw_yaml_is_quoted(fw_yaml_get(root, "d")));
	parse_foreign("a: 1\n--- [not read\n");
	assert_foreign_refused("a: *x\n", "line 1: there is no anchor of this name before it");
	assert_foreign_refused("a: &x [*x]\n", "line 1: there is no anchor of this name before it");
}

static void test_foreign_files_merge(void **state)
{
	(void)state;
	const struct fw_yaml *root = parse_foreign("a: &a {k: 1, l: 2}\n"
						   "b: &b {l: 3, m: 4}\n"
						   "c: {<<: [*a, *b], k: 5}\n"
						   "d: {'<<': 6}\n");
	const struct fw_yaml *c = fw_yaml_get(root, "c");
	assert_int_equal(fw_yaml_count(c), 3);
	assert_string_equal(fw_yaml_text(fw_yaml_get(c, "k")), "5");
	assert_string_equal(fw_yaml_text(fw_yaml_get(c, "l")), "2");
	assert_string_equal(fw_yaml_text(fw_yaml_get(c, "m")), "4");
	assert_string_equal(fw_yaml_text(fw_yaml_get(fw_yaml_get(root, "d"), "<<")), "6");
	assert_foreign_refused("a: {<<: 1}\n", "line 1: '<<' takes a mapping, or a list of them");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_nodes_know_their_kind_and_line, drop_arena),
		cmocka_unit_test_teardown(test_nothing_is_an_empty_mapping, drop_arena),
		cmocka_unit_test_teardown(test_many_items_keep_their_order, drop_arena),
		cmocka_unit_test_teardown(test_what_could_hide_is_refused, drop_arena),
		cmocka_unit_test_teardown(test_syntax_errors_say_where, drop_arena),
		cmocka_unit_test_teardown(test_depth_is_limited, drop_arena),
		cmocka_unit_test_teardown(test_nodes_are_limited, drop_arena),
		cmocka_unit_test_teardown(test_size_is_limited, drop_arena),
		cmocka_unit_test_teardown(test_foreign_files_have_aliases, drop_arena),
		cmocka_unit_test_teardown(test_foreign_files_merge, drop_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
