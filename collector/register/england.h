/* England's clock and its bank holidays, as arithmetic.
 *
 * A day is a number: days since 1970-01-01, as England counts them. Summer time runs from
 * 01:00 UTC on the last Sunday of March to 01:00 UTC on the last Sunday of October (The
 * Summer Time Order 2002). Bank holidays are those of the Banking and Financial Dealings
 * Act 1971 with what was proclaimed beside it up to 2026; one on a weekend is kept on the
 * next weekday that is none, and Christmas Day, Boxing Day and New Year's Day are holidays
 * on their own date, too. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY, WEEK_DAYS };

int64_t england_day(int64_t utc_ms);
/* The moment of a minute of that day (0..1440). Of a minute that the clock shows twice it is the
 * first; one that it skips is the moment of the change. */
int64_t england_ms(int64_t day, int minute);
int england_weekday(int64_t day); /* MONDAY.. */
bool england_is_bank_holiday(int64_t day);
