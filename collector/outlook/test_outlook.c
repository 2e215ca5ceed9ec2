/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/mem.h>

#include "disks.h"
#include "keep.h"
#include "outlook.h"
#include "state.h"
#include "test_tree.h"

#define DAY_MS (24 * 3600 * (int64_t)1000)
#define WAIT_MS 30000
#define FILLS "fenwatch_filesystem_fills_timestamp_seconds"

static const struct disk disks[] = {
	{"/srv", "/dev/sda1", disk_growing, disk_quiet},
	{"/var/log", "/dev/sda2", disk_saw, disk_quiet},
};

struct place {
	struct kit kit;
	uv_loop_t loop;
	char dir[64];
	struct state *state;
	struct outlook *outlook;
	int64_t now_ms;
	uint32_t new_series_of;
	bool has_new_series, closed;
};

static void on_new_series(uint32_t host, void *arg)
{
	struct place *place = arg;
	place->has_new_series = true;
	place->new_series_of = host;
}

static void on_closed(void *arg)
{
	((struct place *)arg)->closed = true;
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof *place);
	place->now_ms = fw_wall_ms();
	kit_init(&place->kit);
	uv_loop_init(&place->loop);
	snprintf(place->dir, sizeof place->dir, "/tmp/fenwatch-outlook-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	assert_int_equal(state_open(&place->state, place->dir, NULL), 0);
	*state = place;
	return 0;
}

static void open_outlook(struct place *place)
{
	const struct outlook_config config = {.loop = &place->loop,
		.state = place->state,
		.store = place->kit.store,
		.on_new_series = on_new_series,
		.arg = place};
	struct fw_err err;
	place->closed = place->has_new_series = false;
	if (outlook_open(&place->outlook, &config, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_outlook(struct place *place)
{
	outlook_close(place->outlook, on_closed, place);
	uv_run(&place->loop, UV_RUN_DEFAULT);
	assert_true(place->closed);
}

static int tear_down(void **state)
{
	struct place *place = *state;
	close_outlook(place);
	assert_int_equal(uv_loop_close(&place->loop), 0);
	state_close(place->state);
	assert_int_equal(test_remove_tree(place->dir), 0);
	kit_done(&place->kit);
	free(place);
	return 0;
}

/* Runs the loop for at most WAIT_MS, until there are new series. */
static bool wait_for_series(struct place *place)
{
	int64_t end_ms = fw_mono_ms() + WAIT_MS;
	while (!place->has_new_series && fw_mono_ms() < end_ms)
		uv_run(&place->loop, UV_RUN_ONCE);
	return place->has_new_series;
}

static bool is_equal(const struct store_matcher *matcher, const char *value)
{
	return strcmp(matcher->value, value) == 0;
}

/* The newest value of a forecast's series, or 0. */
static int64_t newest(struct place *place, const char *name, const char *bound, const char *mount)
{
	const struct store_matcher matchers[] = {
		{.name = "__name__", .accepts = is_equal, .value = name},
		{.name = "bound", .accepts = is_equal, .value = bound},
		{.name = "mountpoint", .accepts = is_equal, .value = mount},
	};
	struct fw_arena arena = {0};
	struct store_group *groups;
	struct fw_err err;
	size_t n;
	int64_t at_ms, *cells, value = 0;
	assert_int_equal(store_select(place->kit.store, matchers, 3, 0, INT64_MAX, &arena, &groups,
				 &n, &err),
		0);
	if (n == 1 && store_latest(place->kit.store, groups, &arena, &at_ms, &cells) == 0 &&
		cells[0] != FW_ABSENT)
		value = cells[0];
	fw_arena_done(&arena);
	return value;
}

static void test_a_host_gets_series_of_what_fills(void **state)
{
	struct place *place = *state;
	disks_write(&place->kit, place->kit.host, disks, 2, place->now_ms, 28, 0);
	open_outlook(place);
	assert_true(wait_for_series(place));
	assert_int_equal(place->new_series_of, place->kit.host);
	int64_t likely_s = newest(place, FILLS, "likely", "/srv");
	assert_true(llabs(likely_s - (place->now_ms + 5 * DAY_MS) / 1000) < DAY_MS / 1000);
	assert_true(newest(place, FILLS, "earliest", "/srv") <= likely_s);
	assert_true(newest(place, FILLS, "latest", "/srv") >= likely_s);
	assert_true(newest(place, "fenwatch_filesystem_fills_samples", "", "/srv") > 100);
	assert_true(newest(place, "fenwatch_filesystem_fills_span_seconds", "", "/srv") >=
		14 * DAY_MS / 1000);
	assert_int_equal(newest(place, FILLS, "likely", "/var/log"), 0);
	assert_int_equal(newest(place, "fenwatch_filesystem_inodes_gone_timestamp_seconds",
				 "likely", "/srv"),
		0);
}

static void test_a_host_of_which_nothing_can_be_said_gets_none(void **state)
{
	struct place *place = *state;
	uint32_t quiet = kit_host(&place->kit, "quiet"), short_one = kit_host(&place->kit, "new");
	disks_write(&place->kit, quiet, &disks[1], 1, place->now_ms, 28, 0);
	disks_write(&place->kit, short_one, &disks[0], 1, place->now_ms, 1, 0);
	/* The one that comes last in the round shows that the others were looked at. */
	uint32_t last = kit_host(&place->kit, "zulu");
	disks_write(&place->kit, last, &disks[0], 1, place->now_ms, 28, 0);
	open_outlook(place);
	assert_true(wait_for_series(place));
	assert_int_equal(place->new_series_of, last);
}

static void count_kept(uint32_t host, const char *mountpoint, enum resource resource,
	const struct forecast *forecast, void *arg)
{
	(void)host;
	(void)resource;
	assert_string_equal(mountpoint, "/srv");
	assert_true(forecast->likely_ms > forecast->made_ms);
	++*(int *)arg;
}

/* What was told stands, though the data carry nothing now; until it is over. */
static void test_what_was_told_outlives_a_restart(void **state)
{
	struct place *place = *state;
	struct fw_err err;
	const struct disk quiet = {"/srv", "/dev/sda1", disk_quiet, disk_quiet};
	struct forecast told = {.earliest_ms = place->now_ms + DAY_MS,
		.likely_ms = place->now_ms + 2 * DAY_MS,
		.latest_ms = place->now_ms + 3 * DAY_MS,
		.made_ms = place->now_ms - DAY_MS,
		.full = DISK_SIZE,
		.stands_until_ms = place->now_ms + DAY_MS};
	disks_write(&place->kit, place->kit.host, &quiet, 1, place->now_ms, 28, 0);
	open_outlook(place);
	close_outlook(place);
	assert_int_equal(keep_write(place->state, place->kit.host, "/srv", BYTES, &told, &err), 0);
	open_outlook(place);
	assert_true(wait_for_series(place));
	assert_int_equal(newest(place, FILLS, "likely", "/srv"), told.likely_ms / 1000);
	close_outlook(place);
	told.stands_until_ms = place->now_ms - 1;
	assert_int_equal(keep_write(place->state, place->kit.host, "/srv", BYTES, &told, &err), 0);
	open_outlook(place);
	int kept = 1;
	for (int64_t end_ms = fw_mono_ms() + WAIT_MS; kept > 0 && fw_mono_ms() < end_ms;) {
		uv_run(&place->loop, UV_RUN_ONCE);
		kept = 0;
		assert_int_equal(keep_each(place->state, count_kept, &kept, &err), 0);
	}
	assert_int_equal(kept, 0);
	assert_false(place->has_new_series);
}

static void test_what_is_told_is_kept(void **state)
{
	struct place *place = *state;
	struct fw_err err;
	int kept = 0;
	disks_write(&place->kit, place->kit.host, disks, 2, place->now_ms, 28, 0);
	open_outlook(place);
	assert_true(wait_for_series(place));
	assert_int_equal(keep_each(place->state, count_kept, &kept, &err), 0);
	assert_int_equal(kept, 1);
}

static void test_a_forgotten_host_gets_nothing_more(void **state)
{
	struct place *place = *state;
	struct fw_err err;
	disks_write(&place->kit, place->kit.host, disks, 2, place->now_ms, 28, 0);
	open_outlook(place);
	assert_true(wait_for_series(place));
	assert_int_equal(outlook_forget(place->outlook, place->kit.host, &err), 0);
	int kept = 0;
	assert_int_equal(keep_each(place->state, count_kept, &kept, &err), 0);
	assert_int_equal(kept, 0);
	assert_int_equal(store_host_forget(place->kit.store, place->kit.host, &err), 0);
	place->has_new_series = false;
	int64_t end_ms = fw_mono_ms() + 1500;
	while (fw_mono_ms() < end_ms)
		uv_run(&place->loop, UV_RUN_ONCE);
	assert_false(place->has_new_series);
	assert_int_equal(newest(place, FILLS, "likely", "/srv"), 0);
}

/* While the pool reads. */
static void test_it_closes_at_any_moment(void **state)
{
	struct place *place = *state;
	disks_write(&place->kit, place->kit.host, disks, 2, place->now_ms, 28, 0);
	open_outlook(place);
	int64_t end_ms = fw_mono_ms() + 1020;
	while (fw_mono_ms() < end_ms)
		uv_run(&place->loop, UV_RUN_ONCE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_host_gets_series_of_what_fills, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_host_of_which_nothing_can_be_said_gets_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_was_told_outlives_a_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_told_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_forgotten_host_gets_nothing_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_it_closes_at_any_moment, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
