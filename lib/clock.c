/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/clock.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <fenwatch/fault.h>
#include <fenwatch/text.h>

static int64_t read_ms(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t fw_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME) + fw_fault_clock_shift();
}

int64_t fw_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC) + fw_fault_steady_shift();
}

int64_t fw_boot_ms(void)
{
	return read_ms(CLOCK_BOOTTIME);
}

uint64_t fw_cpu_ns(void)
{
	struct timespec used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

const char *fw_time_format(int64_t wall_ms, char *text, size_t size)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	int64_t ms = wall_ms % 1000;
	if (ms < 0) {
		ms += 1000;
		seconds--;
	}
	struct tm tm;
	gmtime_r(&seconds, &tm);
	snprintf(text, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)ms);
	return text;
}

/* Exactly `digits` digits. */
static bool cut_digits(struct fw_cursor *c, int digits, int *value)
{
	struct fw_cursor rest = *c;
	int sum = 0;
	for (int i = 0; i < digits; i++, rest.at++) {
		if (rest.at == rest.end || *rest.at < '0' || *rest.at > '9')
			return false;
		sum = sum * 10 + (*rest.at - '0');
	}
	*value = sum;
	*c = rest;
	return true;
}

static bool cut_date(struct fw_cursor *c, struct tm *tm)
{
	if (!cut_digits(c, 4, &tm->tm_year) || !fw_cut_literal(c, "-") ||
		!cut_digits(c, 2, &tm->tm_mon) || !fw_cut_literal(c, "-") ||
		!cut_digits(c, 2, &tm->tm_mday))
		return false;
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1)
		return false;
	bool leap = (tm->tm_year % 4 == 0 && tm->tm_year % 100 != 0) || tm->tm_year % 400 == 0;
	if (tm->tm_mday > days[tm->tm_mon - 1] + (tm->tm_mon == 2 && leap))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	return true;
}

static bool cut_time(struct fw_cursor *c, struct tm *tm, int *ms)
{
	if (!cut_digits(c, 2, &tm->tm_hour) || !fw_cut_literal(c, ":") ||
		!cut_digits(c, 2, &tm->tm_min) || !fw_cut_literal(c, ":") ||
		!cut_digits(c, 2, &tm->tm_sec))
		return false;
	if (tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60)
		return false;
	*ms = 0;
	if (!fw_cut_literal(c, "."))
		return true;
	int digit, place = 100, n = 0;
	for (; cut_digits(c, 1, &digit); n++, place /= 10)
		*ms += digit * place;
	return n > 0;
}

static bool cut_offset(struct fw_cursor *c, int *minutes)
{
	*minutes = 0;
	if (fw_cut_literal(c, "Z") || fw_cut_literal(c, "z"))
		return true;
	int sign = fw_cut_literal(c, "-") ? -1 : fw_cut_literal(c, "+") ? 1 : 0;
	int hour, minute;
	if (!sign || !cut_digits(c, 2, &hour) || !fw_cut_literal(c, ":") ||
		!cut_digits(c, 2, &minute))
		return false;
	*minutes = sign * (hour * 60 + minute);
	return hour <= 23 && minute <= 59;
}

static bool cut_rfc3339(struct fw_cursor *c, int64_t *wall_ms)
{
	struct tm tm = {0};
	int ms, minutes;
	if (!cut_date(c, &tm))
		return false;
	if (!fw_cut_literal(c, "T") && !fw_cut_literal(c, "t") && !fw_cut_literal(c, " "))
		return false;
	if (!cut_time(c, &tm, &ms) || !cut_offset(c, &minutes))
		return false;
	*wall_ms = ((int64_t)timegm(&tm) - minutes * INT64_C(60)) * 1000 + ms;
	return true;
}

int fw_time_parse(const char *text, int64_t *wall_ms)
{
	int64_t ms;
	struct fw_cursor c = {text, text + strlen(text)}, again = c;
	if (!(cut_rfc3339(&c, &ms) && c.at == c.end)) {
		c = again;
		if (*text == ' ' || !fw_cut_decimal(&c, 3, &ms) || c.at != c.end)
			return -EINVAL;
	}
	*wall_ms = ms;
	return 0;
}
