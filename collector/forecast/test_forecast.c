/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forecast.h"

#define HOUR_MS ((int64_t)3600 * 1000)
#define DAY_MS (24 * HOUR_MS)
#define NOW_MS (INT64_C(1795000000) * 1000)
#define SIZE 1000.0

/* How full a made-up filesystem is so many days before now. */
typedef double disk(double days_ago);

struct history {
	struct forecast_sample samples[FORECAST_MOMENTS];
	size_t n;
};

static void see(struct history *h, disk *used, double from_days_ago)
{
	int64_t moments[FORECAST_MOMENTS];
	size_t n = forecast_plan(NOW_MS, moments);
	h->n = 0;
	for (size_t i = 0; i < n; i++) {
		double ago = (double)(NOW_MS - moments[i]) / (double)DAY_MS;
		if (ago <= from_days_ago)
			h->samples[h->n++] = (struct forecast_sample){moments[i], used(ago)};
	}
}

static bool told(disk *used, double from_days_ago, struct forecast *out)
{
	struct history h;
	see(&h, used, from_days_ago);
	return forecast_make(h.samples, h.n, SIZE, NOW_MS, out);
}

static double days_until(int64_t at_ms)
{
	return (double)(at_ms - NOW_MS) / (double)DAY_MS;
}

static double growing(double ago)
{
	return 900 - 20 * ago;
}

static double quiet(double ago)
{
	(void)ago;
	return 950;
}

static double shrinking(double ago)
{
	return 600 + 10 * ago;
}

static double saw_of_a_day(double ago)
{
	return 600 + 390 * (1 - fmod(ago + 0.9, 1));
}

static double saw_of_a_week(double ago)
{
	return 600 + 390 * (1 - fmod(ago + 6.5, 7) / 7);
}

static double saw_of_five_days(double ago)
{
	return 300 + 690 * (1 - fmod(ago + 4.9, 5) / 5);
}

static double dumping(double ago)
{
	double hour = fmod(24 * ago, 24);
	return 700 + (hour > 7 && hour < 10 ? 280 : 0);
}

static double growing_and_dumping(double ago)
{
	return dumping(ago) - 10 * ago - 50;
}

static double stepping(double ago)
{
	return ago > 6 ? 500 : 950;
}

static double cleaned_up(double ago)
{
	return ago > 3 ? 980 - 15 * ago : 500 - 15 * ago;
}

static double running_away(double ago)
{
	return ago > 0.25 ? 400 : 400 + (0.25 - ago) * 24 * 60;
}

static double stopped_growing(double ago)
{
	return ago > 9 ? 950 - 20 * (ago - 9) : 950;
}

static void test_a_line_fills_on_its_day(void **state)
{
	struct forecast f;
	(void)state;
	assert_true(told(growing, 28, &f));
	assert_true(fabs(days_until(f.likely_ms) - 5) < 0.5);
	assert_true(days_until(f.earliest_ms) <= 5 && days_until(f.latest_ms) >= 5);
	assert_true(f.samples > 100 && f.span_ms >= 14 * DAY_MS);
}

static void test_its_bounds_are_in_order_and_ahead(void **state)
{
	disk *const disks[] = {growing, growing_and_dumping, running_away};
	struct forecast f;
	(void)state;
	for (size_t i = 0; i < sizeof disks / sizeof *disks; i++) {
		assert_true(told(disks[i], 28, &f));
		assert_true(NOW_MS <= f.earliest_ms && f.earliest_ms <= f.likely_ms &&
			f.likely_ms <= f.latest_ms);
	}
}

static void test_what_does_not_grow_is_silent(void **state)
{
	disk *const disks[] = {quiet, shrinking, saw_of_a_day, dumping, stepping, stopped_growing};
	struct forecast f;
	(void)state;
	for (size_t i = 0; i < sizeof disks / sizeof *disks; i++)
		for (double span = 1; span <= 28; span++)
			assert_false(told(disks[i], span, &f));
}

/* In the first days no tooth has been seen to fall. */
static void test_a_saw_is_silent_from_its_first_tooth_on(void **state)
{
	struct forecast f;
	(void)state;
	for (double span = 1; span <= 28; span++) {
		assert_false(told(saw_of_five_days, span, &f));
		assert_false(told(saw_of_a_week, span, &f));
	}
}

static void test_growth_shows_above_a_nightly_dump(void **state)
{
	struct forecast f;
	(void)state;
	/* At the dump of the third night from now nothing is left. */
	assert_true(told(growing_and_dumping, 28, &f));
	assert_true(days_until(f.likely_ms) > 4 && days_until(f.likely_ms) < 9);
}

static void test_hours_are_enough_where_all_before_is_left_behind(void **state)
{
	struct forecast f;
	(void)state;
	assert_true(told(running_away, 28, &f));
	assert_true(fabs(days_until(f.likely_ms) * 24 - 4) < 1);
	assert_true(f.span_ms <= DAY_MS);
	assert_false(told(running_away, 1.5, &f)); /* nothing is known of what is usual */
}

static void test_after_a_clean_up_growth_goes_on_from_there(void **state)
{
	struct forecast f;
	(void)state;
	assert_true(told(cleaned_up, 28, &f));
	assert_true(days_until(f.earliest_ms) > 25);
}

static void test_a_short_history_is_silent(void **state)
{
	struct forecast f;
	(void)state;
	assert_false(told(growing, 0.5, &f));
	assert_false(told(growing, 1.9, &f));
	assert_false(forecast_make(NULL, 0, SIZE, NOW_MS, &f));
}

static void test_an_old_history_is_silent(void **state)
{
	struct history h;
	struct forecast f;
	(void)state;
	see(&h, growing, 28);
	assert_true(forecast_make(h.samples, h.n, SIZE, NOW_MS, &f));
	assert_false(forecast_make(h.samples, h.n, SIZE, NOW_MS + 2 * DAY_MS, &f));
	assert_false(forecast_make(h.samples, h.n, 0, NOW_MS, &f));
	assert_false(forecast_make(h.samples, h.n, NAN, NOW_MS, &f));
}

static void test_scale_and_calendar_change_nothing(void **state)
{
	struct history h;
	struct forecast f, g;
	(void)state;
	see(&h, growing_and_dumping, 28);
	assert_true(forecast_make(h.samples, h.n, SIZE, NOW_MS, &f));
	for (size_t i = 0; i < h.n; i++) {
		h.samples[i].used *= 1099511627776.0;
		h.samples[i].at_ms += 1000 * DAY_MS + 7 * HOUR_MS;
	}
	int64_t later_ms = NOW_MS + 1000 * DAY_MS + 7 * HOUR_MS;
	assert_true(forecast_make(h.samples, h.n, SIZE * 1099511627776.0, later_ms, &g));
	assert_int_equal(g.likely_ms - later_ms, f.likely_ms - NOW_MS);
	assert_int_equal(g.samples, f.samples);
}

static void test_one_wild_sample_changes_nothing(void **state)
{
	struct history h;
	struct forecast f, g;
	(void)state;
	see(&h, growing, 28);
	assert_true(forecast_make(h.samples, h.n, SIZE, NOW_MS, &f));
	h.samples[h.n / 3].used = SIZE;
	assert_true(forecast_make(h.samples, h.n, SIZE, NOW_MS, &g));
	assert_true(fabs(days_until(g.likely_ms) - days_until(f.likely_ms)) < 1);
}

static void test_more_room_is_later(void **state)
{
	struct history h;
	struct forecast f, g;
	(void)state;
	see(&h, growing, 28);
	assert_true(forecast_make(h.samples, h.n, SIZE, NOW_MS, &f));
	assert_true(forecast_make(h.samples, h.n, SIZE + 100, NOW_MS, &g));
	assert_true(f.likely_ms < g.likely_ms && f.earliest_ms < g.earliest_ms);
}

static void test_what_was_told_stands_until_room_is_made(void **state)
{
	struct forecast f, none = {0};
	(void)state;
	assert_true(told(growing, 28, &f));
	assert_true(forecast_stands(&f, 900, NOW_MS + DAY_MS));
	assert_false(forecast_stands(&f, 900, NOW_MS + 10 * DAY_MS));
	assert_false(forecast_stands(&f, 700, NOW_MS + DAY_MS));
	assert_true(forecast_stands(&f, 999, NOW_MS + 10 * DAY_MS)); /* it has become true */
	assert_false(forecast_stands(&none, 999, NOW_MS));
}

static void test_the_moment_moves_off_slowly_unless_room_was_made(void **state)
{
	const int64_t hour_later_ms = NOW_MS + HOUR_MS;
	struct forecast f, before, later;
	(void)state;
	assert_true(told(growing, 28, &f));
	before = later = f;
	later.likely_ms += 10 * DAY_MS;
	forecast_renew(&before, &later, 900, hour_later_ms);
	assert_int_equal(before.likely_ms, f.likely_ms + 3 * HOUR_MS);
	before = f;
	forecast_renew(&before, &later, 500, hour_later_ms); /* half of it is free again */
	assert_int_equal(before.likely_ms, later.likely_ms);
	before = later;
	forecast_renew(&before, &f, 900, hour_later_ms);
	assert_int_equal(before.likely_ms, f.likely_ms); /* nearer at once */
	forecast_renew(&before, &(struct forecast){0}, 900, hour_later_ms);
	assert_int_equal(before.likely_ms, f.likely_ms); /* it stands */
	forecast_renew(&before, &(struct forecast){0}, 500, hour_later_ms);
	assert_int_equal(before.likely_ms, 0);
}

static void test_the_plan_ascends_to_now(void **state)
{
	int64_t moments[FORECAST_MOMENTS];
	(void)state;
	for (int64_t at_ms = NOW_MS; at_ms < NOW_MS + DAY_MS; at_ms += 997 * 1000) {
		size_t n = forecast_plan(at_ms, moments);
		assert_true(n > 400 && n <= FORECAST_MOMENTS);
		assert_int_equal(moments[n - 1], at_ms);
		assert_true(moments[0] >= at_ms - FORECAST_DAYS * DAY_MS);
		for (size_t i = 1; i < n; i++)
			assert_true(moments[i - 1] < moments[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_fills_on_its_day),
		cmocka_unit_test(test_its_bounds_are_in_order_and_ahead),
		cmocka_unit_test(test_what_does_not_grow_is_silent),
		cmocka_unit_test(test_a_saw_is_silent_from_its_first_tooth_on),
		cmocka_unit_test(test_growth_shows_above_a_nightly_dump),
		cmocka_unit_test(test_hours_are_enough_where_all_before_is_left_behind),
		cmocka_unit_test(test_after_a_clean_up_growth_goes_on_from_there),
		cmocka_unit_test(test_a_short_history_is_silent),
		cmocka_unit_test(test_an_old_history_is_silent),
		cmocka_unit_test(test_scale_and_calendar_change_nothing),
		cmocka_unit_test(test_one_wild_sample_changes_nothing),
		cmocka_unit_test(test_more_room_is_later),
		cmocka_unit_test(test_what_was_told_stands_until_room_is_made),
		cmocka_unit_test(test_the_moment_moves_off_slowly_unless_room_was_made),
		cmocka_unit_test(test_the_plan_ascends_to_now),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
