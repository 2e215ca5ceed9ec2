/* SPDX-License-Identifier: Apache-2.0 */
#include <fenwatch/conf.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>
#include <fenwatch/text.h>

enum { FILE_MOST_BYTES = 1 << 20, NAMES_MOST = 64, RANGE_BYTES = 48 };

/* What one table is bound with. */
struct binding {
	struct fw_arena *arena;
	struct fw_err *err;
};

static int bind_table(const struct binding *b, const struct fw_yaml *mapping, const char *section,
	const struct fw_option *table, void *config);

static int fail_value(const struct binding *b, const struct fw_yaml *node,
	const struct fw_option *option, const char *expected)
{
	const char *text = fw_yaml_text(node);
	return fw_yaml_fail(node, b->err, "'%s' must be %s%s%s%s", option->name, expected,
		text ? ", not '" : "", text ? text : "", text ? "'" : "");
}

static const char *format_bound(const struct fw_option *option, int64_t value, char *text)
{
	if (option->type == FW_OPT_DURATION)
		return fw_format_duration(value, text, RANGE_BYTES);
	if (option->type == FW_OPT_SIZE)
		return fw_format_size((uint64_t)value, text, RANGE_BYTES);
	snprintf(text, RANGE_BYTES, "%lld", (long long)value);
	return text;
}

static int check_range(const struct binding *b, const struct fw_yaml *node,
	const struct fw_option *option, int64_t value)
{
	bool unlimited = option->min == 0 && option->max == 0;
	if (unlimited || (value >= option->min && value <= option->max))
		return 0;
	char least[RANGE_BYTES], most[RANGE_BYTES], expected[2 * RANGE_BYTES + 16];
	snprintf(expected, sizeof expected, "from %s to %s",
		format_bound(option, option->min, least), format_bound(option, option->max, most));
	return fail_value(b, node, option, expected);
}

static int set_bool(const struct binding *b, const struct fw_yaml *node,
	const struct fw_option *option, void *field)
{
	static const char *const words[] = {"false", "true", "off", "on", "no", "yes"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(fw_yaml_text(node), words[i]) == 0) { /* TRUE is Excel's */
			*(bool *)field = i & 1;
			return 0;
		}
	return fail_value(b, node, option, "true or false");
}

static int set_int(const struct binding *b, const struct fw_yaml *node,
	const struct fw_option *option, void *field)
{
	const char *text = fw_yaml_text(node);
	struct fw_cursor c = {text, text + strlen(text)};
	int64_t value;
	if (!fw_cut_i64(&c, &value) || c.at != c.end)
		return fail_value(b, node, option, "a whole number");
	int rc = check_range(b, node, option, value);
	if (rc == 0)
		*(int64_t *)field = value;
	return rc;
}

static int set_size(const struct binding *b, const struct fw_yaml *node,
	const struct fw_option *option, void *field)
{
	uint64_t bytes;
	if (fw_parse_size(fw_yaml_text(node), &bytes) < 0 || bytes > INT64_MAX)
		return fail_value(b, node, option, "a size such as 32MiB");
	int rc = check_range(b, node, option, (int64_t)bytes);
	if (rc == 0)
		*(uint64_t *)field = bytes;
	return rc;
}

static int set_duration(const struct binding *b, const struct fw_yaml *node,
	const struct fw_option *option, void *field)
{
	int64_t ms;
	if (fw_parse_duration(fw_yaml_text(node), &ms) < 0)
		return fail_value(b, node, option, "a duration such as 15s or 1h30m");
	int rc = check_range(b, node, option, ms);
	if (rc == 0)
		*(int64_t *)field = ms;
	return rc;
}

static int set_choice(const struct binding *b, const struct fw_yaml *node,
	const struct fw_option *option, void *field)
{
	struct fw_buf expected = {.limit = sizeof b->err->text};
	for (int i = 0; option->choices[i]; i++) {
		if (strcmp(fw_yaml_text(node), option->choices[i]) == 0) {
			fw_buf_done(&expected);
			*(int *)field = i;
			return 0;
		}
		fw_buf_printf(&expected, "%s%s", i ? " or " : "", option->choices[i]);
	}
	int rc = fail_value(b, node, option, (const char *)expected.data);
	fw_buf_done(&expected);
	return rc;
}

/* One text alone stands for a list of one. */
static int set_list(const struct binding *b, const struct fw_yaml *node,
	const struct fw_option *option, void *field)
{
	bool single = fw_yaml_kind(node) == FW_YAML_SCALAR;
	if (fw_yaml_kind(node) == FW_YAML_MAPPING)
		return fail_value(b, node, option, "a list");
	size_t count = single ? 1 : fw_yaml_count(node);
	const char **items = fw_arena_alloc(b->arena, count * sizeof(*items));
	for (size_t i = 0; i < count; i++) {
		const struct fw_yaml *item = single ? node : fw_yaml_item(node, i);
		items[i] = fw_yaml_text(item);
		if (!items[i])
			return fail_value(b, item, option, "a list of texts");
	}
	*(struct fw_text_list *)field = (struct fw_text_list){.items = items, .count = count};
	return 0;
}

static int set_scalar(const struct binding *b, const struct fw_yaml *node,
	const struct fw_option *option, void *field)
{
	switch (option->type) {
	case FW_OPT_BOOL:
		return set_bool(b, node, option, field);
	case FW_OPT_INT:
		return set_int(b, node, option, field);
	case FW_OPT_SIZE:
		return set_size(b, node, option, field);
	case FW_OPT_DURATION:
		return set_duration(b, node, option, field);
	case FW_OPT_CHOICE:
		return set_choice(b, node, option, field);
	default:
		*(const char **)field = fw_yaml_text(node);
		return 0;
	}
}

/* `key:` with nothing behind it. */
static bool is_empty(const struct fw_yaml *node)
{
	const char *text = fw_yaml_text(node);
	return text && !*text && !fw_yaml_is_quoted(node);
}

static int set_option(const struct binding *b, const struct fw_yaml *node,
	const struct fw_option *option, void *config)
{
	void *field = (char *)config + option->offset;
	if (option->type == FW_OPT_CUSTOM)
		return option->parse(node, field, b->arena, b->err);
	if (option->type == FW_OPT_SECTION) {
		if (fw_yaml_kind(node) != FW_YAML_MAPPING)
			return fail_value(b, node, option, "a section with keys of its own");
		return bind_table(b, node, option->name, option->section, field);
	}
	if (option->type == FW_OPT_LIST)
		return set_list(b, node, option, field);
	if (fw_yaml_kind(node) != FW_YAML_SCALAR)
		return fail_value(b, node, option, "a single value");
	return set_scalar(b, node, option, field);
}

/* The default goes the way of a value in the file, so that it means the same. */
static int set_fallback(const struct binding *b, const struct fw_option *option, void *config)
{
	const struct fw_yaml *node;
	int rc = fw_yaml_parse(option->fallback, strlen(option->fallback), b->arena, &node, b->err);
	if (rc == 0)
		rc = set_option(b, node, option, config);
	return rc < 0 ? fw_fail_in(b->err, rc, "default of '%s'", option->name) : 0;
}

static int fail_missing(const struct binding *b, const struct fw_yaml *mapping, const char *section,
	const struct fw_option *option)
{
	const char *in = section ? " in section " : "";
	if (!mapping)
		return fw_fail(b->err, -EINVAL, "key '%s'%s%s is missing", option->name, in,
			section ? section : "");
	return fw_yaml_fail(mapping, b->err, "key '%s'%s%s is missing", option->name, in,
		section ? section : "");
}

static int set_absent(const struct binding *b, const struct fw_yaml *mapping, const char *section,
	const struct fw_option *option, void *config)
{
	if (option->type == FW_OPT_SECTION)
		return bind_table(
			b, NULL, option->name, option->section, (char *)config + option->offset);
	if (option->required)
		return fail_missing(b, mapping, section, option);
	return option->fallback ? set_fallback(b, option, config) : 0;
}

static int refuse_unknown(const struct binding *b, const struct fw_yaml *key, const char *section,
	const struct fw_option *table)
{
	const char *names[NAMES_MOST];
	size_t count = 0;
	for (; count < NAMES_MOST && table[count].name; count++)
		names[count] = table[count].name;
	const char *near = fw_nearest(fw_yaml_text(key), names, count);
	return fw_yaml_fail(key, b->err, "unknown key '%s'%s%s%s", fw_yaml_text(key),
		section ? " in section " : "", section ? section : "", fw_did_you_mean(near).text);
}

static int check_keys(const struct binding *b, const struct fw_yaml *mapping, const char *section,
	const struct fw_option *table)
{
	for (size_t i = 0; i < fw_yaml_count(mapping); i++) {
		const struct fw_yaml *key = fw_yaml_key(mapping, i);
		const struct fw_option *option = table;
		while (option->name && strcmp(option->name, fw_yaml_text(key)) != 0)
			option++;
		if (!option->name)
			return refuse_unknown(b, key, section, table);
	}
	return 0;
}

/* A section or list whose lines are all commented out is as if it were absent;
 * of a single value the person has probably forgotten something. */
static int bind_option(const struct binding *b, const struct fw_yaml *mapping, const char *section,
	const struct fw_option *option, void *config)
{
	const struct fw_yaml *node = mapping ? fw_yaml_get(mapping, option->name) : NULL;
	if (!node)
		return set_absent(b, mapping, section, option, config);
	if (!is_empty(node))
		return set_option(b, node, option, config);
	if (option->type < FW_OPT_LIST)
		return fw_yaml_fail(node, b->err,
			"'%s' has no value; leave the line out to have the default", option->name);
	return set_absent(b, mapping, section, option, config);
}

static int bind_table(const struct binding *b, const struct fw_yaml *mapping, const char *section,
	const struct fw_option *table, void *config)
{
	int rc = mapping ? check_keys(b, mapping, section, table) : 0;
	for (const struct fw_option *option = table; rc == 0 && option->name; option++)
		rc = bind_option(b, mapping, section, option, config);
	return rc;
}

int fw_conf_bind(const struct fw_yaml *mapping, const struct fw_option *table, void *config,
	struct fw_arena *arena, struct fw_err *err)
{
	struct binding b = {.arena = arena, .err = err};
	if (mapping && fw_yaml_kind(mapping) != FW_YAML_MAPPING)
		return fw_yaml_fail(mapping, err, "keys with values are expected here");
	return bind_table(&b, mapping, NULL, table, config);
}

int fw_conf_parse(const char *name, const char *text, size_t length, const struct fw_option *table,
	void *config, struct fw_arena *arena, struct fw_err *err)
{
	const struct fw_yaml *root;
	int rc = fw_yaml_parse(text, length, arena, &root, err);
	if (rc == 0)
		rc = fw_conf_bind(root, table, config, arena, err);
	return rc < 0 ? fw_fail_in(err, rc, "config '%s'", name) : 0;
}

int fw_conf_load(const char *path, const struct fw_option *table, void *config,
	struct fw_arena *arena, struct fw_err *err)
{
	struct fw_buf text = {0};
	int rc = fw_file_read(path, FILE_MOST_BYTES, &text, err);
	if (rc < 0)
		rc = fw_fail_in(err, rc, "config");
	else
		rc = fw_conf_parse(
			path, (const char *)text.data, text.length, table, config, arena, err);
	fw_buf_done(&text);
	return rc;
}
