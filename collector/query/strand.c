/* SPDX-License-Identifier: Apache-2.0 */
#include "strand.h"

#include <stdlib.h>
#include <string.h>

int strand_compare_labels(
	const struct fw_label *a, size_t n_a, const struct fw_label *b, size_t n_b)
{
	for (size_t i = 0; i < n_a && i < n_b; i++) {
		int order = strcmp(a[i].name, b[i].name);
		if (order == 0)
			order = strcmp(a[i].value, b[i].value);
		if (order != 0)
			return order;
	}
	return (n_a > n_b) - (n_a < n_b);
}

static int compare_columns(const struct fw_column *a, const struct fw_column *b)
{
	int order = strcmp(a->name, b->name);
	return order ? order
		     : strand_compare_labels(a->labels, a->n_labels, b->labels, b->n_labels);
}

static int by_series(const void *a, const void *b)
{
	const struct strand *x = a, *y = b;
	int order = compare_columns(x->column, y->column);
	/* The newer schema last: at one time its sample counts. */
	return order ? order
		     : (x->group->schema_id > y->group->schema_id) -
			(x->group->schema_id < y->group->schema_id);
}

struct strand *strands_new(const struct store_group *groups, const struct store_columns *columns,
	size_t n_groups, struct fw_arena *arena, size_t *n)
{
	size_t total = 0;
	for (size_t g = 0; g < n_groups; g++)
		total += groups[g].n_columns;
	struct strand *strands = fw_arena_alloc(arena, total * sizeof *strands), *at = strands;
	for (size_t g = 0; g < n_groups; g++)
		for (size_t c = 0; c < groups[g].n_columns; c++)
			*at++ = (struct strand){
				.group = &groups[g],
				.column = &groups[g].schema->columns[groups[g].columns[c]],
				.times_ms = columns[g].times_ms,
				.cells = columns[g].n ? columns[g].cells[c] : NULL,
				.n = columns[g].n,
			};
	if (n_groups > 1)
		qsort(strands, total, sizeof *strands, by_series);
	*n = total;
	return strands;
}

size_t strands_run(const struct strand *strands, size_t n)
{
	size_t count = 1;
	while (count < n && compare_columns(strands[0].column, strands[count].column) == 0)
		count++;
	return count;
}

static bool is_stale(double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits == FW_STALE_NAN_BITS;
}

bool strands_next(struct strand *run, size_t n, struct sample *out)
{
	const struct strand *first = NULL;
	for (size_t i = 0; i < n; i++) {
		const struct strand *s = &run[i];
		if (s->next < s->n &&
			(!first || s->times_ms[s->next] < first->times_ms[first->next]))
			first = s;
	}
	if (!first)
		return false;
	*out = (struct sample){.at_ms = first->times_ms[first->next], .stale = true};
	for (size_t i = 0; i < n; i++) {
		struct strand *s = &run[i];
		if (s->next == s->n || s->times_ms[s->next] != out->at_ms)
			continue;
		/* A value beats an absence at the same time: it is in the other schema now. */
		double value = fw_column_value(s->column, s->cells[s->next++]);
		if (is_stale(value))
			continue;
		out->value = value;
		out->stale = false;
	}
	return true;
}

const struct fw_label *strand_labels(const struct store_group *group,
	const struct fw_column *column, struct fw_arena *arena, size_t *n)
{
	size_t most = 1 + group->n_host_labels + column->n_labels;
	struct fw_label *labels = fw_arena_alloc(arena, most * sizeof *labels), *at = labels;
	*at++ = (struct fw_label){"__name__", column->name};
	const struct fw_label *h = group->host_labels, *h_end = h + group->n_host_labels;
	const struct fw_label *c = column->labels, *c_end = c + column->n_labels;
	while (h < h_end || c < c_end) {
		int order = h == h_end ? 1 : c == c_end ? -1 : strcmp(h->name, c->name);
		*at++ = order <= 0 ? *h : *c;
		h += order <= 0;
		c += order >= 0;
	}
	*n = (size_t)(at - labels);
	return labels;
}
