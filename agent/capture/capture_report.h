/* What was watched, as columns and cells of sweeps.
 *
 * Three sweeps of three kinds: the wire with its services, who uses them, and hosts. Each
 * has most columns it may have; what finds no room in it is counted (`untold`), never
 * silently gone. All memory is the report's own and goes with report_done().
 */
#pragma once

#include <stdio.h>

#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#include "watch.h"

#define REPORT_SERVICES 96
#define REPORT_PEERS 384
#define REPORT_HOSTS 384

enum report_kind { REPORT_OF_WIRE, REPORT_OF_PEERS, REPORT_OF_HOSTS, REPORT_KINDS };
extern const char *const report_jobs[REPORT_KINDS]; /* the `job` each is told under */

/* What only who holds the capture knows. */
struct report_facts {
	uint64_t received, dropped, interface_dropped; /* as the kernel counts */
	int64_t cpu_us;
	bool names; /* an authority to keep names is in force */
};

struct report {
	struct fw_arena arena;
	struct fw_schema schema;
	struct fw_column *columns;
	int64_t *cells;
	uint64_t untold;
};

void report_make(struct report *r, enum report_kind kind, const struct watch *w,
	const struct report_facts *facts);
void report_done(struct report *r);
/* One line a series, as the text format of metrics has it. */
void report_print(const struct report *r, FILE *out);
