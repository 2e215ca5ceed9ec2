/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/crc.h>
#include <fenwatch/frame.h>

static int cut(const struct fw_buf *buf, struct fw_frame *frame)
{
	return fw_frame_cut(buf->data, buf->length, frame, NULL);
}

/* Makes the checksum fit whatever has been done to the header. */
static void sign(struct fw_buf *buf)
{
	uint32_t crc = fw_crc32c(0, buf->data, 8);
	crc = fw_crc32c(crc, buf->data + FW_FRAME_HEADER, buf->length - FW_FRAME_HEADER);
	for (unsigned i = 0; i < 4; i++)
		buf->data[8 + i] = (uint8_t)(crc >> (8 * i));
}

static void test_put_and_cut(void **unused)
{
	(void)unused;
	struct fw_buf stream = {0};
	struct fw_frame frame;
	fw_frame_put(&stream, FW_FRAME_BATCH, "payload", 7);
	fw_frame_put(&stream, FW_FRAME_HEARTBEAT, NULL, 0);
	assert_int_equal(cut(&stream, &frame), FW_FRAME_HEADER + 7);
	assert_int_equal(frame.type, FW_FRAME_BATCH);
	assert_int_equal(frame.length, 7);
	assert_memory_equal(frame.payload, "payload", 7);
	fw_buf_consume(&stream, FW_FRAME_HEADER + 7);
	assert_int_equal(cut(&stream, &frame), FW_FRAME_HEADER);
	assert_int_equal(frame.type, FW_FRAME_HEARTBEAT);
	assert_int_equal(frame.length, 0);
	fw_buf_done(&stream);
}

static void test_every_prefix_waits(void **unused)
{
	(void)unused;
	struct fw_buf stream = {0};
	struct fw_frame frame;
	fw_frame_put(&stream, FW_FRAME_EVENT, "something", 9);
	for (size_t length = 0; length < stream.length; length++)
		assert_int_equal(fw_frame_cut(stream.data, length, &frame, NULL), 0);
	assert_true(cut(&stream, &frame) > 0);
	fw_buf_done(&stream);
}

static void test_every_bit_counts(void **unused)
{
	(void)unused;
	struct fw_buf stream = {0};
	fw_frame_put(&stream, FW_FRAME_ACK, "0123456789", 10);
	for (size_t bit = 0; bit < 8 * stream.length; bit++) {
		struct fw_frame frame;
		stream.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		/* A longer length is an incomplete frame: the checksum speaks when it is there. */
		assert_true(cut(&stream, &frame) <= 0);
		stream.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	fw_buf_done(&stream);
}

static void test_limits(void **unused)
{
	(void)unused;
	static uint8_t payload[FW_FRAME_LIMIT];
	struct fw_buf stream = {0};
	struct fw_frame frame;
	struct fw_err err;
	fw_frame_put(&stream, FW_FRAME_BATCH, payload, sizeof payload);
	assert_int_equal(cut(&stream, &frame), FW_FRAME_HEADER + FW_FRAME_LIMIT);
	stream.data[0] = 1; /* one byte more than allowed, told by the header alone */
	assert_int_equal(fw_frame_cut(stream.data, FW_FRAME_HEADER, &frame, &err), -EMSGSIZE);
	assert_string_equal(err.text, "a frame of 1048577 bytes; at most 1048576 are allowed");
	fw_buf_done(&stream);
}

static void test_unknown_header(void **unused)
{
	(void)unused;
	static const struct {
		size_t at;
		uint8_t value;
	} oddities[] = {{4, 0}, {4, FW_FRAME_TYPES}, {4, 255}, {5, 1}, {6, 1}, {7, 0x80}};
	for (size_t i = 0; i < sizeof oddities / sizeof *oddities; i++) {
		struct fw_buf stream = {0};
		struct fw_frame frame;
		fw_frame_put(&stream, FW_FRAME_HELLO, "x", 1);
		stream.data[oddities[i].at] = oddities[i].value;
		sign(&stream);
		assert_int_equal(cut(&stream, &frame), -EPROTO);
		fw_buf_done(&stream);
	}
}

static void test_checksum_is_named(void **unused)
{
	(void)unused;
	struct fw_buf stream = {0};
	struct fw_frame frame;
	struct fw_err err;
	fw_frame_put(&stream, FW_FRAME_BATCH, "x", 1);
	stream.data[FW_FRAME_HEADER] = 'y';
	assert_int_equal(fw_frame_cut(stream.data, stream.length, &frame, &err), -EBADMSG);
	assert_string_equal(err.text, "batch frame whose checksum does not match");
	fw_buf_done(&stream);
}

static void test_full_buffer(void **unused)
{
	(void)unused;
	struct fw_buf stream = {.limit = 20};
	fw_frame_put(&stream, FW_FRAME_BATCH, "123456789", 9);
	assert_true(stream.overflowed);
	assert_int_equal(stream.length, 0);
	fw_buf_done(&stream);
}

static void test_names(void **unused)
{
	(void)unused;
	for (int type = 1; type < FW_FRAME_TYPES; type++)
		assert_string_not_equal(fw_frame_name((enum fw_frame_type)type), "unknown");
	assert_string_equal(fw_frame_name(FW_FRAME_ENROL_REPLY), "enrol reply");
	assert_string_equal(fw_frame_name((enum fw_frame_type)0), "unknown");
	assert_string_equal(fw_frame_name(FW_FRAME_TYPES), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_cut),
		cmocka_unit_test(test_every_prefix_waits),
		cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_unknown_header),
		cmocka_unit_test(test_checksum_is_named),
		cmocka_unit_test(test_full_buffer),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
