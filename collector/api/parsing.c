/* SPDX-License-Identifier: Apache-2.0 */
/* A question laid out over lines, and as a tree in Prometheus' form. */
#include "parts.h"

#include "functions.h"
#include "number.h"

static struct node *parse(struct request *r)
{
	struct fw_err err;
	struct node *node;
	const char *text = params_get(&r->params, "query");
	if (promql_parse(text ? text : "", &r->arena, &node, &err) == 0)
		return node;
	prometheus_fail(r, PROMQL_BAD_DATA, "query", &err);
	return NULL;
}

void parsing_format(struct request *r)
{
	struct fw_buf text = {0};
	const struct node *node = parse(r);
	if (!node)
		return;
	promql_print_pretty(node, &text);
	json_text(request_begin(r), (const char *)text.data);
	request_end(r, NULL, 0);
	fw_buf_done(&text);
}

/* ---- pieces of the tree ---- */

static const char *type_name(enum promql_type type)
{
	static const char *const names[] = {
		[PROMQL_NONE] = "none",
		[PROMQL_SCALAR] = "scalar",
		[PROMQL_VECTOR] = "vector",
		[PROMQL_MATRIX] = "matrix",
		[PROMQL_STRING] = "string",
	};
	return names[type];
}

static void put_texts(struct json *j, const char *key, const char *const *texts, size_t n)
{
	json_key(j, key);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		json_text(j, texts[i]);
	json_close(j, ']');
}

static void put_when(struct json *j, const struct node_when *when)
{
	json_put_int(j, "offset", when->offset_ms);
	json_put_text(j, "startOrEnd",
		when->at == AT_START         ? "start"
			: when->at == AT_END ? "end"
					     : NULL);
	json_key(j, "timestamp");
	if (when->at == AT_TIME)
		json_int(j, when->at_ms);
	else
		json_none(j);
}

static void put_number(struct json *j, const struct node *node)
{
	char text[PROMQL_NUMBER_SIZE];
	json_put_text(j, "type", "numberLiteral");
	json_put_text(j, "val", promql_plain(node->number, text, sizeof text));
}

static void put_selector(struct json *j, const struct node *node)
{
	bool range = node->selector.range_ms != 0;
	json_put_text(j, "type", range ? "matrixSelector" : "vectorSelector");
	json_put_text(j, "name", node->selector.metric ? node->selector.metric : "");
	if (range)
		json_put_int(j, "range", node->selector.range_ms);
	json_key(j, "matchers");
	json_open(j, '[');
	for (size_t i = 0; i < node->selector.n_matchers; i++) {
		const struct matcher *m = &node->selector.matchers[i];
		json_open(j, '{');
		json_put_text(j, "name", m->name);
		json_put_text(j, "type", matcher_kind_text(m->kind));
		json_put_text(j, "value", m->value);
		json_close(j, '}');
	}
	json_close(j, ']');
	put_when(j, &node->selector.when);
}

static void put_matching(struct json *j, const struct node *node)
{
	static const char *const cards[] = {
		[ONE_TO_ONE] = "one-to-one",
		[MANY_TO_ONE] = "many-to-one",
		[ONE_TO_MANY] = "one-to-many",
		[MANY_TO_MANY] = "many-to-many",
	};
	const struct node_matching *m = &node->binary.matching;
	json_key(j, "matching");
	if (node->binary.left->type != PROMQL_VECTOR || node->binary.right->type != PROMQL_VECTOR) {
		json_none(j);
		return;
	}
	json_open(j, '{');
	json_put_text(j, "card", cards[m->cardinality]);
	put_texts(j, "include", m->include, m->n_include);
	put_texts(j, "labels", m->labels, m->n_labels);
	json_put_bool(j, "on", m->on);
	json_close(j, '}');
}

static void put_function(struct json *j, const struct promql_function *function)
{
	const size_t limit = sizeof function->arguments / sizeof *function->arguments;
	json_key(j, "func");
	json_open(j, '{');
	json_key(j, "argTypes");
	json_open(j, '[');
	for (size_t i = 0; i < limit && function->arguments[i] != PROMQL_NONE; i++)
		json_text(j, type_name(function->arguments[i]));
	json_close(j, ']');
	json_put_text(j, "name", function->name);
	json_put_text(j, "returnType", type_name(function->result));
	json_put_int(j, "variadic", function->optional);
	json_close(j, '}');
}

/* ---- nodes ---- */

static void put_node(struct json *j, const struct node *node);

static void put_child(struct json *j, const char *key, const struct node *node)
{
	json_key(j, key);
	if (node)
		put_node(j, node);
	else
		json_none(j);
}

static void put_aggregate(struct json *j, const struct node *node)
{
	json_put_text(j, "type", "aggregation");
	json_put_text(j, "op", node_aggregation_text(node->aggregate.op));
	put_child(j, "expr", node->aggregate.inner);
	put_child(j, "param", node->aggregate.parameter);
	put_texts(j, "grouping", node->aggregate.labels, node->aggregate.n_labels);
	json_put_bool(j, "without", node->aggregate.without);
}

static void put_binary(struct json *j, const struct node *node)
{
	json_put_text(j, "type", "binaryExpr");
	json_put_text(j, "op", node_operator_text(node->binary.op));
	json_put_bool(j, "bool", node->binary.returns_bool);
	put_child(j, "lhs", node->binary.left);
	put_child(j, "rhs", node->binary.right);
	put_matching(j, node);
}

static void put_call(struct json *j, const struct node *node)
{
	json_put_text(j, "type", "call");
	put_function(j, node->call.function);
	json_key(j, "args");
	json_open(j, '[');
	for (size_t i = 0; i < node->call.n_arguments; i++)
		put_node(j, node->call.arguments[i]);
	json_close(j, ']');
}

static void put_subquery(struct json *j, const struct node *node)
{
	json_put_text(j, "type", "subquery");
	put_child(j, "expr", node->subquery.inner);
	json_put_int(j, "range", node->subquery.range_ms);
	json_put_int(j, "step", node->subquery.step_ms);
	put_when(j, &node->subquery.when);
}

static void put_fields(struct json *j, const struct node *node)
{
	switch (node->kind) {
	case NODE_NUMBER:
		put_number(j, node);
		return;
	case NODE_STRING:
		json_put_text(j, "type", "stringLiteral");
		json_put_text(j, "val", node->string);
		return;
	case NODE_SELECTOR:
		put_selector(j, node);
		return;
	case NODE_SUBQUERY:
		put_subquery(j, node);
		return;
	case NODE_PAREN:
		json_put_text(j, "type", "parenExpr");
		put_child(j, "expr", node->paren);
		return;
	case NODE_UNARY:
		json_put_text(j, "type", "unaryExpr");
		json_put_text(j, "op", node->unary.minus ? "-" : "+");
		put_child(j, "expr", node->unary.inner);
		return;
	case NODE_BINARY:
		put_binary(j, node);
		return;
	case NODE_AGGREGATE:
		put_aggregate(j, node);
		return;
	case NODE_CALL:
		put_call(j, node);
		return;
	}
}

static void put_node(struct json *j, const struct node *node)
{
	json_open(j, '{');
	put_fields(j, node);
	json_close(j, '}');
}

void parsing_tree(struct request *r)
{
	const struct node *node = parse(r);
	if (!node)
		return;
	put_node(request_begin(r), node);
	request_end(r, NULL, 0);
}
