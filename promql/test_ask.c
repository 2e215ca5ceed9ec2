/* SPDX-License-Identifier: Apache-2.0 */
#include "test_ask.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fenwatch/buf.h>

#include "memory.h"
#include "promql.h"

static void put_value(struct fw_buf *out, double value)
{
	fw_buf_putc(out, ' ');
	if (promql_is_absent(value))
		fw_buf_putc(out, '_');
	else if (isnan(value))
		fw_buf_puts(out, "NaN");
	else if (isinf(value))
		fw_buf_puts(out, value > 0 ? "+Inf" : "-Inf");
	else
		fw_buf_printf(out, "%.10g", value);
}

static void put_labels(struct fw_buf *out, const struct fw_label *labels, size_t n)
{
	struct fw_label others[64];
	fw_buf_puts(out, out->length ? "; " : "");
	fw_buf_puts(out, fw_label_value(labels, n, LABEL_NAME));
	n = labels_drop(labels, n, LABEL_NAME, others);
	labels_print(others, n, out);
}

static void put_rows(struct fw_buf *out, const struct promql_result *result)
{
	for (size_t i = 0; i < result->n_rows; i++) {
		const struct promql_row *row = &result->rows[i];
		put_labels(out, row->labels, row->n_labels);
		for (size_t k = 0; k < row->n_points; k++) {
			put_value(out, row->points[k].value);
			fw_buf_printf(out, "@%g", (double)row->points[k].at_ms / 1000);
		}
	}
}

static bool has_any(const struct series *series, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!promql_is_absent(series->values[i]))
			return true;
	return false;
}

static void put_value_of(struct fw_buf *out, const struct promql_result *result)
{
	const struct value *value = &result->value;
	if (value->type == PROMQL_STRING)
		fw_buf_puts(out, value->string);
	for (size_t i = 0; value->type == PROMQL_SCALAR && i < result->axis.n; i++)
		put_value(out, value->scalar[i]);
	for (size_t i = 0; i < value->n_series; i++) {
		const struct series *series = &value->series[i];
		if (!has_any(series, result->axis.n))
			continue;
		put_labels(out, series->labels, series->n_labels);
		for (size_t k = 0; k < result->axis.n; k++)
			put_value(out, series->values[k]);
	}
}

static void put_notes(struct fw_buf *out, const struct promql_notes *notes)
{
	for (int kind = 0; kind < NOTE_KINDS; kind++)
		for (size_t i = 0; i < notes->n[kind]; i++)
			fw_buf_printf(
				out, "%s%s", out->length ? " | " : "| ", notes->texts[kind][i]);
}

static void ask(const struct promql_data *data, const char *query, const struct ask_steps *steps,
	struct fw_buf *out)
{
	static const struct promql_limits limits = {
		.max_samples = 1000000, .max_bytes = 64u << 20, .timeout_ms = 60000};
	struct fw_arena arena = {0};
	struct promql_result result;
	struct fw_err err;
	int64_t start_ms = steps->start_s * 1000, step_ms = steps->step_s * 1000;
	int rc = steps->n > 0
		? promql_range(data, query, start_ms, start_ms + (int64_t)(steps->n - 1) * step_ms,
			  step_ms, &limits, &arena, &result, &err)
		: promql_instant(data, query, start_ms, &limits, &arena, &result, &err);
	if (rc < 0) {
		fw_buf_printf(out, "error: %s", err.text);
	} else {
		put_rows(out, &result);
		put_value_of(out, &result);
	}
	put_notes(out, &result.notes);
	fw_arena_done(&arena);
}

void ask_all(const struct ask_series *series, size_t n_series, int64_t every_s,
	const struct ask_row *rows, size_t n_rows, struct ask_steps steps)
{
	struct promql_memory memory = {0};
	struct fw_err err;
	for (size_t i = 0; i < n_series; i++)
		if (promql_memory_load(&memory, series[i].labels, series[i].values, 0,
			    every_s * 1000, &err) < 0)
			fail_msg("%s: %s", series[i].labels, err.text);
	const struct promql_data data = promql_memory_data(&memory);
	for (size_t i = 0; i < n_rows; i++) {
		struct fw_buf answer = {0};
		ask(&data, rows[i].query, &steps, &answer);
		const char *text = answer.length ? (const char *)answer.data : "";
		if (strcmp(text + (*text == ' '), rows[i].answer) != 0)
			fail_msg("%s gives \"%s\", wanted \"%s\"", rows[i].query, text,
				rows[i].answer);
		fw_buf_done(&answer);
	}
	promql_memory_done(&memory);
}
