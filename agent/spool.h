/* Frames that wait to be durable on the collector.
 *
 * Live frames are few (the window) and stay in memory until they are
 * acknowledged; spool_flush() puts a copy on disk. Backlog frames leave memory
 * once they are on disk and are read back in order. On disk is a directory of
 * segments, appended at one end and forgotten from the other: data, fdatasync,
 * cursor, unlink, in this order, so any state that a crash leaves can be opened.
 * A steady connection leaves nothing on disk but the cursor, which is written
 * once every 1,000 frames.
 *
 * Sweeps of other hosts, which come while nobody takes them, are gathered in a file
 * beside the segments, a quarter of the spool at most, and joined host by host.
 *
 * The spool is bounded: when it is full, or when the disk takes nothing and the
 * memory for it is used up, the oldest frames go. What goes is counted, and an
 * event "gap" tells the collector which numbers, how many sweeps and why.
 *
 * Numbers count within a stream, a random id made with the spool.
 * docs/spool-format.md has the files.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>
#include <fenwatch/schema.h>

#include "agent.h"

#define SPOOL_MEMORY_BYTES (256u << 10) /* unwritten backlog, while the disk takes nothing */
#define SPOOL_RESERVE 1000              /* numbers reserved on disk at a time */

struct spool;

struct spool_config {
	const char *dir;
	uint64_t max_bytes;
	uint64_t keep_free_bytes;   /* never leave the filesystem less than this, */
	unsigned keep_free_percent; /* nor less than this share of blocks */
	bool look_only;             /* change nothing on disk */
};

/* Why frames were lost. */
enum spool_loss {
	LOSS_NONE,
	LOSS_FULL,        /* the spool was full */
	LOSS_UNWRITTEN,   /* the disk took nothing and memory was full */
	LOSS_DAMAGED,     /* a record could not be read back */
	LOSS_UNDECODABLE, /* deltas whose base nobody has */
	LOSS_STREAM,      /* the spool or its numbers were set back: a new stream began */
	LOSSES
};
extern const char *const spool_loss_names[LOSSES];

/* Opens whatever a crash left; makes an empty spool where there is none, with
 * `*made` true. Fails only when the directory cannot be used at all. */
int spool_open(
	struct spool **out, const struct spool_config *config, bool *made, struct fw_err *err);
/* Writes the cursor. Flush first: what is only in memory is gone. */
void spool_close(struct spool *spool);
void spool_set_max(struct spool *spool, uint64_t max_bytes);

/* ---- schemas ---- */

/* The id of a schema in this stream, new or known; it is the one in use until
 * the next call. */
uint32_t spool_schema_use(struct spool *spool, const struct fw_schema *schema);
/* The same for a schema that is in use beside it, until it is returned as often. Its text
 * is kept packed while no frame in memory needs it: `*bytes` of it. */
uint32_t spool_schema_borrow(struct spool *spool, const struct fw_schema *schema, size_t *bytes);
void spool_schema_return(struct spool *spool, uint32_t id);
/* The Schema message of an id that a frame of this spool has, until the next call. -ENOENT. */
int spool_schema(struct spool *spool, uint32_t id, const uint8_t **message, size_t *length);
/* The same as a difference to the schema that was in use before, which `base` names. */
int spool_schema_difference(const struct spool *spool, uint32_t id, uint32_t *base,
	const uint8_t **message, size_t *length);
const uint8_t *spool_schema_hash(const struct spool *spool, uint32_t id); /* or NULL */
uint32_t spool_schema_columns(const struct spool *spool, uint32_t id);    /* 0: unknown */
/* Calls `each` for every schema that a waiting frame may use. */
void spool_schemas(const struct spool *spool,
	void (*each)(uint32_t id, const uint8_t hash[FW_SCHEMA_HASH], void *arg), void *arg);

/* ---- frames ---- */

/* The number that the next frame of a lane gets; the caller encodes it. */
uint64_t spool_next(const struct spool *spool, enum lane lane);
/* Keeps a copy of the frame whose number is spool_next(). Never blocks, never
 * fails: the oldest go when there is no room. */
void spool_add(struct spool *spool, const struct frame *frame);
/* Keeps a sweep of another host until it becomes part of a frame, with as many of its like as
 * there are then. It has no number before; durable it is, as frames are, after a flush. */
void spool_gather(struct spool *spool, const struct frame *frame);
void spool_gather_end(struct spool *spool); /* what is gathered is wanted as frames */
/* Makes them, once they are wanted, or there is as much as is joined at once, or a write went
 * wrong. While something is in memory alone they have to wait: flush first. On failure all
 * stays as it is, and is due again. */
int spool_join(struct spool *spool, struct fw_err *err);
bool spool_join_is_due(const struct spool *spool);
/* Another content for a live frame that waits, under the same number. */
void spool_replace(struct spool *spool, const struct frame *frame);
/* A live frame becomes an event that says it is lost. */
void spool_replace_lost(struct spool *spool, uint64_t seq, enum spool_loss why, int64_t now_ms);
/* Puts what is only in memory on disk, with one fdatasync. Afterwards everything
 * is durable, or the sentence says why not; it is tried again at the next call. */
int spool_flush(struct spool *spool, struct fw_err *err);
bool spool_is_flushed(const struct spool *spool);

/* The frame with this number, until the next call. -ENOENT: not made yet.
 * A number whose record is damaged gives an event "gap" in its place, so that no
 * number is ever skipped. */
int spool_read(
	struct spool *spool, enum lane lane, uint64_t seq, struct frame *out, struct fw_err *err);
/* The first number that waits (spool_next() when none does). */
uint64_t spool_oldest(const struct spool *spool, enum lane lane);
/* Durable on the collector up to and including `to`; forgets them. */
void spool_ack(struct spool *spool, enum lane lane, uint64_t to);

/* ---- the stream ---- */

uint64_t spool_stream(const struct spool *spool);
/* Checks what the collector says it has; spool_ack() follows. -ESTALE: it has
 * more than this spool ever made, or something else under a number that still
 * waits here; this machine was set back, and spool_renew() must follow. */
int spool_welcome(struct spool *spool, const uint64_t acked[LANES], const uint32_t crc[LANES]);
/* A new stream; what waits is numbered from 1. `why` other than LOSS_NONE makes
 * a gap event. On failure nothing has changed. */
int spool_renew(struct spool *spool, enum spool_loss why, int64_t now_ms, struct fw_err *err);
/* Makes the event of what was dropped since the last call, if anything was. */
void spool_tell_gap(struct spool *spool, int64_t now_ms);

/* ---- the journal of the chain that is being gathered ---- */

/* Makes pieces of chain number `chain` durable; with `first` the journal begins
 * anew. `pieces` are live-encoded Batch messages, each behind its length (u32). */
int spool_journal(struct spool *spool, uint32_t chain, uint32_t schema, const uint8_t *pieces,
	size_t length, bool first, struct fw_err *err);
/* The number of the chain that a crash left behind, and its pieces; 0: none. */
uint32_t spool_journal_left(
	const struct spool *spool, uint32_t *schema, const uint8_t **pieces, size_t *length);
uint32_t spool_chain_next(struct spool *spool); /* a number for a chain */

struct spool_stat {
	uint64_t frames, sweeps; /* waiting, both lanes */
	uint64_t bytes;          /* on disk and in memory */
	uint64_t max_bytes;
	uint64_t segments;
	int64_t oldest_ms; /* of the oldest sweep that waits; 0: none */
	uint64_t dropped_frames, dropped_sweeps;
	uint64_t made[LANES], acked[LANES]; /* as the collector counts */
};
void spool_stat(const struct spool *spool, struct spool_stat *out);
