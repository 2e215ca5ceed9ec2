/* Series from elsewhere, of one column each.
 *
 * They come alone and at times of their own, so each is a schema of one column of
 * doubles: what is absent from one request says nothing of it. A map finds one by its
 * labels, for any thread; its samples gather in runs as samples.h has them, which only
 * the writer changes. A table has one such run open at a time: what comes late goes
 * between the others there, or, where it does not fit, begins a run of its own.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "host.h"
#include "map.h"
#include "samples.h"
#include "store.h"

struct log_record;

struct foreign {
	struct link link; /* by all its labels */
	struct host *host;
	const struct named_schema *schema;
	struct table *table; /* the writer's; NULL until it has samples */
	uint64_t record;     /* the writer's: the record that it stands in last */
};

struct foreigners {
	pthread_rwlock_t lock;
	struct map map;
	struct fw_arena arena;
};

void foreigners_init(struct foreigners *foreigners);
void foreigners_done(struct foreigners *foreigners);
/* What was found on disk. */
void foreigners_know(
	struct foreigners *foreigners, struct host *host, const struct named_schema *schema);
bool schema_is_foreign(const struct fw_schema *schema);

/* ---- the writer ---- */

void foreign_apply(struct store *store, struct store_entry *entry);
/* A record of the log, again. -EBADMSG: damaged. */
int foreign_replay(struct store *store, const struct log_record *record);
/* Calls back with what stands in a record of the log; -EBADMSG: it is damaged. */
struct foreign_part {
	uint32_t host, schema;
	const struct store_sample *samples;
	size_t n;
};
int foreign_walk(const uint8_t *payload, size_t length,
	void (*on_part)(const struct foreign_part *part, void *arg), void *arg);

/* The samples of a run; returns how many. -EBADMSG. */
int foreign_decode(const struct held *held, int64_t *times_ms, int64_t *cells, uint32_t most);
