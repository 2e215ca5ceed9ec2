/* SPDX-License-Identifier: Apache-2.0 */
/* What filesystems lie on: arrays, pools, volumes, paths; and mounts that are missing. */
#include <string.h>

#include "render.h"

bool is_filesystem(const json_t *row)
{
	const char *kind = json_string_value(json_object_get(row, "kind"));
	return !kind || strcmp(kind, "filesystem") == 0;
}

const char *filesystem_state(struct screen *s, const json_t *disk, enum tone *tone)
{
	bool by_mistake = json_is_string(json_object_get(disk, "readonly_since"));
	*tone = by_mistake ? TONE_BAD : TONE_PLAIN;
	if (by_mistake)
		return fw_arena_format(
			&s->arena, "read-only for %s", screen_age(s, disk, "readonly_since"));
	return json_is_true(json_object_get(disk, "readonly")) ? "read-only" : "ok";
}

void write_storage(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"HOST", "WHAT", "NAME", "STATE", NULL};
	struct table t;
	size_t i, n = 0;
	const json_t *row;
	table_init(&t, s, headings);
	json_array_foreach(data, i, row)
	{
		if (is_filesystem(row))
			continue;
		bool good = json_is_true(json_object_get(row, "good"));
		table_put(&t, TONE_PLAIN, screen_member(s, row, "host"));
		table_put(&t, TONE_PLAIN, screen_member(s, row, "kind"));
		table_put(&t, TONE_PLAIN, screen_member(s, row, "name"));
		table_put(&t, good ? TONE_GOOD : TONE_BAD, screen_member(s, row, "state"));
		n++;
	}
	if (n == 0)
		return;
	fw_buf_putc(&s->out, '\n');
	table_print(&t);
}
