/* SPDX-License-Identifier: Apache-2.0 */
/* Packed by each library's own hand, read back through a window. */
#include <fenwatch/unpack.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <sys/mman.h>

#include <bzlib.h>
#include <cmocka.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

enum { ROOM = 1 << 20 };

struct packed {
	const char *name;
	size_t (*pack)(const uint8_t *data, size_t length, uint8_t *out);
};

static size_t pack_plain(const uint8_t *data, size_t length, uint8_t *out)
{
	memcpy(out, data, length);
	return length;
}

static size_t pack_gz(const uint8_t *data, size_t length, uint8_t *out)
{
	z_stream gz = {0};
	assert_int_equal(deflateInit2(&gz, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	gz.next_in = (uint8_t *)data;
	gz.avail_in = (unsigned)length;
	gz.next_out = out;
	gz.avail_out = ROOM;
	assert_int_equal(deflate(&gz, Z_FINISH), Z_STREAM_END);
	size_t packed = ROOM - gz.avail_out;
	deflateEnd(&gz);
	return packed;
}

static size_t pack_bz2(const uint8_t *data, size_t length, uint8_t *out)
{
	unsigned packed = ROOM;
	assert_int_equal(BZ2_bzBuffToBuffCompress((char *)out, &packed, (char *)(uintptr_t)data,
				 (unsigned)length, 9, 0, 0),
		BZ_OK);
	return packed;
}

static size_t pack_xz(const uint8_t *data, size_t length, uint8_t *out)
{
	size_t packed = 0;
	assert_int_equal(lzma_easy_buffer_encode(
				 6, LZMA_CHECK_CRC64, NULL, data, length, out, &packed, ROOM),
		LZMA_OK);
	return packed;
}

static size_t pack_lz4(const uint8_t *data, size_t length, uint8_t *out)
{
	return LZ4F_compressFrame(out, ROOM, data, length, NULL);
}

static size_t pack_zst(const uint8_t *data, size_t length, uint8_t *out)
{
	return ZSTD_compress(out, ROOM, data, length, 19);
}

static const struct packed formats[] = {
	{"list", pack_plain},
	{"list.gz", pack_gz},
	{"list.bz2", pack_bz2},
	{"list.xz", pack_xz},
	{"list.lz4", pack_lz4},
	{"list.zst", pack_zst},
};

#define FORMATS (sizeof formats / sizeof *formats)

static int file_of(const uint8_t *data, size_t length)
{
	int fd = memfd_create("test", 0);
	assert_int_equal(fw_write(fd, data, length), 0);
	return fd;
}

/* Everything that comes out, in pieces of `size`; or why it ends. */
static int read_all(int fd, const char *name, size_t size, struct fw_buf *out)
{
	uint8_t piece[70000];
	struct fw_unpack *u = fw_unpack_new(fd, name);
	ssize_t got;
	while ((got = fw_unpack_read(u, piece, size)) > 0)
		fw_buf_append(out, piece, (size_t)got);
	fw_unpack_free(u);
	return (int)got;
}

/* Bytes that pack, but not to nothing. */
static void make_text(uint8_t *text, size_t length)
{
	uint32_t x = 1;
	for (size_t i = 0; i < length; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = (uint8_t)("Package: \nabcdef"[x >> 28]);
	}
}

static void test_all_comes_back(void **state)
{
	(void)state;
	static uint8_t text[200000], packed[2 * ROOM];
	make_text(text, sizeof text);
	for (size_t i = 0; i < FORMATS; i++) {
		for (size_t size = 100; size < 70000; size *= 26) {
			struct fw_buf out = {0};
			size_t n = formats[i].pack(text, sizeof text, packed);
			n += formats[i].pack(text, 5, packed + n); /* another stream */
			int fd = file_of(packed, n);
			assert_int_equal(read_all(fd, formats[i].name, size, &out), 0);
			assert_int_equal(out.length, sizeof text + 5);
			assert_memory_equal(out.data, text, sizeof text);
			fw_buf_done(&out);
			fw_close(fd);
		}
	}
}

static void test_what_is_cut_off_is_told(void **state)
{
	(void)state;
	static uint8_t text[3000], packed[ROOM];
	make_text(text, sizeof text);
	for (size_t i = 1; i < FORMATS; i++) {
		size_t whole = formats[i].pack(text, sizeof text, packed);
		for (size_t n = 1; n < whole; n += 1 + n / 64) {
			struct fw_buf out = {0};
			int fd = file_of(packed, n);
			assert_int_equal(read_all(fd, formats[i].name, 4096, &out), -EBADMSG);
			fw_buf_done(&out);
			fw_close(fd);
		}
		int fd = file_of((const uint8_t *)"<html>not found</html>", 22);
		struct fw_buf out = {0};
		assert_int_equal(read_all(fd, formats[i].name, 4096, &out), -EBADMSG);
		fw_buf_done(&out);
		fw_close(fd);
	}
}

static void test_an_empty_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < FORMATS; i++) {
		struct fw_buf out = {0};
		int fd = file_of((const uint8_t *)"", 0);
		assert_int_equal(read_all(fd, formats[i].name, 4096, &out), 0);
		assert_int_equal(out.length, 0);
		fw_close(fd);
	}
}

/* A few kilobytes that would become many gigabytes. */
static void test_a_bomb_is_given_up(void **state)
{
	(void)state;
	static uint8_t zeros[ROOM], packed[ROOM];
	size_t n = pack_zst(zeros, sizeof zeros, packed);
	struct fw_buf file = {0};
	for (int i = 0; i < 2100; i++)
		fw_buf_append(&file, packed, n);
	int fd = file_of(file.data, file.length);
	struct fw_unpack *u = fw_unpack_new(fd, "list.zst");
	ssize_t got;
	uint64_t given = 0;
	while ((got = fw_unpack_read(u, zeros, sizeof zeros)) > 0)
		given += (uint64_t)got;
	assert_int_equal(got, -EFBIG);
	assert_true(given <= FW_UNPACK_LIMIT);
	fw_unpack_free(u);
	fw_close(fd);
	fw_buf_done(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_comes_back),
		cmocka_unit_test(test_what_is_cut_off_is_told),
		cmocka_unit_test(test_an_empty_file),
		cmocka_unit_test(test_a_bomb_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
