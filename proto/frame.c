/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/crc.h>
#include <fenwatch/frame.h>

#include "little.h"

enum { AT_LENGTH = 0, AT_TYPE = 4, AT_FLAGS = 5, AT_RESERVED = 6, AT_CHECKSUM = 8 };

static const char *const names[FW_FRAME_TYPES] = {
	[FW_FRAME_HELLO] = "hello",
	[FW_FRAME_WELCOME] = "welcome",
	[FW_FRAME_SCHEMA] = "schema",
	[FW_FRAME_HOST] = "host",
	[FW_FRAME_BATCH] = "batch",
	[FW_FRAME_DOCUMENT] = "document",
	[FW_FRAME_EVENT] = "event",
	[FW_FRAME_ACK] = "ack",
	[FW_FRAME_HEARTBEAT] = "heartbeat",
	[FW_FRAME_GOODBYE] = "goodbye",
	[FW_FRAME_ENROL_REQUEST] = "enrol request",
	[FW_FRAME_ENROL_REPLY] = "enrol reply",
};

const char *fw_frame_name(enum fw_frame_type type)
{
	const char *name = (unsigned)type < FW_FRAME_TYPES ? names[type] : NULL;
	return name ? name : "unknown";
}

static uint32_t checksum(const uint8_t *header, const void *payload, size_t length)
{
	return fw_crc32c(fw_crc32c(0, header, AT_CHECKSUM), payload, length);
}

void fw_frame_put(struct fw_buf *out, enum fw_frame_type type, const void *payload, size_t length)
{
	assert(length <= FW_FRAME_LIMIT);
	uint8_t header[FW_FRAME_HEADER] = {0};
	put_u32(header + AT_LENGTH, (uint32_t)length);
	header[AT_TYPE] = (uint8_t)type;
	put_u32(header + AT_CHECKSUM, checksum(header, payload, length));
	if (!fw_buf_reserve(out, sizeof header + length))
		return;
	fw_buf_append(out, header, sizeof header);
	fw_buf_append(out, payload, length);
}

static int check_header(const uint8_t *header, struct fw_err *err)
{
	uint32_t length = get_u32(header + AT_LENGTH);
	unsigned type = header[AT_TYPE];
	if (length > FW_FRAME_LIMIT)
		return fw_fail(err, -EMSGSIZE, "a frame of %u bytes; at most %u are allowed",
			length, FW_FRAME_LIMIT);
	if (type == 0 || type >= FW_FRAME_TYPES)
		return fw_fail(err, -EPROTO, "a frame of unknown type %u", type);
	if (header[AT_FLAGS] || header[AT_RESERVED] || header[AT_RESERVED + 1])
		return fw_fail(err, -EPROTO, "%s frame with unknown flags", names[type]);
	return 0;
}

int fw_frame_cut(const uint8_t *data, size_t length, struct fw_frame *frame, struct fw_err *err)
{
	if (length < FW_FRAME_HEADER)
		return 0;
	int rc = check_header(data, err);
	if (rc < 0)
		return rc;
	size_t payload = get_u32(data + AT_LENGTH);
	if (length < FW_FRAME_HEADER + payload)
		return 0;
	if (get_u32(data + AT_CHECKSUM) != checksum(data, data + FW_FRAME_HEADER, payload))
		return fw_fail(err, -EBADMSG, "%s frame whose checksum does not match",
			names[data[AT_TYPE]]);
	*frame = (struct fw_frame){
		.type = (enum fw_frame_type)data[AT_TYPE],
		.payload = data + FW_FRAME_HEADER,
		.length = payload,
	};
	return (int)(FW_FRAME_HEADER + payload);
}
