/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/items.h>

#include <errno.h>
#include <string.h>

#include <fenwatch/log.h>
#include <fenwatch/wire.h>

#include "squeeze.h"

enum { VALUE_LIMIT = 1024 };

/* ---- writing ---- */

static char special_of(char c)
{
	switch (c) {
	case '\\':
		return '\\';
	case '\t':
		return 't';
	case '\n':
		return 'n';
	default:
		return '\0';
	}
}

/* As many whole characters as fit. */
static void put_valid(struct fw_buf *out, const char *text, size_t limit)
{
	while (*text) {
		size_t n = 1;
		while (((unsigned char)text[n] & 0xc0) == 0x80)
			n++;
		char special = special_of(*text);
		size_t wide = special ? 2 : n;
		if (wide > limit)
			return;
		if (special) {
			fw_buf_putc(out, '\\');
			fw_buf_putc(out, special);
		} else {
			fw_buf_append(out, text, n);
		}
		limit -= wide;
		text += n;
	}
}

static void put_text(struct fw_buf *out, const char *text, size_t limit)
{
	char clean[VALUE_LIMIT + 1];
	size_t length = strlen(text);
	if (length <= VALUE_LIMIT && fw_wire_text_valid(text, length))
		put_valid(out, text, limit);
	else
		put_valid(out, fw_escape(text, clean, sizeof clean), limit);
}

void fw_item_begin(struct fw_item_writer *w, char sign, const char *key)
{
	w->line = w->text.length;
	w->n_fields = 0;
	fw_buf_putc(&w->text, sign);
	put_text(&w->text, key[0] ? key : "-", FW_ITEM_KEY_LIMIT);
}

void fw_item_field(struct fw_item_writer *w, const char *name, const char *value)
{
	size_t line = w->text.length - w->line, head = strlen(name) + 2;
	size_t room = FW_ITEM_LINE_LIMIT - 1;
	if (value[0] == '\0' || w->n_fields == FW_ITEM_FIELDS || line + head >= room)
		return;
	w->n_fields++;
	fw_buf_printf(&w->text, "\t%s=", name);
	put_text(&w->text, value, room - line - head);
}

void fw_item_end(struct fw_item_writer *w)
{
	fw_buf_putc(&w->text, '\n');
}

/* ---- reading ---- */

void fw_items_open(struct fw_items *items, uint8_t *text, size_t length, bool whole)
{
	/* Of an empty table there may be no text at all, and nothing is added to that. */
	char *end = length ? (char *)text + length : (char *)text;
	*items = (struct fw_items){.at = (char *)text, .end = end, .whole = whole};
}

static bool ends_key(char c)
{
	return c == '\t' || c == '\n' || c == '\0';
}

int fw_item_compare(const char *a, const char *b)
{
	while (*a == *b && !ends_key(*a)) {
		a++;
		b++;
	}
	int left = ends_key(*a) ? 0 : (unsigned char)*a;
	int right = ends_key(*b) ? 0 : (unsigned char)*b;
	return left - right;
}

/* In place; false where a backslash stands before anything else, or the text may not travel. */
static bool unescape(char *text)
{
	char *to = text;
	for (const char *from = text; *from; from++) {
		char c = *from;
		if (c == '\\') {
			c = *++from;
			if (c != '\\' && c != 't' && c != 'n')
				return false;
			c = c == 't' ? '\t' : c;
			c = c == 'n' ? '\n' : c;
		}
		*to++ = c;
	}
	*to = '\0';
	return fw_wire_text_valid(text, (size_t)(to - text));
}

static bool is_name(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return length > 0 && length <= FW_ITEM_NAME_LIMIT && text[length] == '\0';
}

/* The rest of a line, behind its key. */
static bool cut_fields(char *at, struct fw_item *out)
{
	while (at) {
		char *next = strchr(at, '\t');
		if (next)
			*next++ = '\0';
		char *value = strchr(at, '=');
		if (!value || out->n_fields == FW_ITEM_FIELDS)
			return false;
		*value++ = '\0';
		if (!is_name(at) || value[0] == '\0' || !unescape(value))
			return false;
		out->fields[out->n_fields++] = (struct fw_label){at, value};
		at = next;
	}
	return true;
}

/* A line that ends in NUL. */
static bool cut_line(struct fw_items *items, char *line, struct fw_item *out)
{
	*out = (struct fw_item){.gone = line[0] == '-', .key = line + 1};
	if (line[0] != '+' && (line[0] != '-' || items->whole))
		return false;
	char *fields = strchr(line + 1, '\t');
	if (fields)
		*fields++ = '\0';
	size_t length = strlen(line + 1);
	if (length == 0 || length > FW_ITEM_KEY_LIMIT || (out->gone && fields))
		return false;
	if (items->n > 0 && fw_item_compare(items->last, line + 1) >= 0)
		return false;
	memcpy(items->last, line + 1, length + 1);
	return unescape(line + 1) && cut_fields(fields, out);
}

int fw_items_next(struct fw_items *items, struct fw_item *out, struct fw_err *err)
{
	if (items->at == items->end)
		return 0;
	char *line = items->at;
	char *newline = memchr(line, '\n', (size_t)(items->end - line));
	if (!newline || newline - line >= FW_ITEM_LINE_LIMIT || items->n == FW_ITEMS_LIMIT ||
		memchr(line, '\0', (size_t)(newline - line)))
		return fw_fail(
			err, -EBADMSG, "item %u is not a line, or one too many", items->n + 1);
	*newline = '\0';
	if (!cut_line(items, line, out))
		return fw_fail(err, -EBADMSG, "item %u is malformed or out of order", items->n + 1);
	items->at = newline + 1;
	items->n++;
	return 1;
}

const char *fw_item_value(const struct fw_item *item, const char *name)
{
	for (uint32_t i = 0; i < item->n_fields; i++)
		if (strcmp(item->fields[i].name, name) == 0)
			return item->fields[i].value;
	return "";
}

/* ---- as it travels ---- */

bool fw_document_kind_valid(const char *kind)
{
	size_t length = strspn(kind, "abcdefghijklmnopqrstuvwxyz");
	return length > 0 && length <= FW_DOCUMENT_KIND_LIMIT && kind[length] == '\0';
}

int fw_items_pack(struct fw_buf *out, const uint8_t *text, size_t length, struct fw_err *err)
{
	if (length == 0)
		return 0;
	if (length > FW_ITEMS_RAW_LIMIT)
		return fw_fail(err, -EFBIG, "the table is larger than 4 MiB");
	size_t before = out->length;
	int rc = squeeze(out, text, length);
	if (rc < 0)
		return fw_fail_sys(err, rc, "packing the table");
	if (out->length - before > FW_ITEMS_PACKED_LIMIT)
		return fw_fail(err, -EFBIG, "the table is larger than 960 KiB when packed");
	return 0;
}

int fw_items_unpack(struct fw_buf *out, const uint8_t *packed, size_t length, size_t raw_length,
	struct fw_err *err)
{
	if (raw_length > FW_ITEMS_RAW_LIMIT || length > FW_ITEMS_PACKED_LIMIT)
		return fw_fail(err, -EMSGSIZE, "the table is larger than 4 MiB");
	if (raw_length == 0 && length == 0)
		return 0;
	int rc = squeeze_check(packed, length, raw_length, err);
	if (rc >= 0)
		rc = unsqueeze(packed, length, fw_buf_reserve(out, raw_length), raw_length, err);
	if (rc < 0)
		return rc;
	out->length += raw_length;
	out->data[out->length] = '\0';
	return 0;
}
