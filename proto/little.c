/* SPDX-License-Identifier: Apache-2.0 */
#include "little.h"

#define FIELD_LIMIT ((1u << 29) - 1)

static bool cut_value(struct bytes *b, struct field *field, size_t length)
{
	if (length > bytes_left(b))
		return false;
	field->bytes = (struct bytes){b->at, b->at + length};
	b->at += length;
	return true;
}

static bool cut_kind(struct bytes *b, struct field *field)
{
	uint64_t length = 0;
	switch (field->kind) {
	case WIRE_VARINT:
		return bytes_varint(b, &field->number);
	case WIRE_FIXED64:
		if (!cut_value(b, field, 8))
			return false;
		field->number = get_u64(field->bytes.at);
		return true;
	case WIRE_FIXED32:
		if (!cut_value(b, field, 4))
			return false;
		field->number = get_u32(field->bytes.at);
		return true;
	case WIRE_BYTES:
		return bytes_varint(b, &length) && length <= SIZE_MAX &&
			cut_value(b, field, (size_t)length);
	}
	return false;
}

bool wire_cut_field(struct bytes *b, struct field *field)
{
	uint64_t tag;
	if (!bytes_varint(b, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_LIMIT)
		return false;
	*field = (struct field){.id = (uint32_t)(tag >> 3), .kind = (enum wire_kind)(tag & 7)};
	return cut_kind(b, field);
}

void wire_put_number(struct fw_buf *out, uint32_t id, uint64_t value)
{
	if (value == 0)
		return;
	fw_buf_put_varint(out, (uint64_t)id << 3 | WIRE_VARINT);
	fw_buf_put_varint(out, value);
}

void wire_put_fixed64(struct fw_buf *out, uint32_t id, uint64_t value)
{
	uint8_t bytes[8];
	put_u64(bytes, value);
	fw_buf_put_varint(out, (uint64_t)id << 3 | WIRE_FIXED64);
	fw_buf_append(out, bytes, sizeof bytes);
}

void wire_put_bytes(struct fw_buf *out, uint32_t id, const void *data, size_t length)
{
	fw_buf_put_varint(out, (uint64_t)id << 3 | WIRE_BYTES);
	fw_buf_put_varint(out, length);
	fw_buf_append(out, data, length);
}

static bool pass_varint(struct bytes *b)
{
	while (b->at < b->end)
		if (*b->at++ < 0x80)
			return true;
	return false;
}

/* A varint ends with the byte whose highest bit is not set: eight bytes at a time. */
bool bytes_pass_varints(struct bytes *b, size_t n)
{
	for (; n > 0 && bytes_left(b) >= 8; b->at += 8) {
		uint64_t ends = ~get_u64(b->at) >> 7 & 0x0101010101010101;
		size_t count = ends * 0x0101010101010101 >> 56;
		if (count >= n)
			break;
		n -= count;
	}
	while (n > 0 && pass_varint(b))
		n--;
	return n == 0;
}
