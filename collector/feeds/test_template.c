/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/mem.h>

static const struct notice_pair labels[] = {
	{"alertname", "A"},
	{"device", "../../admin?x=1&y=2#z"},
	{"dots", ".."},
	{"instance", "web01"},
	{"hostile", "\"}, \"admin\": true, {\"x\": \"\r\nX-Evil: 1\xe2\x80\xa8"},
	{"page", "<!-- &lt; '\">"},
	{"severity", "critical"},
};
static const struct notice_pair annotations[] = {{"summary",
	"gr\xc3\xb6\xc3\x9f"
	"er {{token}}"}};

static const struct notice notice = {
	.key = "fw1-1",
	.status = "firing",
	.receiver = "desk",
	.starts_ms = INT64_C(1795341600000),
	.labels = labels,
	.n_labels = 7,
	.annotations = annotations,
	.n_annotations = 1,
	.generator_url = "http://collector/alerts",
	.receipt = "0042",
};
static const struct template_values values = {&notice, "1", "secret/a?b=c"};

static void expect(enum template_context context, const char *text, const char *expected)
{
	struct fw_buf out = {0};
	struct fw_err err;
	if (template_check(text, &err) < 0)
		fail_msg("%s", err.text);
	template_fill(&out, text, &values, context);
	assert_string_equal(out.data ? (char *)out.data : "", expected);
	fw_buf_done(&out);
}

static void test_holes_are_filled_by_their_context(void **arg)
{
	(void)arg;
	expect(TEMPLATE_HEADER, "no hole", "no hole");
	expect(TEMPLATE_HEADER, "Bearer {{token}}", "Bearer secret/a?b=c");
	expect(TEMPLATE_HEADER, "Basic {{token|base64}}", "Basic c2VjcmV0L2E/Yj1j");
	expect(TEMPLATE_HEADER, "<pre>{{labels.page | html}}</pre>",
		"<pre>&#60;!-- &#38;lt; &#39;&#34;&#62;</pre>");
	expect(TEMPLATE_HEADER, "{{labels.hostile}}",
		"\"}, \"admin\": true, {\"x\": \"  X-Evil: 1 ");
	expect(TEMPLATE_URL, "https://x/{{labels.device}}",
		"https://x/..%2F..%2Fadmin%3Fx%3D1%26y%3D2%23z");
	expect(TEMPLATE_URL, "https://x/{{labels.dots}}/y", "https://x/%2E%2E/y");
	expect(TEMPLATE_URL, "https://x/{{token}}", "https://x/secret/a?b=c");
	expect(TEMPLATE_FORM, "{{ summary | cut 4 }}+", "gr%C3%B6%C3%9F%2B");
	expect(TEMPLATE_FORM, "{{labels.none}}{{priority}}{{ends_at}}", "");
	expect(TEMPLATE_FORM, "{{key}} {{status}} {{severity}} {{level}} {{ticket}} {{feed}}",
		"fw1-1%20firing%20critical%201%200042%20desk");
	expect(TEMPLATE_HEADER, "{{starts_at}}", "2026-11-22T10:00:00.000Z");
	/* What comes from a host is no template. */
	expect(TEMPLATE_HEADER, "{{summary}}",
		"gr\xc3\xb6\xc3\x9f"
		"er {{token}}");
}

static void test_mistakes_are_named(void **arg)
{
	static const struct {
		const char *text, *word;
	} cases[] = {
		{"{{summary", "without '}}'"},
		{"{{}}", "no name"},
		{"{{sumary}}", "{{summary}}?"},
		{"{{labels.}}", "labels."},
		{"{{summary|upper}}", "cut N, number, base64 and html"},
		{"{{summary|cut}}", "cut N"},
		{"{{summary|number 3}}", "cut N"},
		{"{{a b}}", "no name"},
	};
	struct fw_err err;
	(void)arg;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(template_check(cases[i].text, &err), -EINVAL);
		if (!strstr(err.text, cases[i].word))
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

static void expect_json(const char *yaml, const char *expected)
{
	struct fw_arena arena = {0};
	const struct fw_yaml *root;
	assert_int_equal(fw_yaml_parse(yaml, strlen(yaml), &arena, &root, NULL), 0);
	json_t *json = template_json(root, &values);
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	assert_string_equal(text ? text : "none", expected);
	free(text);
	json_decref(json);
	fw_arena_done(&arena);
}

static void test_a_tree_becomes_json(void **arg)
{
	(void)arg;
	expect_json(
		"{a: 1, b: -2.5, c: true, d: null, e: '1', f: \"true\", g: word, h: [1, {i: x}]}",
		"{\"a\":1,\"b\":-2.5,\"c\":true,\"d\":null,\"e\":\"1\",\"f\":\"true\",\"g\":\"word\","
		"\"h\":[1,{\"i\":\"x\"}]}");
	expect_json("{a: '{{level|number}}', b: '{{level}}', c: '{{ticket|number}}'}",
		"{\"a\":1,\"b\":\"1\",\"c\":42}");
	expect_json("{a: '{{summary|number}}', b: ' {{level|number}}', c: '{{level|number}}.'}",
		"{\"a\":\"gr\xc3\xb6\xc3\x9f"
		"er {{token}}\",\"b\":\" 1\",\"c\":\"1.\"}");
	expect_json("{a: '{{labels.instance}}/{{labels.alertname}}'}", "{\"a\":\"web01/A\"}");
}

static void test_no_value_breaks_out_of_json(void **arg)
{
	(void)arg;
	expect_json("{a: '{{labels.hostile}}'}",
		"{\"a\":\"\\\"}, \\\"admin\\\": true, {\\\"x\\\": \\\"\\r\\nX-Evil: 1\xe2\x80\xa8\"}");
}

static void test_what_is_used(void **arg)
{
	(void)arg;
	assert_true(template_uses("a {{ ticket }}", "ticket"));
	assert_true(template_uses("a {{key}} {{ticket|number}}", "ticket"));
	assert_false(template_uses("ticket {{key}}", "ticket"));
	assert_false(template_tree_uses(NULL, "ticket"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holes_are_filled_by_their_context),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_a_tree_becomes_json),
		cmocka_unit_test(test_no_value_breaks_out_of_json),
		cmocka_unit_test(test_what_is_used),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
