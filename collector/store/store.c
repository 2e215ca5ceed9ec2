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
	RAW_LEAST = 8 << 20,
	RAW_DIVISOR = 16,
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
	uint64_t eighth = config->raw_bytes / 8;
	uint64_t bytes = eighth < LOG_SEGMENT_BYTES ? eighth : LOG_SEGMENT_BYTES;
	return page_up(bytes > LOG_SEGMENT_LEAST ? bytes : LOG_SEGMENT_LEAST);
}

static int make_super(struct store *store, struct fw_err *err)
{
	const struct store_config *config = &store->config;
	uint64_t part = config->raw_bytes / RAW_DIVISOR / 4096 * 4096;
	uint8_t uuid[16];
	if (RAND_bytes(uuid, sizeof uuid) != 1)
		return fw_fail(err, -EIO, "the system gives no random numbers");
	store->super = (struct super){
		.raw_segment_bytes = part < STORE_SEGMENT_BYTES ? part : STORE_SEGMENT_BYTES,
		.log_segment_bytes = log_segment_bytes(config),
		.log_segments = LOG_SLOTS,
	};
	store->super.raw_segments = (uint32_t)(config->raw_bytes / store->super.raw_segment_bytes);
	super_set_uuid(&store->super, uuid);
	return super_save(store->dir, &store->super, err);
}

/* Segments keep the size that they were made with; a larger budget adds some. */
static int fit_budget(struct store *store, struct fw_err *err)
{
	struct super *super = &store->super;
	uint64_t wanted = store->config.raw_bytes / super->raw_segment_bytes;
	if (wanted < super->raw_segments)
		return fw_fail(err, -EINVAL,
			"the store in %s was made with %llu bytes and cannot shrink to %llu: set "
			"store.raw to at least what it was, or move the store away to begin anew",
			store->dir,
			(unsigned long long)super->raw_segments * super->raw_segment_bytes,
			(unsigned long long)store->config.raw_bytes);
	if (wanted == super->raw_segments)
		return 0;
	if (wanted > SEGMENTS_LIMIT)
		return fw_fail(err, -EINVAL,
			"the store in %s was made with segments of %llu bytes, and %llu bytes would "
			"be more than %d of them: move the store away to begin anew",
			store->dir, (unsigned long long)super->raw_segment_bytes,
			(unsigned long long)store->config.raw_bytes, SEGMENTS_LIMIT);
	super->raw_segments = (uint32_t)wanted;
	return super_save(store->dir, super, err);
}

static int check_config(const struct store_config *config, struct fw_err *err)
{
	if (config->raw_bytes < RAW_LEAST)
		return fw_fail(err, -EINVAL, "store.raw is %llu bytes, the least is 8 MiB",
			(unsigned long long)config->raw_bytes);
	if (config->log_segment_bytes && config->log_segment_bytes < LOG_SEGMENT_SMALLEST)
		return fw_fail(err, -EINVAL, "a log segment has at least 64 KiB");
	return 0;
}

static int open_files(struct store *store, struct fw_err *err)
{
	int rc = fw_mkdir_all(store->dir, 0700);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot make the store's folder %s", store->dir);
	rc = super_load(store->dir, &store->super, err);
	if (rc == -ENOENT)
		rc = make_super(store, err);
	if (rc >= 0)
		rc = fit_budget(store, err);
	if (rc >= 0)
		rc = names_open(&store->names, store->dir, &store->super, false, err);
	if (rc >= 0)
		rc = ring_open(&store->ring, store->dir, &store->super, &store->config, err);
	return rc < 0 ? rc : log_open(&store->log, store->dir, &store->super, false, err);
}

static void free_store(struct store *store)
{
	hosts_done(&store->hosts);
	agents_done(&store->agents);
	log_close(&store->log);
	ring_close(&store->ring);
	names_close(&store->names);
	while (store->records)
		records_release(store, store->records->origin);
	fw_free(store->arriving.cells);
	fw_free(store->flushing.cells);
	fw_free(store->covered);
	fw_free(store->releases);
	fw_buf_done(&store->key);
	fw_buf_done(&store->made);
	fw_buf_done(&store->encoded);
	fw_arena_done(&store->arena);
	pthread_mutex_destroy(&store->lock);
	pthread_cond_destroy(&store->wake);
	fw_free(store->dir);
	fw_free(store);
}

static struct store *new_store(const struct store_config *config)
{
	struct store *store = fw_alloc(sizeof *store);
	store->config = *config;
	store->dir = fw_strdup(config->dir);
	store->records_end = &store->records;
	hosts_init(&store->hosts);
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
	struct store *store = new_store(config);
	rc = open_files(store, err);
	if (rc >= 0)
		rc = store_recover(store, err);
	if (rc >= 0) {
		rc = -pthread_create(&store->thread, NULL, writer_main, store);
		if (rc < 0)
			fw_fail_sys(err, rc, "cannot start the store's writer");
	}
	if (rc < 0)
		free_store(store);
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
	free_store(store);
}

/* ---- identity ---- */

/* A sync that failed once may have lost what it was to save: nothing more is promised. */
static void look_at_names(struct store *store)
{
	if (store->names.failed)
		store_fail(store, "cannot sync a name", -EIO);
}

int store_schema_intern(
	struct store *store, const struct fw_schema *schema, uint32_t *id, struct fw_err *err)
{
	int rc = names_intern_schema(&store->names, schema, id, err);
	if (rc < 0)
		look_at_names(store);
	return rc;
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

int store_host_intern(struct store *store, const struct fw_label *labels, size_t n_labels,
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
			.changes = host->changes,
		};
		memcpy(all[n].agent, host->agent, sizeof host->agent);
		pthread_mutex_unlock(&host->lock);
		n++;
	}
	*hosts = all;
	return n;
}

static void add_ring(struct store *store, struct store_stat *out)
{
	pthread_rwlock_rdlock(&store->ring.lock);
	for (uint32_t i = 0; i < store->ring.n_segments; i++) {
		const struct ring_segment *segment = &store->ring.segments[i];
		if (!segment->number || segment->n_blocks == 0)
			continue;
		if (out->blocks == 0 || segment->min_ms < out->oldest_ms)
			out->oldest_ms = segment->min_ms;
		if (out->blocks == 0 || segment->max_ms > out->newest_ms)
			out->newest_ms = segment->max_ms;
		out->used_bytes += segment->used;
		out->blocks += segment->n_blocks;
	}
	pthread_rwlock_unlock(&store->ring.lock);
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
		.raw_bytes = (uint64_t)store->super.raw_segments * store->super.raw_segment_bytes,
		.sweeps = counters->sweeps,
		.samples = counters->samples,
		.commits = counters->commits,
		.damaged_blocks = counters->damaged,
		.refused = counters->refused,
		.duplicates = counters->duplicates,
		.gaps = counters->gaps,
		.late = counters->late,
		.ahead = counters->ahead,
	};
	add_ring(store, out);
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
