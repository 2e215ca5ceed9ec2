/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: takes what is queued, applies it, and commits for all at once.
 *
 * A commit is due when the oldest entry has waited commit_ms, when a mebibyte
 * has gathered, or when only sessions wait: what they ask about is durable
 * already. Blocks are written after the entries have been told.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <fenwatch/batch.h>
#include <fenwatch/clock.h>
#include <fenwatch/fault.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "internal.h"

enum {
	COMMIT_BYTES = 1 << 20,
	TICK_MS = 60 * 1000,
	RUN_AGE_MS = 3600 * 1000,
	SLICE_MS = 5,
	HEAD_PIECE_BYTES = 32 * 1024,
	HOST_ENTRY_BYTES = 36,
	GOES_ON_SHARE = 4, /* of a segment: all of it is read at the next start */
};

/* ---- failing ---- */

void store_fail(struct store *store, const char *what, int rc)
{
	pthread_mutex_lock(&store->lock);
	if (!store->why[0])
		snprintf(store->why, sizeof store->why, "%s: %s", what, fw_strerror(rc));
	store->failed = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
}

static void tell_failure(struct store *store)
{
	if (!store->failed || store->told_failure)
		return;
	store->told_failure = true;
	char why[sizeof store->why];
	pthread_mutex_lock(&store->lock);
	memcpy(why, store->why, sizeof why);
	pthread_mutex_unlock(&store->lock);
	if (store->config.on_fatal)
		store->config.on_fatal(why, store->config.arg);
}

/* ---- a new log segment ---- */

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
		const struct host *host = hosts_get(&store->hosts, id);
		if (!host || (host->newest_ms == 0 && host->record_ms == 0))
			continue;
		int64_t heard_ms = host->newest_ms ? host->received_ms : host->record_ms;
		uint8_t entry[HOST_ENTRY_BYTES];
		put_u32(entry, id);
		memcpy(entry + 4, host->agent, 16);
		put_u64(entry + 20, (uint64_t)host->newest_ms);
		put_u64(entry + 28, (uint64_t)heard_ms);
		fw_buf_append(payload, entry, sizeof entry);
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
		struct host *host = hosts_get(&store->hosts, id);
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

/* ---- committing ---- */

static void tell_entries(struct store *store)
{
	struct store_entry *entry = store->applied_first;
	store->applied_first = store->applied_last = NULL;
	while (entry) {
		struct store_entry *next = entry->next;
		if (store->failed) {
			entry->verdict = STORE_STOPPED;
			entry->why[0] = '\0';
		}
		entry->on_done(entry);
		entry = next;
	}
}

static void flush(struct store *store)
{
	int rc = flush_closed(store);
	if (rc < 0)
		store_fail(store, "cannot write a block", rc);
}

static void commit(struct store *store)
{
	bool has_news = store->has_news, wrote = store->log.buf.length > 0;
	int rc = store->failed ? -EIO : log_commit(&store->log);
	if (rc < 0 && !store->failed)
		store_fail(store, "cannot write the log", rc);
	if (!store->failed) {
		store->counters.commits += wrote;
		follow_show(store);
		records_tell(store);
	}
	tell_entries(store);
	store->has_news = false;
	if (store->failed)
		return;
	if (has_news && store->config.on_commit)
		store->config.on_commit(store->config.arg);
	flush(store);
}

/* ---- the loop ---- */

struct intake {
	struct store_entry *entries;
	uint64_t *releases;
	size_t n_releases;
	struct frozen *frozen; /* what a snapshot wants to know */
	bool stopping;
};

/* The condition's clock is the machine's, which no test moves. */
static void wait_until(struct store *store, int64_t until_ms)
{
	until_ms -= fw_fault_steady_shift();
	struct timespec at = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
	pthread_cond_timedwait(&store->wake, &store->lock, &at);
}

static struct frozen *wanted(const struct store *store)
{
	return store->wanted && !store->wanted->done ? store->wanted : NULL;
}

/* Sleeps until there is something to do, or `until_ms` (0: for ever). */
static struct intake take_in(struct store *store, int64_t until_ms)
{
	pthread_mutex_lock(&store->lock);
	while (!store->queue_first && !store->stopping && !wanted(store) &&
		store->failed == store->told_failure &&
		(until_ms == 0 || fw_mono_ms() < until_ms)) {
		if (until_ms)
			wait_until(store, until_ms);
		else
			pthread_cond_wait(&store->wake, &store->lock);
	}
	struct intake in = {
		.entries = store->queue_first,
		.releases = store->releases,
		.n_releases = store->n_releases,
		.frozen = wanted(store),
		.stopping = store->stopping,
	};
	store->queue_first = store->queue_last = NULL;
	store->releases = NULL;
	store->n_releases = store->releases_capacity = 0;
	pthread_mutex_unlock(&store->lock);
	return in;
}

static void take_releases(struct store *store, struct intake *in)
{
	for (size_t i = 0; i < in->n_releases && !store->failed; i++) {
		struct log_record record = {.kind = LOG_RELEASED, .seq = in->releases[i]};
		if (writer_reserve(store, 0) >= 0)
			log_append(&store->log, &record);
		records_release(store, in->releases[i]);
	}
	fw_free(in->releases);
}

static void keep_applied(struct store *store, struct store_entry *entry)
{
	entry->next = NULL;
	if (store->applied_last)
		store->applied_last->next = entry;
	else
		store->applied_first = entry;
	store->applied_last = entry;
}

/* Returns whether something else than sessions waits for the commit. */
static bool take_entries(struct store *store, struct store_entry *entry)
{
	bool others = false;
	while (entry) {
		struct store_entry *next = entry->next;
		others |= entry->kind != STORE_SESSION;
		if (store->failed)
			entry->verdict = STORE_STOPPED;
		else
			apply_entry(store, entry);
		keep_applied(store, entry);
		if (store->log.buf.length >= COMMIT_BYTES)
			commit(store);
		entry = next;
	}
	return others;
}

static bool run_is_old(const struct run *run, const void *now_ms)
{
	return *(const int64_t *)now_ms - run->opened_ms >= RUN_AGE_MS;
}

static void tick(struct store *store, int64_t now_ms)
{
	close_runs(store, run_is_old, &now_ms);
	flush(store);
}

/* A slice of what is to be digested, so that nobody's commit waits for more than that;
 * false when there is no more. */
static bool digest(struct store *store)
{
	int64_t until_ms = fw_mono_ms() + SLICE_MS;
	int rc = store->failed ? 0 : 1;
	while (rc > 0 && fw_mono_ms() < until_ms)
		rc = digest_step(store);
	if (rc < 0)
		store_fail(store, "cannot digest a segment", rc);
	return rc > 0;
}

static bool has_pending(const struct store *store)
{
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		if (has_pins(&store->log, i))
			return true;
	}
	return false;
}

static void serve(struct store *store)
{
	int64_t deadline_ms = 0, tick_ms = fw_mono_ms() + TICK_MS;
	bool others = false, digesting = true;
	for (;;) {
		int64_t until_ms = deadline_ms ? deadline_ms : has_pending(store) ? tick_ms : 0;
		tell_failure(store);
		if (digesting)
			until_ms = fw_mono_ms();
		struct intake in = take_in(store, until_ms);
		take_releases(store, &in);
		others |= take_entries(store, in.entries);
		int64_t now_ms = fw_mono_ms();
		if (!deadline_ms && store->applied_first)
			deadline_ms = now_ms + store->config.commit_ms;
		if (in.frozen ||
			(store->applied_first &&
				(!others || now_ms >= deadline_ms || in.stopping || store->failed)))
			commit(store);
		if (in.frozen)
			snapshot_freeze(store, in.frozen);
		if (!store->applied_first) {
			deadline_ms = 0;
			others = false;
		}
		if (now_ms >= tick_ms && !store->failed && !store->applied_first) {
			tick(store, now_ms);
			tick_ms = now_ms + TICK_MS;
		}
		digesting = digest(store);
		if (in.stopping && !in.entries)
			return;
	}
}

static bool any_run(const struct run *run, const void *arg)
{
	(void)run;
	(void)arg;
	return true;
}

/* A segment that has hardly begun goes on after the next start, so that restarts one after the
 * other do not take the log away from who follows it. */
static int end_log(struct store *store)
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

int writer_finish(struct store *store)
{
	int rc = log_commit(&store->log);
	close_runs(store, any_run, NULL);
	if (rc >= 0)
		rc = flush_closed(store);
	if (rc >= 0)
		rc = end_log(store);
	return rc < 0 ? rc : rings_finish(&store->rings);
}

void *writer_main(void *arg)
{
	struct store *store = arg;
	if (store->config.on_record)
		records_tell(store);
	serve(store);
	int rc = store->failed ? 0 : writer_finish(store);
	if (rc < 0)
		store_fail(store, "cannot close the store", rc);
	tell_failure(store);
	return NULL;
}
