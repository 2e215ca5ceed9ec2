/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/crc.h>
#include <fenwatch/mem.h>
#include <fenwatch/tls.h>
#include <fenwatch/wire.h>

#include "spool_internal.h"

int spool_open(
	struct spool **out, const struct spool_config *config, bool *made, struct fw_err *err)
{
	struct spool *s = fw_alloc(sizeof *s);
	s->config = *config;
	s->dir = fw_strdup(config->dir);
	s->write_fd = s->journal_fd = s->reader.fd = s->gathering.fd = -1;
	s->gathering.last = &s->gathering.first;
	s->next_segment = s->next_schema = s->next_chain = 1;
	for (int lane = 0; lane < LANES; lane++)
		s->lanes[lane].last = &s->lanes[lane].first;
	int rc = spool_disk_open(s, made, err);
	if (rc < 0) {
		spool_close(s);
		return fw_fail_in(err, rc, "spool '%s'", config->dir);
	}
	*out = s;
	return 0;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	if (s->stream)
		spool_cursor_write(s, NULL);
	spool_disk_close(s);
	for (int lane = 0; lane < LANES; lane++) {
		while (s->lanes[lane].first) {
			struct held *held = s->lanes[lane].first;
			s->lanes[lane].first = held->next;
			fw_free(held);
		}
	}
	spool_gathering_done(s);
	spool_schemas_done(s);
	fw_buf_done(&s->scratch);
	fw_buf_done(&s->left);
	fw_free(s->dir);
	fw_free(s);
}

void spool_set_max(struct spool *s, uint64_t max_bytes)
{
	s->config.max_bytes = max_bytes;
}

/* ---- frames ---- */

uint64_t spool_next(const struct spool *s, enum lane lane)
{
	return s->lanes[lane].made + 1 - s->lanes[lane].base;
}

struct held *spool_held_new(const struct frame *frame, uint64_t seq)
{
	struct held *held = fw_alloc(sizeof *held + frame->length + frame->host_length);
	held->frame = *frame;
	held->frame.seq = seq;
	held->frame.payload = held->bytes;
	held->frame.host_message = held->bytes + frame->length;
	if (frame->length > 0)
		memcpy(held->bytes, frame->payload, frame->length);
	if (frame->host_length > 0)
		memcpy(held->bytes + frame->length, frame->host_message, frame->host_length);
	return held;
}

static void lane_push(struct lane_state *lane, struct held *held)
{
	*lane->last = held;
	lane->last = &held->next;
}

static struct held *lane_pop(struct lane_state *lane)
{
	struct held *held = lane->first;
	lane->first = held->next;
	if (!lane->first)
		lane->last = &lane->first;
	return held;
}

/* While the disk takes nothing, memory is the spool and it is small. */
static void memory_bound(struct spool *s)
{
	struct lane_state *backlog = &s->lanes[LANE_BACKLOG];
	while (s->held_bytes > SPOOL_MEMORY_BYTES && backlog->first->next) {
		struct held *held = lane_pop(backlog);
		s->held_bytes -= held->frame.length;
		spool_lost(
			s, LOSS_UNWRITTEN, held->frame.seq, held->frame.seq, 1, held->frame.sweeps);
		fw_free(held);
	}
}

void spool_numbers_made(struct spool *s, enum lane lane, uint64_t made)
{
	struct lane_state *state = &s->lanes[lane];
	state->made = made;
	state->exact = true;
	if (state->made <= state->reserved)
		return;
	/* If this cannot be written, sampling goes on; the checksum in the welcome
	 * would find a number used twice. */
	state->reserved = state->made + SPOOL_RESERVE;
	spool_cursor_write(s, NULL);
}

void spool_add(struct spool *s, const struct frame *frame)
{
	struct lane_state *lane = &s->lanes[frame->lane];
	spool_numbers_made(s, frame->lane, lane->made + 1);
	lane_push(lane, spool_held_new(frame, lane->made));
	if (frame->chain > s->chain_closed)
		s->chain_closed = frame->chain;
	if (frame->lane == LANE_BACKLOG) {
		s->held_bytes += frame->length;
		memory_bound(s);
	}
}

void spool_replace(struct spool *s, const struct frame *frame)
{
	struct lane_state *lane = &s->lanes[LANE_LIVE];
	uint64_t seq = frame->seq + lane->base;
	for (struct held **at = &lane->first; *at; at = &(*at)->next) {
		struct held *old = *at;
		if (old->frame.seq != seq)
			continue;
		struct held *held = spool_held_new(frame, seq);
		held->next = old->next;
		if (lane->last == &old->next)
			lane->last = &held->next;
		*at = held;
		fw_free(old);
		return;
	}
}

void spool_replace_lost(struct spool *s, uint64_t seq, enum spool_loss why, int64_t now_ms)
{
	uint64_t sweeps = 0;
	for (struct held *h = s->lanes[LANE_LIVE].first; h; h = h->next)
		if (h->frame.seq == seq + s->lanes[LANE_LIVE].base)
			sweeps = h->frame.sweeps;
	struct frame frame;
	spool_make_lost(s, LANE_LIVE, seq, why, sweeps, now_ms, &frame);
	spool_replace(s, &frame);
}

static bool lanes_are_flushed(const struct spool *s)
{
	for (const struct held *h = s->lanes[LANE_LIVE].first; h; h = h->next)
		if (!h->written)
			return false;
	return !s->lanes[LANE_BACKLOG].first;
}

bool spool_is_flushed(const struct spool *s)
{
	return lanes_are_flushed(s) && !s->gathering.first;
}

int spool_flush(struct spool *s, struct fw_err *err)
{
	if (spool_is_flushed(s))
		return 0;
	spool_gathering_write(s);
	int rc = lanes_are_flushed(s) ? 0 : spool_disk_write(s, err);
	if (rc < 0)
		return rc;
	struct lane_state *backlog = &s->lanes[LANE_BACKLOG];
	while (backlog->first)
		fw_free(lane_pop(backlog));
	s->held_bytes = 0;
	if (s->journal_chain && s->journal_chain <= s->chain_closed)
		spool_journal_truncate(s);
	while (spool_disk_bytes(s) > s->config.max_bytes &&
		s->n_segments > (s->gathering.bytes > 0 ? 0 : 1))
		spool_disk_drop_oldest(s);
	spool_schemas_trim(s);
	return 0;
}

/* ---- reading and forgetting ---- */

/* Puts another number in front of a message that was made here: `seq` is field 1
 * and comes first. */
static void renumber(const struct frame *frame, uint64_t seq, struct fw_buf *out)
{
	const uint8_t *data = frame->payload;
	uint64_t old;
	size_t used = frame->length > 1 ? fw_get_varint(data + 1, frame->length - 1, &old) : 0;
	size_t skip = used && data[0] == 0x08 ? 1 + used : 0;
	fw_buf_reset(out);
	fw_buf_putc(out, 0x08);
	fw_buf_put_varint(out, seq);
	fw_buf_append(out, data + skip, frame->length - skip);
}

static uint64_t message_seq(const struct frame *frame)
{
	uint64_t seq = 0;
	if (frame->length > 1 && frame->payload[0] == 0x08)
		fw_get_varint(frame->payload + 1, frame->length - 1, &seq);
	return seq;
}

/* As the collector is to see it: a frame from before the last new stream has
 * another number in it. */
static void present(struct spool *s, struct frame *frame)
{
	frame->seq -= s->lanes[frame->lane].base;
	if (message_seq(frame) == frame->seq)
		return;
	renumber(frame, frame->seq, &s->scratch);
	frame->payload = s->scratch.data;
	frame->length = s->scratch.length;
}

int spool_read(struct spool *s, enum lane lane, uint64_t seq, struct frame *out, struct fw_err *err)
{
	struct lane_state *state = &s->lanes[lane];
	uint64_t local = seq + state->base;
	if (local > state->made || local <= state->acked)
		return -ENOENT;
	const struct held *held = state->first;
	while (held && held->frame.seq != local)
		held = held->next;
	int rc = 0;
	if (held)
		*out = held->frame;
	else
		rc = lane == LANE_BACKLOG ? spool_disk_read(s, local, out) : -ENOENT;
	if (rc == -ENOENT) {
		spool_make_lost(s, lane, seq, LOSS_DAMAGED, 0, fw_wall_ms(), out);
		return 0;
	}
	if (rc < 0)
		return fw_fail_sys(err, rc, "spool '%s' cannot be read", s->dir);
	present(s, out);
	return 0;
}

static uint64_t oldest_local(const struct spool *s, enum lane lane)
{
	const struct lane_state *state = &s->lanes[lane];
	for (size_t i = 0; lane == LANE_BACKLOG && i < s->n_segments; i++)
		if (s->segments[i].last[lane] > state->acked)
			return s->segments[i].first[lane] > state->acked
				? s->segments[i].first[lane]
				: state->acked + 1;
	return state->first ? state->first->frame.seq : state->made + 1;
}

uint64_t spool_oldest(const struct spool *s, enum lane lane)
{
	return oldest_local(s, lane) - s->lanes[lane].base;
}

static void ack_local(struct spool *s, enum lane lane, uint64_t to)
{
	struct lane_state *state = &s->lanes[lane];
	while (state->first && state->first->frame.seq <= to) {
		struct held *held = lane_pop(state);
		if (lane == LANE_BACKLOG)
			s->held_bytes -= held->frame.length;
		fw_free(held);
	}
	if (to > state->acked)
		state->acked = to;
}

void spool_ack(struct spool *s, enum lane lane, uint64_t to)
{
	struct lane_state *state = &s->lanes[lane];
	uint64_t local = to + state->base;
	if (local > state->made)
		local = state->made;
	if (local <= state->acked)
		return;
	ack_local(s, lane, local);
	/* A frame that went from memory is on the collector: its chain must not come
	 * back from the journal after a crash. */
	if (s->journal_chain && s->journal_chain <= s->chain_closed &&
		!s->lanes[LANE_BACKLOG].first)
		spool_journal_truncate(s);
	spool_disk_forget(s);
}

/* ---- the stream ---- */

uint64_t spool_stream(const struct spool *s)
{
	return s->stream;
}

static bool differs(struct spool *s, enum lane lane, uint64_t seq, uint32_t crc)
{
	uint64_t local = seq + s->lanes[lane].base;
	if (crc == 0 || local <= s->lanes[lane].acked || local < oldest_local(s, lane) ||
		local > s->lanes[lane].made)
		return false;
	struct frame frame;
	return spool_read(s, lane, seq, &frame, NULL) == 0 &&
		fw_crc32c(0, frame.payload, frame.length) != crc;
}

int spool_welcome(struct spool *s, const uint64_t acked[LANES], const uint32_t crc[LANES])
{
	for (int lane = 0; lane < LANES; lane++) {
		const struct lane_state *state = &s->lanes[lane];
		uint64_t most = state->exact ? state->made : state->reserved;
		if (acked[lane] > most - state->base)
			return -ESTALE;
		if (differs(s, (enum lane)lane, acked[lane], crc[lane]))
			return -ESTALE;
	}
	for (int lane = 0; lane < LANES; lane++) {
		struct lane_state *state = &s->lanes[lane];
		if (acked[lane] + state->base > state->made)
			state->made = acked[lane] + state->base;
		state->exact = true;
	}
	return 0;
}

int spool_renew(struct spool *s, enum spool_loss why, int64_t now_ms, struct fw_err *err)
{
	uint64_t old_stream = s->stream, old_base[LANES], old_reserved[LANES];
	for (int lane = 0; lane < LANES; lane++) {
		struct lane_state *state = &s->lanes[lane];
		old_base[lane] = state->base;
		old_reserved[lane] = state->reserved;
		state->base = oldest_local(s, (enum lane)lane) - 1;
		state->reserved = state->made + SPOOL_RESERVE;
	}
	fw_random(&s->stream, sizeof s->stream);
	s->stream |= 1;
	int rc = spool_cursor_write(s, err);
	if (rc < 0) {
		s->stream = old_stream;
		for (int lane = 0; lane < LANES; lane++) {
			s->lanes[lane].base = old_base[lane];
			s->lanes[lane].reserved = old_reserved[lane];
		}
		return rc;
	}
	for (int lane = 0; lane < LANES; lane++) {
		struct lane_state *state = &s->lanes[lane];
		state->exact = true;
		if (state->acked < state->base)
			state->acked = state->base;
		if (why != LOSS_NONE) {
			struct loss loss = {.why = why};
			spool_add_gap(s, (enum lane)lane, &loss, now_ms);
		}
	}
	return 0;
}

void spool_stat(const struct spool *s, struct spool_stat *out)
{
	*out = (struct spool_stat){
		.max_bytes = s->config.max_bytes,
		.segments = s->n_segments,
		.bytes = spool_disk_bytes(s),
		.dropped_frames = s->dropped_frames,
		.dropped_sweeps = s->dropped_sweeps,
	};
	for (size_t i = 0; i < s->n_segments; i++) {
		out->sweeps += s->segments[i].sweeps;
		if (!out->oldest_ms)
			out->oldest_ms = s->segments[i].oldest_ms;
	}
	spool_gathering_stat(s, out);
	for (int lane = 0; lane < LANES; lane++) {
		const struct lane_state *state = &s->lanes[lane];
		out->made[lane] = state->made - state->base;
		out->acked[lane] = state->acked - state->base;
		out->frames += state->made + 1 - oldest_local(s, (enum lane)lane);
		for (const struct held *h = state->first; h; h = h->next) {
			if (h->written)
				continue;
			out->bytes += h->frame.length;
			out->sweeps += h->frame.sweeps;
			if (!out->oldest_ms || h->frame.oldest_ms < out->oldest_ms)
				out->oldest_ms = h->frame.oldest_ms;
		}
	}
}
