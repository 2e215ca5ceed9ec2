/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/fault.h>
#include <fenwatch/wire.h>

#include "little.h"

#define TYPE(name) (&fenwatch__wire__##name##__descriptor)

struct reading {
	struct fw_arena arena;
	void *message;
	struct fw_err err;
};

static int unpack(
	struct reading *r, const ProtobufCMessageDescriptor *type, const struct fw_buf *buf)
{
	fw_arena_reset(&r->arena);
	return fw_wire_unpack(type, buf->data, buf->length, &r->arena, &r->message, &r->err);
}

/* Unpacks and forgets; says what the failure was. */
static int try(const ProtobufCMessageDescriptor *type, const struct fw_buf *buf, const char *why)
{
	struct reading r = {0};
	int rc = unpack(&r, type, buf);
	if (rc < 0 && why)
		assert_string_equal(r.err.text, why);
	fw_arena_done(&r.arena);
	return rc;
}

static void put_hello(struct fw_buf *out)
{
	Fenwatch__Wire__Label name = FENWATCH__WIRE__LABEL__INIT, *labels[] = {&name};
	Fenwatch__Wire__Hello hello = FENWATCH__WIRE__HELLO__INIT;
	static uint8_t machine[32] = {1, 2, 3}, hash[16] = {4, 5};
	static char instance[] = "instance", host[] = "w\xc3\xb6rk 01", version[] = "0.1.0";
	ProtobufCBinaryData known[] = {{sizeof hash, hash}, {sizeof hash, hash}};
	name.name = instance;
	name.value = host;
	hello.proto = 1;
	hello.stream = UINT64_MAX - 1;
	hello.next_live = 1ull << 63;
	hello.machine = (ProtobufCBinaryData){sizeof machine, machine};
	hello.version = version;
	hello.n_labels = 1;
	hello.labels = labels;
	hello.n_known_schema = 2;
	hello.known_schema = known;
	fw_wire_put(out, FW_FRAME_HELLO, &hello.base);
}

static void test_put_and_unpack(void **unused)
{
	(void)unused;
	struct fw_buf stream = {0};
	struct fw_frame frame;
	struct reading r = {0};
	put_hello(&stream);
	assert_int_equal(fw_frame_cut(stream.data, stream.length, &frame, NULL), stream.length);
	assert_int_equal(frame.type, FW_FRAME_HELLO);
	assert_int_equal(fw_wire_unpack(TYPE(hello), frame.payload, frame.length, &r.arena,
				 &r.message, &r.err),
		0);
	const Fenwatch__Wire__Hello *hello = r.message;
	assert_true(hello->stream == UINT64_MAX - 1);
	assert_true(hello->next_live == 1ull << 63);
	assert_int_equal(hello->machine.len, 32);
	assert_int_equal(hello->n_labels, 1);
	assert_string_equal(hello->labels[0]->value, "w\xc3\xb6rk 01");
	assert_int_equal(hello->n_known_schema, 2);
	assert_int_equal(hello->known_schema[1].data[1], 5);
	fw_arena_done(&r.arena);
	fw_buf_done(&stream);
}

static void test_empty_message(void **unused)
{
	(void)unused;
	struct fw_buf stream = {0}, nothing = {.data = (uint8_t[1]){0}};
	Fenwatch__Wire__Heartbeat heartbeat = FENWATCH__WIRE__HEARTBEAT__INIT;
	fw_wire_put(&stream, FW_FRAME_HEARTBEAT, &heartbeat.base);
	assert_int_equal(stream.length, FW_FRAME_HEADER);
	assert_int_equal(try(TYPE(heartbeat), &nothing, NULL), 0);
	assert_int_equal(try(TYPE(hello), &nothing, NULL), 0);
	fw_buf_done(&stream);
}

/* Cut anywhere but between two fields, it is refused; there it is a shorter message. */
static void test_every_prefix_and_bit(void **unused)
{
	(void)unused;
	struct fw_buf stream = {0};
	unsigned refused = 0;
	put_hello(&stream);
	fw_buf_consume(&stream, FW_FRAME_HEADER);
	for (size_t length = 0; length < stream.length; length++) {
		struct fw_buf prefix = {0};
		fw_buf_append(&prefix, stream.data, length);
		prefix.data = fw_realloc(prefix.data, length + 1);
		refused += try(TYPE(hello), &prefix, NULL) < 0;
		fw_buf_done(&prefix);
	}
	assert_true(refused + 10 > stream.length);
	for (size_t bit = 0; bit < 8 * stream.length; bit++) {
		stream.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		try(TYPE(hello), &stream, NULL);
		stream.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	fw_buf_done(&stream);
}

static void test_texts(void **unused)
{
	(void)unused;
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"plain", NULL},
		{"\xe2\x82\xac and \xc2\xa0", NULL},
		{"-----BEGIN\n\tx", NULL},
		{"\x1b[31m", "Hello.version: a control character"},
		{"a\rb", "Hello.version: a control character"},
		{"a\x7f", "Hello.version: a control character"},
		{"\xc2\x9b", "Hello.version: a control character"},
		{"\xff", "Hello.version: not UTF-8"},
		{"\xc3", "Hello.version: not UTF-8"},
		{"\xed\xa0\x80", "Hello.version: not UTF-8"},
		{"\xc0\x80", "Hello.version: not UTF-8"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fw_buf message = {0};
		size_t length = strlen(cases[i].text);
		assert_int_equal(fw_wire_text_valid(cases[i].text, length), !cases[i].why);
		wire_put_bytes(&message, 7, cases[i].text, length);
		assert_int_equal(
			try(TYPE(hello), &message, cases[i].why), cases[i].why ? -EBADMSG : 0);
		fw_buf_done(&message);
	}
	struct fw_buf message = {0};
	wire_put_bytes(&message, 7, "a\0b", 3);
	assert_int_equal(
		try(TYPE(hello), &message, "Hello.version: a control character"), -EBADMSG);
	fw_buf_done(&message);
}

static void test_texts_in_labels(void **unused)
{
	(void)unused;
	struct fw_buf label = {0}, message = {0};
	wire_put_bytes(&label, 2, "\a", 1);
	wire_put_bytes(&message, 8, label.data, label.length);
	assert_int_equal(try(TYPE(hello), &message, "Label.value: a control character"), -EBADMSG);
	fw_buf_done(&label);
	fw_buf_done(&message);
}

static void test_odd_fields(void **unused)
{
	(void)unused;
	static const struct {
		uint8_t bytes[8];
		size_t length;
		const char *why;
	} cases[] = {
		{{0x08, 1}, 2, NULL}, {{0x08, 1, 0x08, 1}, 4, "Hello.proto: given twice"},
		{{0x0a, 1, 0}, 3, "Hello.proto: of the wrong kind"},
		{{0x11, 1}, 2, "Hello: bytes that are no field"},
		{{0x0b, 0x0c}, 2, "Hello: bytes that are no field"},
		{{0x00, 0x00}, 2, "Hello: bytes that are no field"},
		{{0x3a, 5, 'a'}, 3, "Hello: bytes that are no field"},
		{{0x82, 0x06, 1, 'a'}, 4, NULL}, /* field 96, of a newer agent */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fw_buf message = {0};
		fw_buf_append(&message, cases[i].bytes, cases[i].length);
		assert_int_equal(
			try(TYPE(hello), &message, cases[i].why), cases[i].why ? -EBADMSG : 0);
		fw_buf_done(&message);
	}
}

static void test_repeated_limit(void **unused)
{
	(void)unused;
	struct fw_buf numbers = {0}, message = {0}, loose = {0};
	for (unsigned i = 0; i < FW_WIRE_REPEATED; i++)
		fw_buf_put_varint(&numbers, i);
	wire_put_bytes(&message, 6, numbers.data, numbers.length);
	assert_int_equal(try(TYPE(schema), &message, NULL), 0);
	wire_put_number(&message, 6, 1); /* one more, not packed */
	assert_int_equal(try(TYPE(schema), &message, "Schema.label: too many"), -EBADMSG);
	for (unsigned i = 0; i < FW_WIRE_REPEATED; i++)
		wire_put_bytes(&loose, 3, "", 0);
	assert_int_equal(try(TYPE(schema), &loose, NULL), 0);
	wire_put_bytes(&loose, 3, "", 0);
	assert_int_equal(try(TYPE(schema), &loose, "Schema.symbol: too many"), -EBADMSG);
	fw_buf_done(&numbers);
	fw_buf_done(&message);
	fw_buf_done(&loose);
}

static void test_packed_cut_short(void **unused)
{
	(void)unused;
	struct fw_buf message = {0};
	wire_put_bytes(&message, 4, "\x01\x80", 2);
	assert_int_equal(
		try(TYPE(schema), &message, "Schema.name: packed numbers are cut short"), -EBADMSG);
	fw_buf_done(&message);
}

static void test_unknown_fields_are_few(void **unused)
{
	(void)unused;
	struct fw_buf message = {0};
	for (unsigned i = 0; i < 64; i++)
		wire_put_number(&message, 100 + i, 1);
	assert_int_equal(try(TYPE(ack), &message, NULL), 0);
	wire_put_number(&message, 200, 1);
	assert_int_equal(try(TYPE(ack), &message, "Ack: too many unknown fields"), -EBADMSG);
	fw_buf_done(&message);
}

static void test_memory_is_bounded(void **unused)
{
	(void)unused;
	struct fw_buf message = {0};
	struct reading r = {.arena.limit = 4096};
	static uint8_t big[8192];
	memset(big, 'x', sizeof big);
	wire_put_bytes(&message, 7, big, sizeof big);
	assert_int_equal(unpack(&r, TYPE(hello), &message), -ENOMEM);
	assert_string_equal(r.err.text, "Hello: needs more memory than a message may");
	assert_in_range(r.arena.used, 0, 4096);
	r.arena.limit = 16384;
	assert_int_equal(unpack(&r, TYPE(hello), &message), 0);
	fw_arena_done(&r.arena);
	fw_buf_done(&message);
}

#ifdef FW_TEST_SEAMS
static void test_memory_fails(void **unused)
{
	(void)unused;
	struct fw_buf stream = {0};
	put_hello(&stream);
	fw_buf_consume(&stream, FW_FRAME_HEADER);
	fw_fault_arm(FW_OP_ALLOC, 1, -ENOMEM, true);
	int rc = try(TYPE(hello), &stream, NULL);
	fw_fault_clear();
	assert_int_equal(rc, -ENOMEM);
	assert_int_equal(try(TYPE(hello), &stream, NULL), 0);
	fw_buf_done(&stream);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_unpack),
		cmocka_unit_test(test_empty_message),
		cmocka_unit_test(test_every_prefix_and_bit),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_texts_in_labels),
		cmocka_unit_test(test_odd_fields),
		cmocka_unit_test(test_repeated_limit),
		cmocka_unit_test(test_packed_cut_short),
		cmocka_unit_test(test_unknown_fields_are_few),
		cmocka_unit_test(test_memory_is_bounded),
#ifdef FW_TEST_SEAMS
		cmocka_unit_test(test_memory_fails),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
