/* SPDX-License-Identifier: Apache-2.0 */
#include "pairs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <fenwatch/mem.h>

static void sort(struct notice_pair *items, size_t n)
{
	/* By insertion: a handful, nearly in order, and it must be stable. */
	for (size_t i = 1; i < n; i++) {
		struct notice_pair moved = items[i];
		size_t at = i;
		for (; at > 0 && strcmp(items[at - 1].name, moved.name) > 0; at--)
			items[at] = items[at - 1];
		items[at] = moved;
	}
}

static size_t keep_last(struct notice_pair *items, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && strcmp(items[kept - 1].name, items[i].name) == 0)
			kept--;
		items[kept++] = items[i];
	}
	return kept;
}

static const char *move_text(char **space, const char *text)
{
	size_t length = strlen(text) + 1;
	char *copy = memcpy(*space, text, length);
	*space += length;
	return copy;
}

void pairs_copy(struct pairs *out, const struct notice_pair *items, size_t n)
{
	size_t bytes = (n + 1) * sizeof *items;
	for (size_t i = 0; i < n; i++)
		bytes += strlen(items[i].name) + strlen(items[i].value) + 2;
	out->items = fw_alloc(bytes);
	out->n = n;
	char *space = (char *)(out->items + n);
	for (size_t i = 0; i < n; i++) {
		out->items[i].name = move_text(&space, items[i].name);
		out->items[i].value = move_text(&space, items[i].value);
	}
	sort(out->items, n);
	out->n = keep_last(out->items, n);
}

bool pairs_same(const struct pairs *a, const struct pairs *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->items[i].name, b->items[i].name) != 0 ||
			strcmp(a->items[i].value, b->items[i].value) != 0)
			return false;
	return a->n == b->n;
}

void pairs_set(struct pairs *pairs, const char *name, const char *value)
{
	struct notice_pair *more = fw_alloc_array(pairs->n + 1, sizeof *more);
	struct pairs fresh;
	for (size_t i = 0; i < pairs->n; i++)
		more[i] = pairs->items[i];
	more[pairs->n] = (struct notice_pair){name, value};
	pairs_copy(&fresh, more, pairs->n + 1);
	fw_free(more);
	pairs_done(pairs);
	*pairs = fresh;
}

void pairs_done(struct pairs *pairs)
{
	fw_free(pairs->items);
	*pairs = (struct pairs){0};
}

const char *pairs_get(const struct pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (strcmp(pairs->items[i].name, name) == 0)
			return pairs->items[i].value;
	return "";
}

char *pairs_json(const struct pairs *pairs)
{
	json_t *object = json_object();
	for (size_t i = 0; i < pairs->n; i++)
		json_object_set_new(
			object, pairs->items[i].name, json_string(pairs->items[i].value));
	char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	char *copy = fw_strdup(text ? text : "{}");
	free(text);
	json_decref(object);
	return copy;
}

int pairs_parse(const char *json, struct pairs *out)
{
	json_t *object = json ? json_loads(json, 0, NULL) : NULL, *value;
	const char *name;
	if (!json_is_object(object)) {
		json_decref(object);
		return -EBADMSG;
	}
	struct notice_pair *items = fw_alloc_array(json_object_size(object) + 1, sizeof *items);
	size_t n = 0;
	json_object_foreach(object, name, value) if (json_is_string(value)) items[n++] =
		(struct notice_pair){name, json_string_value(value)};
	pairs_copy(out, items, n);
	fw_free(items);
	json_decref(object);
	return 0;
}
