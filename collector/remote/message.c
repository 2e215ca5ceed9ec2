/* SPDX-License-Identifier: Apache-2.0 */
#include "message.h"

#include <string.h>

enum { VARINT = 0, FIXED64 = 1, BYTES = 2 };

static void put_tag(struct fw_buf *out, unsigned field, unsigned kind)
{
	fw_buf_put_varint(out, field << 3 | kind);
}

size_t message_varint_size(uint64_t value)
{
	size_t n = 1;
	for (; value >= 0x80; value >>= 7)
		n++;
	return n;
}

void message_put_number(struct fw_buf *out, unsigned field, uint64_t number)
{
	put_tag(out, field, VARINT);
	fw_buf_put_varint(out, number);
}

void message_put_head(struct fw_buf *out, unsigned field, size_t length)
{
	put_tag(out, field, BYTES);
	fw_buf_put_varint(out, length);
}

void message_put_bytes(struct fw_buf *out, unsigned field, const void *data, size_t length)
{
	message_put_head(out, field, length);
	fw_buf_append(out, data, length);
}

void message_put_label(struct fw_buf *out, const struct fw_label *label)
{
	size_t name = strlen(label->name), value = strlen(label->value);
	message_put_head(out, 1,
		1 + message_varint_size(name) + name + 1 + message_varint_size(value) + value);
	message_put_bytes(out, 1, label->name, name);
	message_put_bytes(out, 2, label->value, value);
}

void message_put_sample(struct fw_buf *out, int64_t at_ms, double value)
{
	message_put_head(out, 2, 1 + sizeof value + 1 + message_varint_size((uint64_t)at_ms));
	put_tag(out, 1, FIXED64);
	fw_buf_append(out, &value, sizeof value);
	message_put_number(out, 2, (uint64_t)at_ms);
}
