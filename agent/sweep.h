/* The sweep: all series of this machine at one moment, as cells of a schema.
 *
 * Sources add samples in the same order every time, so in the steady state a
 * sample is compared with the column expected next, put into its cell, and
 * nothing is allocated. A series that was never seen waits behind the columns
 * until sweep_end(), which then makes a new schema with it. A series that does
 * not come leaves FW_ABSENT in its cell, and its column goes only after
 * SWEEP_PATIENCE sweeps without it: a source that fails for a while changes no
 * schema. The second of two samples with one name and labels is dropped, and so
 * is what would go past FW_COLUMNS_LIMIT. Labels that are empty count as not
 * there; one that may not travel (not UTF-8, control characters) is escaped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/batch.h>
#include <fenwatch/schema.h>

#include "source.h"

#define SWEEP_PATIENCE 40

struct sweep *sweep_new(void);
void sweep_free(struct sweep *s);

void sweep_begin(struct sweep *s, int64_t at_ms);
/* Between the two, the sources call sweep_add() of source.h. */
/* True when the schema is another than before. */
bool sweep_end(struct sweep *s);

/* Valid from sweep_end() on; a sweep_end() that returns true frees the schema before. */
const struct fw_schema *sweep_schema(const struct sweep *s);
const int64_t *sweep_cells(const struct sweep *s); /* n_columns of them */
int64_t sweep_at_ms(const struct sweep *s);
/* What is known of a column beyond the schema: unit and help. */
const struct metric *sweep_metric(const struct sweep *s, uint32_t column);
