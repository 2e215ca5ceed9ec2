/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"
#include "number.h"
#include "print.h"
#include "quote.h"

/* ---- numbers and times ---- */

void promql_put_duration(struct fw_buf *out, int64_t ms)
{
	if (ms == 0)
		fw_buf_puts(out, "0s");
	for (size_t i = 0; i < promql_n_units; i++) {
		const struct promql_unit *unit = &promql_units[i];
		if (ms < unit->ms || (unit->whole && ms % unit->ms != 0))
			continue;
		fw_buf_printf(out, "%lld%s", (long long)(ms / unit->ms), unit->name);
		ms %= unit->ms;
	}
}

static void print_number(const struct node *node, struct fw_buf *out)
{
	char text[PROMQL_NUMBER_SIZE];
	if (node->is_duration) {
		if (signbit(node->number))
			fw_buf_putc(out, '-');
		promql_put_duration(out, llround(fabs(node->number) * 1000));
	} else {
		fw_buf_puts(out, promql_plain(node->number, text, sizeof text));
	}
}

void promql_put_when(struct fw_buf *out, const struct node_when *when)
{
	if (when->at == AT_TIME)
		fw_buf_printf(out, " @ %s%lld.%03lld", when->at_ms < 0 ? "-" : "",
			(long long)llabs(when->at_ms / 1000), (long long)llabs(when->at_ms % 1000));
	else if (when->at != AT_NONE)
		fw_buf_puts(out, when->at == AT_START ? " @ start()" : " @ end()");
	if (when->offset_ms)
		fw_buf_puts(out, when->offset_ms < 0 ? " offset -" : " offset ");
	if (when->offset_ms)
		promql_put_duration(out, llabs(when->offset_ms));
}

/* ---- selectors ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *matcher_text(const struct matcher *m)
{
	struct fw_buf text = {0};
	promql_put_name(&text, m->name);
	fw_buf_puts(&text, matcher_kind_text(m->kind));
	promql_quote(&text, m->value);
	return (char *)text.data;
}

static bool is_written_before(const struct node *node, const struct matcher *m)
{
	const char *metric = node->selector.metric;
	return metric && m->kind == MATCHER_EQUAL && strcmp(m->name, "__name__") == 0 &&
		strcmp(m->value, metric) == 0;
}

static void print_matchers(const struct node *node, struct fw_buf *out)
{
	char *texts[PROMQL_MATCHERS_LIMIT] = {NULL};
	size_t n = 0;
	for (size_t i = 0; i < node->selector.n_matchers; i++)
		if (!is_written_before(node, &node->selector.matchers[i]))
			texts[n++] = matcher_text(&node->selector.matchers[i]);
	qsort(texts, n, sizeof *texts, by_text);
	for (size_t i = 0; i < n; i++) {
		fw_buf_putc(out, i ? ',' : '{');
		fw_buf_puts(out, texts[i]);
		fw_free(texts[i]);
	}
	if (n > 0)
		fw_buf_putc(out, '}');
}

static void print_selector(const struct node *node, struct fw_buf *out)
{
	if (node->selector.metric)
		fw_buf_puts(out, node->selector.metric);
	print_matchers(node, out);
	if (node->selector.range_ms) {
		fw_buf_putc(out, '[');
		promql_put_duration(out, node->selector.range_ms);
		fw_buf_putc(out, ']');
	}
	promql_put_when(out, &node->selector.when);
}

void promql_put_subquery(struct fw_buf *out, const struct node *node)
{
	fw_buf_putc(out, '[');
	promql_put_duration(out, node->subquery.range_ms);
	fw_buf_putc(out, ':');
	if (node->subquery.step_ms)
		promql_put_duration(out, node->subquery.step_ms);
	fw_buf_putc(out, ']');
	promql_put_when(out, &node->subquery.when);
}

/* ---- operators and calls ---- */

static void put_labels(struct fw_buf *out, const char *const *labels, size_t n)
{
	fw_buf_puts(out, " (");
	for (size_t i = 0; i < n; i++) {
		fw_buf_puts(out, i ? ", " : "");
		promql_put_name(out, labels[i]);
	}
	fw_buf_putc(out, ')');
}

void promql_put_operator(struct fw_buf *out, const struct node *node)
{
	const struct node_matching *m = &node->binary.matching;
	bool grouped = m->cardinality == MANY_TO_ONE || m->cardinality == ONE_TO_MANY;
	fw_buf_puts(out, node_operator_text(node->binary.op));
	if (node->binary.returns_bool)
		fw_buf_puts(out, " bool");
	if (m->on || m->n_labels > 0 || grouped) {
		fw_buf_puts(out, m->on ? " on" : " ignoring");
		put_labels(out, m->labels, m->n_labels);
	}
	if (grouped) {
		fw_buf_puts(out, m->cardinality == MANY_TO_ONE ? " group_left" : " group_right");
		put_labels(out, m->include, m->n_include);
	}
}

/* "+Inf ^ 2" would be read as +(Inf ^ 2). */
void promql_put_left(struct fw_buf *out, const struct node *node)
{
	const struct node *left = node->binary.left;
	if (node->binary.op == OP_POW && left->kind == NODE_NUMBER && isinf(left->number))
		fw_buf_puts(out, "Inf");
	else
		promql_print(left, out);
}

static void print_binary(const struct node *node, struct fw_buf *out)
{
	promql_put_left(out, node);
	fw_buf_putc(out, ' ');
	promql_put_operator(out, node);
	fw_buf_putc(out, ' ');
	promql_print(node->binary.right, out);
}

void promql_put_aggregation(struct fw_buf *out, const struct node *node)
{
	fw_buf_puts(out, node_aggregation_text(node->aggregate.op));
	if (!node->aggregate.without && node->aggregate.n_labels == 0)
		return;
	fw_buf_puts(out, node->aggregate.without ? " without" : " by");
	put_labels(out, node->aggregate.labels, node->aggregate.n_labels);
	fw_buf_putc(out, ' ');
}

static void print_aggregate(const struct node *node, struct fw_buf *out)
{
	promql_put_aggregation(out, node);
	fw_buf_putc(out, '(');
	if (node->aggregate.parameter) {
		promql_print(node->aggregate.parameter, out);
		fw_buf_puts(out, ", ");
	}
	promql_print(node->aggregate.inner, out);
	fw_buf_putc(out, ')');
}

static void print_call(const struct node *node, struct fw_buf *out)
{
	fw_buf_printf(out, "%s(", node->call.function->name);
	for (size_t i = 0; i < node->call.n_arguments; i++) {
		fw_buf_puts(out, i ? ", " : "");
		promql_print(node->call.arguments[i], out);
	}
	fw_buf_putc(out, ')');
}

void promql_print(const struct node *node, struct fw_buf *out)
{
	switch (node->kind) {
	case NODE_NUMBER:
		print_number(node, out);
		return;
	case NODE_STRING:
		promql_quote(out, node->string);
		return;
	case NODE_SELECTOR:
		print_selector(node, out);
		return;
	case NODE_SUBQUERY:
		promql_print(node->subquery.inner, out);
		promql_put_subquery(out, node);
		return;
	case NODE_PAREN:
		fw_buf_putc(out, '(');
		promql_print(node->paren, out);
		fw_buf_putc(out, ')');
		return;
	case NODE_UNARY:
		fw_buf_putc(out, node->unary.minus ? '-' : '+');
		promql_print(node->unary.inner, out);
		return;
	case NODE_BINARY:
		print_binary(node, out);
		return;
	case NODE_AGGREGATE:
		print_aggregate(node, out);
		return;
	case NODE_CALL:
		print_call(node, out);
		return;
	}
}
