/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "internal.h"

enum {
	LOG_SEGMENT_BYTES = 64 << 20,
	LOG_SEGMENT_LEAST = 4 << 20,     /* by default: four of the largest entries */
	LOG_SEGMENT_SMALLEST = 64 << 10, /* by choice */
	SEGMENTS_LEAST = 16,
	SEGMENTS_LIMIT = 4096, /* each is an open file */
};

/* ---- opening ---- */

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + 4095) & ~(uint64_t)4095;
}

static uint64_t log_segment_bytes(const struct store_config *config)
{
	if (config->log_segment_bytes)
		return page_up(config->log_segment_bytes);
	uint64_t eighth = config->tier_bytes[STORE_RAW] / 8;
	uint64_t bytes = eighth < LOG_SEGMENT_BYTES ? eighth : LOG_SEGMENT_BYTES;
	return page_up(bytes > LOG_SEGMENT_LEAST ? bytes : LOG_SEGMENT_LEAST);
}

/* A ring of its own for a tier that the store does not have yet. */
static void make_tier(
	struct super_tier *tier, const struct store_config *config, uint64_t bytes, uint64_t most)
{
	if (config->segment_bytes)
		most = config->segment_bytes;
	uint64_t part = bytes / SEGMENTS_LEAST / 4096 * 4096;
	tier->segment_bytes = part < most ? part : most;
	tier->segments = (uint32_t)(bytes / tier->segment_bytes);
	tier->counted = true;
}

static int make_super(struct store *store, struct fw_err *err)
{
	uint8_t uuid[16];
	if (RAND_bytes(uuid, sizeof uuid) != 1)
		return fw_fail(err, -EIO, "the system gives no random numbers");
	store->super = (struct super){
		.log_segment_bytes = log_segment_bytes(&store->config),
		.log_segments = LOG_SLOTS,
	};
	super_set_uuid(&store->super, uuid);
	return 0;
}

/* Segments keep the size that they were made with; a larger budget adds some. */
static int fit_tier(struct store *store, enum store_tier t, struct fw_err *err)
{
	struct super_tier *tier = &store->super.tiers[t];
	uint64_t bytes = store->config.tier_bytes[t];
	if (tier->segments == 0)
		make_tier(tier, &store->config, bytes,
			t == STORE_RAW ? STORE_SEGMENT_BYTES : STORE_TIER_SEGMENT_BYTES);
	uint64_t wanted = bytes / tier->segment_bytes;
	if (wanted < tier->segments)
		return fw_fail(err, -EINVAL,
			"the store in %s was made with %llu bytes and cannot shrink to %llu: set "
			"store.%s to at least what it was, or move the store away to begin anew",
			store->dir, (unsigned long long)tier->segments * tier->segment_bytes,
			(unsigned long long)bytes, store_tier_name(t));
	if (wanted > SEGMENTS_LIMIT)
		return fw_fail(err, -EINVAL,
			"the store in %s was made with segments of %llu bytes, and %llu bytes would "
			"be more than %d of them: move the store away to begin anew",
			store->dir, (unsigned long long)tier->segment_bytes,
			(unsigned long long)bytes, SEGMENTS_LIMIT);
	tier->segments = (uint32_t)wanted;
	return 0;
}

/* Where nobody has written how many were made, all were, which is so no more. Should this start be
 * broken off, what it has not made yet must not be missed by the next. */
static void note_growth(struct super_tier *tier)
{
	if (!tier->counted)
		tier->made = 0;
	tier->counted = true;
}

static int fit_budgets(struct store *store, struct fw_err *err)
{
	bool grown = false;
	for (int t = 0; t < STORE_TIERS; t++) {
		struct super_tier *tier = &store->super.tiers[t];
		uint32_t before = tier->segments;
		int rc = fit_tier(store, (enum store_tier)t, err);
		if (rc < 0)
			return rc;
		if (tier->segments != before)
			note_growth(tier);
		grown |= tier->segments != before;
	}
	return grown ? super_save(store->dir, &store->super, err) : 0;
}

static int check_config(const struct store_config *config, struct fw_err *err)
{
	uint64_t least =
		config->segment_bytes ? SEGMENTS_LEAST * config->segment_bytes : STORE_TIER_LEAST;
	for (int tier = 0; tier < STORE_TIERS; tier++)
		if (config->tier_bytes[tier] < least)
			return fw_fail(err, -EINVAL, "store.%s is %llu bytes, the least is 8 MiB",
				store_tier_name((enum store_tier)tier),
				(unsigned long long)config->tier_bytes[tier]);
	if (config->log_segment_bytes && config->log_segment_bytes < LOG_SEGMENT_SMALLEST)
		return fw_fail(err, -EINVAL, "a log segment has at least 64 KiB");
	return 0;
}

/* From now on all files of the rings and of the log must be there. */
static int note_made(struct store *store, struct fw_err *err)
{
	bool news = false;
	for (int t = 0; t < STORE_TIERS; t++) {
		struct super_tier *tier = &store->super.tiers[t];
		news |= !tier->counted || tier->made != tier->segments;
		tier->made = tier->segments;
		tier->counted = true;
	}
	return news ? super_save(store->dir, &store->super, err) : 0;
}

static int open_files(struct store *store, struct fw_err *err)
{
	int rc = fw_mkdir_all(store->dir, 0700);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot make the store's folder %s", store->dir);
	rc = super_load(store->dir, &store->super, &store->damage, err);
	if (rc >= 0)
		rc = store->super.one_file ? super_save(store->dir, &store->super, err)
					   : super_sync(store->dir, err);
	else if (rc == -ENOENT)
		rc = make_super(store, err);
	if (rc >= 0)
		rc = fit_budgets(store, err);
	if (rc >= 0)
		rc = names_open(
			&store->names, store->dir, &store->super, false, &store->damage, err);
	if (rc >= 0)
		rc = rings_open(&store->rings, store->dir, &store->super, &store->config,
			&store->damage, err);
	if (rc >= 0)
		rc = log_open(&store->log, store->dir, &store->super, false, &store->damage, err);
	return rc < 0 ? rc : note_made(store, err);
}

void store_free(struct store *store)
{
	hosts_done(&store->hosts);
	foreigners_done(&store->foreigners);
	agents_done(&store->agents);
	log_close(&store->log);
	digest_done(&store->digest);
	rings_close(&store->rings);
	names_close(&store->names);
	while (store->records)
		records_release(store, store->records->origin);
	fw_free(store->arriving.cells);
	fw_free(store->flushing.cells);
	fw_free(store->covered);
	fw_free(store->parts.at);
	fw_free(store->releases);
	fw_buf_done(&store->key);
	fw_buf_done(&store->made);
	fw_buf_done(&store->encoded);
	fw_arena_done(&store->arena);
	unread_done(&store->unread);
	pthread_mutex_destroy(&store->lock);
	pthread_cond_destroy(&store->wake);
	fw_free(store->dir);
	fw_free(store);
}

struct store *store_new(const struct store_config *config)
{
	struct store *store = fw_alloc(sizeof *store);
	store->config = *config;
	store->damage = (struct damage){.on_damage = config->on_damage, .arg = config->arg};
	store->dir = fw_strdup(config->dir);
	if (!config->foreign_series)
		store->config.foreign_series = STORE_FOREIGN_SERIES;
	if (!config->foreign_series_per_host)
		store->config.foreign_series_per_host = STORE_FOREIGN_SERIES_PER_HOST;
	store->records_end = &store->records;
	hosts_init(&store->hosts);
	foreigners_init(&store->foreigners);
	unread_init(&store->unread);
	pthread_mutex_init(&store->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&store->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return store;
}

int store_open(struct store **out, const struct store_config *config, struct fw_err *err)
{
	int rc = check_config(config, err);
	if (rc < 0)
		return rc;
	struct store *store = store_new(config);
	rc = open_files(store, err);
	if (rc >= 0)
		rc = store_recover(store, err);
	if (rc >= 0) {
		rc = -pthread_create(&store->thread, NULL, writer_main, store);
		if (rc < 0)
			fw_fail_sys(err, rc, "cannot start the store's writer");
	}
	if (rc < 0)
		store_free(store);
	else
		*out = store;
	return rc;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	pthread_mutex_lock(&store->lock);
	store->stopping = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->thread, NULL);
	store_free(store);
}

/* ---- identity ---- */

/* A sync that failed once may have lost what it was to save: nothing more is promised. */
static void look_at_names(struct store *store)
{
	if (names_failed(&store->names))
		store_fail(store, "cannot sync a name", -EIO);
}

int store_schemas_intern(struct store *store, const struct fw_schema *schemas, size_t n,
	uint32_t *ids, struct fw_err *err)
{
	int rc = names_intern_schemas(&store->names, schemas, n, ids, err);
	if (rc < 0)
		look_at_names(store);
	return rc;
}

int store_schema_intern(
	struct store *store, const struct fw_schema *schema, uint32_t *id, struct fw_err *err)
{
	return store_schemas_intern(store, schema, 1, id, err);
}

const struct fw_schema *store_schema(struct store *store, uint32_t id)
{
	const struct named_schema *named = names_schema(&store->names, id);
	return named ? &named->schema : NULL;
}

int store_schema_find(struct store *store, const uint8_t hash[FW_SCHEMA_HASH], uint32_t *id)
{
	const struct named_schema *named = names_find_schema(&store->names, hash);
	if (!named)
		return -ENOENT;
	*id = named->id;
	return 0;
}

static bool has_label(const struct fw_label *labels, size_t n_labels, const char *name)
{
	for (size_t i = 0; i < n_labels; i++)
		if (strcmp(labels[i].name, name) == 0)
			return true;
	return false;
}

int store_host_intern(struct store *store, const struct fw_label *labels, size_t n_labels,
	uint32_t *id, struct fw_err *err)
{
	if (!has_label(labels, n_labels, "instance") || !has_label(labels, n_labels, "job"))
		return fw_fail(err, -EINVAL, "a host needs the labels instance and job");
	return store_host_intern_any(store, labels, n_labels, id, err);
}

int store_host_intern_any(struct store *store, const struct fw_label *labels, size_t n_labels,
	uint32_t *id, struct fw_err *err)
{
	int rc = names_intern_host(&store->names, labels, n_labels, id, err);
	if (rc < 0)
		look_at_names(store);
	else
		hosts_add(&store->hosts, names_host(&store->names, *id));
	return rc;
}

int store_host_forget(struct store *store, uint32_t id, struct fw_err *err)
{
	int rc = names_forget_host(&store->names, id, err);
	if (rc < 0)
		look_at_names(store);
	return rc;
}

bool store_host_is_known(struct store *store, uint32_t id)
{
	return hosts_known(&store->hosts, id) != NULL;
}

const char *store_host_instance(struct store *store, uint32_t id)
{
	const struct host *host = hosts_known(&store->hosts, id);
	return host ? fw_label_value(host->name->labels, host->name->n_labels, "instance") : NULL;
}

bool store_host_is_check(struct store *store, uint32_t id)
{
	const struct host *host = hosts_known(&store->hosts, id);
	return host && *fw_label_value(host->name->labels, host->name->n_labels, "check");
}

/* ---- handing over ---- */

void store_submit(struct store *store, struct store_entry *entry)
{
	entry->next = NULL;
	pthread_mutex_lock(&store->lock);
	bool was_empty = !store->queue_first;
	if (was_empty)
		store->queue_first = entry;
	else
		store->queue_last->next = entry;
	store->queue_last = entry;
	if (was_empty)
		pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
}

void store_release(struct store *store, uint64_t position)
{
	pthread_mutex_lock(&store->lock);
	if (store->n_releases == store->releases_capacity) {
		store->releases_capacity = 2 * store->releases_capacity + 16;
		store->releases = fw_realloc(
			store->releases, store->releases_capacity * sizeof *store->releases);
	}
	store->releases[store->n_releases++] = position;
	pthread_mutex_unlock(&store->lock);
}

/* ---- telling ---- */

size_t store_hosts(struct store *store, struct fw_arena *arena, struct store_host **hosts)
{
	uint32_t count = hosts_count(&store->hosts);
	struct store_host *all = fw_arena_alloc(arena, count * sizeof *all + 1);
	size_t n = 0;
	for (uint32_t id = 0; id < count; id++) {
		struct host *host = hosts_known(&store->hosts, id);
		if (!host)
			continue;
		pthread_mutex_lock(&host->lock);
		all[n] = (struct store_host){
			.id = id,
			.labels = host->name->labels,
			.n_labels = host->name->n_labels,
			.newest_ms = host->newest_ms,
			.received_ms = host->received_ms,
			.interval_ms = host->interval_ms,
			.changes = host->changes,
			.ahead_ms = host->ahead_ms,
		};
		memcpy(all[n].agent, host->agent, sizeof host->agent);
		pthread_mutex_unlock(&host->lock);
		n++;
	}
	*hosts = all;
	return n;
}

static void stat_rings(struct store *store, struct store_stat *out)
{
	for (int tier = 0; tier < STORE_TIERS; tier++)
		ring_stat(&store->rings.tiers[tier], &out->tiers[tier]);
	out->oldest_ms = out->tiers[STORE_RAW].oldest_ms;
	out->newest_ms = out->tiers[STORE_RAW].newest_ms;
}

static void add_host(struct host *host, struct store_stat *out)
{
	pthread_mutex_lock(&host->lock);
	for (const struct table *table = host->tables; table; table = table->next) {
		if (!table->last)
			continue;
		out->series += table->ended ? 0 : table->schema->schema.n_columns;
		if (table->last_ms > out->newest_ms)
			out->newest_ms = table->last_ms;
		for (const struct run *run = table->first; run; run = run->next) {
			if (out->oldest_ms == 0 || run->t0_ms < out->oldest_ms)
				out->oldest_ms = run->t0_ms;
		}
	}
	pthread_mutex_unlock(&host->lock);
}

void store_stat(struct store *store, struct store_stat *out)
{
	const struct counters *counters = &store->counters;
	*out = (struct store_stat){
		.sweeps = counters->sweeps,
		.samples = counters->samples,
		.commits = counters->commits,
		.damaged_blocks = counters->damaged,
		.refused = counters->refused,
		.claimed = counters->claimed,
		.duplicates = counters->duplicates,
		.gaps = counters->gaps,
		.late = counters->late,
		.ahead = counters->ahead,
		.digests = counters->digests,
		.foreign_series = atomic_load(&store->n_foreign),
	};
	bool joined = counters->packed[true].samples > 0;
	out->packed_samples = counters->packed[joined].samples;
	out->packed_bytes = counters->packed[joined].bytes;
	stat_rings(store, out);
	uint32_t count = hosts_count(&store->hosts);
	for (uint32_t id = 0; id < count; id++) {
		struct host *host = hosts_known(&store->hosts, id);
		if (!host)
			continue;
		out->hosts++;
		add_host(host, out);
	}
	pthread_rwlock_rdlock(&store->names.lock);
	out->schemas = store->names.schema_map.count;
	pthread_rwlock_unlock(&store->names.lock);
}
