/* SPDX-License-Identifier: Apache-2.0 */
/* Licences: how many hosts have one, may have one, and which they are. */
#include "render.h"

#define UNPROVEN_SHOWN 5

static bool is_over(const json_t *licence)
{
	return json_integer_value(json_object_get(licence, "over")) > 0;
}

static bool is_expired(const json_t *licence)
{
	return json_is_true(json_object_get(licence, "expired"));
}

static void put_row(struct table *t, const json_t *licence)
{
	struct screen *s = t->screen;
	table_put(t, TONE_PLAIN, screen_member(s, licence, "name"));
	table_put(t, TONE_PLAIN, screen_number(s, licence, "entitled"));
	table_put(t, TONE_PLAIN, screen_number(s, licence, "installed"));
	table_put(t, TONE_PLAIN, screen_number(s, licence, "free"));
	table_put(t, is_over(licence) ? TONE_BAD : TONE_PLAIN, screen_number(s, licence, "over"));
	table_put(t, is_expired(licence) ? TONE_BAD : TONE_PLAIN,
		fw_arena_format(&s->arena, "%s%s", screen_member(s, licence, "expires"),
			is_expired(licence) ? " (expired)" : ""));
	table_put(t, TONE_PLAIN, screen_member(s, licence, "note"));
}

/* "2 of 40 hosts have not told all their packages, and may have more: lap01, lap02" */
static void write_unproven(struct screen *s, const json_t *data)
{
	const json_t *unproven = json_object_get(data, "unproven");
	size_t i, n = json_array_size(unproven);
	const json_t *name;
	if (n == 0)
		return;
	const char *text = fw_arena_format(&s->arena,
		"%zu of %s hosts have not told all their packages, and may have more: ", n,
		screen_number(s, data, "hosts"));
	screen_put(s, TONE_WARNING, text);
	json_array_foreach(unproven, i, name)
	{
		if (i == UNPROVEN_SHOWN)
			break;
		screen_printf(s, "%s%s", i ? ", " : "", screen_text(s, json_string_value(name)));
	}
	fw_buf_puts(&s->out, n > UNPROVEN_SHOWN ? ", ...\n" : "\n");
}

enum status render_licences(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {
		"LICENCE", ">ENTITLED", ">INSTALLED", ">FREE", ">OVER", "EXPIRES", "NOTE", NULL};
	const json_t *licence, *licences = json_object_get(data, "licences");
	struct table t;
	size_t i;
	bool bad = false;
	if (json_array_size(licences) == 0) {
		fw_buf_puts(&s->out, "the register lists no licences\n");
		return STATUS_WELL;
	}
	table_init(&t, s, headings);
	json_array_foreach(licences, i, licence)
	{
		put_row(&t, licence);
		bad = bad || is_over(licence) || is_expired(licence);
	}
	table_print(&t);
	write_unproven(s, data);
	return bad ? STATUS_BAD_NEWS : STATUS_WELL;
}

static void write_hosts(struct screen *s, const json_t *hosts)
{
	static const char *const headings[] = {"HOST", "PACKAGE", "VERSION", ">SINCE", NULL};
	const json_t *install;
	struct table t;
	size_t i;
	table_init(&t, s, headings);
	json_array_foreach(hosts, i, install)
	{
		const json_t *fields = json_object_get(install, "fields");
		table_put(&t, TONE_PLAIN, screen_member(s, install, "host"));
		table_put(&t, TONE_PLAIN, screen_member(s, install, "package"));
		table_put(&t, TONE_PLAIN, screen_member(s, fields, "version"));
		table_put(&t, TONE_PLAIN, screen_age(s, install, "from"));
	}
	table_print(&t);
}

enum status render_licence(struct screen *s, const json_t *data)
{
	const json_t *licence = json_array_get(json_object_get(data, "licences"), 0);
	const json_t *hosts = json_object_get(licence, "hosts");
	enum status status = render_licences(s, data);
	fw_buf_putc(&s->out, '\n');
	if (json_array_size(hosts) == 0)
		fw_buf_puts(&s->out, "no host has it\n");
	else
		write_hosts(s, hosts);
	return status;
}

enum status command_licences(struct cli *cli, char **args, int n_args)
{
	const struct parameter parameters[] = {
		{"name", n_args ? args[0] : NULL},
		{"at", cli_time(cli, cli->settings.at)},
		{0},
	};
	return cli_get(cli, "/api/fenwatch/v1/licences", parameters,
		n_args ? render_licence : render_licences);
}
