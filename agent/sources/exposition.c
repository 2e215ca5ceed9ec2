/* SPDX-License-Identifier: Apache-2.0 */
#include "exposition.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_BYTES 512
#define TEXT_BYTES 8192 /* names and values of one sample's labels */

struct reader {
	char family[EXPOSITION_NAME], help[HELP_BYTES]; /* of the last HELP or TYPE line */
	enum fw_metric_type type;
	char name[EXPOSITION_NAME];
	char text[TEXT_BYTES];
	size_t used;
	unsigned line, n_labels;
	struct exposition_sample sample;
	struct fw_err *err;
};

static int mistake(const struct reader *r, const char *what)
{
	return fw_fail(r->err, -EINVAL, "line %u: %s", r->line, what);
}

static bool is_name_byte(char byte, bool first, bool colon)
{
	return isalpha((unsigned char)byte) || byte == '_' || (colon && byte == ':') ||
		(!first && isdigit((unsigned char)byte));
}

static bool cut_identifier(struct fw_cursor *c, bool colon, char *out, size_t size)
{
	size_t n = 0;
	while (c->at + n < c->end && is_name_byte(c->at[n], n == 0, colon))
		n++;
	if (n == 0 || n >= size)
		return false;
	memcpy(out, c->at, n);
	out[n] = '\0';
	c->at += n;
	return true;
}

/* ---- HELP and TYPE ---- */

static void begin_family(struct reader *r, const char *name)
{
	if (strcmp(r->family, name) == 0)
		return;
	snprintf(r->family, sizeof r->family, "%s", name);
	r->type = FW_UNTYPED;
	snprintf(r->help, sizeof r->help, "Of a text file; it gives no help.");
}

/* Those of histograms and summaries stay as they are: series with names of their own. */
static int take_type(struct reader *r, struct fw_cursor *c)
{
	static const struct {
		const char *word;
		enum fw_metric_type type;
	} types[] = {{"counter", FW_COUNTER}, {"gauge", FW_GAUGE}, {"untyped", FW_UNTYPED},
		{"histogram", FW_UNTYPED}, {"summary", FW_UNTYPED}};
	const char *word;
	size_t length;
	if (!fw_cut_word(c, &word, &length))
		return mistake(r, "TYPE without a type");
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strlen(types[i].word) == length && memcmp(types[i].word, word, length) == 0) {
			r->type = types[i].type;
			return 0;
		}
	return mistake(r, "a TYPE that there is not");
}

static int take_comment(struct reader *r, struct fw_cursor c)
{
	char name[EXPOSITION_NAME];
	fw_skip_blanks(&c);
	bool help = fw_cut_literal(&c, "HELP ");
	if (!help && !fw_cut_literal(&c, "TYPE "))
		return 0;
	fw_skip_blanks(&c);
	if (!cut_identifier(&c, true, name, sizeof name))
		return mistake(r, "HELP or TYPE without a metric's name");
	begin_family(r, name);
	if (!help)
		return take_type(r, &c);
	fw_skip_blanks(&c);
	if (c.at < c.end)
		snprintf(r->help, sizeof r->help, "%.*s", (int)(c.end - c.at), c.at);
	return 0;
}

/* ---- samples ---- */

static bool put(struct reader *r, char byte)
{
	if (r->used + 1 >= TEXT_BYTES)
		return false;
	r->text[r->used++] = byte;
	return true;
}

/* A value in quotes, with \\, \" and \n in it. */
static bool cut_quoted(struct reader *r, struct fw_cursor *c, const char **out)
{
	*out = r->text + r->used;
	if (!fw_cut_literal(c, "\""))
		return false;
	while (c->at < c->end && *c->at != '"') {
		char byte = *c->at++;
		if (byte == '\0')
			return false;
		if (byte == '\\') {
			if (c->at == c->end || !strchr("\\\"n", *c->at))
				return false;
			byte = *c->at++;
			byte = byte == 'n' ? '\n' : byte;
		}
		if (!put(r, byte))
			return false;
	}
	return fw_cut_literal(c, "\"") && put(r, '\0') &&
		r->text + r->used - *out <= FW_SYMBOL_LIMIT;
}

static bool cut_label(struct reader *r, struct fw_cursor *c)
{
	char name[EXPOSITION_NAME];
	if (r->n_labels == FW_LABELS_LIMIT || !cut_identifier(c, false, name, sizeof name))
		return false;
	const char **labels = r->sample.labels + 2 * r->n_labels;
	size_t length = strlen(name) + 1;
	if (r->used + length >= TEXT_BYTES)
		return false;
	labels[0] = memcpy(r->text + r->used, name, length);
	r->used += length;
	fw_skip_blanks(c);
	if (!fw_cut_literal(c, "="))
		return false;
	fw_skip_blanks(c);
	if (!cut_quoted(r, c, &labels[1]))
		return false;
	r->n_labels++;
	return true;
}

static bool cut_labels(struct reader *r, struct fw_cursor *c)
{
	r->n_labels = 0;
	if (!fw_cut_literal(c, "{"))
		return true;
	fw_skip_blanks(c);
	while (!fw_cut_literal(c, "}")) {
		if (!cut_label(r, c))
			return false;
		fw_skip_blanks(c);
		if (!fw_cut_literal(c, ",") && (c->at == c->end || *c->at != '}'))
			return false;
		fw_skip_blanks(c);
	}
	return true;
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* False where a name comes twice. */
static bool sort_labels(struct reader *r)
{
	const char **labels = r->sample.labels;
	qsort(labels, r->n_labels, 2 * sizeof *labels, compare_labels);
	labels[2 * r->n_labels] = NULL;
	for (unsigned i = 1; i < r->n_labels; i++)
		if (strcmp(labels[2 * i - 2], labels[2 * i]) == 0)
			return false;
	return true;
}

static bool cut_value(struct fw_cursor *c, double *value)
{
	char text[64];
	const char *word;
	char *end;
	size_t length;
	if (!fw_cut_word(c, &word, &length) || length >= sizeof text)
		return false;
	memcpy(text, word, length);
	text[length] = '\0';
	if (strcmp(text, "NaN") == 0)
		*value = (double)NAN;
	else if (strcmp(text, "+Inf") == 0 || strcmp(text, "Inf") == 0)
		*value = (double)INFINITY;
	else if (strcmp(text, "-Inf") == 0)
		*value = -(double)INFINITY;
	else if (text[strspn(text, "0123456789+-.eE")] != '\0')
		return false;
	else
		*value = strtod(text, &end), length = (size_t)(end - text);
	return text[length] == '\0' && length > 0;
}

static int take_sample(struct reader *r, struct fw_cursor c)
{
	r->used = 0;
	if (!cut_identifier(&c, true, r->name, sizeof r->name))
		return mistake(r, "neither a comment nor a metric's name");
	fw_skip_blanks(&c);
	if (!cut_labels(r, &c))
		return mistake(r, "labels that are not NAME=\"VALUE\", or too many of them");
	if (!sort_labels(r))
		return mistake(r, "a label twice");
	if (!cut_value(&c, &r->sample.value))
		return mistake(r, "no number behind the name");
	fw_skip_blanks(&c);
	if (c.at < c.end)
		return mistake(r, "something behind the value; times are not taken");
	/* x_bucket, x_sum and x_count belong to the family x. */
	if (strncmp(r->name, r->family, strlen(r->family)) != 0 || r->family[0] == '\0')
		begin_family(r, r->name);
	r->sample.name = r->name;
	r->sample.help = r->help;
	r->sample.type = r->type;
	return 0;
}

int exposition_read(struct fw_cursor text,
	int (*each)(const struct exposition_sample *sample, void *arg), void *arg,
	struct fw_err *err)
{
	struct reader r = {.err = err, .type = FW_UNTYPED};
	struct fw_cursor line;
	int rc = 0;
	while (rc >= 0 && fw_cut_line(&text, &line)) {
		r.line++;
		fw_skip_blanks(&line);
		if (line.at == line.end)
			continue;
		if (fw_cut_literal(&line, "#")) {
			rc = take_comment(&r, line);
			continue;
		}
		rc = take_sample(&r, line);
		if (rc >= 0)
			rc = each(&r.sample, arg);
	}
	return rc < 0 ? rc : 0;
}
