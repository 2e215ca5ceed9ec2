/* What the store is: its identity, its sizes, and where its log begins.
 *
 * One file of two copies, written by turns and synced, so that one of them is
 * always whole. The newer sound copy counts. A second file has the same, for nothing
 * else on the disk could say what is lost with the first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>

#include "damage.h"
#include "store.h"

#define STORE_FORMAT 4

#define FILE_HEADER_BYTES 32
#define MAGIC_SUPER 0x50535746u  /* "FWSP" */
#define MAGIC_FILE 0x4c465746u   /* "FWFL" */
#define MAGIC_NAME 0x4d4e5746u   /* "FWNM" */
#define MAGIC_RECORD 0x524c5746u /* "FWLR" */
#define MAGIC_BLOCK 0x4b425746u  /* "FWBK" */
#define MAGIC_INDEX 0x58495746u  /* "FWIX" */

enum file_kind { FILE_SCHEMAS = 1, FILE_HOSTS, FILE_LOG, FILE_RAW, FILE_FIVE_MINUTE, FILE_HOUR };

enum {
	LANES_DIGESTED = 2, /* live segments, late ones */
	KINDS_WRITTEN = 3,  /* those, and joined ones */
};

/* Up to where the segment that was written on had been synced when `super` was. */
struct super_synced {
	uint64_t life, upto; /* 0: not known */
};

/* The ring of a tier: segments of one size, and up to which life they were digested. */
struct super_tier {
	uint64_t segment_bytes;
	uint32_t segments; /* 0: made by a format that had no such tier */
	uint32_t made;     /* so many of their files were made in full: they must be there */
	bool counted;      /* and each of those was given a head; not before this was counted */
	uint64_t digested[LANES_DIGESTED];
	int64_t forgotten_ms; /* what ended later was not written over yet */
	struct super_synced synced[KINDS_WRITTEN];
};

struct super {
	uint8_t uuid[16];
	uint32_t salt; /* from the uuid; where every other checksum starts */
	uint64_t generation;
	struct super_tier tiers[STORE_TIERS];
	uint64_t log_segment_bytes;
	uint32_t log_segments;
	uint64_t log_first; /* the oldest log segment that may hold what is nowhere else */
	bool one_file;      /* as loaded: one of the two files does not have this */
};

/* -ENOENT: there is no store yet. -EBADMSG: there is one, and neither file says what it is. */
int super_load(const char *dir, struct super *super, struct damage *damage, struct fw_err *err);
/* Who was killed may not have come to sync what was loaded. */
int super_sync(const char *dir, struct fw_err *err);
/* Writes the older copy in both files and syncs it. The first save makes them. */
int super_save(const char *dir, struct super *super, struct fw_err *err);
void super_set_uuid(struct super *super, const uint8_t uuid[16]);
/* An opening has come to its end before: all files were made. */
static inline bool super_was_opened(const struct super *super)
{
	return super->log_first > 0;
}

/* The header that dictionaries, log and raw segments begin with: envelope,
 * format u16, kind u16, uuid. `more` bytes of their own follow inside it. */
void file_header_seal(uint8_t *at, const struct super *super, enum file_kind kind, size_t more);
/* 0, -EBADMSG, or -ENOTSUP for a format that is newer than this program. */
int file_header_open(
	const uint8_t *at, const struct super *super, enum file_kind kind, size_t more);
