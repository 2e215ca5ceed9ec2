/* The log: what was accepted, in the order it was, before anything is acknowledged.
 *
 * A few preallocated segments, one of them active. Records gather in a buffer;
 * log_commit writes and syncs them together. A position is the number of a
 * segment times its size plus the offset, so positions only grow and a record
 * left over from a segment's earlier life is known by its own.
 *
 * Each record names the position its commit began at. A hole with a record of a
 * later commit behind it is damage; a hole without one is the torn end of a
 * commit that nobody was told of. It stays torn for good: a segment's header says
 * where the one before it ended, and what lies behind the end is made void before
 * the log goes on there.
 *
 * A segment is pinned by what is nowhere else yet: runs of sweeps not in a
 * synced block, documents and events not released.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

#include "damage.h"
#include "super.h"

#define LOG_SLOTS 5
#define LOG_HEADER_BYTES 48
#define LOG_RECORD_BYTES 88 /* before the payload */

enum log_kind {
	LOG_STREAMS = 1, /* highest numbers of some streams */
	LOG_HOSTS,       /* when hosts were heard of last */
	LOG_BATCH,
	LOG_CELLS, /* a batch made here */
	LOG_ENDED, /* the last row of a schema that its host has left */
	LOG_LAST,  /* last cells of a host, written at a clean end */
	LOG_DOCUMENT,
	LOG_EVENT,
	LOG_CARRIED,  /* a document or event from a segment that was given up */
	LOG_RELEASED, /* `seq`: the position of one that is safe elsewhere */
	LOG_READY,    /* the segment's head is whole; before it, the segment does not count */
	LOG_SAMPLES,  /* of series from elsewhere, of a schema each: up to format 3 */
	LOG_BUNDLED,  /* of series from elsewhere, in bundles */
	LOG_KINDS
};

struct log_record {
	enum log_kind kind;
	uint8_t lane;
	uint16_t flags;
	uint32_t sent_crc; /* of the payload as the agent sent it */
	uint32_t host, schema;
	uint64_t position, group;
	uint8_t agent[16];
	uint64_t stream, seq;
	int64_t received_ms;
	const uint8_t *payload;
	size_t length;
};

struct log_slot {
	int fd;
	uint64_t number; /* 0: never used */
	uint64_t before; /* position where the segment before it ended; 0: none */
	uint64_t pins;
	bool guessed; /* the header is damaged: `before` is not known */
};

struct log {
	const struct super *super;
	struct log_slot slots[LOG_SLOTS];
	unsigned active;
	uint64_t next_number;
	uint64_t end; /* offset in the active segment up to which all is synced */
	struct fw_buf buf;
};

/* Opens the segments in `dir`, making what is missing, and reads their headers. */
int log_open(struct log *log, const char *dir, const struct super *super, bool read_only,
	struct damage *damage, struct fw_err *err);
void log_close(struct log *log);

/* Begins a segment in a slot without pins. Nothing may wait in the buffer. */
void log_begin(struct log *log, unsigned slot);
bool log_has_room(const struct log *log, size_t payload);
/* Gives the record's position, which it also sets. */
uint64_t log_append(struct log *log, struct log_record *record);
int log_commit(struct log *log);
/* What was read of the active segment becomes durable, and what lies behind its end void. */
int log_settle(struct log *log);

static inline uint64_t log_position(const struct log *log, uint64_t number, uint64_t offset)
{
	return number * log->super->log_segment_bytes + offset;
}

/* The position up to which all is synced. */
static inline uint64_t log_end(const struct log *log)
{
	return log_position(log, log->slots[log->active].number, log->end);
}
/* Records are durable before blocks are made of them: where a block has a later position than
 * `end`, the log has lost its end. */
void log_look_at_end(uint64_t end, uint64_t newest, struct damage *damage);

/* The slot that holds a position of now; the active one if none does. */
unsigned log_slot_of(const struct log *log, uint64_t position);
/* Where the segment that begins after `slot` says that it ended; 0: nobody says. */
uint64_t log_known_end(const struct log *log, unsigned slot);
/* Walks one segment from its head. Returns the number of damaged places, or why
 * not all could be read; `end` becomes the offset where what counts ends. */
int log_walk(const struct log *log, unsigned slot,
	void (*on_record)(const struct log_record *record, void *arg), void *arg, uint64_t *end);
/* Reads one envelope of the log; NULL-safe parts are in `record`. False: malformed. */
bool log_record_open(const uint8_t *at, size_t length, struct log_record *record);
/* Reads the record at `position` into `buf`. */
int log_read(
	const struct log *log, uint64_t position, struct fw_buf *buf, struct log_record *record);
