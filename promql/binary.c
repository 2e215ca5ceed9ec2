/* SPDX-License-Identifier: Apache-2.0 */
/* Operators on numbers, and on a vector and a number. */
#include <errno.h>
#include <math.h>

#include "evaluate.h"

static double operate(enum node_operator op, double left, double right)
{
	switch (op) {
	case OP_ADD:
		return left + right;
	case OP_SUB:
		return left - right;
	case OP_MUL:
		return left * right;
	case OP_DIV:
		return left / right;
	case OP_MOD:
		return fmod(left, right);
	case OP_POW:
		return pow(left, right);
	case OP_ATAN2:
		return atan2(left, right);
	default:
		return left;
	}
}

static bool compares(enum node_operator op, double left, double right)
{
	switch (op) {
	case OP_EQUAL:
		return left == right;
	case OP_DIFFERENT:
		return left != right;
	case OP_GREATER:
		return left > right;
	case OP_LESS:
		return left < right;
	case OP_GREATER_EQUAL:
		return left >= right;
	case OP_LESS_EQUAL:
		return left <= right;
	default:
		return true;
	}
}

double binary_value(const struct node *node, double left, double right, double kept)
{
	const enum node_operator op = node->binary.op;
	if (!node_is_comparison(op))
		return operate(op, left, right);
	if (node->binary.returns_bool)
		return compares(op, left, right);
	return compares(op, left, right) ? kept : promql_absent();
}

int binary_scalars(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	struct value left, right;
	int rc = evaluate(e, node->binary.left, axis, &left);
	if (rc >= 0)
		rc = evaluate(e, node->binary.right, axis, &right);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < axis->n; i++)
		left.scalar[i] = binary_value(node, left.scalar[i], right.scalar[i], 0);
	out->scalar = left.scalar;
	return 0;
}

/* ---- a vector and a scalar ---- */

struct applying {
	struct evaluation *e;
	const struct node *node;
	size_t n_steps;
	bool scalar_is_left, drops_name;
	const double *scalar;
	const struct sink *sink;
	struct label_room labels;
};

/* A filter keeps the vector's value, whichever side it stands on. */
static double apply_one(const struct applying *a, double value, double scalar)
{
	double left = a->scalar_is_left ? scalar : value;
	double right = a->scalar_is_left ? value : scalar;
	return binary_value(a->node, left, right, value);
}

static int apply(void *arg, struct series *series)
{
	struct applying *a = arg;
	bool any = false;
	for (size_t i = 0; i < a->n_steps; i++) {
		if (promql_is_absent(series->values[i]))
			continue;
		series->values[i] = apply_one(a, series->values[i], a->scalar[i]);
		any |= !promql_is_absent(series->values[i]);
	}
	struct series result = *series;
	if (a->drops_name)
		drop_name(a->e, &result, &a->labels);
	return any ? a->sink->on_series(a->sink->arg, &result) : 0;
}

int binary_with_scalar(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink)
{
	bool scalar_is_left = node->binary.left->type == PROMQL_SCALAR;
	const struct node *vector = scalar_is_left ? node->binary.right : node->binary.left;
	struct value scalar;
	int rc =
		evaluate(e, scalar_is_left ? node->binary.left : node->binary.right, axis, &scalar);
	if (rc < 0)
		return rc;
	struct applying a = {
		.e = e,
		.node = node,
		.n_steps = axis->n,
		.scalar_is_left = scalar_is_left,
		.drops_name = !node_is_comparison(node->binary.op) || node->binary.returns_bool,
		.scalar = scalar.scalar,
		.sink = sink,
	};
	return evaluate_to(e, vector, axis, &(struct sink){apply, &a});
}

/* ---- the sign of a vector ---- */

struct negating {
	struct evaluation *e;
	size_t n_steps;
	const struct sink *sink;
	struct label_room labels;
};

static int negate(void *arg, struct series *series)
{
	struct negating *n = arg;
	for (size_t i = 0; i < n->n_steps; i++)
		if (!promql_is_absent(series->values[i]))
			series->values[i] = -series->values[i];
	struct series negated = *series;
	drop_name(n->e, &negated, &n->labels);
	return n->sink->on_series(n->sink->arg, &negated);
}

int unary_vector(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink)
{
	if (!node->unary.minus)
		return evaluate_to(e, node->unary.inner, axis, sink);
	struct negating n = {.e = e, .n_steps = axis->n, .sink = sink};
	return evaluate_to(e, node->unary.inner, axis, &(struct sink){negate, &n});
}
