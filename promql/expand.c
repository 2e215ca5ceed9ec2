/* SPDX-License-Identifier: Apache-2.0 */
#include "expand.h"

#include <stdbool.h>
#include <string.h>

/* What is between one "$" and the text behind it. */
struct reference {
	const char *name;
	size_t length;
	const char *rest;
};

static size_t name_length(const char *text)
{
	return strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
}

/* $name or ${name}; a name is as long as it can be. */
static bool take_reference(const char *text, struct reference *out)
{
	const bool braced = *text == '{';
	text += braced;
	const size_t length = name_length(text);
	if (length == 0 || (braced && text[length] != '}'))
		return false;
	*out = (struct reference){text, length, text + length + braced};
	return true;
}

void promql_expand(const struct shim_regex *regex, const char *replacement, const char *text,
	const int *spans, struct fw_buf *out)
{
	for (const char *at = replacement; *at;) {
		struct reference r;
		if (*at == '$' && at[1] == '$') {
			fw_buf_putc(out, '$');
			at += 2;
		} else if (*at == '$' && take_reference(at + 1, &r)) {
			int group = shim_regex_group(regex, r.name, r.length);
			if (group >= 0 && group < SHIM_GROUPS && spans[2 * group] >= 0)
				fw_buf_append(out, text + spans[2 * group],
					(size_t)(spans[2 * group + 1] - spans[2 * group]));
			at = r.rest;
		} else {
			fw_buf_putc(out, *at++);
		}
	}
}
