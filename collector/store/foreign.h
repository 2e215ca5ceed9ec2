/* Series from elsewhere, in bundles.
 *
 * They come alone and at times of their own: what is absent from one request says nothing
 * of it. Yet series of one target nearly always have the same times. So those of one host
 * that are seen together for the first time are a bundle: a schema of doubles, for good.
 * In a table of such a schema a cell without a value says nothing, and STORE_ENDED is a
 * stale mark. A map finds a series by its labels, for any thread.
 *
 * A table has one run open at a time, which only the writer changes. In it each column
 * gathers its samples as samples.h has them; what comes late goes between the others.
 * A run ends between records, never within one: so what a block covers is told by the
 * positions of its first and newest record here, too.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "columns.h"
#include "host.h"
#include "map.h"
#include "samples.h"
#include "store.h"

#define FOREIGN_COLUMNS 256 /* of a bundle */

/* Cells of doubles that stand for no sample, here and on disk: a number that is not one,
 * with bits that a sample never has. */
#define STORE_ENDED 0x7ff0000000000003

struct block_ref;
struct log_record;

struct bundle {
	struct host *host;
	const struct named_schema *schema;
	struct table *table; /* the writer's; NULL until it has samples */
};

struct foreign {
	struct link link; /* by all its labels */
	struct bundle *bundle;
	uint32_t column;
	uint32_t record; /* the writer's: the record that it stands in last */
};

struct foreigners {
	pthread_rwlock_t lock;
	struct map map;
	struct fw_arena arena;
};

void foreigners_init(struct foreigners *foreigners);
void foreigners_done(struct foreigners *foreigners);
/* What was found on disk. */
void foreigners_know(
	struct foreigners *foreigners, struct host *host, const struct named_schema *schema);
bool schema_is_foreign(const struct fw_schema *schema);

/* ---- the writer ---- */

void foreign_apply(struct store *store, struct store_entry *entry);
/* A record of the log, again. -EBADMSG: damaged. */
int foreign_replay(struct store *store, const struct log_record *record);
/* Calls back with what stands in a record of the log; -EBADMSG: it is damaged. */
struct foreign_part {
	uint32_t host, schema, column;
	const struct store_sample *samples;
	size_t n;
};
int foreign_walk(const struct log_record *record,
	void (*on_part)(const struct foreign_part *part, void *arg), void *arg);

/* ---- runs ---- */

/* The samples of one series. */
struct foreign_column {
	uint8_t *data;
	uint32_t length, capacity, n;
	int64_t t1_ms, last_cell;
};

struct foreign_column *foreign_columns_new(uint32_t n);
void foreign_columns_free(struct foreign_column *columns, uint32_t n); /* takes NULL */
/* At most FW_SWEEPS_LIMIT in all, in the order of time. */
void foreign_column_add(
	struct foreign_column *column, const struct store_sample *samples, size_t n);

/* The same, decoded. */
struct foreign_strand {
	const int64_t *times_ms, *cells;
	size_t n;
};

/* `n` of them. NULL: no memory. */
struct foreign_strand *foreign_unravel(
	const struct foreign_column *columns, size_t n, struct fw_arena *arena);
/* As sweeps, column after column, with FW_ABSENT where one has no sample. -ENOMEM. */
int foreign_weave(const struct foreign_strand *strands, size_t n, struct fw_arena *arena,
	struct columns_cells *out);
/* One block, or one for each set of times where these differ much. */
int foreign_write_run(struct store *store, const struct run *run, const struct block_ref *about);
