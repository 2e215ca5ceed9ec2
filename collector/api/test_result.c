/* SPDX-License-Identifier: Apache-2.0 */
/* Results as they would come from the engine, and what is written of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "parts.h"
#include "result.h"

static const struct fw_label web01[] = {{"__name__", "up"}, {"instance", "web01"}};
static const struct fw_label db01[] = {{"instance", "db<01>"}};

struct scene {
	struct request r;
	size_t pieces, longest;
};

static int begin(void **state)
{
	static struct scene scene;
	scene = (struct scene){0};
	*state = &scene;
	return 0;
}

static int end(void **state)
{
	struct scene *s = *state;
	fw_buf_done(&s->r.out);
	fw_arena_done(&s->r.arena);
	return 0;
}

/* The whole answer, its pieces put together. */
static const char *answer(
	struct scene *s, const struct promql_result *result, const struct result_options *options)
{
	struct fw_buf whole = {0};
	result_answer(&s->r, result, options);
	for (bool more = true; more;) {
		more = s->r.more && s->r.more(&s->r);
		s->longest = s->r.out.length > s->longest ? s->r.out.length : s->longest;
		s->pieces++;
		fw_buf_append(&whole, s->r.out.data, s->r.out.length);
		fw_buf_reset(&s->r.out);
	}
	const char *text = fw_arena_strdup(&s->r.arena, (const char *)whole.data);
	fw_buf_done(&whole);
	return text;
}

static void test_scalars_and_strings(void **state)
{
	double number = 1e-7;
	struct promql_result result = {.type = PROMQL_SCALAR,
		.axis = {1795383731950, 0, 1},
		.value = {.type = PROMQL_SCALAR, .scalar = &number}};
	assert_string_equal(answer(*state, &result, &(struct result_options){0}),
		"{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1795383731.95,\"0.0000001\"]}}");
	result.type = PROMQL_STRING;
	result.value = (struct value){.type = PROMQL_STRING, .string = "a\"b"};
	assert_string_equal(answer(*state, &result, &(struct result_options){0}),
		"{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[1795383731.95,\"a\\\"b\"]}}");
}

static void test_vectors(void **state)
{
	double one = 1, strange[] = {NAN};
	struct series series[] = {{web01, 2, &one}, {db01, 1, strange}};
	struct promql_result result = {.type = PROMQL_VECTOR,
		.axis = {1795383731860, 0, 1},
		.value = {.type = PROMQL_VECTOR, .series = series, .n_series = 2}};
	assert_string_equal(answer(*state, &result, &(struct result_options){0}),
		"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
		"{\"metric\":{\"__name__\":\"up\",\"instance\":\"web01\"},\"value\":[1795383731.860,\"1\"]},"
		"{\"metric\":{\"instance\":\"db\\u003c01\\u003e\"},\"value\":[1795383731.860,\"NaN\"]}]}}");
	result.value.n_series = 0;
	assert_string_equal(answer(*state, &result, &(struct result_options){0}),
		"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}");
}

static void test_steps_without_a_value_are_left_out(void **state)
{
	double a[] = {promql_absent(), -0.0, INFINITY, promql_absent()}, b[] = {1e21, 1, 1.5, 2};
	struct series series[] = {{web01, 2, a}, {NULL, 0, b}};
	struct promql_result result = {.type = PROMQL_MATRIX,
		.axis = {0, 500, 4},
		.value = {.type = PROMQL_VECTOR, .series = series, .n_series = 2}};
	assert_string_equal(answer(*state, &result, &(struct result_options){0}),
		"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
		"{\"metric\":{\"__name__\":\"up\",\"instance\":\"web01\"},\"values\":[[0.500,\"-0\"],[1,\"+Inf\"]]},"
		"{\"metric\":{},\"values\":[[0,\"1e+21\"],[0.500,\"1\"],[1,\"1.5\"],[1.500,\"2\"]]}]}}");
}

static void test_samples_as_they_were(void **state)
{
	const struct promql_point points[] = {{-1500, 2}, {1795383731005, 3}};
	struct promql_row rows[] = {{web01, 2, points, 2}};
	struct promql_result result = {
		.type = PROMQL_MATRIX, .axis = {0, 0, 1}, .rows = rows, .n_rows = 1};
	assert_string_equal(answer(*state, &result, &(struct result_options){0}),
		"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
		"{\"metric\":{\"__name__\":\"up\",\"instance\":\"web01\"},\"values\":[[-1.500,\"2\"],[1795383731.005,\"3\"]]}]}}");
}

static void test_notes_limit_and_stats(void **state)
{
	double one = 1;
	const char *warnings[] = {"w1", "w2"}, *infos[] = {"i1"};
	struct series series[] = {{web01, 2, &one}, {db01, 1, &one}};
	struct promql_result result = {.type = PROMQL_VECTOR,
		.axis = {0, 0, 1},
		.value = {.type = PROMQL_VECTOR, .series = series, .n_series = 2},
		.notes = {.texts = {warnings, infos}, .n = {2, 1}, .left_out = {0, 3}},
		.n_samples = 7};
	const struct result_options options = {
		.limit = 1, .stats = true, .seconds = 0.5, .waiting_s = 0.25};
	assert_string_equal(answer(*state, &result, &options),
		"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
		"{\"metric\":{\"__name__\":\"up\",\"instance\":\"web01\"},\"value\":[0,\"1\"]}],"
		"\"stats\":{\"timings\":{\"evalTotalTime\":0.5,\"resultSortTime\":0,\"queryPreparationTime\":0,"
		"\"innerEvalTime\":0.5,\"execQueueTime\":0.25,\"execTotalTime\":0.75},"
		"\"samples\":{\"totalQueryableSamples\":7,\"peakSamples\":7}}},"
		"\"warnings\":[\"w1\",\"w2\",\"results truncated due to limit\"],"
		"\"infos\":[\"i1\",\"3 more info annotations omitted\"]}");
}

#define SHORT_ONES 5000

static size_t count(const char *text, const char *word)
{
	size_t n = 0;
	for (const char *at = text; (at = strstr(at, word)); at++)
		n++;
	return n;
}

/* Wherever a piece is full, in the middle of a series' labels too, each begins once. */
static void test_many_short_ones_begin_once(void **state)
{
	static struct series series[SHORT_ONES];
	static struct promql_row rows[SHORT_ONES];
	const struct promql_point point = {1500, 1};
	double one = 1;
	struct scene *s = *state;
	for (size_t i = 0; i < SHORT_ONES; i++) {
		series[i] = (struct series){web01, 2, &one};
		rows[i] = (struct promql_row){web01, 2, &point, 1};
	}
	struct promql_result result = {.type = PROMQL_MATRIX,
		.axis = {1500, 0, 1},
		.value = {.type = PROMQL_VECTOR, .series = series, .n_series = SHORT_ONES}};
	for (int i = 0; i < 2; i++) {
		const char *text = answer(s, &result, &(struct result_options){0});
		assert_int_equal(count(text, "\"metric\""), SHORT_ONES);
		assert_int_equal(count(text, "[1.500,\"1\"]"), SHORT_ONES);
		result.rows = rows;
		result.n_rows = SHORT_ONES;
	}
	assert_true(s->pieces > 4);
}

#define STEPS 11001
#define MANY 20

/* The pieces are small and, put together, have every value once. */
static void test_long_ones_come_in_pieces(void **state)
{
	static double values[STEPS];
	struct series series[MANY];
	struct scene *s = *state;
	for (size_t i = 0; i < STEPS; i++)
		values[i] = (double)i;
	for (size_t i = 0; i < MANY; i++)
		series[i] = (struct series){web01, 2, values};
	struct promql_result result = {.type = PROMQL_MATRIX,
		.axis = {0, 1000, STEPS},
		.value = {.type = PROMQL_VECTOR, .series = series, .n_series = MANY}};
	const char *at = answer(s, &result, &(struct result_options){0});
	assert_true(s->pieces > 40);
	assert_true(s->longest < 66000);
	for (size_t i = 0; i < MANY; i++) {
		at = strstr(at, "\"values\":[") + strlen("\"values\":[");
		for (size_t k = 0; k < STEPS; k++) {
			char wanted[64];
			int n = snprintf(
				wanted, sizeof wanted, "%s[%zu,\"%zu\"]", k ? "," : "", k, k);
			assert_memory_equal(at, wanted, (size_t)n);
			at += n;
		}
	}
	assert_string_equal(at, "]}]}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_scalars_and_strings, begin, end),
		cmocka_unit_test_setup_teardown(test_vectors, begin, end),
		cmocka_unit_test_setup_teardown(
			test_steps_without_a_value_are_left_out, begin, end),
		cmocka_unit_test_setup_teardown(test_samples_as_they_were, begin, end),
		cmocka_unit_test_setup_teardown(test_notes_limit_and_stats, begin, end),
		cmocka_unit_test_setup_teardown(test_many_short_ones_begin_once, begin, end),
		cmocka_unit_test_setup_teardown(test_long_ones_come_in_pieces, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
