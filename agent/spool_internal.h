/* What spool.c and spool_disk.c share.
 *
 * Numbers in here and on disk count from the making of the spool and never
 * start again; a lane's `base` is what lies between them and the stream's.
 */
#pragma once

#include "record.h"
#include "spool.h"

/* A frame in memory. */
struct held {
	struct held *next;
	bool written;
	struct frame frame; /* `seq` counts from the making of the spool */
	uint8_t bytes[];
};

struct lane_state {
	uint64_t base, acked, made, reserved;
	/* The collector may have up to `reserved` after a crash; once this process has
	 * heard from it or made a number itself, it may have no more than `made`. */
	bool exact;
	struct held *first, **last;
};

struct segment {
	uint32_t id;
	uint64_t bytes;                     /* up to the last whole record */
	uint64_t first[LANES], last[LANES]; /* 0: no frame of that lane */
	uint64_t frames, sweeps;
	int64_t oldest_ms;
};

struct known_schema {
	uint32_t id, n_columns;
	unsigned borrowers;   /* they use it beside the one in use */
	struct fw_buf packed; /* the message, where nobody needed it lately */
	uint8_t hash[FW_SCHEMA_HASH];
	uint8_t *message; /* NULL: on disk only */
	size_t length;
	struct fw_buf difference; /* to the schema `base`; 0: it would be no shorter */
	uint32_t base;
};

struct loss {
	uint64_t from, to, sweeps; /* `from` 0: none */
	enum spool_loss why;
};

/* Where the next backlog frame is read from disk. */
struct reader {
	int fd;
	uint32_t segment;
	uint64_t offset, next; /* `next` 0: nowhere yet */
	struct fw_buf buf;
};

struct spool {
	struct spool_config config;
	char *dir;
	uint64_t stream;
	struct lane_state lanes[LANES];
	size_t held_bytes; /* backlog in memory */

	struct segment *segments;
	size_t n_segments, segment_room;
	uint32_t next_segment;
	int write_fd; /* the newest segment while it grows; -1: none */
	uint32_t *written_schemas;
	size_t n_written_schemas, written_room;
	bool dir_unsynced;

	struct known_schema *schemas;
	size_t n_schemas, schema_room;
	uint32_t next_schema, schema_in_use;

	struct reader reader;
	struct fw_buf scratch; /* a renumbered or made-up frame for the reader */

	struct loss loss;
	uint64_t dropped_frames, dropped_sweeps;

	int journal_fd;
	uint64_t journal_bytes;
	uint32_t journal_chain, chain_closed, next_chain;
	uint32_t left_schema;
	struct fw_buf left; /* pieces found at open */
};

/* spool_cursor.c */
char *spool_path(const struct spool *s, const char *name); /* in the spool's folder */
int spool_cursor_write(struct spool *s, struct fw_err *err);
/* 1: there is none that can be read. */
int spool_cursor_load(struct spool *s, struct fw_err *err);

/* spool_journal.c */
void spool_journal_load(struct spool *s);
void spool_journal_truncate(struct spool *s);

/* spool_disk.c */
int spool_disk_open(struct spool *s, bool *made, struct fw_err *err);
void spool_disk_close(struct spool *s);
bool spool_disk_has_room(const struct spool *s, size_t bytes, struct fw_err *err);
/* Appends all held frames that are not written, and makes them durable. */
int spool_disk_write(struct spool *s, struct fw_err *err);
/* 0, or -ENOENT when no segment has that number (a hole). */
int spool_disk_read(struct spool *s, uint64_t seq, struct frame *out);
/* Removes segments whose frames are all acknowledged. */
void spool_disk_forget(struct spool *s);
void spool_disk_drop_oldest(struct spool *s);
uint64_t spool_disk_bytes(const struct spool *s);
/* The record of a schema, as it stands before what uses it. */
void spool_schema_record(const struct spool *s, uint32_t id, struct fw_buf *out);

/* spool_schema.c */
/* Texts that only frames on disk need come back when those are read; names that
 * nothing needs go. */
void spool_schemas_trim(struct spool *s);
void spool_schemas_done(struct spool *s);

/* spool.c */
struct held *spool_held_new(const struct frame *frame, uint64_t seq);
struct known_schema *spool_schema_by_id(const struct spool *s, uint32_t id);
void spool_schema_learn(struct spool *s, uint32_t id, const uint8_t *payload, size_t length);
void spool_lost(struct spool *s, enum spool_loss why, uint64_t from, uint64_t to, uint64_t frames,
	uint64_t sweeps);
