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

#include <fenwatch/clock.h>
#include <fenwatch/fault.h>
#include <fenwatch/mem.h>

#include "internal.h"

enum {
	COMMIT_BYTES = 1 << 20,
	TICK_MS = 60 * 1000,
	RUN_AGE_MS = 3600 * 1000,
	SLICE_MS = 5,
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
		if (store->log.slots[i].pins > 0)
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

int writer_finish(struct store *store)
{
	int rc = log_commit(&store->log);
	close_runs(store, any_run, NULL);
	if (rc >= 0)
		rc = flush_closed(store);
	if (rc >= 0)
		rc = writer_end_log(store);
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
