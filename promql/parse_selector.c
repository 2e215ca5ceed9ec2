/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include "shim.h"

#define METRIC "__name__"

bool parse_is_metric(const struct token *token)
{
	switch (token->kind) {
	case TOKEN_IDENTIFIER:
	case TOKEN_METRIC:
	case TOKEN_AGGREGATION:
	case TOKEN_BY:
	case TOKEN_WITHOUT:
	case TOKEN_OFFSET:
	case TOKEN_START:
	case TOKEN_STOP:
		return true;
	case TOKEN_OPERATOR:
		return token->value == OP_AND || token->value == OP_OR || token->value == OP_UNLESS;
	default:
		return false;
	}
}

/* ---- matchers ---- */

static int compile(struct parser *p, struct matcher *m, uint32_t at)
{
	char why[160];
	struct shim_regex *regex = shim_regex_new(m->value, why, sizeof why);
	if (!regex)
		return parse_fail(p, at, "error parsing regexp: %s", why);
	m->takes_empty = shim_regex_matches(regex, "") == (m->kind == MATCHER_REGEX);
	shim_regex_free(regex);
	return 0;
}

static int add_matcher(struct parser *p, struct matcher matcher, uint32_t at)
{
	if (p->n_matchers == PROMQL_MATCHERS_LIMIT)
		return parse_fail(p, at, "more than %d matchers", PROMQL_MATCHERS_LIMIT);
	struct matcher *m = &p->matchers[p->n_matchers++];
	*m = matcher;
	if (m->kind == MATCHER_REGEX || m->kind == MATCHER_NOT_REGEX)
		return compile(p, m, at);
	m->takes_empty = (*m->value == '\0') == (m->kind == MATCHER_EQUAL);
	return 0;
}

static bool take_kind(struct parser *p, enum matcher_kind *kind)
{
	enum token_kind token = parse_peek(p);
	if (token == TOKEN_EQUAL)
		*kind = MATCHER_EQUAL;
	else if (token == TOKEN_OPERATOR && p->token.value == OP_DIFFERENT)
		*kind = MATCHER_DIFFERENT;
	else if (token == TOKEN_REGEX)
		*kind = MATCHER_REGEX;
	else if (token == TOKEN_NOT_REGEX)
		*kind = MATCHER_NOT_REGEX;
	else
		return false;
	parse_take(p);
	return true;
}

static int parse_matcher(struct parser *p)
{
	struct token name = parse_take(p);
	struct matcher m = {.kind = MATCHER_EQUAL, .name = METRIC};
	bool quoted = name.kind == TOKEN_STRING;
	const char *text = quoted
		? parse_text(p, &name)
		: fw_arena_strndup(p->arena, p->lexer.text + name.from, name.to - name.from);
	if (!text)
		return -EINVAL;
	m.value = text;
	if (!take_kind(p, &m.kind))
		return quoted ? add_matcher(p, m, name.from)
			      : parse_unexpected(p, "label matching", "label matching operator");
	if (parse_peek(p) != TOKEN_STRING)
		return parse_unexpected(p, "label matching", "string");
	struct token value = parse_take(p);
	m.name = text;
	m.value = parse_text(p, &value);
	return m.value ? add_matcher(p, m, name.from) : -EINVAL;
}

static int parse_matchers(struct parser *p)
{
	while (!parse_accept(p, TOKEN_RIGHT_BRACE)) {
		if (p->token.kind != TOKEN_IDENTIFIER && p->token.kind != TOKEN_STRING)
			return parse_unexpected(p, "label matching", "identifier or \"}\"");
		int rc = parse_matcher(p);
		if (rc < 0)
			return rc;
		if (!parse_accept(p, TOKEN_COMMA) && p->token.kind != TOKEN_RIGHT_BRACE)
			return parse_unexpected(p, "label matching", "\",\" or \"}\"");
	}
	return 0;
}

static int set_metric(struct parser *p, struct node *node, const struct token *metric)
{
	const char *name =
		fw_arena_strndup(p->arena, p->lexer.text + metric->from, metric->to - metric->from);
	struct matcher m = {.kind = MATCHER_EQUAL, .name = METRIC, .value = name};
	node->selector.metric = name;
	return add_matcher(p, m, metric->from);
}

struct node *parse_selector(struct parser *p, const struct token *metric)
{
	parse_peek(p);
	uint32_t from = metric ? metric->from : p->token.from;
	struct node *node = parse_node(p, NODE_SELECTOR, from, metric ? metric->to : from);
	p->n_matchers = 0;
	if (parse_accept(p, TOKEN_LEFT_BRACE)) {
		if (parse_matchers(p) < 0)
			return NULL;
		node->to = p->closed;
	}
	if (metric && set_metric(p, node, metric) < 0)
		return NULL;
	size_t n = p->n_matchers;
	node->selector.n_matchers = n;
	node->selector.matchers = fw_arena_alloc(p->arena, (n + 1) * sizeof *p->matchers);
	for (size_t i = 0; i < n; i++)
		node->selector.matchers[i] = p->matchers[i];
	return node;
}

bool node_takes_all(const struct node *selector)
{
	for (size_t i = 0; i < selector->selector.n_matchers; i++)
		if (!selector->selector.matchers[i].takes_empty)
			return false;
	return true;
}
