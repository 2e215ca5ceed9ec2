/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

const char *promql_type_text(enum promql_type type)
{
	static const char *const texts[] = {
		[PROMQL_NONE] = "none",
		[PROMQL_SCALAR] = "scalar",
		[PROMQL_VECTOR] = "instant vector",
		[PROMQL_MATRIX] = "range vector",
		[PROMQL_STRING] = "string",
	};
	return texts[type];
}

const char *matcher_kind_text(enum matcher_kind kind)
{
	static const char *const texts[] = {
		[MATCHER_EQUAL] = "=",
		[MATCHER_DIFFERENT] = "!=",
		[MATCHER_REGEX] = "=~",
		[MATCHER_NOT_REGEX] = "!~",
	};
	return texts[kind];
}

const char *node_operator_text(enum node_operator op)
{
	static const char *const texts[N_OPERATORS] = {
		[OP_ADD] = "+",
		[OP_SUB] = "-",
		[OP_MUL] = "*",
		[OP_DIV] = "/",
		[OP_MOD] = "%",
		[OP_POW] = "^",
		[OP_ATAN2] = "atan2",
		[OP_EQUAL] = "==",
		[OP_DIFFERENT] = "!=",
		[OP_GREATER] = ">",
		[OP_LESS] = "<",
		[OP_GREATER_EQUAL] = ">=",
		[OP_LESS_EQUAL] = "<=",
		[OP_AND] = "and",
		[OP_OR] = "or",
		[OP_UNLESS] = "unless",
	};
	return texts[op];
}

const char *node_aggregation_text(enum node_aggregation op)
{
	static const char *const texts[N_AGGREGATIONS] = {
		[AGG_SUM] = "sum",
		[AGG_AVG] = "avg",
		[AGG_COUNT] = "count",
		[AGG_MIN] = "min",
		[AGG_MAX] = "max",
		[AGG_GROUP] = "group",
		[AGG_STDDEV] = "stddev",
		[AGG_STDVAR] = "stdvar",
		[AGG_TOPK] = "topk",
		[AGG_BOTTOMK] = "bottomk",
		[AGG_COUNT_VALUES] = "count_values",
		[AGG_QUANTILE] = "quantile",
	};
	return texts[op];
}

void node_walk(
	const struct node *node, void (*visit)(const struct node *node, void *arg), void *arg)
{
	visit(node, arg);
	switch (node->kind) {
	case NODE_NUMBER:
	case NODE_STRING:
	case NODE_SELECTOR:
		return;
	case NODE_SUBQUERY:
		node_walk(node->subquery.inner, visit, arg);
		return;
	case NODE_PAREN:
		node_walk(node->paren, visit, arg);
		return;
	case NODE_UNARY:
		node_walk(node->unary.inner, visit, arg);
		return;
	case NODE_BINARY:
		node_walk(node->binary.left, visit, arg);
		node_walk(node->binary.right, visit, arg);
		return;
	case NODE_AGGREGATE:
		if (node->aggregate.parameter)
			node_walk(node->aggregate.parameter, visit, arg);
		node_walk(node->aggregate.inner, visit, arg);
		return;
	case NODE_CALL:
		for (size_t i = 0; i < node->call.n_arguments; i++)
			node_walk(node->call.arguments[i], visit, arg);
		return;
	}
}
