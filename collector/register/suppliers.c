/* SPDX-License-Identifier: Apache-2.0 */
/* Those who look after hosts. */
#include "internal.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/text.h>

#define SUPPLIERS_LIMIT 1000
#define CONTACTS_LIMIT 20
#define TOWERS_LIMIT 50
#define DAY_MS INT64_C(86400000)

struct supplier_row {
	struct register_supplier supplier;
	struct contacts {
		struct register_contact *items;
		size_t count;
	} contacts;
	const char *calendar; /* its name, or NULL */
};

/* ---- contacts ---- */

#define AT(member) offsetof(struct register_contact, member)
static const struct fw_option contact_table[] = {
	{
		.name = "name",
		.help = "a person or a desk",
		.type = FW_OPT_TEXT,
		.offset = AT(name),
		.required = true,
	},
	{
		.name = "telephone",
		.help = "its number",
		.type = FW_OPT_TEXT,
		.offset = AT(telephone),
	},
	{
		.name = "mail",
		.help = "its address",
		.type = FW_OPT_TEXT,
		.offset = AT(mail),
	},
	{0},
};
#undef AT

static int check_contact(
	const struct fw_yaml *node, const struct register_contact *contact, struct fw_err *err)
{
	const char *mail = contact->mail, *at = mail ? strchr(mail, '@') : NULL;
	if (!mail || (at && at != mail && at[1] && !strchr(at + 1, '@') && !strpbrk(mail, " <>,;")))
		return 0;
	return fw_yaml_fail(fw_yaml_get(node, "mail"), err,
		"an address is expected, such as desk@contoso.example, not '%.100s'", mail);
}

static int parse_contacts(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct contacts *contacts = field;
	size_t n = fw_yaml_count(node);
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE || n > CONTACTS_LIMIT)
		return fw_yaml_fail(node, err,
			"contacts are a list of at most %d: [{name: Duty desk, telephone: ...}]",
			CONTACTS_LIMIT);
	contacts->items = fw_arena_alloc(arena, (n + 1) * sizeof *contacts->items);
	contacts->count = n;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const struct fw_yaml *item = fw_yaml_item(node, i);
		rc = fw_conf_bind(item, contact_table, &contacts->items[i], arena, err);
		if (rc == 0)
			rc = register_check_lines(item, contact_table, &contacts->items[i], err);
		if (rc == 0)
			rc = check_contact(item, &contacts->items[i], err);
	}
	return rc;
}

/* ---- a supplier ---- */

#define AT(member) offsetof(struct register_rota, member)
static const struct fw_option rota_table[] = {
	{
		.name = "from",
		.help = "the day on which the first turn begins: 2026-11-30",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_day,
		.offset = AT(from),
		.required = true,
	},
	{
		.name = "turn_days",
		.help = "how many days a turn lasts",
		.type = FW_OPT_INT,
		.offset = AT(turn_days),
		.fallback = "7",
		.min = 1,
		.max = 366,
	},
	{0},
};
#undef AT

static int parse_rota(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	return fw_conf_bind(node, rota_table, field, arena, err);
}

#define AT(member) offsetof(struct supplier_row, member)
static const struct fw_option table[] = {
	{
		.name = "name",
		.help = "what rows of hosts call it",
		.type = FW_OPT_TEXT,
		.offset = AT(supplier.entry.name),
		.required = true,
	},
	{
		.name = "towers",
		.help = "what it runs: [servers, storage]",
		.type = FW_OPT_LIST,
		.offset = AT(supplier.towers),
	},
	{
		.name = "contacts",
		.help = "who is asked, in this order: [{name, telephone, mail}]",
		.type = FW_OPT_CUSTOM,
		.parse = parse_contacts,
		.offset = AT(contacts),
	},
	{
		.name = "rota",
		.help = "after each turn the first contact moves to the end: {from, turn_days}",
		.type = FW_OPT_CUSTOM,
		.parse = parse_rota,
		.offset = AT(supplier.rota),
	},
	{
		.name = "calendar",
		.help = "when it works",
		.type = FW_OPT_TEXT,
		.offset = AT(calendar),
	},
	{0},
};

static int check(const struct fw_yaml *node, void *item, struct fw_err *err)
{
	struct supplier_row *row = item;
	row->supplier.contacts = row->contacts.items;
	row->supplier.n_contacts = row->contacts.count;
	if (row->supplier.towers.count > TOWERS_LIMIT)
		return fw_yaml_fail(node, err, "a supplier has at most %d towers", TOWERS_LIMIT);
	return 0;
}

const struct kind supplier_kind = {
	.one = "supplier",
	.example = "[{name: Contoso, towers: [servers], contacts: [{name: Duty desk}]}]",
	.size = sizeof(struct supplier_row),
	.limit = SUPPLIERS_LIMIT,
	.table = table,
	.check = check,
};

const struct register_supplier *register_supplier(const struct registry *registry, const char *name)
{
	return entries_find(&registry->suppliers, name);
}

struct fw_text_list register_supplier_names(const struct registry *registry, struct fw_arena *arena)
{
	if (registry->suppliers.count > 0)
		return entries_names(&registry->suppliers, arena);
	return register_suppliers_of_rows(&registry->hosts, arena);
}

int register_check_supplier(const struct registry *registry, const char *name, struct fw_err *err)
{
	if (!registry || registry->suppliers.count == 0 || register_supplier(registry, name))
		return 0;
	const char *near = entries_nearest(&registry->suppliers, name);
	return fw_fail(err, -EINVAL, "the register has no supplier '%.200s'%s", name,
		fw_did_you_mean(near).text);
}

int register_join_suppliers(struct registry *registry, struct fw_err *err)
{
	struct supplier_row *rows = registry->suppliers.items;
	for (size_t i = 0; i < registry->suppliers.count; i++) {
		const char *name = rows[i].calendar ? rows[i].calendar : calendar_always.name;
		const struct calendar *calendar = calendar_named(registry, name);
		if (!calendar)
			return entry_unknown(&rows[i].supplier.entry, "calendar", name,
				&registry->calendars, err);
		rows[i].supplier.calendar = *calendar;
	}
	return 0;
}

/* ---- whose turn it is ---- */

/* How many turns are over; before the first one begins, none is. */
static size_t turns_at(const struct register_rota *rota, int64_t at_ms)
{
	if (!rota->from.day)
		return 0;
	int64_t days = england_day(at_ms) - (rota->from.end_ms / DAY_MS - 1);
	return days > 0 ? (size_t)(days / rota->turn_days) : 0;
}

const struct register_contact *register_contact(
	const struct registry *registry, const char *supplier, size_t place, int64_t at_ms)
{
	const struct register_supplier *found = register_supplier(registry, supplier);
	if (!found || place == 0 || place > found->n_contacts)
		return NULL;
	return &found->contacts[(turns_at(&found->rota, at_ms) + place - 1) % found->n_contacts];
}
