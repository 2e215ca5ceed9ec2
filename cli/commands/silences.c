/* SPDX-License-Identifier: Apache-2.0 */
#include "render.h"

#define MATCHERS_MOST 32

/* The texts of a list, side by side; "-" where there are none. */
static const char *joined(
	struct screen *s, const json_t *object, const char *name, const char *between)
{
	const char *all = "";
	size_t i;
	const json_t *item;
	json_array_foreach(json_object_get(object, name), i, item)
	{
		const char *text = json_is_string(item) ? json_string_value(item) : "-";
		all = fw_arena_format(
			&s->arena, "%s%s%s", all, i ? between : "", screen_text(s, text));
	}
	return *all ? all : "-";
}

enum status render_silences(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {
		">ID", "STATE", ">ENDS IN", "MATCHERS", "WHO", "COMMENT", NULL};
	struct table t;
	size_t i;
	const json_t *silence;
	table_init(&t, s, headings);
	json_array_foreach(data, i, silence)
	{
		table_put(&t, TONE_PLAIN, screen_number(s, silence, "id"));
		table_put(&t, TONE_PLAIN, screen_member(s, silence, "state"));
		table_put(&t, TONE_PLAIN, screen_age(s, silence, "ends"));
		table_put(&t, TONE_PLAIN, joined(s, silence, "matchers", " "));
		table_put(&t, TONE_PLAIN, screen_member(s, silence, "who"));
		table_put(&t, TONE_PLAIN, screen_member(s, silence, "comment"));
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out, "no silences\n");
	return STATUS_WELL;
}

static enum status render_new_silence(struct screen *s, const json_t *data)
{
	screen_printf(s, "silence %s ends in %s\n", screen_number(s, data, "id"),
		screen_age(s, data, "ends"));
	return STATUS_WELL;
}

enum status command_silence_add(struct cli *cli, char **args, int n_args)
{
	const struct settings *settings = &cli->settings;
	struct parameter parameters[MATCHERS_MOST + 4] = {0};
	enum status status = STATUS_NO_ANSWER;
	int n = 0;
	if (!settings->lasts || !settings->note)
		return cli_fail(STATUS_USAGE, "say how long, --for 2h, and why, --note TEXT");
	for (int i = 0; i < n_args; i++)
		parameters[n++] = (struct parameter){"matcher[]", args[i]};
	parameters[n++] = (struct parameter){"for", settings->lasts};
	parameters[n++] = (struct parameter){"comment", settings->note};
	parameters[n++] = (struct parameter){"start", cli_time_from(cli, settings->from)};
	json_t *data = client_ask(cli, "POST", "/api/fenwatch/v1/silences", parameters, &status);
	return data ? cli_show(cli, data, render_new_silence) : status;
}

enum status command_silence_list(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/silences", NULL, render_silences);
}

static enum status render_ended(struct screen *s, const json_t *data)
{
	screen_printf(s, "silence %s has ended\n", screen_number(s, data, "ended"));
	return STATUS_WELL;
}

enum status command_silence_end(struct cli *cli, char **args, int n_args)
{
	const char *path = fw_arena_format(
		&cli->screen.arena, "/api/fenwatch/v1/silences/%s", client_escape(cli, args[0]));
	enum status status = STATUS_NO_ANSWER;
	(void)n_args;
	json_t *data = client_ask(cli, "DELETE", path, NULL, &status);
	return data ? cli_show(cli, data, render_ended) : status;
}

/* ---- maintenance ---- */

enum status render_maintenance(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"NAME", "NOW", "HOSTS", "SITES", NULL};
	struct table t;
	size_t i;
	const json_t *window;
	table_init(&t, s, headings);
	json_array_foreach(data, i, window)
	{
		bool now = json_is_true(json_object_get(window, "now"));
		table_put(&t, TONE_PLAIN, screen_member(s, window, "name"));
		table_put(&t, now ? TONE_WARNING : TONE_PLAIN, now ? "yes" : "no");
		table_put(&t, TONE_PLAIN, joined(s, window, "hosts", ", "));
		table_put(&t, TONE_PLAIN, joined(s, window, "sites", ", "));
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out, "no maintenance\n");
	return STATUS_WELL;
}

enum status command_maintenance(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/maintenance", NULL, render_maintenance);
}
