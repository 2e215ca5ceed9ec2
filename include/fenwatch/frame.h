/* Frames: how messages lie on the stream.
 *
 *   length u32 | type u8 | flags u8 | reserved u16 (0) | CRC-32C u32 | payload
 *
 * Little-endian. `length` counts the payload alone and is at most 1 MiB; the
 * checksum covers the first eight bytes and the payload. The payload is one
 * message of proto/fenwatch.proto. Flags are 0.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>

#define FW_FRAME_HEADER 12
#define FW_FRAME_LIMIT (1u << 20)

enum fw_frame_type {
	FW_FRAME_HELLO = 1,
	FW_FRAME_WELCOME,
	FW_FRAME_SCHEMA,
	FW_FRAME_HOST,
	FW_FRAME_BATCH,
	FW_FRAME_DOCUMENT,
	FW_FRAME_EVENT,
	FW_FRAME_ACK,
	FW_FRAME_HEARTBEAT,
	FW_FRAME_GOODBYE,
	FW_FRAME_ENROL_REQUEST,
	FW_FRAME_ENROL_REPLY,
	FW_FRAME_TYPES
};

struct fw_frame {
	enum fw_frame_type type;
	const uint8_t *payload; /* within the bytes given */
	size_t length;
};

struct fw_buf;

/* Appends a frame around `payload`, which is at most FW_FRAME_LIMIT long. */
void fw_frame_put(struct fw_buf *out, enum fw_frame_type type, const void *payload, size_t length);
/* Bytes used by the first frame in `data`; 0 when it is not complete yet;
 * -EPROTO (unknown type, flags), -EMSGSIZE or -EBADMSG (checksum) with a sentence.
 * A length past the limit is refused from the header alone. */
int fw_frame_cut(const uint8_t *data, size_t length, struct fw_frame *frame, struct fw_err *err);
const char *fw_frame_name(enum fw_frame_type type);
