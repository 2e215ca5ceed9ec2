/* SPDX-License-Identifier: Apache-2.0 */
/* Functions and aggregations: what stands in parentheses behind a name. */
#include "parse.h"

#include "functions.h"

/* ---- labels in parentheses ---- */

static bool is_label(enum token_kind kind)
{
	switch (kind) {
	case TOKEN_IDENTIFIER:
	case TOKEN_METRIC:
	case TOKEN_STRING:
	case TOKEN_AGGREGATION:
	case TOKEN_BOOL:
	case TOKEN_BY:
	case TOKEN_GROUP_LEFT:
	case TOKEN_GROUP_RIGHT:
	case TOKEN_IGNORING:
	case TOKEN_OFFSET:
	case TOKEN_ON:
	case TOKEN_START:
	case TOKEN_STOP:
		return true;
	default: /* without "without", as in Prometheus */
		return false;
	}
}

/* Operators that are words: and, or, unless, atan2. */
static bool is_word_operator(const struct token *token)
{
	return token->kind == TOKEN_OPERATOR &&
		(node_is_set((enum node_operator)token->value) || token->value == OP_ATAN2);
}

static int parse_label(struct parser *p, const char **out)
{
	parse_peek(p);
	if (!is_label(p->token.kind) && !is_word_operator(&p->token))
		return parse_unexpected(p, "grouping opts", "label");
	struct token token = parse_take(p);
	*out = token.kind == TOKEN_STRING
		? parse_text(p, &token)
		: fw_arena_strndup(p->arena, p->lexer.text + token.from, token.to - token.from);
	if (*out && !**out)
		return parse_fail(p, token.from, "invalid label name for grouping: \"\"");
	return *out ? 0 : -EINVAL;
}

static int take_labels(struct parser *p, const char **taken, size_t *n)
{
	while (parse_peek(p) != TOKEN_RIGHT_PAREN) {
		if (*n == PROMQL_LABELS_LIMIT)
			return parse_fail(p, p->token.from, "more than %d labels in a list",
				PROMQL_LABELS_LIMIT);
		int rc = parse_label(p, &taken[(*n)++]);
		if (rc < 0)
			return rc;
		if (!parse_accept(p, TOKEN_COMMA) && p->token.kind != TOKEN_RIGHT_PAREN)
			return parse_unexpected(p, "grouping opts", "\",\" or \")\"");
	}
	parse_take(p);
	return 0;
}

int parse_labels(struct parser *p, const char ***labels, size_t *n)
{
	const char *taken[PROMQL_LABELS_LIMIT];
	size_t count = 0;
	if (!parse_accept(p, TOKEN_LEFT_PAREN))
		return parse_unexpected(p, "grouping opts", "\"(\"");
	int rc = take_labels(p, taken, &count);
	if (rc < 0)
		return rc;
	*labels = fw_arena_alloc(p->arena, (count + 1) * sizeof **labels);
	for (size_t i = 0; i < count; i++)
		(*labels)[i] = taken[i];
	*n = count;
	return 0;
}

/* ---- arguments ---- */

struct arguments {
	struct node *nodes[PROMQL_ARGUMENTS_LIMIT];
	size_t n;
};

static int parse_argument(struct parser *p, struct arguments *out)
{
	if (out->n == PROMQL_ARGUMENTS_LIMIT)
		return parse_fail(
			p, p->closed, "more than %d arguments in a call", PROMQL_ARGUMENTS_LIMIT);
	out->nodes[out->n] = parse_expression(p);
	return out->nodes[out->n++] ? 0 : -EINVAL;
}

static int parse_arguments(struct parser *p, struct arguments *out)
{
	if (parse_peek(p) != TOKEN_LEFT_PAREN)
		return parse_unexpected(p, p->context, NULL);
	parse_take(p);
	if (parse_accept(p, TOKEN_RIGHT_PAREN))
		return 0;
	int rc = parse_argument(p, out);
	while (rc == 0 && parse_accept(p, TOKEN_COMMA)) {
		uint32_t comma = p->token.from;
		parse_peek(p);
		if (p->token.kind == TOKEN_ERROR)
			return parse_unexpected(p, NULL, NULL);
		if (!parse_begins(&p->token) && p->token.kind != TOKEN_LEFT_PAREN)
			return parse_fail(
				p, comma, "trailing commas not allowed in function call args");
		rc = parse_argument(p, out);
	}
	if (rc == 0 && !parse_accept(p, TOKEN_RIGHT_PAREN))
		rc = parse_unexpected(p, p->context, NULL);
	return rc;
}

/* ---- calls ---- */

static int find_function(
	struct parser *p, const struct token *name, const struct promql_function **out)
{
	const char *text =
		fw_arena_strndup(p->arena, p->lexer.text + name->from, name->to - name->from);
	*out = promql_function_find(text);
	if (!*out)
		return parse_fail(p, name->from, "unknown function with name \"%s\"", text);
	if ((*out)->experimental)
		return parse_fail(p, name->from, "function \"%s\" is not enabled", text);
	return 0;
}

struct node *parse_call(struct parser *p, const struct token *name)
{
	struct arguments arguments = {.n = 0};
	struct node *node = parse_node(p, NODE_CALL, name->from, name->to);
	if (parse_arguments(p, &arguments) < 0)
		return NULL;
	node->to = p->closed;
	if (find_function(p, name, &node->call.function) < 0)
		return NULL;
	node->call.n_arguments = arguments.n;
	node->call.arguments =
		fw_arena_alloc(p->arena, (arguments.n + 1) * sizeof *node->call.arguments);
	for (size_t i = 0; i < arguments.n; i++) {
		node->call.arguments[i] = arguments.nodes[i];
		if (parse_adopt(p, node, arguments.nodes[i]) < 0)
			return NULL;
	}
	return node;
}

/* ---- aggregations ---- */

static bool takes_parameter(int op)
{
	return op == AGG_TOPK || op == AGG_BOTTOMK || op == AGG_COUNT_VALUES ||
		op == AGG_QUANTILE || op == TOKEN_LIMITK || op == TOKEN_LIMIT_RATIO;
}

static int set_arguments(
	struct parser *p, struct node *node, int op, const struct arguments *arguments)
{
	size_t wanted = takes_parameter(op) ? 2 : 1;
	if (arguments->n == 0)
		return parse_fail(p, node->from, "no arguments for aggregate expression provided");
	if (op >= N_AGGREGATIONS)
		return parse_fail(p, node->from,
			"%s() is experimental and must be enabled with "
			"--enable-feature=promql-experimental-functions",
			op == TOKEN_LIMITK ? "limitk" : "limit_ratio");
	if (arguments->n != wanted)
		return parse_fail(p, node->from,
			"wrong number of arguments for aggregate expression provided, "
			"expected %zu, got %zu",
			wanted, arguments->n);
	node->aggregate.op = (enum node_aggregation)op;
	node->aggregate.parameter = wanted == 2 ? arguments->nodes[0] : NULL;
	node->aggregate.inner = arguments->nodes[wanted - 1];
	for (size_t i = 0; i < wanted; i++)
		if (parse_adopt(p, node, arguments->nodes[i]) < 0)
			return -EINVAL;
	return 0;
}

static bool is_grouping(enum token_kind kind)
{
	return kind == TOKEN_BY || kind == TOKEN_WITHOUT;
}

static int parse_grouping(struct parser *p, struct node *node)
{
	node->aggregate.without = parse_take(p).kind == TOKEN_WITHOUT;
	return parse_labels(p, &node->aggregate.labels, &node->aggregate.n_labels);
}

struct node *parse_aggregate(struct parser *p, const struct token *name)
{
	const char *around = p->context;
	struct arguments arguments = {.n = 0};
	struct node *node = parse_node(p, NODE_AGGREGATE, name->from, name->to);
	bool first = is_grouping(parse_peek(p));
	p->context = "aggregation";
	if (first && parse_grouping(p, node) < 0)
		return NULL;
	if (parse_arguments(p, &arguments) < 0)
		return NULL;
	if (!first && is_grouping(parse_peek(p)) && parse_grouping(p, node) < 0)
		return NULL;
	p->context = around;
	node->to = p->closed;
	return set_arguments(p, node, name->value, &arguments) < 0 ? NULL : node;
}
