/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of series that lose their names: those that have the same labels
 * then are one series, or a mistake. */
#include <errno.h>

#include "evaluate.h"

struct fw_label *label_room(struct evaluation *e, struct label_room *room, size_t n)
{
	if (n + 1 > room->capacity) {
		room->capacity = 2 * (n + 1);
		room->labels = fw_arena_alloc(e->arena, room->capacity * sizeof *room->labels);
	}
	return room->labels;
}

/* The name nearly always comes first. */
void drop_name(struct evaluation *e, struct series *series, struct label_room *room)
{
	if (series->n_labels && strcmp(series->labels[0].name, LABEL_NAME) == 0) {
		series->labels++;
		series->n_labels--;
		return;
	}
	struct fw_label *kept = label_room(e, room, series->n_labels);
	series->n_labels = labels_drop(series->labels, series->n_labels, LABEL_NAME, kept);
	series->labels = kept;
}

static bool names_its_metric(const struct node *selector)
{
	for (size_t i = 0; i < selector->selector.n_matchers; i++) {
		const struct matcher *m = &selector->selector.matchers[i];
		if (m->kind == MATCHER_EQUAL && strcmp(m->name, LABEL_NAME) == 0)
			return true;
	}
	return false;
}

static bool groups_by_name(const struct node *aggregate)
{
	if (aggregate->aggregate.without)
		return false;
	for (size_t i = 0; i < aggregate->aggregate.n_labels; i++)
		if (strcmp(aggregate->aggregate.labels[i], LABEL_NAME) == 0)
			return true;
	return false;
}

static bool aggregate_has_one_name(const struct node *node)
{
	enum node_aggregation op = node->aggregate.op;
	if (op == AGG_TOPK || op == AGG_BOTTOMK)
		return has_one_name(node->aggregate.inner);
	return op != AGG_COUNT_VALUES && !groups_by_name(node);
}

static bool call_has_one_name(const struct node *node)
{
	const struct promql_function *f = node->call.function;
	if (f->call || f->special || node->call.n_arguments == 0)
		return false;
	return !f->keeps_name || has_one_name(node->call.arguments[call_subject(node)]);
}

bool has_one_name(const struct node *node)
{
	node = node_bare(node);
	switch (node->kind) {
	case NODE_SELECTOR:
		return names_its_metric(node);
	case NODE_SUBQUERY:
		return has_one_name(node->subquery.inner);
	case NODE_UNARY:
		return node->unary.minus || has_one_name(node->unary.inner);
	case NODE_AGGREGATE:
		return aggregate_has_one_name(node);
	case NODE_CALL:
		return call_has_one_name(node);
	case NODE_BINARY:
	case NODE_NUMBER:
	case NODE_STRING:
	case NODE_PAREN:
		break;
	}
	return false;
}

/* False: both have a value at some step. */
static bool merge(double *into, const double *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (promql_is_absent(from[i]))
			continue;
		if (!promql_is_absent(into[i]))
			return false;
		into[i] = from[i];
	}
	return true;
}

int settle(struct evaluation *e, struct value *value, const struct axis *axis, enum settling how)
{
	struct label_table table = {.arena = e->arena};
	size_t kept = 0;
	for (size_t i = 0; i < value->n_series; i++) {
		const struct series *s = &value->series[i];
		size_t number = label_table_put(&table, s->labels, s->n_labels);
		if (number == kept)
			value->series[kept++] = *s;
		else if (how == SETTLE_REFUSE ||
			!merge(value->series[number].values, s->values, axis->n))
			return fail_same_labels(e);
		int rc = check_limits(e, axis->n);
		if (rc < 0)
			return rc;
	}
	value->n_series = kept;
	return 0;
}
