/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas of a spool: their ids, and their texts as long as something needs them. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include <fenwatch/items.h>
#include <fenwatch/mem.h>

#include "spool_internal.h"

/* The room that packing asks for is many times what it fills. */
static bool has_packed(struct known_schema *k)
{
	struct fw_buf wide = {0};
	if (k->packed.length > 0)
		return true;
	if (k->message && fw_items_pack(&wide, k->message, k->length, NULL) >= 0)
		fw_buf_append(&k->packed, wide.data, wide.length);
	fw_buf_done(&wide);
	return k->packed.length > 0;
}

/* What is borrowed is needed again when its frame goes to disk or a connection begins. */
static void pack(struct known_schema *k)
{
	if (!has_packed(k))
		return;
	fw_free(k->message);
	k->message = NULL;
}

static void unpack(struct known_schema *k)
{
	struct fw_buf text = {0};
	if (k->message || k->packed.length == 0)
		return;
	if (fw_items_unpack(&text, k->packed.data, k->packed.length, k->length, NULL) < 0)
		return;
	k->message = fw_alloc(k->length + 1);
	memcpy(k->message, text.data, k->length);
	fw_buf_done(&text);
}

static void schema_drop(struct known_schema *k)
{
	fw_free(k->message);
	fw_buf_done(&k->difference);
	fw_buf_done(&k->packed);
	k->message = NULL;
	k->base = 0;
}

struct known_schema *spool_schema_by_id(const struct spool *s, uint32_t id)
{
	for (size_t i = s->n_schemas; i-- > 0;)
		if (s->schemas[i].id == id)
			return &s->schemas[i];
	return NULL;
}

void spool_schema_taken(struct spool *s, uint32_t id)
{
	if (id >= s->next_schema)
		s->next_schema = id + 1;
}

static struct known_schema *schema_add(struct spool *s, uint32_t id, const uint8_t *hash)
{
	if (s->n_schemas == s->schema_room) {
		s->schema_room = s->schema_room ? 2 * s->schema_room : 4;
		s->schemas = fw_realloc(s->schemas, s->schema_room * sizeof *s->schemas);
	}
	struct known_schema *k = &s->schemas[s->n_schemas++];
	*k = (struct known_schema){.id = id};
	memcpy(k->hash, hash, FW_SCHEMA_HASH);
	spool_schema_taken(s, id);
	return k;
}

/* hash, columns u32, and the message, or its length u32 and the message under zstd. */
#define SCHEMA_HEAD (FW_SCHEMA_HASH + 4)
#define PACKED_HEAD (SCHEMA_HEAD + 4)

void spool_schema_record(const struct spool *s, uint32_t id, struct fw_buf *out)
{
	struct known_schema *k = spool_schema_by_id(s, id);
	uint8_t head[PACKED_HEAD];
	struct fw_buf payload = {0};
	if (!k || (!has_packed(k) && !k->message))
		return;
	bool packed = k->packed.length > 0;
	memcpy(head, k->hash, FW_SCHEMA_HASH);
	put_u32(head + FW_SCHEMA_HASH, k->n_columns);
	put_u32(head + SCHEMA_HEAD, (uint32_t)k->length);
	fw_buf_append(&payload, head, packed ? PACKED_HEAD : SCHEMA_HEAD);
	fw_buf_append(&payload, packed ? k->packed.data : k->message,
		packed ? k->packed.length : k->length);
	struct record record = {
		.kind = packed ? RECORD_PACKED_SCHEMA : RECORD_SCHEMA,
		.frame = {.schema = id, .payload = payload.data, .length = payload.length},
	};
	record_put(out, &record);
	fw_buf_done(&payload);
}

void spool_schema_learn(struct spool *s, const struct record *record)
{
	const uint8_t *payload = record->frame.payload;
	bool packed = record->kind == RECORD_PACKED_SCHEMA;
	size_t head = packed ? PACKED_HEAD : SCHEMA_HEAD, length = record->frame.length;
	if (!record_is_schema(record) || length < head)
		return;
	struct known_schema *k = spool_schema_by_id(s, record->frame.schema);
	if (!k)
		k = schema_add(s, record->frame.schema, payload);
	if (k->message || k->packed.length > 0)
		return;
	k->n_columns = get_u32(payload + FW_SCHEMA_HASH);
	k->length = packed ? get_u32(payload + SCHEMA_HEAD) : length - head;
	if (packed) {
		fw_buf_append(&k->packed, payload + head, length - head);
		return;
	}
	k->message = fw_alloc(k->length + 1);
	memcpy(k->message, payload + head, k->length);
}

static bool schema_is_held(const struct spool *s, uint32_t id)
{
	for (int lane = 0; lane < LANES; lane++)
		for (const struct held *h = s->lanes[lane].first; h; h = h->next)
			if (h->frame.schema == id)
				return true;
	return spool_gathering_holds(s, id);
}

static bool disk_is_empty(const struct spool *s)
{
	return s->n_segments == 0 && s->journal_bytes == 0 && s->gathering.bytes == 0;
}

void spool_schemas_trim(struct spool *s)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->n_schemas; i++) {
		struct known_schema *k = &s->schemas[i];
		bool in_use = k->id == s->schema_in_use || schema_is_held(s, k->id);
		if (!in_use && k->borrowers > 0) {
			pack(k);
		} else if (!in_use) {
			schema_drop(k);
			if (disk_is_empty(s))
				continue;
		}
		s->schemas[kept++] = *k;
	}
	s->n_schemas = kept;
}

/* Made while the one before is still known: most changes are a few series. */
static void take_difference(
	struct known_schema *k, const struct fw_schema *schema, const struct known_schema *before)
{
	struct fw_arena arena = {0};
	struct fw_schema base;
	uint32_t id;
	if (k->difference.length > 0 || !before || before->id == k->id || !before->message)
		return;
	if (fw_schema_decode(
		    before->message, before->length, &arena, NULL, NULL, &id, &base, NULL) == 0) {
		fw_schema_encode(schema, k->id, &base, &k->difference);
		k->base = before->id;
	}
	if (k->difference.length >= k->length)
		k->base = 0;
	fw_arena_done(&arena);
}

/* Known with its text from now on. */
static struct known_schema *schema_know(struct spool *s, const struct fw_schema *schema)
{
	struct known_schema *k = NULL;
	for (size_t i = 0; i < s->n_schemas && !k; i++)
		if (memcmp(s->schemas[i].hash, schema->hash, FW_SCHEMA_HASH) == 0)
			k = &s->schemas[i];
	if (!k)
		k = schema_add(s, s->next_schema, schema->hash);
	unpack(k);
	if (!k->message) {
		struct fw_buf buf = {0};
		fw_schema_encode(schema, k->id, NULL, &buf);
		k->message = fw_alloc(buf.length + 1);
		memcpy(k->message, buf.data, buf.length);
		k->length = buf.length;
		fw_buf_done(&buf);
	}
	k->n_columns = schema->n_columns;
	return k;
}

uint32_t spool_schema_borrow(struct spool *s, const struct fw_schema *schema, size_t *bytes)
{
	struct known_schema *k = schema_know(s, schema);
	k->borrowers++;
	if (k->id != s->schema_in_use)
		pack(k);
	*bytes = sizeof *k + k->packed.length;
	return k->id;
}

void spool_schema_return(struct spool *s, uint32_t id)
{
	struct known_schema *k = spool_schema_by_id(s, id);
	assert(k && k->borrowers > 0);
	k->borrowers--; /* the next look at what is needed finds it */
}

uint32_t spool_schema_use(struct spool *s, const struct fw_schema *schema)
{
	struct known_schema *k = schema_know(s, schema);
	take_difference(k, schema, spool_schema_by_id(s, s->schema_in_use));
	s->schema_in_use = k->id;
	uint32_t id = k->id;
	spool_schemas_trim(s);
	return id;
}

/* Hundreds may be asked for one after the other, when a connection begins. */
static void pack_asked(struct spool *s, uint32_t next)
{
	struct known_schema *k = spool_schema_by_id(s, s->schema_asked);
	if (k && k->id != next && k->id != s->schema_in_use && k->packed.length > 0)
		pack(k);
	s->schema_asked = next;
}

int spool_schema(struct spool *s, uint32_t id, const uint8_t **message, size_t *length)
{
	struct known_schema *k = spool_schema_by_id(s, id);
	pack_asked(s, id);
	if (k)
		unpack(k);
	if (!k || !k->message)
		return -ENOENT;
	*message = k->message;
	*length = k->length;
	return 0;
}

int spool_schema_difference(
	const struct spool *s, uint32_t id, uint32_t *base, const uint8_t **message, size_t *length)
{
	const struct known_schema *k = spool_schema_by_id(s, id);
	if (!k || k->base == 0)
		return -ENOENT;
	*base = k->base;
	*message = k->difference.data;
	*length = k->difference.length;
	return 0;
}

const uint8_t *spool_schema_hash(const struct spool *s, uint32_t id)
{
	const struct known_schema *k = spool_schema_by_id(s, id);
	return k ? k->hash : NULL;
}

uint32_t spool_schema_columns(const struct spool *s, uint32_t id)
{
	const struct known_schema *k = spool_schema_by_id(s, id);
	return k ? k->n_columns : 0;
}

void spool_schemas(const struct spool *s,
	void (*each)(uint32_t id, const uint8_t hash[FW_SCHEMA_HASH], void *arg), void *arg)
{
	for (size_t i = 0; i < s->n_schemas; i++)
		each(s->schemas[i].id, s->schemas[i].hash, arg);
}

void spool_schemas_done(struct spool *s)
{
	for (size_t i = 0; i < s->n_schemas; i++)
		schema_drop(&s->schemas[i]);
	fw_free(s->schemas);
}
