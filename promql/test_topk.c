/* SPDX-License-Identifier: Apache-2.0 */
/* topk and bottomk beside a plain sort of each step, over values with many ties. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

#include "memory.h"
#include "promql.h"

enum { SERIES = 60, GROUPS = 3, STEPS = 40, ROUNDS = 60 };

static uint64_t dice = 88172645463325252u;

static unsigned throw_dice(unsigned sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)(dice % sides);
}

/* Series i is of group i % GROUPS. */
struct board {
	double values[SERIES][STEPS];
	double counts[STEPS];
};

static double throw_value(void)
{
	static const double odd[] = {NAN, INFINITY, -INFINITY, -0.0};
	unsigned side = throw_dice(20);
	return side < 4 ? odd[side] : side == 4 ? promql_absent() : (double)side - 10;
}

static void set_up(struct board *board)
{
	for (size_t s = 0; s < STEPS; s++) {
		board->counts[s] = (double)throw_dice(throw_dice(4) ? 6 : 2 * SERIES) - 1;
		for (size_t i = 0; i < SERIES; i++)
			board->values[i][s] = throw_value();
	}
}

/* ---- the answer by sorting ---- */

struct one {
	double value;
	size_t series;
};

/* The best first: what is not a number last, of equal ones who came first. */
static int by_rank(const void *a, const void *b)
{
	const struct one *x = a, *y = b;
	if (isnan(x->value) != isnan(y->value))
		return isnan(x->value) ? 1 : -1;
	if (x->value != y->value && !isnan(x->value))
		return x->value > y->value ? -1 : 1;
	return x->series < y->series ? -1 : 1;
}

static void sort_step(const struct board *board, bool lowest, size_t group, size_t step,
	bool chosen[SERIES][STEPS])
{
	struct one all[SERIES];
	size_t n = 0;
	for (size_t i = group; i < SERIES; i += GROUPS) {
		double value = board->values[i][step];
		if (!promql_is_absent(value))
			all[n++] = (struct one){lowest ? -value : value, i};
	}
	qsort(all, n, sizeof *all, by_rank);
	for (size_t i = 0; i < n && (double)i + 1 <= board->counts[step]; i++)
		chosen[all[i].series][step] = true;
}

/* ---- the engine's ---- */

static void load(struct promql_memory *memory, const char *labels, const double *values)
{
	struct fw_buf text = {0};
	struct fw_err err;
	for (size_t s = 0; s < STEPS; s++) {
		double v = values[s];
		if (promql_is_absent(v))
			fw_buf_puts(&text, "stale ");
		else if (isnan(v))
			fw_buf_puts(&text, "NaN ");
		else if (isinf(v))
			fw_buf_puts(&text, v > 0 ? "Inf " : "-Inf ");
		else
			fw_buf_printf(&text, "%g ", v);
	}
	if (promql_memory_load(memory, labels, (const char *)text.data, 0, 1000, &err) < 0)
		fail_msg("%s: %s", labels, err.text);
	fw_buf_done(&text);
}

static void load_board(struct promql_memory *memory, const struct board *board)
{
	for (size_t i = 0; i < SERIES; i++) {
		char labels[64];
		snprintf(labels, sizeof labels, "x{n=\"%02zu\",g=\"%zu\"}", i, i % GROUPS);
		load(memory, labels, board->values[i]);
	}
	load(memory, "k", board->counts);
}

static bool is_same(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)) || a == b;
}

static void compare(
	const struct promql_result *result, const struct board *board, bool chosen[SERIES][STEPS])
{
	for (size_t i = 0; i < result->value.n_series; i++) {
		const struct series *series = &result->value.series[i];
		size_t n = strtoul(fw_label_value(series->labels, series->n_labels, "n"), NULL, 10);
		for (size_t s = 0; s < STEPS; s++) {
			bool is_there = !promql_is_absent(series->values[s]);
			if (is_there != chosen[n][s] ||
				(is_there && !is_same(series->values[s], board->values[n][s])))
				fail_msg("series %zu at step %zu", n, s);
			chosen[n][s] = false;
		}
	}
	for (size_t i = 0; i < SERIES; i++)
		for (size_t s = 0; s < STEPS; s++)
			if (chosen[i][s])
				fail_msg("series %zu is not chosen at step %zu", i, s);
}

static void ask(const struct promql_data *data, const struct board *board, bool lowest)
{
	static const struct promql_limits limits = {
		.max_samples = 1000000, .max_bytes = 64u << 20, .timeout_ms = 60000};
	bool chosen[SERIES][STEPS] = {{false}};
	struct fw_arena arena = {0};
	struct promql_result result;
	struct fw_err err;
	const char *query = lowest ? "bottomk by (g) (scalar(k), x)" : "topk by (g) (scalar(k), x)";
	if (promql_range(data, query, 0, (STEPS - 1) * 1000, 1000, &limits, &arena, &result, &err) <
		0)
		fail_msg("%s", err.text);
	for (size_t g = 0; g < GROUPS; g++)
		for (size_t s = 0; s < STEPS; s++)
			sort_step(board, lowest, g, s, chosen);
	compare(&result, board, chosen);
	fw_arena_done(&arena);
}

static void test_as_a_sort_would(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct board board;
		struct promql_memory memory = {0};
		set_up(&board);
		load_board(&memory, &board);
		const struct promql_data data = promql_memory_data(&memory);
		ask(&data, &board, round % 2);
		promql_memory_done(&memory);
	}
}

/* What is kept counts as held: many places a step are as much as many series. */
static void test_places_are_counted(void **state)
{
	(void)state;
	struct promql_limits limits = {.max_bytes = 64u << 20, .timeout_ms = 60000};
	struct board board;
	struct promql_memory memory = {0};
	set_up(&board);
	load_board(&memory, &board);
	const struct promql_data data = promql_memory_data(&memory);
	const struct {
		const char *query;
		size_t max_samples;
		bool fits;
	} cases[] = {
		{"topk(2, x)", 10 * STEPS, false}, /* most series are among the two at some step */
		{"topk(2, x{n=~\"0.\"})", 20 * STEPS, true},
		{"topk(50, x)", 49 * STEPS, false},
		{"topk(50, x)", 130 * STEPS, true},
		{"topk by (n) (50, x)", 125 * STEPS, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fw_arena arena = {0};
		struct promql_result result;
		struct fw_err err;
		limits.max_samples = cases[i].max_samples;
		int rc = promql_range(&data, cases[i].query, 0, (STEPS - 1) * 1000, 1000, &limits,
			&arena, &result, &err);
		if ((rc >= 0) != cases[i].fits)
			fail_msg("%s within %zu: %d", cases[i].query, cases[i].max_samples, rc);
		fw_arena_done(&arena);
	}
	promql_memory_done(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_a_sort_would),
		cmocka_unit_test(test_places_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
