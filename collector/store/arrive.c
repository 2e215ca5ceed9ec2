/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/clock.h>
#include <fenwatch/mem.h>

#include "internal.h"

int64_t arrival_shift(const int64_t *times_ms, uint32_t n_sweeps, int64_t received_ms)
{
	int64_t newest_ms = times_ms[n_sweeps - 1];
	return newest_ms > received_ms + STORE_AHEAD_MS ? received_ms - newest_ms : 0;
}

bool table_is_current(const struct table *table)
{
	return table && table->last && !table->ended;
}

static struct addition addition_of(
	const struct store *store, const struct arrival *arrival, uint64_t position)
{
	return (struct addition){
		.data = arrival->payload,
		.length = arrival->length,
		.shift_ms = arrival->shift_ms,
		.t0_ms = arrival->times_ms[0] + arrival->shift_ms,
		.t1_ms = arrival->times_ms[arrival->n_sweeps - 1] + arrival->shift_ms,
		.n_sweeps = arrival->n_sweeps,
		.logged = position,
		.slot = log_slot_of(&store->log, position),
	};
}

/* The host's lock is held. */
static void keep_run(struct store *store, struct table *table, const struct addition *add)
{
	if (table_add(table, add, fw_mono_ms()))
		store->log.slots[add->slot].pins++;
	queue_closed(store, table);
}

static void set_last(struct table *table, const struct arrival *arrival, int64_t at_ms)
{
	uint32_t n = table->schema->schema.n_columns;
	if (!table->last)
		table->last = fw_alloc_array(n ? n : 1, sizeof *table->last);
	memcpy(table->last, arrival->cells + (size_t)(arrival->n_sweeps - 1) * n,
		n * sizeof *table->last);
	table->last_ms = at_ms;
	table->received_ms = arrival->received_ms;
	table->owner = arrival->stream ? arrival->stream->serial : 0;
	table->owner_stream = arrival->stream ? arrival->stream->id : 0;
	if (arrival->agent)
		memcpy(table->owner_agent, arrival->agent, sizeof table->owner_agent);
	table->made_here = !arrival->stream;
	table->ended = arrival->kind == LOG_ENDED;
	if (table->ended)
		table->owner = 0;
}

static void set_host(struct host *host, const struct arrival *arrival, int64_t at_ms)
{
	host->changes += arrival->n_sweeps;
	if (!arrival->agent || arrival->kind != LOG_BATCH)
		return;
	host->newest_ms = at_ms;
	host->received_ms = arrival->received_ms;
	host->ahead_ms = -arrival->shift_ms;
	host->interval_ms = arrival->interval_ms;
	memcpy(host->agent, arrival->agent, sizeof host->agent);
}

/* Ends the open run, so that nothing is added behind a place that it skips. */
static void end_run(struct store *store, struct table *table)
{
	struct run *run = table_open_run(table);
	if (run)
		run->closed = true;
	queue_closed(store, table);
}

void arrive_live(struct store *store, const struct arrival *arrival, const uint8_t *held,
	size_t held_length, uint64_t position)
{
	struct host *host = arrival->host;
	struct table *table = host_table(host, arrival->schema->id);
	if (!table)
		table = host_make_table(host, arrival->schema);
	struct addition add = addition_of(store, arrival, position);
	add.data = held;
	add.length = held_length;
	pthread_mutex_lock(&host->lock);
	if (is_covered(store, arrival, position))
		end_run(store, table);
	else if (arrival->kind != LOG_LAST)
		keep_run(store, table, &add);
	set_last(table, arrival, add.t1_ms);
	if (arrival->kind != LOG_LAST)
		set_host(host, arrival, add.t1_ms);
	pthread_mutex_unlock(&host->lock);
	store->has_news = true;
}

void arrive_late(struct store *store, const struct arrival *arrival, uint64_t position)
{
	struct host *host = arrival->host;
	struct table *table = host_table(host, arrival->schema->id);
	if (!table)
		table = host_make_table(host, arrival->schema);
	struct addition add = addition_of(store, arrival, position);
	add.late = true;
	pthread_mutex_lock(&host->lock);
	if (!is_covered(store, arrival, position))
		keep_run(store, table, &add);
	else if (table_overlaps(table, &add))
		end_run(store, table);
	pthread_mutex_unlock(&host->lock);
}
