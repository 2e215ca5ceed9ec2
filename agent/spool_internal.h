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

/* Sweeps of other hosts that have no numbers yet. */
struct gathering {
	struct held *first, **last; /* in memory alone */
	int fd;
	uint64_t bytes;    /* of whole records that are durable; 0: none are */
	uint32_t number;   /* of what is in the file: its frames will have it as their chain */
	uint32_t joined;   /* the newest whose frames are on disk */
	uint32_t *schemas; /* whose records are in the file */
	size_t n_schemas, schema_room;
	uint64_t pieces, sweeps;
	int64_t oldest_ms;
	bool ending; /* becomes frames as soon as may be */
	bool failed; /* and takes nothing until then: a write went wrong */
	bool damaged;
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
	uint32_t next_schema, schema_in_use, schema_asked; /* asked: for its text, the last */

	struct reader reader;
	struct fw_buf scratch; /* a renumbered or made-up frame for the reader */

	struct loss loss;
	uint64_t dropped_frames, dropped_sweeps;

	int journal_fd;
	uint64_t journal_bytes;
	uint32_t journal_chain, chain_closed, next_chain;
	uint32_t left_schema;
	struct fw_buf left; /* pieces found at open */

	struct gathering gathering;
};

/* spool_cursor.c */
char *spool_path(const struct spool *s, const char *name); /* in the spool's folder */
int spool_cursor_write(struct spool *s, struct fw_err *err);
/* 1: there is none that can be read. */
int spool_cursor_load(struct spool *s, struct fw_err *err);

/* spool_journal.c */
void spool_journal_load(struct spool *s);
void spool_journal_truncate(struct spool *s);

/* spool_gather.c */
/* Fails where it is there and cannot be opened: it would be begun anew, and what is in it lost. */
int spool_gathering_load(struct spool *s, struct fw_err *err);
/* Makes what is gathered in memory durable; where that fails, it becomes frames. */
void spool_gathering_write(struct spool *s);
void spool_gathering_stat(const struct spool *s, struct spool_stat *out);
bool spool_gathering_holds(const struct spool *s, uint32_t schema); /* in memory */
void spool_gathering_done(struct spool *s);

/* spool_join.c */
/* Frames of what is gathered in the file, in a segment that is there as a whole or not at all. */
int spool_join_file(struct spool *s);

/* spool_reader.c */
/* 0, or -ENOENT when no segment has that number (a hole). */
int spool_disk_read(struct spool *s, uint64_t seq, struct frame *out);

/* spool_disk.c */
void spool_segment_path(const struct spool *s, uint32_t id, char *path, size_t size);
void spool_segment_count(struct segment *segment, const struct frame *frame);
/* The file `from`, which is durable, becomes the newest segment. */
int spool_segment_move_in(struct spool *s, const char *from, const struct segment *made);
int spool_write_durably(struct spool *s, int fd, const struct fw_buf *data, uint64_t offset);
int spool_dir_sync(struct spool *s);
int spool_disk_open(struct spool *s, bool *made, struct fw_err *err);
void spool_disk_close(struct spool *s);
bool spool_disk_has_room(const struct spool *s, size_t bytes, struct fw_err *err);
/* Appends all held frames that are not written, and makes them durable. */
int spool_disk_write(struct spool *s, struct fw_err *err);
/* Removes segments whose frames are all acknowledged. */
void spool_disk_forget(struct spool *s);
void spool_disk_drop_oldest(struct spool *s);
uint64_t spool_disk_bytes(const struct spool *s);

/* spool_schema.c */
/* The record of a schema, as it stands before what uses it; and what it says is known again. */
void spool_schema_record(const struct spool *s, uint32_t id, struct fw_buf *out);
/* Something on disk has this id, though nobody may be able to say what it means. */
void spool_schema_taken(struct spool *s, uint32_t id);
void spool_schema_learn(struct spool *s, const struct record *record);
/* Texts that only frames on disk need come back when those are read; names that
 * nothing needs go. */
void spool_schemas_trim(struct spool *s);
void spool_schemas_done(struct spool *s);

/* spool.c */
/* The lane has made numbers up to this one; some thousand are reserved on disk. */
void spool_numbers_made(struct spool *s, enum lane lane, uint64_t made);
struct held *spool_held_new(const struct frame *frame, uint64_t seq);
struct known_schema *spool_schema_by_id(const struct spool *s, uint32_t id);

/* spool_gap.c */
void spool_lost(struct spool *s, enum spool_loss why, uint64_t from, uint64_t to, uint64_t frames,
	uint64_t sweeps);
/* An event about numbers of `lane`. */
void spool_add_gap(struct spool *s, enum lane lane, const struct loss *loss, int64_t now_ms);
/* One in the place of a frame that cannot be read, good until the next. */
void spool_make_lost(struct spool *s, enum lane lane, uint64_t seq, enum spool_loss why,
	uint64_t sweeps, int64_t now_ms, struct frame *out);
