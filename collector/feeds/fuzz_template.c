/* SPDX-License-Identifier: Apache-2.0 */
/* A host's text in the holes of a template, and a desk's answer. Whatever the text, the JSON
 * has the same shape and gives it back. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "pointer.h"
#include "template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char yaml[] =
	"{whole: '{{labels.x}}', part: '<{{labels.x}}>', n: '{{labels.x|number}}'}";

static void check_json(const struct template_values *values, const char *text)
{
	struct fw_arena arena = {0};
	const struct fw_yaml *root;
	if (fw_yaml_parse(yaml, strlen(yaml), &arena, &root, NULL) < 0)
		abort();
	json_t *json = template_json(root, values);
	char *sent = json ? json_dumps(json, 0) : NULL;
	json_t *back = sent ? json_loads(sent, 0, NULL) : NULL;
	assert(fw_utf8_valid(text, strlen(text)) == (back != NULL));
	if (back) {
		assert(json_object_size(back) == 3);
		const char *whole = json_string_value(json_object_get(back, "whole"));
		assert(strcmp(whole, text) == 0);
	}
	json_decref(back);
	free(sent);
	json_decref(json);
	fw_arena_done(&arena);
}

static void check_lines(const struct template_values *values)
{
	for (int context = TEMPLATE_URL; context <= TEMPLATE_HEADER; context++) {
		struct fw_buf out = {0};
		template_fill(&out, "a{{labels.x}}", values, (enum template_context)context);
		const char *filled = (const char *)out.data;
		assert(*filled == 'a' && !strpbrk(filled, "\r\n"));
		if (context != TEMPLATE_HEADER)
			assert(!strpbrk(filled, "/?&# \"") && strcmp(filled, "a..") != 0);
		fw_buf_done(&out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fw_strndup((const char *)data, size), number[32];
	struct fw_err err;
	const struct notice_pair label = {"x", text};
	const struct notice notice = {.labels = &label, .n_labels = 1, .receipt = ""};
	const struct template_values values = {&notice, "", ""};
	if (size > 4096) {
		fw_free(text);
		return 0;
	}
	check_json(&values, text);
	check_lines(&values);
	template_check(text, &err);
	pointer_text((const char *)data, size, "/result/0/number", number, sizeof number);
	fw_free(text);
	return 0;
}
