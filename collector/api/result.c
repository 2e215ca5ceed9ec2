/* SPDX-License-Identifier: Apache-2.0 */
#include "result.h"

#include <stdio.h>
#include <string.h>

#include "number.h"
#include "parts.h"

#define PIECE_BYTES (64u << 10)
#define STAMP_SIZE (JSON_SECONDS_SIZE + 3)
#define SHORT_SIZE 24 /* that most numbers have room in */
#define VALUE_SIZE (1 + STAMP_SIZE + PROMQL_NUMBER_SIZE + SHORT_SIZE)

/* How a value at one time begins: `[1795383731.860,"`. */
struct stamp {
	char text[STAMP_SIZE];
	size_t length;
};

struct writer {
	const struct promql_result *result;
	struct result_options options;
	size_t n;             /* series that are written */
	size_t series, value; /* what comes next */
	size_t full;          /* so long may the buffer get now */
	bool cut;
	struct stamp *stamps; /* one a step of the axis */
	/* The value written last, as most series stay what they are for a while. */
	uint64_t last; /* its bits */
	char last_text[PROMQL_NUMBER_SIZE];
	size_t last_length; /* 0: none was written yet */
};

/* ---- values ---- */

static struct stamp make_stamp(int64_t at_ms)
{
	struct stamp stamp;
	char *at = stamp.text;
	*at++ = '[';
	at += json_seconds_text(at_ms, at);
	*at++ = ',';
	*at++ = '"';
	stamp.length = (size_t)(at - stamp.text);
	return stamp;
}

static void find_text(struct writer *w, double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	if (w->last_length > 0 && w->last == bits)
		return;
	w->last_length = promql_number_length(value, w->last_text);
	w->last = bits;
}

/* There is room for it. What is copied has a length that is known: calls would cost more. */
static char *put_value(char *at, struct writer *w, const struct stamp *stamp, double value)
{
	memcpy(at, stamp->text, STAMP_SIZE);
	at += stamp->length;
	find_text(w, value);
	memcpy(at, w->last_text, SHORT_SIZE);
	if (w->last_length > SHORT_SIZE)
		memcpy(at, w->last_text, w->last_length);
	at += w->last_length;
	*at++ = '"';
	*at++ = ']';
	*at = '\0';
	return at;
}

static void write_value(struct json *j, struct writer *w, const struct stamp *stamp, double value)
{
	char *begin = (char *)fw_buf_reserve(j->out, VALUE_SIZE), *at = begin;
	if (!at)
		return;
	if (j->after_value)
		*at++ = ',';
	j->after_value = true;
	j->out->length += (size_t)(put_value(at, w, stamp, value) - begin);
}

/* ---- series ---- */

void result_write_labels(struct json *j, const struct fw_label *labels, size_t n)
{
	json_open(j, '{');
	for (size_t i = 0; i < n; i++)
		json_put_text(j, labels[i].name, labels[i].value);
	json_close(j, '}');
}

static void begin_series(struct json *j, const struct fw_label *labels, size_t n, const char *name)
{
	json_open(j, '{');
	json_key(j, "metric");
	result_write_labels(j, labels, n);
	json_key(j, name);
}

/* A series that has begun gets a value at least: `value` 0 means that it has not begun. */
static bool has_room(const struct json *j, const struct writer *w)
{
	return w->value == 0 || j->out->length < w->full;
}

/* Goes on with the values of the series at hand; true when they are all written. */
static bool write_steps(struct json *j, struct writer *w, const struct series *series)
{
	size_t n = w->result->axis.n;
	if (w->value == 0) {
		begin_series(j, series->labels, series->n_labels, "values");
		json_open(j, '[');
	}
	for (; w->value < n && has_room(j, w); w->value++) {
		if (promql_is_absent(series->values[w->value]))
			continue;
		write_value(j, w, &w->stamps[w->value], series->values[w->value]);
	}
	return w->value == n;
}

static bool write_points(struct json *j, struct writer *w, const struct promql_row *row)
{
	if (w->value == 0) {
		begin_series(j, row->labels, row->n_labels, "values");
		json_open(j, '[');
	}
	for (; w->value < row->n_points && has_room(j, w); w->value++) {
		const struct promql_point *point = &row->points[w->value];
		struct stamp stamp = make_stamp(point->at_ms);
		write_value(j, w, &stamp, point->value);
	}
	return w->value == row->n_points;
}

static void write_instant(struct json *j, struct writer *w, const struct series *series)
{
	begin_series(j, series->labels, series->n_labels, "value");
	write_value(j, w, &w->stamps[0], series->values[0]);
	json_close(j, '}');
}

/* Writes of one series what has room; true when it is whole. */
static bool write_series(struct json *j, struct writer *w)
{
	const struct promql_result *result = w->result;
	if (result->type == PROMQL_VECTOR) {
		write_instant(j, w, &result->value.series[w->series]);
		return true;
	}
	bool whole = result->rows ? write_points(j, w, &result->rows[w->series])
				  : write_steps(j, w, &result->value.series[w->series]);
	if (whole) {
		json_close(j, ']');
		json_close(j, '}');
	}
	return whole;
}

/* ---- the whole ---- */

static void write_texts(struct json *j, const char *name, const char *const *texts, size_t n,
	size_t left_out, const char *kind, const char *more)
{
	char rest[80];
	if (n == 0 && !more)
		return;
	json_key(j, name);
	json_open(j, '[');
	for (size_t i = 0; i < n; i++)
		json_text(j, texts[i]);
	snprintf(rest, sizeof rest, "%zu more %s annotations omitted", left_out, kind);
	if (left_out > 0)
		json_text(j, rest);
	if (more)
		json_text(j, more);
	json_close(j, ']');
}

void result_write_notes(struct request *r, const struct promql_notes *notes, const char *more)
{
	write_texts(&r->json, "warnings", notes->texts[NOTE_WARNING], notes->n[NOTE_WARNING],
		notes->left_out[NOTE_WARNING], "warning", more);
	write_texts(&r->json, "infos", notes->texts[NOTE_INFO], notes->n[NOTE_INFO],
		notes->left_out[NOTE_INFO], "info", NULL);
}

static void write_stats(struct json *j, const struct writer *w)
{
	const struct result_options *options = &w->options;
	json_key(j, "stats");
	json_open(j, '{');
	json_key(j, "timings");
	json_open(j, '{');
	json_put_number(j, "evalTotalTime", options->seconds);
	json_put_number(j, "resultSortTime", 0);
	json_put_number(j, "queryPreparationTime", 0);
	json_put_number(j, "innerEvalTime", options->seconds);
	json_put_number(j, "execQueueTime", options->waiting_s);
	json_put_number(j, "execTotalTime", options->waiting_s + options->seconds);
	json_close(j, '}');
	json_key(j, "samples");
	json_open(j, '{');
	json_put_int(j, "totalQueryableSamples", (int64_t)w->result->n_samples);
	json_put_int(j, "peakSamples", (int64_t)w->result->n_samples);
	json_close(j, '}');
	json_close(j, '}');
}

static void write_end(struct request *r, const struct writer *w)
{
	static const char cut[] = "results truncated due to limit";
	if (w->options.stats)
		write_stats(&r->json, w);
	json_close(&r->json, '}');
	result_write_notes(r, &w->result->notes, w->cut ? cut : NULL);
	json_close(&r->json, '}');
}

static bool write_more(struct request *r)
{
	struct writer *w = r->rest;
	w->full = r->out.length + PIECE_BYTES;
	while (w->series < w->n && r->out.length < w->full) {
		if (!write_series(&r->json, w))
			return true;
		w->series++;
		w->value = 0;
	}
	if (w->series < w->n)
		return true;
	json_close(&r->json, ']');
	write_end(r, w);
	return false;
}

/* A scalar's or string's time is written as shortly as it goes: 1795383731.95. */
static void write_single(struct json *j, int64_t at_ms, const char *text)
{
	char seconds[PROMQL_NUMBER_SIZE];
	json_open(j, '[');
	json_raw(j, promql_plain((double)at_ms / 1000, seconds, sizeof seconds));
	json_text(j, text);
	json_close(j, ']');
}

static const char *const types[] = {
	[PROMQL_SCALAR] = "scalar",
	[PROMQL_VECTOR] = "vector",
	[PROMQL_MATRIX] = "matrix",
	[PROMQL_STRING] = "string",
};

static struct writer *writer_new(
	struct request *r, const struct promql_result *result, const struct result_options *options)
{
	struct writer *w = fw_arena_alloc(&r->arena, sizeof *w);
	size_t n = result->rows ? result->n_rows : result->value.n_series;
	bool cut = options->limit > 0 && n > options->limit;
	*w = (struct writer){.result = result, .options = *options, .cut = cut};
	w->n = cut ? (size_t)options->limit : n;
	w->stamps = fw_arena_alloc(&r->arena, (result->axis.n + 1) * sizeof *w->stamps);
	for (size_t i = 0; i < result->axis.n; i++)
		w->stamps[i] = make_stamp(axis_at(&result->axis, i));
	return w;
}

void result_answer(
	struct request *r, const struct promql_result *result, const struct result_options *options)
{
	char number[PROMQL_NUMBER_SIZE];
	struct writer *w = writer_new(r, result, options);
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_put_text(j, "resultType", types[result->type]);
	json_key(j, "result");
	if (result->type == PROMQL_SCALAR || result->type == PROMQL_STRING) {
		const char *text = result->type == PROMQL_STRING
			? result->value.string
			: promql_plain(result->value.scalar[0], number, sizeof number);
		write_single(j, result->axis.start_ms, text);
		write_end(r, w);
	} else {
		json_open(j, '[');
		request_stream(r, write_more, w);
	}
}
