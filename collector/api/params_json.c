/* SPDX-License-Identifier: Apache-2.0 */
#include "params.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define PARTS_LIMIT (3 * PARAMS_LIMIT) /* commas and brackets of so many, and some over */

/* What is read takes a hundred times its bytes, so its parts are counted before. */
static bool has_few_parts(const char *text, size_t length)
{
	bool is_quoted = false;
	size_t parts = 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted)
			i += text[i] == '\\';
		else
			parts += text[i] == ',' || text[i] == '[' || text[i] == '{';
	}
	return parts <= PARTS_LIMIT;
}

static int add_value(
	struct params *params, const char *name, const json_t *value, struct fw_err *err)
{
	char *text = NULL;
	if (json_is_null(value))
		return 0;
	if (json_is_string(value))
		return params_add(
			params, name, json_string_value(value), json_string_length(value), err);
	if (json_is_number(value) || json_is_boolean(value))
		text = json_dumps(value, JSON_ENCODE_ANY);
	if (!text)
		return fw_fail(err, -EINVAL,
			"invalid parameter \"%.60s\": it is no text, number or truth value", name);
	int rc = params_add(params, name, text, strlen(text), err);
	free(text);
	return rc;
}

/* One that may come repeatedly is a list. */
static int add_member(
	struct params *params, const char *name, const json_t *member, struct fw_err *err)
{
	size_t i;
	const json_t *value;
	int rc = 0;
	if (!json_is_array(member))
		return add_value(params, name, member, err);
	json_array_foreach(member, i, value)
	{
		rc = add_value(params, name, value, err);
		if (rc < 0)
			break;
	}
	return rc;
}

int params_add_json(struct params *params, const char *text, size_t length, struct fw_err *err)
{
	const char *name;
	json_t *member;
	int rc = 0;
	json_error_t why = {0};
	if (!has_few_parts(text, length))
		return fw_fail(err, -E2BIG, "more than %d parameters", PARAMS_LIMIT);
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &why);
	if (!root && json_error_code(&why) == json_error_duplicate_key)
		rc = fw_fail(err, -EINVAL, "a name stands twice in the body's JSON object");
	else if (!json_is_object(root))
		rc = fw_fail(err, -EINVAL, "the body is no JSON object");
	json_object_foreach(root, name, member)
	{
		rc = add_member(params, name, member, err);
		if (rc < 0)
			break;
	}
	json_decref(root);
	return rc;
}
