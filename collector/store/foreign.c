/* SPDX-License-Identifier: Apache-2.0 */
/* Any thread: which series are meant, and which of their samples can be taken. New
 * names are made together, so that they wait for the disk once. */
#include "foreign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/mem.h>
#include <fenwatch/text.h>

#include "internal.h"

static const char *const host_names[] = {"instance", "job"};
enum { HOST_NAMES = sizeof host_names / sizeof *host_names };

#define PLAIN_NAN 0x7ff8000000000001

void foreigners_init(struct foreigners *foreigners)
{
	*foreigners = (struct foreigners){.arena = {0}};
	pthread_rwlock_init(&foreigners->lock, NULL);
}

void foreigners_done(struct foreigners *foreigners)
{
	map_done(&foreigners->map);
	fw_arena_done(&foreigners->arena);
	pthread_rwlock_destroy(&foreigners->lock);
}

bool schema_is_foreign(const struct fw_schema *schema)
{
	return schema->n_columns > 0 && schema->columns[0].type & STORE_ALONE;
}

/* ---- labels ---- */

static bool is_of_host(const char *name)
{
	for (int i = 0; i < HOST_NAMES; i++)
		if (strcmp(name, host_names[i]) == 0)
			return true;
	return false;
}

/* Does not depend on the order, so that both sides may go through labels as they lie. */
static uint64_t hash_label(const char *name, const char *value)
{
	return map_hash(value, strlen(value), map_hash(name, strlen(name), 7));
}

static uint64_t hash_labels(const struct fw_label *labels, size_t n)
{
	uint64_t hash = 0;
	for (size_t i = 0; i < n; i++)
		hash += hash_label(labels[i].name, labels[i].value);
	return hash;
}

static bool same_label(const struct fw_label *a, const struct fw_label *b)
{
	return strcmp(a->value, b->value) == 0 && strcmp(a->name, b->name) == 0;
}

static bool is_it(const struct foreign *foreign, const struct store_foreign *series)
{
	const struct named_host *host = foreign->bundle->host->name;
	const struct fw_column *column = &foreign->bundle->schema->schema.columns[foreign->column];
	if (1 + host->n_labels + column->n_labels != series->n_labels)
		return false;
	size_t h = 0, c = 0;
	for (size_t i = 0; i < series->n_labels; i++) {
		const struct fw_label *label = &series->labels[i];
		if (h < host->n_labels && same_label(label, &host->labels[h]))
			h++;
		else if (c < column->n_labels && same_label(label, &column->labels[c]))
			c++;
		else if (strcmp(label->name, "__name__") != 0 ||
			strcmp(label->value, column->name) != 0)
			return false;
	}
	return !atomic_load(&host->forgotten);
}

/* The lock is held. */
static struct foreign *find(
	const struct foreigners *foreigners, uint64_t hash, const struct store_foreign *series)
{
	for (struct link *at = map_find(&foreigners->map, hash); at; at = map_again(at)) {
		struct foreign *foreign = (struct foreign *)(void *)at;
		if (is_it(foreign, series))
			return foreign;
	}
	return NULL;
}

/* ---- what can be taken ---- */

static void refuse_series(struct store_foreign *series, enum store_refusal why)
{
	series->refusal = why;
	series->n_refused += series->n_samples;
	series->n_samples = 0;
}

static bool check_label(const struct fw_label *labels, size_t i)
{
	const char *name = labels[i].name, *value = labels[i].value;
	size_t n = strlen(name), v = strlen(value);
	return n > 0 && v > 0 && n <= FW_SYMBOL_LIMIT && v <= FW_SYMBOL_LIMIT &&
		fw_utf8_valid(name, n) && fw_utf8_valid(value, v) &&
		(i == 0 || strcmp(labels[i - 1].name, name) < 0);
}

static bool check_labels(const struct store_foreign *series)
{
	bool named = false;
	for (size_t i = 0; i < series->n_labels; i++) {
		if (!check_label(series->labels, i))
			return false;
		named |= strcmp(series->labels[i].name, "__name__") == 0;
	}
	return named && series->n_labels <= FW_LABELS_LIMIT;
}

static enum store_refusal check_time(const struct store *store, int64_t at_ms, int64_t now_ms)
{
	if (at_ms > now_ms + STORE_AHEAD_MS)
		return STORE_AHEAD;
	if (at_ms < 0 || (!store->config.any_age && at_ms < now_ms - store->config.late_ms))
		return STORE_TOO_OLD;
	return STORE_TAKEN;
}

/* A sample and its place among those that came. */
struct placed {
	struct store_sample sample;
	size_t at;
};

static int by_time(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	if (x->sample.at_ms != y->sample.at_ms)
		return x->sample.at_ms < y->sample.at_ms ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static bool is_sorted(const struct store_foreign *series)
{
	for (size_t i = 1; i < series->n_samples; i++)
		if (series->samples[i - 1].at_ms >= series->samples[i].at_ms)
			return false;
	return true;
}

/* Of equal times the one that came last stays. */
static void sort(struct store_foreign *series)
{
	struct store_sample *to = series->samples;
	size_t n = 0;
	if (is_sorted(series))
		return;
	struct placed *all = fw_alloc_array(series->n_samples, sizeof *all);
	for (size_t i = 0; i < series->n_samples; i++)
		all[i] = (struct placed){series->samples[i], i};
	qsort(all, series->n_samples, sizeof *all, by_time);
	for (size_t i = 0; i < series->n_samples; i++) {
		n -= n > 0 && to[n - 1].at_ms == all[i].sample.at_ms;
		to[n++] = all[i].sample;
	}
	series->n_merged = series->n_samples - n;
	series->n_samples = n;
	fw_free(all);
}

/* A sample as it lies here. */
static struct store_sample kept_as(const struct store_sample *sample)
{
	struct store_sample kept = *sample;
	if (kept.cell == STORE_ENDED)
		kept.cell = PLAIN_NAN;
	else if (kept.cell == FW_ABSENT)
		kept.cell = STORE_ENDED;
	return kept;
}

/* Leaves what can be taken, in the order of time. */
static void sift(const struct store *store, struct store_foreign *series, int64_t now_ms)
{
	size_t n = 0;
	for (size_t i = 0; i < series->n_samples; i++) {
		enum store_refusal why = check_time(store, series->samples[i].at_ms, now_ms);
		if (why == STORE_TAKEN)
			series->samples[n++] = kept_as(&series->samples[i]);
		else
			series->refusal = why;
	}
	series->n_refused = series->n_samples - n;
	series->n_samples = n;
	sort(series);
}

/* ---- new ones ---- */

struct newcomer {
	struct link link;
	struct store_foreign *series;
	struct host *host;
	size_t at; /* among those that came */
};

/* One that comes again in the same write. */
struct again {
	struct again *next;
	struct store_foreign *series;
	const struct store_foreign *of;
};

struct newcomers {
	struct store *store;
	struct fw_arena arena;
	struct map map;
	struct again *again;
	struct newcomer **all;
	size_t n, capacity;
	struct fw_schema *schemas; /* a bundle each */
	uint32_t *ids;
	size_t n_bundles;
};

static struct fw_column column_of(struct newcomers *new, const struct store_foreign *series)
{
	struct fw_label *labels =
		fw_arena_alloc(&new->arena, series->n_labels * sizeof *labels + 1);
	struct fw_column column = {
		.type = FW_UNTYPED | FW_DOUBLE | STORE_ALONE,
		.factor = 1,
		.labels = labels,
	};
	for (size_t i = 0; i < series->n_labels; i++) {
		const struct fw_label *label = &series->labels[i];
		if (strcmp(label->name, "__name__") == 0)
			column.name = label->value;
		else if (!is_of_host(label->name))
			labels[column.n_labels++] = *label;
	}
	return column;
}

static int by_host(const void *a, const void *b)
{
	const struct newcomer *x = *(const struct newcomer *const *)a,
			      *y = *(const struct newcomer *const *)b;
	if (x->host->id != y->host->id)
		return x->host->id < y->host->id ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* How many there are from the `first` on that go into one bundle. */
static size_t bundle_size(const struct newcomers *new, size_t first)
{
	size_t n = 1;
	while (n < FOREIGN_COLUMNS &&
		first + n < new->n &&new->all[first + n]->host == new->all[first]->host)
		n++;
	return n;
}

static void make_schemas(struct newcomers *new)
{
	qsort(new->all, new->n, sizeof(struct newcomer *), by_host);
	new->schemas = fw_arena_alloc(&new->arena, new->n * sizeof *new->schemas);
	for (size_t i = 0, n; i < new->n; i += n) {
		n = bundle_size(new, i);
		struct fw_column *columns = fw_arena_alloc(&new->arena, n * sizeof *columns);
		for (size_t c = 0; c < n; c++)
			columns[c] = column_of(new, new->all[i + c]->series);
		struct fw_schema *schema = &new->schemas[new->n_bundles++];
		*schema = (struct fw_schema){.n_columns = (uint32_t)n, .columns = columns};
		fw_schema_seal(schema);
	}
}

static int find_host(struct newcomers *new, const struct store_foreign *series, struct host **host,
	struct fw_err *err)
{
	struct fw_label labels[HOST_NAMES];
	size_t n = 0;
	for (size_t i = 0; i < series->n_labels; i++)
		if (is_of_host(series->labels[i].name))
			labels[n++] = series->labels[i];
	uint32_t id;
	int rc = store_host_intern_any(new->store, labels, n, &id, err);
	if (rc >= 0)
		*host = hosts_get(&new->store->hosts, id);
	return rc;
}

/* Takes a place for one more; false: there is none. */
static bool charge(struct store *store, struct host *host)
{
	if (atomic_fetch_add(&store->n_foreign, 1) >= store->config.foreign_series) {
		atomic_fetch_sub(&store->n_foreign, 1);
		return false;
	}
	if (atomic_fetch_add(&host->n_foreign, 1) >= store->config.foreign_series_per_host) {
		atomic_fetch_sub(&host->n_foreign, 1);
		atomic_fetch_sub(&store->n_foreign, 1);
		return false;
	}
	return true;
}

static bool is_full(const struct store *store)
{
	return atomic_load(&store->n_foreign) >= store->config.foreign_series;
}

static bool same_labels(const struct store_foreign *a, const struct store_foreign *b)
{
	bool same = a->n_labels == b->n_labels;
	for (size_t i = 0; i < a->n_labels && same; i++)
		same = same_label(&a->labels[i], &b->labels[i]);
	return same;
}

static bool came_before(struct newcomers *new, struct store_foreign *series, uint64_t hash)
{
	for (struct link *at = map_find(&new->map, hash); at; at = map_again(at)) {
		const struct newcomer *one = (const struct newcomer *)(void *)at;
		if (!same_labels(one->series, series))
			continue;
		struct again *again = fw_arena_alloc(&new->arena, sizeof *again);
		*again = (struct again){new->again, series, one->series};
		new->again = again;
		return true;
	}
	return false;
}

static int take_newcomer(
	struct newcomers *new, struct store_foreign *series, uint64_t hash, struct fw_err *err)
{
	if (new->n == new->capacity) {
		new->capacity = 2 * new->capacity + 64;
		new->all = fw_realloc(new->all, new->capacity * sizeof(struct newcomer *));
	}
	struct newcomer *one = fw_arena_alloc(&new->arena, sizeof *one);
	int rc = find_host(new, series, &one->host, err);
	if (rc < 0)
		return rc;
	if (!charge(new->store, one->host)) {
		refuse_series(series, STORE_TOO_MANY);
		return 0;
	}
	one->series = series;
	one->at = new->n;
	map_add(&new->map, &one->link, hash);
	new->all[new->n++] = one;
	return 0;
}

static int add_newcomer(
	struct newcomers *new, struct store_foreign *series, uint64_t hash, struct fw_err *err)
{
	if (came_before(new, series, hash))
		return 0;
	if (check_labels(series) && !is_full(new->store))
		return take_newcomer(new, series, hash, err);
	refuse_series(series, check_labels(series) ? STORE_TOO_MANY : STORE_BAD_LABELS);
	return 0;
}

static void give_back(struct store *store, struct host *host)
{
	atomic_fetch_sub(&store->n_foreign, 1);
	atomic_fetch_sub(&host->n_foreign, 1);
}

static struct bundle *add_bundle(
	struct foreigners *foreigners, struct host *host, const struct named_schema *schema)
{
	struct bundle *bundle = fw_arena_alloc(&foreigners->arena, sizeof *bundle);
	*bundle = (struct bundle){.host = host, .schema = schema};
	return bundle;
}

static struct foreign *add(
	struct foreigners *foreigners, struct bundle *bundle, size_t column, uint64_t hash)
{
	struct foreign *foreign = fw_arena_alloc(&foreigners->arena, sizeof *foreign);
	foreign->bundle = bundle;
	foreign->column = (uint32_t)column;
	map_add(&foreigners->map, &foreign->link, hash);
	return foreign;
}

/* Somebody else may have come with the same ones meanwhile. */
static void settle_bundle(struct newcomers *new, size_t first, size_t n, uint32_t schema)
{
	struct foreigners *foreigners = &new->store->foreigners;
	struct host *host = new->all[first]->host;
	struct bundle *bundle =
		add_bundle(foreigners, host, names_schema(&new->store->names, schema));
	for (size_t i = 0; i < n; i++) {
		const struct newcomer *one = new->all[first + i];
		struct store_foreign *series = one->series;
		series->foreign = find(foreigners, one->link.hash, series);
		if (series->foreign)
			give_back(new->store, host);
		else
			series->foreign = add(foreigners, bundle, i, one->link.hash);
	}
}

static void settle(struct newcomers *new)
{
	struct foreigners *foreigners = &new->store->foreigners;
	size_t bundle = 0;
	pthread_rwlock_wrlock(&foreigners->lock);
	for (size_t i = 0, n; i < new->n; i += n) {
		n = bundle_size(new, i);
		settle_bundle(new, i, n, new->ids[bundle++]);
	}
	pthread_rwlock_unlock(&foreigners->lock);
	for (struct again *again = new->again; again; again = again->next)
		again->series->foreign = again->of->foreign;
}

static int make_newcomers(struct newcomers *new, struct fw_err *err)
{
	if (new->n == 0)
		return 0;
	make_schemas(new);
	new->ids = fw_arena_alloc(&new->arena, new->n_bundles * sizeof *new->ids);
	int rc = store_schemas_intern(new->store, new->schemas, new->n_bundles, new->ids, err);
	if (rc >= 0) {
		settle(new);
		return 0;
	}
	for (size_t i = 0; i < new->n; i++)
		give_back(new->store, new->all[i]->host);
	return rc;
}

static void look_up(
	struct foreigners *foreigners, struct store_foreign *series, size_t n, uint64_t *hashes)
{
	for (size_t i = 0; i < n; i++)
		hashes[i] = hash_labels(series[i].labels, series[i].n_labels);
	pthread_rwlock_rdlock(&foreigners->lock);
	for (size_t i = 0; i < n; i++)
		series[i].foreign = find(foreigners, hashes[i], &series[i]);
	pthread_rwlock_unlock(&foreigners->lock);
}

int store_foreign_open(struct store *store, struct store_foreign *series, size_t n, int64_t now_ms,
	struct fw_err *err)
{
	struct newcomers new = {.store = store};
	uint64_t *hashes = fw_arena_alloc(&new.arena, n * sizeof *hashes + 1);
	int rc = 0;
	look_up(&store->foreigners, series, n, hashes);
	for (size_t i = 0; i < n && rc >= 0; i++) {
		series[i].refusal = STORE_TAKEN;
		series[i].n_merged = 0;
		sift(store, &series[i], now_ms);
		if (!series[i].foreign && series[i].n_samples > 0)
			rc = add_newcomer(&new, &series[i], hashes[i], err);
	}
	if (rc >= 0)
		rc = make_newcomers(&new, err);
	else
		for (size_t i = 0; i < new.n; i++)
			give_back(store, new.all[i]->host);
	map_done(&new.map);
	fw_free(new.all);
	fw_arena_done(&new.arena);
	return rc;
}

void foreigners_know(
	struct foreigners *foreigners, struct host *host, const struct named_schema *schema)
{
	uint64_t of_host = hash_labels(host->name->labels, host->name->n_labels);
	pthread_rwlock_wrlock(&foreigners->lock);
	struct bundle *bundle = add_bundle(foreigners, host, schema);
	for (uint32_t i = 0; i < schema->schema.n_columns; i++) {
		const struct fw_column *column = &schema->schema.columns[i];
		add(foreigners, bundle, i,
			of_host + hash_label("__name__", column->name) +
				hash_labels(column->labels, column->n_labels));
	}
	pthread_rwlock_unlock(&foreigners->lock);
	atomic_fetch_add(&host->n_foreign, schema->schema.n_columns);
}

/* ---- one call for all of it ---- */

struct waiting {
	struct store_entry entry; /* first */
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool done;
};

static void on_done(struct store_entry *entry)
{
	struct waiting *waiting = (struct waiting *)(void *)entry;
	pthread_mutex_lock(&waiting->lock);
	waiting->done = true;
	pthread_cond_signal(&waiting->told);
	pthread_mutex_unlock(&waiting->lock);
}

int store_foreign_write(struct store *store, struct store_foreign *series, size_t n, int64_t now_ms,
	struct fw_err *err)
{
	struct waiting waiting = {
		.entry =
			{
				.kind = STORE_FOREIGN,
				.foreign = series,
				.n_foreign = n,
				.received_ms = now_ms,
				.on_done = on_done,
			},
	};
	int rc = store_foreign_open(store, series, n, now_ms, err);
	if (rc < 0)
		return rc;
	pthread_mutex_init(&waiting.lock, NULL);
	pthread_cond_init(&waiting.told, NULL);
	store_submit(store, &waiting.entry);
	pthread_mutex_lock(&waiting.lock);
	while (!waiting.done)
		pthread_cond_wait(&waiting.told, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
	pthread_mutex_destroy(&waiting.lock);
	pthread_cond_destroy(&waiting.told);
	return waiting.entry.verdict == STORE_DURABLE
		? 0
		: fw_fail(err, -EIO, "the store takes nothing now");
}
