/* Prometheus' remote protocols: what others send here, and what they ask for.
 *
 * A write is taken apart on the caller's thread, its series are found or made there,
 * and it is answered once all that was taken is durable and can be read. Everything
 * that comes from outside meets its limit before memory is taken for it. Metadata is
 * kept by metric, in memory only: senders repeat it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "store.h"

#define REMOTE_BODY_LIMIT (32u << 20)   /* decompressed */
#define REMOTE_ARENA_LIMIT (192u << 20) /* for what is taken apart */

struct remote;

struct remote *remote_new(struct store *store);
void remote_free(struct remote *remote);

/* ---- remote_write; any thread ---- */

struct remote_write {
	const char *content_type, *encoding; /* of the body; NULL: not said */
	const uint8_t *body;
	size_t length;
	int64_t now_ms;
	/* Called once: within remote_receive(), or later on a thread of the store's. */
	void (*on_done)(struct remote_write *write);
	void *arg;
	/* out */
	unsigned status;  /* 204; 400, 413, 415: never again; 503: again, later */
	char why[400];    /* a sentence, where the status is not 204 */
	bool is_2;        /* it was remote_write 2.0, which wants the numbers told */
	uint64_t samples; /* that are written */
	/* ---- private ---- */
	struct remote *remote;
	struct fw_arena arena;
	struct store_foreign *series;
	size_t n_series;
	struct store_entry entry;
};

/* Body and headers live until on_done. */
void remote_receive(struct remote *remote, struct remote_write *write);
void remote_write_done(struct remote_write *write);

/* ---- back-filling; any thread, waits for the disk ---- */

/* Whole lines of OpenMetrics text, the first of which has the number `line`. -EINVAL: nothing
 * was written; -ERANGE: some could not be taken, the others are. */
int remote_import(struct remote *remote, const char *text, size_t length, uint64_t line,
	int64_t now_ms, uint64_t *samples, struct fw_err *err);

/* ---- what senders say of metrics; any thread ---- */

enum remote_type {
	REMOTE_UNKNOWN,
	REMOTE_COUNTER,
	REMOTE_GAUGE,
	REMOTE_HISTOGRAM,
	REMOTE_GAUGE_HISTOGRAM,
	REMOTE_SUMMARY,
	REMOTE_INFO,
	REMOTE_STATE_SET,
	REMOTE_TYPES
};
extern const char *const remote_type_names[REMOTE_TYPES]; /* as the API has them */

struct remote_about {
	const char *metric, *help, *unit;
	enum remote_type type;
};

/* All that is known, or of one metric, sorted by name; copied into the arena. */
size_t remote_metadata(struct remote *remote, const char *metric, struct fw_arena *arena,
	struct remote_about **out);

/* Why samples were not taken, as metrics name it and as people are told. */
struct remote_refusal {
	const char *reason, *sentence;
};
extern const struct remote_refusal remote_refusals[STORE_REFUSALS];

/* ---- counters, since the start ---- */

struct remote_stat {
	uint64_t writes, bytes; /* requests; as they came, compressed */
	uint64_t bad;           /* requests that could not be read */
	uint64_t samples;
	uint64_t refused[STORE_REFUSALS]; /* samples, by reason */
	uint64_t histograms, exemplars;   /* that were left out */
};
void remote_stat(struct remote *remote, struct remote_stat *out);
