/* Lists of labels: sorted by name, no name twice, no value empty. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#define LABEL_NAME "__name__" /* of the metric's own name */

uint64_t labels_hash(const struct fw_label *labels, size_t n);
bool labels_same(const struct fw_label *a, size_t n_a, const struct fw_label *b, size_t n_b);
/* The order of answers: by name, value, and number. */
int labels_compare(const struct fw_label *a, size_t n_a, const struct fw_label *b, size_t n_b);

void labels_sort(struct fw_label *labels, size_t n); /* by name */

/* Those that are named, or all but those and the metric's name, into `out`, which has room
 * for n. Returns how many. */
size_t labels_pick(const struct fw_label *labels, size_t n, const char *const *names,
	size_t n_names, bool named, struct fw_label *out);
/* All but one, into `out`, which has room for n. */
size_t labels_drop(const struct fw_label *labels, size_t n, const char *name, struct fw_label *out);
/* One more or with another value, or with "" one less; in place, with room for one more. */
size_t labels_put(struct fw_label *labels, size_t n, const char *name, const char *value);
struct fw_label *labels_copy(const struct fw_label *labels, size_t n, struct fw_arena *arena);

/* {a="b", c="d"}, as sentences name series. */
void labels_print(const struct fw_label *labels, size_t n, struct fw_buf *out);

/* Lists of labels, each once, numbered in the order in which they came. Zeroes and an arena
 * make an empty table. */
struct label_table {
	struct fw_arena *arena;
	struct label_entry *entries;
	uint32_t *slots; /* open addressing, at most half full; 0 is free, else a number + 1 */
	size_t n, n_slots;
};

struct label_entry {
	const struct fw_label *labels;
	size_t n_labels;
	uint64_t hash;
};

/* The number of a list; a new one is copied and gets the next. */
size_t label_table_put(struct label_table *table, const struct fw_label *labels, size_t n);
#define LABEL_TABLE_NONE SIZE_MAX
size_t label_table_find(const struct label_table *table, const struct fw_label *labels, size_t n);
