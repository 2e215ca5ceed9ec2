/* SPDX-License-Identifier: Apache-2.0 */
/* One list of hosts, devices without an agent, and what the network shows beside them. */
#include <string.h>

#include "render.h"

static const char *list_of(struct screen *s, const json_t *device, const char *name)
{
	const char *text = "";
	size_t i;
	const json_t *item;
	json_array_foreach(json_object_get(device, name), i, item)
	{
		text = fw_arena_format(&s->arena, "%s%s%s", text, i > 0 ? " " : "",
			screen_text(s, json_is_string(item) ? json_string_value(item) : "-"));
	}
	return *text ? text : "-";
}

/* What it is called here, else what it calls itself. */
static const char *called(struct screen *s, const json_t *device)
{
	const char *host = json_string_value(json_object_get(device, "host"));
	return screen_member(s, device, host && *host ? "host" : "name");
}

static const char *place_of(struct screen *s, const json_t *device)
{
	const char *port = json_string_value(json_object_get(device, "port"));
	return port && *port ? fw_arena_format(&s->arena, "%s %s",
				       screen_member(s, device, "switch"), screen_text(s, port))
			     : "-";
}

static enum tone tone_of(const char *state)
{
	return strcmp(state, "managed") == 0   ? TONE_GOOD
		: strcmp(state, "silent") == 0 ? TONE_BAD
					       : TONE_WARNING;
}

enum status render_devices(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"STATE", "CALLED", "HARDWARE ADDRESS", "ADDRESSES",
		"PORT", ">SEEN", "SPEAKS", "CLONES", NULL};
	struct table t;
	size_t i;
	const json_t *device;
	table_init(&t, s, headings);
	json_array_foreach(data, i, device)
	{
		const char *state = screen_member(s, device, "state");
		table_put(&t, tone_of(state), state);
		table_put(&t, TONE_PLAIN, called(s, device));
		table_put(&t, TONE_PLAIN, screen_member(s, device, "mac"));
		table_put(&t, TONE_PLAIN, list_of(s, device, "addresses"));
		table_put(&t, TONE_PLAIN, place_of(s, device));
		table_put(&t, TONE_PLAIN, screen_age(s, device, "last"));
		table_put(&t, TONE_PLAIN, screen_member(s, device, "speaks"));
		table_put(&t, TONE_BAD, list_of(s, device, "clones"));
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out, "no devices\n");
	return STATUS_WELL;
}

enum status command_devices(struct cli *cli, char **args, int n_args)
{
	const struct parameter parameters[] = {{"state", cli->settings.state}, {0}};
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/devices", parameters, render_devices);
}
