/* SPDX-License-Identifier: Apache-2.0 */
#include "squeeze.h"

#include <errno.h>
#include <stdbool.h>

#include <zstd.h>

#define ZSTD_LEVEL 3
#define ZSTD_WINDOW_LOG 15 /* the memory of an agent: under 300 kB while it packs */
#define ZSTD_TABLE_LOG 13
#define ZSTD_WINDOW_LOG_LIMIT 23

static void set_up(ZSTD_CCtx *zstd)
{
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, ZSTD_WINDOW_LOG);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_hashLog, ZSTD_TABLE_LOG);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_chainLog, ZSTD_TABLE_LOG);
}

int squeeze(struct fw_buf *packed, const uint8_t *raw, size_t raw_length)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	if (!zstd)
		return -ENOMEM;
	set_up(zstd);
	size_t room = ZSTD_compressBound(raw_length);
	uint8_t *into = fw_buf_reserve(packed, room);
	size_t length = ZSTD_compress2(zstd, into, room, raw, raw_length);
	ZSTD_freeCCtx(zstd);
	if (ZSTD_isError(length))
		return -ENOMEM;
	packed->length += length;
	return 0;
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

int squeeze_check(const uint8_t *packed, size_t length, size_t raw_length, struct fw_err *err)
{
	if (!frame_is_modest(packed, length) || raw_length == 0 ||
		ZSTD_getFrameContentSize(packed, length) != raw_length)
		return fw_fail(err, -EBADMSG, "not a zstd frame of the length given");
	return 0;
}

int unsqueeze(
	const uint8_t *packed, size_t length, uint8_t *raw, size_t raw_length, struct fw_err *err)
{
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	if (!zstd)
		return fw_fail(err, -ENOMEM, "no memory to decompress");
	size_t got = ZSTD_decompressDCtx(zstd, raw, raw_length, packed, length);
	ZSTD_freeDCtx(zstd);
	if (ZSTD_isError(got))
		return fw_fail(err, -EBADMSG, "%s", ZSTD_getErrorName(got));
	if (got != raw_length)
		return fw_fail(err, -EBADMSG, "not of the length it says");
	return 0;
}
