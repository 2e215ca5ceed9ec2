/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "bytes.h"

enum { HEADER_MORE = LOG_HEADER_BYTES - FILE_HEADER_BYTES };

/* ---- records ---- */

static void put_record(uint8_t *at, const struct log_record *record)
{
	at[12] = (uint8_t)record->kind;
	at[13] = record->lane;
	put_u16(at + 14, record->flags);
	put_u32(at + 16, record->sent_crc);
	put_u32(at + 20, record->host);
	put_u32(at + 24, record->schema);
	put_u32(at + 28, 0);
	put_u64(at + 32, record->position);
	put_u64(at + 40, record->group);
	memcpy(at + 48, record->agent, 16);
	put_u64(at + 64, record->stream);
	put_u64(at + 72, record->seq);
	put_u64(at + 80, (uint64_t)record->received_ms);
	if (record->length)
		memcpy(at + LOG_RECORD_BYTES, record->payload, record->length);
}

bool log_record_open(const uint8_t *at, size_t length, struct log_record *record)
{
	if (length < LOG_RECORD_BYTES - ENVELOPE_BYTES || at[12] < LOG_STREAMS ||
		at[12] >= LOG_KINDS || at[13] > 1)
		return false;
	*record = (struct log_record){
		.kind = (enum log_kind)at[12],
		.lane = at[13],
		.flags = get_u16(at + 14),
		.sent_crc = get_u32(at + 16),
		.host = get_u32(at + 20),
		.schema = get_u32(at + 24),
		.position = get_u64(at + 32),
		.group = get_u64(at + 40),
		.stream = get_u64(at + 64),
		.seq = get_u64(at + 72),
		.received_ms = (int64_t)get_u64(at + 80),
		.payload = at + LOG_RECORD_BYTES,
		.length = length - (LOG_RECORD_BYTES - ENVELOPE_BYTES),
	};
	memcpy(record->agent, at + 48, 16);
	return true;
}

/* ---- segments ---- */

/* A segment whose header is damaged is known by its first sound record. */
static int guess_number(const struct log *log, struct log_slot *slot)
{
	struct scan scan;
	scan_init(&scan, slot->fd, log->super->log_segment_bytes, MAGIC_RECORD, log->super->salt);
	uint64_t offset = LOG_HEADER_BYTES;
	uint32_t length;
	const uint8_t *at = scan_next(&scan, &offset, &length);
	struct log_record record;
	if (at && log_record_open(at, length, &record) &&
		record.position % log->super->log_segment_bytes == offset)
		slot->number = record.position / log->super->log_segment_bytes;
	slot->guessed = slot->number > 0;
	return scan_done(&scan);
}

/* From here on positions would begin again. */
static uint64_t number_limit(const struct log *log)
{
	return UINT64_MAX / log->super->log_segment_bytes;
}

static int read_header(struct log *log, struct log_slot *slot)
{
	uint8_t header[LOG_HEADER_BYTES];
	ssize_t got = fw_pread(slot->fd, header, sizeof header, 0);
	if (got < 0)
		return (int)got;
	int rc = got < (ssize_t)sizeof header
		? -EBADMSG
		: file_header_open(header, log->super, FILE_LOG, HEADER_MORE);
	if (rc == -ENOTSUP)
		return rc;
	if (rc >= 0 && get_u64(header + FILE_HEADER_BYTES) >= number_limit(log))
		rc = -EBADMSG;
	if (rc >= 0) {
		slot->number = get_u64(header + FILE_HEADER_BYTES);
		slot->before = get_u64(header + FILE_HEADER_BYTES + 8);
	} else if (got == (ssize_t)sizeof header && get_u32(header) != 0) {
		rc = guess_number(log, slot);
		if (rc < 0)
			return rc;
	}
	if (slot->number >= log->next_number)
		log->next_number = slot->number + 1;
	return 0;
}

/* Of a file that was made in full nothing goes by itself. */
static void look_at_file(const struct log *log, unsigned i, struct damage *damage)
{
	int fd = log->slots[i].fd;
	bool is_short = fd < 0 || file_size(fd) < log->super->log_segment_bytes;
	damage_found(damage, is_short && log->super->tiers[STORE_RAW].made > 0,
		"wal/%08x: it is %s", i, fd < 0 ? "missing" : "shorter than it was made");
}

static int open_slot(
	struct log *log, unsigned i, const char *path, bool read_only, struct damage *damage)
{
	struct log_slot *slot = &log->slots[i];
	slot->fd = fw_open(path, read_only ? O_RDONLY : O_RDWR, 0);
	if (slot->fd < 0 && slot->fd != -ENOENT)
		return slot->fd;
	look_at_file(log, i, damage);
	if (slot->fd < 0 && !read_only)
		slot->fd = fw_open(path, O_RDWR | O_CREAT, 0600);
	if (slot->fd < 0)
		return read_only ? 0 : slot->fd;
	if (!read_only && file_size(slot->fd) < log->super->log_segment_bytes) {
		int rc = fw_preallocate(slot->fd, log->super->log_segment_bytes);
		if (rc >= 0)
			rc = fw_fsync(slot->fd);
		if (rc < 0)
			return rc;
	}
	return read_header(log, slot);
}

int log_open(struct log *log, const char *dir, const struct super *super, bool read_only,
	struct damage *damage, struct fw_err *err)
{
	*log = (struct log){.super = super, .next_number = super->log_first + 1};
	for (unsigned i = 0; i < LOG_SLOTS; i++)
		log->slots[i].fd = -1;
	char *wal = fw_format("%s/wal", dir);
	int rc = read_only ? 0 : fw_mkdir_all(wal, 0700);
	for (unsigned i = 0; i < LOG_SLOTS && rc >= 0; i++) {
		char *path = fw_format("%s/%08x", wal, i);
		rc = open_slot(log, i, path, read_only, damage);
		if (rc < 0)
			fw_fail_sys(err, rc, "cannot open the store's log %s (%llu bytes)", path,
				(unsigned long long)super->log_segment_bytes);
		fw_free(path);
	}
	if (rc >= 0 && !read_only && (rc = fw_fsync_dir(wal)) < 0)
		fw_fail_sys(err, rc, "cannot sync %s", wal);
	fw_free(wal);
	return rc;
}

void log_close(struct log *log)
{
	for (unsigned i = 0; i < LOG_SLOTS && log->super; i++) {
		if (log->slots[i].fd >= 0)
			fw_close(log->slots[i].fd);
	}
	fw_buf_done(&log->buf);
}

void log_begin(struct log *log, unsigned slot)
{
	assert(log->buf.length == 0 && log->slots[slot].pins == 0);
	uint64_t before = 0;
	if (log->slots[log->active].number)
		before = log_position(log, log->slots[log->active].number, log->end);
	log->active = slot;
	log->end = 0;
	log->slots[slot].number = log->next_number++;
	log->slots[slot].before = before;
	log->slots[slot].guessed = false;
	uint8_t header[LOG_HEADER_BYTES] = {0};
	put_u64(header + FILE_HEADER_BYTES, log->slots[slot].number);
	put_u64(header + FILE_HEADER_BYTES + 8, before);
	file_header_seal(header, log->super, FILE_LOG, HEADER_MORE);
	fw_buf_append(&log->buf, header, sizeof header);
}

bool log_has_room(const struct log *log, size_t payload)
{
	return log->end + log->buf.length + align8(LOG_RECORD_BYTES + payload) <=
		log->super->log_segment_bytes;
}

uint64_t log_append(struct log *log, struct log_record *record)
{
	assert(log_has_room(log, record->length));
	uint64_t number = log->slots[log->active].number;
	record->group = log_position(log, number, log->end);
	record->position = log_position(log, number, log->end + log->buf.length);
	size_t length = LOG_RECORD_BYTES + record->length, padded = (size_t)align8(length);
	uint8_t *at = fw_buf_reserve(&log->buf, padded);
	put_record(at, record);
	memset(at + length, 0, padded - length);
	envelope_seal(at, MAGIC_RECORD, length - ENVELOPE_BYTES, log->super->salt);
	log->buf.length += padded;
	return record->position;
}

int log_commit(struct log *log)
{
	if (log->buf.length == 0)
		return 0;
	int fd = log->slots[log->active].fd;
	int rc = fw_pwrite(fd, log->buf.data, log->buf.length, log->end);
	if (rc >= 0)
		rc = fw_fdatasync(fd);
	if (rc < 0)
		return rc;
	log->end += log->buf.length;
	fw_buf_reset(&log->buf);
	return 0;
}

unsigned log_slot_of(const struct log *log, uint64_t position)
{
	uint64_t number = position / log->super->log_segment_bytes;
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		if (log->slots[i].number == number)
			return i;
	}
	return log->active;
}

/* ---- reading ---- */

void log_look_at_end(uint64_t end, uint64_t newest, struct damage *damage)
{
	damage_found(damage, newest > end,
		"log: it ends at %llu, and blocks have records of up to %llu",
		(unsigned long long)end, (unsigned long long)newest);
}

uint64_t log_known_end(const struct log *log, unsigned slot)
{
	uint64_t number = log->slots[slot].number, size = log->super->log_segment_bytes;
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		uint64_t before = log->slots[i].before;
		if (log->slots[i].number > number && before && (before - 1) / size == number)
			return before - number * size;
	}
	return 0;
}

struct walk {
	const struct log *log;
	struct scan scan;
	uint64_t number, known_end;
};

/* The next sound record of this segment's life at or after `*offset`. */
static bool next_record(
	struct walk *walk, uint64_t *offset, struct log_record *record, uint64_t *after)
{
	uint32_t length;
	const uint8_t *at;
	for (; (at = scan_next(&walk->scan, offset, &length)); *offset += 8) {
		if (!log_record_open(at, length, record) ||
			record->position != log_position(walk->log, walk->number, *offset))
			continue;
		*after = *offset + align8(ENVELOPE_BYTES + (uint64_t)length);
		return true;
	}
	return false;
}

/* Was something committed after the hole, so that the hole had been synced? */
static bool is_damage(struct walk *walk, uint64_t hole)
{
	uint64_t position = log_position(walk->log, walk->number, hole), after;
	struct log_record record;
	if (walk->known_end)
		return hole < walk->known_end;
	for (uint64_t at = hole; next_record(walk, &at, &record, &after); at = after) {
		if (record.group > position)
			return true;
	}
	return false;
}

static void walk_init(struct walk *walk, const struct log *log, unsigned slot)
{
	*walk = (struct walk){
		.log = log,
		.number = log->slots[slot].number,
		.known_end = log_known_end(log, slot),
	};
	scan_init(&walk->scan, log->slots[slot].fd, log->super->log_segment_bytes, MAGIC_RECORD,
		log->super->salt);
	if (walk->known_end)
		walk->scan.size = walk->known_end;
}

int log_walk(const struct log *log, unsigned slot,
	void (*on_record)(const struct log_record *record, void *arg), void *arg, uint64_t *end)
{
	struct walk walk;
	walk_init(&walk, log, slot);
	uint64_t offset = LOG_HEADER_BYTES, sound = offset, after;
	int damaged = 0;
	struct log_record record;
	while (next_record(&walk, &offset, &record, &after)) {
		if (offset != sound) {
			if (!is_damage(&walk, sound))
				break;
			damaged++;
			next_record(&walk, &offset, &record, &after);
		}
		on_record(&record, arg);
		offset = sound = after;
	}
	damaged += walk.known_end && sound < walk.known_end;
	*end = walk.known_end ? walk.known_end : sound;
	int rc = scan_done(&walk.scan);
	return rc < 0 ? rc : damaged;
}

/* A sound record of a torn commit might begin where the next commit ends, and pass for the
 * record behind it. */
static int void_what_is_behind(const struct log *log)
{
	static const uint8_t nothing[ENVELOPE_BYTES];
	struct walk walk;
	struct log_record record;
	uint64_t at = log->end, after;
	int rc = 0;
	walk_init(&walk, log, log->active);
	for (; rc >= 0 && next_record(&walk, &at, &record, &after); at += 8)
		rc = fw_pwrite(log->slots[log->active].fd, nothing, sizeof nothing, at);
	int scanned = scan_done(&walk.scan);
	return rc < 0 ? rc : scanned;
}

int log_settle(struct log *log)
{
	if (!log->slots[log->active].number)
		return 0;
	int rc = void_what_is_behind(log);
	return rc < 0 ? rc : fw_fdatasync(log->slots[log->active].fd);
}

int log_read(
	const struct log *log, uint64_t position, struct fw_buf *buf, struct log_record *record)
{
	uint64_t number = position / log->super->log_segment_bytes;
	uint64_t offset = position % log->super->log_segment_bytes;
	for (unsigned i = 0; i < LOG_SLOTS; i++) {
		if (log->slots[i].number != number)
			continue;
		struct scan scan;
		scan_init(&scan, log->slots[i].fd, log->super->log_segment_bytes, MAGIC_RECORD,
			log->super->salt);
		uint32_t length = 0;
		const uint8_t *at = scan_at(&scan, offset, &length);
		fw_buf_reset(buf);
		if (at)
			fw_buf_append(buf, at, ENVELOPE_BYTES + (size_t)length);
		int rc = scan_done(&scan);
		if (rc < 0)
			return rc;
		return at && log_record_open(buf->data, length, record) ? 0 : -EBADMSG;
	}
	return -ENOENT;
}
