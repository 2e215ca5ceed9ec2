/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/buf.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/mem.h>

enum { FIRST_BYTES = 64, VARINT_MOST_BYTES = 10 };

/* `wanted` does not count the NUL behind. */
static void grow(struct fw_buf *buf, size_t wanted)
{
	if (wanted < buf->capacity)
		return;
	size_t capacity = buf->capacity ? buf->capacity : FIRST_BYTES;
	while (capacity <= wanted)
		capacity = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
	if (buf->limit && capacity > buf->limit + 1)
		capacity = buf->limit + 1;
	buf->data = fw_realloc(buf->data, capacity);
	buf->capacity = capacity;
}

uint8_t *fw_buf_reserve(struct fw_buf *buf, size_t length)
{
	size_t limit = buf->limit ? buf->limit : SIZE_MAX - 1;
	if (length > limit || buf->length > limit - length) {
		buf->overflowed = true;
		return NULL;
	}
	grow(buf, buf->length + length);
	buf->data[buf->length] = '\0';
	buf->data[buf->length + length] = '\0';
	return buf->data + buf->length;
}

void fw_buf_append(struct fw_buf *buf, const void *data, size_t length)
{
	uint8_t *at = fw_buf_reserve(buf, length);
	if (!at)
		return;
	if (length > 0)
		memcpy(at, data, length);
	buf->length += length;
}

void fw_buf_puts(struct fw_buf *buf, const char *text)
{
	fw_buf_append(buf, text, strlen(text));
}

void fw_buf_putc(struct fw_buf *buf, char c)
{
	fw_buf_append(buf, &c, 1);
}

void fw_buf_printf(struct fw_buf *buf, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	assert(length >= 0);
	uint8_t *at = fw_buf_reserve(buf, (size_t)length);
	if (at) {
		vsnprintf((char *)at, (size_t)length + 1, format, args);
		buf->length += (size_t)length;
	}
	va_end(args);
}

void fw_buf_consume(struct fw_buf *buf, size_t length)
{
	assert(length <= buf->length);
	if (length == 0)
		return;
	buf->length -= length;
	memmove(buf->data, buf->data + length, buf->length + 1);
}

void fw_buf_reset(struct fw_buf *buf)
{
	buf->length = 0;
	buf->overflowed = false;
	if (buf->data)
		buf->data[0] = '\0';
}

void fw_buf_done(struct fw_buf *buf)
{
	fw_free(buf->data);
	*buf = (struct fw_buf){.limit = buf->limit};
}

void fw_buf_put_varint(struct fw_buf *buf, uint64_t value)
{
	uint8_t bytes[VARINT_MOST_BYTES];
	size_t n = 0;
	for (; value >= 0x80; value >>= 7)
		bytes[n++] = (uint8_t)(value | 0x80);
	bytes[n++] = (uint8_t)value;
	fw_buf_append(buf, bytes, n);
}

size_t fw_get_varint(const uint8_t *data, size_t length, uint64_t *value)
{
	uint64_t result = 0;
	for (size_t i = 0; i < length && i < VARINT_MOST_BYTES; i++) {
		/* Only one bit of the tenth byte still has a place. */
		if (i == VARINT_MOST_BYTES - 1 && data[i] > 1)
			return 0;
		result |= (uint64_t)(data[i] & 0x7f) << (7 * i);
		if (data[i] < 0x80) {
			*value = result;
			return i + 1;
		}
	}
	return 0;
}
