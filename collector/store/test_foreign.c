/* SPDX-License-Identifier: Apache-2.0 */
/* Series from elsewhere, written and read back: against a model that keeps, for each
 * series and time, what was written last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "bytes.h"
#include "internal.h"
#include "samples.h"
#include "testkit.h"

#define NOW_MS kit_now_ms

/* ---- asking ---- */

static bool accepts(const struct store_matcher *matcher, const char *value)
{
	return strcmp(matcher->value, value) == 0;
}

static void expect(struct kit *kit, const char *name, const char *l,
	const struct store_sample *samples, size_t n)
{
	struct kit_found found = kit_find(kit, name, l);
	assert_int_equal(found.n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(found.samples[i].at_ms, samples[i].at_ms);
		assert_int_equal(found.samples[i].cell, samples[i].cell);
	}
	fw_arena_done(&found.arena);
}

static struct store_foreign write_of(struct kit *kit, const struct fw_label *labels,
	size_t n_labels, const struct store_sample *samples, size_t n)
{
	struct store_sample copy[2000];
	memcpy(copy, samples, n * sizeof *copy);
	struct store_foreign series = {
		.labels = labels,
		.n_labels = n_labels,
		.samples = copy,
		.n_samples = n,
	};
	struct fw_err err = {""};
	if (store_foreign_write(kit->store, &series, 1, NOW_MS, &err) < 0)
		fail_msg("%s", err.text);
	return series;
}

static struct store_foreign write_named(struct kit *kit, const char *name, const char *l,
	const struct store_sample *samples, size_t n)
{
	const struct fw_label labels[] = {{"__name__", name}, {"l", l}};
	return write_of(kit, labels, *l ? 2 : 1, samples, n);
}

static int setup(void **state)
{
	struct kit *kit = calloc(1, sizeof *kit);
	kit_init(kit);
	kit->config.any_age = true;
	kit->config.foreign_series = 50;
	kit->config.foreign_series_per_host = 40;
	kit_reopen(kit);
	*state = kit;
	return 0;
}

static int teardown(void **state)
{
	struct kit *kit = *state;
	assert_int_equal(kit->fatal, 0);
	kit_done(kit);
	free(kit);
	return 0;
}

/* ---- tests ---- */

static void test_bits(void **state)
{
	struct kit *kit = *state;
	const struct store_sample samples[] = {
		{0, fw_double_cell(1.5)},
		{15000, fw_double_cell(-0.0)},
		{15001, 0},
		{30000, FW_ABSENT},
		{45000, 0x7ff8000000000001},
		{60000, (int64_t)0xfff0000000000000},
		{75000, 0x7ff4dead00000003},
	};
	write_named(kit, "bits", "", samples, 7);
	expect(kit, "bits", "", samples, 7);
	kit_reopen(kit);
	expect(kit, "bits", "", samples, 7);
}

static void test_no_host_labels(void **state)
{
	struct kit *kit = *state;
	const struct store_sample sample = {1000, 1};
	const struct fw_label sets[][4] = {
		{{"__name__", "m"}, {"l", "x"}},
		{{"__name__", "m"}, {"instance", "a"}, {"l", "x"}},
		{{"__name__", "m"}, {"job", "b"}, {"l", "x"}},
		{{"__name__", "m"}, {"instance", "a"}, {"job", "b"}, {"l", "x"}},
	};
	const size_t n_labels[] = {2, 3, 3, 4};
	for (int again = 0; again < 2; again++) {
		for (int i = 0; i < 4; i++)
			write_of(kit, sets[i], n_labels[i], &sample, 1);
		struct kit_found found = kit_find(kit, "m", "x");
		assert_int_equal(found.groups, 4);
		assert_int_equal(found.n, 4);
		fw_arena_done(&found.arena);
		kit_reopen(kit);
	}
}

/* Upper case stands before the name. */
static void test_any_label_order(void **state)
{
	struct kit *kit = *state;
	const struct store_sample sample = {1000, 1};
	const struct fw_label labels[] = {{"A", "1"}, {"__name__", "m"}, {"instance", "i"},
		{"k", "v"}, {"l", "x"}, {"z", "\xc3\xa4"}};
	write_of(kit, labels, 6, &sample, 1);
	struct store_stat before, after;
	store_stat(kit->store, &before);
	write_of(kit, labels, 6, &sample, 1);
	kit_reopen(kit);
	write_of(kit, labels, 6, &sample, 1);
	store_stat(kit->store, &after);
	assert_int_equal(before.foreign_series, 1);
	assert_int_equal(after.foreign_series, 1);
	expect(kit, "m", "x", &sample, 1);
}

/* What a request does not mention goes on. */
static void test_alone(void **state)
{
	struct kit *kit = *state;
	const struct store_sample a[] = {{0, 1}, {10000, 2}}, b[] = {{0, 7}, {20000, 8}};
	write_named(kit, "m", "a", &a[0], 1);
	write_named(kit, "m", "b", &b[0], 1);
	write_named(kit, "m", "a", &a[1], 1);
	write_named(kit, "m", "b", &b[1], 1);
	expect(kit, "m", "a", a, 2);
	expect(kit, "m", "b", b, 2);
}

/* All of one series, then all of the next; more than a block of each. */
static void test_one_after_the_other(void **state)
{
	struct kit *kit = *state;
	struct store_sample samples[1000];
	for (size_t i = 0; i < 1000; i++)
		samples[i] = (struct store_sample){(int64_t)i * 300000, (int64_t)(i * i)};
	write_named(kit, "m", "a", samples, 1000);
	write_named(kit, "m", "b", samples, 1000);
	expect(kit, "m", "a", samples, 1000);
	expect(kit, "m", "b", samples, 1000);
	kit_reopen(kit);
	expect(kit, "m", "a", samples, 1000);
	assert_int_equal(kit_check(kit->dir), 0);
}

static void test_late_and_twice(void **state)
{
	struct kit *kit = *state;
	const struct store_sample first[] = {{60000, 1}, {30000, 2}, {60000, 3}},
				  late[] = {{10000, 4}, {45000, 5}, {30000, 6}},
				  all[] = {{10000, 4}, {30000, 6}, {45000, 5}, {60000, 3}};
	struct store_foreign series = write_named(kit, "m", "a", first, 3);
	assert_int_equal(series.n_merged, 1);
	write_named(kit, "m", "a", late, 3);
	expect(kit, "m", "a", all, 4);
	kit_reopen(kit);
	expect(kit, "m", "a", all, 4);
}

static void test_refusals(void **state)
{
	struct kit *kit = *state;
	const struct store_sample samples[] = {{-1, 1}, {NOW_MS + 3600000, 2}, {NOW_MS, 3}, {5, 4}};
	const struct store_sample taken[] = {{5, 4}, {NOW_MS, 3}};
	struct store_foreign series = write_named(kit, "m", "a", samples, 4);
	assert_int_equal(series.n_refused, 2);
	expect(kit, "m", "a", taken, 2);
	kit->config.any_age = false;
	kit_reopen(kit);
	series = write_named(kit, "m", "b", samples, 4);
	assert_int_equal(series.n_refused, 3);
	assert_int_equal(series.refusal, STORE_TOO_OLD);
	const struct fw_label bad[][2] = {{{"l", "x"}, {"m", "x"}}, {{"__name__", ""}, {"l", "x"}},
		{{"__name__", "m"}, {"A", "x"}}, {{"__name__", "m"}, {"l", "\xff"}}};
	for (int i = 0; i < 4; i++) {
		series = write_of(kit, bad[i], 2, &taken[1], 1);
		assert_int_equal(series.refusal, STORE_BAD_LABELS);
		assert_int_equal(series.n_refused, 1);
	}
}

static void test_limits(void **state)
{
	struct kit *kit = *state;
	const struct store_sample sample = {1000, 1};
	size_t taken = 0;
	for (int i = 0; i < 60; i++) {
		char l[8], host[8];
		snprintf(l, sizeof l, "%d", i);
		snprintf(host, sizeof host, "%d", i / 45);
		const struct fw_label labels[] = {{"__name__", "m"}, {"instance", host}, {"l", l}};
		struct store_foreign series = write_of(kit, labels, 3, &sample, 1);
		taken += series.refusal == STORE_TAKEN;
		assert_true(series.refusal == STORE_TAKEN || series.refusal == STORE_TOO_MANY);
	}
	assert_int_equal(taken, 50);
	struct store_stat stat;
	store_stat(kit->store, &stat);
	assert_int_equal(stat.foreign_series, 50);
	kit_reopen(kit);
	store_stat(kit->store, &stat);
	assert_int_equal(stat.foreign_series, 50);
	/* Those that are known go on. */
	const struct store_sample next = {2000, 1};
	const struct fw_label labels[] = {{"__name__", "m"}, {"instance", "0"}, {"l", "3"}};
	assert_int_equal(write_of(kit, labels, 3, &next, 1).refusal, STORE_TAKEN);
}

static void test_samples(void **state)
{
	(void)state;
	uint8_t bytes[SAMPLES_MOST];
	struct samples_state to = {0}, from = {0};
	for (int i = 0; i < 200000; i++) {
		struct store_sample sample = {to.at_ms + rand() % 100000, to.cell}, got;
		if (rand() % 3)
			sample.cell ^= (int64_t)((uint64_t)(unsigned)rand() << rand() % 64);
		size_t n = samples_put(&to, &sample, bytes);
		assert_true(n <= SAMPLES_MOST);
		for (size_t cut = 0; cut < n; cut++) {
			struct samples_state copy = from;
			assert_int_equal(samples_get(&copy, bytes, cut, &got), 0);
		}
		assert_int_equal(samples_get(&from, bytes, n, &got), n);
		assert_int_equal(got.at_ms, sample.at_ms);
		assert_int_equal(got.cell, sample.cell);
	}
}

/* ---- bundles ---- */

enum { TOGETHER = 20, SWEEPS = 200, ENDS = 7, SHIFTED = 11, BEGINS = 15 };

/* What a series of a target has in a sweep: one ends, one has times of its own, one begins
 * later. False: nothing. */
static bool sample_of(int series, int sweep, struct store_sample *out)
{
	*out = (struct store_sample){sweep * 15000, fw_double_cell(series * 1000 + sweep)};
	if (series == ENDS && sweep == 60)
		out->cell = FW_ABSENT;
	if (series == SHIFTED)
		out->at_ms += 5000;
	return !(series == ENDS && sweep > 60) && !(series == BEGINS && sweep < 90);
}

static void name_of(int series, char l[8], struct fw_label labels[3])
{
	snprintf(l, 8, "%d", series);
	labels[0] = (struct fw_label){"__name__", "m"};
	labels[1] = (struct fw_label){"instance", "target"};
	labels[2] = (struct fw_label){"l", l};
}

/* Series from `from` to before `to` in one request. */
static void write_together(struct kit *kit, int sweep, int from, int to)
{
	struct store_foreign series[TOGETHER];
	struct store_sample samples[TOGETHER];
	struct fw_label labels[TOGETHER][3];
	char l[TOGETHER][8];
	size_t n = 0;
	for (int s = from; s < to; s++) {
		if (!sample_of(s, sweep, &samples[n]))
			continue;
		name_of(s, l[n], labels[n]);
		series[n] = (struct store_foreign){
			.labels = labels[n], .n_labels = 3, .samples = &samples[n], .n_samples = 1};
		n++;
	}
	assert_int_equal(store_foreign_write(kit->store, series, n, NOW_MS, NULL), 0);
}

static void expect_together(struct kit *kit)
{
	for (int s = 0; s < TOGETHER; s++) {
		struct store_sample samples[SWEEPS];
		size_t n = 0;
		char l[8];
		struct fw_label labels[3];
		for (int sweep = 0; sweep < SWEEPS; sweep++)
			n += sample_of(s, sweep, &samples[n]);
		name_of(s, l, labels);
		expect(kit, "m", l, samples, n);
	}
}

static struct store_group group_of(struct kit *kit, struct fw_arena *arena)
{
	const struct store_matcher matcher = {.name = "l", .accepts = accepts, .value = "0"};
	struct store_group *groups;
	size_t n;
	assert_int_equal(
		store_select(kit->store, &matcher, 1, 0, INT64_MAX, arena, &groups, &n, NULL), 0);
	assert_int_equal(n, 1);
	return groups[0];
}

/* Series that come together lie together, and each keeps to what it said. */
static void test_bundle(void **state)
{
	struct kit *kit = *state;
	struct fw_arena arena = {0};
	for (int sweep = 0; sweep < SWEEPS; sweep++) {
		write_together(kit, sweep, 0, TOGETHER / 2);
		write_together(kit, sweep, TOGETHER / 2, TOGETHER);
	}
	assert_int_equal(group_of(kit, &arena).schema->n_columns, TOGETHER / 2);
	expect_together(kit);
	kit_reopen(kit);
	expect_together(kit);
	assert_int_equal(kit_check(kit->dir), 0);
	struct store_stat stat;
	store_stat(kit->store, &stat);
	assert_true(stat.tiers[STORE_RAW].blocks < 4 * TOGETHER);
	fw_arena_done(&arena);
}

/* The newest of a bundle is told without the disk only when all that is asked for is as new. */
static void test_newest_of_a_bundle(void **state)
{
	struct kit *kit = *state;
	struct fw_arena arena = {0};
	int64_t at_ms, *cells;
	write_together(kit, 0, 0, TOGETHER / 2);
	struct store_group group = group_of(kit, &arena);
	const uint32_t both[] = {0, 1};
	group.columns = both;
	group.n_columns = 2;
	assert_int_equal(store_latest(kit->store, &group, &arena, &at_ms, &cells), 0);
	write_together(kit, 1, 0, 1);
	assert_int_equal(store_latest(kit->store, &group, &arena, &at_ms, &cells), -ENODATA);
	group.n_columns = 1;
	assert_int_equal(store_latest(kit->store, &group, &arena, &at_ms, &cells), 0);
	assert_int_equal(at_ms, 15000);
	assert_int_equal(cells[0], fw_double_cell(1));
	struct store_columns columns;
	group.n_columns = 2;
	assert_int_equal(
		store_read(kit->store, &group, 0, INT64_MAX, NULL, &arena, &columns, NULL), 0);
	assert_true(columns.unsaid);
	assert_int_equal(columns.cells[1][1], STORE_UNSAID);
	fw_arena_done(&arena);
}

/* Is the series there, where only samples from a sweep to another count? */
static bool is_listed(struct kit *kit, int series, int from, int to)
{
	struct fw_arena arena = {0};
	struct store_group *groups;
	size_t n;
	char l[8];
	struct fw_label labels[3];
	name_of(series, l, labels);
	const struct store_matcher matcher = {.name = "l", .accepts = accepts, .value = l};
	assert_int_equal(store_select(kit->store, &matcher, 1, from * 15000, to * 15000, &arena,
				 &groups, &n, NULL),
		0);
	fw_arena_done(&arena);
	return n > 0;
}

/* One that has ended is not there afterwards, nor one before it begins, while their bundle is. */
static void test_each_has_its_own_time(void **state)
{
	struct kit *kit = *state;
	write_together(kit, 90, BEGINS, BEGINS + 1);
	for (int sweep = 0; sweep < 120; sweep++)
		write_together(kit, sweep, 0, TOGETHER);
	assert_true(is_listed(kit, ENDS, 0, 200) && is_listed(kit, ENDS, 60, 200));
	assert_false(is_listed(kit, ENDS, 61, 200));
	assert_true(is_listed(kit, 0, 61, 200) && is_listed(kit, 0, 119, 200));
	assert_false(is_listed(kit, 0, 120, 200));
	assert_true(is_listed(kit, BEGINS, 0, 90));
	assert_false(is_listed(kit, BEGINS, 0, 89));
	/* After a start nothing is known of what only lies on disk, but that it came before. */
	kit_reopen(kit);
	assert_true(is_listed(kit, ENDS, 0, 200));
	write_together(kit, 121, 0, TOGETHER);
	assert_false(is_listed(kit, ENDS, 120, 200));
	assert_true(is_listed(kit, 0, 120, 200) && is_listed(kit, BEGINS, 120, 200));
}

/* ---- stores of before ---- */

static uint32_t schema_of_before(struct kit *kit)
{
	const struct fw_label label = {"l", "old"};
	struct fw_column column = {.type = FW_UNTYPED | FW_DOUBLE,
		.name = "m",
		.factor = 1,
		.n_labels = 1,
		.labels = &label};
	struct fw_schema schema = {.n_columns = 1, .columns = &column};
	uint32_t id;
	fw_schema_seal(&schema);
	assert_int_equal(store_schema_intern(kit->store, &schema, &id, NULL), 0);
	return id;
}

/* A record as formats up to 3 have it: it names no column. */
static void log_as_before(struct kit *kit, uint32_t host, uint32_t schema,
	const struct store_sample *samples, size_t n)
{
	struct fw_buf payload = {0};
	struct samples_state state = {0};
	uint8_t base[8] = {0}, bytes[SAMPLES_MOST];
	fw_buf_append(&payload, base, sizeof base);
	fw_buf_put_varint(&payload, host);
	fw_buf_put_varint(&payload, schema);
	fw_buf_put_varint(&payload, n);
	for (size_t i = 0; i < n; i++)
		fw_buf_append(&payload, bytes, samples_put(&state, &samples[i], bytes));
	struct log_record record = {.kind = LOG_SAMPLES,
		.seq = BATCH_UNNUMBERED,
		.received_ms = NOW_MS,
		.payload = payload.data,
		.length = payload.length};
	log_append(&kit->store->log, &record);
	assert_int_equal(log_commit(&kit->store->log), 0);
	fw_buf_done(&payload);
}

/* As after a power cut: nothing of the end is there. */
static void cut_power(struct kit *kit)
{
	char cut[sizeof kit->dir + 8];
	struct fw_err err = {""};
	snprintf(cut, sizeof cut, "%s-cut", kit->dir);
	kit_copy(kit->dir, cut);
	store_close(kit->store);
	kit_remove(kit->dir);
	assert_int_equal(rename(cut, kit->dir), 0);
	if (kit_open(kit, &err) < 0)
		fail_msg("%s", err.text);
}

/* What a store of format 3 has in its log is there, and goes on in a bundle. */
static void test_log_of_before(void **state)
{
	struct kit *kit = *state;
	struct store_sample samples[] = {{1000, fw_double_cell(1)}, {2000, FW_ABSENT},
		{3000, fw_double_cell(3)}, {4000, fw_double_cell(4)}};
	uint32_t host = kit_host(kit, "before"), schema = schema_of_before(kit);
	write_named(kit, "m", "new", samples, 1);
	log_as_before(kit, host, schema, samples, 3);
	cut_power(kit);
	assert_int_equal(kit_check(kit->dir), 0);
	expect(kit, "m", "old", samples, 3);
	const struct fw_label labels[] = {
		{"__name__", "m"}, {"instance", "before"}, {"job", "node"}, {"l", "old"}};
	write_of(kit, labels, 4, &samples[3], 1);
	expect(kit, "m", "old", samples, 4);
	kit_reopen(kit);
	expect(kit, "m", "old", samples, 4);
}

/* ---- against a model ---- */

enum { SERIES = 6, SLOTS = 400 };

struct model {
	int64_t cells[SERIES][SLOTS];
	bool known[SERIES][SLOTS];
};

static void write_random(struct kit *kit, struct model *model, unsigned *cell)
{
	struct store_sample samples[3][40];
	struct store_foreign series[3];
	struct fw_label labels[3][2];
	static const char *const names[SERIES] = {"a", "b", "c", "d", "e", "f"};
	static int newest;
	for (int s = 0; s < 3; s++) {
		int which = rand() % SERIES;
		size_t n = 1 + (size_t)rand() % (rand() % 5 ? 3 : 40);
		int from = rand() % 4 ? newest++ % SLOTS : rand() % SLOTS;
		labels[s][0] = (struct fw_label){"__name__", "m"};
		labels[s][1] = (struct fw_label){"l", names[which]};
		series[s] = (struct store_foreign){
			.labels = labels[s], .n_labels = 2, .samples = samples[s], .n_samples = n};
		for (size_t i = 0; i < n; i++) {
			int slot = (from + (int)i * (1 + rand() % 3)) % SLOTS;
			samples[s][i] = (struct store_sample){slot * 15000, ++*cell};
			model->cells[which][slot] = *cell;
			model->known[which][slot] = true;
		}
	}
	assert_int_equal(store_foreign_write(kit->store, series, 3, NOW_MS, NULL), 0);
}

static void compare(struct kit *kit, const struct model *model)
{
	static const char *const names[SERIES] = {"a", "b", "c", "d", "e", "f"};
	for (int s = 0; s < SERIES; s++) {
		struct store_sample samples[SLOTS];
		size_t n = 0;
		for (int slot = 0; slot < SLOTS; slot++)
			if (model->known[s][slot])
				samples[n++] =
					(struct store_sample){slot * 15000, model->cells[s][slot]};
		expect(kit, "m", names[s], samples, n);
	}
}

/* The folder as a kill would leave it, opened as a store of its own. */
static void compare_killed(struct kit *kit, const struct model *model)
{
	struct kit killed = *kit;
	struct fw_err err = {""};
	/* Once this is told, what the write before it made is on the disk. */
	assert_int_equal(store_foreign_write(kit->store, NULL, 0, NOW_MS, NULL), 0);
	snprintf(killed.dir, sizeof killed.dir, "/tmp/fenwatch-store-XXXXXX");
	assert_non_null(mkdtemp(killed.dir));
	kit_copy(kit->dir, killed.dir);
	killed.config.dir = killed.dir;
	if (kit_open(&killed, &err) < 0)
		fail_msg("%s", err.text);
	compare(&killed, model);
	kit_done(&killed);
}

static void test_model(void **state)
{
	struct kit *kit = *state;
	struct model *model = calloc(1, sizeof *model);
	unsigned cell = 0;
	srand(5);
	for (int i = 0; i < 400; i++) {
		write_random(kit, model, &cell);
		if (i % 40 == 17)
			compare(kit, model);
		if (i % 130 == 60)
			compare_killed(kit, model);
		if (i % 100 == 99)
			kit_reopen(kit);
	}
	compare(kit, model);
	assert_int_equal(kit_check(kit->dir), 0);
	free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test_setup_teardown(test_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_host_labels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_label_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_after_the_other, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_and_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bundle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newest_of_a_bundle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_has_its_own_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_of_before, setup, teardown),
		cmocka_unit_test_setup_teardown(test_model, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
