/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of entries, each with a name that no other of its kind has. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/clock.h>
#include <fenwatch/text.h>

#include "internal.h"

#define DAY_MS INT64_C(86400000)

static struct register_entry *entry_at(
	const struct entries *entries, const struct kind *kind, size_t i)
{
	return (struct register_entry *)((char *)entries->items + i * kind->size);
}

/* ---- reading ---- */

static void *add(struct entries *entries, const struct kind *kind)
{
	if (entries->count == entries->capacity) {
		entries->capacity = entries->capacity ? 2 * entries->capacity : 16;
		entries->items = fw_realloc(entries->items, entries->capacity * kind->size);
	}
	return memset(entry_at(entries, kind, entries->count++), 0, kind->size);
}

int entries_read_one(struct entries *entries, const struct kind *kind, const struct fw_yaml *node,
	struct fw_arena *arena, struct fw_err *err)
{
	if (entries->count == kind->limit)
		return fw_yaml_fail(node, err, "there may be at most %zu of one kind: %s",
			kind->limit, kind->one);
	struct register_entry *entry = add(entries, kind);
	int rc = fw_conf_bind(node, kind->table, entry, arena, err);
	if (rc == 0)
		rc = register_check_lines(node, kind->table, entry, err);
	if (rc == 0 && kind->check)
		rc = kind->check(node, entry, err);
	entry->line = fw_yaml_line(node);
	return rc;
}

int entries_read(struct entries *entries, const struct kind *kind, const struct fw_yaml *node,
	struct fw_arena *arena, struct fw_err *err)
{
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(node, err, "a list is expected: %s", kind->example);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < fw_yaml_count(node); i++)
		rc = entries_read_one(entries, kind, fw_yaml_item(node, i), arena, err);
	return rc;
}

void entries_place(struct entries *entries, const struct kind *kind, const char *file)
{
	for (size_t n = entries->count; n > 0 && !entry_at(entries, kind, n - 1)->file; n--)
		entry_at(entries, kind, n - 1)->file = file;
}

void entries_done(struct entries *entries)
{
	fw_free(entries->items);
	fw_free(entries->by_name);
	*entries = (struct entries){0};
}

/* ---- names ---- */

static int by_name(const void *a, const void *b)
{
	const struct register_entry *one = *(const struct register_entry *const *)a;
	const struct register_entry *other = *(const struct register_entry *const *)b;
	return strcmp(one->name, other->name);
}

int entries_check(struct entries *entries, const struct kind *kind, struct fw_err *err)
{
	entries->by_name = fw_alloc((entries->count + 1) * sizeof *entries->by_name);
	for (size_t i = 0; i < entries->count; i++)
		entries->by_name[i] = entry_at(entries, kind, i);
	qsort(entries->by_name, entries->count, sizeof *entries->by_name, by_name);
	for (size_t i = 1; i < entries->count; i++) {
		const struct register_entry *one = entries->by_name[i - 1],
					    *other = entries->by_name[i];
		if (strcmp(one->name, other->name) == 0)
			return fw_fail(err, -EINVAL,
				"%s '%s' stands in '%s', line %u, and in '%s', line %u", kind->one,
				one->name, one->file, one->line, other->file, other->line);
	}
	return 0;
}

const void *entries_find(const struct entries *entries, const char *name)
{
	const struct register_entry wanted = {.name = name}, *key = &wanted;
	if (entries->count == 0 || !name)
		return NULL;
	const struct register_entry **found =
		bsearch(&key, entries->by_name, entries->count, sizeof key, by_name);
	return found ? *found : NULL;
}

struct fw_text_list entries_names(const struct entries *entries, struct fw_arena *arena)
{
	struct fw_text_list names = {
		fw_arena_alloc(arena, (entries->count + 1) * sizeof *names.items), entries->count};
	for (size_t i = 0; i < entries->count; i++)
		names.items[i] = entries->by_name[i]->name;
	return names;
}

const char *entries_nearest(const struct entries *among, const char *name)
{
	struct fw_arena arena = {0};
	struct fw_text_list names = entries_names(among, &arena);
	const char *near = fw_nearest(name, names.items, names.count);
	fw_arena_done(&arena);
	return near;
}

int entry_unknown(const struct register_entry *entry, const char *what, const char *name,
	const struct entries *among, struct fw_err *err)
{
	const char *near = entries_nearest(among, name);
	return fw_fail(err, -EINVAL, "'%s', line %u: there is no %s '%s'%s", entry->file,
		entry->line, what, name, fw_did_you_mean(near).text);
}

/* ---- texts and days ---- */

bool register_is_line(const char *text, size_t limit)
{
	return *text && fw_is_line(text, limit);
}

static int check_line(const struct fw_yaml *node, const struct fw_option *option, const char *text,
	struct fw_err *err)
{
	size_t limit = option->max ? (size_t)option->max : NAME_LIMIT;
	if (!text || register_is_line(text, limit))
		return 0;
	return fw_yaml_fail(fw_yaml_get(node, option->name), err,
		"'%s' is one line of 1 to %zu bytes", option->name, limit);
}

int register_check_lines(const struct fw_yaml *node, const struct fw_option *table,
	const void *item, struct fw_err *err)
{
	int rc = 0;
	for (const struct fw_option *option = table; rc == 0 && option->name; option++) {
		const void *field = (const char *)item + option->offset;
		const struct fw_text_list *list = field;
		if (option->type == FW_OPT_TEXT)
			rc = check_line(node, option, *(const char *const *)field, err);
		for (size_t i = 0; option->type == FW_OPT_LIST && rc == 0 && i < list->count; i++)
			rc = check_line(node, option, list->items[i], err);
	}
	return rc;
}

int register_parse_one_of(
	const struct fw_yaml *node, const char *const *names, int *out, struct fw_err *err)
{
	const char *text = fw_yaml_text(node) ? fw_yaml_text(node) : "";
	struct fw_buf expected = {.limit = sizeof err->text};
	for (int i = 0; names[i]; i++) {
		if (strcmp(names[i], text) == 0) {
			fw_buf_done(&expected);
			*out = i + 1;
			return 0;
		}
		fw_buf_printf(&expected, "%s%s", i ? ", " : "", names[i]);
	}
	int rc = fw_yaml_fail(
		node, err, "one of %s is expected, not '%s'", (const char *)expected.data, text);
	fw_buf_done(&expected);
	return rc;
}

int register_parse_day(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct register_day *day = field;
	const char *text = fw_yaml_text(node);
	int64_t begin_ms;
	if (!text || strlen(text) != strlen("2027-03-31") ||
		fw_time_parse(fw_arena_format(arena, "%sT00:00:00Z", text), &begin_ms) < 0)
		return fw_yaml_fail(node, err, "a day is expected here, such as 2027-03-31");
	*day = (struct register_day){.day = text, .end_ms = begin_ms + DAY_MS};
	return 0;
}
