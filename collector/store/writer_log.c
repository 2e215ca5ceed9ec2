/* SPDX-License-Identifier: Apache-2.0 */
/* The log's segments, one after another: what must be durable elsewhere before a slot is
 * written over, what stands at the head of a new one, and at the end of the last. */
#include <errno.h>
#include <string.h>

#include "internal.h"

enum {
	HEAD_PIECE_BYTES = 32 * 1024,
	GOES_ON_SHARE = 4, /* of a segment: all of it is read at the next start */
};

static bool has_pins(const struct log *log, unsigned slot)
{
	return log->slots[slot].pins > 0;
}

/* The slot that was used longest ago among those with or without pins; -1: none. */
static int oldest_slot(const struct log *log, bool pinned, int except)
{
	int oldest = -1;
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		if ((i == log->active && log->slots[i].number) || (int)i == except ||
			has_pins(log, i) != pinned)
			continue;
		if (oldest < 0 || log->slots[i].number < log->slots[oldest].number)
			oldest = (int)i;
	}
	return oldest;
}

static int put_piece(struct store *store, enum log_kind kind, struct fw_buf *payload)
{
	struct log_record record = {
		.kind = kind,
		.payload = payload->data,
		.length = payload->length,
	};
	if (!log_has_room(&store->log, payload->length))
		return -ENOSPC;
	if (payload->length)
		log_append(&store->log, &record);
	fw_buf_reset(payload);
	return 0;
}

static int put_streams(struct store *store, struct fw_buf *payload)
{
	int rc = 0;
	const struct map *map = &store->agents.map;
	for (size_t i = 0; i < map->n_buckets; i++) {
		for (struct link *link = map->buckets[i]; link && rc >= 0; link = link->next) {
			const struct agent *agent = (const struct agent *)(void *)link;
			for (struct stream *at = agent->streams; at; at = at->next)
				stream_put(payload, agent, at);
			if (payload->length >= HEAD_PIECE_BYTES)
				rc = put_piece(store, LOG_STREAMS, payload);
		}
	}
	return rc < 0 ? rc : put_piece(store, LOG_STREAMS, payload);
}

static int put_hosts(struct store *store, struct fw_buf *payload)
{
	int rc = 0;
	uint32_t count = hosts_count(&store->hosts);
	for (uint32_t id = 0; id < count && rc >= 0; id++) {
		const struct host *host = hosts_known(&store->hosts, id);
		if (!host || (host->newest_ms == 0 && host->record_ms == 0))
			continue;
		host_put(payload, host);
		if (payload->length >= HEAD_PIECE_BYTES)
			rc = put_piece(store, LOG_HOSTS, payload);
	}
	return rc < 0 ? rc : put_piece(store, LOG_HOSTS, payload);
}

/* The last cells of a table, so that after a clean end deltas go on. What finds
 * no room is left out: its agent is asked for a key. */
static void put_last(struct store *store, const struct table *table)
{
	struct arrival last = {
		.schema = table->schema,
		.times_ms = &table->last_ms,
		.cells = table->last,
		.n_sweeps = 1,
		.seq = BATCH_UNNUMBERED,
	};
	encode_key(&last, &store->key);
	struct log_record record = {
		.kind = LOG_LAST,
		.host = table->host->id,
		.schema = table->schema->id,
		.stream = table->owner_stream,
		.received_ms = table->received_ms,
		.payload = store->key.data,
		.length = store->key.length,
	};
	memcpy(record.agent, table->owner_agent, sizeof record.agent);
	if (log_has_room(&store->log, record.length + LOG_RECORD_BYTES))
		log_append(&store->log, &record);
}

static void put_all_last(struct store *store)
{
	uint32_t count = hosts_count(&store->hosts);
	for (uint32_t id = 0; id < count; id++) {
		struct host *host = hosts_known(&store->hosts, id);
		for (struct table *table = host ? host->tables : NULL; table; table = table->next) {
			if (table_is_current(table) && !table->foreign)
				put_last(store, table);
		}
	}
}

static bool run_pins(const struct run *run, const void *slot)
{
	return run->slots & 1u << *(const unsigned *)slot;
}

/* Writes as blocks what keeps `slot` from being used again. */
static int unpin_runs(struct store *store, unsigned slot)
{
	close_runs(store, run_pins, &slot);
	int rc = flush_closed(store);
	return rc < 0 ? rc : ring_sync(raw_ring(store));
}

static int begin_segment(struct store *store, unsigned slot, int given_up, bool closing)
{
	struct fw_buf payload = {0};
	log_begin(&store->log, slot);
	int rc = put_streams(store, &payload);
	if (rc >= 0)
		rc = put_hosts(store, &payload);
	if (rc >= 0 && given_up >= 0)
		rc = records_carry(store, (unsigned)given_up);
	if (rc >= 0 && closing)
		put_all_last(store);
	struct log_record ready = {.kind = LOG_READY};
	if (rc >= 0 && !log_has_room(&store->log, 0))
		rc = -ENOSPC;
	if (rc >= 0)
		log_append(&store->log, &ready);
	fw_buf_done(&payload);
	if (rc >= 0)
		rc = log_commit(&store->log);
	if (rc >= 0)
		follow_show(store);
	return rc;
}

static int save_first(struct store *store)
{
	const struct log *log = &store->log;
	uint64_t first = log->slots[log->active].number;
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		if (has_pins(log, i) && log->slots[i].number < first)
			first = log->slots[i].number;
	}
	store->super.log_first = first;
	return super_save(store->dir, &store->super, NULL);
}

/* There is one without pins, unless damage has taken blocks of what lay in it. */
static int free_slot(struct store *store)
{
	int rc = 0;
	for (unsigned i = 0; i < LOG_SLOTS && rc >= 0 && oldest_slot(&store->log, false, -1) < 0;
		i++)
		rc = unpin_runs(store, i);
	if (rc < 0)
		return rc;
	int slot = oldest_slot(&store->log, false, -1);
	return slot < 0 ? -ENOSPC : slot;
}

/* After each switch one slot is free for the next. What an earlier life left in
 * it is in synced blocks, released, or carried into the new segment. */
int writer_switch_log(struct store *store, bool closing)
{
	struct log *log = &store->log;
	int rc = log_commit(log);
	if (rc >= 0)
		rc = ring_sync(raw_ring(store));
	if (rc < 0)
		return rc;
	int slot = free_slot(store), given_up = -1;
	if (slot < 0)
		return slot;
	if (oldest_slot(log, false, slot) < 0) {
		given_up = oldest_slot(log, true, slot);
		rc = given_up < 0 ? 0 : unpin_runs(store, (unsigned)given_up);
	}
	if (rc >= 0)
		rc = begin_segment(store, (unsigned)slot, given_up, closing);
	return rc < 0 ? rc : save_first(store);
}

int writer_reserve(struct store *store, size_t payload)
{
	if (store->failed)
		return -EIO;
	if (log_has_room(&store->log, payload))
		return 0;
	int rc = writer_switch_log(store, false);
	if (rc >= 0 && !log_has_room(&store->log, payload))
		rc = -ENOSPC;
	if (rc < 0)
		store_fail(store, "cannot begin a log segment", rc);
	return rc;
}

/* A segment that has hardly begun goes on after the next start, so that restarts one after the
 * other do not take the log away from who follows it. */
int writer_end_log(struct store *store)
{
	struct log *log = &store->log;
	if (log->end > log->super->log_segment_bytes / GOES_ON_SHARE)
		return writer_switch_log(store, true);
	int rc = ring_sync(raw_ring(store));
	if (rc < 0)
		return rc;
	put_all_last(store);
	rc = log_commit(log);
	return rc < 0 ? rc : save_first(store);
}
