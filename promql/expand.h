/* Replacements with "$1", "${1}", "${name}" and "$$", as Go's regexp has them. */
#pragma once

#include <fenwatch/buf.h>

#include "shim.h"

/* Appends the replacement with what the groups have matched of the text: `spans` are those of
 * SHIM_GROUPS groups. A group that is not there or took no part is empty. */
void promql_expand(const struct shim_regex *regex, const char *replacement, const char *text,
	const int *spans, struct fw_buf *out);
