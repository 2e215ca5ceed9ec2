/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of functions: by value, on all of their arguments, and those that look
 * at what stands in the brackets. */
#include <errno.h>

#include "evaluate.h"

size_t call_subject(const struct node *call)
{
	for (size_t i = 0; i < call->call.n_arguments; i++) {
		enum promql_type type = call->call.arguments[i]->type;
		if (type == PROMQL_VECTOR || type == PROMQL_MATRIX)
			return i;
	}
	return 0;
}

int scalars_of(
	struct evaluation *e, const struct node *call, const struct axis *axis, struct scalars *out)
{
	*out = (struct scalars){0};
	for (size_t i = 0; i < SCALARS_LIMIT; i++)
		out->at[i] = promql_absent();
	for (size_t i = 0; i < call->call.n_arguments && out->n < SCALARS_LIMIT; i++) {
		struct value value;
		if (call->call.arguments[i]->type != PROMQL_SCALAR)
			continue;
		int rc = evaluate(e, call->call.arguments[i], axis, &value);
		if (rc < 0)
			return rc;
		out->columns[out->n++] = value.scalar;
	}
	return 0;
}

void scalars_at(struct scalars *scalars, size_t step)
{
	for (size_t i = 0; i < scalars->n; i++)
		scalars->at[i] = scalars->columns[i][step];
}

/* ---- each value by itself ---- */

struct mapping {
	struct evaluation *e;
	const struct promql_function *function;
	size_t n_steps;
	struct scalars scalars;
	const struct sink *sink;
	struct label_room labels;
};

static int map_series(void *arg, struct series *series)
{
	struct mapping *m = arg;
	bool any = false;
	for (size_t i = 0; i < m->n_steps; i++) {
		if (promql_is_absent(series->values[i]))
			continue;
		scalars_at(&m->scalars, i);
		series->values[i] = m->function->map(series->values[i], m->scalars.at);
		any |= !promql_is_absent(series->values[i]);
	}
	struct series mapped = *series;
	if (!m->function->keeps_name)
		drop_name(m->e, &mapped, &m->labels);
	return any ? m->sink->on_series(m->sink->arg, &mapped) : 0;
}

int call_map(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink)
{
	struct mapping m = {
		.e = e, .function = node->call.function, .n_steps = axis->n, .sink = sink};
	int rc = scalars_of(e, node, axis, &m.scalars);
	if (rc < 0)
		return rc;
	return evaluate_to(
		e, node->call.arguments[call_subject(node)], axis, &(struct sink){map_series, &m});
}

/* ---- the time of each sample, or of the step ---- */

struct timing {
	struct evaluation *e;
	const struct axis *axis;
	const struct sink *sink;
	bool by_step;
	struct label_room labels;
};

static int time_series(void *arg, struct series *series)
{
	struct timing *t = arg;
	for (size_t i = 0; t->by_step && i < t->axis->n; i++)
		if (!promql_is_absent(series->values[i]))
			series->values[i] = (double)axis_at(t->axis, i) / 1000;
	struct series timed = *series;
	drop_name(t->e, &timed, &t->labels);
	return t->sink->on_series(t->sink->arg, &timed);
}

int call_timestamp(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink)
{
	const struct node *subject = node_bare(node->call.arguments[0]);
	bool is_selector = subject->kind == NODE_SELECTOR;
	struct timing t = {.e = e, .axis = axis, .sink = sink, .by_step = !is_selector};
	const struct sink through = {time_series, &t};
	return is_selector ? select_times(e, subject, axis, &through)
			   : evaluate_to(e, subject, axis, &through);
}

/* ---- where there is nothing ---- */

/* Equal matchers say what would be there; what is asked of twice is unknown. */
static struct fw_label *promised_labels(
	struct evaluation *e, const struct node *selector, size_t *n)
{
	const size_t n_matchers = selector->selector.n_matchers;
	struct fw_label *labels = fw_arena_alloc(e->arena, (n_matchers + 1) * sizeof *labels);
	*n = 0;
	for (size_t i = 0; i < n_matchers; i++) {
		const struct matcher *m = &selector->selector.matchers[i];
		bool has = false;
		for (size_t k = 0; k < i; k++)
			has |= selector->selector.matchers[k].kind == MATCHER_EQUAL &&
				strcmp(selector->selector.matchers[k].name, m->name) == 0;
		if (strcmp(m->name, LABEL_NAME) != 0)
			*n = labels_put(labels, *n, m->name,
				m->kind == MATCHER_EQUAL && !has ? m->value : "");
	}
	return labels;
}

struct presence {
	const struct axis *axis;
	double *values; /* 1 where nothing has come yet */
};

static int mark_presence(void *arg, struct series *series)
{
	const struct presence *p = arg;
	for (size_t i = 0; i < p->axis->n; i++)
		if (!promql_is_absent(series->values[i]))
			p->values[i] = promql_absent();
	return 0;
}

static int look_for(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink)
{
	if (node->call.arguments[0]->type == PROMQL_VECTOR)
		return evaluate_to(e, node->call.arguments[0], axis, sink);
	struct node call = *node;
	call.call.function = promql_function_find("present_over_time");
	return call_range(e, &call, axis, sink);
}

int call_absent(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	const struct node *subject = node_bare(node->call.arguments[0]);
	struct presence p = {axis, take(e, axis->n, sizeof *p.values)};
	struct series *series = take(e, 1, sizeof *series);
	if (!p.values || !series)
		return -E2BIG;
	fill(p.values, axis->n, 1);
	int rc = look_for(e, node, axis, &(struct sink){mark_presence, &p});
	if (rc < 0 || !any_there(p.values, axis->n))
		return rc;
	series->values = p.values;
	if (subject->kind == NODE_SELECTOR)
		series->labels = promised_labels(e, subject, &series->n_labels);
	out->series = series;
	out->n_series = 1;
	return 0;
}

/* ---- by all arguments at once ---- */

int call_whole(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out)
{
	struct value *arguments =
		take(e, node->call.n_arguments + SCALARS_LIMIT, sizeof *arguments);
	const struct promql_function *function = node->call.function;
	const struct call_context context = {node, e->arena, axis, e->notes, e->err};
	if (!arguments)
		return -E2BIG;
	for (size_t i = 0; i < node->call.n_arguments; i++) {
		int rc = evaluate(e, node->call.arguments[i], axis, &arguments[i]);
		if (rc < 0)
			return rc;
	}
	int rc = function->call(&context, arguments, out);
	if (rc < 0) {
		e->fault = PROMQL_EXECUTION;
		return rc;
	}
	if (out->n_series == 0 || function->keeps_name)
		return settle(e, out, axis, SETTLE_REFUSE);
	struct label_room room = {0};
	for (size_t i = 0; i < out->n_series; i++, room = (struct label_room){0})
		drop_name(e, &out->series[i], &room);
	return settle(e, out, axis, SETTLE_MERGE);
}
