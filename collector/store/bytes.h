/* Little-endian numbers, and the envelope that everything on disk lies in.
 *
 *   magic u32 | length u32 | CRC-32C u32 | `length` bytes
 *
 * The checksum starts from the store's salt (from its uuid), so that bytes of
 * another store, or bytes that an agent made to look like ours, are not taken
 * for something we wrote. Everything starts at a multiple of eight.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ENVELOPE_BYTES 12

static inline void put_u16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)v;
	at[1] = (uint8_t)(v >> 8);
}

static inline void put_u32(uint8_t *at, uint32_t v)
{
	put_u16(at, (uint16_t)v);
	put_u16(at + 2, (uint16_t)(v >> 16));
}

static inline void put_u64(uint8_t *at, uint64_t v)
{
	put_u32(at, (uint32_t)v);
	put_u32(at + 4, (uint32_t)(v >> 32));
}

static inline uint16_t get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)get_u16(at) | (uint32_t)get_u16(at + 2) << 16;
}

static inline uint64_t get_u64(const uint8_t *at)
{
	return (uint64_t)get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

static inline uint64_t align8(uint64_t n)
{
	return (n + 7) & ~(uint64_t)7;
}

/* Fills in the envelope around the `length` bytes that lie behind it. */
void envelope_seal(uint8_t *at, uint32_t magic, size_t length, uint32_t salt);
/* Length of what is inside, or -1 when `available` bytes at `at` hold no sound one. */
int64_t envelope_open(const uint8_t *at, size_t available, uint32_t magic, uint32_t salt);

uint64_t file_size(int fd); /* 0 when it cannot be told */

/* Walks a file from envelope to envelope through a window of its bytes. */
struct scan {
	int fd;
	uint64_t size;
	uint32_t magic, salt;
	uint8_t *window;
	uint64_t base;
	size_t length, capacity;
	int rc; /* why something could not be read; nothing is found from then on */
};

void scan_init(struct scan *scan, int fd, uint64_t size, uint32_t magic, uint32_t salt);
/* Negative errno where a file could not be read, or memory was short: what was not
 * found may be there. Only 0 says that it is damaged or absent. */
int scan_done(struct scan *scan);
/* The envelope at `offset`, valid until the next call, or NULL. */
const uint8_t *scan_at(struct scan *scan, uint64_t offset, uint32_t *length);
/* The next envelope at or after `offset`, which moves there, or NULL. */
const uint8_t *scan_next(struct scan *scan, uint64_t *offset, uint32_t *length);
