/* Advisories as a request brings them: JSON, a list of
 * {"name", "issued" (seconds), "severity", "cvss", "fixes": [[PACKAGE, RELEASE, VERSION]]}. */
#pragma once

#include <stddef.h>

#include "patch.h"

#define ADVISORIES_TEXT_LIMIT (4u << 20) /* bytes of one request */
#define ADVISORIES_AT_ONCE 1000

/* Everything is the arena's. */
int advisories_read(const char *text, struct fw_arena *arena, struct patch_advisory **out,
	size_t *n, struct fw_err *err);
