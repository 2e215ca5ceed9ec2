/* SPDX-License-Identifier: Apache-2.0 */
/* Those who look after hosts. */
#include "internal.h"

#define SUPPLIERS_LIMIT 1000
#define CONTACTS_LIMIT 20
#define TOWERS_LIMIT 50

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
	}
	return rc;
}

/* ---- a supplier ---- */

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
