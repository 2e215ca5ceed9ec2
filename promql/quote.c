/* SPDX-License-Identifier: Apache-2.0 */
#include "quote.h"

#include <stdbool.h>
#include <string.h>

#include <fenwatch/utf8.h>

#define REPLACEMENT 0xfffd

/* Blanks other than the plain one, marks of direction, private and unassigned planes. */
static bool is_printable(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{0, 0x1f},
		{0x7f, 0xa0},
		{0xad, 0xad},
		{0x1680, 0x1680},
		{0x180e, 0x180e},
		{0x2000, 0x200f},
		{0x2028, 0x202f},
		{0x205f, 0x206f},
		{0x3000, 0x3000},
		{0xd800, 0xf8ff},
		{0xfeff, 0xfeff},
		{0xfff0, 0xfffb},
		{0xfffe, 0xffff},
		{0xe0000, 0x10ffff},
	};
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return false;
	return true;
}

static void put_char(struct fw_buf *out, uint32_t code, char quote)
{
	static const char bytes[] = "\a\b\f\n\r\t\v", names[] = "abfnrtv";
	const char *known = code && code < 0x80 ? strchr(bytes, (int)code) : NULL;
	if (code == (uint32_t)quote || code == '\\')
		fw_buf_printf(out, "\\%c", (char)code);
	else if (known)
		fw_buf_printf(out, "\\%c", names[known - bytes]);
	else if (is_printable(code))
		fw_utf8_put(out, code);
	else if (code < 0x80)
		fw_buf_printf(out, "\\x%02x", code);
	else if (code < 0x10000)
		fw_buf_printf(out, "\\u%04x", code);
	else
		fw_buf_printf(out, "\\U%08x", code);
}

void promql_quote_some(struct fw_buf *out, const char *text, size_t length, size_t limit)
{
	fw_buf_putc(out, '"');
	for (size_t n = 0; length > 0 && n < limit; n++) {
		uint32_t code;
		size_t bytes = fw_utf8_decode(text, length, &code);
		if (bytes == 0)
			fw_buf_printf(out, "\\x%02x", (uint8_t)*text);
		else
			put_char(out, code, '"');
		bytes += bytes == 0;
		text += bytes;
		length -= bytes;
	}
	fw_buf_putc(out, '"');
}

void promql_quote(struct fw_buf *out, const char *text)
{
	promql_quote_some(out, text, strlen(text), SIZE_MAX);
}

void promql_quote_char(struct fw_buf *out, uint32_t code)
{
	bool valid = code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000);
	fw_buf_putc(out, '\'');
	put_char(out, valid ? code : REPLACEMENT, '\'');
	fw_buf_putc(out, '\'');
}

static bool is_plain_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t length = strlen(name);
	return length > 0 && strchr(letters, *name) &&
		strspn(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") ==
		length;
}

void promql_put_name(struct fw_buf *out, const char *name)
{
	if (is_plain_name(name))
		fw_buf_puts(out, name);
	else
		promql_quote(out, name);
}
