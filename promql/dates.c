/* SPDX-License-Identifier: Apache-2.0 */
/* Times in UTC, taken apart. */
#include <errno.h>
#include <math.h>

#include "workings.h"

struct date {
	int64_t year;
	int month, day;       /* from 1 */
	int weekday, yearday; /* 0 is Sunday; from 1 */
	int hour, minute;
};

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days since 0000-03-01, which begins 400 years of 146097 days: leap days come last then. */
static struct date date_of_day(int64_t day)
{
	const int64_t era = floor_div(day, 146097);
	const int of_era = (int)(day - era * 146097);
	const int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	const int of_year = of_era - (365 * year + year / 4 - year / 100);
	const int from_march = (5 * of_year + 2) / 153;
	struct date date = {.month = from_march < 10 ? from_march + 3 : from_march - 9};
	date.year = era * 400 + year + (date.month <= 2);
	date.day = of_year - (153 * from_march + 2) / 5 + 1;
	date.yearday = date.day;
	for (int month = 1; month < date.month; month++)
		date.yearday += month_days(date.year, month);
	return date;
}

static struct date date_of(int64_t second)
{
	const int64_t day = floor_div(second, 86400);
	const int of_day = (int)(second - day * 86400);
	struct date date = date_of_day(day + 719468);
	date.weekday = (int)(day + 4 - 7 * floor_div(day + 4, 7));
	date.hour = of_day / 3600;
	date.minute = of_day / 60 % 60;
	return date;
}

/* A value that is no time gives NaN. */
static double part(double value, double (*of)(const struct date *date))
{
	if (!(fabs(value) < 0x1p63))
		return NAN;
	const struct date date = date_of((int64_t)value);
	return of(&date);
}

static struct value given_or_time(const struct call_context *context, const struct value *given)
{
	struct value time, times = {0};
	if (context->node->call.n_arguments > 0)
		return *given;
	if (call_time(context, NULL, &time) == 0)
		call_vector(context, &time, &times);
	return times;
}

static int take_apart(const struct call_context *context, const struct value *arguments,
	struct value *out, double (*of)(const struct date *date))
{
	*out = given_or_time(context, arguments);
	for (size_t i = 0; i < out->n_series; i++) {
		double *values = out->series[i].values;
		for (size_t step = 0; step < context->axis->n; step++)
			if (!promql_is_absent(values[step]))
				values[step] = part(values[step], of);
	}
	return out->type == PROMQL_VECTOR ? 0 : -E2BIG;
}

#define PART(name, expression)                                                             \
	static double of_##name(const struct date *date)                                   \
	{                                                                                  \
		return (double)(expression);                                               \
	}                                                                                  \
	int call_##name(const struct call_context *context, const struct value *arguments, \
		struct value *out)                                                         \
	{                                                                                  \
		return take_apart(context, arguments, out, of_##name);                     \
	}

PART(year, date->year)
PART(month, date->month)
PART(day_of_month, date->day)
PART(day_of_week, date->weekday)
PART(day_of_year, date->yearday)
PART(days_in_month, month_days(date->year, date->month))
PART(hour, date->hour)
PART(minute, date->minute)
