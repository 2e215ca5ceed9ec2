/* What the parts of the parser share.
 *
 * Every function that reads a piece gives NULL or a negative errno when it
 * failed; the sentence is written by then. A token is looked at only when what
 * follows depends on it, so that of two mistakes the one that Prometheus would
 * name is named.
 */
#pragma once

#include <errno.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "lex.h"
#include "node.h"

struct parser {
	struct lexer lexer;
	struct token token; /* the next one, when it was looked at */
	bool peeked;
	uint32_t closed; /* where the last token that was taken ends */
	unsigned depth;
	const char *context; /* what a stray token is said to stand in: "aggregation"; or NULL */
	struct matcher matchers[PROMQL_MATCHERS_LIMIT]; /* of the selector being read */
	size_t n_matchers;
	struct fw_arena *arena;
	struct fw_err *err;
};

/* ---- parse.c ---- */

enum token_kind parse_peek(struct parser *p);
struct token parse_take(struct parser *p);
/* Takes the token when it is of that kind. */
bool parse_accept(struct parser *p, enum token_kind kind);
/* Both -EINVAL; the second names the token that was looked at. */
int parse_fail(struct parser *p, uint32_t at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int parse_unexpected(struct parser *p, const char *context, const char *expected);
/* The token that was looked at is out of place. NULL. */
struct node *parse_stray(struct parser *p);
struct node *parse_node(struct parser *p, enum node_kind kind, uint32_t from, uint32_t to);
/* Takes the depth of a child into account. */
int parse_adopt(struct parser *p, struct node *parent, const struct node *child);
bool parse_is_sign(const struct token *token);
/* How tightly an operator binds; 0: it is none. */
enum { PRECEDENCE_LOOSEST = 1, PRECEDENCE_POWER = 6 };
int parse_precedence(const struct token *token);
/* Whether an expression may begin with it, other than one in parentheses. */
bool parse_begins(const struct token *token);
struct node *parse_expression(struct parser *p);

/* ---- parse_literal.c ---- */

struct node *parse_number(struct parser *p);
struct node *parse_string(struct parser *p);
/* The text within the quotes of a token. */
const char *parse_text(struct parser *p, const struct token *token);
int parse_bad_text(struct parser *p, uint32_t at);
/* The value of a TOKEN_NUMBER, the seconds of a TOKEN_DURATION. */
int parse_value(struct parser *p, const struct token *token, double *value);

/* ---- parse_selector.c ---- */

bool parse_is_metric(const struct token *token);
struct node *parse_selector(struct parser *p, const struct token *metric);

/* ---- parse_behind.c ---- */

/* "[5m]", "[1h:1m]", "offset 5m", "@ start()" behind a node. */
struct node *parse_behind(struct parser *p, struct node *node);

/* ---- parse_call.c ---- */

struct node *parse_call(struct parser *p, const struct token *name);
struct node *parse_aggregate(struct parser *p, const struct token *name);
/* "(a, b)" */
int parse_labels(struct parser *p, const char ***labels, size_t *n);

/* ---- check.c ---- */

int check_types(struct parser *p, struct node *node);
