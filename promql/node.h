/* A question as a tree, and its way from text and back.
 *
 * Nodes and all texts live in the arena that the parser was handed; nothing
 * points into the text. Every node knows which bytes of the text it came from,
 * for messages that name a place. Failures are worded and placed as Prometheus
 * words them: "1:8: parse error: unclosed left parenthesis".
 *
 * promql_print gives the normal form: what it writes, parsed again, is the same
 * tree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#define PROMQL_TEXT_LIMIT (64u << 10)
#define PROMQL_DEPTH_LIMIT 200 /* nodes within nodes */
#define PROMQL_MATCHERS_LIMIT 64
#define PROMQL_LABELS_LIMIT 64 /* in a list of them */

struct promql_function;

enum promql_type { PROMQL_NONE, PROMQL_SCALAR, PROMQL_VECTOR, PROMQL_MATRIX, PROMQL_STRING };
/* "scalar", "instant vector", "range vector", "string", as errors call them. */
const char *promql_type_text(enum promql_type type);

enum node_kind {
	NODE_NUMBER,
	NODE_STRING,
	NODE_SELECTOR, /* with range_ms, a matrix */
	NODE_SUBQUERY,
	NODE_PAREN,
	NODE_UNARY, /* minus or plus */
	NODE_BINARY,
	NODE_AGGREGATE,
	NODE_CALL,
};

enum matcher_kind { MATCHER_EQUAL, MATCHER_DIFFERENT, MATCHER_REGEX, MATCHER_NOT_REGEX };

const char *matcher_kind_text(enum matcher_kind kind); /* "=~" */

struct matcher {
	enum matcher_kind kind;
	bool takes_empty;         /* accepts a label that is not there */
	const char *name, *value; /* "__name__" for the metric */
};

enum node_at { AT_NONE, AT_TIME, AT_START, AT_END };

/* What "offset" and "@" say, of a selector or a subquery. */
struct node_when {
	int64_t offset_ms; /* looks so far back; may be negative */
	enum node_at at;
	int64_t at_ms;
};

enum node_operator {
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_POW,
	OP_ATAN2,
	OP_EQUAL,
	OP_DIFFERENT,
	OP_GREATER,
	OP_LESS,
	OP_GREATER_EQUAL,
	OP_LESS_EQUAL,
	OP_AND,
	OP_OR,
	OP_UNLESS,
	N_OPERATORS
};
const char *node_operator_text(enum node_operator op);
static inline bool node_is_comparison(enum node_operator op)
{
	return op >= OP_EQUAL && op <= OP_LESS_EQUAL;
}
static inline bool node_is_set(enum node_operator op)
{
	return op >= OP_AND;
}

enum node_cardinality { ONE_TO_ONE, MANY_TO_ONE, ONE_TO_MANY, MANY_TO_MANY };

/* How the series of two vectors find each other. */
struct node_matching {
	enum node_cardinality cardinality; /* MANY_TO_ONE is group_left */
	bool on;                           /* labels are those to look at; or those to leave out */
	const char **labels;
	size_t n_labels;
	const char **include; /* of group_left and group_right */
	size_t n_include;
};

enum node_aggregation {
	AGG_SUM,
	AGG_AVG,
	AGG_COUNT,
	AGG_MIN,
	AGG_MAX,
	AGG_GROUP,
	AGG_STDDEV,
	AGG_STDVAR,
	AGG_TOPK,
	AGG_BOTTOMK,
	AGG_COUNT_VALUES,
	AGG_QUANTILE,
	N_AGGREGATIONS
};
const char *node_aggregation_text(enum node_aggregation op);

struct node {
	enum node_kind kind;
	enum promql_type type; /* what it gives */
	uint32_t from, to;     /* bytes of the text */
	uint16_t depth;        /* of the tree below, itself included */
	union {
		struct {
			double number;
			bool is_duration; /* was written as one: 5m */
		};
		const char *string;
		struct {
			const char *metric;       /* as written before the braces, or NULL */
			struct matcher *matchers; /* with the metric's own */
			size_t n_matchers;
			int64_t range_ms; /* 0: an instant */
			struct node_when when;
		} selector;
		struct {
			struct node *inner;
			int64_t range_ms, step_ms; /* step 0: the default */
			struct node_when when;
		} subquery;
		struct node *paren;
		struct {
			bool minus;
			struct node *inner;
		} unary;
		struct {
			enum node_operator op;
			struct node *left, *right;
			bool returns_bool;
			struct node_matching matching; /* of two vectors */
		} binary;
		struct {
			enum node_aggregation op;
			struct node *inner, *parameter; /* NULL where it has none */
			bool without;
			const char **labels;
			size_t n_labels;
		} aggregate;
		struct {
			const struct promql_function *function;
			struct node **arguments;
			size_t n_arguments;
		} call;
	};
};

/* Parses and checks types. -EINVAL with "line:column: parse error: ..." */
int promql_parse(const char *text, struct fw_arena *arena, struct node **out, struct fw_err *err);
/* A plain selector as in match[]: {job="node"}, up. No range, offset or "@". One that takes
 * every series there is comes back too: node_takes_all() tells. */
int promql_parse_selector(
	const char *text, struct fw_arena *arena, struct node **out, struct fw_err *err);

/* Whether no matcher of the selector narrows anything: {}, {job=~".*"}. */
bool node_takes_all(const struct node *selector);

void promql_print(const struct node *node, struct fw_buf *out);
/* Over several lines, as format_query gives it. */
void promql_print_pretty(const struct node *node, struct fw_buf *out);

/* Calls `visit` for the node and all below it, parents first. */
void node_walk(
	const struct node *node, void (*visit)(const struct node *node, void *arg), void *arg);
