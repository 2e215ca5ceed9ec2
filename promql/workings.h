/* How functions are worked out, by kind: what the rows of the table point to. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "functions.h"

typedef double range_working(const struct call_context *context, const struct window *window);
typedef double map_working(double value, const double *arguments);
typedef int call_working(
	const struct call_context *context, const struct value *arguments, struct value *out);

typedef void measure_working(const struct windows *windows, void *measures);
typedef void slide_working(const struct windows *windows, const void *measures, double *out);

/* ---- rates.c: how a series moves over a range ---- */

measure_working measure_change, measure_rate;
slide_working slide_delta, slide_increase, slide_rate;
void remark_gauge(const struct call_context *context, const char *name);

/* A range and the samples that lie in it. */
struct stretch {
	int64_t from_ms, to_ms, first_ms, last_ms;
	size_t n; /* at least 2 */
};
/* What a counter grew by in the range, of which its samples show `increase`. */
double stretch_increase(const struct stretch *stretch, double increase, double first);

/* How far a window is taken to reach beyond its samples. */
struct reach {
	double factor;         /* from what the samples show to what the function gives */
	double before;         /* the first sample, in parts of what was sampled */
	double sampled, after; /* in seconds */
};

/* ---- windows.c: how a series moves otherwise ---- */

range_working range_irate, range_idelta, range_deriv, range_predict_linear, range_changes,
	range_resets;

/* How often something happens from one sample to the next, in a window that moves. */
struct tally {
	size_t first, end; /* of the window before */
	size_t n;
};

/* ---- over_time.c: what the samples of a window come to ---- */

range_working range_avg, range_min, range_max, range_sum, range_count, range_first, range_last,
	range_present, range_stddev, range_stdvar, range_quantile;

struct extreme {
	size_t at, seen; /* where the best is of those before `seen` */
};

struct told {
	bool is_told;
	double quantile; /* that was told to be none */
};

/* ---- maths.c: each value by itself ---- */

map_working map_abs, map_acos, map_acosh, map_asin, map_asinh, map_atan, map_atanh, map_ceil,
	map_clamp, map_clamp_max, map_clamp_min, map_cos, map_cosh, map_deg, map_exp, map_floor,
	map_ln, map_log10, map_log2, map_rad, map_round, map_sgn, map_sin, map_sinh, map_sqrt,
	map_tan, map_tanh;

/* ---- dates.c: times in UTC ---- */

call_working call_days_in_month, call_day_of_month, call_day_of_week, call_day_of_year, call_hour,
	call_minute, call_month, call_year;

/* ---- labels, order, types ---- */

call_working call_label_join, call_label_replace;
call_working call_sort, call_sort_desc;
call_working call_pi, call_scalar, call_time, call_vector;

/* ---- histogram.c ---- */

call_working call_histogram_quantile, call_histogram_fraction;
/* Asks native histograms, which are never among the samples. */
call_working call_native;

/* ---- what they share ---- */

/* The argument without its parentheses, as notes name its place. */
const struct node *promql_argument(const struct call_context *context, size_t number);
int promql_fail_too_many(const struct call_context *context);
/* One a step, all absent. NULL: too many, the failure is told. */
double *promql_take_values(const struct call_context *context);

/* Of values in any order, which are left in another. NaN counts as least. */
double promql_quantile(double quantile, double *values, size_t n);
bool promql_is_quantile(double quantile);
void promql_note_quantile(struct promql_notes *notes, const struct node *node, double quantile);
