/* The list of a snapshot's files.
 *
 * A snapshot goes over networks and lies on disks for years: what is missing of it, cut short or
 * changed must be known before anybody goes on from it. So the file `contents` has a line for each
 * of the others, its checksum, length and name, and at last one for the lines before, under its own
 * name. It is written when all others are on disk.
 */
#pragma once

#include <stdint.h>

#include <fenwatch/buf.h>
#include <fenwatch/err.h>

/* `crc` is CRC-32C of all that the file holds. */
void contents_add(struct fw_buf *list, const char *name, uint64_t bytes, uint32_t crc);
/* Reads it for that. */
int contents_add_file(
	struct fw_buf *list, const char *folder, const char *name, struct fw_err *err);
/* Ends the list and puts it beside what it tells of. */
int contents_write(struct fw_buf *list, const char *folder, struct fw_err *err);

/* Reads every file that the list in the folder has. -ENOENT: there is no list. -EBADMSG: one is
 * missing or not as it was, and the sentence names it. */
int contents_check(const char *folder, struct fw_err *err);
