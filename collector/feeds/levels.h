/* A receiver's words for how grave an alert is: one for each severity, or one for each of the
 * register's priorities.
 */
#pragma once

#include <fenwatch/conf.h>

#include "notice.h"

struct levels {
	const char *severities[SEVERITIES], *priorities[PRIORITIES]; /* five of either */
};

/* For an FW_OPT_CUSTOM row whose field is a struct levels. */
int levels_parse(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err);
bool levels_are_set(const struct levels *levels);
/* NULL where no words are set. */
const char *levels_word(const struct levels *levels, const struct notice *notice);
