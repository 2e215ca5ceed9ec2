/* SPDX-License-Identifier: Apache-2.0 */
#include "people.h"

#include <stdio.h>
#include <string.h>

#include "parse.h"

const char *people_free_path(const struct machine *m, const char *path, char *out, size_t size)
{
	static const char *const theirs[] = {"/home/", "/media/", "/run/media/", "/run/user/"};
	for (size_t i = 0; m->choices->device && i < COUNT(theirs); i++) {
		size_t length = strlen(theirs[i]);
		if (strncmp(path, theirs[i], length) != 0 || path[length] == '\0')
			continue;
		snprintf(out, size, "%s*", theirs[i]);
		return out;
	}
	return path;
}

const char *people_free_unit(const struct machine *m, const char *unit, char *out, size_t size)
{
	const char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');
	if (!m->choices->device || !at || !dot || dot <= at + 1 || strncmp(at + 1, "tty", 3) == 0)
		return unit;
	snprintf(out, size, "%.*s*%s", (int)(at + 1 - unit), unit, dot);
	return out;
}
