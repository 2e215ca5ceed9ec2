/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar, read by descent without a separate lexer:
 *
 *   question = number | string | series
 *   series   = ( name [ "{" matchers "}" ] | "{" matchers "}" ) [ "[" duration "]" ] [ "offset" duration ]
 *   matchers = [ matcher { "," matcher } [ "," ] ]
 *   matcher  = string | ( label | string ) ( "=" | "!=" | "=~" | "!~" ) string
 */
#include "selector.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>
#include <fenwatch/text.h>

#include "number.h"

struct parser {
	const char *text, *at, *end;
	struct fw_arena *arena;
	struct fw_err *err;
	bool named; /* the metric's name is known */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_char(char c, bool with_colon)
{
	return is_letter(c) || is_digit(c) || (with_colon && c == ':');
}

static char peek(const struct parser *p)
{
	return p->at < p->end ? *p->at : '\0';
}

/* ---- failures ---- */

/* "line:column" of a place in the text, both from 1. */
static const char *position(struct parser *p, const char *at)
{
	unsigned line = 1;
	const char *start = p->text;
	for (const char *c = p->text; c < at; c++) {
		if (*c == '\n') {
			line++;
			start = c + 1;
		}
	}
	return fw_arena_format(p->arena, "%u:%u", line, (unsigned)(at - start) + 1);
}

__attribute__((format(printf, 3, 4))) static int fail_at(
	struct parser *p, const char *at, const char *format, ...)
{
	char what[sizeof p->err->text];
	va_list args;
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	return fw_fail(p->err, -EINVAL, "%s: parse error: %s", position(p, at), what);
}

/* Names what stands at the cursor, as Prometheus would. */
static void describe(const struct parser *p, char *out, size_t size)
{
	char c = peek(p);
	const char *end = p->at;
	while (end < p->end && end - p->at < 60 && is_name_char(*end, true))
		end++;
	int length = (int)(end - p->at);
	if (p->at == p->end)
		snprintf(out, size, "end of input");
	else if (is_digit(c))
		snprintf(out, size, "number \"%.*s\"", length, p->at);
	else if (length > 0)
		snprintf(out, size, "identifier \"%.*s\"", length, p->at);
	else if (c == '"' || c == '\'' || c == '`')
		snprintf(out, size, "string");
	else
		snprintf(out, size, "character: '%c'", c);
}

static int unexpected(struct parser *p, const char *where, const char *expected)
{
	char found[96];
	describe(p, found, sizeof found);
	return fail_at(p, p->at, "unexpected %s%s%s%s", found, where, expected ? ", expected " : "",
		expected ? expected : "");
}

/* ---- words ---- */

static void skip_space(struct parser *p)
{
	while (p->at < p->end) {
		if (*p->at == '#') {
			while (p->at < p->end && *p->at != '\n')
				p->at++;
		} else if (strchr(" \t\r\n", *p->at)) {
			p->at++;
		} else {
			return;
		}
	}
}

static bool take(struct parser *p, const char *literal)
{
	size_t length = strlen(literal);
	if ((size_t)(p->end - p->at) < length || memcmp(p->at, literal, length) != 0)
		return false;
	p->at += length;
	return true;
}

static char *take_name(struct parser *p, bool with_colon)
{
	const char *start = p->at;
	if (!is_letter(peek(p)) && !(with_colon && peek(p) == ':'))
		return NULL;
	while (p->at < p->end && is_name_char(*p->at, with_colon))
		p->at++;
	return fw_arena_strndup(p->arena, start, (size_t)(p->at - start));
}

static void put_utf8(struct fw_buf *out, uint32_t code)
{
	if (code < 0x80) {
		fw_buf_putc(out, (char)code);
	} else if (code < 0x800) {
		fw_buf_putc(out, (char)(0xc0 | code >> 6));
		fw_buf_putc(out, (char)(0x80 | (code & 0x3f)));
	} else if (code < 0x10000) {
		fw_buf_putc(out, (char)(0xe0 | code >> 12));
		fw_buf_putc(out, (char)(0x80 | (code >> 6 & 0x3f)));
		fw_buf_putc(out, (char)(0x80 | (code & 0x3f)));
	} else {
		fw_buf_putc(out, (char)(0xf0 | code >> 18));
		fw_buf_putc(out, (char)(0x80 | (code >> 12 & 0x3f)));
		fw_buf_putc(out, (char)(0x80 | (code >> 6 & 0x3f)));
		fw_buf_putc(out, (char)(0x80 | (code & 0x3f)));
	}
}

static int digit_of(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* `count` digits of an escape like \x41, \101 or \u00e9. */
static bool take_code(struct parser *p, unsigned count, unsigned base, uint32_t *code)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < count; i++) {
		unsigned digit = (unsigned)digit_of(peek(p));
		if (p->at == p->end || digit >= base)
			return false;
		value = value * base + digit;
		p->at++;
	}
	*code = value;
	return true;
}

/* What stands behind a backslash. A zero byte is refused: texts here end with one. */
static bool take_escape(struct parser *p, char quote, struct fw_buf *out)
{
	static const char names[] = "abfnrtv\\", bytes[] = "\a\b\f\n\r\t\v\\";
	char c = peek(p);
	const char *known = c ? strchr(names, c) : NULL;
	uint32_t code;
	if (known || (c && c == quote)) {
		p->at++;
		fw_buf_putc(out, known ? bytes[known - names] : quote);
		return true;
	}
	if (c == 'x' || (c >= '0' && c <= '7')) {
		p->at += c == 'x';
		if (!take_code(p, c == 'x' ? 2 : 3, c == 'x' ? 16 : 8, &code) || code == 0 ||
			code > 255)
			return false;
		fw_buf_putc(out, (char)code);
		return true;
	}
	if (c != 'u' && c != 'U')
		return false;
	p->at++;
	if (!take_code(p, c == 'u' ? 4 : 8, 16, &code))
		return false;
	if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return false;
	put_utf8(out, code);
	return true;
}

static int take_string(struct parser *p, const char **out)
{
	const char *start = p->at;
	char quote = *p->at++;
	struct fw_buf text = {0};
	int rc = 0;
	while (rc == 0 && peek(p) != quote) {
		const char *at = p->at;
		if (p->at == p->end || (*p->at == '\n' && quote != '`'))
			rc = fail_at(p, start, "unterminated %s string",
				quote == '`' ? "raw" : "quoted");
		else if (*p->at != '\\' || quote == '`')
			fw_buf_putc(&text, *p->at++);
		else if (p->at++, !take_escape(p, quote, &text))
			rc = fail_at(p, at, "unknown escape sequence in a quoted string");
	}
	if (rc == 0 && !fw_utf8_valid((const char *)text.data, text.length))
		rc = fail_at(p, start, "invalid UTF-8 in a quoted string");
	if (rc == 0) {
		p->at++;
		*out = fw_arena_strndup(
			p->arena, text.data ? (const char *)text.data : "", text.length);
	}
	fw_buf_done(&text);
	return rc;
}

static bool at_string(const struct parser *p)
{
	return peek(p) == '"' || peek(p) == '\'' || peek(p) == '`';
}

static int take_duration(struct parser *p, bool may_be_negative, int64_t *ms)
{
	const char *start = p->at;
	bool negative = may_be_negative && take(p, "-");
	const char *digits = p->at;
	while (p->at < p->end && (is_name_char(*p->at, false) || *p->at == '.'))
		p->at++;
	if (p->at == digits)
		return unexpected(p, "", "duration");
	if (promql_duration(digits, (size_t)(p->at - digits), ms) < 0)
		return fail_at(p, start, "bad number or duration syntax: \"%.*s\"",
			(int)(p->at - digits), digits);
	if (negative)
		*ms = -*ms;
	return 0;
}

/* ---- the grammar ---- */

static int add_matcher(struct parser *p, struct selector *out, const char *at,
	enum matcher_kind kind, const char *name, const char *value)
{
	if (out->n_matchers == SELECTOR_MATCHERS_LIMIT)
		return fail_at(p, p->at, "more than %d matchers", SELECTOR_MATCHERS_LIMIT);
	out->matchers[out->n_matchers++] =
		(struct selector_matcher){kind, name, value, position(p, at)};
	return 0;
}

static int set_metric(struct parser *p, struct selector *out, const char *at, const char *name)
{
	if (p->named)
		return fail_at(p, at, "metric name must not be set twice: \"%s\" or \"%s\"",
			out->matchers[0].value, name);
	p->named = true;
	int rc = add_matcher(p, out, at, MATCHER_EQUAL, "__name__", name);
	if (rc == 0 && out->n_matchers > 1) {
		/* First, so that the sentence above finds it and the store narrows by it. */
		struct selector_matcher metric = out->matchers[out->n_matchers - 1];
		memmove(out->matchers + 1, out->matchers, (out->n_matchers - 1) * sizeof metric);
		out->matchers[0] = metric;
	}
	return rc;
}

static bool take_operator(struct parser *p, enum matcher_kind *kind)
{
	if (take(p, "=~"))
		*kind = MATCHER_REGEX;
	else if (take(p, "!~"))
		*kind = MATCHER_NOT_REGEX;
	else if (take(p, "!="))
		*kind = MATCHER_DIFFERENT;
	else if (take(p, "="))
		*kind = MATCHER_EQUAL;
	else
		return false;
	return true;
}

static int parse_matcher(struct parser *p, struct selector *out)
{
	const char *start = p->at, *name, *value;
	bool quoted = at_string(p);
	int rc = quoted ? take_string(p, &name) : 0;
	if (rc < 0)
		return rc;
	if (!quoted && !(name = take_name(p, false)))
		return unexpected(p, " in label matching", "identifier or \"}\"");
	skip_space(p);
	if (quoted && (peek(p) == ',' || peek(p) == '}'))
		return set_metric(p, out, start, name);
	if (!*name)
		return fail_at(p, start, "invalid label name \"\"");
	enum matcher_kind kind;
	if (!take_operator(p, &kind))
		return unexpected(p, " in label matching", "label matching operator");
	skip_space(p);
	if (!at_string(p))
		return unexpected(p, " in label matching", "string");
	rc = take_string(p, &value);
	if (rc < 0)
		return rc;
	if (p->named && strcmp(name, "__name__") == 0)
		return fail_at(p, start, "metric name must not be set twice: \"%s\" or \"%s\"",
			out->matchers[0].value, value);
	return add_matcher(p, out, start, kind, name, value);
}

static int parse_matchers(struct parser *p, struct selector *out)
{
	for (;;) {
		skip_space(p);
		if (take(p, "}"))
			return 0;
		if (p->at == p->end)
			return fail_at(p, p->at, "unexpected end of input inside braces");
		int rc = parse_matcher(p, out);
		if (rc < 0)
			return rc;
		skip_space(p);
		if (peek(p) == '}')
			continue;
		if (p->at == p->end)
			return fail_at(p, p->at, "unexpected end of input inside braces");
		if (!take(p, ","))
			return unexpected(p, " in label matching", "\",\" or \"}\"");
	}
}

static int parse_range(struct parser *p, struct selector *out)
{
	skip_space(p);
	const char *at = p->at;
	int rc = take_duration(p, false, &out->range_ms);
	if (rc < 0)
		return rc;
	if (out->range_ms <= 0)
		return fail_at(p, at, "duration must be greater than 0");
	skip_space(p);
	if (peek(p) == ':')
		return fail_at(
			p, p->at, "subqueries are not answered yet, only a range such as [5m]");
	return take(p, "]") ? 0 : unexpected(p, " in a range", "\"]\"");
}

static bool take_keyword(struct parser *p, const char *word)
{
	size_t length = strlen(word);
	if ((size_t)(p->end - p->at) < length || strncasecmp(p->at, word, length) != 0)
		return false;
	if (p->at + length < p->end && is_name_char(p->at[length], true))
		return false;
	p->at += length;
	return true;
}

static int parse_tail(struct parser *p, struct selector *out)
{
	skip_space(p);
	if (take(p, "[")) {
		int rc = parse_range(p, out);
		if (rc < 0)
			return rc;
		skip_space(p);
	}
	if (!take_keyword(p, "offset"))
		return 0;
	skip_space(p);
	int rc = take_duration(p, true, &out->offset_ms);
	if (rc < 0)
		return rc;
	skip_space(p);
	return peek(p) == '[' ? fail_at(p, p->at, "no offset modifiers allowed before range") : 0;
}

static int parse_series(struct parser *p, struct selector *out)
{
	const char *start = p->at;
	out->matchers = fw_arena_alloc(p->arena, SELECTOR_MATCHERS_LIMIT * sizeof *out->matchers);
	const char *name = take_name(p, true);
	int rc = name ? set_metric(p, out, start, name) : 0;
	skip_space(p);
	if (rc == 0 && name && peek(p) == '(')
		return fail_at(p, p->at,
			"functions are not answered yet, only a selector such as up{job=\"node\"}[5m]");
	if (rc == 0 && take(p, "{"))
		rc = parse_matchers(p, out);
	if (rc < 0)
		return rc;
	out->at = position(p, start);
	return parse_tail(p, out);
}

static bool take_number(struct parser *p, double *out)
{
	const char *start = p->at;
	bool negative = take(p, "-");
	if (!negative)
		take(p, "+");
	double value = NAN;
	if (is_digit(peek(p)) || peek(p) == '.') {
		char *end;
		value = strtod(p->at, &end);
		p->at = end;
	} else if (take_keyword(p, "inf")) {
		value = INFINITY;
	} else if (!take_keyword(p, "nan")) {
		p->at = start;
		return false;
	}
	*out = negative ? -value : value;
	return p->at > start;
}

int selector_parse(
	const char *text, struct fw_arena *arena, struct selector *out, struct fw_err *err)
{
	size_t length = strnlen(text, SELECTOR_TEXT_LIMIT + 1);
	if (length > SELECTOR_TEXT_LIMIT)
		return fw_fail(
			err, -EINVAL, "the question is longer than %u bytes", SELECTOR_TEXT_LIMIT);
	struct parser p = {
		.text = text, .at = text, .end = text + length, .arena = arena, .err = err};
	struct selector got = {0};
	int rc = 0;
	skip_space(&p);
	if (p.at == p.end)
		return fw_fail(err, -EINVAL,
			"unknown position: parse error: no expression found in input");
	if (at_string(&p)) {
		got.kind = SELECTOR_STRING;
		rc = take_string(&p, &got.string);
	} else if (take_number(&p, &got.number)) {
		got.kind = SELECTOR_NUMBER;
	} else if (is_letter(peek(&p)) || peek(&p) == ':' || peek(&p) == '{') {
		rc = parse_series(&p, &got);
	} else {
		rc = unexpected(&p, "", NULL);
	}
	skip_space(&p);
	if (rc == 0 && p.at < p.end)
		rc = unexpected(&p, ": operators are not answered yet",
			"only a selector such as up{job=\"node\"}[5m]");
	if (rc == 0)
		*out = got;
	return rc;
}
