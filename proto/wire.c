/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf-c trusts its input with memory and depth, so a message is walked by
 * its descriptor first. Only what passes is unpacked: fields of their declared
 * kind, singular ones once, repeated ones within the limit, texts that are
 * texts. Unknown fields are skipped, a few of them, so that a newer peer is
 * understood. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include <fenwatch/text.h>
#include <fenwatch/wire.h>

#include "little.h"

#define FIELDS_LIMIT 32  /* of one message in fenwatch.proto */
#define UNKNOWN_LIMIT 64 /* fields of a newer peer in one message */
#define DEPTH_LIMIT 3

struct walk {
	const ProtobufCMessageDescriptor *type;
	struct fw_err *err;
	unsigned depth, unknown;
	unsigned counts[FIELDS_LIMIT];
};

static int check_message(const ProtobufCMessageDescriptor *type, struct bytes data, unsigned depth,
	struct fw_err *err);

static enum wire_kind kind_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return WIRE_FIXED32;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return WIRE_FIXED64;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		return WIRE_BYTES;
	default:
		return WIRE_VARINT;
	}
}

static int fail(const struct walk *walk, const ProtobufCFieldDescriptor *field, const char *what)
{
	return fw_fail(walk->err, -EBADMSG, "%s.%s: %s", walk->type->short_name, field->name, what);
}

/* How many numbers a packed field holds, or -1 when its bytes do not come out even. */
static long count_packed(enum wire_kind kind, struct bytes data)
{
	size_t length = bytes_left(&data), each = kind == WIRE_FIXED64 ? 8 : 4;
	if (kind != WIRE_VARINT)
		return length % each ? -1 : (long)(length / each);
	uint64_t number;
	long n = 0;
	for (; data.at < data.end; n++)
		if (!bytes_varint(&data, &number))
			return -1;
	return n;
}

/* Tab and newline may stand in a text (PEM has them), other control characters may not:
 * neither C0 nor, as UTF-8 writes them, C1 (C2 80 to C2 9F). */
static bool has_control(struct bytes text)
{
	for (const uint8_t *c = text.at; c < text.end; c++) {
		if ((*c < 0x20 && *c != '\t' && *c != '\n') || *c == 0x7f)
			return true;
		if (*c == 0xc2 && c + 1 < text.end && c[1] < 0xa0)
			return true;
	}
	return false;
}

bool fw_wire_text_valid(const char *text, size_t length)
{
	const uint8_t *at = (const uint8_t *)text;
	return fw_utf8_valid(text, length) && !has_control((struct bytes){at, at + length});
}

static int check_text(
	const struct walk *walk, const ProtobufCFieldDescriptor *field, struct bytes text)
{
	if (!fw_utf8_valid((const char *)text.at, bytes_left(&text)))
		return fail(walk, field, "not UTF-8");
	if (has_control(text))
		return fail(walk, field, "a control character");
	return 0;
}

static int check_value(
	struct walk *walk, const ProtobufCFieldDescriptor *field, const struct field *value)
{
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return check_text(walk, field, value->bytes);
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return check_message(field->descriptor, value->bytes, walk->depth + 1, walk->err);
	return 0;
}

static int check_known(
	struct walk *walk, const ProtobufCFieldDescriptor *field, const struct field *value)
{
	enum wire_kind kind = kind_of(field->type);
	bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
	bool packed = repeated && kind != WIRE_BYTES && value->kind == WIRE_BYTES;
	if (value->kind != kind && !packed)
		return fail(walk, field, "of the wrong kind");
	long n = packed ? count_packed(kind, value->bytes) : 1;
	if (n < 0)
		return fail(walk, field, "packed numbers are cut short");
	unsigned *count = &walk->counts[field - walk->type->fields];
	*count += (unsigned)n;
	if (*count > (repeated ? FW_WIRE_REPEATED : 1))
		return fail(walk, field, repeated ? "too many" : "given twice");
	return packed ? 0 : check_value(walk, field, value);
}

static int check_message(const ProtobufCMessageDescriptor *type, struct bytes data, unsigned depth,
	struct fw_err *err)
{
	struct walk walk = {.type = type, .err = err, .depth = depth};
	assert(type->n_fields <= FIELDS_LIMIT && depth < DEPTH_LIMIT);
	while (data.at < data.end) {
		struct field value;
		if (!wire_cut_field(&data, &value))
			return fw_fail(
				err, -EBADMSG, "%s: bytes that are no field", type->short_name);
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field(type, value.id);
		if (!field && ++walk.unknown > UNKNOWN_LIMIT)
			return fw_fail(
				err, -EBADMSG, "%s: too many unknown fields", type->short_name);
		int rc = field ? check_known(&walk, field, &value) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

struct allowance {
	struct fw_arena *arena;
	size_t left;
	bool spent;
};

static void *take(void *data, size_t bytes)
{
	struct allowance *allowance = data;
	void *memory = bytes <= allowance->left ? fw_arena_try(allowance->arena, bytes) : NULL;
	if (memory)
		allowance->left -= bytes;
	else
		allowance->spent = true;
	return memory;
}

static void give_back(void *data, void *memory)
{
	(void)data; /* the arena gives all of it back at once */
	(void)memory;
}

int fw_wire_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t length,
	struct fw_arena *arena, void **message, struct fw_err *err)
{
	int rc = check_message(type, (struct bytes){data, data + length}, 0, err);
	if (rc < 0)
		return rc;
	struct allowance allowance = {.arena = arena, .left = FW_WIRE_ARENA};
	ProtobufCAllocator allocator = {take, give_back, &allowance};
	void *unpacked = protobuf_c_message_unpack(type, &allocator, length, data);
	if (!unpacked && allowance.spent)
		return fw_fail(
			err, -ENOMEM, "%s: needs more memory than a message may", type->short_name);
	if (!unpacked)
		return fw_fail(err, -EBADMSG, "%s: malformed", type->short_name);
	*message = unpacked;
	return 0;
}

void fw_wire_put(struct fw_buf *out, enum fw_frame_type type, const ProtobufCMessage *message)
{
	struct fw_buf payload = {0};
	size_t length = protobuf_c_message_get_packed_size(message);
	protobuf_c_message_pack(message, fw_buf_reserve(&payload, length));
	payload.length = length;
	fw_frame_put(out, type, payload.data, length);
	fw_buf_done(&payload);
}
