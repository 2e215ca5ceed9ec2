/* Who and what: the dictionaries of hosts and schemas.
 *
 * Two files that are appended to. A name is synced before its id is given out, so
 * whatever refers to an id was written after it. Ids start at 1, grow, and are
 * never reused. A host can be forgotten: another record says so, and whoever comes with its
 * labels later is another host. Looking one up takes a read lock, making a new one waits for
 * the disk without holding up readers.
 *
 * What is found stays where it is until the store closes. Schemas that no block and no record
 * of the log mentions any more, and forgotten hosts, leave when the store opens, once they are
 * more than half of their file.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include <fenwatch/err.h>
#include <fenwatch/schema.h>

#include "damage.h"
#include "map.h"
#include "name_file.h"

struct column_key {
	uint32_t hash; /* of name and labels */
	uint32_t column;
};

struct named_schema {
	struct link link;
	uint32_t id;
	uint32_t stored; /* bytes that were read of it */
	bool mentioned;  /* by a block or the log */
	struct fw_schema schema;
	struct column_key *keys; /* sorted: finds what two schemas share */
};

struct named_host {
	struct link link;
	uint32_t id;
	struct fw_label *labels;
	size_t n_labels;
	uint32_t stored;
	bool mentioned;
	atomic_bool forgotten; /* nothing of it may be read any more */
};

struct names {
	const struct super *super;
	pthread_rwlock_t lock;   /* the maps and arrays */
	pthread_mutex_t growing; /* one appends at a time */
	struct fw_arena arena;   /* under `lock`: texts, sets of labels, hosts */
	struct name_file schema_file, host_file;
	struct map schema_map, host_map, symbols, label_sets;
	struct named_schema **schemas; /* by id; holes where a record was damaged */
	struct named_host **hosts;
	size_t schemas_capacity, hosts_capacity;
	uint32_t n_schemas, n_hosts; /* highest ids */
};

/* Opens or makes both files in `dir` and reads them; `damage` hears of what is damaged. With `read_only` nothing is made. */
int names_open(struct names *names, const char *dir, const struct super *super, bool read_only,
	struct damage *damage, struct fw_err *err);
void names_close(struct names *names);
/* A sync failed: nothing more is promised. */
bool names_failed(const struct names *names);
/* While the store opens: a block or the log mentions them; 0: none. The ids are taken, even if
 * their record is lost. */
void names_note(struct names *names, uint32_t schema, uint32_t host);
/* Once all is noted: leaves out what is of no use any more, where it is more than half. Where
 * the disk does not let that be, all stays as it was. */
int names_compact(struct names *names, const char *dir, struct fw_err *err);

/* All of them wait for the disk once. */
int names_intern_schemas(struct names *names, const struct fw_schema *schemas, size_t n,
	uint32_t *ids, struct fw_err *err);
int names_intern_host(struct names *names, const struct fw_label *labels, size_t n_labels,
	uint32_t *id, struct fw_err *err);
/* Durable when it returns. -ENOENT: there is none of this id. */
int names_forget_host(struct names *names, uint32_t id, struct fw_err *err);
const struct named_schema *names_schema(struct names *names, uint32_t id); /* or NULL */
const struct named_host *names_host(struct names *names, uint32_t id);
const struct named_schema *names_find_schema(
	struct names *names, const uint8_t hash[FW_SCHEMA_HASH]);

/* The column of `schema` with the name and labels of `column`, or NULL. */
const struct fw_column *names_same_column(
	const struct named_schema *schema, uint32_t hash, const struct fw_column *column);
