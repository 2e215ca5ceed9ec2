/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

#include <errno.h>
#include <sys/stat.h>

#include <fenwatch/crc.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

enum { WINDOW_BYTES = 1 << 20 };

void envelope_seal(uint8_t *at, uint32_t magic, size_t length, uint32_t salt)
{
	put_u32(at, magic);
	put_u32(at + 4, (uint32_t)length);
	put_u32(at + 8, fw_crc32c(salt, at + ENVELOPE_BYTES, length));
}

int64_t envelope_open(const uint8_t *at, size_t available, uint32_t magic, uint32_t salt)
{
	if (available < ENVELOPE_BYTES || get_u32(at) != magic)
		return -1;
	uint32_t length = get_u32(at + 4);
	if (length > available - ENVELOPE_BYTES)
		return -1;
	if (fw_crc32c(salt, at + ENVELOPE_BYTES, length) != get_u32(at + 8))
		return -1;
	return length;
}

uint64_t file_size(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void scan_init(struct scan *scan, int fd, uint64_t size, uint32_t magic, uint32_t salt)
{
	*scan = (struct scan){.fd = fd, .size = size, .magic = magic, .salt = salt};
}

int scan_done(struct scan *scan)
{
	fw_free(scan->window);
	scan->window = NULL;
	return scan->rc;
}

static bool has_window(struct scan *scan, size_t bytes)
{
	if (bytes <= scan->capacity)
		return true;
	fw_free(scan->window);
	scan->window = fw_try_alloc(bytes);
	scan->capacity = scan->window ? bytes : 0;
	scan->length = 0;
	scan->rc = scan->window ? 0 : -ENOMEM;
	return scan->window;
}

/* Makes [offset, offset + need) readable. */
static const uint8_t *window_at(struct scan *scan, uint64_t offset, size_t need)
{
	if (scan->rc < 0 || offset + need > scan->size)
		return NULL;
	if (offset >= scan->base && offset + need <= scan->base + scan->length)
		return scan->window + (offset - scan->base);
	size_t want = need > WINDOW_BYTES ? need : WINDOW_BYTES;
	if (want > scan->size - offset)
		want = (size_t)(scan->size - offset);
	if (!has_window(scan, want))
		return NULL;
	ssize_t got = fw_pread(scan->fd, scan->window, want, offset);
	scan->base = offset;
	scan->length = got > 0 ? (size_t)got : 0;
	scan->rc = got < 0 ? (int)got : 0;
	return scan->length >= need ? scan->window : NULL;
}

const uint8_t *scan_at(struct scan *scan, uint64_t offset, uint32_t *length)
{
	const uint8_t *at = window_at(scan, offset, ENVELOPE_BYTES);
	if (!at || get_u32(at) != scan->magic)
		return NULL;
	size_t whole = ENVELOPE_BYTES + (size_t)get_u32(at + 4);
	at = window_at(scan, offset, whole);
	int64_t inside = at ? envelope_open(at, whole, scan->magic, scan->salt) : -1;
	if (inside < 0)
		return NULL;
	*length = (uint32_t)inside;
	return at;
}

const uint8_t *scan_next(struct scan *scan, uint64_t *offset, uint32_t *length)
{
	for (uint64_t at = *offset; at + ENVELOPE_BYTES <= scan->size && scan->rc >= 0; at += 8) {
		const uint8_t *found = scan_at(scan, at, length);
		if (found) {
			*offset = at;
			return found;
		}
	}
	return NULL;
}
