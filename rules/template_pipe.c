/* SPDX-License-Identifier: Apache-2.0 */
/* Within a tag: operands, commands and pipelines. Names of variables are looked up here, so
 * that a wrong one is found before anything fires. */
#include <ctype.h>
#include <string.h>

#include "template_parser.h"

/* ---- operands ---- */

static int check_variable(struct parser *p, const char *name)
{
	for (size_t i = 0; i < p->n_variables; i++)
		if (strcmp(p->variables[i], name) == 0)
			return 0;
	return scan_fail(p, "undefined variable \"%s\"", name);
}

static int take_fields(struct parser *p, struct expr *expr)
{
	const char *fields[PARSE_FIELDS] = {NULL};
	while (p->at + 1 < p->end && *p->at == '.' && scan_is_word(p->at[1]) &&
		!isdigit((unsigned char)p->at[1])) {
		p->at++;
		if (expr->n_fields == PARSE_FIELDS)
			return scan_fail(p, "more than %d fields", PARSE_FIELDS);
		fields[expr->n_fields++] = scan_name(p, 0);
	}
	expr->fields = fw_arena_alloc(p->arena, (expr->n_fields + 1) * sizeof(*expr->fields));
	memcpy(expr->fields, fields, expr->n_fields * sizeof(*expr->fields));
	return 0;
}

static int take_word(struct parser *p, struct expr *expr)
{
	size_t length = scan_word_length(p);
	const char *word = p->at;
	p->at += length;
	if (length == 3 && memcmp(word, "nil", 3) == 0) {
		expr->kind = EXPR_NIL;
	} else if ((length == 4 && memcmp(word, "true", 4) == 0) ||
		(length == 5 && memcmp(word, "false", 5) == 0)) {
		expr->kind = EXPR_CONSTANT;
		expr->constant = (struct operand){.kind = IS_BOOL, .truth = length == 4};
	} else {
		expr->kind = EXPR_FUNCTION;
		expr->function = template_function_find(word, length);
		if (!expr->function)
			return scan_fail(p, "function \"%.*s\" not defined", (int)length, word);
	}
	return 0;
}

static int take_parens(struct parser *p, struct expr *expr)
{
	p->at++;
	expr->kind = EXPR_PIPE;
	int rc = parse_pipe(p, true, &expr->pipe);
	return rc < 0 ? rc : take_fields(p, expr);
}

static int take_variable(struct parser *p, struct expr *expr)
{
	expr->kind = EXPR_VARIABLE;
	expr->name = scan_name(p, 1);
	int rc = check_variable(p, expr->name);
	return rc < 0 ? rc : take_fields(p, expr);
}

static int take_operand(struct parser *p, struct expr *expr)
{
	char c = *p->at, next = p->at + 1 < p->end ? p->at[1] : '\0';
	*expr = (struct expr){.kind = EXPR_CONSTANT, .from = scan_place(p)};
	int rc = 0;
	if (c == '(')
		rc = take_parens(p, expr);
	else if (c == '$')
		rc = take_variable(p, expr);
	else if (c == '"' || c == '`')
		rc = scan_text(p, &expr->constant);
	else if (c == '\'')
		rc = scan_character(p, &expr->constant);
	else if (isdigit((unsigned char)c) || c == '+' || c == '-' ||
		(c == '.' && isdigit((unsigned char)next)))
		rc = scan_number(p, &expr->constant);
	else if (c == '.' && scan_is_word(next)) {
		expr->kind = EXPR_FIELD;
		rc = take_fields(p, expr);
	} else if (c == '.') {
		expr->kind = EXPR_DOT;
		p->at++;
	} else if (scan_is_word(c))
		rc = take_word(p, expr);
	else
		return scan_fail(p, "unexpected \"%c\" in operand", c);
	expr->to = scan_place(p);
	return rc;
}

/* ---- pipelines ---- */

static bool ends_command(const struct parser *p)
{
	return p->at >= p->end || *p->at == '|' || *p->at == ')' || scan_at_close(p);
}

static int parse_command(struct parser *p, struct command *command)
{
	struct expr args[PARSE_OPERANDS];
	size_t n = 0;
	command->from = scan_place(p);
	while (!ends_command(p)) {
		if (n == PARSE_OPERANDS)
			return scan_fail(p, "more than %d operands", PARSE_OPERANDS);
		int rc = take_operand(p, &args[n++]);
		if (rc < 0)
			return rc;
		command->to = scan_place(p);
		if (!ends_command(p) && !scan_is_space(*p->at))
			return scan_fail(p, "unexpected \"%c\" in operand", *p->at);
		scan_space(p);
	}
	if (n == 0)
		return scan_fail(p, "missing value for command");
	struct expr *copy = fw_arena_alloc(p->arena, n * sizeof *copy);
	memcpy(copy, args, n * sizeof *copy);
	command->args = copy;
	command->n = n;
	return 0;
}

static int add_variable(struct parser *p, const char *name)
{
	if (p->n_variables == PARSE_VARIABLES)
		return scan_fail(p, "more than %d variables", PARSE_VARIABLES);
	p->variables[p->n_variables++] = name;
	return 0;
}

/* "$x :=", "$i, $x :=" or "$x ="; anything else is left where it is. */
static int take_declarations(struct parser *p, struct pipe *pipe)
{
	const char *from = p->at;
	while (p->at < p->end && *p->at == '$' && pipe->n_variables < 2) {
		pipe->variables[pipe->n_variables++] = scan_name(p, 1);
		scan_space(p);
		if (!scan_take(p, ","))
			break;
		scan_space(p);
	}
	pipe->assigns = pipe->n_variables && !scan_starts(p, ":=") && scan_starts(p, "=");
	if (pipe->n_variables && (scan_take(p, ":=") || scan_take(p, "="))) {
		scan_space(p);
		return 0;
	}
	p->at = from;
	pipe->n_variables = 0;
	return 0;
}

static int declare(struct parser *p, const struct pipe *pipe)
{
	int rc = 0;
	for (size_t i = 0; i < pipe->n_variables && rc == 0; i++)
		rc = pipe->assigns ? check_variable(p, pipe->variables[i])
				   : add_variable(p, pipe->variables[i]);
	return rc;
}

static bool may_follow(const struct command *command)
{
	enum expr_kind kind = command->args[0].kind;
	return kind != EXPR_DOT && kind != EXPR_NIL && kind != EXPR_CONSTANT;
}

static int parse_commands(struct parser *p, struct pipe *pipe)
{
	struct command commands[PARSE_OPERANDS];
	do {
		scan_space(p);
		if (pipe->n == PARSE_OPERANDS)
			return scan_fail(p, "more than %d commands", PARSE_OPERANDS);
		int rc = parse_command(p, &commands[pipe->n]);
		if (rc < 0)
			return rc;
		if (pipe->n > 0 && !may_follow(&commands[pipe->n]))
			return scan_fail(
				p, "non executable command in pipeline stage %zu", pipe->n + 1);
		pipe->n++;
	} while (scan_take(p, "|"));
	struct command *copy = fw_arena_alloc(p->arena, pipe->n * sizeof *copy);
	memcpy(copy, commands, pipe->n * sizeof *copy);
	pipe->commands = copy;
	return 0;
}

static int end_pipe(struct parser *p, bool in_parens)
{
	if (!in_parens && p->at < p->end && *p->at == ')')
		return scan_fail(p, "unexpected right paren");
	if (!in_parens)
		return 0;
	if (!scan_take(p, ")"))
		return scan_fail(p, "unclosed left paren");
	return 0;
}

int parse_pipe(struct parser *p, bool in_parens, const struct pipe **out)
{
	if (++p->depth > TEMPLATE_DEPTH_LIMIT)
		return scan_fail(p, "nested more than %d deep", TEMPLATE_DEPTH_LIMIT);
	scan_space(p);
	struct pipe *pipe = fw_arena_alloc(p->arena, sizeof *pipe);
	pipe->from = scan_place(p);
	int rc = take_declarations(p, pipe);
	if (rc == 0)
		rc = parse_commands(p, pipe);
	pipe->to = scan_place(p);
	if (rc == 0)
		rc = end_pipe(p, in_parens);
	if (rc == 0)
		rc = declare(p, pipe);
	p->depth--;
	*out = pipe;
	return rc;
}
