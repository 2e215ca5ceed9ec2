/* Messages of remote.proto in the writing: labels and samples are in both directions what
 * they are in the other. Written by hand rather than by protobuf-c, which would leave out
 * -0.0, and a message of objects besides.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/schema.h>

size_t message_varint_size(uint64_t value);
void message_put_number(struct fw_buf *out, unsigned field, uint64_t number);
/* Before so many bytes that follow. */
void message_put_head(struct fw_buf *out, unsigned field, size_t length);
void message_put_bytes(struct fw_buf *out, unsigned field, const void *data, size_t length);
/* A field 1 of a series. */
void message_put_label(struct fw_buf *out, const struct fw_label *label);
/* A field 2 of it. */
void message_put_sample(struct fw_buf *out, int64_t at_ms, double value);
