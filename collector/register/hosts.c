/* SPDX-License-Identifier: Apache-2.0 */
/* Which host is whose: by its name, or by expressions that its labels match. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "shim.h"

#define NAMED_LIMIT 100000
#define MATCHED_LIMIT 1000
#define MATCHERS_LIMIT 8 /* of one row */
#define TEXT_LIMIT 255   /* bytes of a name or an expression */

struct matcher {
	const char *label;
	struct shim_regex *regex;
};

struct row {
	const char *host; /* its name, or NULL: matchers say which */
	struct matcher matchers[MATCHERS_LIMIT];
	size_t n_matchers;
	const char *supplier;
	struct register_place place;
};

struct rows {
	struct row *items;
	size_t count, capacity;
};

struct register_hosts {
	atomic_uint holders;
	struct fw_arena arena;
	struct rows named, matched; /* by name; in the order in which they stand */
};

/* ---- who has it ---- */

static struct register_hosts *hosts_new(void)
{
	struct register_hosts *hosts = fw_alloc(sizeof *hosts);
	atomic_init(&hosts->holders, 1);
	return hosts;
}

static void hosts_free(struct register_hosts *hosts)
{
	for (size_t i = 0; i < hosts->matched.count; i++)
		for (size_t m = 0; m < hosts->matched.items[i].n_matchers; m++)
			shim_regex_free(hosts->matched.items[i].matchers[m].regex);
	fw_free(hosts->named.items);
	fw_free(hosts->matched.items);
	fw_arena_done(&hosts->arena);
	fw_free(hosts);
}

struct register_hosts *register_hosts_hold(struct register_hosts *hosts)
{
	if (hosts)
		atomic_fetch_add(&hosts->holders, 1);
	return hosts;
}

void register_hosts_drop(struct register_hosts *hosts)
{
	if (hosts && atomic_fetch_sub(&hosts->holders, 1) == 1)
		hosts_free(hosts);
}

/* ---- one row ---- */

struct section {
	const char *host, *supplier;
	const struct fw_yaml *match;
};

static int parse_match(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	(void)arena;
	if (fw_yaml_kind(node) != FW_YAML_MAPPING || fw_yaml_count(node) == 0 ||
		fw_yaml_count(node) > MATCHERS_LIMIT)
		return fw_yaml_fail(node, err,
			"'match' is 1 to %d labels, each with an expression: {instance: 'lib-.*'}",
			MATCHERS_LIMIT);
	*(const struct fw_yaml **)field = node;
	return 0;
}

#define AT(member) offsetof(struct section, member)
static const struct fw_option host_table[] = {
	{
		.name = "host",
		.help = "its name, as its agent gives it",
		.type = FW_OPT_TEXT,
		.offset = AT(host),
	},
	{
		.name = "match",
		.help = "labels of hosts, each with a regular expression for the whole of its value",
		.type = FW_OPT_CUSTOM,
		.parse = parse_match,
		.offset = AT(match),
	},
	{
		.name = "supplier",
		.help = "who looks after it",
		.type = FW_OPT_TEXT,
		.offset = AT(supplier),
		.required = true,
	},
	{0},
};

static bool is_text(const char *text)
{
	size_t length = strlen(text);
	return length > 0 && length <= TEXT_LIMIT;
}

static int add_matchers(struct register_hosts *hosts, struct row *row, const struct fw_yaml *match,
	struct fw_err *err)
{
	char why[200];
	for (size_t i = 0; i < fw_yaml_count(match); i++) {
		const struct fw_yaml *node = fw_yaml_item(match, i);
		const char *text = fw_yaml_text(node);
		struct matcher *matcher = &row->matchers[row->n_matchers];
		if (!text || !is_text(text))
			return fw_yaml_fail(
				node, err, "an expression has 1 to %d bytes", TEXT_LIMIT);
		matcher->label =
			fw_arena_strdup(&hosts->arena, fw_yaml_text(fw_yaml_key(match, i)));
		matcher->regex = shim_regex_new(text, why, sizeof why);
		if (!matcher->regex)
			return fw_yaml_fail(node, err, "'%s' is no expression: %s", text, why);
		row->n_matchers++;
	}
	return 0;
}

/* A row for the section, zeroed but for what every row has. */
static struct row *make_row(
	struct register_hosts *hosts, const struct section *section, unsigned line)
{
	struct rows *rows = section->host ? &hosts->named : &hosts->matched;
	if (rows->count == rows->capacity) {
		rows->capacity = rows->capacity ? 2 * rows->capacity : 16;
		rows->items = fw_realloc(rows->items, rows->capacity * sizeof *rows->items);
	}
	struct row *row = &rows->items[rows->count++];
	*row = (struct row){
		.supplier = fw_arena_strdup(&hosts->arena, section->supplier), .place.line = line};
	if (section->host)
		row->host = fw_arena_strdup(&hosts->arena, section->host);
	return row;
}

static int add_row(struct register_hosts *hosts, const struct fw_yaml *node, struct fw_arena *arena,
	struct fw_err *err)
{
	struct section section = {0};
	int rc = fw_conf_bind(node, host_table, &section, arena, err);
	if (rc < 0)
		return rc;
	if (!section.host == !section.match)
		return fw_yaml_fail(node, err, "a row has either 'host' or 'match'");
	if (!is_text(section.supplier) || (section.host && !is_text(section.host)))
		return fw_yaml_fail(node, err, "names have 1 to %d bytes", TEXT_LIMIT);
	if (hosts->named.count == NAMED_LIMIT || hosts->matched.count == MATCHED_LIMIT)
		return fw_yaml_fail(node, err, "there may be %d named hosts and %d rows that match",
			NAMED_LIMIT, MATCHED_LIMIT);
	struct row *row = make_row(hosts, &section, fw_yaml_line(node));
	return section.match ? add_matchers(hosts, row, section.match, err) : 0;
}

int register_parse_hosts(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct register_hosts **hosts = field;
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(
			node, err, "hosts are a list: [{host: web01, supplier: Contoso}]");
	if (!*hosts)
		*hosts = hosts_new();
	for (size_t i = 0; i < fw_yaml_count(node); i++) {
		int rc = add_row(*hosts, fw_yaml_item(node, i), arena, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- all of them ---- */

/* Rows that no file was named for yet are of this one. */
void register_place_hosts(struct register_hosts *hosts, const char *file)
{
	if (!hosts)
		return;
	file = fw_arena_strdup(&hosts->arena, file);
	for (size_t n = hosts->named.count; n > 0 && !hosts->named.items[n - 1].place.file; n--)
		hosts->named.items[n - 1].place.file = file;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->host, ((const struct row *)b)->host);
}

int register_check_hosts(struct register_hosts *hosts, struct fw_err *err)
{
	if (!hosts || hosts->named.count == 0)
		return 0;
	struct row *rows = hosts->named.items;
	qsort(rows, hosts->named.count, sizeof *rows, by_name);
	for (size_t i = 1; i < hosts->named.count; i++)
		if (by_name(&rows[i - 1], &rows[i]) == 0)
			return fw_fail(err, -EINVAL,
				"register: host '%s' stands in '%s', line %u, and in '%s', line %u",
				rows[i].host, rows[i - 1].place.file, rows[i - 1].place.line,
				rows[i].place.file, rows[i].place.line);
	return 0;
}

static bool matches(const struct row *row, const struct fw_label *labels, size_t n)
{
	for (size_t i = 0; i < row->n_matchers; i++)
		if (!shim_regex_matches(row->matchers[i].regex,
			    fw_label_value(labels, n, row->matchers[i].label)))
			return false;
	return true;
}

const char *register_supplier(
	const struct register_hosts *hosts, const struct fw_label *labels, size_t n)
{
	if (!hosts)
		return NULL;
	const struct row wanted = {.host = fw_label_value(labels, n, "instance")};
	const struct row *named = hosts->named.count == 0
		? NULL
		: bsearch(&wanted, hosts->named.items, hosts->named.count, sizeof wanted, by_name);
	if (named)
		return named->supplier;
	for (size_t i = 0; i < hosts->matched.count; i++)
		if (matches(&hosts->matched.items[i], labels, n))
			return hosts->matched.items[i].supplier;
	return NULL;
}
