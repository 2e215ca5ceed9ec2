/* SPDX-License-Identifier: Apache-2.0 */
/* The newest sample of each series that any of the selectors matches, as a Prometheus
 * scrapes it from another. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>

#include "label_set.h"
#include "labels.h"
#include "node.h"
#include "notes.h"
#include "number.h"
#include "parts.h"

#define TEXT "text/plain; version=0.0.4; charset=utf-8"

struct newest {
	const struct fw_label *labels;
	size_t n_labels;
	int64_t at_ms;
	double value;
};

struct federating {
	struct request *r;
	bool any_name; /* who asked reads names of any characters */
	struct newest *all;
	size_t n, capacity;
};

/* ---- names ---- */

static bool is_plain(const char *name, bool metric)
{
	if (!*name || isdigit((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_' && !(metric && *name == ':'))
			return false;
	return true;
}

/* Of other characters each is an underscore. */
static const char *plain_name(struct fw_arena *arena, const char *name, bool metric)
{
	if (is_plain(name, metric))
		return name;
	char *plain = fw_arena_strdup(arena, name), *to = plain;
	for (const char *at = name; *at; at++) {
		bool fits = isalpha((unsigned char)*at) || (metric && *at == ':') ||
			(isdigit((unsigned char)*at) && at > name);
		if ((*at & 0xc0) != 0x80) /* the first byte of a character */
			*to++ = fits ? *at : '_';
	}
	*to = '\0';
	return plain;
}

/* As those read them who do not say that they take any name. */
static size_t plain_labels(
	struct fw_arena *arena, const struct fw_label *labels, size_t n, struct fw_label *out)
{
	size_t n_out = 0;
	for (size_t i = 0; i < n; i++) {
		const char *value = labels[i].value;
		if (strcmp(labels[i].name, LABEL_NAME) == 0)
			value = plain_name(arena, value, true);
		n_out = labels_put(out, n_out, plain_name(arena, labels[i].name, false), value);
	}
	return n_out;
}

/* ---- collecting ---- */

static bool is_over(const void *arg)
{
	const struct federating *f = arg;
	return f->r->canceled;
}

static int on_series(void *arg, const struct promql_samples *samples)
{
	struct federating *f = arg;
	if (samples->n == 0 || samples->cells[samples->n - 1] == FW_ABSENT)
		return 0;
	if (f->n == f->capacity) {
		f->capacity = 2 * f->capacity + 256;
		f->all = fw_realloc(f->all, f->capacity * sizeof *f->all);
	}
	struct fw_arena *arena = &f->r->arena;
	struct fw_label *labels = labels_copy(samples->labels, samples->n_labels, arena);
	size_t n = f->any_name ? samples->n_labels
			       : plain_labels(arena, samples->labels, samples->n_labels, labels);
	f->all[f->n++] = (struct newest){
		.labels = labels,
		.n_labels = n,
		.at_ms = samples->times_ms[samples->n - 1],
		.value = fw_column_value(samples->column, samples->cells[samples->n - 1]),
	};
	return 0;
}

static int select_one(
	struct federating *f, const struct promql_data *data, const char *text, struct fw_err *err)
{
	struct request *r = f->r;
	struct promql_notes notes = {.arena = &r->arena};
	const struct promql_select_to to = {on_series, f, &r->arena, &notes, is_over, f};
	struct node *node;
	int rc = promql_parse_selector(text, &r->arena, &node, err);
	if (rc < 0)
		return rc;
	const struct promql_selection selection = {
		.matchers = node->selector.matchers,
		.n_matchers = node->selector.n_matchers,
		.from_ms = r->now_ms - prometheus_limits(r).lookback_ms + 1,
		.to_ms = r->now_ms,
		.newest = true,
	};
	return data->select(data, &selection, &to, err);
}

static const char *name_of(const struct newest *one)
{
	return fw_label_value(one->labels, one->n_labels, LABEL_NAME);
}

/* By metric, then by the other labels, so that what two selectors match lies together. */
static int by_metric(const void *x, const void *y)
{
	const struct newest *a = x, *b = y;
	int order = strcmp(name_of(a), name_of(b));
	return order ? order : labels_compare(a->labels, a->n_labels, b->labels, b->n_labels);
}

/* ---- the text ---- */

static void put_quoted(struct fw_buf *out, const char *text)
{
	fw_buf_putc(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fw_buf_putc(out, '\\');
		if (*text == '\n')
			fw_buf_puts(out, "\\n");
		else
			fw_buf_putc(out, *text);
	}
	fw_buf_putc(out, '"');
}

static void put_label(struct fw_buf *out, const char *name, const char *value, bool *any)
{
	if (*any)
		fw_buf_putc(out, ',');
	*any = true;
	if (is_plain(name, false))
		fw_buf_puts(out, name);
	else
		put_quoted(out, name);
	fw_buf_putc(out, '=');
	put_quoted(out, value);
}

static bool has_label(const struct fw_label *labels, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(labels[i].name, name) == 0)
			return true;
	return false;
}

/* An instance that is empty says that there is none: who scrapes must not put its own. */
static void put_labels(
	struct fw_buf *out, const struct newest *one, const struct label_set *external, bool *any)
{
	bool has_instance = has_label(one->labels, one->n_labels, "instance") ||
		has_label(external->items, external->n, "instance");
	for (size_t i = 0; i < one->n_labels; i++)
		if (strcmp(one->labels[i].name, "__name__") != 0)
			put_label(out, one->labels[i].name, one->labels[i].value, any);
	for (size_t i = 0; i < external->n; i++)
		if (!has_label(one->labels, one->n_labels, external->items[i].name))
			put_label(out, external->items[i].name, external->items[i].value, any);
	if (!has_instance)
		put_label(out, "instance", "", any);
}

static void put_one(
	struct fw_buf *out, const struct newest *one, const struct label_set *external, bool first)
{
	char number[PROMQL_NUMBER_SIZE];
	const char *name = name_of(one);
	bool plain = is_plain(name, true), any = !plain;
	if (first) {
		fw_buf_puts(out, "# TYPE ");
		if (plain)
			fw_buf_puts(out, name);
		else
			put_quoted(out, name);
		fw_buf_puts(out, " untyped\n");
	}
	fw_buf_puts(out, plain ? name : "");
	fw_buf_putc(out, '{');
	if (!plain)
		put_quoted(out, name);
	put_labels(out, one, external, &any);
	fw_buf_printf(out, "} %s %" PRId64 "\n", promql_number(one->value, number, sizeof number),
		one->at_ms);
}

static void write_all(struct federating *f)
{
	static const struct label_set none = {NULL, 0};
	const struct label_set *external = api_config(f->r->api)->external_labels;
	struct fw_buf *out = &f->r->out;
	const char *before = NULL;
	if (f->n > 1)
		qsort(f->all, f->n, sizeof *f->all, by_metric);
	request_text(f->r, 200, "");
	f->r->content_type =
		f->any_name ? TEXT "; escaping=allow-utf-8" : TEXT "; escaping=underscores";
	for (size_t i = 0; i < f->n; i++) {
		const struct newest *one = &f->all[i];
		if (i > 0 && by_metric(one, one - 1) == 0)
			continue;
		put_one(out, one, external ? external : &none,
			!before || strcmp(before, name_of(one)) != 0);
		before = name_of(one);
	}
}

void federate(struct request *r)
{
	const char *accept =
		MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	struct federating f = {
		.r = r, .any_name = accept && strstr(accept, "escaping=allow-utf-8")};
	struct query_source source = {
		api_config(r->api)->store, r->scope, prometheus_limits(r).max_bytes};
	const struct promql_data data = query_data(&source);
	const char **selectors;
	size_t n = params_all(&r->params, "match[]", &selectors);
	struct fw_err err;
	int rc = 0;
	for (size_t i = 0; i < n && rc >= 0; i++)
		rc = select_one(&f, &data, selectors[i], &err);
	if (rc < 0)
		request_text(
			r, rc == -EINVAL ? 400 : 422, fw_arena_format(&r->arena, "%s\n", err.text));
	else
		write_all(&f);
	fw_free(f.all);
}
