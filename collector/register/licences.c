/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <fenwatch/clock.h>

#include "internal.h"

#define LICENCES_LIMIT 1000
#define PACKAGES_LIMIT 50 /* of one licence */
#define NAME_LIMIT 100    /* bytes of a name, of a licence or a package */
#define NOTE_LIMIT 1000
#define PATTERN_LEAST 2 /* characters before the star: less would mean half of everything */
#define DAY_MS 86400000LL

#define AT(member) offsetof(struct register_licence, member)

/* ---- one licence ---- */

static int parse_day(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct register_expiry *expiry = field;
	const char *day = fw_yaml_text(node);
	int64_t begin_ms;
	if (!day || strlen(day) != strlen("2027-03-31") ||
		fw_time_parse(fw_arena_format(arena, "%sT00:00:00Z", day), &begin_ms) < 0)
		return fw_yaml_fail(
			node, err, "'expires' must be a day such as 2027-03-31, the last of it");
	*expiry = (struct register_expiry){.day = day, .end_ms = begin_ms + DAY_MS};
	return 0;
}

static const struct fw_option licence_table[] = {
	{
		.name = "name",
		.help = "what it is called",
		.type = FW_OPT_TEXT,
		.offset = AT(name),
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
		.parse = parse_day,
		.offset = AT(expires),
	},
	{
		.name = "note",
		.help = "the contract, whom to ask",
		.type = FW_OPT_TEXT,
		.offset = AT(note),
	},
	{0},
};

/* 1 to `limit` bytes that can stand on one line. */
static bool is_line(const char *text, size_t limit)
{
	size_t length = strlen(text);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return length > 0 && length <= limit;
}

static bool is_package(const char *text)
{
	size_t name = strcspn(text, ":*");
	bool pattern = text[name] == '*';
	return is_line(text, NAME_LIMIT) && !text[name + pattern] &&
		(!pattern || name >= PATTERN_LEAST);
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

static int check_licence(
	const struct fw_yaml *node, const struct register_licence *licence, struct fw_err *err)
{
	const struct fw_text_list *packages = &licence->packages;
	const struct fw_yaml *list = fw_yaml_get(node, "packages");
	bool single = fw_yaml_kind(list) == FW_YAML_SCALAR;
	if (!is_line(licence->name, NAME_LIMIT))
		return fw_yaml_fail(fw_yaml_get(node, "name"), err,
			"a licence's name is one line of 1 to %d bytes", NAME_LIMIT);
	if (licence->note && !is_line(licence->note, NOTE_LIMIT))
		return fw_yaml_fail(fw_yaml_get(node, "note"), err,
			"a note is one line of 1 to %d bytes", NOTE_LIMIT);
	if (packages->count == 0 || packages->count > PACKAGES_LIMIT)
		return fw_yaml_fail(list, err, "a licence has 1 to %d 'packages'", PACKAGES_LIMIT);
	for (size_t i = 0; i < packages->count; i++) {
		int rc = check_package(single ? list : fw_yaml_item(list, i), packages, i, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- all of them ---- */

static struct register_licence *make_room(
	struct register_licences *licences, size_t more, struct fw_arena *arena)
{
	size_t old = licences->count;
	struct register_licence *items = fw_arena_alloc(arena, (old + more) * sizeof *items);
	if (old > 0)
		memcpy(items, licences->items, old * sizeof *items);
	licences->items = items;
	licences->count += more;
	return items + old;
}

int register_parse_licences(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct register_licences *licences = field;
	size_t n = fw_yaml_count(node);
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(node, err,
			"licences are a list: [{name: ..., packages: [...], entitled: 10}]");
	if (licences->count + n > LICENCES_LIMIT)
		return fw_yaml_fail(node, err, "there may be %d licences in all", LICENCES_LIMIT);
	struct register_licence *fresh = make_room(licences, n, arena);
	for (size_t i = 0; i < n; i++) {
		const struct fw_yaml *item = fw_yaml_item(node, i);
		int rc = fw_conf_bind(item, licence_table, &fresh[i], arena, err);
		if (rc == 0)
			rc = check_licence(item, &fresh[i], err);
		if (rc < 0)
			return rc;
		fresh[i].place.line = fw_yaml_line(item);
	}
	return 0;
}

int register_check_licences(
	struct register_licences *licences, size_t first, const char *file, struct fw_err *err)
{
	for (size_t n = first; n < licences->count; n++) {
		struct register_licence *licence = &licences->items[n];
		licence->place.file = file;
		for (size_t i = 0; i < n; i++)
			if (strcmp(licences->items[i].name, licence->name) == 0)
				return fw_fail(err, -EINVAL,
					"line %u: licence '%s' stands in '%s', line %u, already",
					licence->place.line, licence->name,
					licences->items[i].place.file,
					licences->items[i].place.line);
	}
	return 0;
}
