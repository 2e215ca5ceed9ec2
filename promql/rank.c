/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregations that need all values of a step together: the highest, the lowest,
 * a quantile, how many there are of each. */
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

/* ---- the highest and the lowest ---- */

struct ranked_one {
	double value; /* negated where the lowest are asked for: the highest count */
	size_t series;
};

/* Series at one step, the one that would go first on top. */
struct heap {
	struct ranked_one *at;
	size_t n;
};

/* Whether `a` is to go before `b`; what is not a number goes first, then who came last. */
static inline bool is_worse(const struct ranked_one *a, const struct ranked_one *b)
{
	if (a->value < b->value)
		return true;
	if (a->value > b->value)
		return false;
	if (a->value == b->value || (isnan(a->value) && isnan(b->value)))
		return a->series > b->series;
	return isnan(a->value);
}

static void swap(struct ranked_one *a, struct ranked_one *b)
{
	struct ranked_one kept = *a;
	*a = *b;
	*b = kept;
}

static void sink_down(const struct heap *h, size_t from)
{
	struct ranked_one *at = h->at;
	for (size_t child; (child = 2 * from + 1) < h->n; from = child) {
		if (child + 1 < h->n && is_worse(&at[child + 1], &at[child]))
			child++;
		if (!is_worse(&at[child], &at[from]))
			return;
		swap(&at[child], &at[from]);
	}
}

static void rise(const struct heap *h, size_t from)
{
	struct ranked_one *at = h->at;
	for (; from > 0 && is_worse(&at[from], &at[(from - 1) / 2]); from = (from - 1) / 2)
		swap(&at[from], &at[(from - 1) / 2]);
}

static inline void offer(struct heap *h, const struct ranked_one *one, size_t most)
{
	if (h->n < most) {
		h->at[h->n++] = *one;
		rise(h, h->n - 1);
	} else if (is_worse(&h->at[0], one)) {
		h->at[0] = *one;
		sink_down(h, 0);
	}
}

/* The worst goes behind the others until all lie in order, the best first. */
static void put_in_order(struct heap *h)
{
	size_t n = h->n;
	while (h->n > 1) {
		swap(&h->at[0], &h->at[--h->n]);
		sink_down(h, 0);
	}
	h->n = n;
}

/* Of the parameters of all steps; NaN, if one is. */
static double most_of(const struct ranking *r, double *least)
{
	double most = *least = r->parameter[0];
	for (size_t i = 1; i < r->axis->n; i++) {
		*least = fmin(*least, r->parameter[i]);
		if (isnan(r->parameter[i]) || r->parameter[i] > most)
			most = r->parameter[i];
	}
	return most;
}

/* 0: none are asked for. */
static int check_counts(const struct ranking *r)
{
	char text[PROMQL_NUMBER_SIZE];
	double least, most = most_of(r, &least);
	if (most < 1)
		return 0;
	if (isnan(most))
		return fail_execution(r->e, "Parameter value is NaN");
	if (least <= (double)INT64_MIN)
		return fail_execution(r->e, "Scalar value %s underflows int64",
			promql_general(least, text, sizeof text));
	if (most >= 0x1.fffffffffffffp62) /* the last double below 2^63 already, there */
		return fail_execution(r->e, "Scalar value %s overflows int64",
			promql_general(most, text, sizeof text));
	return 1;
}

struct ranked {
	struct ranking *r;
	double **values;        /* of each series: those that were chosen, NULL: none yet */
	size_t *offered;        /* the last step at which it was, and one */
	struct collection *out; /* for one step: in order */
};

static int choose(struct ranked *ranked, size_t series, size_t step)
{
	struct ranking *r = ranked->r;
	double **values = &ranked->values[series];
	if (!*values)
		*values = take_values(r->e, r->axis);
	if (!*values)
		return -E2BIG;
	const struct series *from = &r->in.series[series];
	(*values)[step] = from->values[step];
	if (r->axis->n > 1)
		return 0;
	return collection_add(ranked->out, &(struct series){from->labels, from->n_labels, *values});
}

static inline void offer_series(
	const struct ranking *r, size_t series, size_t step, size_t most, struct heap *heap)
{
	double value = r->in.series[series].values[step];
	bool lowest = r->node->aggregate.op == AGG_BOTTOMK;
	if (!promql_is_absent(value))
		offer(heap, &(struct ranked_one){lowest ? -value : value, series}, most);
}

/* Those of the step before go first: most are so again, and the others are seen not to be at
 * a glance. */
static void offer_all(const struct ranked *ranked, size_t group, size_t step, struct heap *heap)
{
	const struct ranking *r = ranked->r;
	double count = r->parameter[step];
	size_t n = r->sizes[group], most = count < 1 ? 0 : count > (double)n ? n : (size_t)count;
	size_t before = heap->n;
	heap->n = 0;
	if (most == 0)
		return;
	for (size_t i = 0; i < before; i++) {
		size_t series = heap->at[i].series;
		ranked->offered[series] = step + 1;
		offer_series(r, series, step, most, heap);
	}
	for (size_t i = 0; i < n; i++)
		if (ranked->offered[r->members[group][i]] != step + 1)
			offer_series(r, r->members[group][i], step, most, heap);
}

static int rank_step(struct ranked *ranked, size_t group, size_t step, struct heap *heap)
{
	struct ranking *r = ranked->r;
	offer_all(ranked, group, step, heap);
	if (r->axis->n == 1) /* a range has its series in the order of their labels */
		put_in_order(heap);
	int rc = check_limits(r->e, r->sizes[group]);
	for (size_t i = 0; i < heap->n && rc >= 0; i++)
		rc = choose(ranked, heap->at[i].series, step);
	return rc;
}

static int rank_groups(struct ranked *ranked)
{
	struct ranking *r = ranked->r;
	struct heap heap = {take(r->e, r->in.n_series, sizeof *heap.at), 0};
	int rc = heap.at ? 0 : -E2BIG;
	for (size_t g = 0; g < r->table.n; g++, heap.n = 0)
		for (size_t i = 0; i < r->axis->n && rc >= 0; i++)
			rc = rank_step(ranked, g, i, &heap);
	return rc;
}

int rank_series(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	struct ranking r;
	int rc = begin(&r, e, node, axis);
	if (rc >= 0)
		rc = check_counts(&r);
	struct collection all = collection_of(e, axis, out);
	if (rc == 0)
		let_go(e, &r.in, axis);
	if (rc <= 0)
		return rc;
	struct ranked ranked = {&r, take(e, r.in.n_series, sizeof *ranked.values),
		take(e, r.in.n_series, sizeof *ranked.offered), &all};
	if (!ranked.values || !ranked.offered)
		return -E2BIG;
	rc = rank_groups(&ranked);
	for (size_t i = 0; axis->n > 1 && i < r.in.n_series && rc >= 0; i++)
		if (ranked.values[i])
			rc = collection_add(&all,
				&(struct series){r.in.series[i].labels, r.in.series[i].n_labels,
					ranked.values[i]});
	let_go(e, &r.in, axis);
	return rc;
}

/* ---- quantiles ---- */

/* Of all steps the worst are named. */
static void warn_of_quantile(const struct ranking *r)
{
	const struct node *parameter = node_bare(r->node->aggregate.parameter);
	double least, most = most_of(r, &least);
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
