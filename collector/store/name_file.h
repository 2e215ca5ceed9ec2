/* A file of names: records with the ids that are given out, appended and never changed. It is
 * written anew where too many of them are of no use any more.
 *
 * A record is an envelope with id u32 and the name itself: a Schema message, or a host's
 * labels as length u16 and bytes, name and value by turns; without any, the host of that
 * id is forgotten, and a host that has none is written with one whose name is empty. A
 * record stands alone, so a damaged one takes no other with it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

#include "super.h"

#define NAME_ID_LIMIT (1u << 24)

struct name_file {
	const struct super *super;
	enum file_kind kind;
	int fd;
	uint64_t end;
	uint32_t next_id;
	unsigned damaged; /* records */
	bool failed;      /* a sync failed: nothing more is promised */
};

/* Opens or makes it in `dir`. With `read_only` nothing is made. */
int name_file_open(struct name_file *file, const char *dir, enum file_kind kind,
	const struct super *super, bool read_only, struct fw_err *err);
void name_file_close(struct name_file *file);
/* Every record; `take` says whether the name is sound. */
int name_file_read(struct name_file *file,
	bool (*take)(uint32_t id, const uint8_t *name, size_t length, void *arg), void *arg);

int name_file_take_id(struct name_file *file, uint32_t *id, struct fw_err *err);
/* This one is taken, whoever has it. */
void name_file_skip_id(struct name_file *file, uint32_t id);

/* Begins a record behind others; the name is appended to it. Where it begins. */
size_t name_record_begin(struct fw_buf *records);
void name_record_end(
	const struct name_file *file, struct fw_buf *records, size_t from, uint32_t id);
/* All of them wait for the disk once. */
int name_file_append(struct name_file *file, const struct fw_buf *records, struct fw_err *err);

/* What a record takes whose name has so many bytes. */
uint64_t name_record_bytes(size_t length);
/* A file of the records that `keeps` says takes its place. 0: it could not be written, and the
 * old one stays. 1: it has. Negative: nobody knows which of the two a power cut would leave. */
int name_file_rewrite(struct name_file *file, const char *dir,
	bool (*keeps)(uint32_t id, void *arg), void *arg, struct fw_err *err);
