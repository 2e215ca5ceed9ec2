/* SPDX-License-Identifier: Apache-2.0 */
/* Runs into blocks: decoded, put together, packed column by column, written.
 * A run that gives a body too long for a segment is cut in halves. */
#include <errno.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/mem.h>

#include "columns.h"
#include "internal.h"

enum { SYNC_EVERY_BYTES = 4 << 20 };

int sync_some(struct ring *ring)
{
	return ring->dirty_bytes >= SYNC_EVERY_BYTES ? ring_sync(ring) : 0;
}

void queue_closed(struct store *store, struct table *table)
{
	for (struct run *run = table->first; run; run = run->next) {
		if (!run->closed || run->queued)
			continue;
		run->queued = true;
		if (store->closed_last)
			store->closed_last->next_closed = run;
		else
			store->closed_first = run;
		store->closed_last = run;
	}
}

void close_runs(struct store *store, bool (*wanted)(const struct run *run, const void *arg),
	const void *arg)
{
	uint32_t count = hosts_count(&store->hosts);
	for (uint32_t id = 0; id < count; id++) {
		struct host *host = hosts_get(&store->hosts, id);
		for (struct table *table = host ? host->tables : NULL; table; table = table->next) {
			struct run *run = table_open_run(table);
			if (!run || !wanted(run, arg))
				continue;
			pthread_mutex_lock(&host->lock);
			run->closed = true;
			pthread_mutex_unlock(&host->lock);
			queue_closed(store, table);
		}
	}
}

static int write_block(struct store *store, struct ring *ring, const struct block_ref *about,
	const struct columns_cells *cells, bool more)
{
	const int64_t *times_ms = cells->times_ms;
	struct block_ref ref = *about;
	ref.t0_ms = times_ms[0];
	ref.span_ms = (uint32_t)(times_ms[cells->n_sweeps - 1] - times_ms[0]);
	ref.n_sweeps = (uint16_t)cells->n_sweeps;
	ref.flags |= BLOCK_COLUMNS | (columns_are_grouped(cells->n_columns) ? BLOCK_GROUPS : 0) |
		(more ? BLOCK_PARTIAL : 0);
	int rc = ring_write(ring, &ref, store->encoded.data, store->encoded.length);
	if (rc >= 0 && ring->tier == STORE_RAW) {
		bool joined = ref.flags & BLOCK_JOINED;
		store->counters.packed[joined].bytes += ref.length;
		store->counters.packed[joined].samples +=
			(uint64_t)cells->n_sweeps * cells->n_columns;
	}
	return rc;
}

static int write_part(struct store *store, struct ring *ring, const struct block_ref *about,
	const struct columns_cells *cells, const struct fw_column *columns, bool more)
{
	fw_buf_reset(&store->encoded);
	columns_pack(cells, columns, &store->encoded);
	if (store->encoded.length <= ring_body_limit(ring))
		return write_block(store, ring, about, cells, more);
	if (cells->n_sweeps == 1)
		return -EFBIG;
	struct columns_cells half = *cells;
	half.n_sweeps = cells->n_sweeps / 2;
	int rc = write_part(store, ring, about, &half, columns, true);
	half.times_ms += half.n_sweeps;
	half.cells += half.n_sweeps * cells->to_sweep;
	half.n_sweeps = cells->n_sweeps - half.n_sweeps;
	/* The last part says that all are there, so the others are synced first. */
	if (rc >= 0)
		rc = ring_sync(ring);
	return rc < 0 ? rc : write_part(store, ring, about, &half, columns, more);
}

int write_sweeps(struct store *store, struct ring *ring, const struct block_ref *about,
	const struct columns_cells *cells, const struct fw_column *columns)
{
	return write_part(store, ring, about, cells, columns, false);
}

int write_sweeps_of(struct store *store, const struct block_ref *about,
	const struct columns_cells *cells, const struct fw_column *columns, bool more)
{
	return write_part(store, raw_ring(store), about, cells, columns, more);
}

static int write_batches(struct store *store, const struct run *run, const struct block_ref *about)
{
	uint32_t n_columns = run->table->schema->schema.n_columns;
	int64_t *times = fw_arena_alloc(&store->arena, run->n_sweeps * sizeof *times);
	int64_t *cells = scratch_take(&store->flushing, (size_t)run->n_sweeps * n_columns + 1);
	if (!cells)
		return -ENOMEM;
	int n = run_decode(run->first, n_columns, &store->arena, times, cells, run->n_sweeps);
	if (n < 0)
		return n;
	const struct columns_cells all = {
		.times_ms = times,
		.cells = cells,
		.to_column = 1,
		.to_sweep = n_columns,
		.n_sweeps = (uint32_t)n,
		.n_columns = n_columns,
	};
	return write_sweeps(
		store, raw_ring(store), about, &all, run->table->schema->schema.columns);
}

static int write_run(struct store *store, const struct run *run)
{
	const struct block_ref about = {
		.host = run->table->host->id,
		.schema = run->table->schema->id,
		.flags = run->late ? BLOCK_LATE : 0,
		.logged_from = run->logged_from,
		.logged_to = run->logged_to,
	};
	fw_arena_reset(&store->arena);
	return run->columns ? foreign_write_run(store, run, &about)
			    : write_batches(store, run, &about);
}

/* The run leaves memory after its block is in the index, so that a reader who
 * looks here first and there second misses nothing. */
static void forget_run(struct store *store, struct run *run)
{
	struct table *table = run->table;
	for (unsigned slot = 0; slot < LOG_SLOTS; slot++) {
		if (run->slots & 1u << slot)
			store->log.slots[slot].pins--;
	}
	pthread_mutex_lock(&table->host->lock);
	table_drop_run(table, run);
	pthread_mutex_unlock(&table->host->lock);
}

int flush_closed(struct store *store)
{
	while (store->closed_first) {
		struct run *run = store->closed_first;
		int rc = write_run(store, run);
		if (rc < 0)
			return rc;
		store->closed_first = run->next_closed;
		if (!store->closed_first)
			store->closed_last = NULL;
		forget_run(store, run);
	}
	return sync_some(raw_ring(store));
}
