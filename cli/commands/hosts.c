/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts and patches: lists of many. */
#include <string.h>

#include "render.h"

static enum tone tone_of_state(const char *state)
{
	if (strcmp(state, "ok") == 0)
		return TONE_GOOD;
	if (strcmp(state, "away") == 0)
		return TONE_PLAIN;
	return strcmp(state, "warning") == 0 ? TONE_WARNING : TONE_BAD;
}

enum status render_hosts(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {
		"HOST", "STATE", ">FOR", ">HEARD", ">ALERTS", "SITE", "CLASS", NULL};
	struct table t;
	size_t i;
	const json_t *host;
	table_init(&t, s, headings);
	json_array_foreach(data, i, host)
	{
		const char *state = screen_member(s, host, "state");
		table_put(&t, TONE_PLAIN, screen_member(s, host, "name"));
		table_put(&t, tone_of_state(state), state);
		table_put(&t, TONE_PLAIN, screen_age(s, host, "since"));
		table_put(&t, TONE_PLAIN, screen_age(s, host, "last_seen"));
		table_put(&t, TONE_PLAIN, screen_number(s, host, "alerts"));
		table_put(&t, TONE_PLAIN, screen_member(s, host, "site"));
		table_put(&t, TONE_PLAIN, screen_member(s, host, "class"));
	}
	table_print(&t);
	return STATUS_WELL;
}

static enum tone tone_of_count(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name)) > 0 ? TONE_WARNING : TONE_PLAIN;
}

static enum tone tone_of_yes(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name)) ? TONE_WARNING : TONE_PLAIN;
}

enum status render_patches(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {
		"HOST", ">SECURITY", ">ALL", ">HELD", "REBOOT", ">LISTS", "READ", NULL};
	struct table t;
	size_t i;
	const json_t *host;
	table_init(&t, s, headings);
	json_array_foreach(data, i, host)
	{
		table_put(&t, TONE_PLAIN, screen_member(s, host, "host"));
		table_put(&t, tone_of_count(host, "security"), screen_number(s, host, "security"));
		table_put(&t, TONE_PLAIN, screen_number(s, host, "pending"));
		table_put(&t, TONE_PLAIN, screen_number(s, host, "held"));
		table_put(&t, tone_of_yes(host, "reboot_required"),
			screen_member(s, host, "reboot_required"));
		table_put(&t, TONE_PLAIN, screen_seconds(s, host, "lists_age_s"));
		table_put(&t, TONE_PLAIN, screen_member(s, host, "source_ok"));
	}
	table_print(&t);
	return STATUS_WELL;
}

enum status command_hosts(struct cli *cli, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return cli_get(cli, "/api/fenwatch/v1/hosts", NULL, render_hosts);
}

enum status command_patches(struct cli *cli, char **args, int n_args)
{
	const struct parameter parameters[] = {{"host", n_args ? args[0] : NULL}, {0}};
	return cli_get(cli, "/api/fenwatch/v1/patches", parameters, render_patches);
}
