/* SPDX-License-Identifier: Apache-2.0 */
#include "udev.h"

#include <stdio.h>
#include <string.h>

static bool is_named(const struct fw_cursor *line, const char *name)
{
	size_t length = strlen(name);
	return (size_t)(line->end - line->at) > length && memcmp(line->at, name, length) == 0 &&
		line->at[length] == '=';
}

static void take(struct fw_cursor line, const struct udev_property *wanted, size_t n)
{
	if (!fw_cut_literal(&line, "E:"))
		return;
	for (size_t i = 0; i < n; i++) {
		if (!is_named(&line, wanted[i].name))
			continue;
		const char *value = line.at + strlen(wanted[i].name) + 1;
		snprintf(wanted[i].value, wanted[i].size, "%.*s", (int)(line.end - value), value);
	}
}

void udev_read(struct machine *m, const char *device, const struct udev_property *wanted, size_t n)
{
	char path[64];
	struct fw_cursor c, line;
	snprintf(path, sizeof path, "run/udev/data/b%s", device);
	if (machine_read(m, path, &c) < 0)
		return;
	while (fw_cut_line(&c, &line))
		take(line, wanted, n);
}
