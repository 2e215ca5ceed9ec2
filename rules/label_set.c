/* SPDX-License-Identifier: Apache-2.0 */
#include "label_set.h"

#include <stdlib.h>
#include <string.h>

int label_set_compare(const struct label_set *a, const struct label_set *b)
{
	size_t n = a->n < b->n ? a->n : b->n;
	for (size_t i = 0; i < n; i++) {
		int order = strcmp(a->items[i].name, b->items[i].name);
		if (order == 0)
			order = strcmp(a->items[i].value, b->items[i].value);
		if (order != 0)
			return order;
	}
	return (a->n > b->n) - (a->n < b->n);
}

const char *label_set_get(const struct label_set *labels, const char *name)
{
	return fw_label_value(labels->items, labels->n, name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fw_label *)a)->name, ((const struct fw_label *)b)->name);
}

static void put(struct fw_label *items, size_t *n, struct fw_label item)
{
	size_t i = 0;
	while (i < *n && strcmp(items[i].name, item.name) != 0)
		i++;
	items[i] = item;
	if (i == *n)
		++*n;
}

struct label_set label_set_with(const struct label_set *from, const struct fw_label *items,
	size_t n, struct fw_arena *arena)
{
	struct fw_label *all = fw_arena_alloc(arena, (from->n + n + 1) * sizeof *all);
	size_t count = from->n, kept = 0;
	if (from->n)
		memcpy(all, from->items, from->n * sizeof *all);
	for (size_t i = 0; i < n; i++)
		put(all, &count, items[i]);
	for (size_t i = 0; i < count; i++)
		if (*all[i].value)
			all[kept++] = all[i];
	qsort(all, kept, sizeof *all, by_name);
	return (struct label_set){all, kept};
}

static char *put_text(char **at, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = memcpy(*at, text, size);
	*at += size;
	return copy;
}

struct label_set label_set_copy(const struct label_set *from)
{
	size_t bytes = from->n * sizeof(struct fw_label);
	for (size_t i = 0; i < from->n; i++)
		bytes += strlen(from->items[i].name) + strlen(from->items[i].value) + 2;
	struct fw_label *items = fw_alloc(bytes);
	char *at = (char *)(items + from->n);
	for (size_t i = 0; i < from->n; i++) {
		items[i].name = put_text(&at, from->items[i].name);
		items[i].value = put_text(&at, from->items[i].value);
	}
	return (struct label_set){items, from->n};
}

void label_set_free(struct label_set *labels)
{
	fw_free((void *)labels->items);
	*labels = (struct label_set){0};
}
