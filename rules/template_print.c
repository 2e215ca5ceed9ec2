/* SPDX-License-Identifier: Apache-2.0 */
/* Values as Go prints them, and its Printf: verbs that do not fit what they are given
 * show up in the text, "%!d(float64=1.5)", rather than fail. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/text.h>

#include "number.h"
#include "shim.h"
#include "template_tree.h"

#define WIDTH_LIMIT 10000
#define PRECISION_LIMIT 300

const char *operand_type(const struct operand *operand)
{
	static const char *const names[] = {
		[IS_NONE] = "<nil>",
		[IS_NIL] = "<nil>",
		[IS_BOOL] = "bool",
		[IS_INT] = "int",
		[IS_FLOAT] = "float64",
		[IS_TEXT] = "string",
		[IS_MAP] = "map[string]string",
		[IS_ARGS] = "map[string]interface {}",
		[IS_SAMPLE] = "*template.sample",
		[IS_SAMPLES] = "template.queryResult",
		[IS_ROOT] =
			"struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }",
		[IS_TIME] = "*time.Time",
	};
	return names[operand->kind];
}

bool operand_is_true(const struct operand *o)
{
	switch (o->kind) {
	case IS_BOOL:
		return o->truth;
	case IS_INT:
		return o->number != 0;
	case IS_FLOAT:
		return o->value != 0;
	case IS_TEXT:
		return *o->text != '\0';
	case IS_MAP:
		return o->map->n > 0;
	case IS_ARGS:
	case IS_SAMPLES:
		return o->n > 0;
	default:
		return o->kind != IS_NONE && o->kind != IS_NIL;
	}
}

/* ---- numbers ---- */

/* NaN and the infinities are words in Go. */
static bool print_special(double value, char *text, size_t size)
{
	if (isfinite(value))
		return false;
	snprintf(text, size, "%s", isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
	return true;
}

static void print_float(char verb, int precision, double value, char *text, size_t size)
{
	if (print_special(value, text, size))
		return;
	if (precision > PRECISION_LIMIT)
		precision = PRECISION_LIMIT;
	if (precision < 0 && (verb == 'v' || verb == 'g' || verb == 'G'))
		promql_general(value, text, size);
	else if (verb == 'e' || verb == 'E')
		snprintf(text, size, verb == 'e' ? "%.*e" : "%.*E", precision < 0 ? 6 : precision,
			value);
	else if (verb == 'f' || verb == 'F')
		snprintf(text, size, "%.*f", precision < 0 ? 6 : precision, value);
	else
		snprintf(text, size, verb == 'G' ? "%.*G" : "%.*g", precision < 0 ? 17 : precision,
			value);
}

/* ---- "%v" ---- */

static void print_map(const struct label_set *map, struct fw_buf *out)
{
	fw_buf_puts(out, "map[");
	for (size_t i = 0; i < map->n; i++)
		fw_buf_printf(
			out, "%s%s:%s", i ? " " : "", map->items[i].name, map->items[i].value);
	fw_buf_putc(out, ']');
}

static void print_sample(const struct template_sample *sample, struct fw_buf *out)
{
	char number[PROMQL_NUMBER_SIZE];
	fw_buf_putc(out, '{');
	print_map(&sample->labels, out);
	print_float('v', -1, sample->value, number, sizeof number);
	fw_buf_printf(out, " %s}", number);
}

/* "1970-01-12 13:46:40.5 +0000 UTC" */
static void print_time(int64_t ms, struct fw_buf *out)
{
	char text[32];
	fw_time_format(ms, text, sizeof text); /* 1970-01-12T13:46:40.500Z */
	size_t n = strlen(text) - 1;
	while (text[n - 1] == '0' && n > 20)
		n--;
	if (text[n - 1] == '.')
		n--;
	text[10] = ' ';
	fw_buf_printf(out, "%.*s +0000 UTC", (int)n, text);
}

static void print_args(const struct operand *o, struct fw_buf *out)
{
	fw_buf_puts(out, "map[");
	for (size_t i = 0; i < o->n; i++) {
		fw_buf_printf(out, "%sarg%zu:", i ? " " : "", i);
		operand_print(&o->args[i], out);
	}
	fw_buf_putc(out, ']');
}

static void print_samples(const struct operand *o, struct fw_buf *out)
{
	fw_buf_putc(out, '[');
	for (size_t i = 0; i < o->n; i++) {
		if (i)
			fw_buf_putc(out, ' ');
		print_sample(&o->samples[i], out);
	}
	fw_buf_putc(out, ']');
}

void operand_print(const struct operand *o, struct fw_buf *out)
{
	char number[PROMQL_NUMBER_SIZE];
	switch (o->kind) {
	case IS_BOOL:
		fw_buf_puts(out, o->truth ? "true" : "false");
		break;
	case IS_INT:
		fw_buf_printf(out, "%lld", (long long)o->number);
		break;
	case IS_FLOAT:
		print_float('v', -1, o->value, number, sizeof number);
		fw_buf_puts(out, number);
		break;
	case IS_TEXT:
		fw_buf_puts(out, o->text);
		break;
	case IS_MAP:
		print_map(o->map, out);
		break;
	case IS_ARGS:
		print_args(o, out);
		break;
	case IS_SAMPLE:
		print_sample(o->samples, out);
		break;
	case IS_SAMPLES:
		print_samples(o, out);
		break;
	case IS_TIME:
		print_time(o->number, out);
		break;
	default:
		fw_buf_puts(out, "<nil>");
	}
}

/* ---- Printf ---- */

struct verb {
	bool minus, plus, sharp, space, zero;
	int width, precision; /* -1: none */
	char letter;
};

static void print_quoted(const char *text, struct fw_buf *out)
{
	static const char codes[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";
	fw_buf_putc(out, '"');
	for (const char *c = text; *c; c++) {
		const char *code = strchr(codes, *c);
		if (code)
			fw_buf_printf(out, "\\%c", letters[code - codes]);
		else if ((unsigned char)*c < ' ' || *c == 0x7f)
			fw_buf_printf(out, "\\x%02x", (unsigned char)*c);
		else
			fw_buf_putc(out, *c);
	}
	fw_buf_putc(out, '"');
}

static size_t count_characters(const char *text)
{
	size_t n = 0;
	for (const char *c = text; *c; c++)
		n += ((unsigned char)*c & 0xc0) != 0x80;
	return n;
}

/* Blanks, or zeros behind a number's sign, up to the width. */
static void put_padded(const struct verb *verb, const char *text, bool number, struct fw_buf *out)
{
	size_t n = count_characters(text);
	size_t missing = verb->width > 0 && (size_t)verb->width > n ? (size_t)verb->width - n : 0;
	bool zeros = verb->zero && !verb->minus;
	if (zeros && number && (*text == '-' || *text == '+'))
		fw_buf_putc(out, *text++);
	for (size_t i = 0; i < missing && !verb->minus; i++)
		fw_buf_putc(out, zeros ? '0' : ' ');
	fw_buf_puts(out, text);
	for (size_t i = 0; i < missing && verb->minus; i++)
		fw_buf_putc(out, ' ');
}

static void put_bad(const struct verb *verb, const struct operand *arg, struct fw_buf *out)
{
	fw_buf_printf(out, "%%!%c(", verb->letter);
	if (arg->kind != IS_NONE && arg->kind != IS_NIL)
		fw_buf_printf(out, "%s=", operand_type(arg));
	operand_print(arg, out);
	fw_buf_putc(out, ')');
}

static void put_signed(const struct verb *verb, const char *text, bool finite, struct fw_buf *out)
{
	char with[PROMQL_NUMBER_SIZE + 320];
	struct verb plain = *verb;
	const char *sign = *text == '-' || *text == '+' ? ""
		: verb->plus                            ? "+"
		: verb->space                           ? " "
							: "";
	snprintf(with, sizeof with, "%s%s", sign, text);
	if (!finite)
		plain.zero = false;
	put_padded(&plain, with, true, out);
}

static void put_float(const struct verb *verb, const struct operand *arg, struct fw_buf *out)
{
	char text[PROMQL_NUMBER_SIZE + 310];
	if (!strchr("vgGeEfF", verb->letter)) {
		put_bad(verb, arg, out);
		return;
	}
	print_float(verb->letter, verb->precision, arg->value, text, sizeof text);
	put_signed(verb, text, isfinite(arg->value), out);
}

static void put_binary(uint64_t magnitude, char *text, size_t size)
{
	size_t n = 0;
	for (int bit = 63; bit >= 0 && n + 1 < size; bit--)
		if (n || magnitude >> bit & 1 || bit == 0)
			text[n++] = (char)('0' + (magnitude >> bit & 1));
	text[n] = '\0';
}

static void put_int(const struct verb *verb, const struct operand *arg, struct fw_buf *out)
{
	char text[80] = "", *digits = text;
	uint64_t magnitude = arg->number < 0 ? -(uint64_t)arg->number : (uint64_t)arg->number;
	if (arg->number < 0)
		*digits++ = '-';
	size_t size = sizeof text - (size_t)(digits - text);
	switch (verb->letter) {
	case 'v':
	case 'd':
		snprintf(digits, size, "%llu", (unsigned long long)magnitude);
		break;
	case 'x':
		snprintf(digits, size, verb->sharp ? "0x%llx" : "%llx",
			(unsigned long long)magnitude);
		break;
	case 'X':
		snprintf(digits, size, verb->sharp ? "0X%llX" : "%llX",
			(unsigned long long)magnitude);
		break;
	case 'o':
		snprintf(digits, size, verb->sharp ? "0%llo" : "%llo",
			(unsigned long long)magnitude);
		break;
	case 'b':
		put_binary(magnitude, digits, size);
		break;
	case 'c':
		snprintf(text, sizeof text, "%c", magnitude < 0x80 ? (int)magnitude : '?');
		break;
	default:
		put_bad(verb, arg, out);
		return;
	}
	put_signed(verb, text, true, out);
}

static void put_text(const struct verb *verb, const char *text, struct fw_buf *out)
{
	struct fw_buf made = {0};
	size_t n = 0, most = verb->precision >= 0 ? (size_t)verb->precision : SIZE_MAX;
	size_t length = 0;
	for (; text[length]; length++)
		if (((unsigned char)text[length] & 0xc0) != 0x80 && n++ == most)
			break;
	fw_buf_append(&made, text, length);
	if (verb->letter == 'q') {
		struct fw_buf quoted = {0};
		print_quoted(length ? (const char *)made.data : "", &quoted);
		fw_buf_done(&made);
		made = quoted;
	} else if (verb->letter == 'x' || verb->letter == 'X') {
		fw_buf_reset(&made);
		for (size_t i = 0; i < length; i++)
			fw_buf_printf(&made, verb->letter == 'x' ? "%02x" : "%02X",
				(unsigned char)text[i]);
	}
	put_padded(verb, made.length ? (const char *)made.data : "", false, out);
	fw_buf_done(&made);
}

static void put_any(const struct verb *verb, const struct operand *arg, struct fw_buf *out)
{
	struct fw_buf text = {0};
	operand_print(arg, &text);
	put_padded(verb, (const char *)text.data, false, out);
	fw_buf_done(&text);
}

static void put_verb(const struct verb *verb, const struct operand *arg, struct fw_buf *out)
{
	char letter = verb->letter;
	if (letter == 'T')
		put_padded(verb, operand_type(arg), false, out);
	else if (arg->kind == IS_FLOAT)
		put_float(verb, arg, out);
	else if (arg->kind == IS_INT)
		put_int(verb, arg, out);
	else if (arg->kind == IS_TEXT && strchr("vsqxX", letter))
		put_text(verb, arg->text, out);
	else if (letter == 'v' || (letter == 't' && arg->kind == IS_BOOL) ||
		(letter == 's' && arg->kind >= IS_MAP))
		put_any(verb, arg, out);
	else
		put_bad(verb, arg, out);
}

struct printing {
	const char *at;
	const struct operand *args;
	size_t n, used;
};

/* Digits, or "*": the next argument. */
static int take_count(struct printing *p, int least, int most)
{
	int count = least;
	if (*p->at == '*') {
		p->at++;
		if (p->used < p->n && p->args[p->used].kind == IS_INT) {
			int64_t number = p->args[p->used].number;
			count = number < 0 ? least : number > most ? most : (int)number;
		}
		p->used += p->used < p->n;
		return count;
	}
	if (*p->at >= '0' && *p->at <= '9')
		count = 0;
	for (; *p->at >= '0' && *p->at <= '9'; p->at++)
		count = count > most ? most : count * 10 + (*p->at - '0');
	return count > most ? most : count;
}

static void take_flags(struct printing *p, struct verb *verb)
{
	for (;; p->at++) {
		switch (*p->at) {
		case '-':
			verb->minus = true;
			break;
		case '+':
			verb->plus = true;
			break;
		case '#':
			verb->sharp = true;
			break;
		case ' ':
			verb->space = true;
			break;
		case '0':
			verb->zero = true;
			break;
		default:
			return;
		}
	}
}

/* Behind a "%". */
static void print_one(struct printing *p, struct fw_buf *out)
{
	struct verb verb = {.width = -1, .precision = -1};
	take_flags(p, &verb);
	verb.width = take_count(p, -1, WIDTH_LIMIT);
	if (*p->at == '.') {
		p->at++;
		verb.precision = take_count(p, 0, PRECISION_LIMIT);
	}
	verb.letter = *p->at;
	if (!verb.letter) {
		fw_buf_puts(out, "%!(NOVERB)");
		return;
	}
	p->at++;
	if (verb.letter == '%')
		fw_buf_putc(out, '%');
	else if (p->used >= p->n)
		fw_buf_printf(out, "%%!%c(MISSING)", verb.letter);
	else
		put_verb(&verb, &p->args[p->used++], out);
}

static void print_extra(const struct printing *p, struct fw_buf *out)
{
	fw_buf_puts(out, "%!(EXTRA ");
	for (size_t i = p->used; i < p->n; i++) {
		fw_buf_printf(out, "%s%s=", i > p->used ? ", " : "", operand_type(&p->args[i]));
		operand_print(&p->args[i], out);
	}
	fw_buf_putc(out, ')');
}

void template_printf(const char *format, const struct operand *args, size_t n, struct fw_buf *out)
{
	struct printing p = {format, args, n, 0};
	while (*p.at) {
		char c = *p.at++;
		if (c == '%')
			print_one(&p, out);
		else
			fw_buf_putc(out, c);
	}
	if (p.used < p.n)
		print_extra(&p, out);
}
