/* SPDX-License-Identifier: Apache-2.0 */
#include "perfdata.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/text.h>

#define DIGITS 40 /* of a number, with its sign, point and exponent */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f' ||
		c == '\0';
}

void perf_text(const char *output, size_t length, char *text, size_t size)
{
	const char *end = memchr(output, '\n', length);
	if (end)
		length = (size_t)(end - output);
	end = memchr(output, '|', length);
	if (end)
		length = (size_t)(end - output);
	while (length > 0 && is_blank(output[length - 1]))
		length--;
	while (length > 0 && is_blank(*output)) {
		output++;
		length--;
	}
	if (length >= size)
		length = size - 1;
	memcpy(text, output, length);
	text[length] = '\0';
}

/* Decimal alone: strtod would also take hexadecimal, infinities and the like. */
static bool cut_number(struct fw_cursor *c, double *value)
{
	char digits[DIGITS + 1], *end;
	size_t n = 0;
	while (n < DIGITS && c->at + n < c->end && c->at[n] &&
		strchr("+-.0123456789eE", c->at[n])) {
		digits[n] = c->at[n];
		n++;
	}
	digits[n] = '\0';
	*value = strtod(digits, &end);
	if (end == digits || !isfinite(*value))
		return false;
	c->at += end - digits;
	return true;
}

/* "'it''s'=" or "name=": an apostrophe in quotes is written twice. */
static bool cut_label(struct fw_cursor *c, char label[PERF_LABEL])
{
	const char *begin = c->at;
	bool quoted = c->at < c->end && *c->at == '\'';
	size_t n = 0;
	if (quoted)
		c->at++;
	for (; c->at < c->end; c->at++) {
		if (quoted && *c->at == '\'') {
			if (c->at + 1 == c->end || c->at[1] != '\'')
				break;
			c->at++;
		} else if (!quoted && (*c->at == '=' || is_blank(*c->at))) {
			break;
		}
		if (n + 1 == PERF_LABEL || *c->at == '\0')
			return false;
		label[n++] = *c->at;
	}
	label[n] = '\0';
	if (quoted && !fw_cut_literal(c, "'")) {
		c->at = begin; /* one that never ends swallows nothing */
		return false;
	}
	return n > 0 && fw_cut_literal(c, "=");
}

static bool cut_unit(struct fw_cursor *c, char unit[PERF_UNIT])
{
	size_t n = 0;
	while (c->at < c->end && *c->at != ';' && !is_blank(*c->at)) {
		if (n + 1 == PERF_UNIT)
			return false;
		unit[n++] = *c->at++;
	}
	unit[n] = '\0';
	return true;
}

/* "10", "10:", "~:10", "10:20"; what begins with @ warns of the inside, which has no bound
 * of this kind. A plain number also says that less than 0 is too low, which says nothing
 * of most values, so it is left out. */
static void take_range(struct fw_cursor c, struct perf_range *range)
{
	double first = 0;
	bool there = !fw_cut_literal(&c, "~") && cut_number(&c, &first);
	if (fw_cut_literal(&c, ":")) {
		if (there)
			range->lower = first;
		there = cut_number(&c, &first);
	}
	if (there)
		range->upper = first;
}

static void cut_range(struct fw_cursor *c, struct perf_range *range)
{
	if (!fw_cut_literal(c, ";"))
		return;
	if (c->at < c->end && *c->at != '@')
		take_range(*c, range);
	while (c->at < c->end && *c->at != ';' && !is_blank(*c->at))
		c->at++;
}

static void skip_to_blank(struct fw_cursor *c)
{
	while (c->at < c->end && !is_blank(*c->at))
		c->at++;
}

static bool cut_value(struct fw_cursor *c, struct perf_value *v)
{
	*v = (struct perf_value){.warning = {NAN, NAN}, .critical = {NAN, NAN}};
	if (!cut_label(c, v->label) || !cut_number(c, &v->value) || !cut_unit(c, v->unit))
		return false;
	cut_range(c, &v->warning);
	cut_range(c, &v->critical);
	return true;
}

static void each_of(struct fw_cursor c, unsigned *room,
	void (*each)(const struct perf_value *value, void *arg), void *arg)
{
	struct perf_value value;
	while (c.at<c.end && * room> 0) {
		if (is_blank(*c.at)) {
			c.at++;
			continue;
		}
		bool good = cut_value(&c, &value);
		skip_to_blank(&c);
		if (good) {
			each(&value, arg);
			(*room)--;
		}
	}
}

void perf_each(const char *output, size_t length,
	void (*each)(const struct perf_value *value, void *arg), void *arg)
{
	const char *end = output + length, *line_end = memchr(output, '\n', length);
	unsigned room = PERF_VALUES;
	if (!line_end)
		line_end = end;
	const char *bar = memchr(output, '|', (size_t)(line_end - output));
	if (bar)
		each_of((struct fw_cursor){bar + 1, line_end}, &room, each, arg);
	bar = memchr(line_end, '|', (size_t)(end - line_end));
	if (bar)
		each_of((struct fw_cursor){bar + 1, end}, &room, each, arg);
}
