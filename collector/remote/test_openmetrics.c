/* SPDX-License-Identifier: Apache-2.0 */
/* OpenMetrics' text as it is read, and chunks as they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include <fenwatch/buf.h>

#include "chunk.h"
#include "openmetrics.h"

static void print_sample(const struct openmetrics_sample *sample, void *arg)
{
	struct fw_buf *out = arg;
	for (size_t i = 0; i < sample->n_labels; i++)
		fw_buf_printf(out, "%s=%s,", sample->labels[i].name, sample->labels[i].value);
	fw_buf_printf(out, " %g %lld\n", sample->value, (long long)sample->at_ms);
}

static void print_about(const struct remote_about *about, void *arg)
{
	fw_buf_printf(arg, "%s is a %s of '%s': %s\n", about->metric,
		remote_type_names[about->type], about->unit, about->help);
}

static void expect(const char *text, const char *wanted)
{
	struct fw_buf out = {0};
	struct fw_arena arena = {0};
	struct fw_err err = {""};
	const struct openmetrics_to to = {print_sample, print_about, &out, &arena};
	fw_buf_puts(&out, "");
	if (openmetrics_parse(text, strlen(text), 7, &to, &err) < 0)
		assert_string_equal(err.text, wanted);
	else
		assert_string_equal((const char *)out.data, wanted);
	fw_arena_done(&arena);
	fw_buf_done(&out);
}

static void test_lines(void **state)
{
	(void)state;
	expect("# TYPE a counter\na_total{x=\"1\"} 5 10.5 # {id=\"9\"} 1 2\n# EOF\n",
		"a is a counter of '': \n__name__=a_total,x=1, 5 10500\n");
	expect("# HELP a What \\\\ \\\"it\\\" \\n is. \r\n# UNIT \"b.c\" seconds\n# HELPS a x\n# TYPE\n",
		"a is a unknown of '': What \\ \"it\" \n is. \n"
		"b.c is a unknown of 'seconds': \n is a unknown of '': \n");
	expect("a 1e3 0\r\n\na{} +Inf 1\nb{z=\"\",y=\"q\\\"\\\\\\n\",} NaN 0.001",
		"__name__=a, 1000 0\n__name__=a, inf 1000\n__name__=b,y=q\"\\\n, nan 1\n");
	expect("{\"my.metric\",\"l.1\"=\"v\"} 1 2", "__name__=my.metric,l.1=v, 1 2000\n");
}

static void test_mistakes(void **state)
{
	(void)state;
	expect("a 1 2\nb 1",
		"line 8: a sample without its time: seconds are expected after the value");
	expect("a", "line 7: a value was expected");
	expect("a x 1", "line 7: the value is no number");
	expect("a 1 1e300", "line 7: the time is no number of seconds");
	expect("a 1 2 3", "line 7: something stands after the time");
	expect("a{b=1} 1 2", "line 7: a label's value in quotes was expected");
	expect("a{b} 1 2", "line 7: '=' was expected after a label's name");
	expect("a{b=\"c\" 1 2", "line 7: ',' or '}' was expected after a label");
	expect("a{\"b\"} 1 2", "line 7: '=' was expected after a label's name");
	expect("{b=\"c\"} 1 2", "line 7: a metric's name was expected");
	expect("{\"\"} 1 2", "line 7: a metric's name was expected");
	expect("a{b=\"c\\\"} 1 2", "line 7: a label's value in quotes was expected");
	expect("a{b=\"c} 1 2", "line 7: a label's value in quotes was expected");
	expect("\xff 1 2", "line 7: not UTF-8");
}

/* Of a line many labels may be empty; none of them costs more than it has bytes. */
static void test_empty_labels(void **state)
{
	(void)state;
	struct fw_buf line = {0};
	struct fw_arena arena = {.limit = 1u << 20};
	struct fw_err err;
	const struct openmetrics_to to = {print_sample, print_about, &(struct fw_buf){0}, &arena};
	fw_buf_puts(&line, "{a=\"\"");
	while (line.length < OPENMETRICS_LINE_LIMIT - 20)
		fw_buf_puts(&line, ",a=\"\"");
	fw_buf_puts(&line, "} 1 2");
	assert_int_equal(openmetrics_parse((char *)line.data, line.length, 1, &to, &err), -EINVAL);
	assert_string_equal(err.text, "line 1: a metric's name was expected");
	fw_arena_done(&arena);
	fw_buf_done(&line);
}

/* ---- chunks, read as Prometheus reads them ---- */

struct bits {
	const uint8_t *data;
	size_t at;
};

static uint64_t take(struct bits *b, unsigned n)
{
	uint64_t value = 0;
	for (; n > 0; n--, b->at++)
		value = value << 1 | (b->data[b->at / 8] >> (7 - b->at % 8) & 1);
	return value;
}

static uint64_t take_varint(struct bits *b)
{
	uint64_t value = 0, byte;
	unsigned shift = 0;
	do {
		byte = take(b, 8);
		value |= (byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return value;
}

static int64_t take_more(struct bits *b)
{
	static const unsigned widths[] = {14, 17, 20, 64};
	int i = -1;
	while (i < 3 && take(b, 1))
		i++;
	if (i < 0)
		return 0;
	uint64_t value = take(b, widths[i]);
	if (i < 3 && value > (uint64_t)1 << (widths[i] - 1))
		value -= (uint64_t)1 << widths[i];
	return (int64_t)value;
}

static void test_chunks(void **state)
{
	(void)state;
	static const int64_t steps[] = {15000, 15000, 15001, 1, 86400000, 15000, 90000000000, 7};
	static const double values[] = {0, 1.5, 1.5, -0.0, 3e300, 1, 2, 3, 1e-300};
	struct chunk_writer chunk = {0};
	int64_t at_ms = 1795000000000, delta_ms = 0, times[CHUNK_SAMPLES];
	chunk_begin(&chunk);
	for (int i = 0; i < CHUNK_SAMPLES; i++) {
		times[i] = at_ms;
		chunk_add(&chunk, at_ms, values[i % 9]);
		at_ms += steps[i % 8];
	}
	struct bits b = {chunk.bytes.data, 0};
	uint64_t bits = 0, wanted;
	unsigned leading = 0, trailing = 0;
	assert_int_equal(take(&b, 16), CHUNK_SAMPLES);
	for (int i = 0; i < CHUNK_SAMPLES; i++) {
		if (i == 0) {
			at_ms = fw_unzigzag(take_varint(&b));
			bits = take(&b, 64);
		} else {
			delta_ms = i == 1 ? (int64_t)take_varint(&b) : delta_ms + take_more(&b);
			at_ms += delta_ms;
			if (take(&b, 1)) {
				if (take(&b, 1)) {
					leading = (unsigned)take(&b, 5);
					unsigned n = (unsigned)take(&b, 6);
					trailing = 64 - leading - (n ? n : 64);
				}
				bits ^= take(&b, 64 - leading - trailing) << trailing;
			}
		}
		memcpy(&wanted, &values[i % 9], sizeof wanted);
		assert_int_equal(at_ms, times[i]);
		assert_int_equal(bits, wanted);
	}
	chunk_done(&chunk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_empty_labels),
		cmocka_unit_test(test_chunks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
