/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts from a table, as spreadsheets and databases write it.
 *
 * RFC 4180: commas between fields, quotes around those that need them. The first line
 * names the keys of a row of hosts. Each line becomes the line of the same number in a
 * list in YAML, so that what is wrong with it is said of the right line; a field with a
 * line break is refused, and an empty field says nothing.
 */
#include <errno.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

#include "internal.h"

#define KEYS_LIMIT 64

/* One field, its quotes taken off; false: it is none. */
static bool cut_field(struct fw_cursor *c, struct fw_buf *out)
{
	fw_buf_reset(out);
	bool quoted = fw_cut_literal(c, "\"");
	for (; c->at < c->end; c->at++) {
		if (!quoted && (*c->at == ',' || *c->at == '"'))
			break;
		if (quoted && *c->at == '"' && (++c->at == c->end || *c->at != '"')) {
			quoted = false;
			break;
		}
		fw_buf_putc(out, *c->at);
	}
	return !quoted && (c->at == c->end || *c->at == ',');
}

/* As a double-quoted scalar of YAML. */
static void put_scalar(struct fw_buf *out, const struct fw_buf *text)
{
	fw_buf_putc(out, '"');
	for (size_t i = 0; i < text->length; i++) {
		unsigned char c = text->data[i];
		if (c == '"' || c == '\\')
			fw_buf_printf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			fw_buf_printf(out, "\\x%02x", c);
		else
			fw_buf_putc(out, (char)c);
	}
	fw_buf_putc(out, '"');
}

/* Without its line break, in whichever way the table was written. */
static bool cut_text_line(struct fw_cursor *text, struct fw_cursor *line)
{
	if (!fw_cut_line(text, line))
		return false;
	if (line->at < line->end && line->end[-1] == '\r')
		line->end--;
	return true;
}

struct keys {
	struct fw_buf names[KEYS_LIMIT]; /* each in YAML already */
	size_t count;
};

/* Calls `each` with every field of the line; false: it is no line of a table. */
static bool cut_line(struct fw_cursor line, struct fw_buf *field, size_t most,
	void (*each)(const struct fw_buf *field, size_t i, void *arg), void *arg, size_t *count)
{
	*count = 0;
	do {
		if (!cut_field(&line, field) || *count == most)
			return false;
		each(field, (*count)++, arg);
	} while (fw_cut_literal(&line, ","));
	return true;
}

static void add_key(const struct fw_buf *field, size_t i, void *arg)
{
	struct keys *keys = arg;
	put_scalar(&keys->names[i], field);
}

struct row {
	struct keys *keys;
	struct fw_buf *out;
	const char *comma;
};

static void add_value(const struct fw_buf *field, size_t i, void *arg)
{
	struct row *row = arg;
	if (field->length == 0)
		return;
	fw_buf_printf(row->out, "%s%.*s: ", row->comma, (int)row->keys->names[i].length,
		(const char *)row->keys->names[i].data);
	put_scalar(row->out, field);
	row->comma = ", ";
}

static int add_rows(struct fw_cursor *text, struct keys *keys, struct fw_buf *field,
	struct fw_buf *out, struct fw_err *err)
{
	struct fw_cursor line;
	for (unsigned number = 2; cut_text_line(text, &line); number++) {
		struct row row = {keys, out, ""};
		size_t count = 0;
		if (line.at == line.end) {
			fw_buf_putc(out, '\n');
			continue;
		}
		fw_buf_puts(out, "- {");
		if (!cut_line(line, field, keys->count, add_value, &row, &count) ||
			count != keys->count)
			return fw_fail(err, -EINVAL,
				"line %u: %zu fields are expected, as the first line has them, in "
				"quotes where they hold commas or quotes",
				number, keys->count);
		fw_buf_puts(out, "}\n");
	}
	return 0;
}

/* Excel's "CSV" is in the bytes of its country; its "CSV UTF-8" is what is read here. */
static int check_text(struct fw_cursor text, struct fw_err *err)
{
	struct fw_cursor line;
	for (unsigned number = 1; fw_cut_line(&text, &line); number++)
		if (!fw_utf8_valid(line.at, (size_t)(line.end - line.at)))
			return fw_fail(err, -EINVAL,
				"line %u is not UTF-8; a spreadsheet calls that format 'CSV UTF-8'",
				number);
	return 0;
}

int register_csv_to_yaml(const char *text, size_t length, struct fw_buf *out, struct fw_err *err)
{
	struct fw_cursor all = {text, text + length}, line;
	struct keys keys = {.count = 0};
	struct fw_buf field = {0};
	int rc = check_text(all, err);
	fw_cut_literal(&all, "\xef\xbb\xbf"); /* a byte order mark */
	if (rc < 0)
		return rc;
	if (!cut_text_line(&all, &line) ||
		!cut_line(line, &field, KEYS_LIMIT, add_key, &keys, &keys.count))
		rc = fw_fail(err, -EINVAL,
			"line 1: the keys of hosts are expected, such as host,site,supplier");
	fw_buf_puts(out, "hosts:\n");
	if (rc == 0)
		rc = add_rows(&all, &keys, &field, out, err);
	for (size_t i = 0; i < KEYS_LIMIT; i++)
		fw_buf_done(&keys.names[i]);
	fw_buf_done(&field);
	return rc;
}
