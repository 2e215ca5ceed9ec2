/* SPDX-License-Identifier: Apache-2.0 */
/* What was found, for eyes, for programs, and for the configuration. */
#include "discover.h"

#include <string.h>

#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#define ESCAPED_BYTES (8 * WALK_TEXT)

static const char *version_of(const struct discovery *d, const struct discover_settings *settings,
	const struct discovered *found)
{
	return d->v3[found->credential] ? "3" : settings->v1 ? "1" : "2c";
}

/* Quoted as both JSON and YAML have it. */
static void put_quoted(struct fw_buf *out, const char *text)
{
	char escaped[ESCAPED_BYTES];
	fw_buf_putc(out, '"');
	for (const char *at = fw_escape(text, escaped, sizeof escaped); *at; at++) {
		if (*at == '"' || *at == '\\')
			fw_buf_putc(out, '\\');
		fw_buf_putc(out, *at);
	}
	fw_buf_putc(out, '"');
}

/* The modules of it, with those that every device has, between `gap`s. */
static void put_modules(
	struct fw_buf *out, const struct discovered *found, const char *gap, bool quoted)
{
	const char *const quote = quoted ? "\"" : "";
	fw_buf_printf(out, "%ssystem%s", quote, quote);
	for (unsigned i = 0; discover_modules[i].name; i++)
		if (found->modules & 1u << i)
			fw_buf_printf(out, "%s%s%s%s", gap, quote, discover_modules[i].name, quote);
	fw_buf_printf(out, "%s%sidentity%s", gap, quote, quote);
}

/* ---- for programs ---- */

static void put_json(const struct discovery *d, const struct discover_settings *settings,
	const struct discovered *found, struct fw_buf *out)
{
	fw_buf_printf(
		out, "{\"address\":\"%s\",\"port\":%u,\"name\":", found->address, settings->port);
	put_quoted(out, found->name);
	fw_buf_printf(out, ",\"description\":");
	put_quoted(out, found->descr);
	fw_buf_printf(out, ",\"version\":\"%s\",\"credentials\":", version_of(d, settings, found));
	put_quoted(out, settings->credentials[found->credential]);
	fw_buf_printf(out, ",\"modules\":[");
	put_modules(out, found, ",", true);
	fw_buf_printf(out, "],\"known\":");
	if (found->known)
		put_quoted(out, found->known);
	else
		fw_buf_printf(out, "null");
	fw_buf_printf(out, "}");
}

static void print_json(
	const struct discovery *d, const struct discover_settings *settings, struct fw_buf *out)
{
	fw_buf_printf(out, "[");
	for (size_t i = 0; i < d->n; i++) {
		fw_buf_printf(out, i ? ",\n " : "");
		put_json(d, settings, &d->list[i], out);
	}
	fw_buf_printf(out, "]\n");
}

/* ---- for the configuration ---- */

/* Its own name, where no other has it. */
static const char *name_of(const struct discovery *d, const struct discover_settings *settings,
	const struct discovered *found)
{
	bool taken =
		!found->name[0] || (settings->known && devices_find(settings->known, found->name));
	for (size_t i = 0; i < d->n && !taken; i++)
		taken = &d->list[i] != found && strcmp(d->list[i].name, found->name) == 0;
	return taken ? found->address : found->name;
}

static void put_yaml(const struct discovery *d, const struct discover_settings *settings,
	const struct discovered *found, struct fw_buf *out)
{
	bool six = strchr(found->address, ':') != NULL;
	fw_buf_printf(out, "  - {name: ");
	put_quoted(out, name_of(d, settings, found));
	fw_buf_printf(out, ", address: \"%s%s%s:%u\", version: %s, credentials: ", six ? "[" : "",
		found->address, six ? "]" : "", settings->port, version_of(d, settings, found));
	put_quoted(out, settings->credentials[found->credential]);
	fw_buf_printf(out, ", modules: [");
	put_modules(out, found, ", ", false);
	fw_buf_printf(out, "]}\n");
}

static void print_yaml(
	const struct discovery *d, const struct discover_settings *settings, struct fw_buf *out)
{
	for (size_t i = 0; i < d->n; i++)
		if (!d->list[i].known)
			put_yaml(d, settings, &d->list[i], out);
}

/* ---- for eyes ---- */

static void print_table(
	const struct discovery *d, const struct discover_settings *settings, struct fw_buf *out)
{
	fw_buf_printf(out, "%-15s  %-7s  %-20s  %-20s  %s\n", "ADDRESS", "VERSION", "NAME",
		"KNOWN AS", "WHAT IT IS");
	for (size_t i = 0; i < d->n; i++) {
		const struct discovered *found = &d->list[i];
		char name[ESCAPED_BYTES], known[ESCAPED_BYTES], descr[ESCAPED_BYTES];
		fw_escape(found->name, name, sizeof name);
		fw_escape(found->known ? found->known : "", known, sizeof known);
		fw_escape(found->descr, descr, sizeof descr);
		fw_buf_printf(out, "%-15s  %-7s  %-20s  %-20s  %.80s\n", found->address,
			version_of(d, settings, found), name, known, descr);
	}
}

void discover_print(const struct discovery *d, const struct discover_settings *settings,
	enum discover_form form, struct fw_buf *out)
{
	static void (*const prints[])(const struct discovery *d,
		const struct discover_settings *settings, struct fw_buf *out) = {
		[DISCOVER_TABLE] = print_table,
		[DISCOVER_JSON] = print_json,
		[DISCOVER_YAML] = print_yaml,
	};
	prints[form](d, settings, out);
}
