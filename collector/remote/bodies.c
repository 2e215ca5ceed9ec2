/* SPDX-License-Identifier: Apache-2.0 */
#include "bodies.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <snappy-c.h>
#include <zstd.h>

#include "remote.h"

enum { WINDOW_LOG_MOST = 25 };

int body_packing_of(const char *encoding)
{
	static const char *const names[BODY_PACKINGS] = {"snappy", "zstd"};
	for (int i = 0; encoding && i < BODY_PACKINGS; i++)
		if (strcasecmp(encoding, names[i]) == 0)
			return i;
	return -ENOTSUP;
}

static int fail_large(struct fw_err *err)
{
	return fw_fail(err, -EMSGSIZE, "the body is longer than %u MiB when decompressed",
		REMOTE_BODY_LIMIT >> 20);
}

static int unpack_snappy(const char *data, size_t length, struct fw_arena *arena,
	const uint8_t **out, size_t *out_length, struct fw_err *err)
{
	size_t n;
	if (snappy_uncompressed_length(data, length, &n) != SNAPPY_OK)
		return fw_fail(err, -EBADMSG, "snappy: corrupt input");
	if (n > REMOTE_BODY_LIMIT)
		return fail_large(err);
	/* A length that was made up costs nothing before the bytes have been looked at. */
	if (snappy_validate_compressed_buffer(data, length) != SNAPPY_OK)
		return fw_fail(err, -EBADMSG, "snappy: corrupt input");
	char *to = fw_arena_try(arena, n + 1);
	if (!to)
		return fail_large(err);
	if (snappy_uncompress(data, length, to, &n) != SNAPPY_OK)
		return fw_fail(err, -EBADMSG, "snappy: corrupt input");
	*out = (const uint8_t *)to;
	*out_length = n;
	return 0;
}

/* A frame need not say how long it is, so it is read piece by piece. */
static int inflate(ZSTD_DCtx *context, ZSTD_inBuffer *in, struct fw_buf *buf, struct fw_err *err)
{
	uint8_t piece[16384];
	size_t left;
	do {
		ZSTD_outBuffer to = {piece, sizeof piece, 0};
		size_t before = in->pos;
		left = ZSTD_decompressStream(context, &to, in);
		if (ZSTD_isError(left) || (to.pos == 0 && in->pos == before))
			return fw_fail(err, -EBADMSG, "zstd: corrupt input");
		fw_buf_append(buf, piece, to.pos);
		if (buf->overflowed)
			return fail_large(err);
	} while (left > 0 || in->pos < in->size);
	return 0;
}

static int unpack_zstd(const uint8_t *data, size_t length, struct fw_arena *arena,
	const uint8_t **out, size_t *out_length, struct fw_err *err)
{
	struct fw_buf buf = {.limit = REMOTE_BODY_LIMIT};
	ZSTD_DCtx *context = ZSTD_createDCtx();
	ZSTD_inBuffer in = {data, length, 0};
	if (!context)
		return fw_fail(err, -ENOMEM, "no memory for a body in zstd");
	ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, WINDOW_LOG_MOST);
	int rc = inflate(context, &in, &buf, err);
	ZSTD_freeDCtx(context);
	uint8_t *copy = rc == 0 ? fw_arena_try(arena, buf.length + 1) : NULL;
	if (copy && buf.length)
		memcpy(copy, buf.data, buf.length);
	*out = copy;
	*out_length = buf.length;
	fw_buf_done(&buf);
	return rc < 0 ? rc : copy ? 0 : fail_large(err);
}

int body_unpack(enum body_packing packing, const uint8_t *data, size_t length,
	struct fw_arena *arena, const uint8_t **out, size_t *out_length, struct fw_err *err)
{
	return packing == BODY_SNAPPY
		? unpack_snappy((const char *)data, length, arena, out, out_length, err)
		: unpack_zstd(data, length, arena, out, out_length, err);
}

void body_pack(enum body_packing packing, const struct fw_buf *from, struct fw_buf *to)
{
	fw_buf_reset(to);
	size_t room = packing == BODY_SNAPPY ? snappy_max_compressed_length(from->length)
					     : ZSTD_compressBound(from->length);
	uint8_t *at = fw_buf_reserve(to, room);
	if (packing == BODY_SNAPPY)
		snappy_compress((const char *)from->data, from->length, (char *)at, &room);
	else
		room = ZSTD_compress(at, room, from->data, from->length, 1);
	to->length = room;
}

struct parsing {
	struct fw_arena *arena;
	bool full;
};

static void *take(void *arg, size_t size)
{
	struct parsing *parsing = arg;
	void *memory = fw_arena_try(parsing->arena, size);
	parsing->full |= !memory;
	return memory;
}

static void leave(void *arg, void *memory)
{
	(void)arg;
	(void)memory;
}

int body_fail_memory(struct fw_err *err)
{
	return fw_fail(err, -EMSGSIZE, "the body needs more memory than it may have");
}

int body_parse(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t length,
	struct fw_arena *arena, void **message, struct fw_err *err)
{
	struct parsing parsing = {arena, false};
	ProtobufCAllocator allocator = {take, leave, &parsing};
	*message = protobuf_c_message_unpack(type, &allocator, length, data);
	if (*message)
		return 0;
	return parsing.full
		? body_fail_memory(err)
		: fw_fail(err, -EBADMSG, "the body is no protobuf message of this kind");
}

const char *body_text(const ProtobufCBinaryData *text, struct fw_arena *arena)
{
	if (text->len > 0 && memchr(text->data, '\0', text->len))
		return NULL;
	return text->len > 0 ? fw_arena_strndup(arena, (const char *)text->data, text->len) : "";
}
