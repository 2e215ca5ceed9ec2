/* What reading a template's text needs in all of its files: where it is, and what it has seen. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "template_tree.h"

#define PARSE_VARIABLES 200
#define PARSE_OPERANDS 64 /* of a command, and commands of a pipeline */
#define PARSE_FIELDS 32

struct parser {
	const char *text, *at, *end;
	struct fw_arena *arena;
	struct template *template;
	struct fw_err *err;
	const char *variables[PARSE_VARIABLES]; /* that may be used here */
	size_t n_variables;
	unsigned depth, loops;
	bool trims; /* the tag before ended with "-}}" */
};

/* A pipeline with its declarations, up to what ends the tag or the parenthesis. */
int parse_pipe(struct parser *p, bool in_parens, const struct pipe **out);

/* ---- words; what is taken is passed over ---- */

/* -EINVAL, with the sentence. */
int scan_fail(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
unsigned scan_place(const struct parser *p);
bool scan_is_space(char c);
bool scan_is_word(char c);
void scan_space(struct parser *p);
bool scan_starts(const struct parser *p, const char *word);
bool scan_take(struct parser *p, const char *word);
size_t scan_word_length(const struct parser *p);
bool scan_keyword(struct parser *p, const char *word);
/* The word behind the first `with` bytes, which belong to it. */
const char *scan_name(struct parser *p, size_t with);
bool scan_at_close(const struct parser *p);
int scan_close(struct parser *p);

/* ---- constants; the first byte says which ---- */

int scan_text(struct parser *p, struct operand *out);
int scan_character(struct parser *p, struct operand *out);
int scan_number(struct parser *p, struct operand *out);
