/* Little-endian numbers and protobuf fields, as every file of the wire needs them.
 *
 * `struct bytes` is a place that only moves forward and never past its end:
 * a reader either consumes at least one byte and returns true, or fails.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>

static inline uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
		(uint32_t)at[3] << 24;
}

static inline uint64_t get_u64(const uint8_t *at)
{
	return get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

static inline void put_u32(uint8_t *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static inline void put_u64(uint8_t *at, uint64_t value)
{
	put_u32(at, (uint32_t)value);
	put_u32(at + 4, (uint32_t)(value >> 32));
}

struct bytes {
	const uint8_t *at, *end;
};

static inline size_t bytes_left(const struct bytes *b)
{
	return (size_t)(b->end - b->at);
}

static inline bool bytes_varint(struct bytes *b, uint64_t *value)
{
	if (b->at < b->end && *b->at < 0x80) {
		*value = *b->at++;
		return true;
	}
	size_t used = fw_get_varint(b->at, bytes_left(b), value);
	b->at += used;
	return used > 0;
}

/* Over so many varints. */
bool bytes_pass_varints(struct bytes *b, size_t n);

enum wire_kind { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* One field of a message: a number (varint, fixed) or a run of bytes. */
struct field {
	uint32_t id;
	enum wire_kind kind;
	uint64_t number;
	struct bytes bytes;
};

/* False at bytes that are no field: cut short, a group, a field number out of range. */
bool wire_cut_field(struct bytes *b, struct field *field);

/* Writing; a number that is 0 takes no room, as proto3 has it. */
void wire_put_number(struct fw_buf *out, uint32_t id, uint64_t value);
void wire_put_fixed64(struct fw_buf *out, uint32_t id, uint64_t value);
void wire_put_bytes(struct fw_buf *out, uint32_t id, const void *data, size_t length);
