/* SPDX-License-Identifier: Apache-2.0 */
/* What remote_write brings, as it lies in a store afterwards, and what is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bodies.h"
#include "remote.h"
#include "remote.pb-c.h"
#include "test_now.h"
#include "testkit.h"

#define V2 "application/x-protobuf;proto=io.prometheus.write.v2.Request"
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct scene {
	struct kit kit;
	struct remote *remote;
};

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof *s);
	kit_init(&s->kit);
	s->kit.config.any_age = true;
	s->kit.config.foreign_series = 3;
	kit_reopen(&s->kit);
	s->remote = remote_new(s->kit.store);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;
	remote_free(s->remote);
	kit_done(&s->kit);
	free(s);
	return 0;
}

/* ---- bodies ---- */

static ProtobufCBinaryData text(const char *from)
{
	return (ProtobufCBinaryData){strlen(from), (uint8_t *)(uintptr_t)from};
}

static struct fw_buf packed(const ProtobufCMessage *message, enum body_packing packing)
{
	struct fw_buf plain = {0}, out = {0};
	size_t n = protobuf_c_message_get_packed_size(message);
	protobuf_c_message_pack(message, fw_buf_reserve(&plain, n));
	plain.length = n;
	body_pack(packing, &plain, &out);
	fw_buf_done(&plain);
	return out;
}

static struct remote_write send(
	struct scene *s, const char *type, const char *encoding, const uint8_t *data, size_t length)
{
	struct remote_write write = {
		.content_type = type,
		.encoding = encoding,
		.body = data,
		.length = length,
		.now_ms = kit_now_ms,
	};
	receive_now(s->remote, &write);
	remote_write_done(&write);
	return write;
}

struct one {
	const char *labels[8]; /* name and value by turns */
	double value;
	int64_t at_ms;
};

/* Each as a series of its own, in 1.0. */
static struct remote_write send_1(
	struct scene *s, const struct one *all, size_t n, enum body_packing packing)
{
	Fenwatch__Remote__Write message = FENWATCH__REMOTE__WRITE__INIT;
	Fenwatch__Remote__Series series[8], *series_at[8];
	Fenwatch__Remote__Sample samples[8], *samples_at[8];
	Fenwatch__Remote__Label labels[8][4], *labels_at[8][4];
	for (size_t i = 0; i < n; i++) {
		fenwatch__remote__series__init(&series[i]);
		fenwatch__remote__sample__init(&samples[i]);
		for (size_t k = 0; k < 4 && all[i].labels[2 * k]; k++) {
			fenwatch__remote__label__init(&labels[i][k]);
			labels[i][k].name = text(all[i].labels[2 * k]);
			labels[i][k].value = text(all[i].labels[2 * k + 1]);
			labels_at[i][k] = &labels[i][k];
			series[i].n_labels++;
		}
		samples[i].value = all[i].value;
		samples[i].at_ms = all[i].at_ms;
		samples_at[i] = &samples[i];
		series[i].labels = labels_at[i];
		series[i].samples = &samples_at[i];
		series[i].n_samples = 1;
		series_at[i] = &series[i];
	}
	message.series = series_at;
	message.n_series = n;
	struct fw_buf body = packed(&message.base, packing);
	struct remote_write write = send(s, "application/x-protobuf",
		packing == BODY_ZSTD ? "zstd" : "snappy", body.data, body.length);
	fw_buf_done(&body);
	return write;
}

/* ---- what lies in the store ---- */

static bool accepts(const struct store_matcher *matcher, const char *value)
{
	return strcmp(matcher->value, value) == 0;
}

/* Cells of the one series with this name, or the number of samples that there are. */
static size_t stored(struct scene *s, const char *name, int64_t *cells, int64_t *times)
{
	const struct store_matcher matcher = {
		.name = "__name__", .accepts = accepts, .value = name};
	struct fw_arena arena = {0};
	struct store_group *groups;
	size_t n_groups, n = 0;
	assert_int_equal(store_select(s->kit.store, &matcher, 1, 0, INT64_MAX, &arena, &groups,
				 &n_groups, NULL),
		0);
	for (size_t g = 0; g < n_groups; g++) {
		struct store_columns columns;
		assert_int_equal(store_read(s->kit.store, &groups[g], 0, INT64_MAX, NULL, &arena,
					 &columns, NULL),
			0);
		for (size_t i = 0; i < columns.n; i++, n++) {
			cells[n] = columns.cells[0][i];
			times[n] = columns.times_ms[i];
		}
	}
	fw_arena_done(&arena);
	return n;
}

static double double_of(uint64_t bits)
{
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

/* ---- tests ---- */

static void test_1(void **state)
{
	struct scene *s = *state;
	const struct one all[] = {
		{{"__name__", "m", "job", "j", "empty", ""}, 1.5, 0},
		{{"job", "j", "__name__", "m"}, double_of(0x7ff0000000000002), 15000},
		{{"__name__", "m", "job", "j"}, 3, 30000},
		{{"__name__", "m", "job", "j"}, double_of(0xfff8000000abcdef), 45000},
	};
	struct remote_write write = send_1(s, all, 3, BODY_SNAPPY);
	assert_int_equal(write.status, 204);
	assert_int_equal(write.samples, 3);
	assert_int_equal(send_1(s, all + 3, 1, BODY_ZSTD).status, 204);
	int64_t cells[8], times[8];
	assert_int_equal(stored(s, "m", cells, times), 4);
	assert_int_equal(cells[0], fw_double_cell(1.5));
	assert_int_equal(cells[1], FW_ABSENT);
	assert_int_equal(cells[2], fw_double_cell(3));
	assert_int_equal(cells[3], (int64_t)0xfff8000000abcdef);
	assert_int_equal(times[3], 45000);
	struct store_stat stat;
	store_stat(s->kit.store, &stat);
	assert_int_equal(stat.foreign_series, 1);
}

/* Generators of protobuf leave it out as if it were 0; who means it writes it. */
static void test_negative_zero(void **state)
{
	struct scene *s = *state;
	static const uint8_t plain[] = {0x0a, 30, 0x0a, 13, 0x0a, 8, '_', '_', 'n', 'a', 'm', 'e',
		'_', '_', 0x12, 1, 'z', 0x12, 11, 0x09, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x10, 5};
	struct fw_buf from = {0}, body = {0};
	fw_buf_append(&from, plain, sizeof plain);
	from.data[1] = sizeof plain - 2;
	body_pack(BODY_SNAPPY, &from, &body);
	assert_int_equal(send(s, NULL, "snappy", body.data, body.length).status, 204);
	int64_t cells[8], times[8];
	assert_int_equal(stored(s, "z", cells, times), 1);
	assert_int_equal(cells[0], fw_double_cell(-0.0));
	assert_int_equal(times[0], 5);
	fw_buf_done(&from);
	fw_buf_done(&body);
}

/* What is good is written, the answer says what is not. */
static void test_partly(void **state)
{
	struct scene *s = *state;
	const struct one all[] = {
		{{"__name__", "good"}, 1, 1000},
		{{"l", "nameless"}, 2, 1000},
		{{"__name__", "good", "l", "1", "l", "2"}, 3, 1000},
		{{"__name__", "good"}, 4, kit_now_ms + 3600000},
		{{"__name__", "good", "l", "\xff"}, 5, 1000},
	};
	struct remote_write write = send_1(s, all, COUNT(all), BODY_SNAPPY);
	assert_int_equal(write.status, 400);
	assert_int_equal(write.samples, 1);
	assert_non_null(strstr(write.why, "4 samples were not taken"));
	assert_non_null(strstr(write.why, "{l=\"nameless\"}"));
	int64_t cells[8], times[8];
	assert_int_equal(stored(s, "good", cells, times), 1);
	struct remote_stat stat;
	remote_stat(s->remote, &stat);
	assert_int_equal(stat.samples, 1);
	assert_int_equal(stat.refused[STORE_BAD_LABELS], 3);
	assert_int_equal(stat.refused[STORE_AHEAD], 1);
}

static void test_limit(void **state)
{
	struct scene *s = *state;
	const struct one all[] = {{{"__name__", "a"}, 1, 1000}, {{"__name__", "b"}, 1, 1000},
		{{"__name__", "c"}, 1, 1000}, {{"__name__", "d"}, 1, 1000},
		{{"__name__", "a"}, 2, 2000}};
	struct remote_write write = send_1(s, all, COUNT(all), BODY_SNAPPY);
	assert_int_equal(write.status, 400);
	assert_int_equal(write.samples, 4);
	assert_non_null(strstr(write.why, "too many series"));
	assert_non_null(strstr(write.why, "the first: d)"));
}

static void test_2(void **state)
{
	struct scene *s = *state;
	Fenwatch__Remote__Write2 message = FENWATCH__REMOTE__WRITE2__INIT;
	Fenwatch__Remote__Series2 series = FENWATCH__REMOTE__SERIES2__INIT, *series_at = &series;
	Fenwatch__Remote__Sample sample = FENWATCH__REMOTE__SAMPLE__INIT, *sample_at = &sample;
	Fenwatch__Remote__About2 about = FENWATCH__REMOTE__ABOUT2__INIT;
	ProtobufCBinaryData symbols[] = {text(""), text("__name__"), text("x_bucket"), text("le"),
		text("+Inf"), text("How it is."), text("s")};
	uint32_t labels[] = {1, 2, 3, 4};
	ProtobufCBinaryData exemplar = text("e"), histograms[] = {text("h"), text("i")};
	about.type = 3;
	about.help = 5;
	about.unit = 6;
	sample.value = 7;
	sample.at_ms = 1000;
	series.labels = labels;
	series.n_labels = 4;
	series.samples = &sample_at;
	series.n_samples = 1;
	series.exemplars = &exemplar;
	series.n_exemplars = 1;
	series.histograms = histograms;
	series.n_histograms = 2;
	series.about = &about;
	message.symbols = symbols;
	message.n_symbols = COUNT(symbols);
	message.series = &series_at;
	message.n_series = 1;

	struct fw_buf body = packed(&message.base, BODY_SNAPPY);
	struct remote_write write = send(s, V2, "snappy", body.data, body.length);
	assert_int_equal(write.status, 204);
	assert_true(write.is_2);
	assert_int_equal(write.samples, 1);
	struct remote_stat stat;
	remote_stat(s->remote, &stat);
	assert_int_equal(stat.histograms, 2);
	assert_int_equal(stat.exemplars, 1);
	struct fw_arena arena = {0};
	struct remote_about *abouts;
	assert_int_equal(remote_metadata(s->remote, "x", &arena, &abouts), 1);
	assert_string_equal(abouts->help, "How it is.");
	assert_string_equal(abouts->unit, "s");
	assert_int_equal(abouts->type, REMOTE_HISTOGRAM);
	fw_arena_done(&arena);
	fw_buf_done(&body);

	labels[3] = COUNT(symbols);
	body = packed(&message.base, BODY_SNAPPY);
	write = send(s, V2, "snappy", body.data, body.length);
	assert_int_equal(write.status, 400);
	assert_string_equal(write.why, "a label refers to symbol 7, and there are 7");
	fw_buf_done(&body);
}

static void test_not_taken(void **state)
{
	struct scene *s = *state;
	static const uint8_t long_snappy[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0};
	static const struct {
		const char *type, *encoding, *body;
		size_t length;
		unsigned status;
	} cases[] = {
		{"text/plain", "snappy", "", 0, 415},
		{"application/x-protobuf;proto=another", "snappy", "", 0, 415},
		{NULL, NULL, "", 0, 415},
		{NULL, "gzip", "", 0, 415},
		{NULL, "snappy", "", 0, 400},
		{NULL, "snappy", "nonsense", 8, 400},
		{NULL, "snappy", (const char *)long_snappy, sizeof long_snappy, 413},
		{NULL, "zstd", "nonsense", 8, 400},
		{NULL, "zstd", "", 0, 400},
		{NULL, "snappy", "\x02\x04\x0a\x7f", 4, 400},
		{NULL, "snappy", "\0", 1, 204},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct remote_write write = send(s, cases[i].type, cases[i].encoding,
			(const uint8_t *)cases[i].body, cases[i].length);
		if (write.status != cases[i].status)
			fail_msg("case %zu: %u %s", i, write.status, write.why);
	}
}

/* ---- limits ---- */

static void expect(struct scene *s, const struct fw_buf *plain, enum body_packing packing,
	unsigned status, const char *why)
{
	struct fw_buf body = {0};
	struct remote_stat before, after;
	remote_stat(s->remote, &before);
	body_pack(packing, plain, &body);
	struct remote_write write =
		send(s, NULL, packing == BODY_ZSTD ? "zstd" : "snappy", body.data, body.length);
	remote_stat(s->remote, &after);
	assert_int_equal(write.status, status);
	assert_string_equal(write.why, why);
	assert_int_equal(after.bad - before.bad, status == 204 ? 0 : 1);
	fw_buf_done(&body);
}

/* A megabyte that is 40 when it has been unpacked is never held. */
static void test_a_body_that_swells(void **state)
{
	struct fw_buf plain = {0};
	size_t n = REMOTE_BODY_LIMIT + 1;
	memset(fw_buf_reserve(&plain, n), 0, n);
	plain.length = n;
	for (int packing = 0; packing < BODY_PACKINGS; packing++)
		expect(*state, &plain, (enum body_packing)packing, 413,
			"the body is longer than 32 MiB when decompressed");
	fw_buf_done(&plain);
}

/* Samples of no bytes cost no bytes to send. */
static void test_a_body_of_nothing_but_samples(void **state)
{
	static const uint8_t sample[] = {0x12, 0};
	enum { MANY = 4000000, FEW = 1000 };
	static const int numbers[] = {MANY, FEW};
	for (size_t i = 0; i < COUNT(numbers); i++) {
		struct fw_buf plain = {0}, series = {0};
		for (int k = 0; k < numbers[i]; k++)
			fw_buf_append(&series, sample, sizeof sample);
		fw_buf_putc(&plain, 0x0a);
		fw_buf_put_varint(&plain, series.length);
		fw_buf_append(&plain, series.data, series.length);
		if (numbers[i] == MANY)
			expect(*state, &plain, BODY_SNAPPY, 413,
				"the body needs more memory than it may have");
		else
			expect(*state, &plain, BODY_SNAPPY, 400,
				"invalid labels: a name, each label once, in UTF-8, at most 32 of "
				"1024 bytes (1 samples were not taken; the first: )");
		fw_buf_done(&plain);
		fw_buf_done(&series);
	}
}

static void test_a_series_of_many_labels(void **state)
{
	static const uint8_t label[] = {0x0a, 6, 0x0a, 1, 'l', 0x12, 1, 'v'};
	struct fw_buf plain = {0}, series = {0};
	for (int i = 0; i < 257; i++)
		fw_buf_append(&series, label, sizeof label);
	fw_buf_putc(&plain, 0x0a);
	fw_buf_put_varint(&plain, series.length);
	fw_buf_append(&plain, series.data, series.length);
	expect(*state, &plain, BODY_SNAPPY, 400, "a series has 257 labels, the limit is 256");
	fw_buf_done(&plain);
	fw_buf_done(&series);
}

static void test_limit_of_one_host(void **state)
{
	struct scene *s = *state;
	s->kit.config.foreign_series_per_host = 1;
	remote_free(s->remote);
	kit_reopen(&s->kit);
	s->remote = remote_new(s->kit.store);
	const struct one all[] = {{{"__name__", "a", "instance", "x"}, 1, 1000},
		{{"__name__", "b", "instance", "x"}, 1, 1000},
		{{"__name__", "b", "instance", "y"}, 1, 1000}};
	struct remote_write write = send_1(s, all, COUNT(all), BODY_SNAPPY);
	assert_int_equal(write.status, 400);
	assert_int_equal(write.samples, 2);
	assert_string_equal(write.why,
		"too many series: the limit of the store is reached (store: foreign_series, "
		"foreign_series_per_host) (1 samples were not taken; the first: b{instance=\"x\"})");
	struct remote_stat stat;
	remote_stat(s->remote, &stat);
	assert_int_equal(stat.refused[STORE_TOO_MANY], 1);
}

/* ---- metadata of 1.0 ---- */

static void send_about(struct scene *s, int type, const char *help, const char *unit)
{
	Fenwatch__Remote__Write message = FENWATCH__REMOTE__WRITE__INIT;
	Fenwatch__Remote__About about = FENWATCH__REMOTE__ABOUT__INIT, *about_at = &about;
	about.type = type;
	about.metric = text("m_total");
	about.help = text(help);
	about.unit = text(unit);
	message.about = &about_at;
	message.n_about = 1;
	struct fw_buf body = packed(&message.base, BODY_SNAPPY);
	assert_int_equal(send(s, NULL, "snappy", body.data, body.length).status, 204);
	fw_buf_done(&body);
}

static void expect_about(struct scene *s, enum remote_type type, const char *help, const char *unit)
{
	struct fw_arena arena = {0};
	struct remote_about *abouts;
	assert_int_equal(remote_metadata(s->remote, NULL, &arena, &abouts), 1);
	assert_string_equal(abouts->metric, "m_total");
	assert_string_equal(abouts->help, help);
	assert_string_equal(abouts->unit, unit);
	assert_int_equal(abouts->type, type);
	fw_arena_done(&arena);
}

static void test_metadata_of_1(void **state)
{
	struct scene *s = *state;
	send_about(s, 1, "How many.", "");
	expect_about(s, REMOTE_COUNTER, "How many.", "");
	send_about(s, 0, "", "bytes"); /* who says nothing takes nothing away */
	expect_about(s, REMOTE_COUNTER, "How many.", "bytes");
	send_about(s, 2, "How much.", "");
	expect_about(s, REMOTE_GAUGE, "How much.", "bytes");
	send_about(s, 77, "\xff", ""); /* no UTF-8: not taken */
	expect_about(s, REMOTE_GAUGE, "How much.", "bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_1, setup, teardown),
		cmocka_unit_test_setup_teardown(test_negative_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(test_partly, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_2, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_body_that_swells, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_body_of_nothing_but_samples, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_series_of_many_labels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit_of_one_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_metadata_of_1, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
