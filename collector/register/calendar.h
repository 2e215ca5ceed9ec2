/* When somebody is at work.
 *
 * A calendar has hours for each weekday on England's clock, is closed on bank holidays
 * unless it says otherwise, and has days of its own that count before both. Between two
 * moments it counts what lies within its hours, as time goes by: a night in which the
 * clock changes neither adds nor takes away. Two stand in every register: "24x7" and
 * "office" (Monday to Friday, 08:00 to 18:00). Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "england.h"

#define CALENDAR_SPANS 4 /* of one day */

/* Minutes of a day, 0..1440, in order and apart. */
struct calendar_hours {
	struct {
		int16_t from, to;
	} spans[CALENDAR_SPANS];
	size_t count; /* 0: closed */
};

struct calendar_day {
	int64_t day; /* since 1970 */
	struct calendar_hours hours;
};

struct calendar {
	const char *name;
	struct calendar_hours week[WEEK_DAYS];
	bool open_on_bank_holidays;
	const struct calendar_day *days; /* of their own, by day */
	size_t n_days;
};

extern const struct calendar calendar_always, calendar_office;

bool calendar_is_open(const struct calendar *calendar, int64_t at_ms);
/* Milliseconds of its hours within [from, to); 0 where to <= from. */
int64_t calendar_worked_ms(const struct calendar *calendar, int64_t from_ms, int64_t to_ms);
/* When `work_ms` of its hours will have passed since `from`; INT64_MAX: not within ten years. */
int64_t calendar_after_ms(const struct calendar *calendar, int64_t from_ms, int64_t work_ms);
