/* SPDX-License-Identifier: Apache-2.0 */
/* What happened: traps, gaps and the like. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/text.h>

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

#define EVENTS_USUAL 200

static json_t *ask_for(struct cli *cli, const char *host, uint64_t limit, enum status *status)
{
	const struct settings *settings = &cli->settings;
	char most[24];
	snprintf(most, sizeof most, "%" PRIu64, limit);
	const struct parameter parameters[] = {{"host", host}, {"kind", settings->kind},
		{"text", settings->text}, {"from", cli_time_from(cli, settings->from)},
		{"until", cli_time(cli, settings->to)}, {"before", cli->next}, {"limit", most},
		{0}};
	return client_ask(cli, "GET", "/api/fenwatch/v1/events", parameters, status);
}

/* The collector looks at so many events for one question, and says where it goes on. */
enum status command_events(struct cli *cli, char **args, int n_args)
{
	enum status status = STATUS_NO_ANSWER;
	uint64_t limit = EVENTS_USUAL;
	json_t *all = json_array(), *some;
	if (cli->settings.limit && fw_parse_u64(cli->settings.limit, &limit) < 0)
		limit = 0;
	if (limit == 0) {
		json_decref(all);
		return cli_fail(STATUS_USAGE, "--limit is a number from 1");
	}
	do {
		size_t left = (size_t)limit - json_array_size(all);
		some = ask_for(cli, n_args > 0 ? args[0] : NULL, left, &status);
		json_array_extend(all, some);
		json_decref(some);
	} while (some && cli->next && json_array_size(all) < limit);
	if (some)
		return cli_show(cli, all, render_events);
	json_decref(all);
	return status;
}
