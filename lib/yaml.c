/* SPDX-License-Identifier: Apache-2.0 */
/* From libyaml's events to nodes in an arena.
 *
 * Events are pulled one at a time, so a limit stops the reading where it is
 * passed and not after the whole text was taken in. The recursion is as deep
 * as the text, which is limited too.
 */
#include <fenwatch/conf.h>

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

enum { MOST_BYTES = 1 << 20, MOST_DEPTH = 16, MOST_NODES = 100000, MOST_MERGED = 1000 };

/* A mapping has as many keys as items; a sequence has none. */
struct fw_yaml {
	enum fw_yaml_kind kind;
	bool quoted;
	unsigned line;
	const char *text;
	const struct fw_yaml **keys, **items;
	size_t count, capacity;
};

struct anchor {
	const struct anchor *older;
	const char *name;
	const struct fw_yaml *node;
	size_t weight; /* nodes in it, aliases unfolded */
};

struct reader {
	yaml_parser_t parser;
	struct fw_arena *arena;
	struct fw_err *err;
	size_t n_nodes;
	bool foreign;
	const struct anchor *anchors; /* the newest first */
};

static int read_next(struct reader *r, unsigned depth, const struct fw_yaml **out);

static unsigned line_of(yaml_mark_t mark)
{
	return (unsigned)mark.line + 1;
}

static int fail_at(struct reader *r, const yaml_event_t *event, const char *what)
{
	return fw_fail(r->err, -EINVAL, "line %u: %s", line_of(event->start_mark), what);
}

static int fail_parser(struct reader *r)
{
	yaml_parser_t *parser = &r->parser;
	if (parser->error == YAML_MEMORY_ERROR)
		return fw_fail(r->err, -ENOMEM, "out of memory");
	if (parser->error == YAML_READER_ERROR)
		return fw_fail(
			r->err, -EINVAL, "byte %zu: %s", parser->problem_offset, parser->problem);
	return fw_fail(r->err, -EINVAL, "line %u: %s%s%s", line_of(parser->problem_mark),
		parser->context ? parser->context : "", parser->context ? ", " : "",
		parser->problem);
}

static int new_node(struct reader *r, const yaml_event_t *event, enum fw_yaml_kind kind,
	const yaml_char_t *anchor, const yaml_char_t *tag, struct fw_yaml **out)
{
	if (anchor && !r->foreign)
		return fail_at(r, event, "anchors are not allowed here");
	if (tag && !r->foreign)
		return fail_at(r, event, "tags are not allowed here");
	if (++r->n_nodes > MOST_NODES)
		return fail_at(r, event, "more than 100,000 values");
	*out = fw_arena_alloc(r->arena, sizeof **out);
	**out = (struct fw_yaml){.kind = kind, .line = line_of(event->start_mark)};
	return 0;
}

static void add_child(struct reader *r, struct fw_yaml *node, const struct fw_yaml *key,
	const struct fw_yaml *item)
{
	if (node->count == node->capacity) {
		size_t capacity = node->capacity ? node->capacity * 2 : 4;
		const struct fw_yaml **moved =
			fw_arena_alloc(r->arena, 2 * capacity * sizeof(*moved));
		for (size_t i = 0; i < node->count; i++) {
			moved[i] = node->items[i];
			moved[capacity + i] = node->keys[i];
		}
		node->items = moved;
		node->keys = moved + capacity;
		node->capacity = capacity;
	}
	node->items[node->count] = item;
	node->keys[node->count++] = key;
}

static bool is_tag(const yaml_char_t *tag, const char *name)
{
	return tag && strcmp((const char *)tag, name) == 0;
}

static int read_scalar(struct reader *r, const yaml_event_t *event, const struct fw_yaml **out)
{
	struct fw_yaml *node;
	int rc = new_node(
		r, event, FW_YAML_SCALAR, event->data.scalar.anchor, event->data.scalar.tag, &node);
	if (rc < 0)
		return rc;
	const char *text = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	if (memchr(text, '\0', length))
		return fail_at(r, event, "a text may not hold a NUL character");
	node->text = fw_arena_strndup(r->arena, text, length);
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ||
		is_tag(event->data.scalar.tag, YAML_STR_TAG);
	*out = node;
	return 0;
}

static int read_sequence(
	struct reader *r, const yaml_event_t *event, unsigned depth, const struct fw_yaml **out)
{
	struct fw_yaml *node;
	const struct fw_yaml *item;
	int rc = new_node(r, event, FW_YAML_SEQUENCE, event->data.sequence_start.anchor,
		event->data.sequence_start.tag, &node);
	if (rc < 0)
		return rc;
	while ((rc = read_next(r, depth, &item)) > 0)
		add_child(r, node, NULL, item);
	*out = node;
	return rc;
}

static int by_text_and_line(const void *a, const void *b)
{
	const struct fw_yaml *const *x = a, *const *y = b;
	int order = strcmp((*x)->text, (*y)->text);
	return order ? order : ((*x)->line > (*y)->line) - ((*x)->line < (*y)->line);
}

/* By sorting: a mapping from outside may hold tens of thousands of keys. */
static int refuse_duplicates(struct reader *r, const struct fw_yaml *mapping)
{
	int rc = 0;
	size_t bytes = mapping->count * sizeof(mapping->keys[0]);
	if (mapping->count < 2)
		return 0;
	const struct fw_yaml **sorted = fw_alloc(bytes);
	memcpy(sorted, mapping->keys, bytes);
	qsort(sorted, mapping->count, sizeof(*sorted), by_text_and_line);
	for (size_t i = 1; i < mapping->count && rc == 0; i++)
		if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0)
			rc = fw_yaml_fail(sorted[i], r->err,
				"key '%s' is given twice, first in line %u", sorted[i]->text,
				sorted[i - 1]->line);
	fw_free(sorted);
	return rc;
}

/* ---- "<<": keys of another mapping, where there are none of one's own ---- */

static bool is_merge(const struct reader *r, const struct fw_yaml *key)
{
	return r->foreign && !key->quoted && strcmp(key->text, "<<") == 0;
}

static int merge_mapping(struct reader *r, struct fw_yaml *into, const struct fw_yaml *from)
{
	if (from->kind != FW_YAML_MAPPING)
		return fw_yaml_fail(from, r->err, "'<<' takes a mapping, or a list of them");
	if (into->count + from->count > MOST_MERGED)
		return fw_yaml_fail(from, r->err, "'<<' gives more than 1,000 keys");
	for (size_t i = 0; i < from->count; i++)
		if (!fw_yaml_get(into, from->keys[i]->text))
			add_child(r, into, from->keys[i], from->items[i]);
	return 0;
}

static int merge(struct reader *r, struct fw_yaml *into, const struct fw_yaml *from)
{
	int rc = 0;
	if (!from || from->kind != FW_YAML_SEQUENCE)
		return from ? merge_mapping(r, into, from) : 0;
	for (size_t i = 0; i < from->count && rc == 0; i++)
		rc = merge_mapping(r, into, from->items[i]);
	return rc;
}

static int read_mapping(
	struct reader *r, const yaml_event_t *event, unsigned depth, const struct fw_yaml **out)
{
	struct fw_yaml *node;
	const struct fw_yaml *key, *value, *merged = NULL;
	int rc = new_node(r, event, FW_YAML_MAPPING, event->data.mapping_start.anchor,
		event->data.mapping_start.tag, &node);
	if (rc < 0)
		return rc;
	while ((rc = read_next(r, depth, &key)) > 0) {
		if (key->kind != FW_YAML_SCALAR)
			return fw_yaml_fail(key, r->err, "a key must be a text");
		rc = read_next(r, depth, &value);
		if (rc < 0)
			return rc;
		assert(rc == 1); /* libyaml gives every key a value */
		if (is_merge(r, key) && !merged)
			merged = value;
		else
			add_child(r, node, key, value);
	}
	*out = node;
	if (rc == 0)
		rc = refuse_duplicates(r, node);
	return rc < 0 ? rc : merge(r, node, merged);
}

/* ---- anchors ---- */

static void keep_anchor(
	struct reader *r, const yaml_char_t *name, const struct fw_yaml *node, size_t weight)
{
	struct anchor *anchor = fw_arena_alloc(r->arena, sizeof *anchor);
	*anchor = (struct anchor){
		.older = r->anchors,
		.name = fw_arena_strdup(r->arena, (const char *)name),
		.node = node,
		.weight = weight,
	};
	r->anchors = anchor;
}

static int read_alias(struct reader *r, const yaml_event_t *event, const struct fw_yaml **out)
{
	const struct anchor *anchor = r->anchors;
	if (!r->foreign)
		return fail_at(r, event, "aliases are not allowed here");
	while (anchor && strcmp(anchor->name, (const char *)event->data.alias.anchor) != 0)
		anchor = anchor->older;
	if (!anchor)
		return fail_at(r, event, "there is no anchor of this name before it");
	r->n_nodes += anchor->weight;
	if (r->n_nodes > MOST_NODES)
		return fail_at(r, event, "more than 100,000 values");
	*out = anchor->node;
	return 0;
}

static int read_node(
	struct reader *r, const yaml_event_t *event, unsigned depth, const struct fw_yaml **out)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(r, event, out);
	case YAML_ALIAS_EVENT:
		return read_alias(r, event, out);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		if (depth == MOST_DEPTH)
			return fail_at(r, event, "nested more than 16 deep");
		if (event->type == YAML_SEQUENCE_START_EVENT)
			return read_sequence(r, event, depth + 1, out);
		return read_mapping(r, event, depth + 1, out);
	default:
		return fail_at(r, event, "a value is missing");
	}
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return event->data.scalar.anchor;
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return event->data.sequence_start.anchor;
	return event->type == YAML_MAPPING_START_EVENT ? event->data.mapping_start.anchor : NULL;
}

/* What it is called and how much it weighs is known once it has been read. */
static int read_named(
	struct reader *r, const yaml_event_t *event, unsigned depth, const struct fw_yaml **out)
{
	size_t before = r->n_nodes;
	int rc = read_node(r, event, depth, out);
	if (rc < 0 || event->type == YAML_ALIAS_EVENT || !anchor_of(event))
		return rc;
	keep_anchor(r, anchor_of(event), *out, r->n_nodes - before);
	return 0;
}

/* 1 and a node, or 0 at the end of what is being read. */
static int read_next(struct reader *r, unsigned depth, const struct fw_yaml **out)
{
	yaml_event_t event;
	if (!yaml_parser_parse(&r->parser, &event))
		return fail_parser(r);
	int rc = 0;
	if (event.type != YAML_SEQUENCE_END_EVENT && event.type != YAML_MAPPING_END_EVENT) {
		rc = read_named(r, &event, depth, out);
		rc = rc < 0 ? rc : 1;
	}
	yaml_event_delete(&event);
	return rc;
}

static int expect(struct reader *r, yaml_event_type_t type, bool *met)
{
	yaml_event_t event;
	if (!yaml_parser_parse(&r->parser, &event))
		return fail_parser(r);
	*met = event.type == type;
	yaml_event_delete(&event);
	return 0;
}

static int read_document(struct reader *r, const struct fw_yaml **root)
{
	bool met = false;
	int rc = expect(r, YAML_STREAM_START_EVENT, &met);
	if (rc == 0)
		rc = expect(r, YAML_DOCUMENT_START_EVENT, &met);
	if (rc < 0)
		return rc;
	if (!met) {
		struct fw_yaml *empty = fw_arena_alloc(r->arena, sizeof *empty);
		*empty = (struct fw_yaml){.kind = FW_YAML_MAPPING, .line = 1};
		*root = empty;
		return 0;
	}
	rc = read_next(r, 0, root);
	if (rc > 0)
		rc = expect(r, YAML_DOCUMENT_END_EVENT, &met);
	if (rc < 0 || r->foreign)
		return rc;
	if (rc == 0)
		rc = expect(r, YAML_STREAM_END_EVENT, &met);
	if (rc == 0 && !met)
		rc = fw_fail(r->err, -EINVAL, "line %u: a second document is not allowed here",
			line_of(r->parser.mark));
	return rc;
}

static int parse(struct reader *r, const char *text, size_t length, const struct fw_yaml **root)
{
	const struct fw_yaml *read = NULL;
	if (length > MOST_BYTES)
		return fw_fail(r->err, -EFBIG, "line 1: the text is larger than 1 MiB");
	if (!yaml_parser_initialize(&r->parser))
		return fw_fail(r->err, -ENOMEM, "out of memory");
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, length);
	int rc = read_document(r, &read);
	yaml_parser_delete(&r->parser);
	if (rc == 0)
		*root = read;
	return rc;
}

int fw_yaml_parse(const char *text, size_t length, struct fw_arena *arena,
	const struct fw_yaml **root, struct fw_err *err)
{
	struct reader r = {.arena = arena, .err = err};
	return parse(&r, text, length, root);
}

int fw_yaml_parse_foreign(const char *text, size_t length, struct fw_arena *arena,
	const struct fw_yaml **root, struct fw_err *err)
{
	struct reader r = {.arena = arena, .err = err, .foreign = true};
	return parse(&r, text, length, root);
}

enum fw_yaml_kind fw_yaml_kind(const struct fw_yaml *node)
{
	return node->kind;
}

unsigned fw_yaml_line(const struct fw_yaml *node)
{
	return node->line;
}

const char *fw_yaml_text(const struct fw_yaml *node)
{
	return node->text;
}

bool fw_yaml_is_quoted(const struct fw_yaml *node)
{
	return node->quoted;
}

size_t fw_yaml_count(const struct fw_yaml *node)
{
	return node->count;
}

const struct fw_yaml *fw_yaml_item(const struct fw_yaml *node, size_t i)
{
	assert(i < node->count);
	return node->items[i];
}

const struct fw_yaml *fw_yaml_key(const struct fw_yaml *node, size_t i)
{
	assert(i < node->count);
	return node->keys[i];
}

const struct fw_yaml *fw_yaml_get(const struct fw_yaml *node, const char *key)
{
	if (node->kind != FW_YAML_MAPPING)
		return NULL;
	for (size_t i = 0; i < node->count; i++)
		if (strcmp(node->keys[i]->text, key) == 0)
			return node->items[i];
	return NULL;
}

int fw_yaml_fail(const struct fw_yaml *node, struct fw_err *err, const char *format, ...)
{
	struct fw_err sentence;
	va_list args;
	va_start(args, format);
	vsnprintf(sentence.text, sizeof sentence.text, format, args);
	va_end(args);
	return fw_fail(err, -EINVAL, "line %u: %s", node->line, sentence.text);
}
