/* The store from inside: who owns what.
 *
 *   entries -> queue -> writer: apply -> log buffer -> commit -> on_done
 *                                  \-> tables' runs -> blocks in the raw ring -> digests
 *
 * The writer's thread owns agents, log, runs and everything else up to the
 * line; what others may touch has its own lock. Opening and recovery run before
 * the writer starts and are the writer as far as this matters.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "agents.h"
#include "body.h"
#include "columns.h"
#include "damage.h"
#include "digest.h"
#include "foreign.h"
#include "host.h"
#include "log.h"
#include "names.h"
#include "ring.h"
#include "snapshot.h"
#include "store.h"
#include "super.h"
#include "unread.h"

#define STORE_AHEAD_MS (10 * 60 * 1000) /* sweeps further ahead are stored as received */
#define STORE_SPAN_MS ((int64_t)20 * 24 * 3600 * 1000) /* of one batch */

#define BATCH_UNNUMBERED 1 /* a batch has a number, even where nobody counts */

/* A document or event in the log that is not safe elsewhere yet. */
struct unreleased {
	struct unreleased *next;
	uint64_t origin;   /* where it was logged first: its name */
	uint64_t position; /* where it lies now */
	unsigned slot;
	size_t length;
	const struct store_entry *entry; /* until it has been told of; NULL: read it from the log */
	bool told;
};

/* Records of a table, from the first to the last, that lie in a block. */
struct covered {
	uint32_t host, schema;
	bool late;
	uint64_t from, to;
};

struct counters {
	_Atomic uint64_t sweeps, samples, commits, damaged, refused, claimed, duplicates, gaps,
		late, ahead, digests;
	struct {
		_Atomic uint64_t samples, bytes;
	} packed[2]; /* raw blocks made from the log, and joined ones */
};

/* Where the log is, as of the last commit. */
struct log_shown {
	uint64_t numbers[LOG_SLOTS], before[LOG_SLOTS];
	uint64_t end; /* position */
};

struct store {
	struct store_config config;
	char *dir;
	struct damage damage; /* found while opening */
	struct super super;
	struct agents agents;
	struct log log;
	struct run *closed_first, *closed_last; /* to be written as blocks */
	struct unreleased *records, **records_end;
	size_t unreleased_bytes;
	struct store_entry *applied_first, *applied_last; /* waiting for the commit */
	bool told_failure;
	int64_t first_ms; /* when the first entry since the start came */
	bool has_news;    /* live sweeps were applied since the last commit */
	struct scratch arriving, flushing;
	struct fw_buf key;       /* an arrival, encoded as a key */
	struct fw_buf made;      /* sweeps made here, or samples from elsewhere */
	uint32_t foreign_record; /* counts the records of those */
	struct fw_buf encoded;   /* a block */
	struct digest digest;
	struct fw_arena arena;
	struct covered *covered; /* while replaying: what is in blocks already */
	size_t n_covered;
	struct ring_places parts; /* while opening: blocks of runs that have others */
	uint64_t covered_to;      /* the newest position that a block has */
	uint64_t unknown; /* while opening: blocks and records of unknown hosts or schemas */
	bool half_noted;  /* while opening: an index is damaged, what it mentions is not known */

	/* ---- any thread ---- */
	struct names names;
	struct rings rings;
	struct hosts hosts;
	struct foreigners foreigners;
	_Atomic uint32_t n_foreign; /* against the limit */
	struct counters counters;
	struct unread unread;
	atomic_bool failed;
	char why[192]; /* under `lock` */
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock; /* of the queue and the releases */
	pthread_cond_t wake;
	struct store_entry *queue_first, *queue_last;
	uint64_t *releases;
	size_t n_releases, releases_capacity;
	struct frozen *wanted; /* by a snapshot, until that is done */
	bool stopping;
	struct log_shown shown; /* to followers */
};

/* Sweeps on their way in, decoded. */
struct arrival {
	enum log_kind kind;
	enum store_lane lane;
	struct host *host;
	const struct named_schema *schema;
	struct stream *stream; /* NULL: made here */
	const uint8_t *agent;  /* 16 bytes, NULL: made here */
	const int64_t *times_ms, *cells;
	uint32_t n_sweeps, interval_ms;
	bool key;
	const uint8_t *payload;
	size_t length;
	uint64_t seq;
	uint32_t sent_crc;
	int64_t received_ms, shift_ms;
};

/* apply.c: the rules. Fills in the verdict and, where it is stored, appends to the log. */
void apply_entry(struct store *store, struct store_entry *entry);
/* False with `why` where the host is a device that another agent speaks for. */
bool owner_admits(struct store *store, struct store_entry *entry, struct host *host);
/* Who has spoken for a device by a document or event that was taken. */
void owner_note(struct host *host, const uint8_t agent[16], int64_t received_ms);
void encode_key(const struct arrival *arrival, struct fw_buf *out);

/* arrive.c: what an arrival changes in memory, once it lies in the log at `position`. */
int64_t arrival_shift(const int64_t *times_ms, uint32_t n_sweeps, int64_t received_ms);
void arrive_live(struct store *store, const struct arrival *arrival, const uint8_t *held,
	size_t held_length, uint64_t position);
void arrive_late(struct store *store, const struct arrival *arrival, uint64_t position);
bool table_is_current(const struct table *table);

/* store.c: one without files and without a writer yet; and the end of one that has none. */
struct store *store_new(const struct store_config *config);
void store_free(struct store *store);
/* Many schemas with one sync. */
int store_schemas_intern(struct store *store, const struct fw_schema *schemas, size_t n,
	uint32_t *ids, struct fw_err *err);
/* A host of any labels, or none. */
int store_host_intern_any(struct store *store, const struct fw_label *labels, size_t n_labels,
	uint32_t *id, struct fw_err *err);

/* writer.c */
void *writer_main(void *arg); /* the store */
/* Stops acknowledging, once and for all. */
void store_fail(struct store *store, const char *what, int rc);
/* The last deeds of a store that has not failed. */
int writer_finish(struct store *store);

/* writer_log.c */
/* Makes room in the log for a record; -EIO after a failure. */
int writer_reserve(struct store *store, size_t payload);
int writer_switch_log(struct store *store, bool closing);
int writer_end_log(struct store *store); /* as a clean end leaves it */

/* flush.c: runs into blocks. */
int flush_closed(struct store *store);
/* Packs sweeps and writes them as a block, or as several where they are too long for a
 * segment. `about` says host, schema, flags, positions and source. */
int write_sweeps(struct store *store, struct ring *ring, const struct block_ref *about,
	const struct columns_cells *cells, const struct fw_column *columns);
int sync_some(struct ring *ring); /* once much has been written */
static inline struct ring *raw_ring(struct store *store)
{
	return &store->rings.tiers[STORE_RAW];
}
/* Closes every run, or those that pin `slot`, or those older than `before_ms`. */
void close_runs(struct store *store, bool (*wanted)(const struct run *run, const void *arg),
	const void *arg);
void queue_closed(struct store *store, struct table *table);
/* Decodes what a run holds into at most `most` sweeps; returns how many they are. */
int run_decode(const struct held *held, uint32_t n_columns, struct fw_arena *arena,
	int64_t *times_ms, int64_t *cells, uint32_t most);
/* The same of the columns `wanted`, ascending, column after column. */
int run_decode_some(const struct held *held, uint32_t n_columns, const uint32_t *wanted,
	size_t n_wanted, struct fw_arena *arena, const struct body_room *to, uint32_t most);
/* A block of a run in the raw ring, and whether more of the same run follow. */
int write_sweeps_of(struct store *store, const struct block_ref *about,
	const struct columns_cells *cells, const struct fw_column *columns, bool more);

/* unread.c: a block that cannot be read, or without an offset the index of a segment. It is
 * counted, and told of, once. Any thread. */
void store_unread(struct store *store, const struct ring_place *place);

/* records.c: documents and events. */
void records_add(struct store *store, const struct log_record *record, uint64_t origin,
	const struct store_entry *entry);
void records_found(struct store *store, const struct log_record *record); /* while replaying */
void records_release(struct store *store, uint64_t origin);
void records_tell(struct store *store);
int records_carry(struct store *store, unsigned slot);

/* follow.c: what is durable may be seen by followers. */
void follow_show(struct store *store);

/* recover.c: what lies on disk comes into memory; nothing is written. 1: the log's newest
 * segment can be written on. */
int store_replay(struct store *store, struct fw_err *err);
/* The same, and the log goes on. */
int store_recover(struct store *store, struct fw_err *err);
/* Of what blocks cover, sorted: is it there? */
void covered_sort(struct covered *all, size_t n);
bool covered_has(const struct covered *all, size_t n, struct covered key);
bool is_covered(const struct store *store, const struct arrival *arrival, uint64_t position);
/* In a block of either lane: where the order of records is that of runs. */
bool is_covered_in(const struct store *store, uint32_t host, uint32_t schema, uint64_t position);
