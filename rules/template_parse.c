/* SPDX-License-Identifier: Apache-2.0 */
/* From text to steps, by recursive descent: a list of steps ends at the first
 * {{end}} or {{else}} that is not its own. Names of variables are looked up here
 * as well, so that a wrong one is found before anything fires. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/text.h>
#include <fenwatch/utf8.h>

#include "template_tree.h"

#define VARIABLES_LIMIT 200
#define OPERANDS_LIMIT 64 /* of a command, and commands of a pipeline */
#define FIELDS_LIMIT 32

/* What every rule's template begins with, as in Prometheus: it counts in the columns that
 * failures name. */
static const char prefix[] = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
			     "{{$externalURL := .ExternalURL}}{{$value := .Value}}";

struct parser {
	const char *text, *at, *end;
	struct fw_arena *arena;
	struct template *template;
	struct fw_err *err;
	const char *variables[VARIABLES_LIMIT];
	size_t n_variables;
	unsigned depth, loops;
	bool trims; /* the tag before ended with "-}}" */
};

/* How a list of steps ended. */
enum ending { AT_TEXT_END, AT_END, AT_ELSE };

static int parse_steps(struct parser *p, const struct step **out, enum ending *ending);
static int parse_pipe(struct parser *p, bool in_parens, const struct pipe **out);

static int fail(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct parser *p, const char *format, ...)
{
	struct fw_err sentence;
	va_list args;
	va_start(args, format);
	vsnprintf(sentence.text, sizeof sentence.text, format, args);
	va_end(args);
	return fw_fail(p->err, -EINVAL, "%s", sentence.text);
}

static unsigned place(const struct parser *p)
{
	return (unsigned)(p->at - p->text);
}

/* ---- words ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static void skip_space(struct parser *p)
{
	while (p->at < p->end && is_space(*p->at))
		p->at++;
}

static bool starts(const struct parser *p, const char *word)
{
	size_t length = strlen(word);
	return (size_t)(p->end - p->at) >= length && memcmp(p->at, word, length) == 0;
}

static bool take(struct parser *p, const char *word)
{
	if (!starts(p, word))
		return false;
	p->at += strlen(word);
	return true;
}

static size_t word_length(const struct parser *p)
{
	size_t n = 0;
	while (p->at + n < p->end && is_word(p->at[n]))
		n++;
	return n;
}

static bool take_keyword(struct parser *p, const char *word)
{
	size_t length = word_length(p);
	if (length != strlen(word) || memcmp(p->at, word, length) != 0)
		return false;
	p->at += length;
	return true;
}

static const char *take_name(struct parser *p, size_t with)
{
	const char *from = p->at;
	p->at += with;
	p->at += word_length(p);
	return fw_arena_strndup(p->arena, from, (size_t)(p->at - from));
}

/* "}}", or " -}}" behind a blank. */
static bool at_close(const struct parser *p)
{
	return starts(p, "}}") || (starts(p, "-}}") && p->at > p->text && is_space(p->at[-1]));
}

static int take_close(struct parser *p)
{
	skip_space(p);
	p->trims = starts(p, "-}}") && is_space(p->at[-1]);
	if (p->trims)
		p->at++;
	if (take(p, "}}"))
		return 0;
	if (p->at >= p->end)
		return fail(p, "unclosed action");
	return fail(p, "unexpected %.20s in a tag", p->at);
}

/* ---- constants ---- */

static int put_utf8(struct parser *p, struct fw_buf *out, unsigned long code)
{
	if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || code == 0)
		return fail(p, "malformed text");
	fw_utf8_put(out, (uint32_t)code);
	return 0;
}

static int take_digits(struct parser *p, size_t n, int base, unsigned long *code)
{
	char digits[9] = "";
	char *end;
	if ((size_t)(p->end - p->at) < n)
		return fail(p, "unterminated quoted string");
	memcpy(digits, p->at, n);
	*code = strtoul(digits, &end, base);
	if (end != digits + n || !isalnum((unsigned char)digits[0]))
		return fail(p, "malformed text");
	p->at += n;
	return 0;
}

/* What a backslash stands for; it has been taken. */
static int take_escape(struct parser *p, struct fw_buf *out)
{
	static const char letters[] = "abfnrtv\\\"'", codes[] = "\a\b\f\n\r\t\v\\\"'";
	unsigned long code = 0;
	char c = *p->at;
	const char *letter = strchr(letters, c);
	if (letter && c) {
		fw_buf_putc(out, codes[letter - letters]);
		p->at++;
		return 0;
	}
	bool is_byte = c == 'x' || (c >= '0' && c <= '7');
	size_t n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 3;
	if (c == 'x' || c == 'u' || c == 'U')
		p->at++;
	else if (!is_byte)
		return fail(p, "malformed text");
	int rc = take_digits(p, n, n == 3 ? 8 : 16, &code);
	if (rc < 0)
		return rc;
	if (!is_byte || code < 0x80)
		return put_utf8(p, out, code);
	if (code > 255)
		return fail(p, "malformed text");
	fw_buf_putc(out, (char)code);
	return 0;
}

/* Between two of `quote`, the first of which has been taken. */
static int take_quoted(struct parser *p, char quote, struct fw_buf *out)
{
	int rc = 0;
	while (rc == 0) {
		if (p->at >= p->end || (*p->at == '\n' && quote != '`'))
			return fail(p, "unterminated %s",
				quote == '\'' ? "character constant" : "quoted string");
		char c = *p->at++;
		if (c == quote)
			return 0;
		if (c == '\\' && quote != '`')
			rc = p->at < p->end ? take_escape(p, out)
					    : fail(p, "unterminated quoted string");
		else
			fw_buf_putc(out, c);
	}
	return rc;
}

static int take_text(struct parser *p, struct operand *out)
{
	struct fw_buf text = {0};
	char quote = *p->at++;
	int rc = take_quoted(p, quote, &text);
	out->kind = IS_TEXT;
	out->text =
		fw_arena_strndup(p->arena, text.length ? (const char *)text.data : "", text.length);
	fw_buf_done(&text);
	return rc;
}

/* One character, as its number. */
static int take_character(struct parser *p, struct operand *out)
{
	struct operand text = {0};
	int rc = take_text(p, &text);
	if (rc < 0)
		return rc;
	const unsigned char *c = (const unsigned char *)text.text;
	size_t n = *c < 0x80 ? 1 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : 4;
	if (!*c || strlen(text.text) != n)
		return fail(p, "malformed character constant: %s", text.text);
	*out = (struct operand){.kind = IS_INT, .number = n == 1 ? *c : *c & (0xff >> (n + 1))};
	for (size_t i = 1; i < n; i++)
		out->number = out->number << 6 | (c[i] & 0x3f);
	return 0;
}

static int take_number(struct parser *p, struct operand *out)
{
	char digits[64];
	size_t n = 0;
	const char *from = p->at;
	while (p->at < p->end &&
		(is_word(*p->at) || *p->at == '.' ||
			((*p->at == '+' || *p->at == '-') &&
				(p->at == from || p->at[-1] == 'e' || p->at[-1] == 'E')))) {
		if (*p->at != '_' && n + 1 < sizeof digits)
			digits[n++] = *p->at;
		p->at++;
	}
	digits[n] = '\0';
	char *end_int, *end_float;
	errno = 0;
	long long number = strtoll(digits, &end_int, 0);
	bool fits = errno == 0;
	double value = strtod(digits, &end_float);
	if (n > 0 && !*end_int && fits)
		*out = (struct operand){.kind = IS_INT, .number = number};
	else if (n > 0 && !*end_float && isdigit((unsigned char)end_float[-1]))
		*out = (struct operand){.kind = IS_FLOAT, .value = value};
	else
		return fail(p, "bad number syntax: \"%.*s\"", (int)(p->at - from), from);
	return 0;
}

/* ---- operands ---- */

static int check_variable(struct parser *p, const char *name)
{
	for (size_t i = 0; i < p->n_variables; i++)
		if (strcmp(p->variables[i], name) == 0)
			return 0;
	return fail(p, "undefined variable \"%s\"", name);
}

static int take_fields(struct parser *p, struct expr *expr)
{
	const char *fields[FIELDS_LIMIT] = {NULL};
	while (p->at + 1 < p->end && *p->at == '.' && is_word(p->at[1]) &&
		!isdigit((unsigned char)p->at[1])) {
		p->at++;
		if (expr->n_fields == FIELDS_LIMIT)
			return fail(p, "more than %d fields", FIELDS_LIMIT);
		fields[expr->n_fields++] = take_name(p, 0);
	}
	expr->fields = fw_arena_alloc(p->arena, (expr->n_fields + 1) * sizeof(*expr->fields));
	memcpy(expr->fields, fields, expr->n_fields * sizeof(*expr->fields));
	return 0;
}

static int take_word(struct parser *p, struct expr *expr)
{
	size_t length = word_length(p);
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
			return fail(p, "function \"%.*s\" not defined", (int)length, word);
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
	expr->name = take_name(p, 1);
	int rc = check_variable(p, expr->name);
	return rc < 0 ? rc : take_fields(p, expr);
}

static int take_operand(struct parser *p, struct expr *expr)
{
	char c = *p->at, next = p->at + 1 < p->end ? p->at[1] : '\0';
	*expr = (struct expr){.kind = EXPR_CONSTANT, .from = place(p)};
	int rc = 0;
	if (c == '(')
		rc = take_parens(p, expr);
	else if (c == '$')
		rc = take_variable(p, expr);
	else if (c == '"' || c == '`')
		rc = take_text(p, &expr->constant);
	else if (c == '\'')
		rc = take_character(p, &expr->constant);
	else if (isdigit((unsigned char)c) || c == '+' || c == '-' ||
		(c == '.' && isdigit((unsigned char)next)))
		rc = take_number(p, &expr->constant);
	else if (c == '.' && is_word(next)) {
		expr->kind = EXPR_FIELD;
		rc = take_fields(p, expr);
	} else if (c == '.') {
		expr->kind = EXPR_DOT;
		p->at++;
	} else if (is_word(c))
		rc = take_word(p, expr);
	else
		return fail(p, "unexpected \"%c\" in operand", c);
	expr->to = place(p);
	return rc;
}

/* ---- pipelines ---- */

static bool ends_command(const struct parser *p)
{
	return p->at >= p->end || *p->at == '|' || *p->at == ')' || at_close(p);
}

static int parse_command(struct parser *p, struct command *command)
{
	struct expr args[OPERANDS_LIMIT];
	size_t n = 0;
	command->from = place(p);
	while (!ends_command(p)) {
		if (n == OPERANDS_LIMIT)
			return fail(p, "more than %d operands", OPERANDS_LIMIT);
		int rc = take_operand(p, &args[n++]);
		if (rc < 0)
			return rc;
		command->to = place(p);
		if (!ends_command(p) && !is_space(*p->at))
			return fail(p, "unexpected \"%c\" in operand", *p->at);
		skip_space(p);
	}
	if (n == 0)
		return fail(p, "missing value for command");
	struct expr *copy = fw_arena_alloc(p->arena, n * sizeof *copy);
	memcpy(copy, args, n * sizeof *copy);
	command->args = copy;
	command->n = n;
	return 0;
}

static int add_variable(struct parser *p, const char *name)
{
	if (p->n_variables == VARIABLES_LIMIT)
		return fail(p, "more than %d variables", VARIABLES_LIMIT);
	p->variables[p->n_variables++] = name;
	return 0;
}

/* "$x :=", "$i, $x :=" or "$x ="; anything else is left where it is. */
static int take_declarations(struct parser *p, struct pipe *pipe)
{
	const char *from = p->at;
	while (p->at < p->end && *p->at == '$' && pipe->n_variables < 2) {
		pipe->variables[pipe->n_variables++] = take_name(p, 1);
		skip_space(p);
		if (!take(p, ","))
			break;
		skip_space(p);
	}
	pipe->assigns = pipe->n_variables && !starts(p, ":=") && starts(p, "=");
	if (pipe->n_variables && (take(p, ":=") || take(p, "="))) {
		skip_space(p);
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
	struct command commands[OPERANDS_LIMIT];
	do {
		skip_space(p);
		if (pipe->n == OPERANDS_LIMIT)
			return fail(p, "more than %d commands", OPERANDS_LIMIT);
		int rc = parse_command(p, &commands[pipe->n]);
		if (rc < 0)
			return rc;
		if (pipe->n > 0 && !may_follow(&commands[pipe->n]))
			return fail(p, "non executable command in pipeline stage %zu", pipe->n + 1);
		pipe->n++;
	} while (take(p, "|"));
	struct command *copy = fw_arena_alloc(p->arena, pipe->n * sizeof *copy);
	memcpy(copy, commands, pipe->n * sizeof *copy);
	pipe->commands = copy;
	return 0;
}

static int end_pipe(struct parser *p, bool in_parens)
{
	if (!in_parens && p->at < p->end && *p->at == ')')
		return fail(p, "unexpected right paren");
	if (!in_parens)
		return 0;
	if (!take(p, ")"))
		return fail(p, "unclosed left paren");
	return 0;
}

static int parse_pipe(struct parser *p, bool in_parens, const struct pipe **out)
{
	if (++p->depth > TEMPLATE_DEPTH_LIMIT)
		return fail(p, "nested more than %d deep", TEMPLATE_DEPTH_LIMIT);
	skip_space(p);
	struct pipe *pipe = fw_arena_alloc(p->arena, sizeof *pipe);
	pipe->from = place(p);
	int rc = take_declarations(p, pipe);
	if (rc == 0)
		rc = parse_commands(p, pipe);
	pipe->to = place(p);
	if (rc == 0)
		rc = end_pipe(p, in_parens);
	if (rc == 0)
		rc = declare(p, pipe);
	p->depth--;
	*out = pipe;
	return rc;
}

/* ---- tags ---- */

static int expect_end(struct parser *p, enum ending ending)
{
	if (ending == AT_TEXT_END)
		return fail(p, "unexpected EOF");
	return ending == AT_ELSE ? fail(p, "expected end; found {{else}}") : 0;
}

static int parse_branch(struct parser *p, struct step *step);

/* What follows {{else}}: steps, or "if ..." as the only one of them. */
static int parse_else(struct parser *p, struct step *step)
{
	enum ending ending;
	skip_space(p);
	if (take_keyword(p, "if")) {
		struct step *inner = fw_arena_alloc(p->arena, sizeof *inner);
		inner->kind = STEP_IF;
		inner->from = place(p);
		step->otherwise = inner;
		return parse_branch(p, inner);
	}
	int rc = take_close(p);
	if (rc == 0)
		rc = parse_steps(p, &step->otherwise, &ending);
	return rc < 0 ? rc : expect_end(p, ending);
}

/* if, with and range: a pipeline, steps, perhaps others. Variables end with it. */
static int parse_branch(struct parser *p, struct step *step)
{
	size_t before = p->n_variables;
	enum ending ending = AT_TEXT_END;
	bool is_loop = step->kind == STEP_RANGE;
	if (++p->depth > TEMPLATE_DEPTH_LIMIT)
		return fail(p, "nested more than %d deep", TEMPLATE_DEPTH_LIMIT);
	int rc = parse_pipe(p, false, &step->pipe);
	if (rc == 0 && step->pipe->n_variables == 2 && !is_loop)
		rc = fail(p, "too many declarations");
	if (rc == 0)
		rc = take_close(p);
	p->loops += is_loop;
	if (rc == 0)
		rc = parse_steps(p, &step->inner, &ending);
	p->loops -= is_loop;
	if (rc == 0 && ending == AT_ELSE)
		rc = parse_else(p, step);
	else if (rc == 0)
		rc = expect_end(p, ending);
	p->depth--;
	p->n_variables = before;
	return rc;
}

static int parse_loop_word(struct parser *p, struct step *step, const char *word)
{
	if (!p->loops)
		return fail(p, "{{%s}} outside {{range}}", word);
	(void)step;
	return take_close(p);
}

static int take_template_name(struct parser *p, const char **name)
{
	struct operand text = {0};
	skip_space(p);
	if (p->at >= p->end || (*p->at != '"' && *p->at != '`'))
		return fail(p, "a template's name must be a quoted string");
	int rc = take_text(p, &text);
	*name = text.text;
	skip_space(p);
	return rc;
}

static int parse_template(struct parser *p, struct step *step)
{
	int rc = take_template_name(p, &step->text);
	if (rc == 0 && !at_close(p))
		rc = parse_pipe(p, false, &step->pipe);
	return rc < 0 ? rc : take_close(p);
}

/* The steps of {{define "x"}} or {{block "x" .}}, which see no variables but "$". */
static int parse_definition(struct parser *p, const char *name)
{
	const char *kept[VARIABLES_LIMIT];
	size_t n = p->n_variables;
	enum ending ending = AT_TEXT_END;
	struct defined *defined = fw_arena_alloc(p->arena, sizeof *defined);
	memcpy(kept, p->variables, n * sizeof *kept);
	p->n_variables = 1;
	if (++p->depth > TEMPLATE_DEPTH_LIMIT)
		return fail(p, "nested more than %d deep", TEMPLATE_DEPTH_LIMIT);
	int rc = take_close(p);
	if (rc == 0)
		rc = parse_steps(p, &defined->steps, &ending);
	if (rc == 0)
		rc = expect_end(p, ending);
	p->depth--;
	memcpy(p->variables, kept, n * sizeof *kept);
	p->n_variables = n;
	defined->name = name;
	defined->older = p->template->defined;
	p->template->defined = defined;
	return rc;
}

static int parse_block(struct parser *p, struct step *step)
{
	step->kind = STEP_TEMPLATE;
	int rc = take_template_name(p, &step->text);
	if (rc == 0)
		rc = parse_pipe(p, false, &step->pipe);
	return rc < 0 ? rc : parse_definition(p, step->text);
}

static int parse_action(struct parser *p, struct step *step)
{
	step->kind = STEP_ACTION;
	int rc = parse_pipe(p, false, &step->pipe);
	if (rc == 0 && step->pipe->n_variables == 2)
		rc = fail(p, "too many declarations in command");
	return rc < 0 ? rc : take_close(p);
}

/* 1: a step; 0: a definition, which is none. */
static int parse_tag(struct parser *p, struct step *step)
{
	static const struct {
		const char *word;
		enum step_kind kind;
	} branches[] = {{"if", STEP_IF}, {"with", STEP_WITH}, {"range", STEP_RANGE}};
	const char *name;
	for (size_t i = 0; i < sizeof branches / sizeof *branches; i++) {
		if (!take_keyword(p, branches[i].word))
			continue;
		step->kind = branches[i].kind;
		int rc = parse_branch(p, step);
		return rc < 0 ? rc : 1;
	}
	int rc;
	if (take_keyword(p, "template")) {
		step->kind = STEP_TEMPLATE;
		rc = parse_template(p, step);
	} else if (take_keyword(p, "break")) {
		step->kind = STEP_BREAK;
		rc = parse_loop_word(p, step, "break");
	} else if (take_keyword(p, "continue")) {
		step->kind = STEP_CONTINUE;
		rc = parse_loop_word(p, step, "continue");
	} else if (take_keyword(p, "block")) {
		rc = parse_block(p, step);
	} else if (take_keyword(p, "define")) {
		if (p->depth > 0)
			return fail(p, "unexpected {{define}} within another tag");
		rc = take_template_name(p, &name);
		return rc < 0 ? rc : parse_definition(p, name);
	} else {
		rc = parse_action(p, step);
	}
	return rc < 0 ? rc : 1;
}

/* ---- text between tags ---- */

/* Up to the next tag, which may ask for what stands before it to be trimmed. */
static const char *take_plain(struct parser *p)
{
	if (p->trims)
		skip_space(p);
	p->trims = false;
	const char *from = p->at;
	const char *tag = memmem(from, (size_t)(p->end - from), "{{", 2);
	const char *to = tag ? tag : p->end;
	p->at = to;
	if (tag && tag + 3 < p->end && tag[2] == '-' && is_space(tag[3]))
		while (to > from && is_space(to[-1]))
			to--;
	return fw_arena_strndup(p->arena, from, (size_t)(to - from));
}

/* Behind "{{"; 1: it was a comment, all of it. */
static int take_comment(struct parser *p)
{
	const char *from = p->at;
	if (starts(p, "-") && p->at + 1 < p->end && is_space(p->at[1]))
		p->at++;
	skip_space(p);
	if (!take(p, "/*")) {
		if (*from != '-')
			p->at = from;
		return 0;
	}
	const char *end = memmem(p->at, (size_t)(p->end - p->at), "*/", 2);
	if (!end)
		return fail(p, "unclosed comment");
	p->at = end + 2;
	const char *close = p->at;
	int rc = take_close(p);
	if (rc == 0 && close < p->at - 2 && !p->trims)
		rc = fail(p, "comment ends before closing delimiter");
	return rc < 0 ? rc : 1;
}

static void append(const struct step ***last, struct step *step)
{
	**last = step;
	*last = &step->next;
}

static void append_text(struct parser *p, const struct step ***last)
{
	const char *text = take_plain(p);
	if (!*text)
		return;
	struct step *step = fw_arena_alloc(p->arena, sizeof *step);
	*step = (struct step){.kind = STEP_TEXT, .text = text};
	append(last, step);
}

/* Behind "{{": 0 to go on, 1 where the list has ended. */
static int parse_one(struct parser *p, const struct step ***last, enum ending *ending)
{
	int rc = take_comment(p);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	skip_space(p);
	if (take_keyword(p, "end")) {
		*ending = AT_END;
		rc = take_close(p);
		return rc < 0 ? rc : 1;
	}
	if (take_keyword(p, "else")) {
		*ending = AT_ELSE;
		return 1;
	}
	struct step *step = fw_arena_alloc(p->arena, sizeof *step);
	step->from = place(p);
	rc = parse_tag(p, step);
	if (rc == 1)
		append(last, step);
	return rc < 0 ? rc : 0;
}

static int parse_steps(struct parser *p, const struct step **out, enum ending *ending)
{
	const struct step **last = out;
	*out = NULL;
	*ending = AT_TEXT_END;
	for (int rc = 0; rc == 0;) {
		append_text(p, &last);
		if (p->at >= p->end)
			return 0;
		p->at += 2;
		rc = parse_one(p, &last, ending);
		if (rc != 0)
			return rc < 0 ? rc : 0;
	}
	return 0;
}

int template_parse(const char *alert, const char *text, struct fw_arena *arena,
	struct template **out, struct fw_err *err)
{
	struct parser p = {.arena = arena, .err = err, .variables = {"$"}, .n_variables = 1};
	enum ending ending;
	if (strlen(text) > TEMPLATE_TEXT_LIMIT)
		return fw_fail(err, -EFBIG, "the template is longer than 256 KiB");
	struct template *template = fw_arena_alloc(arena, sizeof *template);
	template->name = fw_arena_format(arena, "__alert_%s", alert);
	template->text = fw_arena_format(arena, "%s%s", prefix, text);
	p.template = template;
	p.text = p.at = template->text;
	p.end = p.at + strlen(p.at);
	int rc = parse_steps(&p, &template->steps, &ending);
	if (rc == 0 && ending != AT_TEXT_END)
		rc = fail(&p, "unexpected {{%s}}", ending == AT_END ? "end" : "else");
	if (rc == 0)
		*out = template;
	return rc;
}
