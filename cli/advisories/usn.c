/* SPDX-License-Identifier: Apache-2.0 */
/* Ubuntu's database of security notices: one object with a notice a member,
 *
 *   {"5500-1": {"timestamp": 1657800000.1, "releases": {"jammy": {"sources":
 *     {"openssl": {"version": "3.0.2-0ubuntu1.6"}}}}}, ...}
 *
 * It is a hundred megabytes long, so members are taken one at a time.
 */
#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "internal.h"

#define MEMBER_LIMIT (16u << 20) /* bytes of one notice */

struct member {
	struct input *in;
	size_t n;
};

/* A byte at a time: jansson then stops where the value ends, and what follows is ours. */
static size_t on_read(void *data, size_t size, void *arg)
{
	struct member *member = arg;
	(void)size;
	int c = member->n++ < MEMBER_LIMIT ? input_byte(member->in) : -1;
	if (c < 0)
		return 0;
	*(char *)data = (char)c;
	return 1;
}

static json_t *read_value(struct input *in, struct fw_err *err)
{
	struct member member = {in, 0};
	json_error_t why;
	json_t *value = json_load_callback(
		on_read, &member, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &why);
	if (!value)
		fw_fail(err, -EBADMSG, "as JSON: %s (near byte %llu)", why.text,
			(unsigned long long)(in->total - (in->end - in->at)));
	return value;
}

static int take_release(
	struct draft *d, const char *release, const json_t *sources, struct fw_err *err)
{
	const char *package;
	json_t *source;
	int rc = 0;
	json_object_foreach((json_t *)(uintptr_t)sources, package, source)
	{
		const char *version = json_string_value(json_object_get(source, "version"));
		if (rc == 0 && version)
			rc = draft_fix(d, package, release, version, err);
	}
	return rc;
}

static int take_notice(struct draft *d, const char *key, const json_t *notice, struct fw_err *err)
{
	const char *release, *usn = *key >= '0' && *key <= '9' ? "USN-" : "";
	double issued_s = json_number_value(json_object_get(notice, "timestamp"));
	json_t *of_release;
	char *name = fw_format("%s%s", usn, key);
	int rc = 0;
	draft_begin(d, name, strlen(name));
	fw_free(name);
	d->issued_s = issued_s > 0 && issued_s < UINT32_MAX ? (int64_t)issued_s : 0;
	json_object_foreach(json_object_get(notice, "releases"), release, of_release)
	{
		if (rc == 0)
			rc = take_release(d, release, json_object_get(of_release, "sources"), err);
	}
	return rc < 0 ? rc : draft_end(d, err);
}

static int read_member(struct input *in, struct draft *d, struct fw_err *err)
{
	json_t *key = read_value(in, err), *value = NULL;
	int rc = key ? 0 : -EBADMSG;
	if (rc == 0 && (!json_is_string(key) || input_skip_blanks(in) != ':'))
		rc = fw_fail(err, -EBADMSG, "it is no JSON object of notices");
	if (rc == 0) {
		input_byte(in);
		value = read_value(in, err);
		rc = value ? take_notice(d, json_string_value(key), value, err) : -EBADMSG;
	}
	json_decref(key);
	json_decref(value);
	return rc;
}

int usn_read(struct input *in, struct draft *d, struct fw_err *err)
{
	int rc = 0;
	input_byte(in);
	while (rc == 0 && input_skip_blanks(in) == '"') {
		rc = read_member(in, d, err);
		if (rc == 0 && input_skip_blanks(in) == ',')
			input_byte(in);
	}
	if (rc == 0 && input_peek(in) != '}')
		rc = in->rc < 0 ? input_fail(in, err)
				: fw_fail(err, -EBADMSG, "it ends early, or is no JSON");
	return rc;
}
