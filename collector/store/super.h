/* What the store is: its identity, its sizes, and where its log begins.
 *
 * One file of two copies, written by turns and synced, so that one of them is
 * always whole. The newer sound copy counts.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>

#define STORE_FORMAT 2

#define FILE_HEADER_BYTES 32
#define MAGIC_SUPER 0x50535746u  /* "FWSP" */
#define MAGIC_FILE 0x4c465746u   /* "FWFL" */
#define MAGIC_NAME 0x4d4e5746u   /* "FWNM" */
#define MAGIC_RECORD 0x524c5746u /* "FWLR" */
#define MAGIC_BLOCK 0x4b425746u  /* "FWBK" */
#define MAGIC_INDEX 0x58495746u  /* "FWIX" */

enum file_kind { FILE_SCHEMAS = 1, FILE_HOSTS, FILE_LOG, FILE_RAW };

struct super {
	uint8_t uuid[16];
	uint32_t salt; /* from the uuid; where every other checksum starts */
	uint64_t generation;
	uint64_t raw_segment_bytes, log_segment_bytes;
	uint32_t raw_segments, log_segments;
	uint64_t log_first; /* the oldest log segment that may hold what is nowhere else */
};

/* -ENOENT: there is none yet. -EBADMSG: both copies are damaged. */
int super_load(const char *dir, struct super *super, struct fw_err *err);
/* Writes the older copy and syncs it. The first save makes the file. */
int super_save(const char *dir, struct super *super, struct fw_err *err);
void super_set_uuid(struct super *super, const uint8_t uuid[16]);

/* The header that dictionaries, log and raw segments begin with: envelope,
 * format u16, kind u16, uuid. `more` bytes of their own follow inside it. */
void file_header_seal(uint8_t *at, const struct super *super, enum file_kind kind, size_t more);
/* 0, -EBADMSG, or -ENOTSUP for a format that is newer than this program. */
int file_header_open(
	const uint8_t *at, const struct super *super, enum file_kind kind, size_t more);
