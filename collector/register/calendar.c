/* SPDX-License-Identifier: Apache-2.0 */
#include "calendar.h"

#define ALL_DAY                                  \
	{                                        \
		.spans = {{0, 1440}}, .count = 1 \
	}
#define OFFICE_DAY                                       \
	{                                                \
		.spans = {{8 * 60, 18 * 60}}, .count = 1 \
	}
#define DAYS_LIMIT 3660

const struct calendar calendar_always = {
	.name = "24x7",
	.week = {ALL_DAY, ALL_DAY, ALL_DAY, ALL_DAY, ALL_DAY, ALL_DAY, ALL_DAY},
	.open_on_bank_holidays = true,
};

const struct calendar calendar_office = {
	.name = "office",
	.week = {OFFICE_DAY, OFFICE_DAY, OFFICE_DAY, OFFICE_DAY, OFFICE_DAY},
};

static const struct calendar_hours closed;

static const struct calendar_hours *hours_of(const struct calendar *calendar, int64_t day)
{
	size_t low = 0, high = calendar->n_days;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (calendar->days[middle].day < day)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < calendar->n_days && calendar->days[low].day == day)
		return &calendar->days[low].hours;
	if (!calendar->open_on_bank_holidays && england_is_bank_holiday(day))
		return &closed;
	return &calendar->week[england_weekday(day)];
}

struct stretch {
	int64_t from_ms, to_ms;
};

/* The i-th stretch of a day's hours, without what lies before `from`. */
static struct stretch stretch_of(
	const struct calendar_hours *hours, size_t i, int64_t day, int64_t from_ms)
{
	struct stretch stretch = {
		england_ms(day, hours->spans[i].from), england_ms(day, hours->spans[i].to)};
	if (stretch.from_ms < from_ms)
		stretch.from_ms = from_ms;
	return stretch;
}

int64_t calendar_worked_ms(const struct calendar *calendar, int64_t from_ms, int64_t to_ms)
{
	int64_t sum = 0;
	for (int64_t day = england_day(from_ms); from_ms < to_ms && day <= england_day(to_ms);
		day++) {
		const struct calendar_hours *hours = hours_of(calendar, day);
		for (size_t i = 0; i < hours->count; i++) {
			struct stretch stretch = stretch_of(hours, i, day, from_ms);
			int64_t end = stretch.to_ms < to_ms ? stretch.to_ms : to_ms;
			if (end > stretch.from_ms)
				sum += end - stretch.from_ms;
		}
	}
	return sum;
}

int64_t calendar_after_ms(const struct calendar *calendar, int64_t from_ms, int64_t work_ms)
{
	int64_t first = england_day(from_ms);
	for (int64_t day = first; day < first + DAYS_LIMIT; day++) {
		const struct calendar_hours *hours = hours_of(calendar, day);
		for (size_t i = 0; i < hours->count; i++) {
			struct stretch stretch = stretch_of(hours, i, day, from_ms);
			int64_t length = stretch.to_ms - stretch.from_ms;
			if (length <= 0)
				continue;
			if (work_ms <= length)
				return stretch.from_ms + work_ms;
			work_ms -= length;
		}
	}
	return INT64_MAX;
}

bool calendar_is_open(const struct calendar *calendar, int64_t at_ms)
{
	return calendar_worked_ms(calendar, at_ms, at_ms + 1) != 0;
}
