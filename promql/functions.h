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

struct call_context {
	const struct node *node; /* the call */
	struct fw_arena *arena;
	const struct axis *axis;
	struct promql_notes *notes;
	struct fw_err *err;
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
	/* Each value by itself; `arguments` are the scalars behind the vector at this step. */
	double (*map)(double value, const double *arguments);
	/* Anything else: arguments were evaluated. */
	int (*call)(const struct call_context *context, const struct value *arguments,
		struct value *out);
	/* Known to the engine itself: those that see steps, absence or whole selections. */
	int special;
	size_t state_size; /* of range's state */
	/* Before the first window of a series: what it says of its labels. May be NULL. */
	void (*begin)(
		const struct call_context *context, const struct fw_label *labels, size_t n_labels);
};

/* NULL: there is none. Names are matched as they are written. */
const struct promql_function *promql_function_find(const char *name);
/* All of them, sorted by name. */
const struct promql_function *promql_functions(size_t *n);
