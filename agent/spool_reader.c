/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the backlog, read back from their segments in order. */
#include <errno.h>
#include <fcntl.h>

#include <fenwatch/file.h>

#include "spool_internal.h"

static const struct segment *segment_of(const struct spool *s, uint64_t seq)
{
	for (size_t i = 0; i < s->n_segments; i++)
		if (s->segments[i].first[LANE_BACKLOG] <= seq &&
			seq <= s->segments[i].last[LANE_BACKLOG])
			return &s->segments[i];
	return NULL;
}

static int reader_place(struct spool *s, uint64_t seq)
{
	const struct segment *segment = segment_of(s, seq);
	if (!segment)
		return -ENOENT;
	struct reader *r = &s->reader;
	if (r->fd < 0 || r->segment != segment->id) {
		char path[4096];
		spool_segment_path(s, segment->id, path, sizeof path);
		if (r->fd >= 0)
			fw_close(r->fd);
		r->fd = fw_open(path, O_RDONLY, 0);
		if (r->fd < 0)
			return r->fd;
		r->segment = segment->id;
	} else if (r->next == seq) {
		return 0;
	}
	r->offset = SPOOL_FILE_HEADER;
	return 0;
}

/* From where the reader stands to the frame `seq`; -ENOENT when it comes to
 * another one behind it or to the end. */
static int reader_seek(struct spool *s, uint64_t seq, struct frame *out)
{
	struct reader *r = &s->reader;
	for (;;) {
		struct record record;
		int n = record_read(r->fd, r->offset, &r->buf, &record);
		if (n == 0)
			return -ENOENT;
		if (n == -EBADMSG) {
			r->offset = record_find(r->fd, r->offset, &r->buf);
			if (!r->offset)
				return -ENOENT;
			continue;
		}
		if (n < 0)
			return n;
		bool frame = record.kind == RECORD_FRAME && record.frame.lane == LANE_BACKLOG;
		if (frame && record.frame.seq > seq)
			return -ENOENT;
		r->offset += (unsigned)n;
		spool_schema_learn(s, &record);
		if (frame && record.frame.seq == seq) {
			*out = record.frame;
			return 0;
		}
	}
}

static bool schema_is_missing(const struct spool *s, const struct frame *frame)
{
	const struct known_schema *k = spool_schema_by_id(s, frame->schema);
	return frame->schema != 0 && (!k || (!k->message && k->packed.length == 0));
}

int spool_disk_read(struct spool *s, uint64_t seq, struct frame *out)
{
	int rc = reader_place(s, seq);
	if (rc >= 0)
		rc = reader_seek(s, seq, out);
	if (rc >= 0 && schema_is_missing(s, out)) {
		s->reader.offset = SPOOL_FILE_HEADER;
		rc = reader_seek(s, seq, out);
		if (rc >= 0 && schema_is_missing(s, out))
			rc = -ENOENT; /* nobody could read it: it becomes a gap, not a stop */
	}
	bool stands = s->reader.offset != 0 && (rc >= 0 || rc == -ENOENT);
	s->reader.next = stands ? seq + 1 : 0;
	return rc;
}
