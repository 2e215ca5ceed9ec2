/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/unpack.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <bzlib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

/* One way of packing. A step takes from [u->at, u->end) and gives at most `*size` bytes
 * into `data`; it returns 1 at the end of a stream, 0 before, or a negative errno. */
struct format {
	const char *ending;
	int (*begin)(struct fw_unpack *u);
	int (*step)(struct fw_unpack *u, uint8_t *data, size_t *size);
	void (*end)(struct fw_unpack *u);
};

struct fw_unpack {
	const struct format *format;
	int fd;
	uint64_t offset, given;
	bool file_ended, in_stream, ready;
	uint8_t *at, *end;
	union {
		z_stream gz;
		bz_stream bz2;
		lzma_stream xz;
		LZ4F_dctx *lz4;
		ZSTD_DStream *zst;
	} with;
	uint8_t window[16384];
};

static size_t left(const struct fw_unpack *u)
{
	return (size_t)(u->end - u->at);
}

/* ---- gzip ---- */

static int gz_begin(struct fw_unpack *u)
{
	u->with.gz = (z_stream){.next_in = u->at};
	return inflateInit2(&u->with.gz, 15 + 16) == Z_OK ? 0 : -ENOMEM;
}

static int gz_step(struct fw_unpack *u, uint8_t *data, size_t *size)
{
	z_stream *gz = &u->with.gz;
	gz->next_in = u->at;
	gz->avail_in = (unsigned)left(u);
	gz->next_out = data;
	gz->avail_out = (unsigned)*size;
	int rc = inflate(gz, Z_NO_FLUSH);
	u->at = gz->next_in;
	*size -= gz->avail_out;
	if (rc == Z_STREAM_END)
		return 1;
	return rc == Z_OK || rc == Z_BUF_ERROR ? 0 : rc == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static void gz_end(struct fw_unpack *u)
{
	inflateEnd(&u->with.gz);
}

/* ---- bzip2 ---- */

static int bz2_begin(struct fw_unpack *u)
{
	u->with.bz2 = (bz_stream){.next_in = NULL};
	return BZ2_bzDecompressInit(&u->with.bz2, 0, 0) == BZ_OK ? 0 : -ENOMEM;
}

static int bz2_step(struct fw_unpack *u, uint8_t *data, size_t *size)
{
	bz_stream *bz2 = &u->with.bz2;
	bz2->next_in = (char *)u->at;
	bz2->avail_in = (unsigned)left(u);
	bz2->next_out = (char *)data;
	bz2->avail_out = (unsigned)*size;
	int rc = BZ2_bzDecompress(bz2);
	u->at = (uint8_t *)bz2->next_in;
	*size -= bz2->avail_out;
	if (rc == BZ_STREAM_END)
		return 1;
	return rc == BZ_OK ? 0 : rc == BZ_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static void bz2_end(struct fw_unpack *u)
{
	BZ2_bzDecompressEnd(&u->with.bz2);
}

/* ---- xz ---- */

static int xz_begin(struct fw_unpack *u)
{
	u->with.xz = (lzma_stream)LZMA_STREAM_INIT;
	return lzma_stream_decoder(&u->with.xz, FW_UNPACK_MEMORY, 0) == LZMA_OK ? 0 : -ENOMEM;
}

static int xz_step(struct fw_unpack *u, uint8_t *data, size_t *size)
{
	lzma_stream *xz = &u->with.xz;
	xz->next_in = u->at;
	xz->avail_in = left(u);
	xz->next_out = data;
	xz->avail_out = *size;
	lzma_ret rc = lzma_code(xz, LZMA_RUN);
	u->at += left(u) - xz->avail_in;
	*size -= xz->avail_out;
	switch (rc) {
	case LZMA_STREAM_END:
		return 1;
	case LZMA_OK:
	case LZMA_BUF_ERROR:
		return 0;
	case LZMA_MEMLIMIT_ERROR:
		return -EFBIG;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}

static void xz_end(struct fw_unpack *u)
{
	lzma_end(&u->with.xz);
}

/* ---- lz4 ---- */

static int lz4_begin(struct fw_unpack *u)
{
	return LZ4F_isError(LZ4F_createDecompressionContext(&u->with.lz4, LZ4F_VERSION)) ? -ENOMEM
											 : 0;
}

static int lz4_step(struct fw_unpack *u, uint8_t *data, size_t *size)
{
	size_t taken = left(u);
	size_t rc = LZ4F_decompress(u->with.lz4, data, size, u->at, &taken, NULL);
	if (LZ4F_isError(rc)) {
		*size = 0;
		return -EBADMSG;
	}
	u->at += taken;
	return rc == 0;
}

static void lz4_end(struct fw_unpack *u)
{
	LZ4F_freeDecompressionContext(u->with.lz4);
}

/* ---- zstd ---- */

static int zst_begin(struct fw_unpack *u)
{
	u->with.zst = ZSTD_createDStream();
	if (!u->with.zst)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(u->with.zst, ZSTD_d_windowLogMax, 24);
	return 0;
}

static int zst_step(struct fw_unpack *u, uint8_t *data, size_t *size)
{
	ZSTD_inBuffer in = {u->at, left(u), 0};
	ZSTD_outBuffer out = {data, *size, 0};
	size_t rc = ZSTD_decompressStream(u->with.zst, &out, &in);
	u->at += in.pos;
	*size = out.pos;
	return ZSTD_isError(rc) ? -EBADMSG : rc == 0;
}

static void zst_end(struct fw_unpack *u)
{
	ZSTD_freeDStream(u->with.zst);
}

/* ---- the stream ---- */

static const struct format formats[] = {
	{".gz", gz_begin, gz_step, gz_end},
	{".bz2", bz2_begin, bz2_step, bz2_end},
	{".xz", xz_begin, xz_step, xz_end},
	{".lz4", lz4_begin, lz4_step, lz4_end},
	{".zst", zst_begin, zst_step, zst_end},
};

/* NULL: it is not packed. */
static const struct format *format_of(const char *name)
{
	const char *dot = strrchr(name, '.');
	for (size_t i = 0; dot && i < sizeof formats / sizeof *formats; i++)
		if (strcmp(dot, formats[i].ending) == 0)
			return &formats[i];
	return NULL;
}

bool fw_unpack_knows(const char *name)
{
	return format_of(name) != NULL;
}

struct fw_unpack *fw_unpack_new(int fd, const char *name)
{
	struct fw_unpack *u = fw_alloc(sizeof *u);
	u->fd = fd;
	u->at = u->end = u->window;
	u->format = format_of(name);
	return u;
}

void fw_unpack_free(struct fw_unpack *u)
{
	if (u && u->ready)
		u->format->end(u);
	fw_free(u);
}

static int fill(struct fw_unpack *u)
{
	ssize_t got = fw_pread(u->fd, u->window, sizeof u->window, u->offset);
	if (got < 0)
		return (int)got;
	u->offset += (uint64_t)got;
	u->at = u->window;
	u->end = u->window + got;
	u->file_ended = got == 0;
	return 0;
}

/* A file may hold several streams behind one another. */
static int begin_stream(struct fw_unpack *u)
{
	if (u->ready)
		u->format->end(u);
	int rc = u->format->begin(u);
	u->ready = rc == 0;
	u->in_stream = u->ready;
	return rc;
}

/* Gives nothing only at the end of the file. */
static ssize_t unpack_some(struct fw_unpack *u, uint8_t *data, size_t size)
{
	for (;;) {
		int rc = left(u) == 0 && !u->file_ended ? fill(u) : 0;
		if (rc == 0 && left(u) == 0 && !u->in_stream)
			return 0;
		if (rc == 0 && !u->in_stream)
			rc = begin_stream(u);
		if (rc < 0)
			return rc;
		size_t got = size;
		rc = u->format->step(u, data, &got);
		if (rc < 0)
			return rc;
		u->in_stream = rc == 0;
		if (got)
			return (ssize_t)got;
		if (u->in_stream && u->file_ended && left(u) == 0)
			return -EBADMSG; /* cut off */
	}
}

ssize_t fw_unpack_read(struct fw_unpack *u, void *data, size_t size)
{
	ssize_t got =
		u->format ? unpack_some(u, data, size) : fw_pread(u->fd, data, size, u->offset);
	if (got < 0)
		return got;
	if (!u->format)
		u->offset += (uint64_t)got;
	u->given += (uint64_t)got;
	return u->given > FW_UNPACK_LIMIT ? -EFBIG : got;
}
