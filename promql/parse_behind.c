/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand behind an expression: a range or subquery, an offset, a time. */
#include "parse.h"

#include <math.h>

#include "number.h"

#define SECONDS_LIMIT 9223372036.0 /* whose nanoseconds an int64 holds */

/* ---- durations ---- */

/* A duration where one is asked for: a number or a duration, with signs. Arithmetic and
 * parentheses are what Prometheus takes with a feature flag only. */
struct duration {
	double seconds;
	uint32_t from;
};

/* What is said where something else stands. */
struct expecting {
	const char *context, *expected;
};

static int not_enabled(struct parser *p, uint32_t at)
{
	return parse_fail(p, at, "experimental duration expression is not enabled");
}

static int parse_literal(struct parser *p, const struct expecting *e, struct duration *out)
{
	enum token_kind kind = parse_peek(p);
	if (kind != TOKEN_NUMBER && kind != TOKEN_DURATION)
		return parse_unexpected(p, e->context, e->expected);
	struct token token = parse_take(p);
	out->from = token.from;
	int rc = parse_value(p, &token, &out->seconds);
	if (rc == 0 && !(fabs(out->seconds) < SECONDS_LIMIT))
		return parse_fail(p, token.from, "duration out of range");
	return rc;
}

static int parse_arithmetic(
	struct parser *p, const struct expecting *e, int least, struct duration *out);

static int parse_in_parens(struct parser *p, const struct expecting *e, struct duration *out)
{
	parse_take(p);
	int rc = parse_arithmetic(p, e, PRECEDENCE_LOOSEST, out);
	if (rc < 0)
		return rc;
	return parse_peek(p) == TOKEN_RIGHT_PAREN ? not_enabled(p, out->from)
						  : parse_unexpected(p, e->context, e->expected);
}

static int parse_signed(struct parser *p, const struct expecting *e, struct duration *out)
{
	if (parse_peek(p) == TOKEN_LEFT_PAREN)
		return parse_in_parens(p, e, out);
	if (!parse_is_sign(&p->token))
		return parse_literal(p, e, out);
	struct token sign = parse_take(p);
	int rc = parse_arithmetic(p, e, PRECEDENCE_POWER, out);
	if (rc == 0 && sign.value == OP_SUB)
		out->seconds = -out->seconds;
	out->from = sign.from;
	return rc;
}

/* Where there is arithmetic, this fails in the place that Prometheus names. */
static int parse_arithmetic(
	struct parser *p, const struct expecting *e, int least, struct duration *out)
{
	struct duration right;
	if (p->depth == PROMQL_DEPTH_LIMIT)
		return not_enabled(p, p->closed);
	p->depth++;
	int rc = parse_signed(p, e, out);
	p->depth--;
	if (rc < 0)
		return rc;
	parse_peek(p);
	int level = parse_precedence(&p->token);
	if (level < least || p->token.value > OP_POW)
		return 0;
	struct token op = parse_take(p);
	rc = parse_arithmetic(p, e, op.value == OP_POW ? level : level + 1, &right);
	return rc < 0 ? rc : not_enabled(p, out->from);
}

static int64_t to_ms(double seconds)
{
	return llround(seconds * 1e9) / 1000000;
}

/* A duration of more than nothing; at least a millisecond, as finer ones are not told apart. */
static int parse_positive(struct parser *p, const struct expecting *e, int64_t *ms)
{
	struct duration duration;
	int rc = parse_arithmetic(p, e, PRECEDENCE_LOOSEST, &duration);
	if (rc < 0)
		return rc;
	if (!(duration.seconds > 0))
		return parse_fail(p, duration.from, "duration must be greater than 0");
	*ms = to_ms(duration.seconds);
	*ms += *ms == 0;
	return 0;
}

/* ---- ranges and subqueries ---- */

static struct node *make_range(
	struct parser *p, struct node *node, const struct token *bracket, int64_t range_ms)
{
	const char *wrong = NULL;
	parse_take(p);
	if (node->kind != NODE_SELECTOR || node->selector.range_ms)
		wrong = "ranges only allowed for vector selectors";
	else if (node->selector.when.offset_ms)
		wrong = "no offset modifiers allowed before range";
	else if (node->selector.when.at == AT_TIME)
		wrong = "no @ modifiers allowed before range";
	if (wrong) {
		parse_fail(p, bracket->from, "%s", wrong);
		return NULL;
	}
	node->selector.range_ms = range_ms;
	node->to = p->closed;
	return node;
}

static struct node *make_subquery(struct parser *p, struct node *inner, int64_t range_ms)
{
	static const struct expecting step = {"subquery selector", "number or duration or \"]\""};
	struct node *node = parse_node(p, NODE_SUBQUERY, inner->from, inner->to);
	node->subquery.inner = inner;
	node->subquery.range_ms = range_ms;
	parse_take(p);
	if (parse_peek(p) != TOKEN_RIGHT_BRACKET &&
		parse_positive(p, &step, &node->subquery.step_ms) < 0)
		return NULL;
	if (!parse_accept(p, TOKEN_RIGHT_BRACKET)) {
		parse_unexpected(p, "subquery selector", "\"]\"");
		return NULL;
	}
	node->to = p->closed;
	return parse_adopt(p, node, inner) < 0 ? NULL : node;
}

static struct node *parse_bracket(struct parser *p, struct node *node)
{
	static const struct expecting range = {"subquery or range selector", "number or duration"};
	struct token bracket = parse_take(p);
	int64_t range_ms;
	if (parse_positive(p, &range, &range_ms) < 0)
		return NULL;
	switch (parse_peek(p)) {
	case TOKEN_RIGHT_BRACKET:
		return make_range(p, node, &bracket, range_ms);
	case TOKEN_COLON:
		return make_subquery(p, node, range_ms);
	default:
		parse_unexpected(p, "subquery or range", "\":\" or \"]\"");
		return NULL;
	}
}

/* ---- offset and @ ---- */

static struct node_when *when_of(struct node *node)
{
	if (node->kind == NODE_SELECTOR)
		return &node->selector.when;
	return node->kind == NODE_SUBQUERY ? &node->subquery.when : NULL;
}

static int set_offset(struct parser *p, struct node *node, double seconds)
{
	struct node_when *when = when_of(node);
	if (!when)
		return parse_fail(p, node->from,
			"offset modifier must be preceded by an instant vector selector or range "
			"vector selector or a subquery");
	if (when->offset_ms)
		return parse_fail(p, node->from, "offset may not be set multiple times");
	when->offset_ms = to_ms(seconds);
	node->to = p->closed;
	return 0;
}

static int parse_offset(struct parser *p, struct node *node)
{
	static const struct expecting offset = {"offset", "number or duration"};
	struct duration duration;
	bool negative = false;
	parse_take(p);
	parse_peek(p);
	bool is_signed = parse_is_sign(&p->token);
	if (is_signed)
		negative = parse_take(p).value == OP_SUB;
	bool literal = parse_peek(p) == TOKEN_NUMBER || p->token.kind == TOKEN_DURATION;
	/* What follows a literal belongs to the expression around: a offset 1m + b. */
	int rc = literal ? parse_literal(p, &offset, &duration)
			 : parse_signed(p, &offset, &duration);
	if (rc < 0)
		return rc;
	return set_offset(p, node, negative ? -duration.seconds : duration.seconds);
}

static int check_at(struct parser *p, struct node *node, struct node_when **out)
{
	*out = when_of(node);
	if (!*out)
		return parse_fail(p, node->from,
			"@ modifier must be preceded by an instant vector selector or range vector "
			"selector or a subquery");
	if ((*out)->at != AT_NONE)
		return parse_fail(p, node->from, "@ <timestamp> may not be set multiple times");
	return 0;
}

static int set_time(struct parser *p, struct node *node, double seconds)
{
	struct node_when *when;
	char text[PROMQL_NUMBER_SIZE];
	if (!(fabs(seconds) < 9223372036854775808.0))
		return parse_fail(p, node->from, "timestamp out of bounds for @ modifier: %s",
			isfinite(seconds) ? fw_arena_format(p->arena, "%f", seconds)
					  : promql_number(seconds, text, sizeof text));
	int rc = check_at(p, node, &when);
	if (rc < 0)
		return rc;
	/* Far beyond what is ever stored, so that offsets are added without overflow. */
	double ms = fmin(fmax(seconds * 1000, -4e18), 4e18);
	when->at = AT_TIME;
	when->at_ms = llround(ms);
	node->to = p->closed;
	return 0;
}

static int parse_edge(struct parser *p, struct node *node)
{
	struct node_when *when;
	bool is_start = parse_take(p).kind == TOKEN_START;
	if (!parse_accept(p, TOKEN_LEFT_PAREN) || !parse_accept(p, TOKEN_RIGHT_PAREN))
		return parse_unexpected(p, "@", "timestamp");
	int rc = check_at(p, node, &when);
	if (rc < 0)
		return rc;
	when->at = is_start ? AT_START : AT_END;
	node->to = p->closed;
	return 0;
}

static int parse_at(struct parser *p, struct node *node)
{
	bool negative = false;
	double seconds;
	parse_take(p);
	enum token_kind kind = parse_peek(p);
	if (kind == TOKEN_START || kind == TOKEN_STOP)
		return parse_edge(p, node);
	if (parse_is_sign(&p->token))
		negative = parse_take(p).value == OP_SUB;
	kind = parse_peek(p);
	if (kind != TOKEN_NUMBER && kind != TOKEN_DURATION)
		return parse_unexpected(p, "@", "timestamp");
	struct token token = parse_take(p);
	int rc = parse_value(p, &token, &seconds);
	return rc < 0 ? rc : set_time(p, node, negative ? -seconds : seconds);
}

struct node *parse_behind(struct parser *p, struct node *node)
{
	while (node) {
		switch (parse_peek(p)) {
		case TOKEN_LEFT_BRACKET:
			node = parse_bracket(p, node);
			break;
		case TOKEN_OFFSET:
			if (parse_offset(p, node) < 0)
				return NULL;
			break;
		case TOKEN_AT:
			if (parse_at(p, node) < 0)
				return NULL;
			break;
		default:
			return node;
		}
	}
	return NULL;
}
