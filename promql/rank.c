/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregations that need all values of a step together: a quantile, how many there are of
 * each. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

#include "evaluate.h"
#include "number.h"
#include "quote.h"
#include "workings.h"

struct ranking {
	struct evaluation *e;
	const struct node *node;
	const struct axis *axis;
	struct value in;
	const double *parameter; /* one a step */
	struct label_table table;
	size_t *groups;           /* of each series */
	size_t **members, *sizes; /* of each group: its series, and room for as many */
};

static int sort_into_groups(struct ranking *r)
{
	struct label_room room = {0};
	size_t n = r->in.n_series;
	r->table.arena = r->e->arena;
	r->groups = take(r->e, n, sizeof *r->groups);
	r->sizes = take(r->e, n, sizeof *r->sizes);
	r->members = take(r->e, n, sizeof *r->members);
	if (!r->groups || !r->sizes || !r->members)
		return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		r->groups[i] = group_of(r->e, r->node, &r->in.series[i], &room, &r->table);
		r->sizes[r->groups[i]]++;
	}
	for (size_t g = 0; g < r->table.n; g++) {
		r->members[g] = take(r->e, r->sizes[g], sizeof(size_t));
		if (!r->members[g])
			return -E2BIG;
		r->sizes[g] = 0;
	}
	for (size_t i = 0; i < n; i++)
		r->members[r->groups[i]][r->sizes[r->groups[i]]++] = i;
	return 0;
}

static int begin(
	struct ranking *r, struct evaluation *e, const struct node *node, const struct axis *axis)
{
	struct value parameter;
	*r = (struct ranking){.e = e, .node = node, .axis = axis};
	int rc = evaluate(e, node->aggregate.parameter, axis, &parameter);
	if (rc >= 0)
		rc = evaluate(e, node->aggregate.inner, axis, &r->in);
	r->parameter = parameter.scalar;
	return rc < 0 ? rc : sort_into_groups(r);
}

/* ---- quantiles ---- */

double highest_of(const double *values, size_t n, double *least)
{
	double most = *least = values[0];
	for (size_t i = 1; i < n; i++) {
		*least = fmin(*least, values[i]);
		if (isnan(values[i]) || values[i] > most)
			most = values[i];
	}
	return most;
}

/* Of all steps the worst are named. */
static void warn_of_quantile(const struct ranking *r)
{
	const struct node *parameter = node_bare(r->node->aggregate.parameter);
	double least, most = highest_of(r->parameter, r->axis->n, &least);
	if (isnan(most) || most > 1)
		promql_note_quantile(r->e->notes, parameter, most);
	if (!isnan(most) && least < 0)
		promql_note_quantile(r->e->notes, parameter, least);
}

static void quantile_step(
	const struct ranking *r, size_t group, size_t step, double *room, double *out)
{
	size_t n = 0;
	for (size_t i = 0; i < r->sizes[group]; i++) {
		double value = r->in.series[r->members[group][i]].values[step];
		if (!promql_is_absent(value))
			room[n++] = value;
	}
	if (n > 0)
		*out = promql_quantile(r->parameter[step], room, n);
}

int rank_quantile(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	struct ranking r;
	int rc = begin(&r, e, node, axis);
	if (rc < 0)
		return rc;
	warn_of_quantile(&r);
	struct collection groups = collection_of(e, axis, out);
	double *room = take(e, r.in.n_series, sizeof *room);
	for (size_t g = 0; room && g < r.table.n && rc >= 0; g++) {
		const struct label_entry *entry = &r.table.entries[g];
		double *values = take_values(e, axis);
		if (!values)
			return -E2BIG;
		for (size_t i = 0; i < axis->n && rc >= 0; i++) {
			quantile_step(&r, g, i, room, &values[i]);
			rc = check_limits(e, r.sizes[g]);
		}
		if (rc >= 0)
			rc = collection_add(
				&groups, &(struct series){entry->labels, entry->n_labels, values});
	}
	let_go(e, &r.in, axis);
	return room ? rc : -E2BIG;
}

/* ---- how many of each value ---- */

struct counting {
	struct evaluation *e;
	const struct axis *axis;
	const char *label;
	struct label_table table;
	struct label_room room, group_room;
	struct node grouping; /* as it is, and by the value */
	struct collection out;
};

static int count_value(struct counting *c, const struct series *s, size_t step)
{
	char number[PROMQL_NUMBER_SIZE];
	struct fw_label *labels = label_room(c->e, &c->room, s->n_labels);
	for (size_t i = 0; i < s->n_labels; i++)
		labels[i] = s->labels[i];
	const char *text = promql_plain(s->values[step], number, sizeof number);
	size_t n = labels_put(labels, s->n_labels, c->label, text);
	struct fw_label *picked = label_room(c->e, &c->group_room, n);
	const struct node *g = &c->grouping;
	size_t n_picked = labels_pick(labels, n, g->aggregate.labels, g->aggregate.n_labels,
		!g->aggregate.without, picked);
	size_t group = label_table_find(&c->table, picked, n_picked);
	if (group == LABEL_TABLE_NONE) {
		if (*fw_label_value(picked, n_picked, c->label))
			labels_put(picked, n_picked, c->label, fw_arena_strdup(c->e->arena, text));
		group = label_table_put(&c->table, picked, n_picked);
		struct series made = {
			c->table.entries[group].labels, n_picked, take_values(c->e, c->axis)};
		int rc = made.values ? collection_add(&c->out, &made) : -E2BIG;
		if (rc < 0)
			return rc;
	}
	double *count = &c->out.value->series[group].values[step];
	*count = promql_is_absent(*count) ? 1 : *count + 1;
	return check_limits(c->e, 1);
}

static int count_series(void *arg, struct series *s)
{
	struct counting *c = arg;
	int rc = 0;
	for (size_t i = 0; i < c->axis->n && rc >= 0; i++)
		if (!promql_is_absent(s->values[i]))
			rc = count_value(c, s, i);
	return rc;
}

static struct node grouping_with(struct evaluation *e, const struct node *node, const char *label)
{
	struct node grouping = *node;
	size_t n = node->aggregate.n_labels;
	if (node->aggregate.without)
		return grouping;
	grouping.aggregate.labels =
		fw_arena_alloc(e->arena, (n + 1) * sizeof *grouping.aggregate.labels);
	for (size_t i = 0; i < n; i++)
		grouping.aggregate.labels[i] = node->aggregate.labels[i];
	grouping.aggregate.labels[n] = label;
	grouping.aggregate.n_labels = n + 1;
	return grouping;
}

static int check_label_name(struct evaluation *e, const char *name)
{
	struct fw_buf quoted = {0};
	if (*name && fw_utf8_valid(name, strlen(name)))
		return 0;
	promql_quote(&quoted, name);
	int rc = fail_execution(e, "invalid label name %s", (const char *)quoted.data);
	fw_buf_done(&quoted);
	return rc;
}

int count_values(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	struct value label;
	int rc = evaluate(e, node->aggregate.parameter, axis, &label);
	if (rc < 0)
		return rc;
	rc = check_label_name(e, label.string);
	if (rc < 0)
		return rc;
	struct counting c = {
		.e = e,
		.axis = axis,
		.label = label.string,
		.table = {.arena = e->arena},
		.grouping = grouping_with(e, node, label.string),
		.out = collection_of(e, axis, out),
	};
	return evaluate_to(e, node->aggregate.inner, axis, &(struct sink){count_series, &c});
}
