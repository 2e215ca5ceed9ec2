/* SPDX-License-Identifier: Apache-2.0 */
/* A node that fits on a line stays on one; of a longer one each part gets its
 * own, two blanks further in.
 */
#include "node.h"

#include <string.h>

#include "functions.h"
#include "print.h"

#define LINE_LIMIT 100

static void indent(struct fw_buf *out, unsigned level)
{
	for (unsigned i = 0; i < level; i++)
		fw_buf_puts(out, "  ");
}

static bool is_long(const struct node *node)
{
	struct fw_buf text = {.limit = LINE_LIMIT};
	promql_print(node, &text);
	bool answer = text.overflowed;
	fw_buf_done(&text);
	return answer;
}

static void pretty(const struct node *node, unsigned level, struct fw_buf *out);

static void pretty_binary(const struct node *node, unsigned level, struct fw_buf *out)
{
	if (node->binary.left->kind == NODE_NUMBER) {
		indent(out, level + 1);
		promql_put_left(out, node);
	} else {
		pretty(node->binary.left, level + 1, out);
	}
	fw_buf_putc(out, '\n');
	indent(out, level);
	promql_put_operator(out, node);
	fw_buf_putc(out, '\n');
	pretty(node->binary.right, level + 1, out);
}

/* "(", the parts with a comma between them, ")". */
static void pretty_parts(
	const struct node *const *parts, size_t n, unsigned level, struct fw_buf *out)
{
	fw_buf_puts(out, "(\n");
	for (size_t i = 0; i < n; i++) {
		pretty(parts[i], level + 1, out);
		fw_buf_puts(out, i + 1 < n ? ",\n" : "\n");
	}
	indent(out, level);
	fw_buf_putc(out, ')');
}

static void pretty_aggregate(const struct node *node, unsigned level, struct fw_buf *out)
{
	const struct node *parts[] = {node->aggregate.parameter, node->aggregate.inner};
	bool both = node->aggregate.parameter != NULL;
	indent(out, level);
	promql_put_aggregation(out, node);
	pretty_parts(both ? parts : parts + 1, both ? 2 : 1, level, out);
}

static void pretty_unary(const struct node *node, unsigned level, struct fw_buf *out)
{
	struct fw_buf inner = {0};
	pretty(node->unary.inner, level, &inner);
	const char *text = (const char *)inner.data;
	indent(out, level);
	fw_buf_putc(out, node->unary.minus ? '-' : '+');
	fw_buf_puts(out, text + strspn(text, " "));
	fw_buf_done(&inner);
}

static void pretty_long(const struct node *node, unsigned level, struct fw_buf *out)
{
	const struct node *paren = node->kind == NODE_PAREN ? node->paren : NULL;
	switch (node->kind) {
	case NODE_SUBQUERY:
		pretty(node->subquery.inner, level, out);
		promql_put_subquery(out, node);
		return;
	case NODE_PAREN:
		indent(out, level);
		pretty_parts(&paren, 1, level, out);
		return;
	case NODE_UNARY:
		pretty_unary(node, level, out);
		return;
	case NODE_BINARY:
		pretty_binary(node, level, out);
		return;
	case NODE_AGGREGATE:
		pretty_aggregate(node, level, out);
		return;
	case NODE_CALL:
		indent(out, level);
		fw_buf_puts(out, node->call.function->name);
		pretty_parts((const struct node *const *)node->call.arguments,
			node->call.n_arguments, level, out);
		return;
	default:
		indent(out, level);
		promql_print(node, out);
		return;
	}
}

static void pretty(const struct node *node, unsigned level, struct fw_buf *out)
{
	if (is_long(node)) {
		pretty_long(node, level, out);
		return;
	}
	/* A short subquery is not indented: so does Prometheus. */
	if (node->kind != NODE_SUBQUERY)
		indent(out, level);
	promql_print(node, out);
}

void promql_print_pretty(const struct node *node, struct fw_buf *out)
{
	pretty(node, 0, out);
}
