/* SPDX-License-Identifier: Apache-2.0 */
/* Licences: how many hosts have one, may have one, and which they are. */
#include "paper.h"
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

/* "2 of 40 hosts have not told all their packages, and may have more: lap01, lap02"; NULL
 * where all have. */
static const char *unproven_of(struct screen *s, const json_t *data)
{
	const json_t *unproven = json_object_get(data, "unproven");
	size_t i, n = json_array_size(unproven);
	const json_t *name;
	if (n == 0)
		return NULL;
	const char *text = fw_arena_format(&s->arena,
		"%zu of %s hosts have not told all their packages, and may have more: ", n,
		screen_number(s, data, "hosts"));
	json_array_foreach(unproven, i, name)
	{
		if (i == UNPROVEN_SHOWN)
			break;
		text = fw_arena_format(&s->arena, "%s%s%s", text, i ? ", " : "",
			screen_text(s, json_string_value(name)));
	}
	return n > UNPROVEN_SHOWN ? fw_arena_format(&s->arena, "%s, ...", text) : text;
}

static void write_unproven(struct screen *s, const json_t *data)
{
	const char *text = unproven_of(s, data);
	if (!text || s->form != FORM_TEXT)
		return;
	screen_put(s, TONE_WARNING, text);
	fw_buf_putc(&s->out, '\n');
}

/* On a terminal the table says it all. */
static void begin_page(struct screen *s, const json_t *data)
{
	if (s->form == FORM_HTML)
		paper_begin(s,
			fw_arena_format(&s->arena, "Licences at %s", screen_member(s, data, "at")),
			unproven_of(s, data));
}

static void write_bars(struct screen *s, const json_t *licences)
{
	size_t i, n = json_array_size(licences);
	const json_t *licence;
	struct paper_bar *bars = fw_arena_alloc(&s->arena, (n + 1) * sizeof *bars);
	json_array_foreach(licences, i, licence)
	{
		double installed = json_number_value(json_object_get(licence, "installed"));
		double over = json_number_value(json_object_get(licence, "over"));
		bars[i] = (struct paper_bar){
			screen_member(s, licence, "name"), installed - over, over};
	}
	paper_bars(s, "Hosts within what is entitled, and beyond it", bars, n);
}

static enum status write_licences(struct screen *s, const json_t *licences, enum paper_table kind)
{
	static const char *const headings[] = {
		"LICENCE", ">ENTITLED", ">INSTALLED", ">FREE", ">OVER", "EXPIRES", "NOTE", NULL};
	const json_t *licence;
	struct table t;
	size_t i;
	bool bad = false;
	table_init(&t, s, headings);
	json_array_foreach(licences, i, licence)
	{
		put_row(&t, licence);
		bad = bad || is_over(licence) || is_expired(licence);
	}
	paper_table(&t, kind, NULL);
	write_bars(s, licences);
	return bad ? STATUS_BAD_NEWS : STATUS_WELL;
}

enum status render_licences(struct screen *s, const json_t *data)
{
	const json_t *licences = json_object_get(data, "licences");
	if (json_array_size(licences) == 0 && s->form == FORM_TEXT) {
		fw_buf_puts(&s->out, "the register lists no licences\n");
		return STATUS_WELL;
	}
	begin_page(s, data);
	enum status status = write_licences(s, licences, PAPER_EVIDENCE);
	write_unproven(s, data);
	paper_end(s);
	return status;
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
		table_put(&t, TONE_PLAIN,
			s->form == FORM_TEXT ? screen_age(s, install, "from")
					     : screen_day(s, install, "from"));
	}
	paper_table(&t, PAPER_EVIDENCE, NULL);
}

/* As a table for a spreadsheet, the hosts alone. */
enum status render_licence(struct screen *s, const json_t *data)
{
	const json_t *licences = json_object_get(data, "licences");
	const json_t *hosts = json_object_get(json_array_get(licences, 0), "hosts");
	begin_page(s, data);
	enum status status = write_licences(s, licences, PAPER_SUMS);
	write_unproven(s, data);
	if (s->form == FORM_TEXT)
		fw_buf_putc(&s->out, '\n');
	if (json_array_size(hosts) == 0 && s->form == FORM_TEXT)
		fw_buf_puts(&s->out, "no host has it\n");
	else
		write_hosts(s, hosts);
	paper_end(s);
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
