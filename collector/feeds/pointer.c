/* SPDX-License-Identifier: Apache-2.0 */
#include "pointer.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

/* Up to the next '/'; "~1" is '/', "~0" is '~'. */
static const char *cut_step(const char *at, struct fw_buf *step)
{
	for (; *at && *at != '/'; at++) {
		bool escaped = *at == '~' && (at[1] == '0' || at[1] == '1');
		fw_buf_putc(step, escaped ? (at[1] == '0' ? '~' : '/') : *at);
		at += escaped;
	}
	return at;
}

static const json_t *descend(const json_t *json, const char *step)
{
	uint64_t index;
	if (json_is_array(json))
		return fw_parse_u64(step, &index) == 0 ? json_array_get(json, index) : NULL;
	return json_object_get(json, step);
}

static const json_t *find(const json_t *json, const char *pointer)
{
	while (json && *pointer == '/') {
		struct fw_buf step = {0};
		pointer = cut_step(pointer + 1, &step);
		json = descend(json, step.data ? (const char *)step.data : "");
		fw_buf_done(&step);
	}
	return json;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

void pointer_text(const char *json, size_t length, const char *pointer, char *out, size_t size)
{
	json_t *root = json_loadb(json, length, JSON_DECODE_ANY, NULL);
	const json_t *found = find(root, pointer);
	const char *text = json_string_value(found);
	*out = '\0';
	if (json_is_integer(found))
		snprintf(out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(found));
	else if (text && strlen(text) < size && is_printable(text))
		snprintf(out, size, "%s", text);
	json_decref(root);
}

bool pointer_is_list(const char *json, size_t length, const char *pointer)
{
	json_t *root = json_loadb(json, length, JSON_DECODE_ANY, NULL);
	bool is_list = json_is_array(find(root, pointer));
	json_decref(root);
	return is_list;
}
