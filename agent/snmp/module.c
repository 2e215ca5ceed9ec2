/* SPDX-License-Identifier: Apache-2.0 */
#include "module.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/file.h>
#include <fenwatch/text.h>

#include "module_build.h"

#define FILE_LIMIT (1u << 20)

struct metric_keys {
	const char *name, *oid, *help, *unless;
	int kind;
	const struct fw_yaml *values;
};

static const char *const kind_names[] = {"gauge", "counter", "float", "text", "mac", "enum", NULL};

int module_keep_node(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	(void)arena;
	(void)err;
	*(const struct fw_yaml **)field = node;
	return 0;
}

static const struct fw_option metric_table[] = {
	{.name = "name",
		.help = "of the metric",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct metric_keys, name),
		.required = true},
	{.name = "oid",
		.help = "numeric",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct metric_keys, oid),
		.required = true},
	{.name = "type",
		.help = "what becomes of the value",
		.type = FW_OPT_CHOICE,
		.offset = offsetof(struct metric_keys, kind),
		.fallback = "gauge",
		.choices = kind_names},
	{
		.name = "help",
		.help = "what it tells",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct metric_keys, help),
	},
	{.name = "unless",
		.help = "a metric in whose place this one is read",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct metric_keys, unless)},
	{.name = "values",
		.help = "NUMBER: NAME",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct metric_keys, values),
		.parse = module_keep_node},
	{0},
};

struct table_keys {
	struct fw_text_list index;
	const struct fw_yaml *labels, *metrics;
};

static const struct fw_option table_table[] = {
	{.name = "index",
		.help = "labels for the numbers of the index",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct table_keys, index),
		.required = true},
	{.name = "labels",
		.help = "NAME: OID of what is looked up by the index",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct table_keys, labels),
		.parse = module_keep_node},
	{.name = "metrics",
		.help = "columns",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct table_keys, metrics),
		.parse = module_keep_node,
		.required = true},
	{0},
};

struct module_keys {
	const char *name, *help;
	const struct fw_yaml *scalars, *tables, *columns, *documents;
};

static const struct fw_option module_table[] = {
	{.name = "name",
		.help = "of the module",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct module_keys, name),
		.required = true},
	{
		.name = "help",
		.help = "what it reads",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct module_keys, help),
	},
	{.name = "scalars",
		.help = "metrics",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct module_keys, scalars),
		.parse = module_keep_node},
	{.name = "tables",
		.help = "tables",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct module_keys, tables),
		.parse = module_keep_node},
	{.name = "columns",
		.help = "what documents are made of",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct module_keys, columns),
		.parse = module_keep_node},
	{.name = "documents",
		.help = "tables of inventory",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct module_keys, documents),
		.parse = module_keep_node},
	{0},
};

/* ---- labels ---- */

static int by_name(const void *a, const void *b)
{
	const struct mib_label *x = a, *y = b;
	return strcmp(x->name, y->name);
}

/* The collector tells series of one host from those of another by these. */
static bool is_hosts(const char *name)
{
	static const char *const labels[] = {"instance", "job"};
	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
		if (strcmp(labels[i], name) == 0)
			return true;
	return strncmp(name, "__", 2) == 0;
}

static int check_label(struct building *b, const struct fw_yaml *node, const char *name)
{
	if (!module_is_name(name))
		return fw_yaml_fail(node, b->err, "'%.60s' is no name of a label", name);
	if (is_hosts(name))
		return fw_yaml_fail(node, b->err,
			"no label can be called '%.60s': that one says whose a series is", name);
	for (unsigned i = 0; i < b->n_labels; i++)
		if (strcmp(b->labels[i].name, name) == 0)
			return fw_yaml_fail(node, b->err, "there are two labels '%.60s'", name);
	return 0;
}

static int add_label(struct building *b, const struct fw_yaml *node, const struct mib_label *label)
{
	int rc = check_label(b, node, label->name);
	if (rc < 0)
		return rc;
	if (b->n_labels == MODULE_LABELS - 1)
		return fw_yaml_fail(
			node, b->err, "a series has at most %d labels", MODULE_LABELS - 1);
	b->labels[b->n_labels++] = *label;
	return 0;
}

/* A text metric has a label of its own name beside those of its table. */
static void take_labels(const struct building *b, struct mib_column *column)
{
	column->n_labels = b->n_labels;
	memcpy(column->labels, b->labels, sizeof b->labels);
	for (unsigned i = 0; column->self && i < column->n_labels; i++)
		if (strcmp(column->labels[i].name, column->self) == 0)
			column->labels[i] = column->labels[--column->n_labels];
	if (column->self)
		column->labels[column->n_labels++] =
			(struct mib_label){.name = column->self, .from = LABEL_SELF};
	qsort(column->labels, column->n_labels, sizeof *column->labels, by_name);
}

/* ---- columns ---- */

struct mib_column *module_new_column(struct building *b, const struct fw_yaml *node)
{
	struct mib_module *m = b->module;
	if (m->n_columns == MODULE_COLUMNS) {
		fw_yaml_fail(node, b->err, "a module has at most %d columns", MODULE_COLUMNS);
		return NULL;
	}
	struct mib_column *column = &m->columns[m->n_columns++];
	*column = (struct mib_column){.unless = -1, .table = b->table};
	return column;
}

static int read_enums(struct building *b, const struct fw_yaml *values, struct mib_column *column)
{
	if (!values)
		return 0;
	if (column->kind != MIB_ENUM)
		return fw_yaml_fail(values, b->err, "'values' goes with 'type: enum'");
	column->n_enums = fw_yaml_count(values);
	column->enums = fw_arena_alloc(b->arena, (column->n_enums + 1) * sizeof *column->enums);
	for (size_t i = 0; i < column->n_enums; i++) {
		uint64_t number;
		const char *name = fw_yaml_text(fw_yaml_item(values, i));
		if (fw_yaml_kind(values) != FW_YAML_MAPPING || !name ||
			fw_parse_u64(fw_yaml_text(fw_yaml_key(values, i)), &number) < 0 ||
			number > INT32_MAX)
			return fw_yaml_fail(values, b->err, "'values' must be {NUMBER: NAME, ...}");
		column->enums[i] =
			(struct mib_enum){(int64_t)number, fw_arena_strdup(b->arena, name)};
	}
	return 0;
}

static int find_unless(const struct building *b, const char *name)
{
	for (unsigned i = 0; i + 1 < b->module->n_columns; i++) { /* the last is who asks */
		const struct mib_column *column = &b->module->columns[i];
		if (!column->lookup && strcmp(column->metric.name, name) == 0)
			return (int)i;
	}
	return -1;
}

static void name_metric(
	struct building *b, const struct metric_keys *keys, struct mib_column *column)
{
	static const enum fw_metric_type types[] = {[MIB_COUNTER] = FW_COUNTER,
		[MIB_FLOAT] = (enum fw_metric_type)((int)FW_GAUGE | FW_DOUBLE),
		[MIB_ENUM] = FW_GAUGE};
	column->kind = (enum mib_kind)keys->kind;
	column->metric = (struct metric){
		.name = column->kind == MIB_ENUM ? fw_arena_format(b->arena, "%s_info", keys->name)
						 : fw_arena_strdup(b->arena, keys->name),
		.type = types[column->kind],
		.unit = "",
		.help = fw_arena_strdup(b->arena, keys->help ? keys->help : ""),
		.factor = 1,
	};
	if (column->kind >= MIB_TEXT)
		column->self = fw_arena_strdup(b->arena, keys->name);
}

bool module_is_name(const char *text)
{
	static const char allowed[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	return text[0] && !strchr("0123456789", text[0]) && text[strspn(text, allowed)] == '\0' &&
		strlen(text) < 200;
}

/* The program tells of each read by series of its own, and the collector of each host. */
static bool is_ours(const char *name)
{
	return strcmp(name, "up") == 0 || strncmp(name, "snmp_scrape_", 12) == 0 ||
		strncmp(name, "fenwatch_", 9) == 0;
}

static int check_metric(
	struct building *b, const struct fw_yaml *node, const struct mib_column *column)
{
	if (is_ours(column->metric.name))
		return fw_yaml_fail(node, b->err,
			"no metric of a module can be called '%.60s': Fenwatch has one of that name",
			column->metric.name);
	if (column->self && is_hosts(column->self))
		return fw_yaml_fail(node, b->err,
			"'%.60s' would be a label that says whose a series is", column->self);
	return 0;
}

static int read_metric(struct building *b, const struct fw_yaml *node, bool scalar)
{
	struct metric_keys keys = {0};
	int rc = fw_conf_bind(node, metric_table, &keys, b->arena, b->err);
	if (rc < 0)
		return rc;
	struct mib_column *column = module_new_column(b, node);
	if (!column)
		return -EINVAL;
	if (!module_is_name(keys.name))
		return fw_yaml_fail(node, b->err, "'%.60s' is no name of a metric", keys.name);
	if (!oid_parse(keys.oid, &column->base) || column->base.n < 2)
		return fw_yaml_fail(node, b->err, "'%.60s' is no numeric OID", keys.oid);
	name_metric(b, &keys, column);
	rc = check_metric(b, node, column);
	if (rc < 0)
		return rc;
	column->scalar = scalar;
	if (scalar && column->base.ids[column->base.n - 1] == 0)
		column->base.n--; /* the walk finds its .0 */
	if (keys.unless) {
		column->unless = find_unless(b, keys.unless);
		if (column->unless < 0)
			return fw_yaml_fail(node, b->err,
				"'unless' names '%.60s', which does not stand before it",
				keys.unless);
	}
	take_labels(b, column);
	return read_enums(b, keys.values, column);
}

static int read_metrics(struct building *b, const struct fw_yaml *list, bool scalar)
{
	if (!list)
		return 0;
	if (fw_yaml_kind(list) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(list, b->err, "a list of metrics is wanted here");
	for (size_t i = 0; i < fw_yaml_count(list); i++) {
		int rc = read_metric(b, fw_yaml_item(list, i), scalar);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_lookups(struct building *b, const struct fw_yaml *map)
{
	if (!map)
		return 0;
	for (size_t i = 0; i < fw_yaml_count(map); i++) {
		const char *name = fw_yaml_text(fw_yaml_key(map, i));
		const char *oid = fw_yaml_text(fw_yaml_item(map, i));
		struct mib_column *column = module_new_column(b, map);
		if (!column)
			return -EINVAL;
		if (fw_yaml_kind(map) != FW_YAML_MAPPING || !name || !oid ||
			!oid_parse(oid, &column->base))
			return fw_yaml_fail(map, b->err, "'labels' must be {NAME: OID, ...}");
		column->lookup = true;
		struct mib_label label = {.name = fw_arena_strdup(b->arena, name),
			.from = LABEL_LOOKUP,
			.which = b->module->n_columns - 1};
		int rc = add_label(b, fw_yaml_item(map, i), &label);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_table(struct building *b, const struct fw_yaml *node)
{
	struct table_keys keys = {0};
	int rc = fw_conf_bind(node, table_table, &keys, b->arena, b->err);
	b->n_labels = 0;
	b->table++;
	for (size_t i = 0; rc >= 0 && i < keys.index.count; i++) {
		struct mib_label label = {.name = keys.index.items[i],
			.from = LABEL_INDEX,
			.which = (unsigned)i,
			.rest = i + 1 == keys.index.count};
		rc = add_label(b, node, &label);
	}
	if (rc >= 0)
		rc = read_lookups(b, keys.labels);
	return rc < 0 ? rc : read_metrics(b, keys.metrics, false);
}

static int read_module(struct building *b, const struct fw_yaml *root)
{
	struct module_keys keys = {0};
	int rc = fw_conf_bind(root, module_table, &keys, b->arena, b->err);
	if (rc < 0)
		return rc;
	b->module->name = fw_arena_strdup(b->arena, keys.name);
	b->module->help = fw_arena_strdup(b->arena, keys.help ? keys.help : "");
	rc = read_metrics(b, keys.scalars, true);
	if (keys.tables && fw_yaml_kind(keys.tables) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(keys.tables, b->err, "'tables' must be a list");
	for (size_t i = 0; rc >= 0 && keys.tables && i < fw_yaml_count(keys.tables); i++)
		rc = read_table(b, fw_yaml_item(keys.tables, i));
	if (rc >= 0 && (keys.columns || keys.documents))
		rc = module_read_documents(b, root, keys.columns, keys.documents);
	if (rc >= 0 && b->module->n_columns == 0)
		rc = fw_yaml_fail(root, b->err, "the module reads nothing");
	return rc;
}

int module_parse(const char *text, size_t length, struct fw_arena *arena, struct mib_module *out,
	struct fw_err *err)
{
	const struct fw_yaml *root;
	struct building b = {.module = out, .arena = arena, .err = err};
	int rc = fw_yaml_parse(text, length, arena, &root, err);
	if (rc < 0)
		return rc;
	struct mib_column *room = fw_alloc_array(MODULE_COLUMNS, sizeof *room);
	*out = (struct mib_module){.columns = room};
	rc = read_module(&b, root);
	out->columns = fw_arena_alloc(arena, (out->n_columns + 1) * sizeof *room);
	memcpy(out->columns, room, out->n_columns * sizeof *room);
	fw_free(room);
	return rc;
}

int module_load(
	const char *path, struct fw_arena *arena, struct mib_module *out, struct fw_err *err)
{
	struct fw_buf text = {0};
	int rc = fw_file_read(path, FILE_LIMIT, &text, err);
	if (rc >= 0) {
		rc = module_parse((const char *)text.data, text.length, arena, out, err);
		if (rc < 0)
			rc = fw_fail_in(err, rc, "module '%s'", path);
	}
	fw_buf_done(&text);
	return rc;
}
