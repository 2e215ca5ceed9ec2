/* A growing run of bytes.
 *
 * Zero-initialised it is empty and has no limit. With `limit` set, an append
 * that would go past it changes nothing but `overflowed`, which the owner
 * checks once at the end. `data` is followed by a NUL that `length` does not
 * count, so text can be read as it stands.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fw_buf {
	uint8_t *data;
	size_t length, capacity, limit;
	bool overflowed;
};

void fw_buf_append(struct fw_buf *buf, const void *data, size_t length);
void fw_buf_puts(struct fw_buf *buf, const char *text);
void fw_buf_printf(struct fw_buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void fw_buf_putc(struct fw_buf *buf, char c);
/* Room for `length` more bytes at the end, not yet counted; NULL past the limit.
 * Who fills less than all of it puts the NUL behind itself. */
uint8_t *fw_buf_reserve(struct fw_buf *buf, size_t length);
void fw_buf_consume(struct fw_buf *buf, size_t length); /* forgets bytes at the front */
void fw_buf_reset(struct fw_buf *buf);                  /* empties it and keeps the memory */
void fw_buf_done(struct fw_buf *buf);

/* Unsigned LEB128 as protobuf has it. Put appends; get returns the bytes read,
 * 0 where the input ends early or the number does not fit 64 bits. */
void fw_buf_put_varint(struct fw_buf *buf, uint64_t value);
size_t fw_get_varint(const uint8_t *data, size_t length, uint64_t *value);

static inline uint64_t fw_zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

static inline int64_t fw_unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
