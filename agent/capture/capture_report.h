/* What was watched, as columns and cells of a sweep: the wire's counts and its services.
 *
 * Of services those with most packets have a series; the others are counted (`untold`).
 * All memory is the report's own and goes with report_done().
 */
#pragma once

#include <stdio.h>

#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#include "recent.h"
#include "watch.h"

#define REPORT_SERVICES 96

/* What only who holds the capture knows. */
struct report_facts {
	uint64_t received, dropped, interface_dropped; /* as the kernel counts */
	int64_t cpu_us;
	struct recent_values recent;
	bool names; /* an authority to keep names is in force */
};

struct report {
	struct fw_arena arena;
	struct fw_schema schema;
	struct fw_column *columns;
	int64_t *cells;
	uint64_t untold;
};

void report_make(struct report *r, const struct watch *w, const struct report_facts *facts);
void report_done(struct report *r);
/* One line a series, as the text format of metrics has it. */
void report_print(const struct report *r, FILE *out);
