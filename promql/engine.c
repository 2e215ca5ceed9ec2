/* SPDX-License-Identifier: Apache-2.0 */
/* How each kind of node is evaluated. What does not change from step to step is
 * worked out once and repeated. */
#include <errno.h>

#include "evaluate.h"

/* ---- what does not change ---- */

const struct node *node_bare(const struct node *node)
{
	while (node->kind == NODE_PAREN)
		node = node->paren;
	return node;
}

static bool is_constant(const struct node *node)
{
	switch (node->kind) {
	case NODE_NUMBER:
	case NODE_STRING:
		return true;
	case NODE_SELECTOR:
		return node->selector.when.at != AT_NONE;
	case NODE_SUBQUERY:
		return node->subquery.when.at != AT_NONE;
	case NODE_PAREN:
		return is_constant(node->paren);
	case NODE_UNARY:
		return is_constant(node->unary.inner);
	case NODE_BINARY:
		return is_constant(node->binary.left) && is_constant(node->binary.right);
	case NODE_AGGREGATE:
		return is_constant(node->aggregate.inner) &&
			(!node->aggregate.parameter || is_constant(node->aggregate.parameter));
	case NODE_CALL:
		for (size_t i = 0; i < node->call.n_arguments; i++)
			if (!is_constant(node->call.arguments[i]))
				return false;
		return !node->call.function->sees_step;
	}
	return false;
}

static double *repeated(struct evaluation *e, const double *first, const struct axis *axis)
{
	double *values = take(e, axis->n, sizeof *values);
	if (values)
		fill(values, axis->n, *first);
	return values;
}

static int evaluate_once(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	const struct axis once = {axis->start_ms, axis->step_ms, 1};
	int rc = evaluate(e, node, &once, out);
	if (rc < 0)
		return rc;
	if (out->scalar && !(out->scalar = repeated(e, out->scalar, axis)))
		return -E2BIG;
	e->n_held += out->n_series * axis->n;
	for (size_t i = 0; i < out->n_series; i++) {
		out->series[i].values = repeated(e, out->series[i].values, axis);
		if (!out->series[i].values || check_limits(e, axis->n) < 0)
			return -E2BIG;
	}
	return 0;
}

/* ---- kinds of nodes ---- */

struct way {
	stream_way *stream;
	whole_way *whole;
	bool drops_name;
	enum settling settling; /* of what has lost its name */
};

static struct way way_of_call(const struct node *node)
{
	const struct promql_function *f = node->call.function;
	bool drops = !f->keeps_name;
	if (f->range || f->slide)
		return (struct way){call_range, NULL, drops, SETTLE_REFUSE};
	if (f->map)
		return (struct way){call_map, NULL, drops, SETTLE_MERGE};
	if (f->special == SPECIAL_TIMESTAMP)
		return (struct way){call_timestamp, NULL, true, SETTLE_MERGE};
	if (f->special == SPECIAL_ABSENT)
		return (struct way){NULL, call_absent, false, SETTLE_MERGE};
	return (struct way){NULL, call_whole, false, SETTLE_MERGE};
}

static struct way way_of_binary(const struct node *node)
{
	bool left = node->binary.left->type == PROMQL_VECTOR;
	bool right = node->binary.right->type == PROMQL_VECTOR;
	bool keeps = node_is_comparison(node->binary.op) && !node->binary.returns_bool;
	if (left && right)
		return (struct way){NULL, match_vectors, false, SETTLE_MERGE};
	if (left || right)
		return (struct way){binary_with_scalar, NULL, !keeps, SETTLE_MERGE};
	return (struct way){NULL, binary_scalars, false, SETTLE_MERGE};
}

static struct way way_of_aggregate(const struct node *node)
{
	static whole_way *const ways[N_AGGREGATIONS] = {
		[AGG_TOPK] = rank_series,
		[AGG_BOTTOMK] = rank_series,
		[AGG_QUANTILE] = rank_quantile,
		[AGG_COUNT_VALUES] = count_values,
	};
	whole_way *whole = ways[node->aggregate.op];
	return (struct way){.whole = whole ? whole : aggregate};
}

static int number_whole(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	out->scalar = repeated(e, &node->number, axis);
	return out->scalar ? 0 : -E2BIG;
}

static int string_whole(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	(void)e;
	(void)axis;
	out->string = node->string;
	return 0;
}

static int unary_scalar(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	int rc = evaluate(e, node->unary.inner, axis, out);
	for (size_t i = 0; rc >= 0 && node->unary.minus && i < axis->n; i++)
		out->scalar[i] = -out->scalar[i];
	return rc;
}

static struct way way_of(const struct node *node)
{
	switch (node->kind) {
	case NODE_NUMBER:
		return (struct way){.whole = number_whole};
	case NODE_STRING:
		return (struct way){.whole = string_whole};
	case NODE_SELECTOR:
		return (struct way){.stream = select_instants};
	case NODE_UNARY:
		if (node->type == PROMQL_SCALAR)
			return (struct way){.whole = unary_scalar};
		return (struct way){unary_vector, NULL, node->unary.minus, SETTLE_REFUSE};
	case NODE_BINARY:
		return way_of_binary(node);
	case NODE_AGGREGATE:
		return way_of_aggregate(node);
	case NODE_CALL:
		return way_of_call(node);
	case NODE_PAREN:
	case NODE_SUBQUERY:
		break;
	}
	return (struct way){0};
}

/* The node whose series lose their names here. */
static const struct node *named_inside(const struct node *node)
{
	if (node->kind == NODE_UNARY)
		return node->unary.inner;
	if (node->kind == NODE_CALL)
		return node->call.arguments[call_subject(node)];
	return node->binary.left->type == PROMQL_VECTOR ? node->binary.left : node->binary.right;
}

static bool needs_settling(const struct node *node, const struct way *way)
{
	return way->drops_name && !has_one_name(named_inside(node));
}

int evaluate(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	node = node_bare(node);
	*out = (struct value){0};
	if (axis->n > 1 && node->kind != NODE_NUMBER && is_constant(node))
		return evaluate_once(e, node, axis, out);
	const struct way way = way_of(node);
	int rc;
	if (way.whole) {
		rc = way.whole(e, node, axis, out);
	} else if (way.stream) {
		struct collection all = collection_of(e, axis, out);
		rc = way.stream(e, node, axis, &(struct sink){collect, &all});
		if (rc >= 0 && needs_settling(node, &way))
			rc = settle(e, out, axis, way.settling);
	} else {
		rc = fail_execution(e, "a range vector has no place here");
	}
	out->type = node->type;
	return rc < 0 ? rc : check_limits(e, axis->n);
}

int evaluate_to(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink)
{
	node = node_bare(node);
	const struct way way = way_of(node);
	if (way.stream && !needs_settling(node, &way) && !(axis->n > 1 && is_constant(node)))
		return way.stream(e, node, axis, sink);
	struct value value;
	int rc = evaluate(e, node, axis, &value);
	if (rc >= 0)
		rc = push(&value, sink);
	let_go(e, &value, axis);
	return rc;
}
