/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <fenwatch/array.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "foreign.h"

/* ---- what is in memory ---- */

static uint64_t hash_column(const struct fw_column *column)
{
	uint64_t hash = map_hash(column->name, strlen(column->name), 1);
	for (unsigned i = 0; i < column->n_labels; i++) {
		hash = map_hash(column->labels[i].name, strlen(column->labels[i].name), hash);
		hash = map_hash(column->labels[i].value, strlen(column->labels[i].value), hash);
	}
	return hash;
}

static int by_hash(const void *a, const void *b)
{
	const struct column_key *x = a, *y = b;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static void fill_keys(struct column_key *keys, const struct fw_schema *schema)
{
	for (uint32_t i = 0; i < schema->n_columns; i++)
		keys[i] = (struct column_key){(uint32_t)hash_column(&schema->columns[i]), i};
	qsort(keys, schema->n_columns, sizeof *keys, by_hash);
}

static bool same_series(const struct fw_column *a, const struct fw_column *b)
{
	if (strcmp(a->name, b->name) != 0 || a->n_labels != b->n_labels)
		return false;
	for (unsigned i = 0; i < a->n_labels; i++) {
		if (strcmp(a->labels[i].name, b->labels[i].name) != 0 ||
			strcmp(a->labels[i].value, b->labels[i].value) != 0)
			return false;
	}
	return true;
}

const struct fw_column *names_same_column(
	const struct named_schema *schema, uint32_t hash, const struct fw_column *column)
{
	uint32_t low = 0, high = schema->schema.n_columns;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (schema->keys[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < schema->schema.n_columns && schema->keys[low].hash == hash; low++) {
		const struct fw_column *found = &schema->schema.columns[schema->keys[low].column];
		if (same_series(found, column))
			return found;
	}
	return NULL;
}

struct symbol {
	struct link link;
	char text[];
};

/* Every text is kept once: series from elsewhere come with the same ones again and again. */
static const char *keep_text(struct names *names, const char *text)
{
	size_t length = strlen(text);
	uint64_t hash = map_hash(text, length, 1);
	for (struct link *at = map_find(&names->symbols, hash); at; at = map_again(at)) {
		const struct symbol *known = (const struct symbol *)(void *)at;
		if (strcmp(known->text, text) == 0)
			return known->text;
	}
	struct symbol *symbol = fw_arena_alloc(&names->arena, sizeof *symbol + length + 1);
	memcpy(symbol->text, text, length);
	map_add(&names->symbols, &symbol->link, hash);
	return symbol->text;
}

static void copy_labels(
	struct names *names, const struct fw_label *labels, size_t n, struct fw_label *to)
{
	for (size_t i = 0; i < n; i++) {
		to[i].name = keep_text(names, labels[i].name);
		to[i].value = keep_text(names, labels[i].value);
	}
}

struct label_set {
	struct link link;
	size_t n;
	struct fw_label labels[];
};

/* So are the labels of a column: the schemas of a host, or of many alike, differ little. */
static const struct fw_label *keep_labels(
	struct names *names, const struct fw_label *labels, size_t n)
{
	struct fw_label kept[FW_LABELS_LIMIT];
	const size_t bytes = n * sizeof *kept;
	assert(n <= FW_LABELS_LIMIT);
	copy_labels(names, labels, n, kept);
	uint64_t hash = map_hash(kept, bytes, n);
	for (struct link *at = map_find(&names->label_sets, hash); at; at = map_again(at)) {
		const struct label_set *known = (const struct label_set *)(void *)at;
		if (known->n == n && memcmp(known->labels, kept, bytes) == 0)
			return known->labels;
	}
	struct label_set *set = fw_arena_alloc(&names->arena, sizeof *set + bytes);
	set->n = n;
	memcpy(set->labels, kept, bytes);
	map_add(&names->label_sets, &set->link, hash);
	return set->labels;
}

static uint64_t hash_labels(const struct fw_label *labels, size_t n_labels)
{
	struct fw_column as_column = {.name = "", .labels = labels, .n_labels = (uint16_t)n_labels};
	return hash_column(&as_column);
}

/* Those of series from elsewhere, of which each has its own, lie with the schema. */
static size_t count_own_labels(const struct fw_schema *schema)
{
	size_t n = 0;
	for (uint32_t i = 0; i < schema->n_columns && schema_is_foreign(schema); i++)
		n += schema->columns[i].n_labels;
	return n;
}

static void copy_columns(struct names *names, const struct fw_schema *schema,
	struct fw_column *columns, struct fw_label *own)
{
	for (uint32_t i = 0; i < schema->n_columns; i++) {
		const struct fw_column *from = &schema->columns[i];
		columns[i] = *from;
		columns[i].name = keep_text(names, from->name);
		if (schema_is_foreign(schema)) {
			columns[i].labels = own;
			copy_labels(names, from->labels, from->n_labels, own);
			own += from->n_labels;
		} else {
			columns[i].labels = keep_labels(names, from->labels, from->n_labels);
		}
	}
}

/* What is its own is one piece of memory. */
static struct named_schema *new_schema(
	struct names *names, uint32_t id, const struct fw_schema *schema)
{
	uint32_t n = schema->n_columns;
	size_t n_labels = count_own_labels(schema);
	struct named_schema *named = fw_alloc(sizeof *named + n * sizeof(struct fw_column) +
		n_labels * sizeof(struct fw_label) + n * sizeof(struct column_key));
	struct fw_column *columns = (struct fw_column *)(void *)(named + 1);
	struct fw_label *own = (struct fw_label *)(void *)(columns + n);
	named->id = id;
	named->schema = *schema;
	named->schema.columns = columns;
	named->keys = (struct column_key *)(void *)(own + n_labels);
	copy_columns(names, schema, columns, own);
	fill_keys(named->keys, &named->schema);
	return named;
}

static void add_schema(struct names *names, struct named_schema *named)
{
	uint32_t id = named->id;
	names->schemas = fw_array_reach(
		names->schemas, &names->schemas_capacity, id, sizeof(struct named_schema *));
	names->schemas[id] = named;
	if (id > names->n_schemas)
		names->n_schemas = id;
	map_add(&names->schema_map, &named->link, get_u64(named->schema.hash));
}

static void add_host(
	struct names *names, uint32_t id, const struct fw_label *labels, size_t n_labels)
{
	struct named_host *named = fw_arena_alloc(&names->arena, sizeof *named);
	named->id = id;
	named->labels = fw_arena_alloc(&names->arena, n_labels * sizeof *labels + 1);
	copy_labels(names, labels, n_labels, named->labels);
	named->n_labels = n_labels;
	names->hosts = fw_array_reach(
		names->hosts, &names->hosts_capacity, id, sizeof(struct named_host *));
	names->hosts[id] = named;
	if (id > names->n_hosts)
		names->n_hosts = id;
	map_add(&names->host_map, &named->link, hash_labels(labels, n_labels));
}

static struct named_schema *schema_at(const struct names *names, uint32_t id)
{
	return id < names->schemas_capacity ? names->schemas[id] : NULL;
}

static struct named_host *host_at(const struct names *names, uint32_t id)
{
	return id < names->hosts_capacity ? names->hosts[id] : NULL;
}

/* The record that made it may be damaged: then there is nothing left to hide. */
static void mark_forgotten(struct names *names, uint32_t id)
{
	struct named_host *host = host_at(names, id);
	if (host)
		atomic_store(&host->forgotten, true);
}

/* ---- what is on disk ---- */

static const struct fw_schema *no_base(const uint8_t *hash, void *arg)
{
	(void)hash;
	(void)arg;
	return NULL;
}

static bool take_schema(uint32_t id, const uint8_t *data, size_t length, void *arg)
{
	struct names *names = arg;
	struct fw_arena scratch = {0};
	struct fw_schema schema;
	uint32_t wire_id;
	bool sound = !schema_at(names, id) &&
		fw_schema_decode(data, length, &scratch, no_base, NULL, &wire_id, &schema, NULL) >=
			0;
	if (sound) {
		add_schema(names, new_schema(names, id, &schema));
		names->schemas[id]->stored = (uint32_t)name_record_bytes(length);
	}
	fw_arena_done(&scratch);
	return sound;
}

static const char *take_text(struct fw_arena *arena, const uint8_t **at, const uint8_t *end)
{
	if (end - *at < 2)
		return NULL;
	size_t length = get_u16(*at);
	*at += 2;
	if ((size_t)(end - *at) < length)
		return NULL;
	const char *text = fw_arena_strndup(arena, (const char *)*at, length);
	*at += length;
	return text;
}

static bool take_host(uint32_t id, const uint8_t *data, size_t length, void *arg)
{
	struct names *names = arg;
	struct fw_arena scratch = {0};
	struct fw_label labels[FW_LABELS_LIMIT];
	const uint8_t *at = data, *end = data + length;
	size_t n = 0;
	bool sound = true;
	while (sound && at < end) {
		sound = n < FW_LABELS_LIMIT && (labels[n].name = take_text(&scratch, &at, end)) &&
			(labels[n].value = take_text(&scratch, &at, end));
		n++;
	}
	bool unlabelled = n == 1 && sound && !*labels[0].name;
	if (sound && n > 0)
		add_host(names, id, labels, unlabelled ? 0 : n);
	else if (sound)
		mark_forgotten(names, id);
	if (sound && host_at(names, id))
		names->hosts[id]->stored += (uint32_t)name_record_bytes(length);
	fw_arena_done(&scratch);
	return sound;
}

int names_open(struct names *names, const char *dir, const struct super *super, bool read_only,
	struct damage *damage, struct fw_err *err)
{
	*names = (struct names){.super = super, .schema_file.fd = -1, .host_file.fd = -1};
	pthread_rwlock_init(&names->lock, NULL);
	pthread_mutex_init(&names->growing, NULL);
	int rc = name_file_open(&names->schema_file, dir, FILE_SCHEMAS, super, read_only, err);
	if (rc >= 0)
		rc = name_file_open(&names->host_file, dir, FILE_HOSTS, super, read_only, err);
	if (rc < 0)
		return rc;
	rc = name_file_read(&names->schema_file, take_schema, names);
	if (rc >= 0)
		rc = name_file_read(&names->host_file, take_host, names);
	damage_found(damage, names->schema_file.damaged, "schema.log: %u damaged places",
		names->schema_file.damaged);
	damage_found(damage, names->host_file.damaged, "host.log: %u damaged places",
		names->host_file.damaged);
	return rc < 0 ? fw_fail_sys(err, rc, "cannot read the store's names in %s", dir) : 0;
}

void names_close(struct names *names)
{
	if (!names->super)
		return;
	name_file_close(&names->schema_file);
	name_file_close(&names->host_file);
	map_done(&names->schema_map);
	map_done(&names->host_map);
	map_done(&names->symbols);
	map_done(&names->label_sets);
	for (size_t id = 0; id < names->schemas_capacity; id++)
		fw_free(names->schemas[id]);
	fw_free(names->schemas);
	fw_free(names->hosts);
	fw_arena_done(&names->arena);
	pthread_rwlock_destroy(&names->lock);
	pthread_mutex_destroy(&names->growing);
}

/* ---- looking up and making ---- */

const struct named_schema *names_schema(struct names *names, uint32_t id)
{
	pthread_rwlock_rdlock(&names->lock);
	const struct named_schema *found = schema_at(names, id);
	pthread_rwlock_unlock(&names->lock);
	return found;
}

const struct named_host *names_host(struct names *names, uint32_t id)
{
	pthread_rwlock_rdlock(&names->lock);
	const struct named_host *found = host_at(names, id);
	pthread_rwlock_unlock(&names->lock);
	return found;
}

static const struct named_schema *find_in(const struct map *map, const uint8_t hash[FW_SCHEMA_HASH])
{
	for (struct link *at = map_find(map, get_u64(hash)); at; at = map_again(at)) {
		const struct named_schema *named = (const struct named_schema *)(void *)at;
		if (memcmp(named->schema.hash, hash, FW_SCHEMA_HASH) == 0)
			return named;
	}
	return NULL;
}

const struct named_schema *names_find_schema(
	struct names *names, const uint8_t hash[FW_SCHEMA_HASH])
{
	pthread_rwlock_rdlock(&names->lock);
	const struct named_schema *found = find_in(&names->schema_map, hash);
	pthread_rwlock_unlock(&names->lock);
	return found;
}

static bool same_labels(
	const struct named_host *host, const struct fw_label *labels, size_t n_labels)
{
	struct fw_column a = {
		.name = "", .labels = host->labels, .n_labels = (uint16_t)host->n_labels};
	struct fw_column b = {.name = "", .labels = labels, .n_labels = (uint16_t)n_labels};
	return same_series(&a, &b);
}

static const struct named_host *find_host(
	struct names *names, const struct fw_label *labels, size_t n_labels)
{
	pthread_rwlock_rdlock(&names->lock);
	const struct named_host *found = NULL;
	struct link *at = map_find(&names->host_map, hash_labels(labels, n_labels));
	for (; at && !found; at = map_again(at)) {
		const struct named_host *named = (const struct named_host *)(void *)at;
		if (same_labels(named, labels, n_labels) && !atomic_load(&named->forgotten))
			found = named;
	}
	pthread_rwlock_unlock(&names->lock);
	return found;
}

bool names_failed(const struct names *names)
{
	return names->schema_file.failed || names->host_file.failed;
}

/* Schemas that get their ids together, and are known when those are durable. */
struct fresh {
	struct map map;
	struct named_schema **schemas;
	size_t n;
	struct fw_buf records;
};

static const struct named_schema *stage(struct names *names, struct fresh *fresh,
	const struct fw_schema *schema, struct fw_err *err)
{
	struct fw_buf *records = &fresh->records;
	uint32_t id;
	if (name_file_take_id(&names->schema_file, &id, err) < 0)
		return NULL;
	size_t from = name_record_begin(records);
	fw_schema_encode(schema, 0, NULL, records);
	name_record_end(&names->schema_file, records, from, id);
	pthread_rwlock_wrlock(&names->lock);
	struct named_schema *named = new_schema(names, id, schema);
	pthread_rwlock_unlock(&names->lock);
	fresh->schemas[fresh->n++] = named;
	map_add(&fresh->map, &named->link, get_u64(schema->hash));
	return named;
}

static int publish(struct names *names, const struct fresh *fresh, struct fw_err *err)
{
	if (fresh->n == 0)
		return 0;
	int rc = name_file_append(&names->schema_file, &fresh->records, err);
	if (rc < 0)
		return rc;
	pthread_rwlock_wrlock(&names->lock);
	for (size_t i = 0; i < fresh->n; i++)
		add_schema(names, fresh->schemas[i]);
	pthread_rwlock_unlock(&names->lock);
	return 0;
}

static int make_schemas(struct names *names, const struct fw_schema *schemas, size_t n,
	uint32_t *ids, struct fw_err *err)
{
	struct fresh fresh = {
		.schemas = fw_alloc_array(n, sizeof(struct named_schema *)),
	};
	int rc = names_failed(names) ? fw_fail(err, -EIO, "the store has failed") : 0;
	for (size_t i = 0; i < n && rc >= 0; i++) {
		const struct named_schema *found = names_find_schema(names, schemas[i].hash);
		if (!found)
			found = find_in(&fresh.map, schemas[i].hash);
		if (!found)
			found = stage(names, &fresh, &schemas[i], err);
		rc = found ? 0 : -ENOSPC;
		ids[i] = found ? found->id : 0;
	}
	if (rc >= 0)
		rc = publish(names, &fresh, err);
	for (size_t i = 0; i < fresh.n && rc < 0; i++)
		fw_free(fresh.schemas[i]);
	map_done(&fresh.map);
	fw_free(fresh.schemas);
	fw_buf_done(&fresh.records);
	return rc;
}

int names_intern_schemas(struct names *names, const struct fw_schema *schemas, size_t n,
	uint32_t *ids, struct fw_err *err)
{
	size_t known = 0;
	for (; known < n; known++) {
		const struct named_schema *found = names_find_schema(names, schemas[known].hash);
		if (!found)
			break;
		ids[known] = found->id;
	}
	if (known == n)
		return 0;
	pthread_mutex_lock(&names->growing);
	int rc = make_schemas(names, schemas + known, n - known, ids + known, err);
	pthread_mutex_unlock(&names->growing);
	return rc;
}

static void put_text(struct fw_buf *record, const char *text)
{
	size_t length = strlen(text);
	uint8_t head[2];
	put_u16(head, (uint16_t)length);
	fw_buf_append(record, head, sizeof head);
	fw_buf_append(record, text, length);
}

static int append(
	struct names *names, struct fw_buf *record, size_t from, uint32_t id, struct fw_err *err)
{
	name_record_end(&names->host_file, record, from, id);
	return name_file_append(&names->host_file, record, err);
}

static int make_host(struct names *names, const struct fw_label *labels, size_t n_labels,
	uint32_t *id, struct fw_err *err)
{
	struct fw_buf record = {0};
	size_t from = name_record_begin(&record);
	for (size_t i = 0; i < n_labels; i++) {
		put_text(&record, labels[i].name);
		put_text(&record, labels[i].value);
	}
	if (n_labels == 0) {
		put_text(&record, "");
		put_text(&record, "");
	}
	int rc = name_file_take_id(&names->host_file, id, err);
	if (rc >= 0)
		rc = append(names, &record, from, *id, err);
	fw_buf_done(&record);
	if (rc < 0)
		return rc;
	pthread_rwlock_wrlock(&names->lock);
	add_host(names, *id, labels, n_labels);
	pthread_rwlock_unlock(&names->lock);
	return 0;
}

static int check_labels(const struct fw_label *labels, size_t n_labels, struct fw_err *err)
{
	if (n_labels > FW_LABELS_LIMIT)
		return fw_fail(err, -EINVAL, "a host has at most %d labels", FW_LABELS_LIMIT);
	for (size_t i = 0; i < n_labels; i++) {
		if (strlen(labels[i].name) > FW_SYMBOL_LIMIT ||
			strlen(labels[i].value) > FW_SYMBOL_LIMIT)
			return fw_fail(err, -EINVAL, "a host's label is longer than %d bytes",
				FW_SYMBOL_LIMIT);
		if (i > 0 && strcmp(labels[i - 1].name, labels[i].name) >= 0)
			return fw_fail(err, -EINVAL, "a host's labels are not in order");
	}
	return 0;
}

int names_intern_host(struct names *names, const struct fw_label *labels, size_t n_labels,
	uint32_t *id, struct fw_err *err)
{
	int rc = check_labels(labels, n_labels, err);
	if (rc < 0)
		return rc;
	const struct named_host *found = find_host(names, labels, n_labels);
	if (!found) {
		pthread_mutex_lock(&names->growing);
		found = find_host(names, labels, n_labels);
		if (!found)
			rc = names_failed(names) ? -EIO
						 : make_host(names, labels, n_labels, id, err);
		pthread_mutex_unlock(&names->growing);
	}
	if (found)
		*id = found->id;
	return rc;
}

int names_forget_host(struct names *names, uint32_t id, struct fw_err *err)
{
	const struct named_host *host = names_host(names, id);
	struct fw_buf record = {0};
	if (!host || atomic_load(&host->forgotten))
		return fw_fail(err, -ENOENT, "the store has no such host");
	size_t from = name_record_begin(&record);
	pthread_mutex_lock(&names->growing);
	int rc = names_failed(names) ? fw_fail(err, -EIO, "the store has failed")
				     : append(names, &record, from, id, err);
	if (rc >= 0)
		mark_forgotten(names, id);
	pthread_mutex_unlock(&names->growing);
	fw_buf_done(&record);
	return rc;
}
