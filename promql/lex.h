/* The words of a question.
 *
 * A lexer hands out one token after the other. What a byte means depends on
 * whether braces or a bracket are open, as in Prometheus: keywords are plain
 * names within braces, and a colon parts range and step within a bracket. After
 * a TOKEN_ERROR or TOKEN_END nothing follows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/mem.h>

#include "node.h"

enum token_kind {
	TOKEN_ERROR,
	TOKEN_END,
	TOKEN_IDENTIFIER,
	TOKEN_METRIC, /* an identifier with a colon */
	TOKEN_STRING, /* with its quotes */
	TOKEN_NUMBER,
	TOKEN_DURATION,
	TOKEN_LEFT_PAREN,
	TOKEN_RIGHT_PAREN,
	TOKEN_LEFT_BRACE,
	TOKEN_RIGHT_BRACE,
	TOKEN_LEFT_BRACKET,
	TOKEN_RIGHT_BRACKET,
	TOKEN_COMMA,
	TOKEN_COLON,
	TOKEN_EQUAL,
	TOKEN_REGEX,
	TOKEN_NOT_REGEX,
	TOKEN_AT,
	TOKEN_OPERATOR,
	TOKEN_AGGREGATION,
	TOKEN_BOOL,
	TOKEN_BY,
	TOKEN_GROUP_LEFT,
	TOKEN_GROUP_RIGHT,
	TOKEN_IGNORING,
	TOKEN_OFFSET,
	TOKEN_ON,
	TOKEN_WITHOUT,
	TOKEN_START,
	TOKEN_STOP, /* "end" */
};

/* Aggregations that are known but refused, as they are experimental. */
enum { TOKEN_LIMITK = N_AGGREGATIONS, TOKEN_LIMIT_RATIO };

struct token {
	enum token_kind kind;
	int value;         /* of TOKEN_OPERATOR and TOKEN_AGGREGATION: which */
	uint32_t from, to; /* bytes of the text */
	const char *wrong; /* of TOKEN_ERROR: what is */
};

struct lexer {
	const char *text;
	uint32_t length, start, at;
	struct fw_arena *arena; /* for the sentences of errors */
	int parens;
	bool in_braces, in_bracket;
	bool in_duration; /* right behind a bracket, where only a duration may stand */
	bool had_colon, had_duration;
};

struct token lex_next(struct lexer *lexer);
/* "number \"5\"", "<op:+>", as messages name a token. */
void lex_describe(const struct lexer *lexer, const struct token *token, struct fw_buf *out);
