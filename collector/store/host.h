/* Hosts in memory: last cells, and the sweeps that are not in a block yet.
 *
 * A table is one host under one schema. Its sweeps gather in runs, kept as the
 * encoded batches they came in; a run begins with a key and has ascending
 * times. One run is open; it is closed when it has enough, and a closed run is
 * written as a block and forgotten. Late batches are closed runs from the start.
 *
 * Only the writer changes any of this, under the host's lock; readers hold the
 * lock for as long as they copy. The list of tables only grows.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/schema.h>

#include "names.h"

/* An encoded batch. */
struct held {
	struct held *next;
	int64_t shift_ms; /* what is added to its times */
	uint32_t length;
	uint8_t data[];
};

struct run {
	struct run *next;        /* of the table, in the order of the log */
	struct run *next_closed; /* of all tables */
	struct table *table;
	struct held *first, *last;
	size_t bytes;
	uint32_t n_sweeps;
	int64_t t0_ms, t1_ms;
	int64_t opened_ms;               /* on the monotonic clock */
	uint64_t logged_from, logged_to; /* positions of the first and newest record */
	unsigned slots;                  /* log slots that it pins, a bit each */
	bool late, closed, queued;
	struct foreign_column *columns; /* of series from elsewhere, instead of batches */
};

/* From when to when a series from elsewhere has samples. */
struct span {
	int64_t oldest_ms, newest_ms;
};

struct table {
	struct table *next;
	struct host *host;
	const struct named_schema *schema;
	int64_t *last; /* the newest live sweep, NULL: none known */
	int64_t last_ms, received_ms;
	uint64_t owner; /* serial of the stream whose deltas count against `last`; 0: none */
	uint64_t owner_stream;
	uint8_t owner_agent[16];
	bool made_here;     /* not by an agent */
	bool ended;         /* its host uses another schema now */
	bool foreign;       /* of series from elsewhere: see foreign.h */
	struct span *spans; /* of those, each; NULL: not known yet */
	uint64_t keyed;     /* log segment that has a key of it */
	struct run *first, *newest;
	uint32_t run_limit; /* sweeps of the open run */
};

struct host {
	uint32_t id;
	const struct named_host *name;
	pthread_mutex_t lock;
	struct table *tables;
	struct table **by_schema; /* the same by schema id, where they are many */
	size_t n_tables, slots;
	_Atomic uint32_t n_foreign; /* series from elsewhere */
	int64_t newest_ms, received_ms;
	int64_t record_ms; /* when a document or event of it came last */
	int64_t ahead_ms;  /* by which newest_ms was set back */
	uint32_t interval_ms;
	uint64_t changes;
	uint8_t agent[16];
	bool is_device; /* not of job node: some agent speaks for it */
	/* Writer only, see owner.c. */
	struct host *machine;
	uint32_t looked_to;
};

/* By id, in pages that never move: looking one up takes no lock. */
#define HOSTS_OF_PAGE 1024
struct hosts_page {
	_Atomic(struct host *) by_id[HOSTS_OF_PAGE];
};

struct hosts {
	pthread_mutex_t growing;
	_Atomic(struct hosts_page *) pages[NAME_ID_LIMIT / HOSTS_OF_PAGE];
	atomic_uint count; /* highest id + 1 */
};

void hosts_init(struct hosts *hosts);
void hosts_done(struct hosts *hosts);
struct host *hosts_add(struct hosts *hosts, const struct named_host *name);
struct host *hosts_get(struct hosts *hosts, uint32_t id);   /* or NULL */
struct host *hosts_known(struct hosts *hosts, uint32_t id); /* NULL also for a forgotten one */
uint32_t hosts_count(struct hosts *hosts);

/* When hosts were heard last, as the log keeps it. */
void host_put(struct fw_buf *out, const struct host *host);
void hosts_take_entries(struct hosts *hosts, const uint8_t *data, size_t length);

/* Reader or writer; the tables that are there stay. */
struct table *host_table(struct host *host, uint32_t schema);
/* Writer only. */
struct table *host_make_table(struct host *host, const struct named_schema *schema);

/* A sweep or some, already encoded, on their way into a table. */
struct addition {
	const uint8_t *data; /* as the log has it */
	size_t length;
	int64_t shift_ms, t0_ms, t1_ms;
	uint32_t n_sweeps;
	bool late;
	uint64_t logged;
	unsigned slot;
};

/* True when the open run cannot take the addition, so that a new one begins. */
bool table_needs_new_run(const struct table *table, const struct addition *add);
/* True when the addition covers times that the open run covers too. */
bool table_overlaps(const struct table *table, const struct addition *add);
/* Adds to the open run or begins one, for which `data` must be a key. The host's
 * lock is held. Returns true when the run pins a log slot that it did not before. */
bool table_add(struct table *table, const struct addition *add, int64_t now_ms);
struct run *table_open_run(const struct table *table);
/* Behind the others. The host's lock is held. */
struct run *table_begin_run(struct table *table, const struct addition *add, int64_t now_ms);
void table_drop_run(struct table *table, struct run *run); /* and frees it */
