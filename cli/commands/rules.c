/* SPDX-License-Identifier: Apache-2.0 */
/* Rule files and their tests, read here; and what rules would have done, which the collector
 * is asked. */
#include <string.h>

#include <fenwatch/file.h>

#include "render.h"
#include "report.h"
#include "rulefile.h"

enum status command_rules_check(struct cli *cli, char **args, int n_args)
{
	return rules_check(args, (size_t)n_args, cli->settings.json, &cli->screen.out)
		? STATUS_BAD_NEWS
		: STATUS_WELL;
}

enum status command_rules_test(struct cli *cli, char **args, int n_args)
{
	return rules_test(args, (size_t)n_args, cli->settings.json, &cli->screen.out)
		? STATUS_BAD_NEWS
		: STATUS_WELL;
}

/* ---- replay ---- */

static void write_sums(struct screen *s, const json_t *rules)
{
	static const char *const headings[] = {"RULE", "GROUP", ">FIRED", ">ONLY PENDING",
		">FIRING", ">FAILURES", "TROUBLE", NULL};
	struct table t;
	size_t i;
	const json_t *rule;
	table_init(&t, s, headings);
	json_array_foreach(rules, i, rule)
	{
		table_put(&t, TONE_PLAIN, screen_member(s, rule, "rule"));
		table_put(&t, TONE_PLAIN, screen_member(s, rule, "group"));
		table_put(&t, TONE_PLAIN, screen_number(s, rule, "fired"));
		table_put(&t, TONE_PLAIN, screen_number(s, rule, "only_pending"));
		table_put(&t, TONE_PLAIN, screen_seconds(s, rule, "firing_s"));
		table_put(&t, TONE_PLAIN, screen_number(s, rule, "failures"));
		table_put(&t, TONE_BAD, screen_member(s, rule, "trouble"));
	}
	table_print(&t);
}

/* Those that do not tell themselves: all labels but the rule's name. */
static const char *labels_of(struct screen *s, const json_t *alert)
{
	const char *name, *text = "";
	json_t *value;
	json_object_foreach(json_object_get(alert, "labels"), name, value)
	{
		if (strcmp(name, "alertname") != 0)
			text = fw_arena_format(&s->arena, "%s%s%s=%s", text, *text ? " " : "",
				screen_text(s, name), screen_text(s, json_string_value(value)));
	}
	return text;
}

static void write_alerts(struct screen *s, const json_t *alerts)
{
	static const char *const headings[] = {
		"ALERT", "PENDING", "FIRING", "RESOLVED", "LABELS", NULL};
	struct table t;
	size_t i;
	const json_t *alert;
	table_init(&t, s, headings);
	json_array_foreach(alerts, i, alert)
	{
		bool fired = json_is_string(json_object_get(alert, "firing"));
		table_put(&t, fired ? TONE_WARNING : TONE_PLAIN, screen_member(s, alert, "rule"));
		table_put(&t, TONE_PLAIN, screen_member(s, alert, "pending"));
		table_put(&t, TONE_PLAIN, screen_member(s, alert, "firing"));
		table_put(&t, TONE_PLAIN, screen_member(s, alert, fired ? "resolved" : "dropped"));
		table_put(&t, TONE_PLAIN, labels_of(s, alert));
	}
	if (i > 0)
		table_print(&t);
	else
		fw_buf_puts(&s->out, "nothing would have fired\n");
}

enum status render_replay(struct screen *s, const json_t *data)
{
	const json_t *rule;
	size_t i;
	write_alerts(s, json_object_get(data, "alerts"));
	fw_buf_putc(&s->out, '\n');
	write_sums(s, json_object_get(data, "rules"));
	json_array_foreach(json_object_get(data, "rules"), i, rule)
	{
		if (json_integer_value(json_object_get(rule, "failures")) > 0)
			return STATUS_BAD_NEWS;
	}
	return STATUS_WELL;
}

/* A built-in rule's name is letters and digits; a file that is called so is ./NAME. */
static bool is_name(const char *text)
{
	return text[strcspn(text, "./")] == '\0';
}

static enum status ask_for_replay(struct cli *cli, const struct parameter *parameters)
{
	enum status status = STATUS_NO_ANSWER;
	json_t *data =
		client_ask(cli, "POST", "/api/fenwatch/v1/rules/replay", parameters, &status);
	return data ? cli_show(cli, data, render_replay) : status;
}

static enum status replay_file(struct cli *cli, const char *path)
{
	const struct settings *settings = &cli->settings;
	struct fw_buf text = {0};
	struct fw_err err;
	if (fw_file_read(path, RULEFILE_BYTES_LIMIT, &text, &err) < 0)
		return cli_fail(STATUS_USAGE, "%s", err.text);
	fw_buf_putc(&text, '\0');
	const struct parameter parameters[] = {
		{"rules", (const char *)text.data},
		{"name", path},
		{"from", cli_time_from(cli, settings->from)},
		{"to", cli_time(cli, settings->to)},
		{"step", settings->step},
		{0},
	};
	cli->about = path;
	enum status status = ask_for_replay(cli, parameters);
	fw_buf_done(&text);
	return status;
}

static enum status replay_built_in(struct cli *cli, const char *name)
{
	const struct settings *settings = &cli->settings;
	const struct parameter parameters[] = {
		{"builtin", name},
		{"from", cli_time_from(cli, settings->from)},
		{"to", cli_time(cli, settings->to)},
		{"step", settings->step},
		{0},
	};
	return ask_for_replay(cli, parameters);
}

enum status command_rules_replay(struct cli *cli, char **args, int n_args)
{
	const struct settings *settings = &cli->settings;
	(void)n_args;
	if (!settings->from || !settings->to)
		return cli_fail(STATUS_USAGE, "say from when to when: --from TIME --to TIME");
	return is_name(args[0]) ? replay_built_in(cli, args[0]) : replay_file(cli, args[0]);
}
