/* SPDX-License-Identifier: Apache-2.0 */
/* Questions as they come in, and answers as they go out. */
#include <errno.h>
#include <stdlib.h>

#include <fenwatch/clock.h>

#include "evaluate.h"

static int by_labels(const void *a, const void *b)
{
	const struct series *x = a, *y = b;
	return labels_compare(x->labels, x->n_labels, y->labels, y->n_labels);
}

static int rows_by_labels(const void *a, const void *b)
{
	const struct promql_row *x = a, *y = b;
	return labels_compare(x->labels, x->n_labels, y->labels, y->n_labels);
}

static struct evaluation begin(const struct promql_data *data, const char *text,
	const struct promql_limits *limits, struct fw_arena *arena, struct promql_result *out,
	struct fw_err *err)
{
	*out = (struct promql_result){.notes = {.arena = arena, .query = text}};
	if (arena->limit == 0)
		arena->limit = limits->max_bytes;
	return (struct evaluation){
		.data = data,
		.limits = limits,
		.arena = arena,
		.notes = &out->notes,
		.err = err,
		.lookback_ms = limits->lookback_ms ? limits->lookback_ms : PROMQL_LOOKBACK_MS,
		.deadline_ms = fw_mono_ms() + limits->timeout_ms,
	};
}

static int end(const struct evaluation *e, struct promql_result *out, int rc)
{
	out->n_samples = e->n_samples;
	if (rc < 0)
		out->fault = e->fault ? e->fault : PROMQL_INTERNAL;
	return rc < 0 ? rc : 0;
}

static int answer_rows(struct evaluation *e, const struct node *node, struct promql_result *out)
{
	node = node_bare(node);
	int rc = node->kind == NODE_SUBQUERY
		? subquery_rows(e, node, &out->axis, &out->rows, &out->n_rows)
		: select_rows(e, node, &out->axis, &out->rows, &out->n_rows);
	if (rc >= 0 && out->n_rows)
		qsort(out->rows, out->n_rows, sizeof *out->rows, rows_by_labels);
	return rc;
}

int promql_instant_of(const struct promql_data *data, const struct node *node, const char *text,
	int64_t at_ms, const struct promql_limits *limits, struct fw_arena *arena,
	struct promql_result *out, struct fw_err *err)
{
	struct evaluation e = begin(data, text, limits, arena, out, err);
	e.start_ms = e.end_ms = at_ms;
	out->axis = (struct axis){at_ms, 1, 1};
	out->type = node->type;
	int rc = look_at_limits(&e);
	if (rc >= 0)
		rc = node->type == PROMQL_MATRIX ? answer_rows(&e, node, out)
						 : evaluate(&e, node, &out->axis, &out->value);
	return end(&e, out, rc);
}

static int parse(const char *text, struct fw_arena *arena, struct node **node,
	struct promql_result *out, struct fw_err *err)
{
	int rc = promql_parse(text, arena, node, err);
	*out = (struct promql_result){.fault = rc < 0 ? PROMQL_BAD_DATA : 0};
	return rc;
}

int promql_instant(const struct promql_data *data, const char *text, int64_t at_ms,
	const struct promql_limits *limits, struct fw_arena *arena, struct promql_result *out,
	struct fw_err *err)
{
	struct node *node;
	int rc = parse(text, arena, &node, out, err);
	return rc < 0 ? rc : promql_instant_of(data, node, text, at_ms, limits, arena, out, err);
}

static int check_range(const struct node *node, int64_t start_ms, int64_t end_ms, int64_t step_ms,
	struct fw_err *err)
{
	if (step_ms <= 0)
		return fw_fail(err, -EINVAL,
			"zero or negative query resolution step widths are not accepted. Try a positive integer");
	if (end_ms < start_ms)
		return fw_fail(err, -EINVAL, "end timestamp must not be before start time");
	if (ms_minus(end_ms, start_ms) / step_ms > PROMQL_STEPS_LIMIT)
		return fw_fail(err, -EINVAL,
			"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
	if (node->type != PROMQL_SCALAR && node->type != PROMQL_VECTOR)
		return fw_fail(err, -EINVAL,
			"invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
			promql_type_text(node->type));
	return 0;
}

/* Sorted; a scalar as a series without labels. */
static int answer_matrix(struct evaluation *e, const struct node *node, struct promql_result *out)
{
	struct value *value = &out->value;
	int rc = evaluate(e, node, &out->axis, value);
	if (rc < 0)
		return rc;
	if (value->scalar) {
		value->series = fw_arena_alloc(e->arena, sizeof *value->series);
		*value->series = (struct series){.values = value->scalar};
		value->n_series = 1;
	}
	if (value->n_series)
		qsort(value->series, value->n_series, sizeof *value->series, by_labels);
	value->type = PROMQL_VECTOR;
	return 0;
}

int promql_range(const struct promql_data *data, const char *text, int64_t start_ms, int64_t end_ms,
	int64_t step_ms, const struct promql_limits *limits, struct fw_arena *arena,
	struct promql_result *out, struct fw_err *err)
{
	struct node *node;
	int rc = parse(text, arena, &node, out, err);
	if (rc >= 0)
		rc = check_range(node, start_ms, end_ms, step_ms, err);
	if (rc < 0) {
		out->fault = PROMQL_BAD_DATA;
		return rc;
	}
	struct evaluation e = begin(data, text, limits, arena, out, err);
	e.start_ms = start_ms;
	e.end_ms = end_ms;
	out->axis = (struct axis){start_ms, step_ms, (size_t)((end_ms - start_ms) / step_ms) + 1};
	out->type = PROMQL_MATRIX;
	rc = look_at_limits(&e);
	return end(&e, out, rc < 0 ? rc : answer_matrix(&e, node, out));
}
