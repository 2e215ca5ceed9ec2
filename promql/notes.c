/* SPDX-License-Identifier: Apache-2.0 */
#include "notes.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "labels.h"
#include "node.h"

enum { SEEN_LIMIT = 1000, TEXT_SIZE = 2048, PLACE_SIZE = 48 };

static bool is_new(struct promql_notes *notes, enum promql_note_kind kind, const char *text)
{
	const struct fw_label as_label = {"", text};
	uint64_t hash = labels_hash(&as_label, 1);
	uint64_t *seen = notes->seen[kind];
	for (size_t i = 0; i < notes->n_seen[kind]; i++)
		if (seen[i] == hash)
			return false;
	if (!seen)
		seen = fw_arena_alloc(notes->arena, SEEN_LIMIT * sizeof *seen);
	notes->seen[kind] = seen;
	if (notes->n_seen[kind] == SEEN_LIMIT)
		return false;
	seen[notes->n_seen[kind]++] = hash;
	return true;
}

static void add(struct promql_notes *notes, enum promql_note_kind kind, const char *text)
{
	if (!notes->texts[kind])
		notes->texts[kind] = fw_arena_alloc(
			notes->arena, PROMQL_NOTES_LIMIT * sizeof *notes->texts[kind]);
	notes->texts[kind][notes->n[kind]++] = fw_arena_strdup(notes->arena, text);
}

static void put_place(const struct promql_notes *notes, const struct node *node, char *out)
{
	size_t line = 1, column = 1;
	*out = '\0';
	if (!node || !notes->query)
		return;
	for (uint32_t i = 0; i < node->from && notes->query[i]; i++) {
		bool is_end = notes->query[i] == '\n';
		line += is_end;
		column = is_end ? 1 : column + 1;
	}
	snprintf(out, PLACE_SIZE, " (%zu:%zu)", line, column);
}

void promql_note(struct promql_notes *notes, enum promql_note_kind kind, const struct node *node,
	const char *format, ...)
{
	char text[TEXT_SIZE], place[PLACE_SIZE];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text - sizeof place, format, args);
	va_end(args);
	put_place(notes, node, place);
	size_t length = strlen(text);
	snprintf(text + length, sizeof text - length, "%s", place);
	if (!is_new(notes, kind, text))
		return;
	if (notes->n[kind] < PROMQL_NOTES_LIMIT)
		add(notes, kind, text);
	else
		notes->left_out[kind]++;
}
