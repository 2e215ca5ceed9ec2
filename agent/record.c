/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <errno.h>
#include <string.h>

#include <fenwatch/crc.h>
#include <fenwatch/file.h>

void put_u32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

void put_u64(uint8_t *at, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
		(uint32_t)at[3] << 24;
}

uint64_t get_u64(const uint8_t *at)
{
	return get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

/* Behind the message: the Host message, its number u32, its length u32. */
#define HAS_HOST 1
#define HOST_TAIL 8

static size_t host_bytes(const struct frame *f)
{
	return f->host_length > 0 ? f->host_length + HOST_TAIL : 0;
}

static void put_host(struct fw_buf *out, const struct frame *f)
{
	uint8_t tail[HOST_TAIL];
	if (f->host_length == 0)
		return;
	put_u32(tail, f->host);
	put_u32(tail + 4, (uint32_t)f->host_length);
	fw_buf_append(out, f->host_message, f->host_length);
	fw_buf_append(out, tail, sizeof tail);
}

static bool cut_host(struct frame *f)
{
	if (f->length < HOST_TAIL)
		return false;
	const uint8_t *tail = f->payload + f->length - HOST_TAIL;
	size_t length = get_u32(tail + 4);
	if (length == 0 || length > f->length - HOST_TAIL)
		return false;
	f->host = get_u32(tail);
	f->host_length = length;
	f->host_message = tail - length;
	f->length -= length + HOST_TAIL;
	return true;
}

/* Over everything but the four bytes that hold it. */
static uint32_t record_crc(const uint8_t *header, const uint8_t *payload, size_t length)
{
	uint32_t crc = fw_crc32c(0, header, 4);
	crc = fw_crc32c(crc, header + 8, RECORD_HEADER - 8);
	return fw_crc32c(crc, payload, length);
}

void record_put(struct fw_buf *out, const struct record *record)
{
	const struct frame *f = &record->frame;
	uint8_t header[RECORD_HEADER] = {0};
	put_u32(header, (uint32_t)(f->length + host_bytes(f)));
	header[8] = (uint8_t)record->kind;
	header[9] = (uint8_t)f->lane;
	header[10] = (uint8_t)f->type;
	header[11] = f->host_length > 0 ? HAS_HOST : 0;
	put_u32(header + 12, f->schema);
	put_u32(header + 16, f->chain);
	put_u32(header + 20, f->sweeps);
	put_u64(header + 24, f->seq);
	put_u64(header + 32, (uint64_t)f->oldest_ms);
	size_t at = out->length;
	fw_buf_append(out, header, sizeof header);
	fw_buf_append(out, f->payload, f->length);
	put_host(out, f);
	const uint8_t *payload = out->data + at + RECORD_HEADER;
	put_u32(out->data + at + 4, record_crc(header, payload, get_u32(header)));
}

static bool header_is_possible(const uint8_t *header)
{
	return get_u32(header) <= RECORD_PAYLOAD_LIMIT && header[8] >= RECORD_SCHEMA &&
		header[8] < RECORD_KINDS && header[9] < LANES && header[10] < FW_FRAME_TYPES &&
		header[11] <= HAS_HOST;
}

static void header_parse(const uint8_t *header, struct record *out)
{
	*out = (struct record){
		.kind = (enum record_kind)header[8],
		.frame =
			{
				.lane = (enum lane)header[9],
				.type = (enum fw_frame_type)header[10],
				.schema = get_u32(header + 12),
				.chain = get_u32(header + 16),
				.sweeps = get_u32(header + 20),
				.seq = get_u64(header + 24),
				.oldest_ms = (int64_t)get_u64(header + 32),
				.length = get_u32(header),
			},
	};
}

int record_read(int fd, uint64_t offset, struct fw_buf *buf, struct record *out)
{
	uint8_t header[RECORD_HEADER];
	ssize_t n = fw_pread(fd, header, sizeof header, offset);
	if (n <= 0)
		return (int)n;
	if ((size_t)n < sizeof header || !header_is_possible(header))
		return -EBADMSG;
	size_t length = get_u32(header);
	fw_buf_reset(buf);
	uint8_t *payload = fw_buf_reserve(buf, length + 1);
	n = fw_pread(fd, payload, length, offset + RECORD_HEADER);
	if (n < 0)
		return (int)n;
	if ((size_t)n < length || record_crc(header, payload, length) != get_u32(header + 4))
		return -EBADMSG;
	header_parse(header, out);
	out->frame.payload = payload;
	if (header[11] == HAS_HOST && !cut_host(&out->frame))
		return -EBADMSG;
	return (int)(RECORD_HEADER + length);
}

/* Damage is rare, so the search may be slow: every offset whose header could be
 * one is tried. */
uint64_t record_find(int fd, uint64_t offset, struct fw_buf *buf)
{
	uint8_t window[4096];
	for (uint64_t at = offset + 1;;) {
		ssize_t n = fw_pread(fd, window, sizeof window, at);
		if (n < RECORD_HEADER)
			return 0;
		size_t tries = (size_t)n - RECORD_HEADER + 1;
		for (size_t i = 0; i < tries; i++) {
			struct record record;
			if (header_is_possible(window + i) &&
				record_read(fd, at + i, buf, &record) > 0)
				return at + i;
		}
		at += tries;
	}
}

int record_next(int fd, uint64_t *offset, struct fw_buf *buf, struct record *out, bool *damaged)
{
	for (;;) {
		int n = record_read(fd, *offset, buf, out);
		if (n != -EBADMSG)
			return n;
		uint64_t at = record_find(fd, *offset, buf);
		if (!at)
			return 0;
		*offset = at;
		if (damaged)
			*damaged = true;
	}
}

void spool_file_header(uint8_t out[SPOOL_FILE_HEADER], uint32_t magic)
{
	memset(out, 0, SPOOL_FILE_HEADER);
	put_u32(out, magic);
	put_u32(out + 4, SPOOL_VERSION);
	put_u32(out + 12, fw_crc32c(0, out, 12));
}

int spool_file_check(int fd, uint32_t magic)
{
	uint8_t header[SPOOL_FILE_HEADER];
	ssize_t n = fw_pread(fd, header, sizeof header, 0);
	if (n < 0)
		return (int)n;
	if (n < SPOOL_FILE_HEADER || get_u32(header) != magic ||
		get_u32(header + 12) != fw_crc32c(0, header, 12))
		return -EBADMSG;
	return get_u32(header + 4) > SPOOL_VERSION ? -EPROTONOSUPPORT : 0;
}
