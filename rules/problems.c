/* SPDX-License-Identifier: Apache-2.0 */
#include "problems.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/text.h>

#include "label_set.h"
#include "number.h"

#define PROBLEMS_LIMIT 100 /* what comes after tells no more */
#define FIELDS_LIMIT 16

/* ---- the list ---- */

static void append(struct problems *problems, struct problem problem)
{
	problems->n_errors += !problem.is_warning;
	if (problems->n == PROBLEMS_LIMIT)
		return;
	if (problems->n == problems->capacity) {
		size_t capacity = problems->capacity ? problems->capacity * 2 : 8;
		struct problem *moved = fw_arena_alloc(problems->arena, capacity * sizeof *moved);
		if (problems->n)
			memcpy(moved, problems->items, problems->n * sizeof *moved);
		problems->items = moved;
		problems->capacity = capacity;
	}
	problems->items[problems->n++] = problem;
}

static void append_sentence(
	struct problems *problems, unsigned line, bool is_warning, const char *format, va_list args)
{
	char text[1024];
	vsnprintf(text, sizeof text, format, args);
	append(problems,
		(struct problem){line, is_warning, fw_arena_strdup(problems->arena, text)});
}

void problem_add(struct problems *problems, unsigned line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	append_sentence(problems, line, false, format, args);
	va_end(args);
}

void problem_warn(struct problems *problems, unsigned line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	append_sentence(problems, line, true, format, args);
	va_end(args);
}

void problem_from(struct problems *problems, const char *sentence)
{
	struct fw_cursor c = {sentence, sentence + strlen(sentence)};
	uint64_t line = 0;
	if (fw_cut_literal(&c, "line ") && fw_cut_u64(&c, &line) && fw_cut_literal(&c, ": "))
		problem_add(problems, (unsigned)line, "%s", c.at);
	else
		problem_add(problems, 0, "%s", sentence);
}

/* ---- YAML ---- */

bool yaml_is_null(const struct fw_yaml *node)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};
	const char *text = fw_yaml_text(node);
	if (!text || fw_yaml_is_quoted(node))
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

static void say_unknown(const struct fw_yaml *key, const char *what,
	const struct yaml_field *fields, struct problems *problems)
{
	const char *names[FIELDS_LIMIT];
	size_t n = 0;
	for (; n < FIELDS_LIMIT && fields[n].name; n++)
		names[n] = fields[n].name;
	const char *word = fw_yaml_text(key), *nearest = fw_nearest(word, names, n);
	if (nearest)
		problem_add(problems, fw_yaml_line(key),
			"unknown field '%s' in %s; did you mean '%s'?", word, what, nearest);
	else
		problem_add(problems, fw_yaml_line(key), "unknown field '%s' in %s", word, what);
}

void yaml_read_struct(const struct fw_yaml *node, const char *what, const struct yaml_field *fields,
	void *out, struct problems *problems)
{
	if (yaml_is_null(node))
		return;
	if (fw_yaml_kind(node) != FW_YAML_MAPPING) {
		problem_add(problems, fw_yaml_line(node), "%s must be fields with values", what);
		return;
	}
	for (size_t i = 0; i < fw_yaml_count(node); i++) {
		const struct yaml_field *field = fields;
		while (field->name && strcmp(field->name, fw_yaml_text(fw_yaml_key(node, i))) != 0)
			field++;
		if (field->name)
			field->read(fw_yaml_item(node, i), (char *)out + field->offset, problems);
		else
			say_unknown(fw_yaml_key(node, i), what, fields, problems);
	}
}

size_t yaml_items(const struct fw_yaml *node, const char *what, struct problems *problems)
{
	if (yaml_is_null(node))
		return 0;
	if (fw_yaml_kind(node) == FW_YAML_SEQUENCE)
		return fw_yaml_count(node);
	problem_add(problems, fw_yaml_line(node), "%s must be a list", what);
	return 0;
}

/* The text of a scalar that says something; NULL for nothing, or after a sentence. */
static const char *scalar(const struct fw_yaml *node, struct problems *problems)
{
	if (yaml_is_null(node))
		return NULL;
	if (!fw_yaml_text(node))
		problem_add(problems, fw_yaml_line(node), "one text is meant here");
	return fw_yaml_text(node);
}

void yaml_read_raw(const struct fw_yaml *node, void *field, struct problems *problems)
{
	const char *text = fw_yaml_text(node);
	(void)problems;
	*(const char **)field = text ? text : "";
}

void yaml_read_text(const struct fw_yaml *node, void *field, struct problems *problems)
{
	const char *text = scalar(node, problems);
	*(const char **)field = text ? text : "";
}

/* YAML's words for what has no digits, as strtod has them. */
static const char *special(const char *text)
{
	static const char *const words[][2] = {
		{".inf", "inf"},
		{"+.inf", "inf"},
		{"-.inf", "-inf"},
		{".nan", "nan"},
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasecmp(text, words[i][0]) == 0)
			return words[i][1];
	return NULL;
}

void yaml_read_double(const struct fw_yaml *node, void *field, struct problems *problems)
{
	const char *text = scalar(node, problems), *word;
	char *end;
	if (!text)
		return;
	word = special(text);
	bool is_number = word || strspn(text, "0123456789+-.") > 0;
	double value = strtod(word ? word : text, &end);
	if (fw_yaml_is_quoted(node) || !is_number || end == text || *end)
		problem_add(problems, fw_yaml_line(node), "'%s' is not a number", text);
	else
		*(double *)field = value;
}

void yaml_read_int(const struct fw_yaml *node, void *field, struct problems *problems)
{
	double value = 0;
	size_t before = problems->n_errors;
	yaml_read_double(node, &value, problems);
	if (problems->n_errors == before && !(fabs(value) < 9e15))
		problem_add(problems, fw_yaml_line(node), "'%s' is not a whole number",
			fw_yaml_text(node));
	else if (problems->n_errors == before)
		*(int64_t *)field = (int64_t)value;
}

void yaml_read_bool(const struct fw_yaml *node, void *field, struct problems *problems)
{
	const char *text = scalar(node, problems);
	if (!text)
		return;
	*(bool *)field = strcasecmp(text, "true") == 0;
	if (fw_yaml_is_quoted(node) || (!*(bool *)field && strcasecmp(text, "false") != 0))
		problem_add(problems, fw_yaml_line(node), "'%s' is neither true nor false", text);
}

/* Digits and units, or "0": decimal seconds, which the language takes, are none here. */
void yaml_read_duration(const struct fw_yaml *node, void *field, struct problems *problems)
{
	int64_t ms = 0;
	const char *text = scalar(node, problems);
	if (!text)
		return;
	size_t length = strlen(text);
	bool has_unit = length > 0 && text[length - 1] >= 'a' && text[length - 1] <= 'z';
	if ((strcmp(text, "0") == 0 || has_unit) && promql_duration(text, length, &ms) == 0)
		*(int64_t *)field = ms;
	else
		problem_add(problems, fw_yaml_line(node),
			"'%s' is not a duration; write it like 30s, 5m or 1h30m", text);
}

void yaml_read_texts(const struct fw_yaml *node, void *field, struct problems *problems)
{
	struct label_set *out = field;
	if (yaml_is_null(node))
		return;
	if (fw_yaml_kind(node) != FW_YAML_MAPPING) {
		problem_add(problems, fw_yaml_line(node), "names with a text each are meant here");
		return;
	}
	size_t n = fw_yaml_count(node);
	struct fw_label *items = fw_arena_alloc(problems->arena, (n + 1) * sizeof *items);
	for (size_t i = 0; i < n; i++) {
		items[i].name = fw_yaml_text(fw_yaml_key(node, i));
		yaml_read_text(fw_yaml_item(node, i), &items[i].value, problems);
		if (!items[i].value)
			items[i].value = "";
	}
	*out = (struct label_set){items, n};
}
