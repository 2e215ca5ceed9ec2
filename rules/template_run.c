/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "template_tree.h"

#define ARGUMENTS_LIMIT 65
#define STACK_LIMIT 512 /* variables at once */

struct variable {
	const char *name;
	struct operand value;
};

struct executor {
	struct run run;
	struct variable stack[STACK_LIMIT];
	size_t n_stack, base; /* of this template: `base` is its "$" */
	const char *name;     /* of the template that is under way */
	enum { GO_ON, BREAKS, CONTINUES } jump;
};

static int eval_pipe(struct executor *x, const struct operand *dot, const struct pipe *pipe,
	struct operand *out);
static int walk(struct executor *x, const struct operand *dot, const struct step *step);

/* ---- failing ---- */

int run_fail(struct run *run, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(run->why, sizeof run->why, format, args);
	va_end(args);
	return -EINVAL;
}

int run_text(struct run *run, struct fw_buf *text, struct operand *out)
{
	int rc = 0;
	run->bytes += text->length;
	if (text->overflowed || text->length > TEMPLATE_TEXT_LIMIT ||
		run->bytes > TEMPLATE_BYTES_LIMIT)
		rc = run_fail(run, "the text becomes too long");
	else
		*out = (struct operand){
			.kind = IS_TEXT,
			.text = fw_arena_strndup(run->arena,
				text->length ? (const char *)text->data : "", text->length),
		};
	fw_buf_done(text);
	return rc;
}

int run_copy(struct run *run, const char *text, size_t length, struct operand *out)
{
	struct fw_buf copy = {0};
	fw_buf_append(&copy, text, length);
	return run_text(run, &copy, out);
}

/* Puts in front of `why` where it happened, as Go does: line, byte in it, what stands there. */
static int fail_at(struct executor *x, unsigned from, unsigned to, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int fail_at(struct executor *x, unsigned from, unsigned to, const char *format, ...)
{
	char what[sizeof x->run.why];
	const char *text = x->run.template->text;
	unsigned line = 1, column = 0;
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	for (unsigned i = 0; i < from; i++) {
		column = text[i] == '\n' ? 0 : column + 1;
		line += text[i] == '\n';
	}
	return run_fail(&x->run, "template: %s:%u:%u: executing \"%s\" at <%.*s>: %s",
		x->run.template->name, line, column, x->name, (int)(to - from), text + from, what);
}

static int count_step(struct executor *x, unsigned from, unsigned to)
{
	if (++x->run.steps > TEMPLATE_STEPS_LIMIT)
		return fail_at(x, from, to, "more than %d steps", TEMPLATE_STEPS_LIMIT);
	return 0;
}

/* ---- operands ---- */

static struct operand of_text(const char *text)
{
	return (struct operand){.kind = IS_TEXT, .text = text};
}

static struct operand of_labels(const struct label_set *labels)
{
	static const struct label_set none;
	return (struct operand){.kind = IS_MAP, .map = labels ? labels : &none};
}

static bool root_field(const struct template_data *data, const char *name, struct operand *out)
{
	if (strcmp(name, "Labels") == 0)
		*out = of_labels(data->labels);
	else if (strcmp(name, "ExternalLabels") == 0)
		*out = of_labels(data->external_labels);
	else if (strcmp(name, "ExternalURL") == 0)
		*out = of_text(data->external_url ? data->external_url : "");
	else if (strcmp(name, "Value") == 0)
		*out = (struct operand){.kind = IS_FLOAT, .value = data->value};
	else
		return false;
	return true;
}

static bool sample_field(
	const struct template_sample *sample, const char *name, struct operand *out)
{
	if (strcmp(name, "Labels") == 0)
		*out = of_labels(&sample->labels);
	else if (strcmp(name, "Value") == 0)
		*out = (struct operand){.kind = IS_FLOAT, .value = sample->value};
	else
		return false;
	return true;
}

static struct operand args_field(const struct operand *args, const char *name)
{
	for (size_t i = 0; i < args->n; i++) {
		char text[32];
		snprintf(text, sizeof text, "arg%zu", i);
		if (strcmp(text, name) == 0)
			return args->args[i];
	}
	return (struct operand){.kind = IS_NONE};
}

static int eval_field(struct executor *x, const struct expr *expr, const struct operand *of,
	const char *name, struct operand *out)
{
	struct operand from = *of;
	bool found = true;
	if (from.kind == IS_MAP)
		*out = of_text(label_set_get(from.map, name));
	else if (from.kind == IS_ARGS)
		*out = args_field(&from, name);
	else if (from.kind == IS_ROOT)
		found = root_field(x->run.data, name, out);
	else if (from.kind == IS_SAMPLE)
		found = sample_field(from.samples, name, out);
	else if (from.kind == IS_NONE || from.kind == IS_NIL)
		return fail_at(x, expr->from, expr->to, "nil data; no entry for key \"%s\"", name);
	else
		found = false;
	if (!found)
		return fail_at(x, expr->from, expr->to, "can't evaluate field %s in type %s", name,
			operand_type(&from));
	return 0;
}

static int eval_fields(
	struct executor *x, const struct expr *expr, struct operand from, struct operand *out)
{
	int rc = 0;
	for (size_t i = 0; i < expr->n_fields && rc == 0; i++) {
		struct operand of = from;
		rc = eval_field(x, expr, &of, expr->fields[i], &from);
	}
	*out = from;
	return rc;
}

static struct variable *find_variable(struct executor *x, const char *name)
{
	for (size_t i = x->n_stack; i > x->base; i--)
		if (strcmp(x->stack[i - 1].name, name) == 0)
			return &x->stack[i - 1];
	return NULL;
}

static int push(struct executor *x, const struct pipe *pipe, const char *name, struct operand value)
{
	if (x->n_stack == STACK_LIMIT)
		return fail_at(
			x, pipe->from, pipe->to, "more than %d variables at once", STACK_LIMIT);
	x->stack[x->n_stack++] = (struct variable){name, value};
	return 0;
}

static int run_call(struct executor *x, const struct operand *dot, const struct command *command,
	const struct expr *expr, const struct operand *final, struct operand *out);

static int eval_expr(
	struct executor *x, const struct operand *dot, const struct expr *expr, struct operand *out)
{
	struct operand inner;
	const struct variable *variable;
	int rc;
	switch (expr->kind) {
	case EXPR_DOT:
		*out = *dot;
		return 0;
	case EXPR_NIL:
		*out = (struct operand){.kind = IS_NIL};
		return 0;
	case EXPR_CONSTANT:
		*out = expr->constant;
		return 0;
	case EXPR_FIELD:
		return eval_fields(x, expr, *dot, out);
	case EXPR_VARIABLE:
		variable = find_variable(x, expr->name);
		if (!variable)
			return fail_at(
				x, expr->from, expr->to, "undefined variable: %s", expr->name);
		return eval_fields(x, expr, variable->value, out);
	case EXPR_PIPE:
		rc = eval_pipe(x, dot, expr->pipe, &inner);
		return rc < 0 ? rc : eval_fields(x, expr, inner, out);
	case EXPR_FUNCTION:
		return run_call(x, dot, NULL, expr, NULL, out);
	}
	return -EINVAL;
}

/* ---- calls ---- */

static const char *type_name(char type)
{
	return type == 's' ? "string" : type == 'q' ? "template.queryResult" : "*template.sample";
}

/* A sample is a pointer in Go and may be nil; here it may not. */
static int check_type(
	struct executor *x, const struct expr *expr, char type, const struct operand *arg)
{
	bool fits = type == '.' || (type == 's' && arg->kind == IS_TEXT) ||
		(type == 'q' && arg->kind == IS_SAMPLES) || (type == 'p' && arg->kind == IS_SAMPLE);
	if (fits)
		return 0;
	if (arg->kind == IS_NONE || arg->kind == IS_NIL)
		return fail_at(
			x, expr->from, expr->to, "invalid value; expected %s", type_name(type));
	if (expr->kind == EXPR_CONSTANT)
		return fail_at(x, expr->from, expr->to, "expected %s; found %.*s", type_name(type),
			(int)(expr->to - expr->from), x->run.template->text + expr->from);
	return fail_at(x, expr->from, expr->to, "wrong type for value; expected %s; got %s",
		type_name(type), operand_type(arg));
}

static int check_count(struct executor *x, const struct expr *expr, size_t n)
{
	const struct template_function *f = expr->function;
	if (f->most < 0 && n < (size_t)f->least)
		return fail_at(x, expr->from, expr->to,
			"wrong number of args for %s: want at least %d got %zu", f->name, f->least,
			n);
	if (f->most >= 0 && (n < (size_t)f->least || n > (size_t)f->most))
		return fail_at(x, expr->from, expr->to,
			"wrong number of args for %s: want %d got %zu", f->name, f->least, n);
	return 0;
}

/* "and" and "or": what decides ends them, and the rest is not even looked at. */
static bool decides(const struct template_function *function, const struct operand *arg)
{
	bool is_and = strcmp(function->name, "and") == 0, is_or = strcmp(function->name, "or") == 0;
	return (is_and && !operand_is_true(arg)) || (is_or && operand_is_true(arg));
}

static char type_of(const struct template_function *function, size_t i)
{
	size_t n = strlen(function->types);
	return n == 0 ? '.' : function->types[i < n ? i : n - 1];
}

/* 1: it was decided, and `out` is it. */
static int eval_args(struct executor *x, const struct operand *dot, const struct command *command,
	const struct expr *expr, struct operand *args, size_t n, struct operand *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct expr *arg = &command->args[i + 1];
		int rc = eval_expr(x, dot, arg, &args[i]);
		if (rc == 0)
			rc = check_type(x, arg, type_of(expr->function, i), &args[i]);
		if (rc < 0)
			return rc;
		if (decides(expr->function, &args[i])) {
			*out = args[i];
			return 1;
		}
	}
	return 0;
}

/* `command`: NULL where the function stands alone, as an argument; `final`: what came
 * through the pipe, its last argument. */
static int run_call(struct executor *x, const struct operand *dot, const struct command *command,
	const struct expr *expr, const struct operand *final, struct operand *out)
{
	struct operand args[ARGUMENTS_LIMIT + 1];
	char why[sizeof x->run.why];
	size_t n = command ? command->n - 1 : 0, all = n + (final != NULL);
	unsigned from = command ? command->from : expr->from;
	unsigned to = command ? command->to : expr->to;
	int rc = count_step(x, from, to);
	if (rc == 0)
		rc = check_count(x, expr, all);
	if (rc == 0)
		rc = eval_args(x, dot, command, expr, args, n, out);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (final) {
		args[n] = *final;
		rc = check_type(x, expr, type_of(expr->function, n), final);
	}
	if (rc < 0)
		return rc;
	*out = (struct operand){.kind = IS_NONE};
	rc = expr->function->call(&x->run, args, all, out);
	if (rc == 0)
		return 0;
	memcpy(why, x->run.why, sizeof why);
	return fail_at(x, from, to, "error calling %s: %s", expr->function->name, why);
}

static int eval_command(struct executor *x, const struct operand *dot,
	const struct command *command, const struct operand *final, struct operand *out)
{
	const struct expr *first = &command->args[0];
	if (first->kind == EXPR_FUNCTION)
		return run_call(x, dot, command, first, final, out);
	if (command->n > 1 || final) {
		int shown = (int)(first->to - first->from);
		return fail_at(x, first->from, first->to,
			first->kind == EXPR_FIELD || first->kind == EXPR_PIPE
				? "%.*s has arguments but cannot be invoked as function"
				: "can't give argument to non-function %.*s",
			shown, x->run.template->text + first->from);
	}
	if (first->kind == EXPR_NIL)
		return fail_at(x, first->from, first->to, "nil is not a command");
	return eval_expr(x, dot, first, out);
}

static int eval_pipe(
	struct executor *x, const struct operand *dot, const struct pipe *pipe, struct operand *out)
{
	struct operand value = {0};
	int rc = count_step(x, pipe->from, pipe->to);
	for (size_t i = 0; i < pipe->n && rc == 0; i++) {
		struct operand before = value;
		rc = eval_command(x, dot, &pipe->commands[i], i ? &before : NULL, &value);
	}
	for (size_t i = 0; i < pipe->n_variables && rc == 0; i++) {
		struct variable *known =
			pipe->assigns ? find_variable(x, pipe->variables[i]) : NULL;
		if (known)
			known->value = value;
		else
			rc = push(x, pipe, pipe->variables[i], value);
	}
	*out = value;
	return rc;
}

/* ---- steps ---- */

static int write_value(struct executor *x, const struct pipe *pipe, const struct operand *value)
{
	if (value->kind == IS_NONE || value->kind == IS_NIL)
		fw_buf_puts(&x->run.out, "<no value>");
	else
		operand_print(value, &x->run.out);
	if (x->run.out.overflowed)
		return fail_at(x, pipe->from, pipe->to, "the text becomes too long");
	return 0;
}

static int run_branch(struct executor *x, const struct operand *dot, const struct step *step)
{
	struct operand value;
	size_t before = x->n_stack;
	int rc = eval_pipe(x, dot, step->pipe, &value);
	if (rc == 0 && operand_is_true(&value))
		rc = walk(x, step->kind == STEP_WITH ? &value : dot, step->inner);
	else if (rc == 0)
		rc = walk(x, dot, step->otherwise);
	x->n_stack = before;
	return rc;
}

/* How many there are to go through; -1: it cannot be. */
static int64_t count_items(const struct operand *of)
{
	switch (of->kind) {
	case IS_SAMPLES:
	case IS_ARGS:
		return (int64_t)of->n;
	case IS_MAP:
		return (int64_t)of->map->n;
	case IS_INT:
		return of->number > 0 ? of->number : 0;
	case IS_NONE:
	case IS_NIL:
		return 0;
	default:
		return -1;
	}
}

static void take_item(struct executor *x, const struct operand *of, size_t i, struct operand *key,
	struct operand *value)
{
	*key = (struct operand){.kind = IS_INT, .number = (int64_t)i};
	*value = *key;
	if (of->kind == IS_SAMPLES) {
		*value = (struct operand){.kind = IS_SAMPLE, .samples = &of->samples[i]};
	} else if (of->kind == IS_MAP) {
		*key = of_text(of->map->items[i].name);
		*value = of_text(of->map->items[i].value);
	} else if (of->kind == IS_ARGS) {
		*key = of_text(fw_arena_format(x->run.arena, "arg%zu", i));
		*value = of->args[i];
	}
}

static int run_item(struct executor *x, const struct step *step, const struct operand *of, size_t i)
{
	struct operand key, value;
	const struct pipe *pipe = step->pipe;
	size_t before = x->n_stack;
	int rc = count_step(x, pipe->from, pipe->to);
	take_item(x, of, i, &key, &value);
	if (rc == 0 && pipe->n_variables == 2)
		rc = push(x, pipe, pipe->variables[0], key);
	if (rc == 0 && pipe->n_variables > 0)
		rc = push(x, pipe, pipe->variables[pipe->n_variables - 1], value);
	if (rc == 0)
		rc = walk(x, &value, step->inner);
	x->n_stack = before;
	if (x->jump == CONTINUES)
		x->jump = GO_ON;
	return rc;
}

static int run_range(struct executor *x, const struct operand *dot, const struct step *step)
{
	struct operand of;
	struct pipe asked = *step->pipe;
	size_t before = x->n_stack;
	asked.n_variables = 0; /* they are set for each item */
	int rc = eval_pipe(x, dot, &asked, &of);
	int64_t n = rc < 0 ? 0 : count_items(&of);
	if (n < 0) {
		struct fw_buf text = {0};
		operand_print(&of, &text);
		rc = fail_at(x, asked.from, asked.to, "range can't iterate over %s",
			text.length ? (const char *)text.data : "");
		fw_buf_done(&text);
	}
	for (int64_t i = 0; i < n && rc == 0 && x->jump == GO_ON; i++)
		rc = run_item(x, step, &of, (size_t)i);
	if (x->jump == BREAKS)
		x->jump = GO_ON;
	if (rc == 0 && n == 0)
		rc = walk(x, dot, step->otherwise);
	x->n_stack = before;
	return rc;
}

static const struct defined *find_defined(const struct template *template, const char *name)
{
	for (const struct defined *d = template->defined; d; d = d->older)
		if (strcmp(d->name, name) == 0)
			return d;
	return NULL;
}

static int run_template(struct executor *x, const struct operand *dot, const struct step *step)
{
	const struct defined *defined = find_defined(x->run.template, step->text);
	size_t before = x->n_stack, base = x->base;
	const char *name = x->name;
	struct operand value = {.kind = IS_NIL};
	unsigned to = step->from + (unsigned)strlen("template");
	int rc = step->pipe ? eval_pipe(x, dot, step->pipe, &value) : 0;
	if (rc < 0)
		return rc;
	if (!defined)
		return fail_at(x, step->from, to, "template \"%s\" not defined", step->text);
	x->base = x->n_stack;
	rc = x->n_stack < STACK_LIMIT ? 0 : fail_at(x, step->from, to, "too many variables");
	if (rc == 0)
		x->stack[x->n_stack++] = (struct variable){"$", value};
	x->name = step->text;
	if (rc == 0)
		rc = walk(x, &value, defined->steps);
	x->name = name;
	x->n_stack = before;
	x->base = base;
	return rc;
}

static int run_step(struct executor *x, const struct operand *dot, const struct step *step)
{
	struct operand value;
	int rc;
	switch (step->kind) {
	case STEP_TEXT:
		fw_buf_puts(&x->run.out, step->text);
		return x->run.out.overflowed ? run_fail(&x->run, "the text becomes too long") : 0;
	case STEP_ACTION:
		rc = eval_pipe(x, dot, step->pipe, &value);
		if (rc == 0 && step->pipe->n_variables == 0)
			rc = write_value(x, step->pipe, &value);
		return rc;
	case STEP_IF:
	case STEP_WITH:
		return run_branch(x, dot, step);
	case STEP_RANGE:
		return run_range(x, dot, step);
	case STEP_TEMPLATE:
		return run_template(x, dot, step);
	case STEP_BREAK:
		x->jump = BREAKS;
		return 0;
	case STEP_CONTINUE:
		x->jump = CONTINUES;
		return 0;
	}
	return -EINVAL;
}

static int walk(struct executor *x, const struct operand *dot, const struct step *step)
{
	int rc = 0;
	if (++x->run.depth > 2 * TEMPLATE_DEPTH_LIMIT)
		return run_fail(
			&x->run, "exceeded maximum template depth (%d)", 2 * TEMPLATE_DEPTH_LIMIT);
	for (; step && rc == 0 && x->jump == GO_ON; step = step->next)
		rc = run_step(x, dot, step);
	x->run.depth--;
	return rc;
}

int template_expand(const struct template *template, const struct template_data *data,
	struct fw_arena *arena, const char **out)
{
	const struct operand root = {.kind = IS_ROOT};
	struct executor *x = fw_alloc(sizeof *x);
	x->run = (struct run){.template = template,
		.data = data,
		.arena = arena,
		.out = {.limit = TEMPLATE_TEXT_LIMIT}};
	x->name = template->name;
	x->stack[x->n_stack++] = (struct variable){"$", root};
	int rc = walk(x, &root, template->steps);
	if (rc < 0)
		*out = fw_arena_format(arena,
			"<error expanding template: error executing template %s: %s>",
			template->name, x->run.why);
	else
		*out = fw_arena_strndup(arena,
			x->run.out.length ? (const char *)x->run.out.data : "", x->run.out.length);
	fw_buf_done(&x->run.out);
	fw_free(x);
	return rc;
}
