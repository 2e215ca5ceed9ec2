/* SPDX-License-Identifier: Apache-2.0 */
#include "packer.h"

#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/clock.h>
#include <fenwatch/mem.h>

#include "agent.h"
#include "record.h"
#include "spool.h"

/* The last sweep of one schema that somebody knows. */
struct state {
	uint32_t schema, n_columns;
	int64_t *cells; /* NULL: nobody does */
};

struct packer {
	struct spool *spool;
	uint32_t batch, interval_ms, max_sweeps;
	uint32_t schema, n_columns; /* of the sweeps now */
	uint8_t hash[FW_SCHEMA_HASH];

	/* live: sweeps gathered for the next batch, and what the collector will know */
	int64_t *pending, *pending_times;
	uint32_t n_pending;
	struct state sent;  /* after the newest live frame */
	struct state acked; /* after the newest that is durable there */
	int64_t key_mono_ms;
	bool want_key;

	/* backlog: every sweep a Batch message of its own, behind its length */
	uint32_t chain, n_chain;
	int64_t chain_first_ms, chain_last_ms;
	struct state chain_state;
	struct fw_buf pieces;
	size_t journaled; /* bytes of `pieces` that are durable */
};

/* ---- states ---- */

static void state_set(
	struct state *state, uint32_t schema, uint32_t n_columns, const int64_t *cells)
{
	if (!state->cells || state->n_columns != n_columns) {
		fw_free(state->cells);
		state->cells = fw_alloc_array(n_columns ? n_columns : 1, sizeof *cells);
	}
	state->schema = schema;
	state->n_columns = n_columns;
	memcpy(state->cells, cells, n_columns * sizeof *cells);
}

static void state_forget(struct state *state)
{
	fw_free(state->cells);
	*state = (struct state){0};
}

static bool state_fits(const struct state *state, uint32_t schema)
{
	return state->cells && state->schema == schema;
}

/* Decodes one Batch message on top of `state`. The message was made here; it can
 * still be unreadable where memory of another process wrote it. */
static int state_advance(struct state *state, const struct frame *frame, uint32_t n_columns)
{
	struct fw_arena arena = {0};
	struct fw_batch batch;
	int64_t *cells = NULL;
	int rc = fw_batch_open(frame->payload, frame->length, &arena, &batch, NULL);
	if (rc >= 0 && !batch.key && !state_fits(state, frame->schema))
		rc = -1;
	if (rc >= 0) {
		cells = fw_alloc_array((size_t)batch.n_sweeps * n_columns + 1, sizeof *cells);
		rc = fw_batch_decode(
			&batch, n_columns, batch.key ? NULL : state->cells, cells, NULL);
	}
	if (rc >= 0)
		state_set(state, frame->schema, n_columns,
			cells + (size_t)(batch.n_sweeps - 1) * n_columns);
	else
		state_forget(state);
	fw_free(cells);
	fw_arena_done(&arena);
	return rc;
}

/* ---- the chain ---- */

static void piece_put(struct fw_buf *pieces, const struct fw_sweeps *sweep, uint32_t schema,
	uint32_t interval_ms, const int64_t *state)
{
	uint8_t length[4];
	struct fw_buf message = {0};
	fw_batch_encode_live(sweep, 1, schema, interval_ms, state, &message);
	put_u32(length, (uint32_t)message.length);
	fw_buf_append(pieces, length, sizeof length);
	fw_buf_append(pieces, message.data, message.length);
	fw_buf_done(&message);
}

/* Decodes the pieces into `cells` and `times`; returns the sweeps read. What
 * cannot be read ends it: the journal was cut there. */
static uint32_t pieces_decode(const struct fw_buf *pieces, uint32_t n_columns, int64_t *cells,
	int64_t *times, uint32_t most)
{
	struct fw_arena arena = {0};
	uint32_t n = 0;
	for (size_t at = 0; n < most && pieces->length - at >= 4;) {
		struct fw_batch batch;
		size_t length = get_u32(pieces->data + at);
		if (length > pieces->length - at - 4)
			break;
		const int64_t *before = n ? cells + (size_t)(n - 1) * n_columns : NULL;
		if (fw_batch_open(pieces->data + at + 4, length, &arena, &batch, NULL) < 0 ||
			batch.n_sweeps != 1 || (!before && !batch.key) ||
			fw_batch_decode(&batch, n_columns, batch.key ? NULL : before,
				cells + (size_t)n * n_columns, NULL) < 0)
			break;
		times[n++] = batch.times_ms[0];
		at += 4 + length;
		fw_arena_reset(&arena);
	}
	fw_arena_done(&arena);
	return n;
}

static void backlog_add(
	struct packer *p, const struct fw_sweeps *sweeps, uint32_t schema, uint32_t chain)
{
	struct fw_buf message = {0};
	uint64_t seq = spool_next(p->spool, LANE_BACKLOG);
	if (fw_batch_encode_backlog(sweeps, seq, schema, p->interval_ms, &message) >= 0) {
		struct frame frame = {
			.type = FW_FRAME_BATCH,
			.lane = LANE_BACKLOG,
			.seq = seq,
			.schema = schema,
			.sweeps = sweeps->n_sweeps,
			.chain = chain,
			.oldest_ms = sweeps->times_ms[0],
			.payload = message.data,
			.length = message.length,
		};
		spool_add(p->spool, &frame);
	}
	fw_buf_done(&message);
}

static void pieces_to_frame(struct packer *p, const struct fw_buf *pieces, uint32_t schema,
	uint32_t n_columns, uint32_t most, uint32_t chain)
{
	int64_t times[CHAIN_SWEEPS];
	int64_t *cells = fw_alloc_array((size_t)most * n_columns + 1, sizeof *cells);
	struct fw_sweeps sweeps = {.n_columns = n_columns, .times_ms = times, .cells = cells};
	sweeps.n_sweeps = pieces_decode(pieces, n_columns, cells, times, most);
	if (sweeps.n_sweeps > 0)
		backlog_add(p, &sweeps, schema, chain);
	fw_free(cells);
}

static void chain_close(struct packer *p)
{
	if (p->n_chain > 0)
		pieces_to_frame(p, &p->pieces, p->chain_state.schema, p->chain_state.n_columns,
			p->n_chain, p->chain);
	p->n_chain = 0;
	p->journaled = 0;
	state_forget(&p->chain_state);
	fw_buf_done(&p->pieces);
}

/* How many sweeps one batch may hold, of `most` that are wanted. */
static uint32_t sweeps_limit(const struct packer *p, uint32_t n_columns, uint32_t most)
{
	uint32_t limit = most;
	if (p->max_sweeps && p->max_sweeps < limit)
		limit = p->max_sweeps;
	if (n_columns > 0 && BATCH_CELLS / n_columns < limit)
		limit = BATCH_CELLS / n_columns;
	return limit ? limit : 1;
}

static void chain_add(struct packer *p, const int64_t *cells, int64_t at_ms)
{
	if (p->n_chain > 0 &&
		(p->chain_state.schema != p->schema ||
			!sweep_goes_on(p->chain_first_ms, p->chain_last_ms, at_ms)))
		chain_close(p);
	struct fw_sweeps sweep = {
		.n_sweeps = 1, .n_columns = p->n_columns, .times_ms = &at_ms, .cells = cells};
	if (p->n_chain == 0) {
		p->chain = spool_chain_next(p->spool);
		p->chain_first_ms = at_ms;
	}
	piece_put(&p->pieces, &sweep, p->schema, p->interval_ms,
		p->n_chain ? p->chain_state.cells : NULL);
	state_set(&p->chain_state, p->schema, p->n_columns, cells);
	p->chain_last_ms = at_ms;
	if (++p->n_chain >= sweeps_limit(p, p->n_columns, CHAIN_SWEEPS))
		chain_close(p);
}

bool packer_is_journaled(const struct packer *p)
{
	return p->n_chain == 0 || p->journaled == p->pieces.length;
}

int packer_journal(struct packer *p, struct fw_err *err)
{
	if (packer_is_journaled(p))
		return 0;
	bool first = p->journaled == 0;
	int rc = spool_journal(p->spool, p->chain, p->chain_state.schema,
		p->pieces.data + p->journaled, p->pieces.length - p->journaled, first, err);
	p->journaled = rc < 0 ? 0 : p->pieces.length;
	return rc;
}

static void chain_recover(struct packer *p)
{
	struct fw_buf pieces = {0};
	const uint8_t *data;
	uint32_t schema;
	uint32_t chain = spool_journal_left(p->spool, &schema, &data, &pieces.length);
	uint32_t n_columns = spool_schema_columns(p->spool, schema);
	if (chain == 0 || n_columns == 0 || n_columns > FW_COLUMNS_LIMIT)
		return;
	pieces.data = (uint8_t *)data;
	pieces_to_frame(
		p, &pieces, schema, n_columns, sweeps_limit(p, n_columns, CHAIN_SWEEPS), chain);
}

/* ---- the live lane ---- */

static void pending_to_chain(struct packer *p)
{
	for (uint32_t i = 0; i < p->n_pending; i++)
		chain_add(p, p->pending + (size_t)i * p->n_columns, p->pending_times[i]);
	p->n_pending = 0;
}

static void pending_to_live(struct packer *p)
{
	int64_t mono_ms = fw_mono_ms();
	bool key = p->want_key || !state_fits(&p->sent, p->schema) ||
		mono_ms - p->key_mono_ms >= KEY_EVERY_MS;
	struct fw_sweeps sweeps = {.n_sweeps = p->n_pending,
		.n_columns = p->n_columns,
		.times_ms = p->pending_times,
		.cells = p->pending};
	struct fw_buf message = {0};
	uint64_t seq = spool_next(p->spool, LANE_LIVE);
	fw_batch_encode_live(
		&sweeps, seq, p->schema, p->interval_ms, key ? NULL : p->sent.cells, &message);
	struct frame frame = {
		.type = FW_FRAME_BATCH,
		.lane = LANE_LIVE,
		.seq = seq,
		.schema = p->schema,
		.sweeps = p->n_pending,
		.oldest_ms = p->pending_times[0],
		.payload = message.data,
		.length = message.length,
	};
	spool_add(p->spool, &frame);
	fw_buf_done(&message);
	state_set(&p->sent, p->schema, p->n_columns,
		p->pending + (size_t)(p->n_pending - 1) * p->n_columns);
	p->n_pending = 0;
	if (key) {
		p->want_key = false;
		p->key_mono_ms = mono_ms;
	}
}

static void schema_changed(struct packer *p, const struct fw_schema *schema)
{
	pending_to_chain(p);
	chain_close(p); /* while its schema is still the one in use: the spool forgets others */
	p->schema = spool_schema_use(p->spool, schema);
	p->n_columns = schema->n_columns;
	memcpy(p->hash, schema->hash, sizeof p->hash);
	fw_free(p->pending);
	p->pending = fw_alloc_array((size_t)p->batch * p->n_columns + 1, sizeof *p->pending);
}

void packer_sweep(struct packer *p, const struct fw_schema *schema, const int64_t *cells,
	int64_t at_ms, bool live)
{
	if (schema->n_columns == 0)
		return;
	if (p->schema == 0 || memcmp(p->hash, schema->hash, sizeof p->hash) != 0)
		schema_changed(p, schema);
	if (!live) {
		pending_to_chain(p);
		chain_add(p, cells, at_ms);
		return;
	}
	chain_close(p);
	if (p->n_pending > 0 &&
		!sweep_goes_on(p->pending_times[0], p->pending_times[p->n_pending - 1], at_ms))
		pending_to_live(p);
	memcpy(p->pending + (size_t)p->n_pending * p->n_columns, cells,
		p->n_columns * sizeof *cells);
	p->pending_times[p->n_pending++] = at_ms;
	if (p->n_pending >= sweeps_limit(p, p->n_columns, p->batch))
		pending_to_live(p);
}

void packer_connected(struct packer *p)
{
	packer_close_chain(p);
	p->want_key = true;
}

void packer_disconnected(struct packer *p)
{
	pending_to_chain(p);
}

void packer_close_chain(struct packer *p)
{
	pending_to_chain(p);
	chain_close(p);
}

/* Those of other hosts are all keys, and their programs keep what they need. */
static bool is_own(const struct frame *frame)
{
	return frame->type == FW_FRAME_BATCH && frame->host_length == 0;
}

void packer_acked(struct packer *p, uint64_t live_to)
{
	if (live_to + 1 >= spool_next(p->spool, LANE_LIVE)) {
		if (p->sent.cells)
			state_set(&p->acked, p->sent.schema, p->sent.n_columns, p->sent.cells);
		return;
	}
	for (uint64_t seq = spool_oldest(p->spool, LANE_LIVE); seq <= live_to; seq++) {
		struct frame frame;
		if (spool_read(p->spool, LANE_LIVE, seq, &frame, NULL) == 0 && is_own(&frame))
			state_advance(
				&p->acked, &frame, spool_schema_columns(p->spool, frame.schema));
	}
}

static void remake_as_key(
	struct packer *p, const struct frame *frame, const struct state *before, uint32_t n_columns)
{
	struct fw_arena arena = {0};
	struct fw_buf message = {0};
	struct fw_batch batch;
	int64_t *cells = NULL;
	if (fw_batch_open(frame->payload, frame->length, &arena, &batch, NULL) >= 0) {
		cells = fw_alloc_array((size_t)batch.n_sweeps * n_columns + 1, sizeof *cells);
		if (fw_batch_decode(&batch, n_columns, before->cells, cells, NULL) >= 0) {
			struct fw_sweeps sweeps = {.n_sweeps = batch.n_sweeps,
				.n_columns = n_columns,
				.times_ms = batch.times_ms,
				.cells = cells};
			fw_batch_encode_live(&sweeps, frame->seq, frame->schema, batch.interval_ms,
				NULL, &message);
			struct frame key = *frame;
			key.payload = message.data;
			key.length = message.length;
			spool_replace(p->spool, &key);
		}
	}
	fw_free(cells);
	fw_buf_done(&message);
	fw_arena_done(&arena);
}

static bool frame_is_key(const struct frame *frame)
{
	struct fw_arena arena = {0};
	struct fw_batch batch;
	bool key = fw_batch_open(frame->payload, frame->length, &arena, &batch, NULL) >= 0 &&
		batch.key;
	fw_arena_done(&arena);
	return key;
}

void packer_need_key(struct packer *p, int64_t now_ms)
{
	uint64_t next = spool_next(p->spool, LANE_LIVE);
	for (uint64_t seq = spool_oldest(p->spool, LANE_LIVE); seq < next; seq++) {
		struct frame frame;
		if (spool_read(p->spool, LANE_LIVE, seq, &frame, NULL) < 0 || !is_own(&frame))
			continue;
		if (frame_is_key(&frame))
			return;
		if (state_fits(&p->acked, frame.schema)) {
			remake_as_key(
				p, &frame, &p->acked, spool_schema_columns(p->spool, frame.schema));
			return;
		}
		spool_replace_lost(p->spool, seq, LOSS_UNDECODABLE, now_ms);
	}
	p->want_key = true;
}

/* ---- life ---- */

struct packer *packer_new(struct spool *spool, uint32_t batch, uint32_t interval_ms)
{
	struct packer *p = fw_alloc(sizeof *p);
	p->spool = spool;
	p->batch = batch ? batch : 1;
	p->interval_ms = interval_ms;
	p->want_key = true;
	p->pending_times = fw_alloc_array(p->batch, sizeof *p->pending_times);
	chain_recover(p);
	return p;
}

void packer_free(struct packer *p)
{
	if (!p)
		return;
	state_forget(&p->sent);
	state_forget(&p->acked);
	state_forget(&p->chain_state);
	fw_free(p->pending);
	fw_free(p->pending_times);
	fw_buf_done(&p->pieces);
	fw_free(p);
}

void packer_set_interval(struct packer *p, uint32_t interval_ms)
{
	p->interval_ms = interval_ms;
}

void packer_set_max_sweeps(struct packer *p, uint32_t max_sweeps)
{
	p->max_sweeps = max_sweeps;
}
