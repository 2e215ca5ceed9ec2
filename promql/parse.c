/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar, read by descent; operators by precedence:
 *
 *   expression = unary { operator modifiers unary }
 *   unary      = ( "+" | "-" ) expression-of-powers | behind
 *   behind     = primary { "[" ... "]" | "offset" duration | "@" time }
 *   primary    = number | string | "(" expression ")" | selector | call | aggregate
 *
 * From the loosest: or; and, unless; comparisons; + -; * / % atan2; ^, which
 * groups to the right. A sign binds as * does, so that -1^2 is -(1^2).
 */
#include "parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- tokens ---- */

enum token_kind parse_peek(struct parser *p)
{
	if (!p->peeked)
		p->token = lex_next(&p->lexer);
	p->peeked = true;
	return p->token.kind;
}

struct token parse_take(struct parser *p)
{
	parse_peek(p);
	p->peeked = false;
	p->closed = p->token.to;
	return p->token;
}

bool parse_accept(struct parser *p, enum token_kind kind)
{
	if (parse_peek(p) != kind)
		return false;
	parse_take(p);
	return true;
}

/* ---- failures ---- */

static void put_place(const struct parser *p, uint32_t at, struct fw_buf *out)
{
	unsigned line = 1, column = 1;
	for (uint32_t i = 0; i < at; i++) {
		bool newline = p->lexer.text[i] == '\n';
		line += newline;
		column = newline ? 1 : column + 1;
	}
	if (p->lexer.length == 0)
		fw_buf_puts(out, "unknown position");
	else
		fw_buf_printf(out, "%u:%u", line, column);
}

int parse_fail(struct parser *p, uint32_t at, const char *format, ...)
{
	char what[sizeof p->err->text];
	struct fw_buf place = {0};
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	put_place(p, at, &place);
	int rc = fw_fail(p->err, -EINVAL, "%s: parse error: %s", (const char *)place.data, what);
	fw_buf_done(&place);
	return rc;
}

int parse_unexpected(struct parser *p, const char *context, const char *expected)
{
	struct fw_buf found = {0};
	parse_peek(p);
	if (p->token.kind == TOKEN_ERROR)
		return parse_fail(p, p->token.from, "%s", p->token.wrong);
	lex_describe(&p->lexer, &p->token, &found);
	int rc = parse_fail(p, p->token.from, "unexpected %s%s%s%s%s", (const char *)found.data,
		context ? " in " : "", context ? context : "", expected ? ", expected " : "",
		expected ? expected : "");
	fw_buf_done(&found);
	return rc;
}

struct node *parse_stray(struct parser *p)
{
	parse_unexpected(p, p->context, NULL);
	return NULL;
}

/* ---- nodes ---- */

struct node *parse_node(struct parser *p, enum node_kind kind, uint32_t from, uint32_t to)
{
	struct node *node = fw_arena_alloc(p->arena, sizeof *node);
	*node = (struct node){.kind = kind, .from = from, .to = to, .depth = 1};
	return node;
}

static int too_deep(struct parser *p, uint32_t at)
{
	return parse_fail(p, at, "more than %d expressions within each other", PROMQL_DEPTH_LIMIT);
}

int parse_adopt(struct parser *p, struct node *parent, const struct node *child)
{
	if (child->depth >= PROMQL_DEPTH_LIMIT)
		return too_deep(p, child->from);
	if (parent->depth <= child->depth)
		parent->depth = (uint16_t)(child->depth + 1);
	return 0;
}

static struct node *parse_paren(struct parser *p)
{
	uint32_t from = parse_take(p).from;
	struct node *inner = parse_expression(p);
	if (!inner)
		return NULL;
	if (!parse_accept(p, TOKEN_RIGHT_PAREN))
		return parse_stray(p);
	struct node *node = parse_node(p, NODE_PAREN, from, p->closed);
	node->paren = inner;
	return parse_adopt(p, node, inner) < 0 ? NULL : node;
}

static struct node *parse_word(struct parser *p)
{
	struct token word = parse_take(p);
	enum token_kind next = parse_peek(p);
	if (word.kind == TOKEN_IDENTIFIER && next == TOKEN_LEFT_PAREN)
		return parse_call(p, &word);
	if (word.kind == TOKEN_AGGREGATION &&
		(next == TOKEN_LEFT_PAREN || next == TOKEN_BY || next == TOKEN_WITHOUT))
		return parse_aggregate(p, &word);
	return parse_selector(p, &word);
}

static struct node *parse_primary(struct parser *p)
{
	switch (parse_peek(p)) {
	case TOKEN_NUMBER:
	case TOKEN_DURATION:
		return parse_number(p);
	case TOKEN_STRING:
		return parse_string(p);
	case TOKEN_LEFT_PAREN:
		return parse_paren(p);
	case TOKEN_LEFT_BRACE:
		return parse_selector(p, NULL);
	default:
		return parse_is_metric(&p->token) ? parse_word(p) : parse_stray(p);
	}
}

/* ---- operators ---- */

int parse_precedence(const struct token *token)
{
	static const int levels[N_OPERATORS] = {
		[OP_OR] = PRECEDENCE_LOOSEST,
		[OP_AND] = 2,
		[OP_UNLESS] = 2,
		[OP_EQUAL] = 3,
		[OP_DIFFERENT] = 3,
		[OP_GREATER] = 3,
		[OP_LESS] = 3,
		[OP_GREATER_EQUAL] = 3,
		[OP_LESS_EQUAL] = 3,
		[OP_ADD] = 4,
		[OP_SUB] = 4,
		[OP_MUL] = 5,
		[OP_DIV] = 5,
		[OP_MOD] = 5,
		[OP_ATAN2] = 5,
		[OP_POW] = PRECEDENCE_POWER,
	};
	return token->kind == TOKEN_OPERATOR ? levels[token->value] : 0;
}

static struct node *parse_powers(struct parser *p, int least);

bool parse_is_sign(const struct token *token)
{
	return token->kind == TOKEN_OPERATOR && (token->value == OP_ADD || token->value == OP_SUB);
}

static struct node *parse_unary(struct parser *p)
{
	parse_peek(p);
	if (!parse_is_sign(&p->token)) {
		struct node *primary = parse_primary(p);
		return primary ? parse_behind(p, primary) : NULL;
	}
	struct token sign = parse_take(p);
	bool minus = sign.value == OP_SUB;
	struct node *inner = parse_powers(p, PRECEDENCE_POWER);
	if (inner && inner->kind == NODE_NUMBER) {
		inner->number = minus ? -inner->number : inner->number;
		inner->from = sign.from;
		return inner;
	}
	if (!inner)
		return NULL;
	struct node *node = parse_node(p, NODE_UNARY, sign.from, inner->to);
	node->unary.minus = minus;
	node->unary.inner = inner;
	return parse_adopt(p, node, inner) < 0 ? NULL : node;
}

bool parse_begins(const struct token *token)
{
	return parse_is_sign(token) || parse_is_metric(token) || token->kind == TOKEN_NUMBER ||
		token->kind == TOKEN_DURATION || token->kind == TOKEN_STRING ||
		token->kind == TOKEN_LEFT_BRACE;
}

static int parse_group(struct parser *p, struct node_matching *matching)
{
	enum token_kind kind = parse_peek(p);
	if (kind != TOKEN_GROUP_LEFT && kind != TOKEN_GROUP_RIGHT)
		return 0;
	parse_take(p);
	matching->cardinality = kind == TOKEN_GROUP_LEFT ? MANY_TO_ONE : ONE_TO_MANY;
	parse_peek(p);
	if (parse_begins(&p->token))
		return 0;
	return parse_labels(p, &matching->include, &matching->n_include);
}

/* "bool on (a) group_left (b)" */
static int parse_modifiers(struct parser *p, struct node *node)
{
	struct node_matching *matching = &node->binary.matching;
	node->binary.returns_bool = parse_accept(p, TOKEN_BOOL);
	enum token_kind kind = parse_peek(p);
	if (kind != TOKEN_ON && kind != TOKEN_IGNORING)
		return 0;
	parse_take(p);
	matching->on = kind == TOKEN_ON;
	int rc = parse_labels(p, &matching->labels, &matching->n_labels);
	return rc < 0 ? rc : parse_group(p, matching);
}

static struct node *parse_binary(struct parser *p, struct node *left)
{
	struct token op = parse_take(p);
	int level = parse_precedence(&op);
	struct node *node = parse_node(p, NODE_BINARY, left->from, left->to);
	node->binary.op = (enum node_operator)op.value;
	if (parse_modifiers(p, node) < 0)
		return NULL;
	struct node *right = parse_powers(p, op.value == OP_POW ? level : level + 1);
	if (!right)
		return NULL;
	node->binary.left = left;
	node->binary.right = right;
	node->to = right->to;
	if (parse_adopt(p, node, left) < 0 || parse_adopt(p, node, right) < 0)
		return NULL;
	return node;
}

/* An expression of operators that bind at least as tightly as `least`. */
static struct node *parse_powers(struct parser *p, int least)
{
	if (p->depth == PROMQL_DEPTH_LIMIT) {
		too_deep(p, p->closed);
		return NULL;
	}
	p->depth++;
	struct node *node = parse_unary(p);
	while (node) {
		parse_peek(p);
		int level = parse_precedence(&p->token);
		if (level == 0 || level < least)
			break;
		node = parse_binary(p, node);
	}
	p->depth--;
	return node;
}

struct node *parse_expression(struct parser *p)
{
	return parse_powers(p, PRECEDENCE_LOOSEST);
}

/* ---- whole texts ---- */

static int start(struct parser *p, const char *text)
{
	size_t length = strnlen(text, PROMQL_TEXT_LIMIT + 1);
	if (length > PROMQL_TEXT_LIMIT)
		return fw_fail(p->err, -EINVAL, "the expression is longer than %u bytes",
			PROMQL_TEXT_LIMIT);
	p->lexer = (struct lexer){.text = text, .length = (uint32_t)length, .arena = p->arena};
	return 0;
}

int promql_parse(const char *text, struct fw_arena *arena, struct node **out, struct fw_err *err)
{
	struct fw_err unread = {""};
	struct parser p = {.arena = arena, .err = err ? err : &unread};
	int rc = start(&p, text);
	if (rc < 0)
		return rc;
	if (parse_peek(&p) == TOKEN_END)
		return parse_fail(&p, 0, "no expression found in input");
	struct node *node = parse_expression(&p);
	if (!node)
		return -EINVAL;
	if (parse_peek(&p) != TOKEN_END)
		return parse_unexpected(&p, NULL, NULL);
	rc = check_types(&p, node);
	if (rc == 0)
		*out = node;
	return rc;
}

int promql_parse_selector(
	const char *text, struct fw_arena *arena, struct node **out, struct fw_err *err)
{
	struct fw_err unread = {""};
	struct parser p = {.arena = arena, .err = err ? err : &unread};
	int rc = start(&p, text);
	if (rc < 0)
		return rc;
	bool named = parse_peek(&p) != TOKEN_LEFT_BRACE;
	if (named && !parse_is_metric(&p.token))
		return parse_unexpected(&p, NULL, NULL);
	struct token metric = {0};
	if (named)
		metric = parse_take(&p);
	struct node *node = parse_selector(&p, named ? &metric : NULL);
	if (!node)
		return -EINVAL;
	if (parse_peek(&p) != TOKEN_END)
		return parse_unexpected(&p, NULL, NULL);
	*out = node;
	return 0;
}
