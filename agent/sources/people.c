/* SPDX-License-Identifier: Apache-2.0 */
#include "people.h"

#include <stdio.h>
#include <string.h>

#include "parse.h"

const char *people_free_path(const struct machine *m, const char *path, char *out, size_t size)
{
	static const char *const theirs[] = {"/media/", "/run/media/", "/run/user/"};
	static const char home[] = "/home/";
	if (!m->choices->device)
		return path;
	const char *at = strstr(path, home);
	size_t length = at ? (size_t)(at - path) + strlen(home) : 0;
	for (size_t i = 0; i < COUNT(theirs) && !length; i++)
		if (strncmp(path, theirs[i], strlen(theirs[i])) == 0)
			length = strlen(theirs[i]);
	if (length == 0 || path[length] == '\0')
		return path;
	snprintf(out, size, "%.*s*", (int)length, path);
	return out;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

const char *people_free_device(const struct machine *m, const char *device, char *out, size_t size)
{
	static const char by_label[] = "/dev/disk/by-label/";
	size_t pool = strcspn(device, "/");
	if (!m->choices->device || !device[strcspn(device, "/:@\\")] ||
		(begins(device, "/dev/") && !begins(device, by_label)))
		return device;
	if (begins(device, by_label))
		snprintf(out, size, "%s*", by_label);
	else if (pool > 0 && device[pool] && !device[strcspn(device, ":@\\")])
		snprintf(out, size, "%.*s/*", (int)pool, device);
	else
		snprintf(out, size, "*");
	return out;
}

const char *people_free_unit(const struct machine *m, const char *unit, char *out, size_t size)
{
	const char *at = strchr(unit, '@'), *dot = strrchr(unit, '.');
	if (!m->choices->device || !at || !dot || dot <= at + 1 || strncmp(at + 1, "tty", 3) == 0)
		return unit;
	snprintf(out, size, "%.*s*%s", (int)(at + 1 - unit), unit, dot);
	return out;
}
