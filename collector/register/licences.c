/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <fenwatch/clock.h>

#include "internal.h"

#define LICENCES_LIMIT 1000
#define PACKAGES_LIMIT 50 /* of one licence */
#define PATTERN_LEAST 2   /* characters before the star: less would mean half of everything */

#define AT(member) offsetof(struct register_licence, member)

/* ---- one licence ---- */

static const struct fw_option licence_table[] = {
	{
		.name = "name",
		.help = "what it is called",
		.type = FW_OPT_TEXT,
		.offset = AT(entry.name),
		.required = true,
	},
	{
		.name = "packages",
		.help = "names of the packages that need it, or NAME* for all that begin so",
		.type = FW_OPT_LIST,
		.offset = AT(packages),
		.required = true,
	},
	{
		.name = "entitled",
		.help = "how many hosts may have one of them",
		.type = FW_OPT_INT,
		.offset = AT(entitled),
		.max = 10000000,
		.required = true,
	},
	{
		.name = "expires",
		.help = "the last day on which it holds",
		.type = FW_OPT_CUSTOM,
		.parse = register_parse_day,
		.offset = AT(expires),
	},
	{
		.name = "note",
		.help = "the contract, whom to ask",
		.type = FW_OPT_TEXT,
		.offset = AT(note),
		.max = LINE_LIMIT,
	},
	{0},
};

static bool is_package(const char *text)
{
	size_t name = strcspn(text, ":*");
	bool pattern = text[name] == '*';
	return !text[name + pattern] && (!pattern || name >= PATTERN_LEAST);
}

static bool covers(const char *pattern, const char *text)
{
	size_t length = strcspn(pattern, "*");
	return pattern[length] ? strncmp(pattern, text, length) == 0 : strcmp(pattern, text) == 0;
}

static int check_package(const struct fw_yaml *node, const struct fw_text_list *packages, size_t at,
	struct fw_err *err)
{
	const char *name = packages->items[at];
	if (!is_package(name))
		return fw_yaml_fail(node, err,
			"'%.100s' is no package; write its name without an architecture, or as NAME*, "
			"with %d characters at least before the star",
			name, PATTERN_LEAST);
	for (size_t i = 0; i < packages->count; i++)
		if (i != at && covers(packages->items[i], name))
			return fw_yaml_fail(node, err, "package '%s' is covered by '%s' already",
				name, packages->items[i]);
	return 0;
}

static int check_licence(const struct fw_yaml *node, void *item, struct fw_err *err)
{
	const struct register_licence *licence = item;
	const struct fw_text_list *packages = &licence->packages;
	const struct fw_yaml *list = fw_yaml_get(node, "packages");
	bool single = fw_yaml_kind(list) == FW_YAML_SCALAR;
	if (packages->count == 0 || packages->count > PACKAGES_LIMIT)
		return fw_yaml_fail(list, err, "a licence has 1 to %d 'packages'", PACKAGES_LIMIT);
	for (size_t i = 0; i < packages->count; i++) {
		int rc = check_package(single ? list : fw_yaml_item(list, i), packages, i, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

const struct kind licence_kind = {
	.one = "licence",
	.example = "[{name: ..., packages: [...], entitled: 10}]",
	.size = sizeof(struct register_licence),
	.limit = LICENCES_LIMIT,
	.table = licence_table,
	.check = check_licence,
};

const struct register_licence *register_licences(const struct registry *registry, size_t *count)
{
	*count = registry->licences.count;
	return registry->licences.items;
}
