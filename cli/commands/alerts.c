/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "render.h"

/* TONE_PLAIN: nobody has to know it. */
static enum tone tone_of(struct screen *s, const json_t *alert)
{
	const char *severity = screen_member(s, alert, "severity");
	bool fires = strcmp(screen_member(s, alert, "state"), "firing") == 0;
	if (!fires || strcmp(severity, "info") == 0)
		return TONE_PLAIN;
	return strcmp(severity, "critical") == 0 ? TONE_BAD : TONE_WARNING;
}

static void put_alert(struct table *t, struct screen *s, const json_t *alert, enum tone tone)
{
	bool is_unknown = json_object_get(alert, "unknown");
	bool is_acked = json_is_object(json_object_get(alert, "acknowledged"));
	const json_t *annotations = json_object_get(alert, "annotations");
	table_put(t, TONE_PLAIN, screen_member(s, alert, "host"));
	table_put(t, tone, screen_member(s, alert, "severity"));
	table_put(t, TONE_PLAIN, screen_member(s, annotations, "priority"));
	table_put(t, TONE_PLAIN,
		is_unknown         ? "unknown"
			: is_acked ? "acknowledged"
				   : screen_member(s, alert, "state"));
	table_put(t, TONE_PLAIN, screen_member(s, json_object_get(alert, "held"), "reason"));
	table_put(t, TONE_PLAIN, screen_age(s, alert, "since"));
	table_put(t, TONE_PLAIN, screen_member(s, alert, "rule"));
	table_put(t, TONE_PLAIN, screen_key(s, alert));
	table_put(t, TONE_PLAIN,
		is_unknown ? screen_member(s, alert, "unknown")
			   : screen_member(s, annotations, "summary"));
}

enum status render_alerts(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {"HOST", "SEVERITY", "PRIORITY", "STATE", "HELD",
		">FOR", "RULE", "KEY", "WHAT", NULL};
	struct table t;
	size_t i;
	const json_t *alert;
	enum status status = STATUS_WELL;
	table_init(&t, s, headings);
	json_array_foreach(data, i, alert)
	{
		enum tone tone = tone_of(s, alert);
		if (tone != TONE_PLAIN)
			status = STATUS_BAD_NEWS;
		put_alert(&t, s, alert, tone);
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out, "no alerts\n");
	return status;
}

enum status command_alerts(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/alerts", NULL, render_alerts);
}

/* Says something of the alert that the argument names. */
static enum status tell(struct cli *cli, const char *name, const char *what,
	enum status (*show)(struct screen *s, const json_t *data))
{
	const char *path = fw_arena_format(&cli->screen.arena, "/api/fenwatch/v1/alerts/%s/%s",
		client_escape(cli, name), what);
	const struct parameter parameters[] = {{"note", cli->settings.note}, {0}};
	enum status status = STATUS_NO_ANSWER;
	json_t *data = client_ask(cli, "POST", path, parameters, &status);
	return data ? cli_show(cli, data, show) : status;
}

static enum status render_acked(struct screen *s, const json_t *data)
{
	screen_printf(s, "%s is acknowledged\n", screen_member(s, data, "alert"));
	return STATUS_WELL;
}

enum status command_ack(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	return tell(cli, args[0], "ack", render_acked);
}

static enum status render_closed(struct screen *s, const json_t *data)
{
	screen_printf(s, "%s is closed\n", screen_member(s, data, "alert"));
	return STATUS_WELL;
}

enum status command_resolve(struct cli *cli, char **args, int n_args)
{
	(void)n_args;
	if (!cli->settings.note)
		return cli_fail(STATUS_USAGE, "say why it is over, --note TEXT");
	return tell(cli, args[0], "resolve", render_closed);
}
