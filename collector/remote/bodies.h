/* Bodies of requests: compressed protobuf, from outside. */
#pragma once

#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

enum body_packing { BODY_SNAPPY, BODY_ZSTD, BODY_PACKINGS };

/* The packing that a header names; -ENOTSUP. */
int body_packing_of(const char *encoding);

/* Decompresses into the arena, at most REMOTE_BODY_LIMIT. -EMSGSIZE, -EBADMSG. */
int body_unpack(enum body_packing packing, const uint8_t *data, size_t length,
	struct fw_arena *arena, const uint8_t **out, size_t *out_length, struct fw_err *err);
void body_pack(enum body_packing packing, const struct fw_buf *from, struct fw_buf *to);

/* The message lives in the arena, which has a limit. -EMSGSIZE, -EBADMSG. */
int body_parse(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t length,
	struct fw_arena *arena, void **message, struct fw_err *err);
int body_fail_memory(struct fw_err *err); /* -EMSGSIZE and its sentence */
/* A text of the message, ended by a NUL. NULL: it has one inside. */
const char *body_text(const ProtobufCBinaryData *text, struct fw_arena *arena);
