/* SPDX-License-Identifier: Apache-2.0 */
/* The store: how large it is, and whom its writer tells what.
 *
 * The writer never waits for the main thread: it sets a flag of `news` and wakes it.
 */
#include "running.h"

#include <stdio.h>
#include <unistd.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/notify.h>

#include "alert.h"
#include "collector.h"
#include "records.h"
#include "remote.h"
#include "store.h"

#define COMMIT_MS 50
#define TELL_EVERY_MS 3000
#define DAMAGE_TOLD 50 /* sentences at a start */
#define EXTEND_TIMEOUT_US (10LL * 60 * 1000000)

/* Told every few seconds; the service manager waits on as long as it goes on. */
static void on_allocated(uint64_t bytes, uint64_t of_bytes, void *arg)
{
	struct collector *c = arg;
	char status[160];
	int64_t now_ms = fw_mono_ms();
	if (now_ms - c->allocation_told_ms < TELL_EVERY_MS)
		return;
	c->allocation_told_ms = now_ms;
	fw_log(FW_NOTICE, "the store's rings are being allocated: %u of %u MiB",
		(unsigned)(bytes >> 20), (unsigned)(of_bytes >> 20));
	snprintf(status, sizeof status,
		"EXTEND_TIMEOUT_USEC=%lld\nSTATUS=Allocating the store's rings: %u %%",
		EXTEND_TIMEOUT_US, (unsigned)(bytes * 100 / of_bytes));
	fw_notify(status);
}

/* Many files may be missing: the first of them say enough. */
static void on_damage(const char *sentence, void *arg)
{
	struct collector *c = arg;
	if (++c->damage_told <= DAMAGE_TOLD)
		fw_log(FW_ERROR, "the store is damaged: %s", sentence);
}

/* Any thread; the store sees to it that they are few. */
static void on_unread(const char *sentence, void *arg)
{
	(void)arg;
	fw_log(FW_ERROR, "the store is damaged: %s", sentence);
}

/* ---- the writer's thread ---- */

static void on_commit(void *arg)
{
	struct collector *c = arg;
	if (!atomic_exchange(&c->news.committed, true))
		uv_async_send(&c->news.async);
}

static void on_fatal(const char *why, void *arg)
{
	struct collector *c = arg;
	snprintf(c->news.why, sizeof c->news.why, "%s", why);
	atomic_store(&c->news.failed, true);
	uv_async_send(&c->news.async);
}

static void on_record(const struct store_record *record, void *arg)
{
	const struct collector *c = arg;
	records_take(c->records, record);
}

/* ---- the main thread ---- */

void collector_on_news(uv_async_t *async)
{
	struct collector *c = FW_CONTAINER(async, struct collector, news.async);
	if (atomic_load(&c->news.failed)) {
		/* What the memory says of the disk is not to be trusted: out, and recover from it. */
		fw_log(FW_ERROR,
			"the store has failed: %s; ending, so that the next start recovers",
			c->news.why);
		_exit(EXIT_DISK);
	}
	if (!atomic_exchange(&c->news.committed, false))
		return;
	c->news.committed_ms = fw_mono_ms();
	if (c->alerts)
		alert_wake(c->alerts);
}

/* So that each tier reaches at least three times as far back as the one below. */
static uint64_t tier_bytes(uint64_t set, uint64_t raw, uint64_t fifths)
{
	uint64_t bytes = set ? set : raw / 5 * fifths;
	return bytes < STORE_TIER_LEAST ? STORE_TIER_LEAST : bytes;
}

int collector_open_store(struct collector *c, struct fw_err *err)
{
	char dir[4096];
	snprintf(dir, sizeof dir, "%s/store", c->config->data);
	const uint64_t *set = c->config->store.tier_bytes, raw = set[STORE_RAW];
	const struct store_config config = {
		.dir = dir,
		.tier_bytes = {raw, tier_bytes(set[STORE_FIVE_MINUTE], raw, 8),
			tier_bytes(set[STORE_HOUR], raw, 3)},
		.late_ms = c->config->store.late_ms,
		.any_age = c->config->store.any_age,
		.columns_per_host = (uint32_t)c->config->store.columns_per_host,
		.foreign_series = (uint32_t)c->config->store.foreign_series,
		.foreign_series_per_host = (uint32_t)c->config->store.foreign_series_per_host,
		.commit_ms = COMMIT_MS,
		.on_allocated = on_allocated,
		.on_damage = on_damage,
		.on_unread = on_unread,
		.on_commit = on_commit,
		.on_fatal = on_fatal,
		.on_record = on_record,
		.arg = c,
	};
	int rc = store_open(&c->store, &config, err);
	if (rc < 0)
		return rc;
	if (c->damage_told > DAMAGE_TOLD)
		fw_log(FW_ERROR, "the store is damaged in %u more places",
			c->damage_told - DAMAGE_TOLD);
	c->news.committed_ms = fw_mono_ms();
	records_set_store(c->records, c->store);
	c->remote = remote_new(c->store);
	return 0;
}
