/* The functions of the language, a row each.
 *
 * A row says how a function is called and written about, and one of its
 * members how it is worked out. Aggregations are not functions and are not
 * here. A new function is a row and, at most, a file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "node.h"
#include "value.h"

struct promql_notes;

#define PROMQL_ARGUMENTS_LIMIT 64 /* of a call */

/* The samples of one series that a range function sees at one step. Stale marks are left
 * out. A function may keep what it needs between the windows of one series in `state`,
 * which is zeroed when a series begins. Windows of a series come in order of time; neither
 * of their ends goes back. */
struct window {
	const int64_t *times_ms; /* of the series: the window is [first, end) */
	const double *values;
	size_t first, end;
	int64_t from_ms, to_ms;  /* of the range: from is left out, to is in it */
	int64_t at_ms;           /* of the evaluation: @ and offset do not change it */
	const double *arguments; /* the scalars of the call at this step, in order */
	void *state;
};

/* All windows of one series, one a step. */
struct bounds {
	size_t first, end;
};
struct windows {
	const int64_t *times_ms;
	const double *values;
	const struct bounds *bounds;
	size_t n;
	int64_t to_ms, step_ms, range_ms; /* the first ends there, the next a step later */
};

struct call_context {
	const struct node *node; /* the call */
	struct fw_arena *arena;
	const struct axis *axis;
	struct promql_notes *notes;
	struct fw_err *err;
};

/* Worked out by the engine itself: they look at what stands in the brackets. */
enum promql_special {
	SPECIAL_NONE,
	SPECIAL_ABSENT, /* of a vector or of ranges */
	SPECIAL_TIMESTAMP,
};

struct promql_function {
	const char *name;
	enum promql_type arguments[5], result;
	/* How many of the last arguments may be left out; -1: the last may come any number of
	 * times, also none. */
	int optional;
	bool experimental; /* refused, as Prometheus does without its feature flag */
	bool keeps_name;
	const char *signature, *help; /* "rate(v range-vector)", a sentence */

	/* One of: */
	/* A value, or absent, for each window; the first range argument is its series. Called
	 * only where the window has samples. */
	double (*range)(const struct call_context *context, const struct window *window);
	/* The same for all windows at once: what their times alone say is measured once for all
	 * series that share them, `measure_size` bytes a window. */
	void (*measure)(const struct windows *windows, void *measures);
	void (*slide)(const struct windows *windows, const void *measures, double *out);
	/* Each value by itself; `arguments` are the scalars behind the vector at this step. */
	double (*map)(double value, const double *arguments);
	/* Anything else: arguments were evaluated, those that were left out are of no type. What
	 * they hold may be changed and become part of what is given. */
	int (*call)(const struct call_context *context, const struct value *arguments,
		struct value *out);
	enum promql_special special;
	size_t state_size, measure_size;
	bool sees_step; /* gives something else at another step, whatever it is handed */
	/* Of a range: what is to be said of series of this name, or "", that have a value. */
	void (*remark)(const struct call_context *context, const char *name);
};

/* NULL: there is none. Names are matched as they are written. */
const struct promql_function *promql_function_find(const char *name);
/* All of them, sorted by name. */
const struct promql_function *promql_functions(size_t *n);
