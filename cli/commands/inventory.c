/* SPDX-License-Identifier: Apache-2.0 */
/* What a host has, and where a package is. */
#include <string.h>

#include "render.h"

/* "version 5.2, origin Debian": the fields in their order. */
static const char *describe(struct screen *s, const json_t *fields)
{
	const char *name, *text = "";
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)fields, name, value)
	{
		const char *shown = json_is_string(value) ? json_string_value(value) : "-";
		text = fw_arena_format(&s->arena, "%s%s%s %s", text, *text ? ", " : "",
			screen_text(s, name), screen_text(s, shown));
	}
	return *text ? text : "-";
}

/* The items of one kind; a list has them next to one another. */
static size_t write_kind(struct screen *s, const json_t *items, size_t at)
{
	static const char *const headings[] = {"ITEM", ">SINCE", "FACTS", NULL};
	struct table t;
	const char *kind = screen_member(s, json_array_get(items, at), "kind");
	table_init(&t, s, headings);
	screen_put(s, TONE_HEADING, kind);
	fw_buf_putc(&s->out, '\n');
	for (; at < json_array_size(items); at++) {
		const json_t *item = json_array_get(items, at);
		if (strcmp(screen_member(s, item, "kind"), kind) != 0)
			break;
		table_put(&t, TONE_PLAIN, screen_member(s, item, "key"));
		table_put(&t, TONE_PLAIN, screen_age(s, item, "from"));
		table_put(&t, TONE_PLAIN, describe(s, json_object_get(item, "fields")));
	}
	table_print(&t);
	return at;
}

static void write_missing(struct screen *s, const json_t *documents)
{
	size_t i;
	const json_t *document;
	json_array_foreach(documents, i, document)
	{
		if (!json_is_true(json_object_get(document, "missing")))
			continue;
		screen_put(s, TONE_WARNING, screen_member(s, document, "kind"));
		fw_buf_puts(&s->out, " are not complete: the host was asked for all of it\n");
	}
}

enum status render_inventory(struct screen *s, const json_t *data)
{
	const json_t *items = json_object_get(data, "items");
	size_t at = 0;
	while (at < json_array_size(items)) {
		if (at > 0)
			fw_buf_putc(&s->out, '\n');
		at = write_kind(s, items, at);
	}
	if (at == 0)
		fw_buf_puts(&s->out, "nothing is known\n");
	write_missing(s, json_object_get(data, "documents"));
	return STATUS_WELL;
}

enum status render_found(struct screen *s, const json_t *data)
{
	static const char *const headings[] = {
		"HOST", "PACKAGE", "VERSION", ">SINCE", "ORIGIN", NULL};
	struct table t;
	size_t i;
	const json_t *item, *items = json_object_get(data, "items");
	if (json_array_size(items) == 0) {
		fw_buf_puts(&s->out, "no host has it\n");
		return STATUS_WELL;
	}
	table_init(&t, s, headings);
	json_array_foreach(items, i, item)
	{
		const json_t *fields = json_object_get(item, "fields");
		table_put(&t, TONE_PLAIN, screen_member(s, item, "host"));
		table_put(&t, TONE_PLAIN, screen_member(s, item, "key"));
		table_put(&t, TONE_PLAIN, screen_member(s, fields, "version"));
		table_put(&t, TONE_PLAIN, screen_age(s, item, "from"));
		table_put(&t, TONE_PLAIN, screen_member(s, fields, "origin"));
	}
	table_print(&t);
	return STATUS_WELL;
}

enum status command_inventory(struct cli *cli, char **args, int n_args)
{
	const struct settings *settings = &cli->settings;
	if ((n_args == 0) == (settings->package == NULL))
		return cli_fail(STATUS_USAGE, "inventory needs a HOST or --package NAME");
	const struct parameter parameters[] = {
		{"host", n_args ? args[0] : NULL},
		{"package", settings->package},
		{"kind", settings->kind},
		{"at", cli_time(cli, settings->at)},
		{0},
	};
	return cli_get(cli, "/api/fenwatch/v1/inventory", parameters,
		settings->package ? render_found : render_inventory);
}
