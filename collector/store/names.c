/* SPDX-License-Identifier: Apache-2.0 */
/* A record is an envelope with id u32 and the name itself: a Schema message,
 * or a host's labels as length u16 and bytes, name and value by turns; without any,
 * the host of that id is forgotten, and a host that has none is written with one whose
 * name is empty. A record stands alone, so a damaged one takes no other with it.
 */
#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <fenwatch/array.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"

enum { RECORD_HEAD = ENVELOPE_BYTES + 4 };

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

static struct column_key *make_keys(struct fw_arena *arena, const struct fw_schema *schema)
{
	struct column_key *keys = fw_arena_alloc(arena, schema->n_columns * sizeof *keys + 1);
	for (uint32_t i = 0; i < schema->n_columns; i++)
		keys[i] = (struct column_key){hash_column(&schema->columns[i]), i};
	qsort(keys, schema->n_columns, sizeof *keys, by_hash);
	return keys;
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
	const struct named_schema *schema, uint64_t hash, const struct fw_column *column)
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

static struct fw_label *copy_labels(struct names *names, const struct fw_label *labels, size_t n)
{
	struct fw_label *copy = fw_arena_alloc(&names->arena, n * sizeof *copy + 1);
	for (size_t i = 0; i < n; i++) {
		copy[i].name = keep_text(names, labels[i].name);
		copy[i].value = keep_text(names, labels[i].value);
	}
	return copy;
}

static const struct fw_column *copy_columns(struct names *names, const struct fw_schema *schema)
{
	struct fw_column *copy =
		fw_arena_alloc(&names->arena, schema->n_columns * sizeof *copy + 1);
	for (uint32_t i = 0; i < schema->n_columns; i++) {
		copy[i] = schema->columns[i];
		copy[i].name = keep_text(names, copy[i].name);
		copy[i].labels = copy_labels(names, copy[i].labels, copy[i].n_labels);
	}
	return copy;
}

static uint64_t hash_labels(const struct fw_label *labels, size_t n_labels)
{
	struct fw_column as_column = {.name = "", .labels = labels, .n_labels = (uint16_t)n_labels};
	return hash_column(&as_column);
}

static struct named_schema *new_schema(
	struct names *names, uint32_t id, const struct fw_schema *schema)
{
	struct named_schema *named = fw_arena_alloc(&names->arena, sizeof *named);
	named->id = id;
	named->schema = *schema;
	named->schema.columns = copy_columns(names, schema);
	named->keys = make_keys(&names->arena, &named->schema);
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
	named->labels = copy_labels(names, labels, n_labels);
	named->n_labels = n_labels;
	names->hosts = fw_array_reach(
		names->hosts, &names->hosts_capacity, id, sizeof(struct named_host *));
	names->hosts[id] = named;
	if (id > names->n_hosts)
		names->n_hosts = id;
	map_add(&names->host_map, &named->link, hash_labels(labels, n_labels));
}

/* The record that made it may be damaged: then there is nothing left to hide. */
static void mark_forgotten(struct names *names, uint32_t id)
{
	if (id < names->hosts_capacity && names->hosts[id])
		atomic_store(&names->hosts[id]->forgotten, true);
}

/* ---- the files ---- */

static const struct fw_schema *no_base(const uint8_t *hash, void *arg)
{
	(void)hash;
	(void)arg;
	return NULL;
}

static bool take_schema(struct names *names, uint32_t id, const uint8_t *data, size_t length)
{
	struct fw_arena scratch = {0};
	struct fw_schema schema;
	uint32_t wire_id;
	int rc = fw_schema_decode(data, length, &scratch, no_base, NULL, &wire_id, &schema, NULL);
	if (rc >= 0)
		add_schema(names, new_schema(names, id, &schema));
	fw_arena_done(&scratch);
	return rc >= 0;
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

static bool take_host(struct names *names, uint32_t id, const uint8_t *data, size_t length)
{
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
	fw_arena_done(&scratch);
	return sound;
}

/* What lies between two sound records is damage; what lies behind the last was
 * never synced, and the next record is written over it. */
static int read_names(struct names *names, struct name_file *file,
	bool (*take)(struct names *, uint32_t, const uint8_t *, size_t))
{
	struct scan scan;
	scan_init(&scan, file->fd, file_size(file->fd), MAGIC_NAME, names->super->salt);
	uint64_t offset = file->end;
	uint32_t length;
	const uint8_t *at;
	while ((at = scan_next(&scan, &offset, &length))) {
		names->damaged += offset != file->end;
		uint32_t id = length >= 4 ? get_u32(at + ENVELOPE_BYTES) : 0;
		bool sound = id > 0 && id < NAME_ID_LIMIT &&
			take(names, id, at + RECORD_HEAD, length - 4);
		names->damaged += !sound;
		if (sound && id >= file->next_id)
			file->next_id = id + 1;
		offset += align8(ENVELOPE_BYTES + (uint64_t)length);
		file->end = offset;
	}
	return scan_done(&scan);
}

static int make_file(
	struct names *names, struct name_file *file, const char *dir, enum file_kind kind)
{
	uint8_t header[FILE_HEADER_BYTES] = {0};
	file_header_seal(header, names->super, kind, 0);
	int rc = fw_pwrite(file->fd, header, sizeof header, 0);
	if (rc >= 0)
		rc = fw_fdatasync(file->fd);
	return rc < 0 ? rc : fw_fsync_dir(dir);
}

static int open_file(struct names *names, struct name_file *file, const char *dir,
	enum file_kind kind, bool read_only, struct fw_err *err)
{
	const char *name = kind == FILE_SCHEMAS ? "schema.log" : "host.log";
	char *path = fw_format("%s/%s", dir, name);
	file->fd = fw_open(path, read_only ? O_RDONLY : O_RDWR | O_CREAT, 0600);
	fw_free(path);
	if (file->fd < 0)
		return fw_fail_sys(err, file->fd, "cannot open %s/%s", dir, name);
	file->end = FILE_HEADER_BYTES;
	file->next_id = 1;

	uint8_t header[FILE_HEADER_BYTES];
	ssize_t got = fw_pread(file->fd, header, sizeof header, 0);
	if (got < 0)
		return fw_fail_sys(err, (int)got, "cannot read %s/%s", dir, name);
	int rc = got < (ssize_t)sizeof header ? -EBADMSG
					      : file_header_open(header, names->super, kind, 0);
	if (rc == -ENOTSUP)
		return fw_fail(err, rc, "%s/%s was written by a newer Fenwatch", dir, name);
	names->damaged += rc < 0 && got > 0;
	/* Who was killed may not have come to sync what is read now. */
	if (!read_only)
		rc = rc < 0 ? make_file(names, file, dir, kind) : fw_fdatasync(file->fd);
	if (rc < 0 && !read_only)
		return fw_fail_sys(err, rc, "cannot write %s/%s", dir, name);
	return 0;
}

int names_open(struct names *names, const char *dir, const struct super *super, bool read_only,
	struct fw_err *err)
{
	*names = (struct names){.super = super, .schema_file.fd = -1, .host_file.fd = -1};
	pthread_rwlock_init(&names->lock, NULL);
	pthread_mutex_init(&names->growing, NULL);
	int rc = open_file(names, &names->schema_file, dir, FILE_SCHEMAS, read_only, err);
	if (rc >= 0)
		rc = open_file(names, &names->host_file, dir, FILE_HOSTS, read_only, err);
	if (rc < 0)
		return rc;
	rc = read_names(names, &names->schema_file, take_schema);
	if (rc >= 0)
		rc = read_names(names, &names->host_file, take_host);
	return rc < 0 ? fw_fail_sys(err, rc, "cannot read the store's names in %s", dir) : 0;
}

void names_close(struct names *names)
{
	if (!names->super)
		return;
	if (names->schema_file.fd >= 0)
		fw_close(names->schema_file.fd);
	if (names->host_file.fd >= 0)
		fw_close(names->host_file.fd);
	map_done(&names->schema_map);
	map_done(&names->host_map);
	map_done(&names->symbols);
	fw_free(names->schemas);
	fw_free(names->hosts);
	fw_arena_done(&names->arena);
	pthread_rwlock_destroy(&names->lock);
	pthread_mutex_destroy(&names->growing);
}

void names_skip_ids(struct names *names, uint32_t schema, uint32_t host)
{
	if (schema >= names->schema_file.next_id && schema < NAME_ID_LIMIT)
		names->schema_file.next_id = schema + 1;
	if (host >= names->host_file.next_id && host < NAME_ID_LIMIT)
		names->host_file.next_id = host + 1;
}

/* ---- looking up and making ---- */

const struct named_schema *names_schema(struct names *names, uint32_t id)
{
	pthread_rwlock_rdlock(&names->lock);
	const struct named_schema *found = id < names->schemas_capacity ? names->schemas[id] : NULL;
	pthread_rwlock_unlock(&names->lock);
	return found;
}

const struct named_host *names_host(struct names *names, uint32_t id)
{
	pthread_rwlock_rdlock(&names->lock);
	const struct named_host *found = id < names->hosts_capacity ? names->hosts[id] : NULL;
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

static void seal_record(const struct names *names, uint8_t *record, size_t length, uint32_t id)
{
	put_u32(record + ENVELOPE_BYTES, id);
	envelope_seal(record, MAGIC_NAME, length - ENVELOPE_BYTES, names->super->salt);
}

/* Writes and syncs sealed records. */
static int append_records(struct names *names, struct name_file *file, const struct fw_buf *records,
	struct fw_err *err)
{
	int rc = fw_pwrite(file->fd, records->data, records->length, file->end);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot write a name into the store");
	rc = fw_fdatasync(file->fd);
	if (rc < 0) {
		names->failed = true;
		return fw_fail_sys(err, rc, "cannot sync a name into the store");
	}
	file->end += align8(records->length);
	return 0;
}

static int append_record(struct names *names, struct name_file *file, struct fw_buf *record,
	uint32_t id, struct fw_err *err)
{
	seal_record(names, record->data, record->length, id);
	return append_records(names, file, record, err);
}

static int take_id(struct name_file *file, uint32_t *id, struct fw_err *err)
{
	if (file->next_id >= NAME_ID_LIMIT)
		return fw_fail(err, -ENOSPC, "the store has given out all its ids");
	*id = file->next_id++;
	return 0;
}

static void begin_record(struct fw_buf *record)
{
	static const uint8_t head[RECORD_HEAD];
	fw_buf_append(record, head, sizeof head);
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
	static const uint8_t zeroes[8];
	struct fw_buf *records = &fresh->records;
	uint32_t id;
	if (take_id(&names->schema_file, &id, err) < 0)
		return NULL;
	fw_buf_append(records, zeroes, align8(records->length) - records->length);
	size_t from = records->length;
	begin_record(records);
	fw_schema_encode(schema, 0, NULL, records);
	seal_record(names, records->data + from, records->length - from, id);
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
	int rc = append_records(names, &names->schema_file, &fresh->records, err);
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
	int rc = names->failed ? fw_fail(err, -EIO, "the store has failed") : 0;
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

static int make_host(struct names *names, const struct fw_label *labels, size_t n_labels,
	uint32_t *id, struct fw_err *err)
{
	struct fw_buf record = {0};
	begin_record(&record);
	for (size_t i = 0; i < n_labels; i++) {
		put_text(&record, labels[i].name);
		put_text(&record, labels[i].value);
	}
	if (n_labels == 0) {
		put_text(&record, "");
		put_text(&record, "");
	}
	int rc = take_id(&names->host_file, id, err);
	if (rc >= 0)
		rc = append_record(names, &names->host_file, &record, *id, err);
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
			rc = names->failed ? -EIO : make_host(names, labels, n_labels, id, err);
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
	begin_record(&record);
	pthread_mutex_lock(&names->growing);
	int rc = names->failed ? fw_fail(err, -EIO, "the store has failed")
			       : append_record(names, &names->host_file, &record, id, err);
	if (rc >= 0)
		mark_forgotten(names, id);
	pthread_mutex_unlock(&names->growing);
	fw_buf_done(&record);
	return rc;
}
