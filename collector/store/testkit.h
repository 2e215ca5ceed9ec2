/* What the store's tests share: a folder that goes away, hosts and schemas to
 * write, an entry that waits for its verdict, and a target whose series are from elsewhere. */
#pragma once

#include <fenwatch/batch.h>

#include "store.h"

#define KIT_COLUMNS 8

struct kit {
	char dir[64], inside[80]; /* the folder, and that of a recorded store within */
	struct store_config config;
	struct store *store;
	uint32_t host, schema;
	uint64_t session;
	int fatal; /* times that on_fatal was called */
};

/* A new folder and the smallest store in it. Asserts that it opens. */
void kit_init(struct kit *kit);
/* The same with rings of so many segments of that size. */
void kit_init_of(struct kit *kit, uint64_t segment_bytes, uint64_t segments);
/* With one of tests/stores, whose listing is in the folder, too. */
void kit_init_recorded(
	struct kit *kit, const char *folder, const char *name, uint64_t segment_bytes);
void kit_done(struct kit *kit); /* closes, and removes the folder */
int kit_open(struct kit *kit, struct fw_err *err);
void kit_reopen(struct kit *kit);

uint32_t kit_host(struct kit *kit, const char *instance);
/* A schema of KIT_COLUMNS columns "<prefix>0", "<prefix>1", ... */
uint32_t kit_schema(struct kit *kit, const char *prefix);
/* So many schemas of 18 kB, others at each call, of which nothing is ever sent. */
void kit_waste(struct kit *kit, unsigned n);
/* A schema of one column a name. */
uint32_t kit_schema_of(struct kit *kit, const char *const *names, uint32_t n);

/* A sender: an agent's stream on one connection. */
struct sender {
	struct kit *kit;
	uint8_t agent[16];
	uint64_t stream, session;
	uint64_t next[STORE_LANES];
	int64_t last[KIT_COLUMNS];
	bool has_last;
};

/* Begins a session; the answer comes back. */
struct store_entry sender_begin(
	struct sender *sender, struct kit *kit, uint8_t agent, uint64_t stream);
/* The cell that tests expect in column `c` of the sweep at `at_ms`. */
int64_t kit_cell(int64_t at_ms, uint32_t c);
/* Sends `n` sweeps from `at_ms` on, `step_ms` apart; a difference if it can be
 * and `key` is false. Only STORE_DURABLE moves the sender on. */
enum store_verdict sender_send(struct sender *sender, enum store_lane lane, uint32_t host,
	uint32_t schema, int64_t at_ms, uint32_t n, int64_t step_ms, bool key);
/* Hands an entry to the store and waits for it. */
void kit_submit(struct kit *kit, struct store_entry *entry);

/* All sweeps of a host between the times; asserts that cells are kit_cell's when `exact`. */
size_t kit_read(struct kit *kit, uint32_t host, int64_t from_ms, int64_t to_ms,
	struct fw_arena *arena, struct store_columns *out);
size_t kit_count(struct kit *kit, uint32_t host, bool exact);

/* ---- series from elsewhere ---- */

struct kit_found {
	struct fw_arena arena; /* the caller's to give back */
	struct store_sample *samples;
	size_t n, groups;
};

/* All samples of the series with this name and label `l`, joined by nothing but order. */
struct kit_found kit_find(struct kit *kit, const char *name, const char *l);

/* Of the target: those up to KIT_EARLY come together, and those that begin later are bundles
 * of their own, as are those from KIT_BEYOND on, which are of another instance. */
enum { KIT_SERIES = 6, KIT_EARLY = 4, KIT_BEYOND = 3, KIT_ENDING = 2, KIT_SHIFTED = 1 };

/* How much later than a sweep they come: KIT_SHIFTED and those beyond have times of their own. */
int64_t kit_target_shift(int series);
/* Sweeps of the first `n_series` from `at_ms` on, in one request; waits until it is durable. */
int kit_target_write(
	struct kit *kit, int n_series, int64_t at_ms, uint32_t n_sweeps, int64_t step_ms);
/* What one of them has at one of its times, here and in the store: KIT_ENDING ends now and then. */
int64_t kit_target_cell(int64_t at_ms, int series);
struct kit_found kit_target_read(struct kit *kit, int series);
size_t kit_target_count(struct kit *kit, bool exact); /* samples of all of them */

/* Copies all files of one folder to another. */
void kit_copy(const char *from, const char *to);
void kit_remove(const char *dir);
/* Counts the faults that store_check reports, printing them. */
int kit_check(const char *dir);

extern int64_t kit_now_ms; /* receive time of what is sent */
