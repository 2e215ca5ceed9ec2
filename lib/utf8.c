/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <fenwatch/utf8.h>

#include <fenwatch/text.h>

/* How many bytes the first one announces, and the least code that needs so many. */
static size_t announced(uint8_t first, uint32_t *code, uint32_t *least)
{
	if (first < 0x80) {
		*code = first;
		*least = 0;
		return 1;
	}
	if (first >= 0xc2 && first <= 0xdf) {
		*code = first & 0x1f;
		*least = 0x80;
		return 2;
	}
	if (first >= 0xe0 && first <= 0xef) {
		*code = first & 0x0f;
		*least = 0x800;
		return 3;
	}
	if (first >= 0xf0 && first <= 0xf4) {
		*code = first & 0x07;
		*least = 0x10000;
		return 4;
	}
	return 0;
}

size_t fw_utf8_decode(const char *text, size_t length, uint32_t *code)
{
	if (length == 0)
		return 0;
	uint32_t value, least;
	size_t bytes = announced((uint8_t)text[0], &value, &least);
	if (bytes == 0 || bytes > length)
		return 0;
	for (size_t i = 1; i < bytes; i++) {
		uint8_t next = (uint8_t)text[i];
		if ((next & 0xc0) != 0x80)
			return 0;
		value = (value << 6) | (next & 0x3f);
	}
	if (value < least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code = value;
	return bytes;
}

bool fw_utf8_valid(const char *text, size_t length)
{
	uint32_t code;
	while (length > 0) {
		size_t bytes = fw_utf8_decode(text, length, &code);
		if (bytes == 0)
			return false;
		text += bytes;
		length -= bytes;
	}
	return true;
}

bool fw_is_line(const char *text, size_t most)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	size_t length = strlen(text);
	return length <= most && fw_utf8_valid(text, length);
}

void fw_utf8_put(struct fw_buf *out, uint32_t code)
{
	if (code < 0x80) {
		fw_buf_putc(out, (char)code);
	} else if (code < 0x800) {
		fw_buf_putc(out, (char)(0xc0 | code >> 6));
		fw_buf_putc(out, (char)(0x80 | (code & 0x3f)));
	} else if (code < 0x10000) {
		fw_buf_putc(out, (char)(0xe0 | code >> 12));
		fw_buf_putc(out, (char)(0x80 | (code >> 6 & 0x3f)));
		fw_buf_putc(out, (char)(0x80 | (code & 0x3f)));
	} else {
		fw_buf_putc(out, (char)(0xf0 | code >> 18));
		fw_buf_putc(out, (char)(0x80 | (code >> 12 & 0x3f)));
		fw_buf_putc(out, (char)(0x80 | (code >> 6 & 0x3f)));
		fw_buf_putc(out, (char)(0x80 | (code & 0x3f)));
	}
}
