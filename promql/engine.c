/* SPDX-License-Identifier: Apache-2.0 */
/* The door, and how each kind of node is evaluated.
 *
 * What does not change from step to step is worked out once and repeated.
 */
#include "evaluate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <fenwatch/clock.h>

/* ---- limits and failures ---- */

enum { CHECK_EVERY = 1 << 16 };

int fail_execution(struct evaluation *e, const char *format, ...)
{
	if (e->err) {
		va_list args;
		va_start(args, format);
		vsnprintf(e->err->text, sizeof e->err->text, format, args);
		va_end(args);
	}
	e->fault = PROMQL_EXECUTION;
	return -EINVAL;
}

int fail_too_many(struct evaluation *e)
{
	fail_execution(
		e, "query processing would load too many samples into memory in query execution");
	return -E2BIG;
}

int fail_same_labels(struct evaluation *e)
{
	return fail_execution(e, "vector cannot contain metrics with the same labelset");
}

static int look_at_limits(struct evaluation *e)
{
	e->unchecked = 0;
	if (e->limits->canceled && *e->limits->canceled) {
		e->fault = PROMQL_CANCELED;
		return fw_fail(e->err, -ECANCELED, "query was canceled in expression evaluation");
	}
	if (fw_mono_ms() > e->deadline_ms) {
		e->fault = PROMQL_TIMEOUT;
		return fw_fail(e->err, -ETIMEDOUT, "query timed out in expression evaluation");
	}
	return 0;
}

int check_limits(struct evaluation *e, size_t work)
{
	if (e->n_held > e->limits->max_samples || e->arena->used > e->limits->max_bytes)
		return fail_too_many(e);
	e->unchecked += work + 64;
	return e->unchecked < CHECK_EVERY ? 0 : look_at_limits(e);
}

void *take(struct evaluation *e, size_t count, size_t bytes)
{
	size_t total;
	void *memory = __builtin_mul_overflow(count, bytes, &total)
		? NULL
		: fw_arena_try(e->arena, total ? total : 1);
	if (!memory)
		fail_too_many(e);
	return memory;
}

static void fill(double *values, size_t n, double value)
{
	for (size_t i = 0; i < n; i++)
		values[i] = value;
}

double *take_values(struct evaluation *e, const struct axis *axis)
{
	double *values = take(e, axis->n, sizeof *values);
	if (values)
		fill(values, axis->n, promql_absent());
	return values;
}

void let_go(struct evaluation *e, const struct value *value, const struct axis *axis)
{
	size_t n = value->n_series * axis->n;
	e->n_held -= n < e->n_held ? n : e->n_held;
}

/* ---- collecting ---- */

struct collection collection_of(struct evaluation *e, const struct axis *axis, struct value *value)
{
	*value = (struct value){.type = PROMQL_VECTOR};
	return (struct collection){e, axis, value, 0};
}

static int make_room(struct collection *c)
{
	if (c->value->n_series < c->capacity)
		return 0;
	size_t capacity = 2 * c->capacity + 16;
	struct series *series = take(c->e, capacity, sizeof *series);
	if (!series)
		return -E2BIG;
	if (c->value->n_series)
		memcpy(series, c->value->series, c->value->n_series * sizeof *series);
	c->value->series = series;
	c->capacity = capacity;
	return 0;
}

int collection_add(struct collection *c, const struct series *series)
{
	int rc = make_room(c);
	if (rc < 0)
		return rc;
	c->value->series[c->value->n_series++] = *series;
	c->e->n_held += c->axis->n;
	return check_limits(c->e, c->axis->n);
}

int collect(void *arg, struct series *series)
{
	struct collection *c = arg;
	double *values = take(c->e, c->axis->n, sizeof *values);
	if (!values)
		return -E2BIG;
	memcpy(values, series->values, c->axis->n * sizeof *values);
	return collection_add(c,
		&(struct series){labels_copy(series->labels, series->n_labels, c->e->arena),
			series->n_labels, values});
}

int push(const struct value *value, const struct sink *sink)
{
	int rc = 0;
	for (size_t i = 0; i < value->n_series && rc >= 0; i++)
		rc = sink->on_series(sink->arg, &value->series[i]);
	return rc;
}

/* ---- what does not change ---- */

const struct node *node_bare(const struct node *node)
{
	while (node->kind == NODE_PAREN)
		node = node->paren;
	return node;
}

static bool is_constant(const struct node *node)
{
	switch (node->kind) {
	case NODE_NUMBER:
	case NODE_STRING:
		return true;
	case NODE_SELECTOR:
		return node->selector.when.at != AT_NONE;
	case NODE_SUBQUERY:
		return node->subquery.when.at != AT_NONE;
	case NODE_PAREN:
		return is_constant(node->paren);
	case NODE_UNARY:
		return is_constant(node->unary.inner);
	case NODE_BINARY:
		return is_constant(node->binary.left) && is_constant(node->binary.right);
	case NODE_AGGREGATE:
		return is_constant(node->aggregate.inner) &&
			(!node->aggregate.parameter || is_constant(node->aggregate.parameter));
	case NODE_CALL:
		for (size_t i = 0; i < node->call.n_arguments; i++)
			if (!is_constant(node->call.arguments[i]))
				return false;
		return !node->call.function->sees_step;
	}
	return false;
}

static double *repeated(struct evaluation *e, const double *first, const struct axis *axis)
{
	double *values = take(e, axis->n, sizeof *values);
	if (values)
		fill(values, axis->n, *first);
	return values;
}

static int evaluate_once(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	const struct axis once = {axis->start_ms, axis->step_ms, 1};
	int rc = evaluate(e, node, &once, out);
	if (rc < 0)
		return rc;
	if (out->scalar && !(out->scalar = repeated(e, out->scalar, axis)))
		return -E2BIG;
	e->n_held += out->n_series * axis->n;
	for (size_t i = 0; i < out->n_series; i++) {
		out->series[i].values = repeated(e, out->series[i].values, axis);
		if (!out->series[i].values || check_limits(e, axis->n) < 0)
			return -E2BIG;
	}
	return 0;
}

/* ---- kinds of nodes ---- */

struct way {
	stream_way *stream;
	whole_way *whole;
	bool drops_name;
	enum settling settling; /* of what has lost its name */
};

static struct way way_of_call(const struct node *node)
{
	const struct promql_function *f = node->call.function;
	bool drops = !f->keeps_name;
	if (f->range || f->slide)
		return (struct way){call_range, NULL, drops, SETTLE_REFUSE};
	if (f->map)
		return (struct way){call_map, NULL, drops, SETTLE_MERGE};
	if (f->special == SPECIAL_TIMESTAMP)
		return (struct way){call_timestamp, NULL, true, SETTLE_MERGE};
	if (f->special == SPECIAL_ABSENT)
		return (struct way){NULL, call_absent, false, SETTLE_MERGE};
	return (struct way){NULL, call_whole, false, SETTLE_MERGE};
}

static struct way way_of_binary(const struct node *node)
{
	bool left = node->binary.left->type == PROMQL_VECTOR;
	bool right = node->binary.right->type == PROMQL_VECTOR;
	bool keeps = node_is_comparison(node->binary.op) && !node->binary.returns_bool;
	if (left && right)
		return (struct way){NULL, match_vectors, false, SETTLE_MERGE};
	if (left || right)
		return (struct way){binary_with_scalar, NULL, !keeps, SETTLE_MERGE};
	return (struct way){NULL, binary_scalars, false, SETTLE_MERGE};
}

static struct way way_of_aggregate(const struct node *node)
{
	static whole_way *const ways[N_AGGREGATIONS] = {
		[AGG_TOPK] = rank_series,
		[AGG_BOTTOMK] = rank_series,
		[AGG_QUANTILE] = rank_quantile,
		[AGG_COUNT_VALUES] = count_values,
	};
	whole_way *whole = ways[node->aggregate.op];
	return (struct way){.whole = whole ? whole : aggregate};
}

static int number_whole(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	out->scalar = repeated(e, &node->number, axis);
	return out->scalar ? 0 : -E2BIG;
}

static int string_whole(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	(void)e;
	(void)axis;
	out->string = node->string;
	return 0;
}

static int unary_scalar(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	int rc = evaluate(e, node->unary.inner, axis, out);
	for (size_t i = 0; rc >= 0 && node->unary.minus && i < axis->n; i++)
		out->scalar[i] = -out->scalar[i];
	return rc;
}

static struct way way_of(const struct node *node)
{
	switch (node->kind) {
	case NODE_NUMBER:
		return (struct way){.whole = number_whole};
	case NODE_STRING:
		return (struct way){.whole = string_whole};
	case NODE_SELECTOR:
		return (struct way){.stream = select_instants};
	case NODE_UNARY:
		if (node->type == PROMQL_SCALAR)
			return (struct way){.whole = unary_scalar};
		return (struct way){unary_vector, NULL, node->unary.minus, SETTLE_REFUSE};
	case NODE_BINARY:
		return way_of_binary(node);
	case NODE_AGGREGATE:
		return way_of_aggregate(node);
	case NODE_CALL:
		return way_of_call(node);
	case NODE_PAREN:
	case NODE_SUBQUERY:
		break;
	}
	return (struct way){0};
}

/* The node whose series lose their names here. */
static const struct node *named_inside(const struct node *node)
{
	if (node->kind == NODE_UNARY)
		return node->unary.inner;
	if (node->kind == NODE_CALL)
		return node->call.arguments[call_subject(node)];
	return node->binary.left->type == PROMQL_VECTOR ? node->binary.left : node->binary.right;
}

static bool needs_settling(const struct node *node, const struct way *way)
{
	return way->drops_name && !has_one_name(named_inside(node));
}

int evaluate(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	node = node_bare(node);
	*out = (struct value){0};
	if (axis->n > 1 && node->kind != NODE_NUMBER && is_constant(node))
		return evaluate_once(e, node, axis, out);
	const struct way way = way_of(node);
	int rc;
	if (way.whole) {
		rc = way.whole(e, node, axis, out);
	} else if (way.stream) {
		struct collection all = collection_of(e, axis, out);
		rc = way.stream(e, node, axis, &(struct sink){collect, &all});
		if (rc >= 0 && needs_settling(node, &way))
			rc = settle(e, out, axis, way.settling);
	} else {
		rc = fail_execution(e, "a range vector has no place here");
	}
	out->type = node->type;
	return rc < 0 ? rc : check_limits(e, axis->n);
}

int evaluate_to(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink)
{
	node = node_bare(node);
	const struct way way = way_of(node);
	if (way.stream && !needs_settling(node, &way) && !(axis->n > 1 && is_constant(node)))
		return way.stream(e, node, axis, sink);
	struct value value;
	int rc = evaluate(e, node, axis, &value);
	if (rc >= 0)
		rc = push(&value, sink);
	let_go(e, &value, axis);
	return rc;
}

/* ---- the door ---- */

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
