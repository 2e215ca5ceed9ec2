/* SPDX-License-Identifier: Apache-2.0 */
/* What was so when its host first reported. */
#include "render.h"

enum status render_worklist(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {
		"HOST", "RULE", ">FOR", "OWNER", "SUPPLIER", "KEY", "WHAT", NULL};
	struct table t;
	size_t i;
	const json_t *item;
	table_init(&t, s, headings);
	json_array_foreach(data, i, item)
	{
		table_put(&t, TONE_PLAIN, screen_member(s, item, "host"));
		table_put(&t, TONE_PLAIN, screen_member(s, item, "rule"));
		table_put(&t, TONE_PLAIN, screen_age(s, item, "since"));
		table_put(&t, TONE_PLAIN, screen_member(s, item, "owner"));
		table_put(&t, TONE_PLAIN, screen_member(s, item, "supplier"));
		table_put(&t, TONE_PLAIN, screen_key(s, item));
		table_put(&t, TONE_PLAIN, screen_member(s, item, "summary"));
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out, "nothing waits to be planned\n");
	return STATUS_WELL;
}

enum status command_worklist(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/worklist", NULL, render_worklist);
}

static enum status render_handed(struct screen *s, const json_t *data)
{
	screen_printf(s, "the desk is told of %s\n", screen_member(s, data, "handed"));
	return STATUS_WELL;
}

enum status command_worklist_hand(struct cli *cli, char **args, int n_args)
{
	const char *path = fw_arena_format(&cli->screen.arena, "/api/fenwatch/v1/worklist/%s/hand",
		client_escape(cli, args[0]));
	enum status status = STATUS_NO_ANSWER;
	(void)n_args;
	json_t *data = client_ask(cli, "POST", path, NULL, &status);
	return data ? cli_show(cli, data, render_handed) : status;
}
