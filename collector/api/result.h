/* The answer to a question, as Prometheus shapes it, written piece by piece.
 *
 * What is written is the engine's own result, which lives in the request's
 * arena: of the JSON there is never more than a piece at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "json.h"
#include "promql.h"

struct request;

struct result_options {
	uint64_t limit;   /* series; 0: all */
	bool stats;       /* beside the result stands what it took: */
	double seconds;   /* to find it, */
	double waiting_s; /* and before that, in the queue */
};

/* `result` lives in the request's arena. */
void result_answer(struct request *r, const struct promql_result *result,
	const struct result_options *options);
/* The members "warnings" and "infos", where there are any; `more` is a warning, or NULL. */
void result_write_notes(struct request *r, const struct promql_notes *notes, const char *more);
void result_write_labels(struct json *j, const struct fw_label *labels, size_t n);
