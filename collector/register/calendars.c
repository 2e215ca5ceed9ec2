/* SPDX-License-Identifier: Apache-2.0 */
/* Hours of weekdays and of single days, as people write them: "08:00-18:00", a list of
 * such, "closed" or "all day". */
#include <stdlib.h>
#include <string.h>

#include <fenwatch/text.h>

#include "internal.h"

#define CALENDARS_LIMIT 1000
#define DAYS_LIMIT 1000 /* of one calendar's own */
#define DAY_MS INT64_C(86400000)

struct calendar_row {
	struct register_entry entry;
	struct calendar calendar;
};

/* ---- hours ---- */

/* "08:30", up to "24:00"; -1: it is none. */
static int cut_minute(struct fw_cursor *c)
{
	uint64_t hour, minute;
	if (!fw_cut_u64(c, &hour) || !fw_cut_literal(c, ":") || !fw_cut_u64(c, &minute))
		return -1;
	if (hour > 24 || minute > 59 || (hour == 24 && minute > 0))
		return -1;
	return (int)(hour * 60 + minute);
}

static int add_span(const struct fw_yaml *node, struct calendar_hours *hours, struct fw_err *err)
{
	const char *text = fw_yaml_text(node) ? fw_yaml_text(node) : "";
	struct fw_cursor c = {text, text + strlen(text)};
	int from = cut_minute(&c);
	int to = fw_cut_literal(&c, "-") ? cut_minute(&c) : -1;
	if (from >= 0 && to >= 0 && to <= from && c.at == c.end)
		return fw_yaml_fail(node, err,
			"'%s' ends before it begins; hours past midnight are written as two: up to "
			"24:00, and from 00:00 of the next day",
			text);
	if (from < 0 || to < 0 || c.at != c.end)
		return fw_yaml_fail(
			node, err, "hours are written as '08:00-18:00', not '%s'", text);
	if (hours->count == CALENDAR_SPANS)
		return fw_yaml_fail(
			node, err, "a day has at most %d stretches of hours", CALENDAR_SPANS);
	if (hours->count > 0 && from < hours->spans[hours->count - 1].to)
		return fw_yaml_fail(node, err, "the hours of a day come in order and apart");
	hours->spans[hours->count].from = (int16_t)from;
	hours->spans[hours->count++].to = (int16_t)to;
	return 0;
}

static int parse_hours(const struct fw_yaml *node, struct calendar_hours *hours, struct fw_err *err)
{
	const char *text = fw_yaml_text(node);
	*hours = (struct calendar_hours){.count = 0};
	if (text && strcmp(text, "closed") == 0)
		return 0;
	if (text && strcmp(text, "all day") == 0) {
		*hours = (struct calendar_hours){.spans = {{0, 1440}}, .count = 1};
		return 0;
	}
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return add_span(node, hours, err);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < fw_yaml_count(node); i++)
		rc = add_span(fw_yaml_item(node, i), hours, err);
	return rc;
}

/* ---- the week ---- */

static int weekday_named(const char *text, size_t length)
{
	static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
	for (int day = 0; day < WEEK_DAYS; day++)
		if (strlen(names[day]) == length && strncmp(names[day], text, length) == 0)
			return day;
	return -1;
}

int register_parse_week(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct calendar *calendar = field;
	(void)arena;
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(node, err, "hours are written as {mon-fri: '08:00-18:00'}");
	for (size_t i = 0; i < fw_yaml_count(node); i++) {
		const char *key = fw_yaml_text(fw_yaml_key(node, i));
		size_t length = strcspn(key, "-");
		int first = weekday_named(key, length);
		int last = key[length] ? weekday_named(key + length + 1, strlen(key + length + 1))
				       : first;
		if (first < 0 || last < first)
			return fw_yaml_fail(fw_yaml_key(node, i), err,
				"a weekday is mon, tue, wed, thu, fri, sat or sun, or from one to "
				"a later one as in mon-fri; not '%s'",
				key);
		for (int day = first; day <= last; day++) {
			int rc = parse_hours(fw_yaml_item(node, i), &calendar->week[day], err);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

/* ---- single days ---- */

static int by_day(const void *a, const void *b)
{
	const struct calendar_day *one = a, *other = b;
	return one->day < other->day ? -1 : one->day > other->day;
}

int register_parse_days(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct calendar *calendar = field;
	size_t n = fw_yaml_count(node);
	if (fw_yaml_kind(node) != FW_YAML_MAPPING || n > DAYS_LIMIT)
		return fw_yaml_fail(node, err,
			"days are written as {2026-12-24: '08:00-12:00', 2026-12-28: closed}, at "
			"most %d",
			DAYS_LIMIT);
	struct calendar_day *days = fw_arena_alloc(arena, (n + 1) * sizeof *days);
	for (size_t i = 0; i < n; i++) {
		struct register_day day;
		int rc = register_parse_day(fw_yaml_key(node, i), &day, arena, err);
		if (rc == 0)
			rc = parse_hours(fw_yaml_item(node, i), &days[i].hours, err);
		if (rc < 0)
			return rc;
		days[i].day = day.end_ms / DAY_MS - 1;
	}
	qsort(days, n, sizeof *days, by_day);
	calendar->days = days;
	calendar->n_days = n;
	return 0;
}

bool register_is_ever_open(const struct calendar *calendar)
{
	for (size_t day = 0; day < WEEK_DAYS; day++)
		if (calendar->week[day].count > 0)
			return true;
	for (size_t i = 0; i < calendar->n_days; i++)
		if (calendar->days[i].hours.count > 0)
			return true;
	return false;
}

/* ---- a calendar ---- */

#define AT(member) offsetof(struct calendar_row, member)
static const struct fw_option table[] = {
	{
		.name = "name",
		.help = "what sites and suppliers call it",
		.type = FW_OPT_TEXT,
		.offset = AT(entry.name),
		.required = true,
	},
	{
		.name = "hours",
		.help = "of weekdays: {mon-fri: '08:00-18:00', sat: ['09:00-12:00', '13:00-15:00']}",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_week,
		.offset = AT(calendar),
		.required = true,
	},
	{
		.name = "open_on_bank_holidays",
		.help = "whether England's bank holidays are days as others",
		.type = FW_OPT_BOOL,
		.offset = AT(calendar.open_on_bank_holidays),
		.fallback = "false",
	},
	{
		.name = "days",
		.help = "single ones, which count before all else: {2026-12-24: '08:00-12:00'}",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_days,
		.offset = AT(calendar),
	},
	{0},
};

static const struct calendar *built_in(const char *name)
{
	static const struct calendar *const all[] = {&calendar_always, &calendar_office};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

static int check(const struct fw_yaml *node, void *item, struct fw_err *err)
{
	struct calendar_row *row = item;
	if (built_in(row->entry.name))
		return fw_yaml_fail(node, err, "the calendar '%s' is built in", row->entry.name);
	if (!register_is_ever_open(&row->calendar))
		return fw_yaml_fail(node, err,
			"the calendar '%s' is never open: no target of it would ever be due",
			row->entry.name);
	row->calendar.name = row->entry.name;
	return 0;
}

const struct kind calendar_kind = {
	.one = "calendar",
	.example = "[{name: shop, hours: {mon-sat: '09:00-17:30'}}]",
	.size = sizeof(struct calendar_row),
	.limit = CALENDARS_LIMIT,
	.table = table,
	.check = check,
};

const struct calendar *calendar_named(const struct registry *registry, const char *name)
{
	const struct calendar_row *row = entries_find(&registry->calendars, name);
	return row ? &row->calendar : built_in(name);
}
