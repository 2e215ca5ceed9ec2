/* SPDX-License-Identifier: Apache-2.0 */
/* A body under zstd: varint length of `changed`, `changed`, varint length of
 * `deltas`, `deltas`, and `gone` up to the end. */
#include <errno.h>

#include <zstd.h>

#include "batch_body.h"
#include "little.h"

#define ZSTD_LEVEL 3
#define ZSTD_WINDOW_LOG 15 /* the memory of an agent: under 300 kB while it packs */
#define ZSTD_TABLE_LOG 13
#define ZSTD_WINDOW_LOG_LIMIT 23
#define RATIO_FREE_BYTES (64u << 10) /* up to here any ratio is accepted */

static void join(const struct body *body, struct fw_buf *raw)
{
	fw_buf_put_varint(raw, body->changed.length);
	fw_buf_append(raw, body->changed.data, body->changed.length);
	fw_buf_put_varint(raw, body->deltas.length);
	fw_buf_append(raw, body->deltas.data, body->deltas.length);
	fw_buf_append(raw, body->gone.data, body->gone.length);
}

static void set_up(ZSTD_CCtx *zstd)
{
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, ZSTD_WINDOW_LOG);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_hashLog, ZSTD_TABLE_LOG);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_chainLog, ZSTD_TABLE_LOG);
}

static int compress(const struct fw_buf *raw, struct fw_buf *packed)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	if (!zstd)
		return -ENOMEM;
	set_up(zstd);
	size_t room = ZSTD_compressBound(raw->length);
	size_t length =
		ZSTD_compress2(zstd, fw_buf_reserve(packed, room), room, raw->data, raw->length);
	ZSTD_freeCCtx(zstd);
	if (ZSTD_isError(length))
		return -ENOMEM;
	packed->length = length;
	return 0;
}

static bool ratio_allowed(size_t raw_length, size_t packed_length)
{
	return raw_length <= RATIO_FREE_BYTES || raw_length / FW_BATCH_RATIO_LIMIT <= packed_length;
}

static void put_packed(struct fw_buf *out, const struct fw_buf *packed, size_t raw_length)
{
	wire_put_number(out, RAW_LENGTH, raw_length);
	wire_put_bytes(out, PACKED, packed->data, packed->length);
}

/* Packed where that is smaller and within the limits, plain otherwise. */
int batch_put_packed(struct fw_buf *out, const struct body *body)
{
	struct fw_buf raw = {0}, packed = {0};
	join(body, &raw);
	bool pack = raw.length <= FW_BATCH_RAW_LIMIT;
	int rc = pack ? compress(&raw, &packed) : 0;
	if (pack && rc == 0 && packed.length < raw.length &&
		ratio_allowed(raw.length, packed.length))
		put_packed(out, &packed, raw.length);
	else if (rc == 0)
		batch_put_body(out, body);
	fw_buf_done(&raw);
	fw_buf_done(&packed);
	return rc;
}

/* RFC 8878, 3.1.1.1: no dictionary, a window that is not larger than ours. */
static bool frame_is_modest(const uint8_t *packed, size_t length)
{
	if (length < 6)
		return false;
	unsigned descriptor = packed[4];
	bool single_segment = descriptor & 0x20;
	unsigned window_log = 10 + (packed[5] >> 3);
	return (descriptor & 0x03) == 0 &&
		(single_segment || window_log < ZSTD_WINDOW_LOG_LIMIT ||
			packed[5] == (ZSTD_WINDOW_LOG_LIMIT - 10) << 3);
}

static int decompress(
	const uint8_t *packed, size_t length, uint8_t *raw, size_t raw_length, struct fw_err *err)
{
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	if (!zstd)
		return fw_fail(err, -ENOMEM, "batch: no memory to decompress");
	size_t got = ZSTD_decompressDCtx(zstd, raw, raw_length, packed, length);
	ZSTD_freeDCtx(zstd);
	if (ZSTD_isError(got))
		return fw_fail(err, -EBADMSG, "batch: packed: %s", ZSTD_getErrorName(got));
	if (got != raw_length)
		return fw_fail(err, -EBADMSG, "batch: packed: not of the length it says");
	return 0;
}

static bool cut_run(struct bytes *b, const uint8_t **run, size_t *length)
{
	uint64_t n;
	if (!bytes_varint(b, &n) || n > bytes_left(b))
		return false;
	*run = b->at;
	*length = (size_t)n;
	b->at += n;
	return true;
}

int batch_unpack(struct fw_batch *batch, const uint8_t *packed, size_t length, size_t raw_length,
	struct fw_arena *arena, struct fw_err *err)
{
	if (!ratio_allowed(raw_length, length))
		return fw_fail(
			err, -EMSGSIZE, "batch: packed more than %d to 1", FW_BATCH_RATIO_LIMIT);
	if (!frame_is_modest(packed, length) || raw_length == 0 ||
		ZSTD_getFrameContentSize(packed, length) != raw_length)
		return fw_fail(
			err, -EBADMSG, "batch: packed: not a zstd frame of the length given");
	uint8_t *raw = fw_arena_try(arena, raw_length);
	if (!raw)
		return fw_fail(err, -ENOMEM, "batch: needs more memory than a message may");
	int rc = decompress(packed, length, raw, raw_length, err);
	if (rc < 0)
		return rc;
	struct bytes b = {raw, raw + raw_length};
	if (!cut_run(&b, &batch->changed, &batch->changed_length) ||
		!cut_run(&b, &batch->deltas, &batch->deltas_length))
		return fw_fail(err, -EBADMSG, "batch: packed: cut short");
	batch->gone = b.at;
	batch->gone_length = bytes_left(&b);
	return 0;
}
