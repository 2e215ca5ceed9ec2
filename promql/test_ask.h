/* Questions to series in memory, and their answers as text, for tests of the
 * engine and its functions.
 *
 *   sum by (a) (x)    {a="1"} 3; {a="2"} NaN
 *   rate(x[1m])       {} 0.5 | PromQL info: ...
 *   1 +               error: 1:4: parse error: unexpected end of input
 *
 * Values have ten digits at most. Over several steps a series has one value a
 * step, "_" where it has none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ask_series {
	const char *labels, *values; /* as memory.h reads them */
};

struct ask_row {
	const char *query, *answer;
};

struct ask_steps {
	int64_t start_s, step_s;
	size_t n; /* 0: an instant */
};

/* Samples come every `every_s` from 0 on. Fails the test at the first answer that differs. */
void ask_all(const struct ask_series *series, size_t n_series, int64_t every_s,
	const struct ask_row *rows, size_t n_rows, struct ask_steps steps);

#define ASK_STEPS(series, every_s, rows, start_s, step_s, n)              \
	ask_all(series, sizeof(series) / sizeof *(series), every_s, rows, \
		sizeof(rows) / sizeof *(rows), (struct ask_steps){start_s, step_s, n})
#define ASK(series, every_s, rows, at_s) ASK_STEPS(series, every_s, rows, at_s, 0, 0)
