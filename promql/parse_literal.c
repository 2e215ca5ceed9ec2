/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/text.h>
#include <fenwatch/utf8.h>

#include "number.h"
#include "quote.h"

/* ---- numbers ---- */

/* Digits with their underscores taken out, which may only stand between digits. */
static bool plain_digits(const struct parser *p, const struct token *token, char *out, size_t size)
{
	char before = '\0';
	size_t used = 0;
	const char *text = p->lexer.text;
	for (uint32_t i = token->from; i < token->to && used + 1 < size; i++) {
		bool prefix = i == token->from + 1 && (text[i] == 'x' || text[i] == 'X');
		bool digit = strchr("0123456789abcdefABCDEF", text[i]) != NULL || prefix;
		if (before == '_' && !digit)
			return false;
		if (text[i] == '_' && !strchr("0123456789abcdefABCDEFxX", before))
			return false;
		before = text[i];
		if (text[i] != '_')
			out[used++] = text[i];
	}
	out[used] = '\0';
	return before != '_';
}

/* Hexadecimal, octal with a leading zero, or decimal; false when it is none that fits. */
static bool read_whole(const char *digits, double *value)
{
	char *end;
	errno = 0;
	long long whole = strtoll(digits, &end, 0);
	*value = (double)whole;
	return errno == 0 && *end == '\0' && end > digits;
}

static int bad_number(struct parser *p, const struct token *token, const char *why)
{
	struct fw_buf quoted = {0};
	promql_quote_some(&quoted, p->lexer.text + token->from, token->to - token->from, SIZE_MAX);
	int rc = parse_fail(p, token->from,
		"error parsing number: strconv.ParseFloat: parsing %s: %s",
		(const char *)quoted.data, why);
	fw_buf_done(&quoted);
	return rc;
}

static int read_number(struct parser *p, const struct token *token, double *value)
{
	char *end;
	size_t size = token->to - token->from + 1;
	char *digits = fw_arena_alloc(p->arena, size);
	if (!plain_digits(p, token, digits, size))
		return bad_number(p, token, "invalid syntax");
	if (read_whole(digits, value))
		return 0;
	bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
	*value = strtod(digits, &end);
	if (hex || *end || end == digits)
		return bad_number(p, token, "invalid syntax");
	if (isinf(*value) && (digits[0] == '.' || (digits[0] >= '0' && digits[0] <= '9')))
		return bad_number(p, token, "value out of range");
	return 0;
}

/* ---- durations ---- */

/* Why promql_duration() did not take it. */
static int bad_duration(struct parser *p, const struct token *token)
{
	const char *text =
		fw_arena_strndup(p->arena, p->lexer.text + token->from, token->to - token->from);
	const struct promql_unit *last = NULL;
	for (const char *at = text; *at;) {
		errno = 0;
		strtoull(at, (char **)&at, 10);
		size_t length = strcspn(at, "0123456789");
		const struct promql_unit *unit = promql_unit_of(at, length);
		if (errno == 0 && !unit)
			return parse_fail(p, token->from,
				"unknown unit \"%.*s\" in duration \"%s\"", (int)length, at, text);
		if (errno == ERANGE || (last && unit <= last))
			return parse_fail(
				p, token->from, "not a valid duration string: \"%s\"", text);
		last = unit;
		at += length;
	}
	return parse_fail(p, token->from, "duration out of range");
}

static int read_duration(struct parser *p, const struct token *token, double *seconds)
{
	int64_t ms;
	if (promql_duration(p->lexer.text + token->from, token->to - token->from, &ms) < 0)
		return bad_duration(p, token);
	const int64_t whole_s = ms / 1000;
	*seconds = (double)whole_s + (double)(ms % 1000 * 1000000) / 1e9;
	return 0;
}

int parse_value(struct parser *p, const struct token *token, double *value)
{
	return token->kind == TOKEN_NUMBER ? read_number(p, token, value)
					   : read_duration(p, token, value);
}

struct node *parse_number(struct parser *p)
{
	struct token token = parse_take(p);
	struct node *node = parse_node(p, NODE_NUMBER, token.from, token.to);
	node->is_duration = token.kind == TOKEN_DURATION;
	return parse_value(p, &token, &node->number) < 0 ? NULL : node;
}

/* ---- strings ---- */

static uint32_t read_digits(const char *text, size_t count, int base)
{
	char digits[9] = {0};
	memcpy(digits, text, count);
	return (uint32_t)strtoul(digits, NULL, base);
}

/* What stands behind a backslash, which the lexer has found to be well formed. Returns the
 * bytes read. */
static size_t put_escape(const char *at, struct fw_buf *out)
{
	static const char names[] = "abfnrtv", bytes[] = "\a\b\f\n\r\t\v";
	const char *known = strchr(names, *at);
	if (known) {
		fw_buf_putc(out, bytes[known - names]);
		return 1;
	}
	if (*at >= '0' && *at <= '7') {
		fw_buf_putc(out, (char)read_digits(at, 3, 8));
		return 3;
	}
	if (*at == 'x') {
		fw_buf_putc(out, (char)read_digits(at + 1, 2, 16));
		return 3;
	}
	if (*at == 'u' || *at == 'U') {
		size_t count = *at == 'u' ? 4 : 8;
		fw_utf8_put(out, read_digits(at + 1, count, 16));
		return 1 + count;
	}
	fw_buf_putc(out, *at);
	return 1;
}

/* A zero byte would end the text, and what is no UTF-8 cannot be answered in JSON. */
int parse_bad_text(struct parser *p, uint32_t at)
{
	return parse_fail(p, at, "a string must be UTF-8 without zero bytes");
}

static const char *read_text(struct parser *p, const struct token *token)
{
	const char *at = p->lexer.text + token->from, *end = p->lexer.text + token->to - 1;
	bool raw = *at++ == '`';
	struct fw_buf text = {0};
	while (at < end) {
		if (*at == '\\' && !raw)
			at += 1 + put_escape(at + 1, &text);
		else
			fw_buf_putc(&text, *at++);
	}
	const char *bytes = text.data ? (const char *)text.data : "", *kept = NULL;
	if (memchr(bytes, '\0', text.length))
		parse_bad_text(p, token->from);
	else
		kept = fw_arena_strndup(p->arena, bytes, text.length);
	fw_buf_done(&text);
	return kept;
}

const char *parse_text(struct parser *p, const struct token *token)
{
	const char *text = read_text(p, token);
	if (!text || fw_utf8_valid(text, strlen(text)))
		return text;
	parse_bad_text(p, token->from);
	return NULL;
}

/* What it must be shows when it is known what it is for. */
struct node *parse_string(struct parser *p)
{
	struct token token = parse_take(p);
	struct node *node = parse_node(p, NODE_STRING, token.from, token.to);
	node->string = read_text(p, &token);
	return node->string ? node : NULL;
}
