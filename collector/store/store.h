/* The ring: what hosts have said, on a disk budget fixed at start.
 *
 * A host is known by its identity labels (instance, job); a series is a host
 * and a column of a schema. One thread inside the store, the writer, owns
 * everything that changes: entries are handed to it, logged, applied to the
 * last values and the pending blocks, made durable by one fdatasync for many
 * (group commit), and only then told as done. Files are preallocated; every
 * record and block has a checksum; docs/store-format.md has the bytes.
 *
 * Exactly-once is by (agent, stream, lane, number): the highest durable number
 * lies in the same log record as the data. A session makes sure that only the
 * newest connection of an agent counts.
 *
 * The first fsync that fails ends acknowledging: `on_fatal` is called once, and
 * everything after it comes back STORE_STOPPED.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/batch.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#define STORE_BLOCK_SWEEPS 60   /* of a block made from the log */
#define STORE_JOINED_SWEEPS 240 /* of one that a digest made */
/* Or a sixteenth of the tier's budget, where that is less. */
#define STORE_SEGMENT_BYTES (256u << 20)
#define STORE_TIER_SEGMENT_BYTES (64u << 20)

/* What a query may be answered from: sweeps as they came, or rows of a bucket of them. */
enum store_tier { STORE_RAW, STORE_FIVE_MINUTE, STORE_HOUR, STORE_TIERS };

#define STORE_FIVE_MINUTE_MS (5 * 60 * 1000)
#define STORE_HOUR_MS (60 * 60 * 1000)
#define STORE_TIER_LEAST (8u << 20) /* bytes of a tier's ring */

/* The word for it in the configuration, in the API and on disk. */
static inline const char *store_tier_name(enum store_tier tier)
{
	static const char *const names[STORE_TIERS] = {"raw", "five_minute", "hour"};
	return names[tier];
}

/* How long a bucket of a tier of rows is. */
static inline int64_t store_bucket_ms(enum store_tier tier)
{
	return tier == STORE_HOUR ? STORE_HOUR_MS : STORE_FIVE_MINUTE_MS;
}

#define STORE_FOREIGN_SERIES 1000000
#define STORE_FOREIGN_SERIES_PER_HOST 200000

struct store;
struct store_record;

struct store_config {
	const char *dir;
	uint64_t tier_bytes[STORE_TIERS]; /* budgets: at least 16 segments, 8 MiB by default */
	uint64_t segment_bytes;           /* of a ring; 0: STORE_SEGMENT_BYTES and so on */
	uint64_t log_segment_bytes; /* 0: 64 MiB, or an eighth of raw's budget where that is less */
	int64_t late_ms;            /* samples older than this are refused by number (35 d) */
	bool any_age;               /* accept every age */
	uint32_t columns_per_host;  /* 5,000 */
	/* Series from elsewhere, those of what the ring holds among them: in all, and of one
	 * instance and job; 0: STORE_FOREIGN_SERIES and so on. */
	uint32_t foreign_series, foreign_series_per_host;
	int64_t commit_ms; /* the longest an entry waits for its fdatasync: 50 */
	/* At the first start the ring is written once, which takes a while: so much is done. */
	void (*on_allocated)(uint64_t bytes, uint64_t of_bytes, void *arg);
	/* While it opens: what is damaged or missing, a sentence each. */
	void (*on_damage)(const char *sentence, void *arg);
	/* A block that a reader or a digest asked for is damaged: the first few. Any thread. */
	void (*on_unread)(const char *sentence, void *arg);
	void (*on_commit)(void *arg);                 /* writer's thread: new values can be read */
	void (*on_fatal)(const char *why, void *arg); /* writer's thread, once */
	/* A document or event is durable (or was found in the log at start and not yet
	 * released). Writer's thread; copy it, file it elsewhere, then store_release. */
	void (*on_record)(const struct store_record *record, void *arg);
	void *arg;
};

int store_open(struct store **out, const struct store_config *config, struct fw_err *err);
/* Commits, and writes pending blocks. */
void store_close(struct store *store);

/* ---- identity; any thread; ids start at 1, are stable on disk and never reused ---- */

/* The id of a schema, new or known. It is durable before any entry that uses it. */
int store_schema_intern(
	struct store *store, const struct fw_schema *schema, uint32_t *id, struct fw_err *err);
const struct fw_schema *store_schema(
	struct store *store, uint32_t id); /* lives as long as the store */
int store_schema_find(
	struct store *store, const uint8_t hash[FW_SCHEMA_HASH], uint32_t *id); /* or -ENOENT */
/* The id of the host with these identity labels (sorted; must have instance and job). */
int store_host_intern(struct store *store, const struct fw_label *labels, size_t n_labels,
	uint32_t *id, struct fw_err *err);

/* From when it returns on nothing of this host can be read, after a restart neither; its
 * blocks stay in the ring until that has turned. Whoever comes with its labels later is
 * another host. -ENOENT. */
int store_host_forget(struct store *store, uint32_t id, struct fw_err *err);
bool store_host_is_known(struct store *store, uint32_t id); /* and not forgotten */
/* What it is called, as long as the store lives; NULL: it is not known. */
const char *store_host_instance(struct store *store, uint32_t id);
/* Whether it is what a check says of a target, not the target itself. */
bool store_host_is_check(struct store *store, uint32_t id);

/* ---- writing; any thread ---- */

enum store_lane { STORE_LIVE, STORE_BACKLOG, STORE_LANES };

enum store_kind {
	STORE_SESSION,  /* a connection begins: acked numbers come back, older sessions end */
	STORE_BATCH,    /* payload: a Batch message */
	STORE_CELLS,    /* sweeps made here (up, imports): no agent, no number */
	STORE_DOCUMENT, /* payload: a Document message */
	STORE_EVENT,    /* payload: an Event message */
	STORE_FOREIGN,  /* series from elsewhere */
};

enum store_verdict {
	STORE_DURABLE,
	STORE_DUPLICATE,   /* that number was durable before */
	STORE_OLD_SESSION, /* a newer connection of this agent exists: not stored */
	STORE_NEED_KEY, /* deltas without their base, or a number skipped within a session: not stored */
	STORE_REFUSED, /* too old or too many columns: the number counts as dealt with; `why` */
	STORE_BAD,     /* malformed: not stored, close the peer; `why` */
	STORE_STOPPED, /* the store has failed, is closing, or has no room now (`why`): not acknowledged */
};

/* An entry belongs to the store from submit to `on_done`, which runs on the
 * writer's thread, in the order of submission, after the fdatasync. */
struct store_entry {
	struct store_entry *next;
	enum store_kind kind;
	uint8_t agent[16];
	uint64_t stream;
	uint64_t session; /* any number that grows with every connection to this collector */
	enum store_lane lane;
	uint64_t seq;
	uint32_t host, schema; /* the store's ids */
	int64_t received_ms;
	const uint8_t *payload; /* BATCH, DOCUMENT, EVENT: the message; lives until on_done */
	size_t length;
	const struct fw_batch
		*batch;          /* BATCH: opened by the caller, its arena lives until on_done */
	struct fw_sweeps sweeps; /* CELLS */
	struct store_foreign *foreign; /* FOREIGN: opened, and theirs until on_done */
	size_t n_foreign;
	/* SESSION, in: what the agent's hello says it will send next, a lane each. */
	uint64_t announced[STORE_LANES];
	const char *sender; /* the name of the agent's own machine; NULL: not known */
	/* out */
	enum store_verdict verdict;
	bool is_anothers; /* refused, as the device is that of `owner`, who lives */
	uint8_t owner[16];
	uint64_t acked
		[STORE_LANES]; /* highest durable number of the agent's stream, after this entry */
	uint32_t acked_crc[STORE_LANES]; /* SESSION: CRC-32C of that frame's payload, 0: none */
	uint64_t gap[STORE_LANES]; /* numbers that the agent skipped and that will never come */
	char why[128];
	void (*on_done)(struct store_entry *entry);
};

void store_submit(struct store *store, struct store_entry *entry);
/* What this agent spoke for is free for any other. Any thread. */
void store_disown(struct store *store, const uint8_t agent[16]);

/* ---- series from elsewhere: remote_write, recording rules, imports; any thread ----
 *
 * Each stands for itself and has times of its own: what one write does not mention goes
 * on. Samples may come in any order and of any age that the store takes; of equal times
 * the one written last counts. */

struct store_sample {
	int64_t at_ms;
	int64_t cell; /* fw_double_cell() of the value; FW_ABSENT, its stale mark: it ends here */
};

/* Why samples were not taken. */
enum store_refusal {
	STORE_TAKEN,
	STORE_BAD_LABELS, /* no name, not in order, empty, not UTF-8, too many or too long */
	STORE_TOO_MANY,   /* series, here or of its host */
	STORE_TOO_OLD,
	STORE_AHEAD, /* of now, by more than ten minutes */
	STORE_REFUSALS
};

struct foreign;

struct store_foreign {
	const struct fw_label *labels; /* all of them, "__name__" among them, sorted by name */
	size_t n_labels;
	struct store_sample *samples; /* sorted and sifted in place */
	size_t n_samples;
	/* out */
	enum store_refusal refusal; /* of the series, or of the last sample that was refused */
	size_t n_refused;           /* samples */
	size_t n_merged;            /* that had the time of another one here */
	struct foreign *foreign;    /* the store's */
};

/* Finds or makes the series, which are durable then, and leaves those samples that can be
 * taken: the first half of a write. The second is an entry of kind STORE_FOREIGN. */
int store_foreign_open(struct store *store, struct store_foreign *series, size_t n, int64_t now_ms,
	struct fw_err *err);
/* Both at once: waits until everything that was taken is durable and can be read. */
int store_foreign_write(struct store *store, struct store_foreign *series, size_t n, int64_t now_ms,
	struct fw_err *err);

/* A document or event in the log. */
struct store_record {
	enum store_kind kind;
	uint64_t position; /* in the log, for store_release */
	uint8_t agent[16];
	uint64_t stream, seq;
	enum store_lane lane;
	uint32_t host;
	int64_t received_ms;
	const uint8_t *payload;
	size_t length;
};
/* The record at `position` is safe elsewhere. Any thread. */
void store_release(struct store *store, uint64_t position);

/* ---- reading; any thread; never waits for the disk of the writer ---- */

struct store_matcher {
	const char *name; /* label; "__name__" for the metric */
	/* Called with "" for a label that a series does not have. */
	bool (*accepts)(const struct store_matcher *matcher, const char *value);
	const char *value; /* for the matcher's use */
	const void *arg;
};

struct table;

/* Columns of one schema of one host that all matchers accept. */
struct store_group {
	uint32_t host, schema_id;
	struct table *table;                /* the store's own; stays as long as it does */
	const struct fw_label *host_labels; /* live as long as the store */
	size_t n_host_labels;
	const struct fw_schema *schema;
	const uint32_t *columns; /* indices into the schema */
	size_t n_columns;
};

/* An order of groups. */
static inline int store_by_schema(const void *a, const void *b)
{
	uint32_t x = ((const struct store_group *)a)->schema_id,
		 y = ((const struct store_group *)b)->schema_id;
	return (x > y) - (x < y);
}

/* Groups with sweeps in [from_ms, to_ms], ordered by host, then schema; of series from
 * elsewhere those that have samples in it. Of what lies on disk alone, or did when the store
 * was opened, a few may have none after all. One
 * series may be in several schemas of its host: the reader joins them by time. */
int store_select(struct store *store, const struct store_matcher *matchers, size_t n_matchers,
	int64_t from_ms, int64_t to_ms, struct fw_arena *arena, struct store_group **groups,
	size_t *n_groups, struct fw_err *err);
/* The same of one host, from a moment on, at a cost that does not grow with the fleet. */
int store_select_host(struct store *store, uint32_t host, const struct store_matcher *matchers,
	size_t n_matchers, int64_t from_ms, struct fw_arena *arena, struct store_group **groups,
	size_t *n_groups, struct fw_err *err);

/* In the type of a column: a series that stands for itself. A cell of it where it has no
 * sample, as it just goes on; the bits are those of no sample. */
#define STORE_ALONE 8
#define STORE_UNSAID 0x7ff0000000000004

struct store_columns {
	size_t n;                    /* sweeps */
	bool unsaid;                 /* some cells are STORE_UNSAID */
	const int64_t *times_ms;     /* strictly ascending, shared by all columns */
	const int64_t *const *cells; /* a column each, in the group's order; FW_ABSENT: no sample */
	size_t damaged_blocks;       /* skipped because their checksum was wrong */
	/* The coarsest tier that had to answer: where raw does not reach, there is the last
	 * sample of each row. */
	enum store_tier tier;
};

/* Who asked may give up: it is looked at before each block is read, on the thread that reads. */
struct store_patience {
	bool (*is_over)(const void *arg);
	const void *arg;
};

/* -ECANCELED once the patience is over; NULL: it never is. */
int store_read(struct store *store, const struct store_group *group, int64_t from_ms, int64_t to_ms,
	const struct store_patience *patience, struct fw_arena *arena, struct store_columns *out,
	struct fw_err *err);

/* What rows say of a column: numbers of samples, and cells of that column or, where the
 * row has no sample, FW_ABSENT. NULL is what such a column does not keep. */
struct store_rows_column {
	const int64_t *count, *last;
	const int64_t *min, *max;        /* gauges */
	const int64_t *sum;              /* gauges and untyped columns */
	const int64_t *first, *increase; /* counters and untyped columns; resets made good */
};

struct store_rows {
	size_t n;
	const int64_t *first_ms, *last_ms;       /* of a row's sweeps; last_ms ascends */
	const bool *overlaps;                    /* made of rows that overlapped: not exact */
	const struct store_rows_column *columns; /* in the group's order */
	size_t damaged_blocks;
};

/* The rows of a tier whose last sweep lies within the times. What no digest has seen yet
 * is rolled up for the answer, so that it reaches to now. */
int store_read_rows(struct store *store, const struct store_group *group, enum store_tier tier,
	int64_t from_ms, int64_t to_ms, const struct store_patience *patience,
	struct fw_arena *arena, struct store_rows *out, struct fw_err *err);

/* The group's newest sweep is asked for soon (twice: `at_once`, four groups ahead, and twice
 * as far): what it lies in is on its way to the processor by then. */
void store_expect(const struct store_group *group, bool at_once);
/* The newest sweep, without the disk. -ENODATA when there is none, or it is not the newest
 * of all of them. */
int store_latest(struct store *store, const struct store_group *group, struct fw_arena *arena,
	int64_t *at_ms, int64_t **cells);

struct store_host {
	uint32_t id;
	const struct fw_label *labels; /* live as long as the store */
	size_t n_labels;
	int64_t newest_ms;    /* time of the newest live sweep that an agent sent; 0: none */
	int64_t received_ms;  /* when it came */
	uint32_t interval_ms; /* between its sweeps, as it says; 0: not known since a restart */
	uint64_t changes;     /* grows with every live sweep */
	uint8_t agent[16];    /* who sent it */
	int64_t ahead_ms;     /* what its time was set back by, as it was too far ahead */
};
size_t store_hosts(struct store *store, struct fw_arena *arena, struct store_host **hosts);

struct store_tier_stat {
	uint64_t bytes, used_bytes, blocks;
	uint64_t undigested; /* segments written over before their rows were made, since start */
	int64_t oldest_ms, newest_ms;
	/* Of the newest day in it, or of all there is where that is less. */
	uint64_t day_bytes;
	int64_t day_ms;
};

struct store_stat {
	struct store_tier_stat tiers[STORE_TIERS];
	uint64_t sweeps, samples; /* since start */
	/* Of store_check(): as much of these lies in the log, and in no block yet. Series from
	 * elsewhere have no sweeps there. */
	uint64_t log_sweeps, log_samples;
	uint64_t digests; /* of sealed segments, since start */
	/* Raw blocks written since start: joined ones, or others while there are none. */
	uint64_t packed_samples, packed_bytes;
	uint64_t hosts, schemas, series;
	uint64_t foreign_series; /* that count against the limit */
	uint64_t damaged_blocks; /* and other places, each once since start */
	uint64_t commits, refused, claimed, duplicates, gaps, late;
	uint64_t ahead; /* sweeps from the future, stored at the time they came */
	int64_t oldest_ms, newest_ms;
};
void store_stat(struct store *store, struct store_stat *out);

/* How far a tier reaches, and how far it will when it is full: each should reach its
 * target, and at least STORE_REACH_TIMES as far as the one below. */
#define STORE_REACH_TIMES 3

struct store_reach {
	const char *name;   /* "raw", "five_minute", "hour" */
	double held_days;   /* from its oldest sweep to its newest */
	double bytes_a_day; /* at the load of its newest day */
	double days;        /* that it holds at that load; 0: too young to say */
	double target_days;
	bool is_short, is_near; /* under its target; not so much further than the one below */
};
void store_reach(const struct store_stat *stat, struct store_reach reach[STORE_TIERS]);
/* A sentence about a tier that does not reach far enough; false: there is none. */
bool store_reach_warning(
	const struct store_reach reach[STORE_TIERS], enum store_tier tier, char *text, size_t size);

/* How many sweeps of one schema a host has in the ring's blocks, as often as
 * they lie there: readers would show equal times once. */
struct store_tally {
	const struct fw_label *labels; /* the host's */
	size_t n_labels;
	const struct fw_schema *schema;
	uint64_t sweeps;
};

struct store_inspector {
	void (*on_fault)(const char *sentence, void *arg);            /* may be NULL */
	void (*on_tally)(const struct store_tally *tally, void *arg); /* may be NULL */
	void *arg;
};

/* ---- snapshots ---- */

struct store_progress {
	bool (*on_copied)(uint64_t bytes, uint64_t of_bytes, void *arg); /* false: break it off */
	/* A file is complete and synced; its name within the folder, and CRC-32C of it. May be NULL. */
	void (*on_file)(const char *name, uint64_t bytes, uint32_t crc, void *arg);
	void *arg;
};

/* Copies the store as it is now into `dir`, an empty folder, on the caller's thread and
 * synced, while everything goes on. -EBUSY: one is being made. -ECANCELED. -ESTALE: the
 * ring came round meanwhile. Must have returned before store_close() is called. */
int store_snapshot(struct store *store, const char *dir, const struct store_progress *progress,
	struct fw_err *err);
uint64_t store_snapshot_bytes(struct store *store); /* how much that is, about */
/* Without a running collector: copies a snapshot into `dir`, an empty folder, synced. It is
 * a store then. */
int store_restore(const char *from, const char *dir, const struct store_progress *progress,
	struct fw_err *err);

/* Without a running collector: reads every block and record of the store in
 * `dir` and changes nothing. Returns the number of faults, or a negative errno. */
int store_check(const char *dir, const struct store_inspector *inspector, struct store_stat *out,
	struct fw_err *err);
