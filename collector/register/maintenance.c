/* SPDX-License-Identifier: Apache-2.0 */
/* When people work at hosts and sites, so that nobody is told of what they do. */
#include <fnmatch.h>
#include <string.h>

#include "internal.h"

#define MAINTENANCE_LIMIT 1000
#define PATTERNS_LIMIT 1000

struct maintenance_row {
	struct register_maintenance window;
	struct calendar calendar;
};

#define AT(member) offsetof(struct maintenance_row, member)
static const struct fw_option table[] = {
	{
		.name = "name",
		.help = "what is done, or its number",
		.type = FW_OPT_TEXT,
		.offset = AT(window.entry.name),
		.required = true,
	},
	{
		.name = "hours",
		.help = "every week: {sun: '02:00-04:00'}",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_week,
		.offset = AT(calendar),
	},
	{
		.name = "days",
		.help = "on single days: {2026-12-03: '20:00-24:00'}",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_days,
		.offset = AT(calendar),
	},
	{
		.name = "hosts",
		.help = "names of hosts, or patterns: [web01, lib-*]",
		.type = FW_OPT_LIST,
		.offset = AT(window.hosts),
	},
	{
		.name = "sites",
		.help = "sites, with all below them",
		.type = FW_OPT_LIST,
		.offset = AT(window.sites),
	},
	{0},
};

static int check(const struct fw_yaml *node, void *item, struct fw_err *err)
{
	struct maintenance_row *row = item;
	const struct register_maintenance *window = &row->window;
	row->calendar.open_on_bank_holidays = true;
	if (!register_is_ever_open(&row->calendar))
		return fw_yaml_fail(node, err, "maintenance has 'hours', 'days' or both");
	if (window->hosts.count + window->sites.count == 0 || window->hosts.count > PATTERNS_LIMIT)
		return fw_yaml_fail(node, err,
			"maintenance names 'hosts', 'sites' or both, at most %d hosts",
			PATTERNS_LIMIT);
	return 0;
}

const struct kind maintenance_kind = {
	.one = "maintenance",
	.example = "[{name: Patch night, hours: {sun: '02:00-04:00'}, sites: [County]}]",
	.size = sizeof(struct maintenance_row),
	.limit = MAINTENANCE_LIMIT,
	.table = table,
	.check = check,
};

int register_join_maintenance(struct registry *registry, struct fw_err *err)
{
	struct maintenance_row *rows = registry->maintenance.items;
	for (size_t i = 0; i < registry->maintenance.count; i++) {
		const struct register_maintenance *window = &rows[i].window;
		for (size_t s = 0; s < window->sites.count; s++)
			if (!register_site(registry, window->sites.items[s]))
				return entry_unknown(&window->entry, "site", window->sites.items[s],
					&registry->sites, err);
	}
	return 0;
}

/* ---- of one host ---- */

static bool names_host(const struct register_maintenance *window, const char *host)
{
	for (size_t i = 0; i < window->hosts.count; i++)
		if (fnmatch(window->hosts.items[i], host, 0) == 0)
			return true;
	return false;
}

/* A site is worked at with all that are above it. */
static bool names_site(const struct register_maintenance *window, const struct register_site *site)
{
	for (; site; site = site->parent)
		for (size_t i = 0; i < window->sites.count; i++)
			if (strcmp(window->sites.items[i], site->entry.name) == 0)
				return true;
	return false;
}

const struct register_maintenance *register_in_maintenance(const struct registry *registry,
	const char *host, const struct register_site *site, int64_t at_ms)
{
	const struct maintenance_row *rows = registry->maintenance.items;
	for (size_t i = 0; i < registry->maintenance.count; i++)
		if ((names_host(&rows[i].window, host) || names_site(&rows[i].window, site)) &&
			calendar_is_open(&rows[i].calendar, at_ms))
			return &rows[i].window;
	return NULL;
}

size_t register_maintenance_at(const struct registry *registry, int64_t at_ms,
	struct fw_arena *arena, struct register_maintenance_now **out)
{
	const struct maintenance_row *rows = registry->maintenance.items;
	size_t n = registry->maintenance.count;
	*out = fw_arena_alloc(arena, (n + 1) * sizeof **out);
	for (size_t i = 0; i < n; i++)
		(*out)[i] = (struct register_maintenance_now){
			&rows[i].window, calendar_is_open(&rows[i].calendar, at_ms)};
	return n;
}

/* ---- what is hardly meant ---- */

static bool is_weekly(const struct calendar *calendar)
{
	for (size_t day = 0; day < WEEK_DAYS; day++)
		if (calendar->week[day].count > 0)
			return true;
	return false;
}

void register_doubt_maintenance(const struct registry *registry, const struct doubts *doubts)
{
	const struct maintenance_row *rows = registry->maintenance.items;
	int64_t today = england_day(doubts->now_ms);
	for (size_t i = 0; i < registry->maintenance.count; i++) {
		const struct calendar *calendar = &rows[i].calendar;
		if (!is_weekly(calendar) && calendar->days[calendar->n_days - 1].day < today)
			register_doubt(doubts, &rows[i].window.entry,
				"the maintenance '%.100s' is over: all of its days are past",
				rows[i].window.entry.name);
	}
}
