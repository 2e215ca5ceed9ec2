/* SPDX-License-Identifier: Apache-2.0 */
/* Of sweeps that were gathered one by one, frames of as many as belong together: host by
 * host, in the order of coming.
 *
 * File to file: held in memory are where the sweeps lie, the cells of one frame, and what is
 * not written yet. The new segment is durable under another name before it gets its own, and
 * its frames bear the number of the gathering, so that after a crash either the frames count
 * or what they were made from. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/file.h>
#include <fenwatch/mem.h>

#include "spool_internal.h"

#define WRITE_BYTES (64u << 10) /* at a time */

struct piece {
	uint32_t host, at;
};

struct schema_place {
	uint32_t id, n_columns, at;
	bool is_written;
};

struct join {
	struct spool *spool;
	struct piece *pieces;
	size_t n_pieces, piece_room;
	struct schema_place *schemas;
	size_t n_schemas, schema_room;
	struct fw_buf in;      /* the sweep read last, */
	struct fw_arena arena; /* and what was unpacked of it */

	int fd;
	struct fw_buf out; /* not written yet */
	struct segment segment;
	uint64_t made; /* the number given last */
	uint64_t unreadable;

	/* the frame in the making */
	struct frame frame;
	struct fw_buf host_message;
	struct schema_place *schema;
	uint32_t interval_ms;
	int64_t times_ms[FW_SWEEPS_LIMIT], *cells;
};

/* ---- where everything lies ---- */

static void *grown(void *list, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return list;
	*room = *room ? 2 * *room : 64;
	return fw_realloc(list, *room * size);
}

static void note_record(struct join *j, const struct record *record, uint64_t at)
{
	const struct frame *frame = &record->frame;
	if (record_is_schema(record) && frame->length >= FW_SCHEMA_HASH + 4) {
		j->schemas = grown(j->schemas, j->n_schemas, &j->schema_room, sizeof *j->schemas);
		j->schemas[j->n_schemas++] = (struct schema_place){.id = frame->schema,
			.n_columns = get_u32(frame->payload + FW_SCHEMA_HASH),
			.at = (uint32_t)at};
	}
	if (record->kind == RECORD_PIECE && frame->chain == j->spool->gathering.number) {
		j->pieces = grown(j->pieces, j->n_pieces, &j->piece_room, sizeof *j->pieces);
		j->pieces[j->n_pieces++] = (struct piece){frame->host, (uint32_t)at};
	}
}

static int by_host_and_place(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	if (x->host != y->host)
		return x->host < y->host ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int find_pieces(struct join *j)
{
	const struct gathering *g = &j->spool->gathering;
	struct record record;
	uint64_t at = SPOOL_FILE_HEADER;
	int n = 0;
	while (at < g->bytes && (n = record_next(g->fd, &at, &j->in, &record, NULL)) > 0) {
		note_record(j, &record, at);
		at += (unsigned)n;
	}
	if (j->n_pieces > 1)
		qsort(j->pieces, j->n_pieces, sizeof *j->pieces, by_host_and_place);
	if (j->n_pieces < g->pieces)
		j->unreadable = g->pieces - j->n_pieces;
	return n < 0 ? n : 0;
}

static struct schema_place *find_schema(struct join *j, uint32_t id)
{
	for (size_t i = 0; i < j->n_schemas; i++)
		if (j->schemas[i].id == id)
			return &j->schemas[i];
	return NULL;
}

/* ---- writing ---- */

static int write_out(struct join *j)
{
	int rc = fw_pwrite(j->fd, j->out.data, j->out.length, j->segment.bytes);
	j->segment.bytes += j->out.length;
	fw_buf_reset(&j->out);
	return rc;
}

static int put_schema(struct join *j)
{
	struct record record;
	struct fw_buf in = {0};
	if (j->schema->is_written)
		return 0;
	int n = record_read(j->spool->gathering.fd, j->schema->at, &in, &record);
	if (n > 0)
		record_put(&j->out, &record);
	j->schema->is_written = true;
	fw_buf_done(&in);
	return n > 0 ? 0 : n < 0 ? n : -EBADMSG;
}

static int encode(struct join *j, struct fw_buf *message)
{
	struct frame *frame = &j->frame;
	const struct fw_sweeps sweeps = {
		frame->host, frame->sweeps, j->schema->n_columns, j->times_ms, j->cells};
	frame->seq = j->made + 1;
	int rc = fw_batch_encode_backlog(&sweeps, frame->seq - j->spool->lanes[LANE_BACKLOG].base,
		frame->schema, j->interval_ms, message);
	frame->payload = message->data;
	frame->length = message->length;
	return rc;
}

static int frame_end(struct join *j)
{
	struct fw_buf message = {0};
	if (j->frame.sweeps == 0)
		return 0;
	int rc = put_schema(j);
	if (rc >= 0)
		rc = encode(j, &message);
	if (rc >= 0) {
		struct record record = {.kind = RECORD_FRAME, .frame = j->frame};
		record_put(&j->out, &record);
		spool_segment_count(&j->segment, &j->frame);
		j->made++;
		rc = j->out.length < WRITE_BYTES ? 0 : write_out(j);
	}
	j->frame.sweeps = 0;
	fw_buf_done(&message);
	return rc;
}

/* ---- sweep by sweep ---- */

static bool is_same_host(const struct join *j, const struct frame *piece)
{
	return piece->host == j->frame.host && piece->host_length == j->frame.host_length &&
		memcmp(piece->host_message, j->frame.host_message, piece->host_length) == 0;
}

static bool belongs(const struct join *j, const struct frame *piece, const struct fw_batch *batch)
{
	uint32_t n = j->frame.sweeps + batch->n_sweeps;
	return j->frame.sweeps > 0 && piece->schema == j->frame.schema && is_same_host(j, piece) &&
		batch->interval_ms == j->interval_ms && n <= CHAIN_SWEEPS &&
		(uint64_t)n * j->schema->n_columns <= BATCH_CELLS &&
		batch->times_ms[0] > j->times_ms[j->frame.sweeps - 1] &&
		sweep_goes_on(j->times_ms[0], j->times_ms[j->frame.sweeps - 1],
			batch->times_ms[batch->n_sweeps - 1]);
}

static void frame_begin(struct join *j, const struct frame *piece, const struct fw_batch *batch)
{
	fw_buf_reset(&j->host_message);
	fw_buf_append(&j->host_message, piece->host_message, piece->host_length);
	j->frame = *piece;
	j->frame.sweeps = 0;
	j->frame.host_message = j->host_message.data;
	j->interval_ms = batch->interval_ms;
	j->schema = find_schema(j, piece->schema);
}

/* It was read once before it came here: what cannot be read now was damaged since. */
static bool is_readable(
	struct join *j, const struct frame *piece, const struct fw_batch *batch, int64_t *cells)
{
	return batch->n_sweeps > 0 && batch->key && piece->host_length > 0 &&
		(uint64_t)batch->n_sweeps * j->schema->n_columns <= BATCH_CELLS &&
		fw_batch_decode(batch, j->schema->n_columns, NULL, cells, NULL) >= 0;
}

static int take_batch(struct join *j, const struct frame *piece, const struct fw_batch *batch)
{
	if (!belongs(j, piece, batch)) {
		int rc = frame_end(j);
		if (rc < 0)
			return rc;
		frame_begin(j, piece, batch);
	}
	if (!j->schema ||
		!is_readable(j, piece, batch,
			j->cells + (size_t)j->frame.sweeps * j->schema->n_columns)) {
		j->unreadable += piece->sweeps;
		return 0;
	}
	memcpy(j->times_ms + j->frame.sweeps, batch->times_ms,
		batch->n_sweeps * sizeof *batch->times_ms);
	j->frame.sweeps += batch->n_sweeps;
	return 0;
}

static int take_piece(struct join *j, uint64_t at)
{
	struct record record;
	struct fw_batch batch;
	int n = record_read(j->spool->gathering.fd, at, &j->in, &record);
	if (n <= 0)
		return n ? n : -EBADMSG;
	fw_arena_reset(&j->arena);
	if (fw_batch_open(record.frame.payload, record.frame.length, &j->arena, &batch, NULL) >= 0)
		return take_batch(j, &record.frame, &batch);
	j->unreadable += record.frame.sweeps;
	return 0;
}

static int take_pieces(struct join *j)
{
	int rc = 0;
	for (size_t i = 0; rc >= 0 && i < j->n_pieces; i++)
		rc = take_piece(j, j->pieces[i].at);
	return rc < 0 ? rc : frame_end(j);
}

/* ---- the whole ---- */

static int write_segment(struct join *j, const char *path)
{
	uint8_t header[SPOOL_FILE_HEADER];
	spool_file_header(header, SPOOL_SEGMENT_MAGIC);
	j->fd = fw_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (j->fd < 0)
		return j->fd;
	fw_buf_append(&j->out, header, sizeof header);
	int rc = take_pieces(j);
	if (rc >= 0)
		rc = write_out(j);
	if (rc >= 0)
		rc = fw_fsync(j->fd);
	fw_close(j->fd);
	return rc;
}

/* Under a number of its own, so that the collector hears of it. */
static void tell_damage(struct join *j)
{
	if (j->unreadable == 0 && !j->spool->gathering.damaged)
		return;
	uint64_t seq = j->spool->lanes[LANE_BACKLOG].made + 1;
	spool_numbers_made(j->spool, LANE_BACKLOG, seq);
	spool_lost(j->spool, LOSS_DAMAGED, seq, seq, 1, j->unreadable);
}

/* Numbers are reserved before a frame that has one is there. */
static int move_in(struct join *j, const char *path)
{
	struct lane_state *backlog = &j->spool->lanes[LANE_BACKLOG];
	uint64_t before = backlog->made;
	spool_numbers_made(j->spool, LANE_BACKLOG, j->made);
	int rc = spool_segment_move_in(j->spool, path, &j->segment);
	if (rc < 0)
		backlog->made = before;
	return rc;
}

static int join_into(struct join *j, const char *path)
{
	int rc = write_segment(j, path);
	if (rc >= 0 && j->segment.frames > 0)
		rc = move_in(j, path);
	if (rc < 0 || j->segment.frames == 0)
		fw_unlink(path);
	if (rc >= 0)
		tell_damage(j);
	return rc;
}

int spool_join_file(struct spool *s)
{
	struct join j = {.spool = s, .fd = -1, .made = s->lanes[LANE_BACKLOG].made};
	char *path = spool_path(s, "joined");
	j.cells = fw_alloc_array(BATCH_CELLS, sizeof *j.cells);
	int rc = find_pieces(&j);
	if (rc >= 0)
		rc = join_into(&j, path);
	fw_free(path);
	fw_free(j.pieces);
	fw_free(j.schemas);
	fw_free(j.cells);
	fw_buf_done(&j.in);
	fw_buf_done(&j.out);
	fw_buf_done(&j.host_message);
	fw_arena_done(&j.arena);
	return rc;
}
