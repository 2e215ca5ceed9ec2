/* SPDX-License-Identifier: Apache-2.0 */
/* Sweeps of other hosts while nobody takes them: one by one in a file of their own, without
 * numbers, until there are so many that frames of several are worth making. */
#include <errno.h>
#include <fcntl.h>

#include <fenwatch/err.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "spool_internal.h"

/* Joined at once, while the agent does nothing else. */
#define GATHERING_BYTES (8u << 20)
#define GATHERING_PIECES (32u << 10)

static bool is_full(const struct spool *s)
{
	uint64_t share = s->config.max_bytes / 4;
	return s->gathering.bytes > (share < GATHERING_BYTES ? share : GATHERING_BYTES) ||
		s->gathering.pieces > GATHERING_PIECES;
}

static void count_piece(struct gathering *g, const struct frame *frame)
{
	g->pieces++;
	g->sweeps += frame->sweeps;
	if (!g->oldest_ms || frame->oldest_ms < g->oldest_ms)
		g->oldest_ms = frame->oldest_ms;
}

static bool has_schema(const struct gathering *g, uint32_t id)
{
	for (size_t i = 0; i < g->n_schemas; i++)
		if (g->schemas[i] == id)
			return true;
	return false;
}

static void note_schema(struct gathering *g, uint32_t id)
{
	if (g->n_schemas == g->schema_room) {
		g->schema_room = 2 * g->schema_room + 16;
		g->schemas = fw_realloc(g->schemas, g->schema_room * sizeof *g->schemas);
	}
	g->schemas[g->n_schemas++] = id;
}

/* ---- what the run before left ---- */

static void take_left(struct spool *s, const struct record *record)
{
	struct gathering *g = &s->gathering;
	const struct frame *frame = &record->frame;
	if (record_is_schema(record) && !has_schema(g, frame->schema))
		note_schema(g, frame->schema);
	spool_schema_taken(s, frame->schema);
	if (record->kind != RECORD_PIECE || frame->chain <= g->joined)
		return;
	g->number = frame->chain;
	count_piece(g, frame);
}

static int read_left(struct spool *s)
{
	struct gathering *g = &s->gathering;
	struct fw_buf buf = {0};
	struct record record;
	uint64_t offset = SPOOL_FILE_HEADER;
	int n;
	while ((n = record_next(g->fd, &offset, &buf, &record, &g->damaged)) > 0) {
		take_left(s, &record);
		offset += (unsigned)n;
	}
	fw_buf_done(&buf);
	if (g->pieces == 0)
		g->n_schemas = 0;
	else
		g->bytes = offset;
	/* Behind the last whole record a crash may have left half of one. */
	if (n == 0 && g->bytes > 0 && !s->config.look_only)
		fw_truncate(g->fd, g->bytes);
	return n;
}

int spool_gathering_load(struct spool *s, struct fw_err *err)
{
	struct gathering *g = &s->gathering;
	char *path = spool_path(s, "gathering");
	g->fd = fw_open(path, s->config.look_only ? O_RDONLY : O_RDWR, 0);
	fw_free(path);
	int rc = g->fd >= 0 ? read_left(s) : g->fd;
	return rc < 0 && rc != -ENOENT ? fw_fail_sys(err, rc, "'gathering'") : 0;
}

/* ---- adding ---- */

static void add_as_frame(struct spool *s, const struct frame *piece)
{
	struct frame frame = *piece;
	frame.lane = LANE_BACKLOG;
	frame.seq = spool_next(s, LANE_BACKLOG);
	spool_add(s, &frame);
}

void spool_gather(struct spool *s, const struct frame *frame)
{
	struct gathering *g = &s->gathering;
	if (g->failed || g->ending) {
		add_as_frame(s, frame);
		return;
	}
	struct held *held = spool_held_new(frame, 0);
	*g->last = held;
	g->last = &held->next;
}

static void forget_held(struct gathering *g)
{
	while (g->first) {
		struct held *held = g->first;
		g->first = held->next;
		fw_free(held);
	}
	g->last = &g->first;
}

/* ---- writing ---- */

static int gathering_begin(struct spool *s, struct fw_buf *out)
{
	struct gathering *g = &s->gathering;
	if (g->fd < 0) {
		char *path = spool_path(s, "gathering");
		g->fd = fw_open(path, O_RDWR | O_CREAT, 0600);
		fw_free(path);
		s->dir_unsynced = true;
		if (g->fd < 0)
			return g->fd;
	}
	g->number = g->joined + 1;
	g->n_schemas = 0;
	g->pieces = g->sweeps = 0;
	g->oldest_ms = 0;
	g->damaged = false;
	uint8_t header[SPOOL_FILE_HEADER];
	spool_file_header(header, SPOOL_GATHERING_MAGIC);
	fw_buf_append(out, header, sizeof header);
	/* What was joined out of it has to be there before it goes. */
	int rc = s->dir_unsynced ? spool_dir_sync(s) : 0;
	return rc < 0 ? rc : fw_truncate(g->fd, 0);
}

static void put_piece(struct spool *s, const struct held *held, struct fw_buf *out)
{
	struct gathering *g = &s->gathering;
	struct record record = {.kind = RECORD_PIECE, .frame = held->frame};
	record.frame.lane = LANE_BACKLOG;
	record.frame.chain = g->number;
	if (!has_schema(g, held->frame.schema)) {
		note_schema(g, held->frame.schema);
		spool_schema_record(s, held->frame.schema, out);
	}
	record_put(out, &record);
}

static size_t held_bytes(const struct gathering *g)
{
	size_t bytes = 0;
	for (const struct held *h = g->first; h; h = h->next)
		bytes += RECORD_HEADER + h->frame.length + h->frame.host_length;
	return bytes;
}

static int gathering_append(struct spool *s)
{
	struct gathering *g = &s->gathering;
	struct fw_buf data = {0};
	if (!spool_disk_has_room(s, held_bytes(g), NULL))
		return -1;
	int rc = g->bytes == 0 ? gathering_begin(s, &data) : 0;
	for (const struct held *h = g->first; h; h = h->next)
		put_piece(s, h, &data);
	if (rc >= 0)
		rc = spool_write_durably(s, g->fd, &data, g->bytes);
	if (rc >= 0)
		g->bytes += data.length;
	else if (g->fd >= 0)
		fw_truncate(g->fd, g->bytes);
	fw_buf_done(&data);
	return rc;
}

void spool_gathering_write(struct spool *s)
{
	struct gathering *g = &s->gathering;
	if (!g->first)
		return;
	/* So few that no file of them pays. */
	bool as_frames = g->ending && g->bytes == 0;
	if (!as_frames)
		g->failed = as_frames = gathering_append(s) < 0;
	for (const struct held *h = g->first; h; h = h->next) {
		if (as_frames)
			add_as_frame(s, &h->frame);
		else
			count_piece(g, &h->frame);
	}
	forget_held(g);
}

/* ---- joining ---- */

void spool_gather_end(struct spool *s)
{
	s->gathering.ending = true;
}

bool spool_join_is_due(const struct spool *s)
{
	const struct gathering *g = &s->gathering;
	return g->bytes > 0 && (g->ending || g->failed || is_full(s));
}

static void gathering_forget(struct spool *s)
{
	struct gathering *g = &s->gathering;
	g->joined = g->number;
	g->bytes = 0;
	g->pieces = g->sweeps = 0;
	g->n_schemas = 0;
	if (!s->dir_unsynced)
		fw_truncate(g->fd, 0);
	spool_schemas_trim(s);
}

/* What has numbers already is on disk before: they grow from segment to segment. */
int spool_join(struct spool *s, struct fw_err *err)
{
	if (!spool_is_flushed(s))
		return 0;
	if (spool_join_is_due(s)) {
		int rc = spool_join_file(s);
		if (rc < 0)
			return fw_fail_sys(
				err, rc, "spool '%s': what is gathered cannot be joined", s->dir);
		gathering_forget(s);
	}
	if (s->gathering.bytes == 0)
		s->gathering.ending = s->gathering.failed = false;
	return 0;
}

/* ---- the rest ---- */

bool spool_gathering_holds(const struct spool *s, uint32_t schema)
{
	for (const struct held *h = s->gathering.first; h; h = h->next)
		if (h->frame.schema == schema)
			return true;
	return false;
}

void spool_gathering_stat(const struct spool *s, struct spool_stat *out)
{
	const struct gathering *g = &s->gathering;
	out->frames += g->pieces;
	out->sweeps += g->sweeps;
	if (g->pieces && (!out->oldest_ms || g->oldest_ms < out->oldest_ms))
		out->oldest_ms = g->oldest_ms;
	for (const struct held *h = g->first; h; h = h->next) {
		out->frames++;
		out->sweeps += h->frame.sweeps;
		out->bytes += h->frame.length;
		if (!out->oldest_ms || h->frame.oldest_ms < out->oldest_ms)
			out->oldest_ms = h->frame.oldest_ms;
	}
}

void spool_gathering_done(struct spool *s)
{
	forget_held(&s->gathering);
	fw_free(s->gathering.schemas);
}
