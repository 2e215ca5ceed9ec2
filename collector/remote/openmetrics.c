/* SPDX-License-Identifier: Apache-2.0 */
#include "openmetrics.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include <fenwatch/text.h>

#include "labels.h"
#include "number.h"

#define TIME_LIMIT_S 1e11

struct reading {
	const struct openmetrics_to *to;
	uint64_t line;
	const char *at, *end; /* of the line */
	struct fw_label labels[FW_LABELS_LIMIT];
	size_t n_labels;
	struct fw_err *err;
};

static int fail(const struct reading *r, const char *what)
{
	return fw_fail(r->err, -EINVAL, "line %llu: %s", (unsigned long long)r->line, what);
}

static void skip_blanks(struct reading *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
		r->at++;
}

static bool take(struct reading *r, char c)
{
	skip_blanks(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static const char *take_word(struct reading *r)
{
	skip_blanks(r);
	const char *from = r->at;
	while (r->at < r->end && *r->at != ' ' && *r->at != '\t')
		r->at++;
	return fw_arena_strndup(r->to->arena, from, (size_t)(r->at - from));
}

static bool in_name(char c, bool first)
{
	return isalpha((unsigned char)c) || c == '_' || c == ':' ||
		(!first && isdigit((unsigned char)c));
}

static const char *take_name(struct reading *r)
{
	skip_blanks(r);
	const char *from = r->at;
	while (r->at < r->end && in_name(*r->at, r->at == from))
		r->at++;
	return r->at > from ? fw_arena_strndup(r->to->arena, from, (size_t)(r->at - from)) : NULL;
}

/* With what \\, \" and \n stand for. */
static const char *unescape(const struct reading *r, const char *from, const char *end)
{
	char *text = fw_arena_alloc(r->to->arena, (size_t)(end - from) + 1), *to = text;
	while (from < end) {
		char c = *from++;
		if (c == '\\' && from < end) {
			c = *from++;
			if (c == 'n')
				c = '\n';
		}
		*to++ = c;
	}
	return text;
}

/* NULL: it does not begin, or does not end. */
static const char *take_quoted(struct reading *r)
{
	if (!take(r, '"'))
		return NULL;
	const char *from = r->at;
	while (r->at < r->end && *r->at != '"')
		r->at += *r->at == '\\' && r->at + 1 < r->end ? 2 : 1;
	return r->at < r->end ? unescape(r, from, r->at++) : NULL;
}

static int add_label(struct reading *r, const char *name, const char *value)
{
	if (!*value)
		return 0;
	if (r->n_labels == FW_LABELS_LIMIT)
		return fail(r, "more than 32 labels");
	r->labels[r->n_labels++] = (struct fw_label){name, value};
	return 0;
}

/* One of name="value", "name"="value", or the metric's name in quotes. */
static int take_label(struct reading *r, bool *named)
{
	skip_blanks(r);
	bool quoted = r->at < r->end && *r->at == '"';
	const char *name = quoted ? take_quoted(r) : take_name(r);
	if (!name)
		return fail(r, "a label's name was expected");
	if (take(r, '=')) {
		const char *value = take_quoted(r);
		return value ? add_label(r, name, value)
			     : fail(r, "a label's value in quotes was expected");
	}
	if (!quoted || *named)
		return fail(r, "'=' was expected after a label's name");
	if (!*name)
		return fail(r, "a metric's name was expected");
	*named = true;
	return add_label(r, "__name__", name);
}

static int take_labels(struct reading *r, bool *named)
{
	if (!take(r, '{'))
		return 0;
	while (!take(r, '}')) {
		int rc = take_label(r, named);
		if (rc < 0)
			return rc;
		if (take(r, ','))
			continue;
		return take(r, '}') ? 0 : fail(r, "',' or '}' was expected after a label");
	}
	return 0;
}

static int take_numbers(struct reading *r, struct openmetrics_sample *out)
{
	double seconds;
	const char *value = take_word(r);
	if (promql_read_number(value, &out->value) < 0)
		return fail(r, *value ? "the value is no number" : "a value was expected");
	const char *time = take_word(r);
	if (!*time || *time == '#')
		return fail(r, "a sample without its time: seconds are expected after the value");
	if (promql_read_number(time, &seconds) < 0 || !(fabs(seconds) < TIME_LIMIT_S))
		return fail(r, "the time is no number of seconds");
	out->at_ms = (int64_t)round(seconds * 1000);
	skip_blanks(r);
	return r->at == r->end || *r->at == '#' ? 0 : fail(r, "something stands after the time");
}

static int take_sample(struct reading *r)
{
	struct openmetrics_sample sample = {0};
	const char *name = take_name(r);
	bool named = name != NULL;
	r->n_labels = 0;
	int rc = name ? add_label(r, "__name__", name) : 0;
	if (rc >= 0)
		rc = take_labels(r, &named);
	if (rc >= 0 && !named)
		rc = fail(r, "a metric's name was expected");
	if (rc >= 0)
		rc = take_numbers(r, &sample);
	if (rc < 0)
		return rc;
	labels_sort(r->labels, r->n_labels);
	struct fw_label *labels = fw_arena_alloc(r->to->arena, r->n_labels * sizeof *labels + 1);
	memcpy(labels, r->labels, r->n_labels * sizeof *labels);
	sample.labels = labels;
	sample.n_labels = r->n_labels;
	r->to->on_sample(&sample, r->to->arg);
	return 0;
}

static enum remote_type type_of(const char *word)
{
	for (int type = 0; type < REMOTE_TYPES; type++)
		if (strcmp(word, remote_type_names[type]) == 0)
			return (enum remote_type)type;
	return REMOTE_UNKNOWN;
}

static const char *take_metric(struct reading *r)
{
	skip_blanks(r);
	return r->at < r->end && *r->at == '"' ? take_quoted(r) : take_word(r);
}

static const char *take_rest(struct reading *r)
{
	skip_blanks(r);
	return unescape(r, r->at, r->end);
}

/* TYPE, HELP or UNIT, a line each; other comments say nothing. */
static void take_comment(struct reading *r)
{
	r->at++;
	struct remote_about about = {NULL, "", "", REMOTE_UNKNOWN};
	const char *word = take_word(r);
	bool type = strcmp(word, "TYPE") == 0, help = strcmp(word, "HELP") == 0;
	if (!type && !help && strcmp(word, "UNIT") != 0)
		return;
	about.metric = take_metric(r);
	if (type)
		about.type = type_of(take_word(r));
	else if (help)
		about.help = take_rest(r);
	else
		about.unit = take_word(r);
	if (about.metric)
		r->to->on_about(&about, r->to->arg);
}

static int take_line(struct reading *r)
{
	if (!fw_utf8_valid(r->at, (size_t)(r->end - r->at)) ||
		memchr(r->at, '\0', (size_t)(r->end - r->at)))
		return fail(r, "not UTF-8");
	skip_blanks(r);
	if (r->at == r->end)
		return 0;
	if (*r->at != '#')
		return take_sample(r);
	take_comment(r);
	return 0;
}

int openmetrics_parse(const char *text, size_t length, uint64_t line,
	const struct openmetrics_to *to, struct fw_err *err)
{
	struct reading r = {.to = to, .line = line, .err = err};
	const char *end = text + length;
	int rc = 0;
	for (; text < end && rc >= 0; r.line++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		r.at = text;
		r.end = newline ? newline : end;
		text = newline ? newline + 1 : end;
		if (r.end > r.at && r.end[-1] == '\r')
			r.end--;
		rc = r.end - r.at > (ptrdiff_t)OPENMETRICS_LINE_LIMIT
			? fail(&r, "longer than 64 KiB")
			: take_line(&r);
	}
	return rc;
}
