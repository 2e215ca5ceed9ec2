/* SPDX-License-Identifier: Apache-2.0 */
/* What is printed, parsed again, is the same tree: plainly and over several lines. */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "node.h"
#include "number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_texts(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
	bool same = n_a == n_b;
	for (size_t i = 0; i < n_a && same; i++)
		same = same_text(a[i], b[i]);
	return same;
}

static bool same_when(const struct node_when *a, const struct node_when *b)
{
	return a->offset_ms == b->offset_ms && a->at == b->at && a->at_ms == b->at_ms;
}

static size_t count(const struct node *node, const struct matcher *wanted)
{
	size_t n = 0;
	for (size_t i = 0; i < node->selector.n_matchers; i++) {
		const struct matcher *m = &node->selector.matchers[i];
		n += m->kind == wanted->kind && m->takes_empty == wanted->takes_empty &&
			same_text(m->name, wanted->name) && same_text(m->value, wanted->value);
	}
	return n;
}

/* Printed matchers are in an order of their own. */
static bool same_selector(const struct node *a, const struct node *b)
{
	bool same = a->selector.n_matchers == b->selector.n_matchers &&
		a->selector.range_ms == b->selector.range_ms &&
		same_text(a->selector.metric, b->selector.metric) &&
		same_when(&a->selector.when, &b->selector.when);
	for (size_t i = 0; i < a->selector.n_matchers && same; i++)
		same = count(a, &a->selector.matchers[i]) == count(b, &a->selector.matchers[i]);
	return same;
}

static bool same(const struct node *a, const struct node *b);

static bool same_binary(const struct node *a, const struct node *b)
{
	const struct node_matching *m = &a->binary.matching, *n = &b->binary.matching;
	return a->binary.op == b->binary.op && a->binary.returns_bool == b->binary.returns_bool &&
		m->cardinality == n->cardinality && m->on == n->on &&
		same_texts(m->labels, m->n_labels, n->labels, n->n_labels) &&
		same_texts(m->include, m->n_include, n->include, n->n_include) &&
		same(a->binary.left, b->binary.left) && same(a->binary.right, b->binary.right);
}

static bool same_aggregate(const struct node *a, const struct node *b)
{
	const struct node *x = a->aggregate.parameter, *y = b->aggregate.parameter;
	return a->aggregate.op == b->aggregate.op && a->aggregate.without == b->aggregate.without &&
		same_texts(a->aggregate.labels, a->aggregate.n_labels, b->aggregate.labels,
			b->aggregate.n_labels) &&
		(x && y ? same(x, y) : x == y) && same(a->aggregate.inner, b->aggregate.inner);
}

static bool same_call(const struct node *a, const struct node *b)
{
	bool is =
		a->call.function == b->call.function && a->call.n_arguments == b->call.n_arguments;
	for (size_t i = 0; i < a->call.n_arguments && is; i++)
		is = same(a->call.arguments[i], b->call.arguments[i]);
	return is;
}

static bool same_number(double a, double b)
{
	return a == b ? signbit(a) == signbit(b) : isnan(a) && isnan(b);
}

static bool same(const struct node *a, const struct node *b)
{
	if (a->kind != b->kind || a->type != b->type || a->depth != b->depth)
		return false;
	switch (a->kind) {
	case NODE_NUMBER:
		return same_number(a->number, b->number) && a->is_duration == b->is_duration;
	case NODE_STRING:
		return same_text(a->string, b->string);
	case NODE_SELECTOR:
		return same_selector(a, b);
	case NODE_SUBQUERY:
		return a->subquery.range_ms == b->subquery.range_ms &&
			a->subquery.step_ms == b->subquery.step_ms &&
			same_when(&a->subquery.when, &b->subquery.when) &&
			same(a->subquery.inner, b->subquery.inner);
	case NODE_PAREN:
		return same(a->paren, b->paren);
	case NODE_UNARY:
		return a->unary.minus == b->unary.minus && same(a->unary.inner, b->unary.inner);
	case NODE_BINARY:
		return same_binary(a, b);
	case NODE_AGGREGATE:
		return same_aggregate(a, b);
	case NODE_CALL:
		return same_call(a, b);
	}
	return false;
}

static void check_places(const struct node *node, void *arg)
{
	const uint32_t *length = arg;
	assert(node->from < node->to && node->to <= *length);
	assert(node->type != PROMQL_NONE);
	assert(node->depth > 0 && node->depth <= PROMQL_DEPTH_LIMIT);
}

/* What is printed may be longer than what is read. */
static void reparse(const struct node *node, struct fw_buf *text, struct fw_arena *arena)
{
	struct node *again;
	struct fw_err err;
	if (text->length <= PROMQL_TEXT_LIMIT) {
		assert(promql_parse((const char *)text->data, arena, &again, &err) == 0);
		assert(same(node, again));
	}
	fw_buf_reset(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fw_arena arena = {0};
	struct fw_buf out = {0};
	struct fw_err err;
	struct node *node;
	char *text = fw_arena_strndup(&arena, (const char *)data, size);
	uint32_t length = (uint32_t)strlen(text);
	int64_t ms;
	if (promql_parse(text, &arena, &node, &err) == 0) {
		node_walk(node, check_places, &length);
		promql_print(node, &out);
		reparse(node, &out, &arena);
		promql_print_pretty(node, &out);
		reparse(node, &out, &arena);
	}
	if (promql_parse_selector(text, &arena, &node, &err) == 0)
		assert(node->kind == NODE_SELECTOR);
	if (promql_duration(text, strlen(text), &ms) == 0)
		assert(ms >= 0);
	fw_buf_done(&out);
	fw_arena_done(&arena);
	return 0;
}
