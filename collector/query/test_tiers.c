/* SPDX-License-Identifier: Apache-2.0 */
/* Where raw has forgotten: what rows answer exactly, and what they do not. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include <fenwatch/batch.h>

#include "notes.h"
#include "query.h"
#include "store.h"
#include "test_tree.h"

enum { STEP_MS = 15000, SWEEPS = 12000, BATCH = 60, COLUMNS = 4, HOUR_MS = STORE_HOUR_MS };

/* Of hours since the epoch: the first sweep comes in this one. */
#define HOUR(n) ((INT64_C(472222) + (n)) * HOUR_MS)

static struct store *store;
static char dir[] = "/tmp/fenwatch-tiers-XXXXXX";
static const int64_t start_ms = HOUR(0) + STEP_MS;

static const struct promql_limits limits = {
	.max_samples = 1000000, .max_bytes = 64u << 20, .timeout_ms = 60000};

/* A gauge that wanders and a counter that begins anew now and then. */
static int64_t gauge_at(int64_t sweep)
{
	return sweep * 7919 % 1000;
}

static int64_t counter_at(int64_t sweep)
{
	return sweep % 1000 * 3;
}

struct waiting {
	struct store_entry entry;
	uv_sem_t done;
};

static void on_done(struct store_entry *entry)
{
	struct waiting *w = (struct waiting *)entry;
	uv_sem_post(&w->done);
}

static void send_sweeps(uint32_t host, uint32_t schema, int64_t first)
{
	int64_t times_ms[BATCH], cells[BATCH * COLUMNS];
	for (int64_t i = 0; i < BATCH; i++) {
		times_ms[i] = start_ms + (first + i) * STEP_MS;
		cells[i * COLUMNS] = counter_at(first + i);
		cells[i * COLUMNS + 1] = gauge_at(first + i);
		cells[i * COLUMNS + 2] = fw_double_cell(sin((double)(first + i)));
		cells[i * COLUMNS + 3] = fw_double_cell(cos((double)(first + i)));
	}
	struct waiting w = {.entry = {
				    .kind = STORE_CELLS,
				    .host = host,
				    .schema = schema,
				    .received_ms = times_ms[BATCH - 1],
				    .sweeps = {host, BATCH, COLUMNS, times_ms, cells},
				    .on_done = on_done,
			    }};
	uv_sem_init(&w.done, 0);
	store_submit(store, &w.entry);
	uv_sem_wait(&w.done);
	uv_sem_destroy(&w.done);
	assert_int_equal(w.entry.verdict, STORE_DURABLE);
}

/* Rings so small that raw forgets most of it. */
static int setup(void **state)
{
	(void)state;
	static const struct fw_label labels[] = {{"instance", "a"}, {"job", "node"}};
	static const struct fw_column columns[COLUMNS] = {{"c_total", NULL, 0, 0, FW_COUNTER, 1},
		{"g", NULL, 0, 1, FW_GAUGE, 1},
		/* These fill the ring. */
		{"n1", NULL, 0, 0, FW_GAUGE | FW_DOUBLE, 1},
		{"n2", NULL, 0, 0, FW_GAUGE | FW_DOUBLE, 1}};
	struct fw_schema schema = {.n_columns = COLUMNS, .columns = columns};
	const struct store_config config = {.dir = dir,
		.tier_bytes = {128 << 10, 4 << 20, 4 << 20},
		.segment_bytes = 8 << 10,
		.log_segment_bytes = 64 << 10,
		.any_age = true,
		.columns_per_host = 5000,
		.commit_ms = 1};
	uint32_t host, id;
	fw_schema_seal(&schema);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(store_open(&store, &config, NULL), 0);
	assert_int_equal(store_host_intern(store, labels, 2, &host, NULL), 0);
	assert_int_equal(store_schema_intern(store, &schema, &id, NULL), 0);
	for (int64_t i = 0; i < SWEEPS; i += BATCH)
		send_sweeps(host, id, i);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	store_close(store);
	test_remove_tree(dir);
	return 0;
}

static struct promql_result ask(const char *text, int64_t at_ms, struct fw_arena *arena)
{
	struct promql_result result;
	struct fw_err err;
	if (query_instant(store, NULL, text, at_ms, &limits, arena, &result, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return result;
}

/* Over the sweeps in (to - range, to], as they were sent. */
struct truth {
	double count, sum, least, most, last, increase;
};

static struct truth truth_of(int64_t to_ms, int64_t range_ms)
{
	struct truth t = {.least = INFINITY, .most = -INFINITY};
	int64_t before = -1;
	for (int64_t i = 0; i < SWEEPS; i++) {
		int64_t at_ms = start_ms + i * STEP_MS;
		if (at_ms <= to_ms - range_ms || at_ms > to_ms)
			continue;
		double value = (double)gauge_at(i) / 10;
		t.count++;
		t.sum += value;
		t.least = fmin(t.least, value);
		t.most = fmax(t.most, value);
		t.last = value;
		if (before >= 0)
			t.increase += (double)(counter_at(i) < before ? counter_at(i)
								      : counter_at(i) - before);
		before = counter_at(i);
	}
	return t;
}

static void expect(const char *text, int64_t at_ms, double wanted)
{
	struct fw_arena arena = {0};
	struct promql_result result = ask(text, at_ms, &arena);
	assert_int_equal(result.value.n_series, 1);
	assert_int_equal(result.notes.n[NOTE_WARNING], 0);
	double got = *result.value.series[0].values;
	if (fabs(got - wanted) > 1e-9 * fabs(wanted))
		fail_msg("%s: wanted %.17g, got %.17g", text, wanted, got);
	fw_arena_done(&arena);
}

static void test_whole_buckets_are_exact(void **state)
{
	(void)state;
	const int64_t at_ms = HOUR(12);
	struct truth t = truth_of(at_ms, 2 * HOUR_MS);
	struct store_stat stat;
	store_stat(store, &stat);
	assert_true(stat.tiers[STORE_RAW].oldest_ms > at_ms);
	expect("count_over_time(g[2h])", at_ms, t.count);
	expect("sum_over_time(g[2h])", at_ms, t.sum);
	expect("avg_over_time(g[2h])", at_ms, t.sum / t.count);
	expect("min_over_time(g[2h])", at_ms, t.least);
	expect("max_over_time(g[2h])", at_ms, t.most);
	expect("last_over_time(g[2h])", at_ms, t.last);
	/* The samples reach from just after the range's beginning to its end. */
	expect("increase(c_total[2h])", at_ms, t.increase * (7200.0 / (7200 - 15)));
	expect("rate(c_total[2h])", at_ms, t.increase / (7200 - 15));
}

static void test_what_is_not_exact_is_told(void **state)
{
	(void)state;
	static const char *const questions[] = {"stddev_over_time(g[2h])",
		"sum_over_time(g[2h] offset 1m)", "sum_over_time(g[90m1s])",
		"sum_over_time(c_total[2h])"};
	const int64_t at_ms = HOUR(12);
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
		struct fw_arena arena = {0};
		struct promql_result result = ask(questions[i], at_ms, &arena);
		assert_int_equal(result.value.n_series, 1);
		assert_int_equal(result.notes.n[NOTE_WARNING], 1);
		assert_non_null(strstr(result.notes.texts[NOTE_WARNING][0], "tier"));
		fw_arena_done(&arena);
	}
}

static void test_steps_of_whole_buckets(void **state)
{
	(void)state;
	struct fw_arena arena = {0};
	struct promql_result result;
	const int64_t from_ms = HOUR(6);
	assert_int_equal(query_range(store, NULL, "max_over_time(g[1h])", from_ms,
				 from_ms + 5 * HOUR_MS, HOUR_MS, &limits, &arena, &result, NULL),
		0);
	assert_int_equal(result.notes.n[NOTE_WARNING], 0);
	for (size_t i = 0; i < result.axis.n; i++)
		assert_true(fabs(result.value.series[0].values[i] -
				    truth_of(axis_at(&result.axis, i), HOUR_MS).most) < 1e-9);
	fw_arena_done(&arena);
}

/* ---- who has gone ---- */

struct going {
	int *left; /* times that it is still there */
	int *asked, *series;
};

static int on_series(void *arg, const struct promql_samples *samples)
{
	const struct going *going = arg;
	(void)samples;
	++*going->series;
	return 0;
}

static bool is_over(const void *arg)
{
	const struct going *going = arg;
	++*going->asked;
	return (*going->left)-- <= 0;
}

struct went {
	int rc, asked, series;
};

/* All that there is of one host, for somebody who goes when asked for the `left`-th time. */
static struct went read_for(int left, const char *function)
{
	struct query_source source = {store, NULL, 64u << 20};
	const struct promql_data data = query_data(&source);
	const struct promql_selection everything = {.from_ms = function ? 1 : INT64_MIN,
		.to_ms = function ? HOUR(50) : INT64_MAX,
		.function = function,
		.range_ms = function ? HOUR(50) : 0};
	struct fw_arena arena = {0};
	struct promql_notes notes = {.arena = &arena};
	struct went went = {0};
	struct going going = {&left, &went.asked, &went.series};
	const struct promql_select_to to = {on_series, &going, &arena, &notes, is_over, &going};
	went.rc = data.select(&data, &everything, &to, NULL);
	fw_arena_done(&arena);
	return went;
}

/* At any block: nothing more is read, and nothing is handed over. Who stays is asked at
 * every block, which shows that there is something to break off. */
static void test_given_up(void **state)
{
	(void)state;
	static const char *const functions[] = {NULL, "max_over_time"};
	for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
		struct went all = read_for(INT_MAX, functions[f]);
		assert_int_equal(all.rc, 0);
		assert_int_equal(all.series, COLUMNS);
		assert_true(all.asked > 10);
		for (int left = 0; left < all.asked; left++) {
			struct went went = read_for(left, functions[f]);
			assert_int_equal(went.rc, -ECANCELED);
			assert_int_equal(went.asked, left + 1);
			assert_int_equal(went.series, 0);
		}
		assert_int_equal(read_for(all.asked, functions[f]).rc, 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_buckets_are_exact),
		cmocka_unit_test(test_what_is_not_exact_is_told),
		cmocka_unit_test(test_steps_of_whole_buckets),
		cmocka_unit_test(test_given_up),
	};
	return cmocka_run_group_tests_name("tiers", tests, setup, teardown);
}
