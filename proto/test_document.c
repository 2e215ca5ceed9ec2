/* SPDX-License-Identifier: Apache-2.0 */
/* Every example of docs/wire-format.md is what the code writes, and is read back
 * by it. An example is a block that begins with ```hex NAME; what follows a # on a
 * line is a comment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/batch.h>
#include <fenwatch/file.h>
#include <fenwatch/schema.h>
#include <fenwatch/text.h>
#include <fenwatch/tls.h>
#include <fenwatch/wire.h>

#define T0_MS 1795383000000
#define INTERVAL_MS 15000

static struct fw_buf document;

static struct fw_label user[] = {{"cpu", "0"}, {"mode", "user"}};
static struct fw_column columns[] = {
	{.name = "node_load1", .scale = 2, .factor = 1, .type = FW_GAUGE},
	{.name = "node_cpu_seconds_total",
		.labels = user,
		.n_labels = 2,
		.scale = 2,
		.factor = 1,
		.type = FW_COUNTER},
};
static struct fw_schema schema = {.n_columns = 2, .columns = columns};

static const int64_t state[] = {31, 123456};
static const int64_t cells[] = {31, 123460, FW_ABSENT, 123471, FW_ABSENT, 123471};
static const int64_t times_ms[] = {T0_MS, T0_MS + INTERVAL_MS, T0_MS + 2 * INTERVAL_MS + 3};

/* The bytes of an example, from its hex digits. */
static void find_example(const char *name, struct fw_buf *out)
{
	char opening[64], pair[3] = {0};
	snprintf(opening, sizeof opening, "```hex %s\n", name);
	const char *at = strstr((char *)document.data, opening);
	if (!at)
		fail_msg("docs/wire-format.md has no example %s", name);
	for (at += strlen(opening); strncmp(at, "```", 3) != 0; at++) {
		uint8_t byte;
		if (*at == '#')
			at += strcspn(at, "\n");
		if (*at == ' ' || *at == '\n')
			continue;
		memcpy(pair, at++, 2);
		assert_int_equal(fw_unhex(pair, &byte, 1), 0);
		fw_buf_append(out, &byte, 1);
	}
}

static void expect_example(const char *name, struct fw_buf *made)
{
	struct fw_buf shown = {0};
	find_example(name, &shown);
	char *hex = fw_alloc(2 * made->length + 1);
	fw_hex(made->data, made->length, hex);
	if (shown.length != made->length || memcmp(shown.data, made->data, made->length) != 0)
		fail_msg("docs/wire-format.md, %s: should be %s", name, hex);
	fw_free(hex);
	fw_buf_done(&shown);
	fw_buf_done(made);
}

static void test_heartbeat(void **unused)
{
	(void)unused;
	struct fw_buf made = {0};
	Fenwatch__Wire__Heartbeat heartbeat = FENWATCH__WIRE__HEARTBEAT__INIT;
	fw_wire_put(&made, FW_FRAME_HEARTBEAT, &heartbeat.base);
	expect_example("heartbeat", &made);
}

static void test_ack(void **unused)
{
	(void)unused;
	struct fw_buf made = {0};
	Fenwatch__Wire__Ack ack = FENWATCH__WIRE__ACK__INIT;
	ack.live_to = 300;
	ack.backlog_to = 2;
	fw_wire_put(&made, FW_FRAME_ACK, &ack.base);
	expect_example("ack", &made);
}

/* The canonical form has no function of its own: its hash proves the example. */
static void test_canonical(void **unused)
{
	(void)unused;
	struct fw_buf shown = {0};
	uint8_t digest[32];
	fw_schema_seal(&schema);
	find_example("canonical", &shown);
	fw_sha256(shown.data, shown.length, digest);
	assert_memory_equal(digest, schema.hash, FW_SCHEMA_HASH);
	fw_buf_done(&shown);
}

static void test_schema(void **unused)
{
	(void)unused;
	struct fw_buf made = {0}, again = {0};
	fw_schema_seal(&schema);
	fw_schema_encode(&schema, 1, NULL, &made);
	expect_example("schema", &made);
	fw_schema_encode(&schema, 1, &schema, &again);
	expect_example("schema-known", &again);
}

static void test_key(void **unused)
{
	(void)unused;
	struct fw_buf made = {0};
	struct fw_sweeps sweeps = {0, 1, 2, times_ms, state};
	fw_batch_encode_live(&sweeps, 1, 1, INTERVAL_MS, NULL, &made);
	expect_example("key", &made);
}

static void test_live(void **unused)
{
	(void)unused;
	struct fw_buf made = {0};
	struct fw_sweeps sweeps = {0, 3, 2, times_ms, cells};
	fw_batch_encode_live(&sweeps, 2, 1, INTERVAL_MS, state, &made);
	expect_example("live", &made);
}

static void test_backlog(void **unused)
{
	(void)unused;
	struct fw_buf made = {0};
	struct fw_sweeps sweeps = {0, 3, 2, times_ms, cells};
	assert_int_equal(fw_batch_encode_backlog(&sweeps, 1, 1, INTERVAL_MS, &made), 0);
	expect_example("backlog", &made);
}

static int read_document(void **unused)
{
	(void)unused;
	struct fw_err err;
	return fw_file_read(DOCUMENT, 1u << 20, &document, &err);
}

static int forget_document(void **unused)
{
	(void)unused;
	fw_buf_done(&document);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_ack),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_backlog),
	};
	return cmocka_run_group_tests(tests, read_document, forget_document);
}
