/* A file read as a stream, unpacked as the ending of its name says: .gz, .bz2, .xz,
 * .lz4 or .zst; anything else is read as it is. Lists of packages come so, and are tens of
 * megabytes long when unpacked, so they pass through a window and are never whole.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define UNPACK_LIMIT ((uint64_t)1 << 30)   /* bytes that come out of one file */
#define UNPACK_MEMORY ((uint64_t)24 << 20) /* of a dictionary: what xz -6 and zstd -19 need */

struct unpack;

/* `fd` stays the caller's. */
struct unpack *unpack_new(int fd, const char *name);
void unpack_free(struct unpack *u);
/* Bytes got, 0 at the end; -EBADMSG: damaged or cut off; -EFBIG: more than the limits. */
ssize_t unpack_read(struct unpack *u, void *data, size_t size);
