/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregations that take one series after the other: only the groups are kept.
 *
 * A group has planes, one number a step each; what they mean is the
 * aggregation's. Sums carry what their rounding loses along (Kahan, Neumaier).
 */
#include <errno.h>
#include <math.h>

#include "evaluate.h"
#include "exact.h"

enum plane { COUNT, VALUE, CARRY, MEAN, PLANES };

struct planes {
	double *at[PLANES];
};

struct aggregation {
	size_t n_planes;
	void (*add)(const struct planes *p, const double *values, size_t n);
	double (*finish)(const struct planes *p, size_t step); /* NULL: it is VALUE */
};

size_t group_of(struct evaluation *e, const struct node *node, const struct series *series,
	struct label_room *room, struct label_table *table)
{
	struct fw_label *labels = label_room(e, room, series->n_labels);
	size_t n = labels_pick(series->labels, series->n_labels, node->aggregate.labels,
		node->aggregate.n_labels, !node->aggregate.without, labels);
	return label_table_put(table, labels, n);
}

/* ---- sums ---- */

static void add_to_sum(const struct planes *p, size_t i, double value)
{
	if (p->at[COUNT][i]++ == 0)
		p->at[VALUE][i] = value;
	else
		exact_put(&p->at[VALUE][i], &p->at[CARRY][i], value);
}

static double finish_sum(const struct planes *p, size_t i)
{
	return p->at[VALUE][i] + p->at[CARRY][i];
}

/* A mean is a sum until that would overflow; from then on MEAN is 1 and VALUE the mean
 * so far. */
static void add_to_mean(const struct planes *p, size_t i, double value)
{
	double *sum = &p->at[VALUE][i], *carry = &p->at[CARRY][i];
	double n = ++p->at[COUNT][i];
	if (n == 1) {
		*sum = value;
		return;
	}
	if (p->at[MEAN][i] == 0) {
		double next = *sum, next_carry = *carry;
		exact_put(&next, &next_carry, value);
		if (!isinf(next)) {
			*sum = next;
			*carry = next_carry;
			return;
		}
		p->at[MEAN][i] = 1;
		*sum /= n - 1;
		*carry /= n - 1;
	}
	*sum *= (n - 1) / n;
	*carry *= (n - 1) / n;
	exact_put(sum, carry, value / n);
}

static double finish_mean(const struct planes *p, size_t i)
{
	double n = p->at[MEAN][i] != 0 ? 1 : p->at[COUNT][i];
	return p->at[VALUE][i] / n + p->at[CARRY][i] / n;
}

/* ---- others ---- */

static void add_to_count(const struct planes *p, size_t i, double value)
{
	(void)value;
	p->at[COUNT][i]++;
}

static double finish_count(const struct planes *p, size_t i)
{
	return p->at[COUNT][i];
}

static double finish_group(const struct planes *p, size_t i)
{
	(void)p;
	(void)i;
	return 1;
}

/* Not a number only where all are. */
static void add_to_min(const struct planes *p, size_t i, double value)
{
	double *least = &p->at[VALUE][i];
	if (p->at[COUNT][i]++ == 0 || value < *least || isnan(*least))
		*least = value;
}

static void add_to_max(const struct planes *p, size_t i, double value)
{
	double *most = &p->at[VALUE][i];
	if (p->at[COUNT][i]++ == 0 || value > *most || isnan(*most))
		*most = value;
}

/* Welford's: VALUE is the sum of the squared distances from the mean. */
static void add_to_variance(const struct planes *p, size_t i, double value)
{
	double n = ++p->at[COUNT][i];
	if (n == 1) {
		p->at[VALUE][i] = isfinite(value) ? 0 : NAN;
		p->at[MEAN][i] = value;
		return;
	}
	double distance = value - p->at[MEAN][i];
	p->at[MEAN][i] += distance / n;
	p->at[VALUE][i] += distance * (value - p->at[MEAN][i]);
}

static double finish_variance(const struct planes *p, size_t i)
{
	return p->at[VALUE][i] / p->at[COUNT][i];
}

static double finish_deviation(const struct planes *p, size_t i)
{
	return sqrt(finish_variance(p, i));
}

/* Of all steps that a series has, in a loop of its own each. */
#define ADD_ALL(name)                                                                  \
	static void name##_all(const struct planes *p, const double *values, size_t n) \
	{                                                                              \
		const struct planes planes = *p;                                       \
		for (size_t i = 0; i < n; i++)                                         \
			if (!promql_is_absent(values[i]))                              \
				name(&planes, i, values[i]);                           \
	}

ADD_ALL(add_to_sum)
ADD_ALL(add_to_mean)
ADD_ALL(add_to_count)
ADD_ALL(add_to_min)
ADD_ALL(add_to_max)
ADD_ALL(add_to_variance)

static const struct aggregation aggregations[N_AGGREGATIONS] = {
	[AGG_SUM] = {CARRY + 1, add_to_sum_all, finish_sum},
	[AGG_AVG] = {MEAN + 1, add_to_mean_all, finish_mean},
	[AGG_COUNT] = {VALUE + 1, add_to_count_all, finish_count},
	[AGG_GROUP] = {VALUE + 1, add_to_count_all, finish_group},
	[AGG_MIN] = {VALUE + 1, add_to_min_all, NULL},
	[AGG_MAX] = {VALUE + 1, add_to_max_all, NULL},
	[AGG_STDDEV] = {MEAN + 1, add_to_variance_all, finish_deviation},
	[AGG_STDVAR] = {MEAN + 1, add_to_variance_all, finish_variance},
};

/* ---- all series ---- */

struct aggregating {
	struct evaluation *e;
	const struct node *node;
	const struct axis *axis;
	const struct aggregation *how;
	struct label_table table;
	struct label_room room;
	struct planes *groups; /* as the table numbers them */
	size_t n_groups, capacity;
};

static int add_group(struct aggregating *a)
{
	struct planes *groups =
		room_for_one(a->e, a->groups, a->n_groups, &a->capacity, sizeof *groups);
	if (!groups)
		return -E2BIG;
	a->groups = groups;
	double *room = take(a->e, a->axis->n, a->how->n_planes * sizeof *room);
	struct planes *group = &a->groups[a->n_groups++];
	for (size_t i = 0; room && i < a->how->n_planes; i++)
		group->at[i] = room + i * a->axis->n;
	a->e->n_held += a->axis->n;
	return room ? 0 : -E2BIG;
}

static int add_series(void *arg, struct series *series)
{
	struct aggregating *a = arg;
	size_t number = group_of(a->e, a->node, series, &a->room, &a->table);
	int rc = check_limits(a->e, a->axis->n);
	if (rc >= 0 && number == a->n_groups)
		rc = add_group(a);
	if (rc < 0)
		return rc;
	const struct planes *group = &a->groups[number];
	a->how->add(group, series->values, a->axis->n);
	return 0;
}

static void finish_group_steps(const struct aggregating *a, const struct planes *group)
{
	for (size_t i = 0; i < a->axis->n; i++) {
		if (group->at[COUNT][i] == 0)
			group->at[VALUE][i] = promql_absent();
		else if (a->how->finish)
			group->at[VALUE][i] = a->how->finish(group, i);
	}
}

int aggregate(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	struct aggregating a = {
		.e = e,
		.node = node,
		.axis = axis,
		.how = &aggregations[node->aggregate.op],
		.table = {.arena = e->arena},
	};
	int rc = evaluate_to(e, node->aggregate.inner, axis, &(struct sink){add_series, &a});
	struct collection groups = collection_of(e, axis, out);
	e->n_held -= a.n_groups * axis->n; /* each counts once: as a series of the answer */
	for (size_t g = 0; g < a.n_groups && rc >= 0; g++) {
		const struct label_entry *entry = &a.table.entries[g];
		finish_group_steps(&a, &a.groups[g]);
		rc = collection_add(&groups,
			&(struct series){entry->labels, entry->n_labels, a.groups[g].at[VALUE]});
	}
	return rc;
}
