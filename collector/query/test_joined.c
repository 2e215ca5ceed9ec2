/* SPDX-License-Identifier: Apache-2.0 */
/* A series that lies under two schemas, as one of format 3 does that goes on in a bundle, is
 * one series of an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "query.h"
#include "testkit.h"

enum { BEFORE = 130, STEP_MS = 15000 }; /* samples of tests/stores/format3.tar.zst */

static const char *folder;
static struct kit kit;

static const struct promql_limits limits = {
	.max_samples = 1000000, .max_bytes = 64u << 20, .timeout_ms = 60000};

static int setup(void **state)
{
	(void)state;
	kit_init_recorded(&kit, folder, "format3", 4 << 10);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kit_done(&kit);
	return 0;
}

static int64_t sample_ms(int i)
{
	return kit_now_ms - INT64_C(86400000) + i * STEP_MS;
}

/* The next one, as what was there before goes on. */
static void go_on(int i)
{
	const struct fw_label labels[] = {
		{"__name__", "pushed"}, {"instance", "elsewhere"}, {"l", "a"}};
	struct store_sample sample = {sample_ms(i), fw_double_cell(i / 8.0)};
	struct store_foreign series = {
		.labels = labels, .n_labels = 3, .samples = &sample, .n_samples = 1};
	assert_int_equal(store_foreign_write(kit.store, &series, 1, kit_now_ms, NULL), 0);
}

static double ask(const char *text, int64_t at_ms)
{
	struct fw_arena arena = {0};
	struct promql_result result;
	struct fw_err err;
	if (query_instant(kit.store, NULL, text, at_ms, &limits, &arena, &result, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(result.value.n_series, 1);
	double value = *result.value.series[0].values;
	fw_arena_done(&arena);
	return value;
}

static void test_one_series(void **state)
{
	(void)state;
	const int64_t end_ms = sample_ms(BEFORE + 1);
	for (int i = BEFORE; i < BEFORE + 2; i++)
		go_on(i);
	assert_true(ask("count_over_time(pushed{l='a'}[2h])", end_ms) == BEFORE + 2);
	assert_true(ask("count(pushed{l='a'})", end_ms) == 1);
	assert_true(ask("pushed{l='a'}", end_ms) == (BEFORE + 1) / 8.0);
	assert_true(ask("pushed{l='a'}", sample_ms(BEFORE - 1)) == (BEFORE - 1) / 8.0);
	/* One eighth every 15 s, across the seam. */
	assert_true(ask("increase(pushed{l='a'}[1m])", end_ms) == 0.5);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_series, setup, teardown),
	};
	folder = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
