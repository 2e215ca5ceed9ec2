/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of sites. */
#include <errno.h>
#include <string.h>

#include <fenwatch/text.h>

#include "internal.h"

#define SITES_LIMIT 10000
#define DEPTH_LIMIT 16

const char *const register_tier_names[] = {"standard", "blue-light", "vip", NULL};

struct site_row {
	struct register_site site;
	const char *parent, *calendar; /* their names, or NULL */
	struct calendar own;           /* the site's own days */
	int tier;                      /* as register_parse_one_of has it */
};

int register_parse_tier(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	(void)arena;
	return register_parse_one_of(node, register_tier_names, field, err);
}

#define AT(member) offsetof(struct site_row, member)
static const struct fw_option table[] = {
	{
		.name = "name",
		.help = "what hosts and other sites call it",
		.type = FW_OPT_TEXT,
		.offset = AT(site.entry.name),
		.required = true,
	},
	{
		.name = "parent",
		.help = "the site of which it is a part",
		.type = FW_OPT_TEXT,
		.offset = AT(parent),
	},
	{
		.name = "tier",
		.help = "standard, blue-light or vip: how much depends on it",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_tier,
		.offset = AT(tier),
	},
	{
		.name = "calendar",
		.help = "when there are people",
		.type = FW_OPT_TEXT,
		.offset = AT(calendar),
	},
	{
		.name = "days",
		.help = "days on which its hours are others: {2026-12-24: closed}",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_days,
		.offset = AT(own),
	},
	{
		.name = "links",
		.help = "hosts through which the others of the site are reached",
		.type = FW_OPT_LIST,
		.offset = AT(site.links),
	},
	{
		.name = "supplier",
		.help = "who looks after its line, where it is not who looks after its links",
		.type = FW_OPT_TEXT,
		.offset = AT(site.supplier),
	},
	{
		.name = "address",
		.help = "where it is",
		.type = FW_OPT_TEXT,
		.offset = AT(site.address),
		.max = LINE_LIMIT,
	},
	{
		.name = "telephone",
		.help = "whom to ring there",
		.type = FW_OPT_TEXT,
		.offset = AT(site.telephone),
	},
	{0},
};

const struct kind site_kind = {
	.one = "site",
	.example = "[{name: Boston fire station, tier: blue-light, links: [bos-rtr1]}]",
	.size = sizeof(struct site_row),
	.limit = SITES_LIMIT,
	.table = table,
};

struct fw_text_list register_site_names(const struct registry *registry, struct fw_arena *arena)
{
	return entries_names(&registry->sites, arena);
}

const struct register_site *register_site(const struct registry *registry, const char *name)
{
	return entries_find(&registry->sites, name);
}

/* ---- the tree ---- */

static int find_parent(struct registry *registry, struct site_row *row, struct fw_err *err)
{
	row->site.parent = register_site(registry, row->parent);
	if (row->parent && !row->site.parent)
		return entry_unknown(&row->site.entry, "site", row->parent, &registry->sites, err);
	return 0;
}

/* A circle is deeper than any tree. */
static int check_depth(const struct site_row *row, struct fw_err *err)
{
	int depth = 0;
	for (const struct register_site *at = &row->site; at; at = at->parent)
		if (++depth > DEPTH_LIMIT)
			return fw_fail(err, -EINVAL,
				"'%s', line %u: above the site '%s' are more than %d others, or a "
				"circle of them",
				row->site.entry.file, row->site.entry.line, row->site.entry.name,
				DEPTH_LIMIT - 1);
	return 0;
}

static enum register_tier tier_of(const struct site_row *row)
{
	while (row->tier == 0 && row->site.parent)
		row = (const struct site_row *)row->site.parent;
	return row->tier == 0 ? TIER_STANDARD : (enum register_tier)(row->tier - 1);
}

static const char *calendar_of(const struct site_row *row)
{
	while (!row->calendar && row->site.parent)
		row = (const struct site_row *)row->site.parent;
	return row->calendar ? row->calendar : calendar_always.name;
}

/* The site's own days beside those of its calendar, and before them where a day is in both. */
static void add_days(struct calendar *calendar, const struct calendar *own, struct fw_arena *arena)
{
	size_t n = 0, a = 0, b = 0;
	struct calendar_day *days =
		fw_arena_alloc(arena, (own->n_days + calendar->n_days + 1) * sizeof *days);
	while (a < own->n_days || b < calendar->n_days) {
		bool takes_own = a < own->n_days &&
			(b == calendar->n_days || own->days[a].day <= calendar->days[b].day);
		if (takes_own && b < calendar->n_days && own->days[a].day == calendar->days[b].day)
			b++;
		days[n++] = takes_own ? own->days[a++] : calendar->days[b++];
	}
	calendar->days = days;
	calendar->n_days = n;
}

static int join(struct registry *registry, struct site_row *row, struct fw_err *err)
{
	const char *name = calendar_of(row);
	const struct calendar *calendar = calendar_named(registry, name);
	if (!calendar)
		return entry_unknown(&row->site.entry, "calendar", name, &registry->calendars, err);
	row->site.tier = tier_of(row);
	row->site.calendar = *calendar;
	add_days(&row->site.calendar, &row->own, &registry->arena);
	return 0;
}

int register_join_sites(struct registry *registry, struct fw_err *err)
{
	struct site_row *rows = registry->sites.items;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < registry->sites.count; i++)
		rc = find_parent(registry, &rows[i], err);
	for (size_t i = 0; rc == 0 && i < registry->sites.count; i++)
		rc = check_depth(&rows[i], err);
	for (size_t i = 0; rc == 0 && i < registry->sites.count; i++)
		rc = join(registry, &rows[i], err);
	return rc;
}

/* ---- lines ---- */

static const char *supplier_of_links(const struct registry *registry, const struct site_row *row)
{
	const struct fw_text_list *links = &row->site.links;
	const char *supplier = NULL;
	for (size_t i = 0; !supplier && i < links->count; i++) {
		const struct fw_label name = {"instance", links->items[i]};
		supplier = register_host_supplier(registry, &name, 1);
	}
	return supplier;
}

static int check_supplier(
	const struct registry *registry, const struct site_row *row, struct fw_err *err)
{
	const char *supplier = row->site.supplier;
	if (!supplier || registry->suppliers.count == 0 || register_supplier(registry, supplier))
		return 0;
	return entry_unknown(&row->site.entry, "supplier", supplier, &registry->suppliers, err);
}

int register_join_lines(struct registry *registry, struct fw_err *err)
{
	struct site_row *rows = registry->sites.items;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < registry->sites.count; i++) {
		rc = check_supplier(registry, &rows[i], err);
		if (!rows[i].site.supplier)
			rows[i].site.supplier = supplier_of_links(registry, &rows[i]);
	}
	for (size_t i = 0; rc == 0 && i < registry->sites.count; i++)
		for (const struct register_site *at = &rows[i].site; !rows[i].site.supplier && at;
			at = at->parent)
			rows[i].site.supplier = at->supplier;
	return rc;
}

/* ---- what is hardly meant ---- */

/* Where no row speaks of any host, none can be known by its name. */
void register_doubt_links(const struct registry *registry, const struct doubts *doubts)
{
	const struct site_row *rows = registry->sites.items;
	if (registry->hosts.named.count == 0)
		return;
	for (size_t i = 0; i < registry->sites.count; i++)
		for (size_t k = 0; k < rows[i].site.links.count; k++) {
			const char *link = rows[i].site.links.items[k];
			if (register_speaks_of(registry, link))
				continue;
			const char *near = entries_nearest(&registry->hosts.named, link);
			register_doubt(doubts, &rows[i].site.entry,
				"no row of hosts speaks of the link '%.100s'%s", link,
				fw_did_you_mean(near).text);
		}
}
