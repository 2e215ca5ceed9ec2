/* SPDX-License-Identifier: Apache-2.0 */
/* England's clock and holidays, and the hours that are worked between two moments. */
#include "calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <fenwatch/clock.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

static int64_t at(const char *text)
{
	int64_t ms;
	if (fw_time_parse(text, &ms) < 0)
		fail_msg("'%s' is no time", text);
	return ms;
}

static int64_t day(const char *date)
{
	char text[32];
	snprintf(text, sizeof text, "%sT12:00:00Z", date);
	return england_day(at(text));
}

static void the_clock_changes_at_one_utc(void **state)
{
	(void)state;
	assert_int_equal(england_day(at("2026-03-28T23:59:59Z")), day("2026-03-28"));
	assert_int_equal(england_day(at("2026-06-01T23:00:00Z")), day("2026-06-02"));
	assert_int_equal(england_ms(day("2026-03-29"), 0), at("2026-03-29T00:00:00Z"));
	assert_int_equal(england_ms(day("2026-03-29"), 90), at("2026-03-29T01:00:00Z"));
	assert_int_equal(england_ms(day("2026-03-29"), 120), at("2026-03-29T01:00:00Z"));
	assert_int_equal(england_ms(day("2026-03-30"), 0), at("2026-03-29T23:00:00Z"));
	assert_int_equal(england_ms(day("2026-10-25"), 90), at("2026-10-25T00:30:00Z"));
	assert_int_equal(england_ms(day("2026-10-25"), 150), at("2026-10-25T02:30:00Z"));
	assert_int_equal(england_ms(day("2026-10-25"), 1440), at("2026-10-26T00:00:00Z"));
	assert_int_equal(england_weekday(day("2026-11-29")), SUNDAY);
	assert_int_equal(england_weekday(-1), WEDNESDAY);
}

/* As the government's list has them; Saturdays and Sundays are left out there. */
static const char *const published[] = {
	"2022-01-03",
	"2022-04-15",
	"2022-04-18",
	"2022-05-02",
	"2022-06-02",
	"2022-06-03",
	"2022-08-29",
	"2022-09-19",
	"2022-12-26",
	"2022-12-27",
	"2023-01-02",
	"2023-04-07",
	"2023-04-10",
	"2023-05-01",
	"2023-05-08",
	"2023-05-29",
	"2023-08-28",
	"2023-12-25",
	"2023-12-26",
	"2024-01-01",
	"2024-03-29",
	"2024-04-01",
	"2024-05-06",
	"2024-05-27",
	"2024-08-26",
	"2024-12-25",
	"2024-12-26",
	"2025-01-01",
	"2025-04-18",
	"2025-04-21",
	"2025-05-05",
	"2025-05-26",
	"2025-08-25",
	"2025-12-25",
	"2025-12-26",
	"2026-01-01",
	"2026-04-03",
	"2026-04-06",
	"2026-05-04",
	"2026-05-25",
	"2026-08-31",
	"2026-12-25",
	"2026-12-28",
	"2027-01-01",
	"2027-03-26",
	"2027-03-29",
	"2027-05-03",
	"2027-05-31",
	"2027-08-30",
	"2027-12-27",
	"2027-12-28",
	"2028-01-03",
	"2028-04-14",
	"2028-04-17",
};

static void bank_holidays_are_the_published_ones(void **state)
{
	(void)state;
	size_t next = 0, n = sizeof published / sizeof *published;
	for (int64_t d = day("2022-01-01"); d <= day("2028-04-17"); d++) {
		bool listed = next < n && d == day(published[next]);
		if (england_weekday(d) < SATURDAY && england_is_bank_holiday(d) != listed)
			fail_msg("day %lld, near %s", (long long)d, published[next]);
		next += listed;
	}
	assert_int_equal(next, n);
	assert_true(england_is_bank_holiday(day("2027-12-25")));
	assert_true(england_is_bank_holiday(day("2020-05-08")));
	assert_false(england_is_bank_holiday(day("2020-05-04")));
}

/* Five minutes are left on Thursday; Friday to Monday is closed. */
static void a_fault_before_good_friday_waits_at_an_office(void **state)
{
	(void)state;
	int64_t raised = at("2026-04-02T16:55:00Z");
	assert_int_equal(calendar_worked_ms(&calendar_office, raised, at("2026-04-07T08:00:00Z")),
		65 * MINUTE_MS);
	assert_int_equal(calendar_after_ms(&calendar_office, raised, 2 * HOUR_MS),
		at("2026-04-07T08:55:00Z"));
	assert_int_equal(calendar_after_ms(&calendar_office, raised, 5 * MINUTE_MS),
		at("2026-04-02T17:00:00Z"));
	assert_int_equal(calendar_after_ms(&calendar_always, raised, 2 * HOUR_MS),
		at("2026-04-02T18:55:00Z"));
}

static void nights_of_change_add_and_take_nothing(void **state)
{
	(void)state;
	static const char *const nights[][2] = {
		{"2026-03-28T20:00:00Z", "2026-03-29T08:00:00Z"},
		{"2026-10-24T20:00:00Z", "2026-10-25T08:00:00Z"},
	};
	for (size_t i = 0; i < 2; i++) {
		int64_t from = at(nights[i][0]), to = at(nights[i][1]);
		assert_int_equal(calendar_worked_ms(&calendar_always, from, to), 12 * HOUR_MS);
		assert_int_equal(calendar_after_ms(&calendar_always, from, 12 * HOUR_MS), to);
	}
}

static void days_of_its_own_count_before_week_and_holiday(void **state)
{
	(void)state;
	const struct calendar_day days[] = {
		{day("2026-12-24"), {.spans = {{8 * 60, 12 * 60}, {13 * 60, 14 * 60}}, .count = 2}},
		{day("2026-12-25"), {.spans = {{9 * 60, 10 * 60}}, .count = 1}},
		{day("2026-12-29"), {.count = 0}},
	};
	struct calendar shop = calendar_office;
	shop.days = days;
	shop.n_days = 3;
	assert_true(calendar_is_open(&shop, at("2026-12-24T13:00:00Z")));
	assert_false(calendar_is_open(&shop, at("2026-12-24T12:00:00Z")));
	assert_int_equal(
		calendar_worked_ms(&shop, at("2026-12-24T00:00:00Z"), at("2026-12-31T00:00:00Z")),
		(5 + 1 + 10) * HOUR_MS);
	assert_int_equal(calendar_worked_ms(&shop, at("2026-12-31T00:00:00Z"), 0), 0);
}

static void what_never_opens_is_never_done(void **state)
{
	(void)state;
	const struct calendar never = {.name = "never"};
	assert_int_equal(calendar_after_ms(&never, at("2026-01-01T00:00:00Z"), 1), INT64_MAX);
	assert_int_equal(calendar_worked_ms(&never, 0, at("2026-01-01T00:00:00Z")), 0);
}

/* Whatever the moment and the amount: what has been worked until it is due is that amount. */
static void due_moments_and_worked_hours_agree(void **state)
{
	(void)state;
	int64_t begin = at("2026-01-01T00:00:00Z");
	uint64_t chance = 1;
	for (int i = 0; i < 2000; i++) {
		chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407u;
		int64_t from = begin + (int64_t)(chance >> 24) % (730 * 24 * HOUR_MS);
		int64_t work = 1 + (int64_t)(chance >> 33) % (200 * HOUR_MS);
		int64_t due = calendar_after_ms(&calendar_office, from, work);
		assert_int_equal(calendar_worked_ms(&calendar_office, from, due), work);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clock_changes_at_one_utc),
		cmocka_unit_test(bank_holidays_are_the_published_ones),
		cmocka_unit_test(a_fault_before_good_friday_waits_at_an_office),
		cmocka_unit_test(nights_of_change_add_and_take_nothing),
		cmocka_unit_test(days_of_its_own_count_before_week_and_holiday),
		cmocka_unit_test(what_never_opens_is_never_done),
		cmocka_unit_test(due_moments_and_worked_hours_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
