/* SPDX-License-Identifier: Apache-2.0 */
#include "labels.h"

#include <stdlib.h>
#include <string.h>

#include "quote.h"

/* FNV-1a, the terminating zero with it, so that texts cannot run into each other. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
	while (*text++);
	return hash;
}

uint64_t labels_hash(const struct fw_label *labels, size_t n)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	for (size_t i = 0; i < n; i++)
		hash = hash_text(hash_text(hash, labels[i].name), labels[i].value);
	return hash ^ hash >> 29;
}

bool labels_same(const struct fw_label *a, size_t n_a, const struct fw_label *b, size_t n_b)
{
	return n_a == n_b && labels_compare(a, n_a, b, n_b) == 0;
}

/* The same text often is at the same place. */
static int compare_text(const char *a, const char *b)
{
	return a == b ? 0 : strcmp(a, b);
}

int labels_compare(const struct fw_label *a, size_t n_a, const struct fw_label *b, size_t n_b)
{
	for (size_t i = 0; i < n_a && i < n_b; i++) {
		int order = compare_text(a[i].name, b[i].name);
		if (order == 0)
			order = compare_text(a[i].value, b[i].value);
		if (order != 0)
			return order;
	}
	return (n_a > n_b) - (n_a < n_b);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fw_label *)a)->name, ((const struct fw_label *)b)->name);
}

void labels_sort(struct fw_label *labels, size_t n)
{
	if (n > 1)
		qsort(labels, n, sizeof *labels, by_name);
}

static bool is_among(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

size_t labels_pick(const struct fw_label *labels, size_t n, const char *const *names,
	size_t n_names, bool named, struct fw_label *out)
{
	size_t picked = 0;
	for (size_t i = 0; i < n; i++) {
		bool among = is_among(labels[i].name, names, n_names);
		if (named ? among : !among && strcmp(labels[i].name, LABEL_NAME) != 0)
			out[picked++] = labels[i];
	}
	return picked;
}

size_t labels_drop(const struct fw_label *labels, size_t n, const char *name, struct fw_label *out)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++)
		if (strcmp(labels[i].name, name) != 0)
			out[kept++] = labels[i];
	return kept;
}

size_t labels_put(struct fw_label *labels, size_t n, const char *name, const char *value)
{
	size_t at = 0;
	while (at < n && strcmp(labels[at].name, name) < 0)
		at++;
	bool is_there = at < n && strcmp(labels[at].name, name) == 0;
	if (!*value) {
		if (is_there)
			memmove(labels + at, labels + at + 1, (n - at - 1) * sizeof *labels);
		return n - is_there;
	}
	if (!is_there)
		memmove(labels + at + 1, labels + at, (n - at) * sizeof *labels);
	labels[at] = (struct fw_label){name, value};
	return n + !is_there;
}

struct fw_label *labels_copy(const struct fw_label *labels, size_t n, struct fw_arena *arena)
{
	struct fw_label *copy = fw_arena_alloc(arena, n * sizeof *copy + 1);
	if (n)
		memcpy(copy, labels, n * sizeof *copy);
	return copy;
}

/* ---- as text ---- */

void labels_print(const struct fw_label *labels, size_t n, struct fw_buf *out)
{
	fw_buf_putc(out, '{');
	for (size_t i = 0; i < n; i++) {
		fw_buf_puts(out, i ? ", " : "");
		promql_put_name(out, labels[i].name);
		fw_buf_putc(out, '=');
		promql_quote(out, labels[i].value);
	}
	fw_buf_putc(out, '}');
}

/* ---- a table of them ---- */

static size_t slot_of(
	const struct label_table *table, const struct fw_label *labels, size_t n, uint64_t hash)
{
	size_t slot = hash & (table->n_slots - 1);
	for (; table->slots[slot]; slot = (slot + 1) & (table->n_slots - 1)) {
		const struct label_entry *entry = &table->entries[table->slots[slot] - 1];
		if (entry->hash == hash && labels_same(entry->labels, entry->n_labels, labels, n))
			break;
	}
	return slot;
}

static void grow(struct label_table *table)
{
	size_t n_slots = table->n_slots ? 2 * table->n_slots : 16;
	struct label_entry *entries = fw_arena_alloc(table->arena, n_slots / 2 * sizeof *entries);
	if (table->n)
		memcpy(entries, table->entries, table->n * sizeof *entries);
	table->entries = entries;
	table->n_slots = n_slots;
	table->slots = fw_arena_alloc(table->arena, n_slots * sizeof *table->slots);
	for (size_t i = 0; i < table->n; i++) {
		size_t slot = entries[i].hash & (n_slots - 1);
		while (table->slots[slot])
			slot = (slot + 1) & (n_slots - 1);
		table->slots[slot] = (uint32_t)i + 1;
	}
}

size_t label_table_put(struct label_table *table, const struct fw_label *labels, size_t n)
{
	if (2 * table->n >= table->n_slots)
		grow(table);
	uint64_t hash = labels_hash(labels, n);
	size_t slot = slot_of(table, labels, n, hash);
	if (table->slots[slot] == 0) {
		table->entries[table->n] =
			(struct label_entry){labels_copy(labels, n, table->arena), n, hash};
		table->slots[slot] = (uint32_t)++table->n;
	}
	return table->slots[slot] - 1;
}

size_t label_table_find(const struct label_table *table, const struct fw_label *labels, size_t n)
{
	if (table->n_slots == 0)
		return LABEL_TABLE_NONE;
	size_t slot = slot_of(table, labels, n, labels_hash(labels, n));
	return table->slots[slot] ? table->slots[slot] - 1 : LABEL_TABLE_NONE;
}
