/* SPDX-License-Identifier: Apache-2.0 */
/* Which series, names and values there are. Samples are not looked at: a series
 * counts where its schema has sweeps in the time asked for.
 */
#include "query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "labels.h"
#include "matching.h"
#include "scope.h"
#include "store.h"
#include "strand.h"
#include "texts.h"

/* ---- groups that any of the selectors takes ---- */

struct finding {
	struct store *store;
	const struct query_scope *scope;
	int64_t from_ms, to_ms;
	struct fw_arena *arena;
	int (*on_groups)(void *arg, const struct store_group *groups, size_t n);
	void *arg;
};

static int find_one(const struct finding *f, const char *text, struct fw_err *err)
{
	struct node *selector;
	struct matching matching;
	int rc = promql_parse_selector(text, f->arena, &selector, err);
	if (rc < 0)
		return rc;
	if (node_takes_all(selector))
		return fw_fail(err, -EINVAL, "match[] must contain at least one non-empty matcher");
	rc = matching_init(&matching, selector->selector.matchers, selector->selector.n_matchers,
		f->arena, err);
	if (rc < 0)
		return rc;
	struct store_group *groups;
	size_t n;
	rc = store_select(f->store, matching.matchers, matching.n_matchers, f->from_ms, f->to_ms,
		f->arena, &groups, &n, err);
	if (rc >= 0)
		rc = f->on_groups(f->arg, groups, scope_keep(f->scope, groups, n));
	matching_done(&matching);
	return rc;
}

static int find(const struct finding *f, const char *const *selectors, size_t n_selectors,
	struct fw_err *err)
{
	for (size_t i = 0; i < n_selectors; i++) {
		int rc = find_one(f, selectors[i], err);
		if (rc < 0)
			return rc;
	}
	if (n_selectors > 0)
		return 0;
	struct store_group *groups;
	size_t n;
	int rc = store_select(f->store, NULL, 0, f->from_ms, f->to_ms, f->arena, &groups, &n, err);
	return rc < 0 ? rc : f->on_groups(f->arg, groups, scope_keep(f->scope, groups, n));
}

/* ---- series ---- */

struct series_list {
	struct fw_arena *arena;
	struct series *items;
	size_t count, capacity;
};

static int add_series(void *arg, const struct store_group *groups, size_t n)
{
	struct series_list *list = arg;
	size_t more = 0;
	for (size_t g = 0; g < n; g++)
		more += groups[g].n_columns;
	struct series *items = fw_arena_try(list->arena, (list->count + more + 1) * sizeof *items);
	if (!items)
		return -E2BIG;
	for (size_t i = 0; i < list->count; i++)
		items[i] = list->items[i];
	list->items = items;
	for (size_t g = 0; g < n; g++) {
		for (size_t c = 0; c < groups[g].n_columns; c++) {
			struct series *s = &items[list->count++];
			const struct fw_column *column =
				&groups[g].schema->columns[groups[g].columns[c]];
			struct fw_label *labels = fw_arena_alloc(list->arena,
				strand_labels_most(&groups[g], column) * sizeof *labels);
			s->n_labels = strand_labels(&groups[g], column, labels);
			s->labels = labels;
		}
	}
	return 0;
}

static int by_labels(const void *a, const void *b)
{
	const struct series *x = a, *y = b;
	return labels_compare(x->labels, x->n_labels, y->labels, y->n_labels);
}

int query_find_series(struct store *store, const struct query_scope *scope,
	const char *const *selectors, size_t n_selectors, int64_t start_ms, int64_t end_ms,
	struct fw_arena *arena, struct query_found *out, struct fw_err *err)
{
	struct series_list list = {.arena = arena};
	struct finding f = {store, scope, start_ms, end_ms, arena, add_series, &list};
	*out = (struct query_found){0};
	int rc = find(&f, selectors, n_selectors, err);
	if (rc == -E2BIG)
		return fw_fail(err, rc, "too many series: ask for fewer");
	if (rc < 0)
		return rc;
	qsort(list.items, list.count, sizeof *list.items, by_labels);
	size_t kept = 0;
	for (size_t i = 0; i < list.count; i++)
		if (kept == 0 || by_labels(&list.items[kept - 1], &list.items[i]) != 0)
			list.items[kept++] = list.items[i];
	*out = (struct query_found){list.items, kept};
	return 0;
}

/* ---- names and values ---- */

struct names {
	struct texts texts;
	const char *label;             /* collect its values; NULL: all names */
	const struct fw_schema *whole; /* the last schema that was taken whole */
};

static void add_text(struct names *names, const char *text)
{
	if (!*text) /* an empty label is none */
		return;
	struct texts_slot *slot = texts_put(&names->texts, text);
	slot->text = text;
}

static void add_labels(struct names *names, const struct fw_label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!names->label && *labels[i].value)
			add_text(names, labels[i].name);
		else if (names->label && strcmp(labels[i].name, names->label) == 0)
			add_text(names, labels[i].value);
	}
}

static void add_column(struct names *names, const struct fw_column *column)
{
	struct fw_label name = {"__name__", column->name};
	add_labels(names, &name, 1);
	add_labels(names, column->labels, column->n_labels);
}

static int add_names(void *arg, const struct store_group *groups, size_t n)
{
	struct names *names = arg;
	for (size_t g = 0; g < n; g++) {
		const struct store_group *group = &groups[g];
		bool is_whole = group->n_columns == group->schema->n_columns;
		add_labels(names, group->host_labels, group->n_host_labels);
		/* Hosts of one kind share their schema: once is enough. */
		if (is_whole && group->schema == names->whole)
			continue;
		for (size_t c = 0; c < group->n_columns; c++)
			add_column(names, &group->schema->columns[group->columns[c]]);
		if (is_whole)
			names->whole = group->schema;
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int find_names(struct names *names, const struct finding *f, const char *const *selectors,
	size_t n_selectors, struct query_names *out, struct fw_err *err)
{
	int rc = find(f, selectors, n_selectors, err);
	if (rc < 0)
		return rc;
	const struct texts *texts = &names->texts;
	out->items = fw_arena_alloc(texts->arena, (texts->count + 1) * sizeof *out->items);
	out->count = 0;
	for (size_t i = 0; i < texts->n_slots; i++)
		if (texts->slots[i].text)
			out->items[out->count++] = texts->slots[i].text;
	qsort(out->items, out->count, sizeof *out->items, by_text);
	return 0;
}

int query_label_names(struct store *store, const struct query_scope *scope,
	const char *const *selectors, size_t n_selectors, int64_t start_ms, int64_t end_ms,
	struct fw_arena *arena, struct query_names *out, struct fw_err *err)
{
	struct names names = {.texts = {.arena = arena}};
	struct finding f = {store, scope, start_ms, end_ms, arena, add_names, &names};
	return find_names(&names, &f, selectors, n_selectors, out, err);
}

int query_label_values(struct store *store, const struct query_scope *scope, const char *label,
	const char *const *selectors, size_t n_selectors, int64_t start_ms, int64_t end_ms,
	struct fw_arena *arena, struct query_names *out, struct fw_err *err)
{
	struct names names = {.texts = {.arena = arena}, .label = label};
	struct finding f = {store, scope, start_ms, end_ms, arena, add_names, &names};
	return find_names(&names, &f, selectors, n_selectors, out, err);
}
