/* SPDX-License-Identifier: Apache-2.0 */
#include "strand.h"

#include <stdlib.h>
#include <string.h>

#include "labels.h"
#include "value.h"

static int compare_columns(const struct fw_column *a, const struct fw_column *b)
{
	int order = strcmp(a->name, b->name);
	return order ? order : labels_compare(a->labels, a->n_labels, b->labels, b->n_labels);
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
				.times_ms = columns ? columns[g].times_ms : NULL,
				.cells = columns && columns[g].n ? columns[g].cells[c] : NULL,
				.n = columns ? columns[g].n : 0,
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

/* A series that stands for itself says nothing there. */
static void pass_unsaid(struct strand *s)
{
	while (s->next < s->n && s->cells[s->next] == STORE_UNSAID)
		s->next++;
}

bool strands_next(struct strand *run, size_t n, struct sample *out)
{
	const struct strand *first = NULL;
	for (size_t i = 0; i < n; i++) {
		struct strand *s = &run[i];
		if (s->column->type & STORE_ALONE)
			pass_unsaid(s);
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
		if (promql_is_absent(value))
			continue;
		out->value = value;
		out->stale = false;
	}
	return true;
}

size_t strand_labels_most(const struct store_group *group, const struct fw_column *column)
{
	return 1 + group->n_host_labels + column->n_labels;
}

/* Both lists are sorted; of one name the column's counts. Empty labels are none. */
size_t strand_labels(
	const struct store_group *group, const struct fw_column *column, struct fw_label *out)
{
	const struct fw_label *h = group->host_labels, *h_end = h + group->n_host_labels;
	const struct fw_label *c = column->labels, *c_end = c + column->n_labels;
	const struct fw_label name = {LABEL_NAME, column->name}, *m = &name, *m_end = m + 1;
	size_t n = 0;
	while (h < h_end || c < c_end || m < m_end) {
		const struct fw_label *least = m < m_end ? m : c < c_end ? c : h;
		if (c < c_end && strcmp(c->name, least->name) < 0)
			least = c;
		if (h < h_end && strcmp(h->name, least->name) < 0)
			least = h;
		if (*least->value)
			out[n++] = *least;
		if (h < h_end && strcmp(h->name, least->name) == 0)
			h++;
		c += least == c;
		m += least == m;
	}
	return n;
}
