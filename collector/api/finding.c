/* SPDX-License-Identifier: Apache-2.0 */
/* What there is: series, names of labels and their values. */
#include <errno.h>
#include <string.h>

#include <fenwatch/text.h>
#include <fenwatch/utf8.h>

#include "parts.h"
#include "result.h"

#define PIECE_BYTES (64u << 10)

struct looking {
	const char **selectors;
	size_t n_selectors;
	int64_t start_ms, end_ms;
	uint64_t limit; /* 0: none */
};

static int read_looking(struct request *r, struct looking *out, struct fw_err *err)
{
	*out = (struct looking){.start_ms = -PARAMS_TIME_LIMIT_MS, .end_ms = PARAMS_TIME_LIMIT_MS};
	out->n_selectors = params_all(&r->params, "match[]", &out->selectors);
	int rc = params_limit(&r->params, &out->limit, err);
	if (rc == 0)
		rc = params_time_of(&r->params, "start", &out->start_ms, err);
	if (rc == 0)
		rc = params_time_of(&r->params, "end", &out->end_ms, err);
	/* Nothing lies between, which is no mistake: as at a moment before all. */
	if (out->end_ms < out->start_ms)
		out->start_ms = out->end_ms = -PARAMS_TIME_LIMIT_MS;
	return rc;
}

/* ---- the list, piece by piece ---- */

struct list {
	struct query_found series;
	struct query_names names;
	size_t n, next;
	bool cut;
};

static void write_item(struct json *j, const struct list *list, size_t i)
{
	if (list->names.items)
		json_text(j, list->names.items[i]);
	else
		result_write_labels(
			j, list->series.series[i].labels, list->series.series[i].n_labels);
}

static bool write_more(struct request *r)
{
	static const char *const warning[] = {"results truncated due to limit"};
	struct list *list = r->rest;
	size_t full = r->out.length + PIECE_BYTES;
	while (list->next < list->n && r->out.length < full)
		write_item(&r->json, list, list->next++);
	if (list->next < list->n)
		return true;
	json_close(&r->json, ']');
	request_end(r, warning, list->cut ? 1 : 0);
	return false;
}

static void write_list(struct request *r, struct list *list, size_t count, uint64_t limit)
{
	list->cut = limit > 0 && count > limit;
	list->n = list->cut ? (size_t)limit : count;
	json_open(request_begin(r), '[');
	request_stream(r, write_more, list);
}

/* ---- routes ---- */

void finding_series(struct request *r)
{
	struct looking looking;
	struct list *list = fw_arena_alloc(&r->arena, sizeof *list);
	struct fw_err err;
	if (read_looking(r, &looking, &err) < 0)
		request_fail_bad(r, &err);
	else if (looking.n_selectors == 0)
		request_fail(r, 400, "bad_data", "no match[] parameter provided");
	else if (query_find_series(api_config(r->api)->store, r->scope, looking.selectors,
			 looking.n_selectors, looking.start_ms, looking.end_ms, &r->arena,
			 &list->series, &err) < 0)
		prometheus_fail(r, PROMQL_BAD_DATA, "match[]", &err);
	else
		write_list(r, list, list->series.n_series, looking.limit);
}

static void write_names(
	struct request *r, int rc, struct list *list, uint64_t limit, const struct fw_err *err)
{
	static const char *none[] = {""};
	if (rc < 0) {
		prometheus_fail(r, PROMQL_BAD_DATA, "match[]", err);
		return;
	}
	if (list->names.count == 0)
		list->names.items = none;
	write_list(r, list, list->names.count, limit);
}

void finding_labels(struct request *r)
{
	struct looking looking;
	struct list *list = fw_arena_alloc(&r->arena, sizeof *list);
	struct fw_err err;
	if (read_looking(r, &looking, &err) < 0) {
		request_fail_bad(r, &err);
		return;
	}
	int rc = query_label_names(api_config(r->api)->store, r->scope, looking.selectors,
		looking.n_selectors, looking.start_ms, looking.end_ms, &r->arena, &list->names,
		&err);
	write_names(r, rc, list, looking.limit, &err);
}

/* ---- names that stand in a path ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "_2e_" as the code of a character; the bytes that it takes, 0: it is none. */
static size_t cut_code(const char *text, uint32_t *code)
{
	size_t n = 1;
	*code = 0;
	for (; n <= 6 && hex_digit(text[n]) >= 0; n++)
		*code = *code << 4 | (uint32_t)hex_digit(text[n]);
	return n > 1 && text[n] == '_' && *code > 0 && *code <= 0x10ffff ? n + 1 : 0;
}

/* The label that a path names: U__lab_2e_el is lab.el, as Prometheus escapes what an old
 * client cannot write; with anything wrong in it, it is a name as it stands. */
static const char *unescape(struct request *r, const char *name)
{
	if (strncmp(name, "U__", 3) != 0)
		return name;
	struct fw_buf label = {0};
	const char *at = name + 3;
	while (*at) {
		uint32_t code = '_';
		if (*at != '_') {
			fw_buf_putc(&label, *at++);
			continue;
		}
		size_t length = at[1] == '_' ? 2 : cut_code(at, &code);
		if (length == 0)
			break;
		fw_utf8_put(&label, code);
		at += length;
	}
	const char *text = label.length ? (const char *)label.data : "";
	if (!*at && fw_utf8_valid(text, label.length))
		name = fw_arena_strndup(&r->arena, text, label.length);
	fw_buf_done(&label);
	return name;
}

void finding_label_values(struct request *r)
{
	struct looking looking;
	struct list *list = fw_arena_alloc(&r->arena, sizeof *list);
	struct fw_err err;
	if (read_looking(r, &looking, &err) < 0) {
		request_fail_bad(r, &err);
		return;
	}
	int rc = query_label_values(api_config(r->api)->store, r->scope, unescape(r, r->path_value),
		looking.selectors, looking.n_selectors, looking.start_ms, looking.end_ms, &r->arena,
		&list->names, &err);
	write_names(r, rc, list, looking.limit, &err);
}
