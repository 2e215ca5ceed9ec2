/* SPDX-License-Identifier: Apache-2.0 */
/* The highest and the lowest of each step.
 *
 * Series are taken one after the other. Each step of a group has the best so far in a heap,
 * the worst of them on top, so that most values are seen at a glance not to be among them.
 * Only of series that came into a heap anything is kept.
 */
#include <errno.h>
#include <math.h>

#include "evaluate.h"
#include "number.h"

struct ranked_one {
	double value;  /* negated where the lowest are asked for: the highest count */
	size_t series; /* as they came into a heap first */
};

/* Those of one step, the one that would go first on top. */
struct heap {
	struct ranked_one *at;
	size_t n;
};

/* The heaps of a group, that of step i at at[i * room]. */
struct podium {
	struct ranked_one *at;
	size_t *n;        /* of each step */
	size_t room;      /* places a step */
	size_t n_members; /* series that have come */
};

struct ranking {
	struct evaluation *e;
	const struct node *node;
	const struct axis *axis;
	bool lowest;
	const size_t *wanted; /* how many of each step */
	size_t most_wanted;
	struct label_table table;
	struct label_room room;
	struct podium *groups; /* as the table numbers them */
	size_t n_groups, groups_capacity;
	struct series *series; /* their values: those that were chosen, NULL: none yet */
	size_t n_series, series_capacity;
};

/* ---- heaps ---- */

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

/* Whether it is among the best so far. */
static inline bool offer(struct heap *h, const struct ranked_one *one, size_t wanted)
{
	if (h->n < wanted) {
		h->at[h->n++] = *one;
		rise(h, h->n - 1);
		return true;
	}
	if (wanted == 0 || !is_worse(&h->at[0], one))
		return false;
	h->at[0] = *one;
	sink_down(h, 0);
	return true;
}

/* The worst goes behind the others until all lie in order, the best first. */
static void put_in_order(struct heap h)
{
	while (h.n > 1) {
		swap(&h.at[0], &h.at[--h.n]);
		sink_down(&h, 0);
	}
}

/* ---- how many are asked for ---- */

/* 0, or that the question has failed. */
static int check_counts(struct evaluation *e, const double *counts, size_t n)
{
	char text[PROMQL_NUMBER_SIZE];
	double least, most = highest_of(counts, n, &least);
	if (most < 1)
		return 0;
	if (isnan(most))
		return fail_execution(e, "Parameter value is NaN");
	if (least <= (double)INT64_MIN)
		return fail_execution(e, "Scalar value %s underflows int64",
			promql_general(least, text, sizeof text));
	if (most >= 0x1.fffffffffffffp62) /* the last double below 2^63 already, there */
		return fail_execution(e, "Scalar value %s overflows int64",
			promql_general(most, text, sizeof text));
	return 0;
}

static int count_wanted(struct ranking *r)
{
	struct value parameter;
	const struct axis *axis = r->axis;
	int rc = evaluate(r->e, r->node->aggregate.parameter, axis, &parameter);
	if (rc >= 0)
		rc = check_counts(r->e, parameter.scalar, axis->n);
	size_t *wanted = rc < 0 ? NULL : take(r->e, axis->n, sizeof *wanted);
	if (!wanted)
		return rc < 0 ? rc : -E2BIG;
	for (size_t i = 0; i < axis->n; i++) {
		wanted[i] = parameter.scalar[i] >= 1 ? (size_t)parameter.scalar[i] : 0;
		r->most_wanted = wanted[i] > r->most_wanted ? wanted[i] : r->most_wanted;
	}
	r->wanted = wanted;
	return 0;
}

/* ---- one series after the other ---- */

static int add_group(struct ranking *r)
{
	struct podium *groups =
		room_for_one(r->e, r->groups, r->n_groups, &r->groups_capacity, sizeof *groups);
	if (!groups)
		return -E2BIG;
	r->groups = groups;
	size_t *n = take(r->e, r->axis->n, sizeof *n);
	r->groups[r->n_groups++] = (struct podium){.n = n};
	return n ? 0 : -E2BIG;
}

/* A place a step for each member, but no more than are wanted. */
static int make_places(struct ranking *r, struct podium *p)
{
	size_t steps = r->axis->n, room = 2 * p->n_members;
	room = room < r->most_wanted ? room : r->most_wanted;
	if (p->n_members <= p->room || p->room == r->most_wanted)
		return 0;
	struct ranked_one *at = take(r->e, steps, room * sizeof *at);
	if (!at)
		return -E2BIG;
	for (size_t i = 0; i < steps; i++)
		for (size_t k = 0; k < p->n[i]; k++)
			at[i * room + k] = p->at[i * p->room + k];
	r->e->n_held += steps * (room - p->room);
	p->at = at;
	p->room = room;
	return 0;
}

/* Whether it is among the best of any step. */
static bool offer_steps(const struct ranking *r, const struct podium *p, const double *values)
{
	bool stands = false;
	for (size_t i = 0; i < r->axis->n; i++) {
		if (promql_is_absent(values[i]))
			continue;
		struct heap heap = {p->at + i * p->room, p->n[i]};
		const struct ranked_one one = {r->lowest ? -values[i] : values[i], r->n_series};
		stands |= offer(&heap, &one, r->wanted[i]);
		p->n[i] = heap.n;
	}
	return stands;
}

static int keep_labels(struct ranking *r, const struct series *series)
{
	struct series *all =
		room_for_one(r->e, r->series, r->n_series, &r->series_capacity, sizeof *all);
	if (!all)
		return -E2BIG;
	r->series = all;
	r->series[r->n_series++] = (struct series){
		labels_copy(series->labels, series->n_labels, r->e->arena), series->n_labels, NULL};
	return 0;
}

static int rank_one(void *arg, struct series *series)
{
	struct ranking *r = arg;
	size_t number = group_of(r->e, r->node, series, &r->room, &r->table);
	int rc = check_limits(r->e, r->axis->n);
	if (rc >= 0 && number == r->n_groups)
		rc = add_group(r);
	if (rc < 0)
		return rc;
	struct podium *podium = &r->groups[number];
	podium->n_members++;
	rc = make_places(r, podium);
	return rc >= 0 && offer_steps(r, podium, series->values) ? keep_labels(r, series) : rc;
}

/* ---- the answer ---- */

static int choose(struct ranking *r, const struct ranked_one *one, size_t step)
{
	struct series *series = &r->series[one->series];
	if (!series->values)
		series->values = take_values(r->e, r->axis);
	if (!series->values)
		return -E2BIG;
	series->values[step] = r->lowest ? -one->value : one->value;
	return 0;
}

static int choose_of(struct ranking *r, const struct podium *p)
{
	int rc = check_limits(r->e, r->axis->n);
	for (size_t i = 0; i < r->axis->n; i++)
		for (size_t k = 0; k < p->n[i] && rc >= 0; k++)
			rc = choose(r, &p->at[i * p->room + k], i);
	return rc;
}

/* Of one step: the best of each group first. */
static int give_in_order(struct ranking *r, const struct podium *p, struct collection *out)
{
	int rc = 0;
	put_in_order((struct heap){p->at, p->n[0]});
	for (size_t k = 0; k < p->n[0] && rc >= 0; k++)
		rc = collection_add(out, &r->series[p->at[k].series]);
	return rc;
}

static int give(struct ranking *r, struct collection *out)
{
	int rc = 0;
	for (size_t g = 0; g < r->n_groups && rc >= 0; g++) {
		const struct podium *p = &r->groups[g];
		r->e->n_held -= r->axis->n * p->room; /* each counts once: as one of the answer */
		rc = choose_of(r, p);
		if (rc >= 0 && r->axis->n == 1)
			rc = give_in_order(r, p, out);
	}
	/* A range has its series in the order of their labels. */
	for (size_t i = 0; r->axis->n > 1 && i < r->n_series && rc >= 0; i++)
		if (r->series[i].values)
			rc = collection_add(out, &r->series[i]);
	return rc;
}

int rank_series(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	struct ranking r = {
		.e = e,
		.node = node,
		.axis = axis,
		.lowest = node->aggregate.op == AGG_BOTTOMK,
		.table = {.arena = e->arena},
	};
	int rc = count_wanted(&r);
	struct collection all = collection_of(e, axis, out);
	if (rc >= 0)
		rc = evaluate_to(e, node->aggregate.inner, axis, &(struct sink){rank_one, &r});
	return rc < 0 ? rc : give(&r, &all);
}
