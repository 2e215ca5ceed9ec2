/* SPDX-License-Identifier: Apache-2.0 */
#include "england.h"

#include <stddef.h>
#include <time.h>

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)

/* ---- days and dates ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t day_of(int year, int month, int day)
{
	struct tm date = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
	return floor_div(timegm(&date), 86400);
}

static struct tm date_of(int64_t day)
{
	struct tm date = {0};
	time_t seconds = (time_t)(day * 86400);
	gmtime_r(&seconds, &date);
	return date;
}

int england_weekday(int64_t day)
{
	int64_t since_monday = day + THURSDAY; /* 1970-01-01 was a Thursday */
	return (int)(since_monday - WEEK_DAYS * floor_div(since_monday, WEEK_DAYS));
}

/* The last of this weekday at or before `day`, the first at or after it. */
static int64_t last(int weekday, int64_t day)
{
	return day - (england_weekday(day) - weekday + WEEK_DAYS) % WEEK_DAYS;
}

static int64_t first(int weekday, int64_t day)
{
	return last(weekday, day + WEEK_DAYS - 1);
}

/* ---- the clock ---- */

static int64_t ahead_ms(int64_t utc_ms)
{
	int year = date_of(floor_div(utc_ms, DAY_MS)).tm_year + 1900;
	int64_t begin = last(SUNDAY, day_of(year, 3, 31)) * DAY_MS + HOUR_MS;
	int64_t end = last(SUNDAY, day_of(year, 10, 31)) * DAY_MS + HOUR_MS;
	return utc_ms >= begin && utc_ms < end ? HOUR_MS : 0;
}

int64_t england_day(int64_t utc_ms)
{
	return floor_div(utc_ms + ahead_ms(utc_ms), DAY_MS);
}

int64_t england_ms(int64_t day, int minute)
{
	int64_t shown = day * DAY_MS + minute * INT64_C(60000);
	if (ahead_ms(shown - HOUR_MS) != 0)
		return shown - HOUR_MS;
	return ahead_ms(shown) == 0 ? shown : shown - shown % HOUR_MS;
}

/* ---- bank holidays ---- */

/* What was moved or added by proclamation. */
static const struct {
	short year;
	signed char month, day;
	bool is_holiday;
} proclaimed[] = {
	{1995, 5, 1, false},
	{1995, 5, 8, true},
	{1999, 12, 31, true},
	{2002, 5, 27, false},
	{2002, 6, 3, true},
	{2002, 6, 4, true},
	{2011, 4, 29, true},
	{2012, 5, 28, false},
	{2012, 6, 4, true},
	{2012, 6, 5, true},
	{2020, 5, 4, false},
	{2020, 5, 8, true},
	{2022, 5, 30, false},
	{2022, 6, 2, true},
	{2022, 6, 3, true},
	{2022, 9, 19, true},
	{2023, 5, 8, true},
};

/* Easter Sunday of the Gregorian calendar: J. Meeus, Astronomical Algorithms, chapter 8. */
static int64_t easter(int year)
{
	int a = year % 19, b = year / 100, c = year % 100;
	int d = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
	int e = (32 + 2 * (b % 4) + 2 * (c / 4) - d - c % 4) % 7;
	int f = d + e - 7 * ((a + 11 * d + 22 * e) / 451) + 114;
	return day_of(year, f / 31, f % 31 + 1);
}

static bool is_or_is_kept(int64_t day, int64_t holiday, int64_t later_by)
{
	bool weekend = england_weekday(holiday) >= SATURDAY;
	return day == holiday || (weekend && day == holiday + later_by);
}

bool england_is_bank_holiday(int64_t day)
{
	const struct tm date = date_of(day);
	int year = date.tm_year + 1900;
	for (size_t i = 0; i < sizeof proclaimed / sizeof *proclaimed; i++)
		if (day == day_of(proclaimed[i].year, proclaimed[i].month, proclaimed[i].day))
			return proclaimed[i].is_holiday;
	int64_t new_year = day_of(year, 1, 1), sunday = easter(year);
	return is_or_is_kept(day, new_year, england_weekday(new_year) == SUNDAY ? 1 : 2) ||
		day == sunday - 2 || day == sunday + 1 ||
		day == first(MONDAY, day_of(year, 5, 1)) ||
		day == last(MONDAY, day_of(year, 5, 31)) ||
		day == last(MONDAY, day_of(year, 8, 31)) ||
		is_or_is_kept(day, day_of(year, 12, 25), 2) ||
		is_or_is_kept(day, day_of(year, 12, 26), 2);
}
