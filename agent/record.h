/* Records: how frames, schemas and pieces of chains lie in the spool's files.
 *
 * docs/spool-format.md has the bytes. A record is whole or not there: its
 * checksum covers its header and what it carries.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>

#include "agent.h"

#define RECORD_HEADER 40
#define RECORD_PAYLOAD_LIMIT (FW_FRAME_LIMIT + (16u << 10)) /* with whose it is */
#define SPOOL_FILE_HEADER 16
#define SPOOL_SEGMENT_MAGIC 0x53505746u   /* "FWPS" */
#define SPOOL_JOURNAL_MAGIC 0x4a505746u   /* "FWPJ" */
#define SPOOL_GATHERING_MAGIC 0x47505746u /* "FWPG" */
#define SPOOL_CURSOR_MAGIC 0x43505746u    /* "FWPC" */
#define SPOOL_VERSION 1

enum record_kind {
	RECORD_SCHEMA = 1,
	RECORD_FRAME,
	RECORD_PIECE,
	RECORD_PACKED_SCHEMA,
	RECORD_KINDS
};

struct record {
	enum record_kind kind;
	struct frame frame; /* payload and length of every kind are in it; `seq` counts from the
	                       making of the spool, not of the stream */
};

void record_put(struct fw_buf *out, const struct record *record);
static inline bool record_is_schema(const struct record *record)
{
	return record->kind == RECORD_SCHEMA || record->kind == RECORD_PACKED_SCHEMA;
}
/* Reads the record at `offset` of a file; its payload lies in `buf`, until the
 * next read. Returns its bytes, 0 at the end of the file, -EBADMSG for anything
 * that is not a whole record, or what the file says. */
int record_read(int fd, uint64_t offset, struct fw_buf *buf, struct record *out);
/* The same for the first whole record from `*offset` on, which becomes its place: 0 where none
 * follows, negative where the file cannot be read. `*damaged`, optional, becomes true where something stood before it. */
int record_next(int fd, uint64_t *offset, struct fw_buf *buf, struct record *out, bool *damaged);
/* The next offset after `offset` with a whole record, or 0 when there is none. */
uint64_t record_find(int fd, uint64_t offset, struct fw_buf *buf);

void spool_file_header(uint8_t out[SPOOL_FILE_HEADER], uint32_t magic);
/* 0, or -EBADMSG, or -EPROTONOSUPPORT for a newer version. */
int spool_file_check(int fd, uint32_t magic);

void put_u32(uint8_t *at, uint32_t value);
void put_u64(uint8_t *at, uint64_t value);
uint32_t get_u32(const uint8_t *at);
uint64_t get_u64(const uint8_t *at);
