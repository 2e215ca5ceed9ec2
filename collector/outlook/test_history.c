/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "disks.h"
#include "history.h"

#define MINUTE_MS (60 * (int64_t)1000)
#define DAY_MS (24 * 60 * MINUTE_MS)
#define NOW_MS kit_now_ms

static const struct disk srv = {"/srv", "/dev/sda1", disk_growing, disk_quiet};
static const struct disk renamed = {"/srv", "/dev/sdb1", disk_growing, disk_quiet};
static const struct disk both[] = {
	{"/srv", "/dev/sda1", disk_growing, disk_quiet},
	{"/var/log", "/dev/sda2", disk_saw, disk_growing},
};

struct place {
	struct kit kit;
	struct fw_arena arena;
	struct history history;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof *place);
	kit_init(&place->kit);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	fw_arena_done(&place->arena);
	kit_done(&place->kit);
	free(place);
	return 0;
}

static void read_history(struct place *place)
{
	struct store_group *groups;
	size_t n;
	struct fw_err err;
	assert_int_equal(history_select(place->kit.store, 0, &place->arena, &groups, &n, &err), 0);
	assert_int_equal(history_read(place->kit.store, groups, n, NOW_MS, &place->arena,
				 &place->history, &err),
		0);
}

static const struct usage *usage_of(
	const struct place *place, const char *mountpoint, enum resource resource)
{
	for (size_t i = 0; i < place->history.n; i++) {
		const struct usage *usage = &place->history.usages[i];
		if (usage->resource == resource && strcmp(usage->mountpoint, mountpoint) == 0)
			return usage;
	}
	fail_msg("no usage of %s", mountpoint);
	return NULL;
}

static bool is_told(const struct usage *usage, struct forecast *out)
{
	return forecast_make(usage->samples, usage->n_samples, usage->size, NOW_MS, out);
}

static void test_each_moment_of_the_plan_has_its_sample(void **state)
{
	struct place *place = *state;
	int64_t moments[FORECAST_MOMENTS];
	size_t n = forecast_plan(NOW_MS, moments);
	disks_write(&place->kit, place->kit.host, &srv, 1, NOW_MS, 28.125, 0);
	read_history(place);
	assert_int_equal(place->history.n, 2);
	const struct usage *usage = usage_of(place, "/srv", BYTES);
	assert_int_equal(usage->n_samples, n);
	for (size_t i = 0; i < n; i++) {
		const struct forecast_sample *sample = &usage->samples[i];
		double ago = (double)(NOW_MS - sample->at_ms) / (double)DAY_MS;
		assert_true(
			sample->at_ms <= moments[i] && sample->at_ms > moments[i] - 5 * MINUTE_MS);
		assert_true(fabs(sample->used - disk_growing(ago) * (double)DISK_SIZE) <= 1);
	}
	assert_int_equal(usage->at_ms, NOW_MS);
	assert_true(usage->size == (double)DISK_SIZE);
}

static void test_growth_is_forecast_and_a_saw_is_not(void **state)
{
	struct place *place = *state;
	struct forecast f;
	disks_write(&place->kit, place->kit.host, both, 2, NOW_MS, 28, 0);
	read_history(place);
	assert_true(is_told(usage_of(place, "/srv", BYTES), &f));
	assert_true(llabs(f.likely_ms - (NOW_MS + 5 * DAY_MS)) < DAY_MS);
	assert_true(is_told(usage_of(place, "/var/log", INODES), &f));
	assert_false(is_told(usage_of(place, "/var/log", BYTES), &f));
	assert_false(is_told(usage_of(place, "/srv", INODES), &f));
}

static void test_a_device_that_is_renamed_keeps_its_history(void **state)
{
	struct place *place = *state;
	struct forecast f;
	disks_write(&place->kit, place->kit.host, &srv, 1, NOW_MS, 28, 3);
	disks_write(&place->kit, place->kit.host, &renamed, 1, NOW_MS, 2.99, 0);
	read_history(place);
	assert_int_equal(place->history.n, 2);
	assert_true(usage_of(place, "/srv", BYTES)->n_samples > 300);
	assert_true(is_told(usage_of(place, "/srv", BYTES), &f));
}

static void test_where_nothing_was_seen_there_is_no_sample(void **state)
{
	struct place *place = *state;
	disks_write(&place->kit, place->kit.host, &srv, 1, NOW_MS, 20, 10);
	disks_write(&place->kit, place->kit.host, &srv, 1, NOW_MS, 4, 0);
	read_history(place);
	const struct usage *usage = usage_of(place, "/srv", BYTES);
	for (size_t i = 0; i < usage->n_samples; i++) {
		double ago = (double)(NOW_MS - usage->samples[i].at_ms) / (double)DAY_MS;
		assert_true((ago <= 20.1 && ago >= 9.9) || ago <= 4.1);
		assert_true(i == 0 || usage->samples[i].at_ms > usage->samples[i - 1].at_ms);
	}
}

static void test_the_newest_values_come_from_memory(void **state)
{
	struct place *place = *state;
	struct store_group *groups;
	size_t n;
	struct fw_err err;
	disks_write(&place->kit, place->kit.host, both, 2, NOW_MS, 1, 0);
	assert_int_equal(history_select(place->kit.store, 0, &place->arena, &groups, &n, &err), 0);
	history_newest(place->kit.store, groups, n, &place->arena, &place->history);
	const struct usage *usage = usage_of(place, "/srv", BYTES);
	assert_int_equal(usage->at_ms, NOW_MS);
	assert_true(fabs(usage->used - 0.9 * (double)DISK_SIZE) <= 1);
	assert_null(usage->samples);
}

static void test_a_host_forgotten_meanwhile_has_no_samples(void **state)
{
	struct place *place = *state;
	struct store_group *groups;
	size_t n;
	struct fw_err err;
	disks_write(&place->kit, place->kit.host, &srv, 1, NOW_MS, 10, 0);
	assert_int_equal(history_select(place->kit.store, 0, &place->arena, &groups, &n, &err), 0);
	assert_int_equal(store_host_forget(place->kit.store, place->kit.host, &err), 0);
	assert_int_equal(history_read(place->kit.store, groups, n, NOW_MS, &place->arena,
				 &place->history, &err),
		0);
	assert_int_equal(usage_of(place, "/srv", BYTES)->n_samples, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_each_moment_of_the_plan_has_its_sample, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_growth_is_forecast_and_a_saw_is_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_device_that_is_renamed_keeps_its_history, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_where_nothing_was_seen_there_is_no_sample, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_the_newest_values_come_from_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_host_forgotten_meanwhile_has_no_samples, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
