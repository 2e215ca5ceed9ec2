/* The engine from inside.
 *
 * A node that gives a vector hands its series to a sink one by one where it can
 * (selectors, functions of one series, operators with a scalar), so that
 * sum by (x) (rate(y[5m])) never holds what it sums. Others need all series
 * first (vector with vector, quantile, sort) and give a value as a whole. Either is
 * asked for in both forms: evaluate_to() pushes what lies there, evaluate()
 * collects what comes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/batch.h>

#include "functions.h"
#include "labels.h"
#include "promql.h"

struct evaluation {
	const struct promql_data *data;
	const struct promql_limits *limits;
	struct fw_arena *arena;
	struct promql_notes *notes;
	struct fw_err *err;
	int64_t start_ms, end_ms; /* of the question: "@ start()", "@ end()" */
	int64_t lookback_ms, deadline_ms;
	size_t n_samples; /* looked at */
	size_t n_held;    /* values that were kept */
	size_t unchecked; /* steps of work since the limits were looked at */
	enum promql_fault fault;
};

/* What is handed over lives until on_series returns, but texts of labels, which live as long
 * as the arena. Whoever takes it may change the values. */
struct sink {
	int (*on_series)(void *arg, struct series *series);
	void *arg;
};

int evaluate(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out);
/* Of nodes that give vectors. */
int evaluate_to(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink);
int push(const struct value *value, const struct sink *sink);
const struct node *node_bare(const struct node *node); /* without its parentheses */

/* ---- limits and failures ---- */

int fail_execution(struct evaluation *e, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int fail_too_many(struct evaluation *e);
int fail_same_labels(struct evaluation *e);
int look_at_limits(struct evaluation *e);
bool limits_are_over(const void *evaluation); /* whether it would fail; from any thread */
/* After so many steps of work; now and then it looks at the limits. */
int check_limits(struct evaluation *e, size_t work);
/* Memory for what grows with the answer; NULL: too much, the failure is told. */
void *take(struct evaluation *e, size_t count, size_t bytes);
/* The list of n, where there is room for one more; NULL as above. */
void *room_for_one(struct evaluation *e, void *list, size_t n, size_t *capacity, size_t bytes);
double *take_values(struct evaluation *e, const struct axis *axis); /* all absent */
void fill(double *values, size_t n, double value);
bool any_there(const double *values, size_t n); /* one that is not absent */
/* What was collected has gone into something else and no longer counts as held. */
void let_go(struct evaluation *e, const struct value *value, const struct axis *axis);

/* ---- collecting ---- */

struct collection {
	struct evaluation *e;
	const struct axis *axis;
	struct value *value;
	size_t capacity;
};

struct collection collection_of(struct evaluation *e, const struct axis *axis, struct value *value);
/* Copies the series; on_series of a sink. */
int collect(void *arg, struct series *series);
/* Takes it as it is. */
int collection_add(struct collection *collection, const struct series *series);

/* ---- names ---- */

/* Room for the labels of one series after the other. */
struct label_room {
	struct fw_label *labels;
	size_t capacity;
};
/* For n labels and one more. */
struct fw_label *label_room(struct evaluation *e, struct label_room *room, size_t n);
void drop_name(struct evaluation *e, struct series *series, struct label_room *room);
/* Its series all have the same name, or none: without it they still differ. */
bool has_one_name(const struct node *node);

enum settling {
	SETTLE_REFUSE, /* no two series may have the same labels */
	SETTLE_MERGE,  /* they may, at different steps, and are one series then */
};
int settle(struct evaluation *e, struct value *value, const struct axis *axis, enum settling how);

/* ---- times ---- */

/* Where a selector or subquery looks, at each step. */
struct moments {
	int64_t first_ms, step_ms; /* step 0: "@" keeps it where it is */
	size_t n;
};
struct moments moments_of(
	const struct evaluation *e, const struct node_when *when, const struct axis *axis);
static inline int64_t moment(const struct moments *moments, size_t step)
{
	return moments->first_ms + (int64_t)step * moments->step_ms;
}
int64_t ms_minus(int64_t a, int64_t b); /* as far as numbers go */

/* How the cells of a column are read. */
struct cells {
	bool is_double;
	double factor, times, over;
};
struct cells cells_of(const struct fw_column *column);
static inline double cell_value(const struct cells *cells, int64_t cell)
{
	if (cell == FW_ABSENT || cells->is_double)
		return fw_cell_double(cell);
	return (double)cell * cells->factor * cells->times / cells->over;
}
/* Many of them; whether the series is absent in one. */
bool cells_read(const struct cells *cells, const int64_t *from, size_t n, double *to);

/* ---- kinds of nodes ---- */

typedef int stream_way(struct evaluation *e, const struct node *node, const struct axis *axis,
	const struct sink *sink);
typedef int whole_way(
	struct evaluation *e, const struct node *node, const struct axis *axis, struct value *out);

/* select.c */
/* What a selector asks for that looks so far back from each of the moments. */
struct promql_selection selection_of(
	const struct node *node, const struct moments *moments, int64_t back_ms);
int select_ask(struct evaluation *e, const struct promql_selection *selection,
	int (*on_series)(void *arg, const struct promql_samples *samples), void *arg);
stream_way select_instants;
/* The times of the samples instead of their values, in seconds. */
stream_way select_times;
int select_rows(struct evaluation *e, const struct node *node, const struct axis *axis,
	struct promql_row **rows, size_t *n_rows);
/* ranges.c */
stream_way call_range;
int subquery_rows(struct evaluation *e, const struct node *node, const struct axis *axis,
	struct promql_row **rows, size_t *n_rows);
/* calls.c */
stream_way call_map, call_timestamp;
whole_way call_whole, call_absent;
/* The scalars of a call behind the first argument that is none; one array a scalar. */
#define SCALARS_LIMIT 5
struct scalars {
	const double *columns[SCALARS_LIMIT];
	double at[SCALARS_LIMIT]; /* of the step at hand */
	size_t n;
};
int scalars_of(struct evaluation *e, const struct node *call, const struct axis *axis,
	struct scalars *out);
void scalars_at(struct scalars *scalars, size_t step);
size_t call_subject(const struct node *call); /* the argument that is no scalar */
/* binary.c */
/* What an operator makes of two values; a comparison that filters leaves `kept`, or nothing. */
double binary_value(const struct node *node, double left, double right, double kept);
whole_way binary_scalars;
stream_way binary_with_scalar, unary_vector;
/* match.c */
whole_way match_vectors;
/* aggregate.c, topk.c, rank.c */
whole_way aggregate, rank_series, rank_quantile, count_values;
/* Of the parameters of all steps; NaN, if one is. */
double highest_of(const double *values, size_t n, double *least);
/* The group of a series: its number in the table. */
size_t group_of(struct evaluation *e, const struct node *node, const struct series *series,
	struct label_room *room, struct label_table *table);
