/* `rules check` and `rules test`, as both programs have them.
 *
 * What they say goes to `out`: lines for a person, or with `json` one object.
 * They return the exit status: 0, or 1 where something is wrong or fails.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <fenwatch/buf.h>

int rules_check(char *const *files, size_t n, bool json, struct fw_buf *out);
int rules_test(char *const *files, size_t n, bool json, struct fw_buf *out);
