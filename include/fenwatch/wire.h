/* Packing and unpacking the other messages through protobuf-c.
 *
 * fw_wire_unpack never takes more memory than its arena's limit, refuses
 * groups and repeated fields past FW_WIRE_REPEATED, and checks every string for
 * UTF-8 and control characters. What it returns lives in the arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include <fenwatch/err.h>
#include <fenwatch/frame.h>
#include <fenwatch/mem.h>

#include "fenwatch.pb-c.h"

#define FW_WIRE_REPEATED 65536
#define FW_WIRE_ARENA (16u << 20)

/* A text that may travel: UTF-8, no control character but tab and newline. */
bool fw_wire_text_valid(const char *text, size_t length);
int fw_wire_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t length,
	struct fw_arena *arena, void **message, struct fw_err *err);
/* Appends one whole frame with `message` in it. */
void fw_wire_put(struct fw_buf *out, enum fw_frame_type type, const ProtobufCMessage *message);
