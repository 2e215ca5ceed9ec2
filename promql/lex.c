/* SPDX-License-Identifier: Apache-2.0 */
#include "lex.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <fenwatch/utf8.h>

#include "quote.h"

#define NO_CHAR UINT32_MAX /* behind the end */
#define MALFORMED 0xfffd   /* what a byte that is no UTF-8 reads as */

static const struct word {
	const char *text;
	enum token_kind kind;
	int value;
} words[] = {
	{"and", TOKEN_OPERATOR, OP_AND},
	{"or", TOKEN_OPERATOR, OP_OR},
	{"unless", TOKEN_OPERATOR, OP_UNLESS},
	{"atan2", TOKEN_OPERATOR, OP_ATAN2},
	{"sum", TOKEN_AGGREGATION, AGG_SUM},
	{"avg", TOKEN_AGGREGATION, AGG_AVG},
	{"count", TOKEN_AGGREGATION, AGG_COUNT},
	{"min", TOKEN_AGGREGATION, AGG_MIN},
	{"max", TOKEN_AGGREGATION, AGG_MAX},
	{"group", TOKEN_AGGREGATION, AGG_GROUP},
	{"stddev", TOKEN_AGGREGATION, AGG_STDDEV},
	{"stdvar", TOKEN_AGGREGATION, AGG_STDVAR},
	{"topk", TOKEN_AGGREGATION, AGG_TOPK},
	{"bottomk", TOKEN_AGGREGATION, AGG_BOTTOMK},
	{"count_values", TOKEN_AGGREGATION, AGG_COUNT_VALUES},
	{"quantile", TOKEN_AGGREGATION, AGG_QUANTILE},
	{"limitk", TOKEN_AGGREGATION, TOKEN_LIMITK},
	{"limit_ratio", TOKEN_AGGREGATION, TOKEN_LIMIT_RATIO},
	{"offset", TOKEN_OFFSET, 0},
	{"by", TOKEN_BY, 0},
	{"without", TOKEN_WITHOUT, 0},
	{"on", TOKEN_ON, 0},
	{"ignoring", TOKEN_IGNORING, 0},
	{"group_left", TOKEN_GROUP_LEFT, 0},
	{"group_right", TOKEN_GROUP_RIGHT, 0},
	{"bool", TOKEN_BOOL, 0},
	{"start", TOKEN_START, 0},
	{"end", TOKEN_STOP, 0},
	{"inf", TOKEN_NUMBER, 0},
	{"nan", TOKEN_NUMBER, 0},
};

/* ---- characters ---- */

static bool is_digit(uint32_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word_char(uint32_t c)
{
	return is_letter(c) || is_digit(c);
}

static bool is_space(uint32_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static uint32_t decode(const struct lexer *l, size_t *bytes)
{
	uint32_t code;
	*bytes = 0;
	if (l->at == l->length)
		return NO_CHAR;
	*bytes = fw_utf8_decode(l->text + l->at, l->length - l->at, &code);
	if (*bytes > 0)
		return code;
	*bytes = 1;
	return MALFORMED;
}

static uint32_t peek(const struct lexer *l)
{
	size_t bytes;
	return decode(l, &bytes);
}

static uint32_t next(struct lexer *l)
{
	size_t bytes;
	uint32_t c = decode(l, &bytes);
	l->at += (uint32_t)bytes;
	return c;
}

static bool is_one_of(uint32_t c, const char *set)
{
	return c > 0 && c < 0x80 && strchr(set, (int)c) != NULL;
}

static bool accept(struct lexer *l, const char *set)
{
	if (!is_one_of(peek(l), set))
		return false;
	l->at++;
	return true;
}

static void accept_run(struct lexer *l, const char *set)
{
	while (accept(l, set))
		;
}

/* ---- tokens ---- */

static struct token emit(struct lexer *l, enum token_kind kind)
{
	struct token token = {.kind = kind, .from = l->start, .to = l->at};
	l->start = l->at;
	return token;
}

static struct token emit_operator(struct lexer *l, enum node_operator op)
{
	struct token token = emit(l, TOKEN_OPERATOR);
	token.value = (int)op;
	return token;
}

__attribute__((format(printf, 2, 3))) static struct token wrong(
	struct lexer *l, const char *format, ...)
{
	char sentence[256];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	return (struct token){.kind = TOKEN_ERROR,
		.from = l->start,
		.to = l->length,
		.wrong = fw_arena_strdup(l->arena, sentence)};
}

/* The sentence with the character in quotes behind it. */
static struct token wrong_char(struct lexer *l, const char *sentence, uint32_t c)
{
	struct fw_buf quoted = {0};
	promql_quote_char(&quoted, c);
	struct token token = wrong(l, "%s%s", sentence, (const char *)quoted.data);
	fw_buf_done(&quoted);
	return token;
}

static struct token wrong_number(struct lexer *l)
{
	struct fw_buf quoted = {0};
	promql_quote_some(&quoted, l->text + l->start, l->at - l->start, SIZE_MAX);
	struct token token =
		wrong(l, "bad number or duration syntax: %s", (const char *)quoted.data);
	fw_buf_done(&quoted);
	return token;
}

/* ---- numbers and durations ---- */

struct number_scan {
	const char *digits;
	bool hex, point, exponent;
};

/* One piece of a number: a run of digits, a point, an underscore or an exponent. */
static bool scan_piece(struct lexer *l, struct number_scan *n)
{
	if (accept(l, ".")) {
		bool again = n->point;
		n->point = true;
		return !again && !accept(l, "_.") && !n->hex;
	}
	if (accept(l, "eE")) {
		bool again = n->exponent;
		n->exponent = true;
		if (again)
			return false;
		accept(l, "+-");
		return !accept(l, "._eE") && peek(l) != NO_CHAR;
	}
	if (accept(l, "_"))
		return !accept(l, "._eE") && peek(l) != NO_CHAR;
	accept_run(l, n->digits);
	return true;
}

/* What looks like a number; whether it is one shows when it is read. */
static bool scan_number(struct lexer *l)
{
	struct number_scan n = {.digits = "0123456789"};
	uint32_t first = l->at;
	if (accept(l, "0") && accept(l, "xX")) {
		accept(l, "_");
		n.digits = "0123456789abcdefABCDEF";
		n.hex = true;
	}
	accept(l, ".");
	accept(l, n.digits);
	while (is_one_of(peek(l), n.digits) || is_one_of(peek(l), "._eE"))
		if (!scan_piece(l, &n))
			return false;
	return l->at > first && !is_word_char(peek(l));
}

/* Goes on where the number ended: units and further counts. */
static bool scan_duration(struct lexer *l)
{
	if (!accept(l, "smhdwy"))
		return false;
	accept(l, "s"); /* of "ms"; a wrong unit shows when the duration is read */
	while (accept(l, "0123456789")) {
		accept_run(l, "0123456789");
		if (!accept(l, "smhdw"))
			return false;
		accept(l, "s");
	}
	if (!is_word_char(peek(l)))
		return true;
	l->at++; /* the message shows what is too much */
	return false;
}

static struct token lex_number(struct lexer *l)
{
	l->in_duration = false;
	if (scan_number(l))
		return emit(l, TOKEN_NUMBER);
	return scan_duration(l) ? emit(l, TOKEN_DURATION) : wrong_number(l);
}

/* ---- strings ---- */

static unsigned digit_of(uint32_t c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* "U+0041 'A'", as messages name a character that is out of place. */
static struct token wrong_escape(struct lexer *l, const char *before, uint32_t c, const char *after)
{
	struct fw_buf text = {0};
	if (c == NO_CHAR)
		return wrong(l, "escape sequence not terminated");
	fw_buf_printf(&text, "%sU+%04X '", before, c);
	fw_utf8_put(&text, c);
	fw_buf_printf(&text, "'%s", after);
	struct token token = wrong(l, "%s", (const char *)text.data);
	fw_buf_done(&text);
	return token;
}

/* Digits of an escape; TOKEN_STRING when they are well. */
static struct token check_code(struct lexer *l, unsigned count, unsigned base, uint32_t limit)
{
	uint32_t code = 0;
	for (unsigned i = 0; i < count; i++) {
		uint32_t c = next(l);
		if (digit_of(c) >= base)
			return wrong_escape(l, "illegal character ", c, " in escape sequence");
		code = code * base + digit_of(c);
	}
	if (code > limit || (code >= 0xd800 && code < 0xe000))
		return wrong(l, "escape sequence is an invalid Unicode code point");
	return (struct token){.kind = TOKEN_STRING};
}

static struct token check_escape(struct lexer *l, uint32_t quote)
{
	uint32_t c = peek(l);
	if (c >= '0' && c <= '7')
		return check_code(l, 3, 8, 255);
	next(l);
	switch (c) {
	case 'x':
		return check_code(l, 2, 16, 255);
	case 'u':
		return check_code(l, 4, 16, 0x10ffff);
	case 'U':
		return check_code(l, 8, 16, 0x10ffff);
	default:
		if (c == quote || is_one_of(c, "abfnrtv\\"))
			return (struct token){.kind = TOKEN_STRING};
		return wrong_escape(l, "unknown escape sequence ", c, "");
	}
}

static struct token lex_string(struct lexer *l, uint32_t quote)
{
	bool raw = quote == '`';
	for (;;) {
		uint32_t c = next(l);
		if (c == quote)
			return emit(l, TOKEN_STRING);
		if (c == MALFORMED)
			return wrong(l, "invalid UTF-8 rune");
		if (c == NO_CHAR || (c == '\n' && !raw))
			return wrong(l, "unterminated %s string", raw ? "raw" : "quoted");
		if (c == '\\' && !raw) {
			struct token token = check_escape(l, quote);
			if (token.kind == TOKEN_ERROR)
				return token;
		}
	}
}

/* ---- words ---- */

static struct token lex_word(struct lexer *l)
{
	while (is_word_char(peek(l)) || peek(l) == ':')
		l->at++;
	size_t length = l->at - l->start;
	bool colon = memchr(l->text + l->start, ':', length) != NULL;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strlen(words[i].text) != length ||
			strncasecmp(words[i].text, l->text + l->start, length) != 0)
			continue;
		struct token token = emit(l, words[i].kind);
		token.value = words[i].value;
		return token;
	}
	return emit(l, colon ? TOKEN_METRIC : TOKEN_IDENTIFIER);
}

static struct token lex_in_braces(struct lexer *l)
{
	uint32_t c = next(l);
	switch (c) {
	case NO_CHAR:
		return wrong(l, "unexpected end of input inside braces");
	case ',':
		return emit(l, TOKEN_COMMA);
	case '"':
	case '\'':
	case '`':
		return lex_string(l, c);
	case '=':
		return emit(l, accept(l, "~") ? TOKEN_REGEX : TOKEN_EQUAL);
	case '!':
		c = next(l);
		if (c == '~')
			return emit(l, TOKEN_NOT_REGEX);
		if (c == '=')
			return emit_operator(l, OP_DIFFERENT);
		return wrong_char(l, "unexpected character after '!' inside braces: ", c);
	case '{':
		return wrong_char(l, "unexpected left brace ", c);
	case '}':
		l->in_braces = false;
		return emit(l, TOKEN_RIGHT_BRACE);
	default:
		if (!is_letter(c))
			return wrong_char(l, "unexpected character inside braces: ", c);
		while (is_word_char(peek(l)))
			l->at++;
		return emit(l, TOKEN_IDENTIFIER);
	}
}

/* ---- parentheses and brackets ---- */

static struct token lex_left_paren(struct lexer *l)
{
	l->parens++;
	return emit(l, TOKEN_LEFT_PAREN);
}

static struct token lex_right_paren(struct lexer *l)
{
	struct token token = emit(l, TOKEN_RIGHT_PAREN);
	if (l->parens-- == 0)
		return wrong(l, "unexpected right parenthesis ')'");
	return token;
}

static struct token lex_left_bracket(struct lexer *l)
{
	if (l->in_bracket)
		return wrong(l, "unexpected left bracket '['");
	l->in_bracket = true;
	l->in_duration = true;
	l->had_colon = false;
	return emit(l, TOKEN_LEFT_BRACKET);
}

static struct token lex_right_bracket(struct lexer *l)
{
	if (!l->in_bracket)
		return wrong(l, "unexpected right bracket ']'");
	l->in_bracket = false;
	l->in_duration = false;
	return emit(l, TOKEN_RIGHT_BRACKET);
}

static struct token lex_colon(struct lexer *l)
{
	if (l->had_colon && !l->in_duration)
		return wrong(l, "unexpected colon ':'");
	struct token token = emit(l, TOKEN_COLON);
	if (l->in_duration && !l->had_duration)
		return wrong(l, "unexpected colon before duration in duration expression");
	if (l->had_colon)
		return wrong(l, "unexpected repeated colon in duration expression");
	l->had_colon = true;
	return token;
}

static bool lex_arithmetic(struct lexer *l, uint32_t c, struct token *token)
{
	static const char marks[] = "+-*/%^";
	static const enum node_operator ops[] = {OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD, OP_POW};
	if (!is_one_of(c, marks))
		return false;
	*token = emit_operator(l, ops[strchr(marks, (int)c) - marks]);
	return true;
}

static struct token lex_in_duration(struct lexer *l)
{
	struct token token;
	uint32_t c = next(l);
	if (lex_arithmetic(l, c, &token))
		return token;
	if (is_digit(c) || (c == '.' && is_digit(peek(l)))) {
		l->at--;
		l->had_duration = true;
		return lex_number(l);
	}
	switch (c) {
	case NO_CHAR:
		return wrong(l, "unexpected end of input in duration expression");
	case ']':
		return lex_right_bracket(l);
	case ':':
		return lex_colon(l);
	case '(':
		return lex_left_paren(l);
	case ')':
		return lex_right_paren(l);
	default:
		return wrong_char(l, "unexpected character in duration expression: ", c);
	}
}

/* ---- all the rest ---- */

static struct token lex_end(struct lexer *l)
{
	if (l->parens != 0)
		return wrong(l, "unclosed left parenthesis");
	if (l->in_bracket)
		return wrong(l, "unclosed left bracket");
	return emit(l, TOKEN_END);
}

static struct token lex_equal(struct lexer *l)
{
	if (accept(l, "="))
		return emit_operator(l, OP_EQUAL);
	if (peek(l) == '~')
		return wrong_char(l, "unexpected character after '=': ", '~');
	return emit(l, TOKEN_EQUAL);
}

static struct token lex_not(struct lexer *l)
{
	uint32_t c = next(l);
	return c == '=' ? emit_operator(l, OP_DIFFERENT)
			: wrong_char(l, "unexpected character after '!': ", c);
}

static struct token lex_letter(struct lexer *l, uint32_t c)
{
	if (!l->in_bracket)
		return lex_word(l);
	if (c == ':')
		return lex_colon(l);
	struct fw_buf text = {0};
	promql_quote_char(&text, c);
	struct token token =
		wrong(l, "unexpected character: %s, expected ':'", (const char *)text.data);
	fw_buf_done(&text);
	return token;
}

static struct token lex_mark(struct lexer *l, uint32_t c)
{
	switch (c) {
	case NO_CHAR:
		return lex_end(l);
	case ',':
		return emit(l, TOKEN_COMMA);
	case '=':
		return lex_equal(l);
	case '!':
		return lex_not(l);
	case '<':
		return emit_operator(l, accept(l, "=") ? OP_LESS_EQUAL : OP_LESS);
	case '>':
		return emit_operator(l, accept(l, "=") ? OP_GREATER_EQUAL : OP_GREATER);
	case '(':
		return lex_left_paren(l);
	case ')':
		return lex_right_paren(l);
	case '{':
		l->in_braces = true;
		return emit(l, TOKEN_LEFT_BRACE);
	case '[':
		return lex_left_bracket(l);
	case ']':
		return lex_right_bracket(l);
	case '@':
		return emit(l, TOKEN_AT);
	default:
		return wrong_char(l, "unexpected character: ", c);
	}
}

static struct token lex_outside(struct lexer *l)
{
	struct token token;
	uint32_t c = next(l);
	if (lex_arithmetic(l, c, &token))
		return token;
	if (is_digit(c) || (c == '.' && is_digit(peek(l)))) {
		l->at--;
		return lex_number(l);
	}
	if (is_one_of(c, "\"'`"))
		return lex_string(l, c);
	if (is_letter(c) || c == ':')
		return lex_letter(l, c);
	return lex_mark(l, c);
}

static void skip(struct lexer *l)
{
	for (;;) {
		uint32_t c = peek(l);
		if (is_space(c)) {
			l->at++;
		} else if (c == '#' && !l->in_duration) {
			while (l->at < l->length && !is_one_of(peek(l), "\r\n"))
				next(l);
		} else {
			break;
		}
	}
	l->start = l->at;
}

struct token lex_next(struct lexer *l)
{
	skip(l);
	if (l->in_braces)
		return lex_in_braces(l);
	return l->in_duration ? lex_in_duration(l) : lex_outside(l);
}

/* ---- how messages name them ---- */

enum form { FORM_PLAIN, FORM_OPERATOR, FORM_AGGREGATION, FORM_KEYWORD };

static enum form form_of(enum token_kind kind)
{
	switch (kind) {
	case TOKEN_AT:
	case TOKEN_REGEX:
	case TOKEN_NOT_REGEX:
	case TOKEN_OPERATOR:
		return FORM_OPERATOR;
	case TOKEN_AGGREGATION:
		return FORM_AGGREGATION;
	case TOKEN_BOOL:
	case TOKEN_BY:
	case TOKEN_GROUP_LEFT:
	case TOKEN_GROUP_RIGHT:
	case TOKEN_IGNORING:
	case TOKEN_OFFSET:
	case TOKEN_ON:
	case TOKEN_WITHOUT:
		return FORM_KEYWORD;
	default:
		return FORM_PLAIN;
	}
}

/* "identifier \"rate\"", and of what is long only how it begins. */
static void describe_plain(
	const struct token *token, const char *text, size_t length, struct fw_buf *out)
{
	static const char *const prefixes[] = {
		[TOKEN_IDENTIFIER] = "identifier ",
		[TOKEN_METRIC] = "metric identifier ",
		[TOKEN_STRING] = "string ",
		[TOKEN_NUMBER] = "number ",
		[TOKEN_DURATION] = "duration ",
	};
	if (token->kind <= TOKEN_DURATION)
		fw_buf_puts(out, prefixes[token->kind]);
	bool whole = length <= 10 || token->kind <= TOKEN_METRIC;
	promql_quote_some(out, text, length, whole ? SIZE_MAX : 10);
	if (!whole)
		fw_buf_puts(out, "...");
}

void lex_describe(const struct lexer *l, const struct token *token, struct fw_buf *out)
{
	static const char *const forms[] = {
		[FORM_OPERATOR] = "<op:%.*s>",
		[FORM_AGGREGATION] = "<aggr:%.*s>",
		[FORM_KEYWORD] = "<%.*s>",
	};
	const char *text = l->text + token->from;
	size_t length = token->to - token->from;
	enum form form = form_of(token->kind);
	if (token->kind == TOKEN_END)
		fw_buf_puts(out, "end of input");
	else if (form == FORM_PLAIN)
		describe_plain(token, text, length, out);
	else
		fw_buf_printf(out, forms[form], (int)length, text);
}
