/* SPDX-License-Identifier: Apache-2.0 */
/* The words and constants of a template, as Go writes them. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/utf8.h>

#include "template_parser.h"

int scan_fail(struct parser *p, const char *format, ...)
{
	struct fw_err sentence;
	va_list args;
	va_start(args, format);
	vsnprintf(sentence.text, sizeof sentence.text, format, args);
	va_end(args);
	return fw_fail(p->err, -EINVAL, "%s", sentence.text);
}

/* ---- words ---- */

unsigned scan_place(const struct parser *p)
{
	return (unsigned)(p->at - p->text);
}

bool scan_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool scan_is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

void scan_space(struct parser *p)
{
	while (p->at < p->end && scan_is_space(*p->at))
		p->at++;
}

bool scan_starts(const struct parser *p, const char *word)
{
	size_t length = strlen(word);
	return (size_t)(p->end - p->at) >= length && memcmp(p->at, word, length) == 0;
}

bool scan_take(struct parser *p, const char *word)
{
	if (!scan_starts(p, word))
		return false;
	p->at += strlen(word);
	return true;
}

size_t scan_word_length(const struct parser *p)
{
	size_t n = 0;
	while (p->at + n < p->end && scan_is_word(p->at[n]))
		n++;
	return n;
}

bool scan_keyword(struct parser *p, const char *word)
{
	size_t length = scan_word_length(p);
	if (length != strlen(word) || memcmp(p->at, word, length) != 0)
		return false;
	p->at += length;
	return true;
}

const char *scan_name(struct parser *p, size_t with)
{
	const char *from = p->at;
	p->at += with;
	p->at += scan_word_length(p);
	return fw_arena_strndup(p->arena, from, (size_t)(p->at - from));
}

/* "}}", or " -}}" behind a blank. */
bool scan_at_close(const struct parser *p)
{
	return scan_starts(p, "}}") ||
		(scan_starts(p, "-}}") && p->at > p->text && scan_is_space(p->at[-1]));
}

int scan_close(struct parser *p)
{
	scan_space(p);
	p->trims = scan_starts(p, "-}}") && scan_is_space(p->at[-1]);
	if (p->trims)
		p->at++;
	if (scan_take(p, "}}"))
		return 0;
	if (p->at >= p->end)
		return scan_fail(p, "unclosed action");
	return scan_fail(p, "unexpected %.20s in a tag", p->at);
}

/* ---- constants ---- */

static int put_utf8(struct parser *p, struct fw_buf *out, unsigned long code)
{
	if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || code == 0)
		return scan_fail(p, "malformed text");
	fw_utf8_put(out, (uint32_t)code);
	return 0;
}

static int take_digits(struct parser *p, size_t n, int base, unsigned long *code)
{
	char digits[9] = "";
	char *end;
	if ((size_t)(p->end - p->at) < n)
		return scan_fail(p, "unterminated quoted string");
	memcpy(digits, p->at, n);
	*code = strtoul(digits, &end, base);
	if (end != digits + n || !isalnum((unsigned char)digits[0]))
		return scan_fail(p, "malformed text");
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
		return scan_fail(p, "malformed text");
	int rc = take_digits(p, n, n == 3 ? 8 : 16, &code);
	if (rc < 0)
		return rc;
	if (!is_byte || code < 0x80)
		return put_utf8(p, out, code);
	if (code > 255)
		return scan_fail(p, "malformed text");
	fw_buf_putc(out, (char)code);
	return 0;
}

/* Between two of `quote`, the first of which has been taken. */
static int take_quoted(struct parser *p, char quote, struct fw_buf *out)
{
	int rc = 0;
	while (rc == 0) {
		if (p->at >= p->end || (*p->at == '\n' && quote != '`'))
			return scan_fail(p, "unterminated %s",
				quote == '\'' ? "character constant" : "quoted string");
		char c = *p->at++;
		if (c == quote)
			return 0;
		if (c == '\\' && quote != '`')
			rc = p->at < p->end ? take_escape(p, out)
					    : scan_fail(p, "unterminated quoted string");
		else
			fw_buf_putc(out, c);
	}
	return rc;
}

int scan_text(struct parser *p, struct operand *out)
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
int scan_character(struct parser *p, struct operand *out)
{
	struct operand text = {0};
	int rc = scan_text(p, &text);
	if (rc < 0)
		return rc;
	const unsigned char *c = (const unsigned char *)text.text;
	size_t n = *c < 0x80 ? 1 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : 4;
	if (!*c || strlen(text.text) != n)
		return scan_fail(p, "malformed character constant: %s", text.text);
	*out = (struct operand){.kind = IS_INT, .number = n == 1 ? *c : *c & (0xff >> (n + 1))};
	for (size_t i = 1; i < n; i++)
		out->number = out->number << 6 | (c[i] & 0x3f);
	return 0;
}

static size_t take_number(struct parser *p, char *digits, size_t size)
{
	size_t n = 0;
	const char *from = p->at;
	while (p->at < p->end &&
		(scan_is_word(*p->at) || *p->at == '.' ||
			((*p->at == '+' || *p->at == '-') &&
				(p->at == from || p->at[-1] == 'e' || p->at[-1] == 'E')))) {
		if (*p->at != '_' && n + 1 < size)
			digits[n++] = *p->at;
		p->at++;
	}
	digits[n] = '\0';
	return n;
}

/* As Go writes them: 0x1f, 0o17 or 017, 0b11. */
static bool read_integer(const char *digits, int64_t *out)
{
	const char *first = digits + strspn(digits, "+-");
	int kind = first[0] == '0' ? tolower((unsigned char)first[1]) : 0;
	int base = kind == 'b' ? 2 : kind == 'o' ? 8 : 0;
	char text[64], *end;
	snprintf(text, sizeof text, "%.*s%s", (int)(first - digits), digits,
		base ? first + 2 : first);
	errno = 0;
	*out = strtoll(text, &end, base);
	return *text && !*end && errno == 0;
}

static bool is_whole(const char *digits)
{
	return !strpbrk(digits, ".eEpP");
}

static bool fits_unsigned(const char *digits)
{
	char *end;
	errno = 0;
	strtoull(digits, &end, 0);
	return !*end && errno == 0;
}

int scan_number(struct parser *p, struct operand *out)
{
	char digits[64], *end;
	const char *from = p->at;
	size_t n = take_number(p, digits, sizeof digits);
	*out = (struct operand){.kind = IS_INT};
	if (n > 0 && read_integer(digits, &out->number))
		return 0;
	*out = (struct operand){.kind = IS_FLOAT, .value = strtod(digits, &end)};
	if (n == 0 || *end || !isdigit((unsigned char)end[-1]))
		return scan_fail(p, "bad number syntax: \"%.*s\"", (int)(p->at - from), from);
	if (isinf(out->value))
		return scan_fail(p, "illegal number syntax: \"%s\"", digits);
	return is_whole(digits) && !fits_unsigned(digits)
		? scan_fail(p, "integer overflow: \"%s\"", digits)
		: 0;
}
