/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a module that gives documents. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/items.h>
#include <fenwatch/text.h>

#include "module_build.h"

#define ASKED "asked" /* in a path: the address at which the device is asked */

struct column_keys {
	const char *name, *oid, *unless;
};

static const struct fw_option column_table[] = {
	{.name = "name",
		.help = "of the column",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct column_keys, name),
		.required = true},
	{.name = "oid",
		.help = "numeric",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct column_keys, oid),
		.required = true},
	{.name = "unless",
		.help = "a column in whose place this one is read",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct column_keys, unless)},
	{0},
};

struct where_keys {
	const char *where;
	struct fw_text_list is, isnt;
};

#define WHERE_ROWS(keys)                                                                      \
	{.name = "where",                                                                     \
		.help = "a column whose number decides",                                      \
		.type = FW_OPT_TEXT,                                                          \
		.offset = offsetof(keys, where.where)},                                       \
		{.name = "is",                                                                \
			.help = "numbers with which a row counts",                            \
			.type = FW_OPT_LIST,                                                  \
			.offset = offsetof(keys, where.is)},                                  \
	{                                                                                     \
		.name = "not", .help = "numbers with which it does not", .type = FW_OPT_LIST, \
		.offset = offsetof(keys, where.isnt)                                          \
	}

struct source_keys {
	const char *from;
	int form;
	bool rest;
	struct where_keys where;
};

static const char *const form_names[] = {"text", "mac", "address", NULL};

static const struct fw_option source_table[] = {
	{.name = "from",
		.help = "a column, or a part of the index, and columns behind it: A > B",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct source_keys, from),
		.required = true},
	{.name = "as",
		.help = "what it is written as",
		.type = FW_OPT_CHOICE,
		.offset = offsetof(struct source_keys, form),
		.fallback = "text",
		.choices = form_names},
	{.name = "rest",
		.help = "what the index has more in that column",
		.type = FW_OPT_BOOL,
		.offset = offsetof(struct source_keys, rest)},
	WHERE_ROWS(struct source_keys),
	{0},
};

struct document_keys {
	const char *kind, *rows;
	struct where_keys where;
	struct fw_text_list index, needs;
	const struct fw_yaml *key, *fields;
};

static const struct fw_option document_table[] = {
	{.name = "kind",
		.help = "of the document",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct document_keys, kind),
		.required = true},
	{.name = "rows",
		.help = "the column whose rows are its lines",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct document_keys, rows)},
	WHERE_ROWS(struct document_keys),
	{.name = "index",
		.help = "names for the numbers of the index",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct document_keys, index)},
	{.name = "needs",
		.help = "fields without which there is no line",
		.type = FW_OPT_LIST,
		.offset = offsetof(struct document_keys, needs)},
	{.name = "key",
		.help = "parts of the key",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct document_keys, key),
		.parse = module_keep_node},
	{.name = "fields",
		.help = "NAME: where it is from",
		.type = FW_OPT_CUSTOM,
		.offset = offsetof(struct document_keys, fields),
		.parse = module_keep_node,
		.required = true},
	{0},
};

/* ---- columns ---- */

static int find_column(const struct building *b, const char *name)
{
	for (unsigned i = 0; i < b->module->n_columns; i++)
		if (strcmp(b->module->columns[i].metric.name, name) == 0)
			return (int)i;
	return -1;
}

static int want_column(struct building *b, const struct fw_yaml *node, const char *name)
{
	int found = find_column(b, name);
	return found >= 0 ? found : fw_yaml_fail(node, b->err, "there is no column '%.60s'", name);
}

static int read_column(struct building *b, const struct fw_yaml *node)
{
	struct column_keys keys = {0};
	int rc = fw_conf_bind(node, column_table, &keys, b->arena, b->err);
	if (rc < 0)
		return rc;
	if (!module_is_name(keys.name) || find_column(b, keys.name) >= 0)
		return fw_yaml_fail(
			node, b->err, "'%.60s' is no name of a column, or of two", keys.name);
	int unless = keys.unless ? want_column(b, node, keys.unless) : -1;
	if (keys.unless && unless < 0)
		return unless;
	struct mib_column *column = module_new_column(b, node);
	if (!column)
		return -EINVAL;
	if (!oid_parse(keys.oid, &column->base) || column->base.n < 2)
		return fw_yaml_fail(node, b->err, "'%.60s' is no numeric OID", keys.oid);
	column->metric.name = fw_arena_strdup(b->arena, keys.name);
	column->lookup = true;
	column->unless = unless;
	column->scalar = column->base.ids[column->base.n - 1] == 0;
	column->base.n -= column->scalar; /* the walk finds its .0 */
	return 0;
}

/* ---- which rows count ---- */

static int read_where(struct building *b, const struct fw_yaml *node, const struct where_keys *keys,
	struct mib_where *out)
{
	const struct fw_text_list *list = keys->isnt.count ? &keys->isnt : &keys->is;
	*out = (struct mib_where){.column = -1, .except = keys->isnt.count > 0};
	if (!keys->where && list->count == 0)
		return 0;
	if (!keys->where || !keys->is.count == !keys->isnt.count)
		return fw_yaml_fail(node, b->err, "'where' goes with either 'is' or 'not'");
	out->column = want_column(b, node, keys->where);
	out->numbers = fw_arena_alloc(b->arena, list->count * sizeof *out->numbers);
	for (size_t i = 0; i < list->count; i++) {
		uint64_t number;
		if (fw_parse_u64(list->items[i], &number) < 0 || number > INT32_MAX)
			return fw_yaml_fail(node, b->err, "'is' and 'not' are lists of numbers");
		out->numbers[out->n++] = (int64_t)number;
	}
	return out->column < 0 ? -EINVAL : 0;
}

/* ---- where texts are from ---- */

static bool begin_with_index(
	const struct fw_text_list *index, const char *name, struct mib_source *out)
{
	for (size_t i = 0; i < index->count; i++)
		if (strcmp(index->items[i], name) == 0) {
			out->from = SOURCE_INDEX;
			out->index = (unsigned)i;
			out->last = i + 1 == index->count;
			return true;
		}
	return false;
}

static int read_path(struct building *b, const struct fw_yaml *node,
	const struct fw_text_list *index, const char *text, struct mib_source *out)
{
	char *rest = fw_arena_strdup(b->arena, text), *word;
	bool first = true;
	while ((word = strsep(&rest, ">"))) {
		word += strspn(word, " ");
		word[strcspn(word, " ")] = '\0';
		if (first && strcmp(word, ASKED) == 0)
			out->from = SOURCE_ASKED;
		if (!first || (out->from != SOURCE_ASKED && !begin_with_index(index, word, out))) {
			int column = want_column(b, node, word);
			if (column < 0)
				return column;
			if (out->n_path == MODULE_PATH)
				return fw_yaml_fail(node, b->err,
					"at most %d columns stand in one path", MODULE_PATH);
			out->path[out->n_path++] = (unsigned)column;
		}
		first = false;
	}
	return 0;
}

static int read_source(struct building *b, const struct fw_yaml *node,
	const struct fw_text_list *index, struct mib_source *out)
{
	struct source_keys keys = {.from = fw_yaml_text(node)};
	int rc = keys.from ? 0 : fw_conf_bind(node, source_table, &keys, b->arena, b->err);
	*out = (struct mib_source){.form = (enum mib_form)keys.form, .rest = keys.rest};
	if (rc >= 0)
		rc = read_where(b, node, &keys.where, &out->where);
	if (rc >= 0)
		rc = read_path(b, node, index, keys.from, out);
	if (rc >= 0 && out->rest && (out->from != SOURCE_COLUMN || out->n_path != 1))
		rc = fw_yaml_fail(node, b->err, "'rest' is of one column");
	return rc;
}

/* One source, or a list of them. */
static int read_text(struct building *b, const struct fw_yaml *node,
	const struct fw_text_list *index, struct mib_text *out)
{
	bool many = fw_yaml_kind(node) == FW_YAML_SEQUENCE;
	size_t n = many ? fw_yaml_count(node) : 1;
	out->sources = fw_arena_alloc(b->arena, (n + 1) * sizeof *out->sources);
	for (size_t i = 0; i < n; i++) {
		const struct fw_yaml *one = many ? fw_yaml_item(node, i) : node;
		int rc = read_source(b, one, index, &out->sources[out->n++]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- documents ---- */

static int read_key(struct building *b, const struct fw_yaml *node,
	const struct document_keys *keys, struct mib_document *out)
{
	size_t n = keys->key ? fw_yaml_count(keys->key) : 0;
	if (out->rows < 0)
		return n == 0 ? 0 : fw_yaml_fail(node, b->err, "'key' goes with 'rows'");
	if (n == 0 || n > MODULE_KEY || fw_yaml_kind(keys->key) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(
			node, b->err, "'key' must be a list of 1 to %d parts", MODULE_KEY);
	for (size_t i = 0; i < n; i++) {
		int rc = read_text(
			b, fw_yaml_item(keys->key, i), &keys->index, &out->key[out->n_key++]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool has_text(const struct fw_text_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

static bool is_field_name(const char *name)
{
	return name && name[0] && strlen(name) <= FW_ITEM_NAME_LIMIT &&
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static int read_fields(
	struct building *b, const struct document_keys *keys, struct mib_document *out)
{
	size_t n = fw_yaml_count(keys->fields);
	if (fw_yaml_kind(keys->fields) != FW_YAML_MAPPING || n == 0 || n > FW_ITEM_FIELDS)
		return fw_yaml_fail(keys->fields, b->err,
			"'fields' must be 1 to %d, {NAME: FROM, ...}", FW_ITEM_FIELDS);
	out->fields = fw_arena_alloc(b->arena, n * sizeof *out->fields);
	for (size_t i = 0; i < n; i++) {
		struct mib_text *field = &out->fields[out->n_fields++];
		const char *name = fw_yaml_text(fw_yaml_key(keys->fields, i));
		if (!is_field_name(name))
			return fw_yaml_fail(
				keys->fields, b->err, "a field is called a-z, 0-9 and _");
		field->name = fw_arena_strdup(b->arena, name);
		field->needed = has_text(&keys->needs, name);
		int rc = read_text(b, fw_yaml_item(keys->fields, i), &keys->index, field);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_document(struct building *b, const struct fw_yaml *node)
{
	struct document_keys keys = {0};
	int rc = fw_conf_bind(node, document_table, &keys, b->arena, b->err);
	if (rc < 0)
		return rc;
	if (b->module->n_documents == MODULE_DOCUMENTS)
		return fw_yaml_fail(node, b->err, "more than %d documents", MODULE_DOCUMENTS);
	struct mib_document *out = &b->module->documents[b->module->n_documents++];
	*out = (struct mib_document){.kind = keys.kind, .rows = -1};
	if (!fw_document_kind_valid(keys.kind))
		return fw_yaml_fail(node, b->err, "'%.60s' is no kind of a document", keys.kind);
	if (keys.rows && (out->rows = want_column(b, node, keys.rows)) < 0)
		return -EINVAL;
	rc = read_where(b, node, &keys.where, &out->where);
	if (rc >= 0)
		rc = read_key(b, node, &keys, out);
	return rc < 0 ? rc : read_fields(b, &keys, out);
}

int module_read_documents(struct building *b, const struct fw_yaml *root,
	const struct fw_yaml *columns, const struct fw_yaml *documents)
{
	int rc = 0;
	if (b->module->n_columns > 0)
		return fw_yaml_fail(root, b->err, "a module has either metrics or documents");
	if (!columns || !documents || fw_yaml_kind(columns) != FW_YAML_SEQUENCE ||
		fw_yaml_kind(documents) != FW_YAML_SEQUENCE || fw_yaml_count(documents) == 0)
		return fw_yaml_fail(
			root, b->err, "'columns' and 'documents' are lists, and go together");
	for (size_t i = 0; rc >= 0 && i < fw_yaml_count(columns); i++)
		rc = read_column(b, fw_yaml_item(columns, i));
	b->module->documents =
		fw_arena_alloc(b->arena, MODULE_DOCUMENTS * sizeof *b->module->documents);
	for (size_t i = 0; rc >= 0 && i < fw_yaml_count(documents); i++)
		rc = read_document(b, fw_yaml_item(documents, i));
	return rc;
}
