/* SPDX-License-Identifier: Apache-2.0 */
/* What was agreed with suppliers: how soon faults are met and mended. */
#include <string.h>

#include "internal.h"

#define TARGETS_LIMIT 1000
#define LONGEST_MS (INT64_C(366) * 86400000)

struct target_row {
	struct register_entry entry; /* without a name */
	const char *supplier, *calendar_name;
	int tier, priority; /* one more than theirs; 0: any */
	int64_t respond_ms, resolve_ms;
	const struct calendar *calendar; /* NULL: the site's or the supplier's */
};

static int parse_priority(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	(void)arena;
	return register_parse_one_of(node, register_priority_names, field, err);
}

#define AT(member) offsetof(struct target_row, member)
static const struct fw_option table[] = {
	{
		.name = "supplier",
		.help = "with whom it was agreed; any where nothing is said",
		.type = FW_OPT_TEXT,
		.offset = AT(supplier),
	},
	{
		.name = "tier",
		.help = "of hosts of this tier: standard, blue-light or vip",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_tier,
		.offset = AT(tier),
	},
	{
		.name = "priority",
		.help = "of alerts of this one, P1 to P5",
		.type = FW_OPT_CUSTOM,
		.parse = parse_priority,
		.offset = AT(priority),
	},
	{
		.name = "respond",
		.help = "until somebody has taken it up",
		.type = FW_OPT_DURATION,
		.offset = AT(respond_ms),
		.min = 1000,
		.max = LONGEST_MS,
	},
	{
		.name = "resolve",
		.help = "until the fault is gone",
		.type = FW_OPT_DURATION,
		.offset = AT(resolve_ms),
		.min = 1000,
		.max = LONGEST_MS,
	},
	{
		.name = "calendar",
		.help = "the hours that count; the site's where nothing is said, else the supplier's",
		.type = FW_OPT_TEXT,
		.offset = AT(calendar_name),
	},
	{0},
};

static int check(const struct fw_yaml *node, void *item, struct fw_err *err)
{
	const struct target_row *row = item;
	if (row->respond_ms == 0 && row->resolve_ms == 0)
		return fw_yaml_fail(node, err, "a target has 'respond' or 'resolve', or both");
	if (row->resolve_ms != 0 && row->resolve_ms < row->respond_ms)
		return fw_yaml_fail(node, err,
			"'resolve' is shorter than 'respond': a fault that is gone needs nobody who "
			"takes it up");
	return 0;
}

const struct kind target_kind = {
	.one = "target",
	.example = "[{supplier: Contoso, priority: P1, respond: 15m, resolve: 4h}]",
	.size = sizeof(struct target_row),
	.limit = TARGETS_LIMIT,
	.table = table,
	.check = check,
};

int register_join_targets(struct registry *registry, struct fw_err *err)
{
	struct target_row *rows = registry->targets.items;
	for (size_t i = 0; i < registry->targets.count; i++) {
		struct target_row *row = &rows[i];
		if (row->supplier && registry->suppliers.count > 0 &&
			!register_supplier(registry, row->supplier))
			return entry_unknown(
				&row->entry, "supplier", row->supplier, &registry->suppliers, err);
		if (!row->calendar_name)
			continue;
		row->calendar = calendar_named(registry, row->calendar_name);
		if (!row->calendar)
			return entry_unknown(&row->entry, "calendar", row->calendar_name,
				&registry->calendars, err);
	}
	return 0;
}

/* ---- of one alert ---- */

static bool fits(const struct target_row *row, const struct register_fault *fault)
{
	if (row->supplier && strcmp(row->supplier, fault->supplier) != 0)
		return false;
	if (row->tier && strcmp(register_tier_names[row->tier - 1], fault->tier) != 0)
		return false;
	return !row->priority ||
		strcmp(register_priority_names[row->priority - 1], fault->priority) == 0;
}

static const struct calendar *calendar_of(const struct registry *registry,
	const struct target_row *row, const struct register_fault *fault)
{
	const struct register_site *site = register_site(registry, fault->site);
	const struct register_supplier *supplier = register_supplier(registry, fault->supplier);
	if (row->calendar)
		return row->calendar;
	if (site)
		return &site->calendar;
	return supplier ? &supplier->calendar : &calendar_always;
}

bool register_target(const struct registry *registry, const struct register_fault *fault,
	struct register_target *out)
{
	const struct target_row *rows = registry->targets.items;
	for (size_t i = 0; i < registry->targets.count; i++) {
		if (!fits(&rows[i], fault))
			continue;
		*out = (struct register_target){
			.file = rows[i].entry.file,
			.line = rows[i].entry.line,
			.respond_ms = rows[i].respond_ms,
			.resolve_ms = rows[i].resolve_ms,
			.calendar = calendar_of(registry, &rows[i], fault),
		};
		return true;
	}
	return false;
}
