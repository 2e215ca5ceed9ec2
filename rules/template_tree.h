/* What the files of a template know of one another: its tree, its values, its functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>

#include "template.h"

/* ---- values ---- */

enum operand_kind {
	IS_NONE, /* "<no value>" */
	IS_NIL,
	IS_BOOL,
	IS_INT,
	IS_FLOAT,
	IS_TEXT,
	IS_MAP,  /* texts by name: labels */
	IS_ARGS, /* what `args` gives: anything by "arg0", "arg1" ... */
	IS_SAMPLE,
	IS_SAMPLES, /* what `query` gives */
	IS_ROOT,    /* "." at the start: .Labels, .ExternalLabels, .ExternalURL, .Value */
	IS_TIME,
};

struct operand {
	enum operand_kind kind;
	size_t n; /* of ARGS and SAMPLES */
	union {
		bool truth;
		int64_t number; /* INT, and TIME in milliseconds */
		double value;
		const char *text;
		const struct label_set *map;
		const struct operand *args;
		const struct template_sample *samples; /* SAMPLE: the one; SAMPLES: the first */
	};
};

const char *operand_type(const struct operand *operand); /* as Go names it */
bool operand_is_true(const struct operand *operand);
void operand_print(const struct operand *operand, struct fw_buf *out); /* "%v" */
/* Go's Sprintf. */
void template_printf(const char *format, const struct operand *args, size_t n, struct fw_buf *out);

/* ---- the tree ---- */

enum expr_kind {
	EXPR_DOT,
	EXPR_NIL,
	EXPR_CONSTANT,
	EXPR_FIELD,
	EXPR_VARIABLE,
	EXPR_FUNCTION,
	EXPR_PIPE
};

struct pipe;
struct template_function;

struct expr {
	enum expr_kind kind;
	unsigned from, to;   /* bytes of the text */
	const char *name;    /* of a variable, with its "$" */
	const char **fields; /* .a.b behind a variable, a pipe, or by themselves */
	size_t n_fields;
	struct operand constant;
	const struct template_function *function;
	const struct pipe *pipe;
};

struct command {
	const struct expr *args;
	size_t n;
	unsigned from, to;
};

struct pipe {
	const char *variables[2];
	size_t n_variables;
	bool assigns; /* "=": to variables that are there */
	const struct command *commands;
	size_t n;
	unsigned from, to;
};

enum step_kind {
	STEP_TEXT,
	STEP_ACTION,
	STEP_IF,
	STEP_RANGE,
	STEP_WITH,
	STEP_TEMPLATE,
	STEP_BREAK,
	STEP_CONTINUE,
};

struct step {
	enum step_kind kind;
	unsigned from;
	const struct step *next;
	const char *text;        /* TEXT: what to write; TEMPLATE: its name */
	const struct pipe *pipe; /* of TEMPLATE it may be NULL */
	const struct step *inner, *otherwise;
};

struct defined {
	const struct defined *older;
	const char *name;
	const struct step *steps;
};

struct template
{
	const char *name, *text;
	const struct step *steps;
	const struct defined *defined;
};

/* ---- functions ---- */

struct run {
	const struct template *template;
	const struct template_data *data;
	struct fw_arena *arena;
	struct fw_buf out;
	unsigned steps, depth;
	size_t bytes; /* of texts made */
	char why[512];
};

/* Notes what a function has to say of its failure; -EINVAL. */
int run_fail(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The buffer's text as an operand; the buffer is given back. */
int run_text(struct run *run, struct fw_buf *text, struct operand *out);
int run_copy(struct run *run, const char *text, size_t length, struct operand *out);

/* `types` has a letter for each argument, the last one for all that follow: s text,
 * q samples, p a sample, . anything. */
struct template_function {
	const char *name, *types;
	int least, most; /* arguments; most -1: any number */
	int (*call)(struct run *run, const struct operand *args, size_t n, struct operand *out);
};
const struct template_function *template_function_find(const char *name, size_t length);

/* Each ends with a row without a name. */
extern const struct template_function template_go[], template_humanize[], template_texts[],
	template_samples[];

/* As it may stand behind a URL's "?". */
void template_escape_query(const char *text, struct fw_buf *out);
