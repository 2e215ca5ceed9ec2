/* SPDX-License-Identifier: Apache-2.0 */
/* Types, from the leaves up. What is wrong is named as Prometheus does, and
 * where several things are wrong, the one that it names first. */
#include "parse.h"

#include <stdio.h>
#include <string.h>

#include <fenwatch/text.h>

#include "functions.h"
#include "workings.h"

static int expect(struct parser *p, struct node *node, enum promql_type wanted, const char *where)
{
	int rc = check_types(p, node);
	if (rc < 0 || node->type == wanted)
		return rc;
	return parse_fail(p, node->from, "expected type %s in %s, got %s", promql_type_text(wanted),
		where, promql_type_text(node->type));
}

static int check_string(struct parser *p, struct node *node)
{
	node->type = PROMQL_STRING;
	return fw_utf8_valid(node->string, strlen(node->string)) ? 0
								 : parse_bad_text(p, node->from);
}

/* ---- selectors ---- */

static int check_selector(struct parser *p, struct node *node)
{
	node->type = node->selector.range_ms ? PROMQL_MATRIX : PROMQL_VECTOR;
	if (!node->selector.metric) {
		if (!node_takes_all(node))
			return 0;
		return parse_fail(p, node->from,
			"vector selector must contain at least one non-empty matcher");
	}
	for (size_t i = 0; i + 1 < node->selector.n_matchers; i++)
		if (strcmp(node->selector.matchers[i].name, "__name__") == 0)
			return parse_fail(p, node->from,
				"metric name must not be set twice: \"%s\" or \"%s\"",
				node->selector.metric, node->selector.matchers[i].value);
	return 0;
}

static int check_subquery(struct parser *p, struct node *node)
{
	static const char *const names[] = {"none", "scalar", "vector", "matrix", "string"};
	node->type = PROMQL_MATRIX;
	int rc = check_types(p, node->subquery.inner);
	if (rc < 0 || node->subquery.inner->type == PROMQL_VECTOR)
		return rc;
	return parse_fail(p, node->from,
		"subquery is only allowed on instant vector, got %s instead",
		names[node->subquery.inner->type]);
}

/* ---- operators ---- */

static bool is_operand(const struct node *node)
{
	return node->type == PROMQL_SCALAR || node->type == PROMQL_VECTOR;
}

static int check_unary(struct parser *p, struct node *node)
{
	int rc = check_types(p, node->unary.inner);
	node->type = node->unary.inner->type;
	if (rc < 0 || is_operand(node))
		return rc;
	return parse_fail(p, node->from,
		"unary expression only allowed on expressions of type scalar or instant vector, "
		"got \"%s\"",
		promql_type_text(node->type));
}

/* Where the operator stands, for what is wrong with it. */
static uint32_t place_of_operator(const struct parser *p, const struct node *node)
{
	uint32_t at = node->binary.left->to;
	while (at < p->lexer.length && p->lexer.text[at] && strchr(" \t\r\n", p->lexer.text[at]))
		at++;
	return at;
}

static int check_bool(struct parser *p, const struct node *node)
{
	bool comparison = node_is_comparison(node->binary.op);
	bool scalars = node->type == PROMQL_SCALAR;
	uint32_t at = place_of_operator(p, node);
	if (node->binary.returns_bool && !comparison)
		return parse_fail(p, at, "bool modifier can only be used on comparison operators");
	if (comparison && !node->binary.returns_bool && scalars)
		return parse_fail(p, at, "comparisons between scalars must use BOOL modifier");
	return 0;
}

/* A label that is matched on is the same on both sides: it cannot be taken over as well. */
static int check_include(struct parser *p, const struct node *node)
{
	const struct node_matching *m = &node->binary.matching;
	for (size_t i = 0; m->on && i < m->n_labels; i++)
		for (size_t k = 0; k < m->n_include; k++)
			if (strcmp(m->labels[i], m->include[k]) == 0)
				return parse_fail(p, place_of_operator(p, node),
					"label \"%s\" must not occur in ON and GROUP clause at once",
					m->labels[i]);
	return 0;
}

static int check_operands(struct parser *p, const struct node *node)
{
	const struct node *sides[] = {node->binary.left, node->binary.right};
	for (size_t i = 0; i < 2; i++)
		if (!is_operand(sides[i]))
			return parse_fail(p, sides[i]->from,
				"binary expression must contain only scalar and instant vector "
				"types");
	return 0;
}

static int check_matching(struct parser *p, struct node *node)
{
	struct node_matching *m = &node->binary.matching;
	bool set = node_is_set(node->binary.op);
	bool vectors = node->binary.left->type == PROMQL_VECTOR &&
		node->binary.right->type == PROMQL_VECTOR;
	const char *op = node_operator_text(node->binary.op);
	if (!vectors && m->n_labels > 0)
		return parse_fail(
			p, node->from, "vector matching only allowed between instant vectors");
	if (vectors && set && m->cardinality != ONE_TO_ONE)
		return parse_fail(p, node->from, "no grouping allowed for \"%s\" operation", op);
	if (!vectors && set)
		return parse_fail(p, node->from,
			"set operator \"%s\" not allowed in binary scalar expression", op);
	if (!vectors)
		*m = (struct node_matching){0};
	else if (set)
		m->cardinality = MANY_TO_MANY;
	return 0;
}

static int check_binary(struct parser *p, struct node *node)
{
	int rc = check_types(p, node->binary.left);
	if (rc == 0)
		rc = check_types(p, node->binary.right);
	if (rc < 0)
		return rc;
	bool scalars = node->binary.left->type == PROMQL_SCALAR &&
		node->binary.right->type == PROMQL_SCALAR;
	node->type = scalars ? PROMQL_SCALAR : PROMQL_VECTOR;
	rc = check_bool(p, node);
	if (rc == 0)
		rc = check_include(p, node);
	if (rc == 0)
		rc = check_operands(p, node);
	return rc < 0 ? rc : check_matching(p, node);
}

/* ---- calls ---- */

/* Names of labels are looked at where they are used, which says what is wrong with them in
 * Prometheus' words, bytes that are no UTF-8 included. */
static bool is_label_name(struct node *node)
{
	if (node->kind == NODE_STRING)
		node->type = PROMQL_STRING;
	return node->kind == NODE_STRING;
}

static bool takes_label_name(const struct promql_function *function, size_t argument)
{
	return (function->call == call_label_replace && argument == 1) ||
		(function->call == call_label_join && (argument == 1 || argument > 2));
}

static int check_aggregate(struct parser *p, struct node *node)
{
	node->type = PROMQL_VECTOR;
	int rc = expect(p, node->aggregate.inner, PROMQL_VECTOR, "aggregation expression");
	if (rc < 0 || !node->aggregate.parameter)
		return rc;
	bool text = node->aggregate.op == AGG_COUNT_VALUES;
	if (text && is_label_name(node->aggregate.parameter))
		return 0;
	return expect(p, node->aggregate.parameter, text ? PROMQL_STRING : PROMQL_SCALAR,
		"aggregation parameter");
}

static size_t count_types(const struct promql_function *function)
{
	const size_t limit = sizeof function->arguments / sizeof *function->arguments;
	size_t n = 0;
	while (n < limit && function->arguments[n] != PROMQL_NONE)
		n++;
	return n;
}

static int check_count(struct parser *p, const struct node *node, size_t types)
{
	const struct promql_function *function = node->call.function;
	size_t got = node->call.n_arguments;
	size_t least = types - (function->optional < 0 ? 1 : (size_t)function->optional);
	const char *how = NULL;
	size_t wanted = types;
	if (function->optional == 0 && got != types)
		how = "";
	else if (function->optional != 0 && got < least)
		how = "at least ", wanted = least;
	else if (function->optional > 0 && got > types)
		how = "at most ";
	if (!how)
		return 0;
	return parse_fail(p, node->from, "expected %s%zu argument(s) in call to \"%s\", got %zu",
		how, wanted, function->name, got);
}

static int check_call(struct parser *p, struct node *node)
{
	const struct promql_function *function = node->call.function;
	size_t types = count_types(function);
	char where[96];
	snprintf(where, sizeof where, "call to function \"%s\"", function->name);
	node->type = function->result;
	int rc = check_count(p, node, types);
	for (size_t i = 0; i < node->call.n_arguments && rc == 0; i++) {
		struct node *argument = node->call.arguments[i];
		if (!takes_label_name(function, i) || !is_label_name(argument))
			rc = expect(
				p, argument, function->arguments[i < types ? i : types - 1], where);
	}
	return rc;
}

int check_types(struct parser *p, struct node *node)
{
	int rc = 0;
	switch (node->kind) {
	case NODE_NUMBER:
		node->type = PROMQL_SCALAR;
		return 0;
	case NODE_STRING:
		return check_string(p, node);
	case NODE_SELECTOR:
		return check_selector(p, node);
	case NODE_SUBQUERY:
		return check_subquery(p, node);
	case NODE_PAREN:
		rc = check_types(p, node->paren);
		node->type = node->paren->type;
		return rc;
	case NODE_UNARY:
		return check_unary(p, node);
	case NODE_BINARY:
		return check_binary(p, node);
	case NODE_AGGREGATE:
		return check_aggregate(p, node);
	case NODE_CALL:
		return check_call(p, node);
	}
	return rc;
}
