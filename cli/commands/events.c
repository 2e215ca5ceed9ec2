/* SPDX-License-Identifier: Apache-2.0 */
/* What happened: traps, gaps and the like. */
#include <string.h>

#include "render.h"

/* The fields of an event on one line: what it is called first, the rest as it comes. */
static const char *describe(struct screen *s, const json_t *fields)
{
	const char *name,
		*text = screen_text(s, json_string_value(json_object_get(fields, "trap")));
	json_t *value;
	json_object_foreach((json_t *)fields, name, value)
	{
		if (strcmp(name, "trap") != 0 && json_is_string(value))
			text = fw_arena_format(&s->arena, "%s%s%s=%s", text, *text ? " " : "",
				screen_text(s, name), screen_text(s, json_string_value(value)));
	}
	return text;
}

enum status render_events(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"AT", "HOST", "KIND", "WHAT", NULL};
	struct table t;
	size_t i;
	const json_t *event;
	table_init(&t, s, headings);
	json_array_foreach(data, i, event)
	{
		table_put(&t, TONE_PLAIN, screen_member(s, event, "at"));
		table_put(&t, TONE_PLAIN, screen_member(s, event, "host"));
		table_put(&t, TONE_PLAIN, screen_member(s, event, "kind"));
		table_put(&t, TONE_PLAIN, describe(s, json_object_get(event, "fields")));
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out, "no events\n");
	return STATUS_WELL;
}

enum status command_events(struct cli *cli, char **args, int n_args)
{
	const struct settings *settings = &cli->settings;
	const struct parameter parameters[] = {{"host", n_args > 0 ? args[0] : NULL},
		{"kind", settings->kind}, {"text", settings->text},
		{"from", cli_time(cli, settings->from)}, {"until", cli_time(cli, settings->to)},
		{"limit", settings->limit}, {0}};
	return cli_get(cli, "/api/fenwatch/v1/events", parameters, render_events);
}
