/* A file read as a stream, unpacked as the ending of its name says: .gz, .bz2, .xz,
 * .lz4 or .zst; anything else is read as it is. Lists of packages and of advisories come
 * so, and are up to a gigabyte long when unpacked, so they pass through a window and are
 * never whole.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FW_UNPACK_LIMIT ((uint64_t)2 << 30)   /* bytes that come out of one file */
#define FW_UNPACK_MEMORY ((uint64_t)24 << 20) /* of a dictionary: what xz -6 and zstd -19 need */

struct fw_unpack;

bool fw_unpack_knows(const char *name); /* whether it is packed, by its ending */

/* `fd` stays the caller's. */
struct fw_unpack *fw_unpack_new(int fd, const char *name);
void fw_unpack_free(struct fw_unpack *u);
/* Bytes got, 0 at the end; -EBADMSG: damaged or cut off; -EFBIG: more than the limits. */
ssize_t fw_unpack_read(struct fw_unpack *u, void *data, size_t size);
