/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include <fenwatch/file.h>
#include <fenwatch/mem.h>
#include <fenwatch/tls.h>

#include "spool_internal.h"

#define SEGMENT_LEAST (64u << 10)

/* ---- segments ---- */

void spool_segment_path(const struct spool *s, uint32_t id, char *path, size_t size)
{
	snprintf(path, size, "%s/%08x.seg", s->dir, id);
}

static struct segment *segment_add(struct spool *s, uint32_t id)
{
	if (s->n_segments == s->segment_room) {
		s->segment_room = s->segment_room ? 2 * s->segment_room : 4;
		s->segments = fw_realloc(s->segments, s->segment_room * sizeof *s->segments);
	}
	struct segment *segment = &s->segments[s->n_segments++];
	*segment = (struct segment){.id = id};
	if (id >= s->next_segment)
		s->next_segment = id + 1;
	return segment;
}

void spool_segment_count(struct segment *segment, const struct frame *frame)
{
	if (!segment->first[frame->lane])
		segment->first[frame->lane] = frame->seq;
	segment->last[frame->lane] = frame->seq;
	segment->frames++;
	if (frame->lane == LANE_BACKLOG)
		segment->sweeps += frame->sweeps;
	if (frame->sweeps && (!segment->oldest_ms || frame->oldest_ms < segment->oldest_ms))
		segment->oldest_ms = frame->oldest_ms;
}

static void segment_remove(struct spool *s, size_t i)
{
	char path[4096];
	uint32_t id = s->segments[i].id;
	if (i == s->n_segments - 1 && s->write_fd >= 0) {
		fw_close(s->write_fd);
		s->write_fd = -1;
	}
	if (s->reader.segment == id && s->reader.fd >= 0) {
		fw_close(s->reader.fd);
		s->reader.fd = -1;
	}
	spool_segment_path(s, id, path, sizeof path);
	if (!s->config.look_only)
		fw_unlink(path); /* what stays behind is known as acknowledged by the cursor */
	s->n_segments--;
	memmove(&s->segments[i], &s->segments[i + 1], (s->n_segments - i) * sizeof *s->segments);
}

uint64_t spool_disk_bytes(const struct spool *s)
{
	uint64_t bytes = s->journal_bytes + s->gathering.bytes;
	for (size_t i = 0; i < s->n_segments; i++)
		bytes += s->segments[i].bytes;
	return bytes;
}

static bool segment_is_done(const struct spool *s, const struct segment *segment)
{
	for (int lane = 0; lane < LANES; lane++)
		if (segment->last[lane] > s->lanes[lane].acked)
			return false;
	return true;
}

void spool_disk_forget(struct spool *s)
{
	bool any = false;
	for (size_t i = 0; i < s->n_segments; i++)
		any |= segment_is_done(s, &s->segments[i]);
	if (!any || spool_cursor_write(s, NULL) < 0)
		return;
	for (size_t i = s->n_segments; i-- > 0;)
		if (segment_is_done(s, &s->segments[i]))
			segment_remove(s, i);
}

void spool_disk_drop_oldest(struct spool *s)
{
	const struct segment *oldest = &s->segments[0];
	uint64_t acked = s->lanes[LANE_BACKLOG].acked;
	uint64_t from =
		oldest->first[LANE_BACKLOG] > acked ? oldest->first[LANE_BACKLOG] : acked + 1;
	uint64_t to = oldest->last[LANE_BACKLOG];
	if (to >= from)
		spool_lost(s, LOSS_FULL, from, to, to - from + 1, oldest->sweeps);
	/* Live frames are in memory too: only their copies go. */
	for (struct held *h = s->lanes[LANE_LIVE].first; h; h = h->next)
		if (h->frame.seq >= oldest->first[LANE_LIVE] &&
			h->frame.seq <= oldest->last[LANE_LIVE])
			h->written = false;
	spool_cursor_write(s, NULL);
	segment_remove(s, 0);
}

/* ---- what a crash left ---- */

static struct held *held_find(struct lane_state *lane, uint64_t seq)
{
	for (struct held *h = lane->first; h; h = h->next)
		if (h->frame.seq == seq)
			return h;
	return NULL;
}

/* The later record of one number holds: it was made anew. */
static void take_live(struct spool *s, const struct frame *frame)
{
	struct lane_state *lane = &s->lanes[LANE_LIVE];
	struct held *held = spool_held_new(frame, frame->seq);
	held->written = true;
	struct held **at = &lane->first;
	while (*at && (*at)->frame.seq < frame->seq)
		at = &(*at)->next;
	struct held *same = held_find(lane, frame->seq);
	held->next = same ? same->next : *at;
	*at = held;
	fw_free(same);
	if (!held->next)
		lane->last = &held->next;
}

static void take_record(struct spool *s, struct segment *segment, const struct record *record)
{
	const struct frame *frame = &record->frame;
	spool_schema_learn(s, record);
	if (record->kind != RECORD_FRAME)
		return;
	struct lane_state *lane = &s->lanes[frame->lane];
	spool_schema_taken(s, frame->schema);
	if (frame->lane == LANE_LIVE && frame->seq > lane->acked)
		take_live(s, frame);
	if (frame->seq > lane->made)
		lane->made = frame->seq;
	uint32_t *closed = frame->host_length > 0 ? &s->gathering.joined : &s->chain_closed;
	if (frame->chain > *closed)
		*closed = frame->chain;
	spool_segment_count(segment, frame);
}

static void segment_scan(struct spool *s, uint32_t id, int fd)
{
	struct fw_buf buf = {0};
	struct segment *segment = segment_add(s, id);
	uint64_t offset = SPOOL_FILE_HEADER;
	if (spool_file_check(fd, SPOOL_SEGMENT_MAGIC) < 0)
		offset = record_find(fd, 0, &buf);
	struct record record;
	for (int n; offset && (n = record_next(fd, &offset, &buf, &record, NULL)) > 0;) {
		take_record(s, segment, &record);
		offset += (unsigned)n;
		segment->bytes = offset;
	}
	fw_buf_done(&buf);
	if (segment->frames == 0)
		segment_remove(s, s->n_segments - 1);
}

static int segment_filter(const struct dirent *entry)
{
	return strlen(entry->d_name) == 12 && strcmp(entry->d_name + 8, ".seg") == 0;
}

static int segment_load(struct spool *s, char *name, struct fw_err *err)
{
	uint8_t id[4];
	char *path = spool_path(s, name);
	name[8] = 0;
	int fd = fw_unhex(name, id, 4) == 0 ? fw_open(path, O_RDONLY, 0) : -ENOENT;
	fw_free(path);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fw_fail_sys(err, fd, "'%s.seg'", name);
	segment_scan(s,
		(uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3], fd);
	fw_close(fd);
	return 0;
}

/* One that is there and cannot be opened ends it: its numbers would be given anew, and its name. */
static int segments_load(struct spool *s, struct fw_err *err)
{
	struct dirent **entries;
	int n = scandir(s->dir, &entries, segment_filter, alphasort), rc = 0;
	if (n < 0)
		return fw_fail_sys(err, -errno, "cannot be listed");
	for (int i = 0; i < n; i++) {
		if (rc >= 0)
			rc = segment_load(s, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

int spool_disk_open(struct spool *s, bool *made, struct fw_err *err)
{
	int rc = s->config.look_only ? 0 : fw_mkdir_all(s->dir, 0700);
	if (rc < 0)
		return fw_fail_sys(err, rc, "cannot be made");
	rc = spool_cursor_load(s, err);
	if (rc < 0)
		return rc;
	*made = rc == 1;
	rc = segments_load(s, err);
	if (rc < 0)
		return rc;
	spool_journal_load(s);
	rc = spool_gathering_load(s, err);
	if (rc < 0)
		return rc;
	s->next_chain =
		(s->journal_chain > s->chain_closed ? s->journal_chain : s->chain_closed) + 1;
	if (!*made)
		return 0;
	for (int lane = 0; lane < LANES; lane++) {
		struct lane_state *state = &s->lanes[lane];
		state->acked = state->made;
		if (state->first)
			state->acked = state->first->frame.seq - 1;
		if (lane == LANE_BACKLOG && s->n_segments > 0 && s->segments[0].first[lane])
			state->acked = s->segments[0].first[lane] - 1;
	}
	rc = spool_renew(s, LOSS_NONE, 0, err);
	/* A full disk does not keep the agent from sampling. */
	if (rc == -ENOSPC || rc == -EDQUOT) {
		fw_random(&s->stream, sizeof s->stream);
		s->stream |= 1;
		rc = 0;
	}
	return rc;
}

void spool_disk_close(struct spool *s)
{
	const int fds[] = {s->write_fd, s->reader.fd, s->journal_fd, s->gathering.fd};
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			fw_close(fds[i]);
	fw_buf_done(&s->reader.buf);
	fw_free(s->written_schemas);
	fw_free(s->segments);
}

/* ---- writing ---- */

int spool_dir_sync(struct spool *s)
{
	int rc = fw_fsync_dir(s->dir);
	s->dir_unsynced = rc < 0;
	return rc;
}

bool spool_disk_has_room(const struct spool *s, size_t bytes, struct fw_err *err)
{
	struct statvfs fs;
	if (statvfs(s->dir, &fs) < 0)
		return true; /* the write itself will say what is wrong */
	uint64_t block = fs.f_frsize, free_bytes = fs.f_bavail * block, all = fs.f_blocks * block;
	uint64_t keep = all / 100 * s->config.keep_free_percent;
	if (keep < s->config.keep_free_bytes)
		keep = s->config.keep_free_bytes;
	bool inodes = fs.f_files == 0 || fs.f_favail >= fs.f_files / 100;
	if (free_bytes >= keep + bytes && inodes)
		return true;
	fw_fail(err, -ENOSPC, "spool '%s': the filesystem is left its last %llu MiB", s->dir,
		(unsigned long long)(keep >> 20));
	return false;
}

static uint64_t segment_limit(const struct spool *s)
{
	uint64_t limit = s->config.max_bytes / 16;
	return limit < SEGMENT_LEAST ? SEGMENT_LEAST : limit;
}

static int segment_begin(struct spool *s)
{
	char path[4096];
	uint8_t header[SPOOL_FILE_HEADER];
	spool_segment_path(s, s->next_segment, path, sizeof path);
	int fd = fw_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd == -EEXIST)
		s->next_segment++;
	if (fd < 0)
		return fd;
	struct segment *segment = segment_add(s, s->next_segment);
	segment->bytes = SPOOL_FILE_HEADER;
	s->write_fd = fd;
	s->n_written_schemas = 0;
	s->dir_unsynced = true;
	spool_file_header(header, SPOOL_SEGMENT_MAGIC);
	return fw_pwrite(fd, header, sizeof header, 0);
}

static void segment_end(struct spool *s)
{
	if (s->write_fd >= 0)
		fw_close(s->write_fd);
	s->write_fd = -1;
}

/* Whatever a failed write or sync left behind its last whole record is cut off,
 * and nothing is ever appended there again: a sync that failed once may lie the
 * next time. */
static void segment_abandon(struct spool *s)
{
	struct segment *segment = &s->segments[s->n_segments - 1];
	if (segment->frames == 0) {
		segment_remove(s, s->n_segments - 1);
		return;
	}
	fw_truncate(s->write_fd, segment->bytes);
	segment_end(s);
}

static size_t unwritten_bytes(const struct spool *s)
{
	size_t bytes = 0;
	for (int lane = 0; lane < LANES; lane++)
		for (const struct held *h = s->lanes[lane].first; h; h = h->next)
			if (!h->written)
				bytes += RECORD_HEADER + h->frame.length + h->frame.host_length;
	return bytes;
}

/* A segment explains itself: each schema stands before the first frame with it. */
static void schema_ensure(struct spool *s, uint32_t id, struct fw_buf *out)
{
	if (id == 0)
		return;
	for (size_t i = 0; i < s->n_written_schemas; i++)
		if (s->written_schemas[i] == id)
			return;
	if (s->n_written_schemas == s->written_room) {
		s->written_room = 2 * s->written_room + 16;
		s->written_schemas = fw_realloc(
			s->written_schemas, s->written_room * sizeof *s->written_schemas);
	}
	s->written_schemas[s->n_written_schemas++] = id;
	spool_schema_record(s, id, out);
}

static void records_build(struct spool *s, struct fw_buf *out)
{
	for (int lane = 0; lane < LANES; lane++) {
		for (const struct held *h = s->lanes[lane].first; h; h = h->next) {
			if (h->written)
				continue;
			schema_ensure(s, h->frame.schema, out);
			struct record record = {.kind = RECORD_FRAME, .frame = h->frame};
			record_put(out, &record);
		}
	}
}

int spool_write_durably(struct spool *s, int fd, const struct fw_buf *data, uint64_t offset)
{
	int rc = fw_pwrite(fd, data->data, data->length, offset);
	if (rc >= 0)
		rc = fw_fdatasync(fd);
	if (rc >= 0 && s->dir_unsynced)
		rc = spool_dir_sync(s);
	return rc;
}

static void mark_written(struct spool *s, size_t length)
{
	struct segment *segment = &s->segments[s->n_segments - 1];
	segment->bytes += length;
	for (int lane = 0; lane < LANES; lane++) {
		for (struct held *h = s->lanes[lane].first; h; h = h->next) {
			if (h->written)
				continue;
			h->written = true;
			spool_segment_count(segment, &h->frame);
		}
	}
}

static void make_room(struct spool *s, size_t need)
{
	while (s->n_segments > 0 && spool_disk_bytes(s) + need > s->config.max_bytes)
		spool_disk_drop_oldest(s);
	if (s->write_fd >= 0 && s->segments[s->n_segments - 1].bytes + need > segment_limit(s))
		segment_end(s);
}

int spool_disk_write(struct spool *s, struct fw_err *err)
{
	size_t need = unwritten_bytes(s);
	if (!spool_disk_has_room(s, need, err))
		return -ENOSPC;
	make_room(s, need);
	int rc = s->write_fd < 0 ? segment_begin(s) : 0;
	if (rc >= 0) {
		struct fw_buf data = {0};
		records_build(s, &data);
		rc = spool_write_durably(
			s, s->write_fd, &data, s->segments[s->n_segments - 1].bytes);
		if (rc >= 0)
			mark_written(s, data.length);
		fw_buf_done(&data);
	}
	if (rc < 0) {
		if (s->write_fd >= 0)
			segment_abandon(s);
		return fw_fail_sys(err, rc, "spool '%s' cannot be written", s->dir);
	}
	return 0;
}

/* What is written next begins another segment, so that numbers grow from file to file. */
int spool_segment_move_in(struct spool *s, const char *from, const struct segment *made)
{
	char path[4096];
	spool_segment_path(s, s->next_segment, path, sizeof path);
	int rc = fw_rename(from, path);
	if (rc < 0)
		return rc;
	segment_end(s);
	uint32_t id = s->next_segment;
	struct segment *segment = segment_add(s, id);
	*segment = *made;
	segment->id = id;
	spool_dir_sync(s); /* or whoever writes next does */
	return 0;
}
