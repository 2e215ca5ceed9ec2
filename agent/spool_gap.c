/* SPDX-License-Identifier: Apache-2.0 */
/* What was lost, and the events that tell of it. */
#include <stdio.h>

#include <fenwatch/wire.h>

#include "spool_internal.h"

const char *const spool_loss_names[LOSSES] = {
	[LOSS_NONE] = "",
	[LOSS_FULL] = "spool full",
	[LOSS_UNWRITTEN] = "disk not writable",
	[LOSS_DAMAGED] = "damaged on disk",
	[LOSS_UNDECODABLE] = "base of deltas lost",
	[LOSS_STREAM] = "spool lost or set back",
};

void spool_lost(struct spool *s, enum spool_loss why, uint64_t from, uint64_t to, uint64_t frames,
	uint64_t sweeps)
{
	struct loss *loss = &s->loss;
	s->dropped_frames += frames;
	s->dropped_sweeps += sweeps;
	if (!loss->from || from < loss->from)
		loss->from = from;
	if (to > loss->to)
		loss->to = to;
	loss->sweeps += sweeps;
	loss->why = why;
}

/* An Event "gap" about numbers of the stream in `lane`, numbered `seq` in `carrier`. */
static void gap_encode(struct fw_buf *out, enum lane carrier, uint64_t seq, enum lane lane,
	const struct loss *loss, int64_t now_ms)
{
	char from[24], to[24], sweeps[24];
	snprintf(from, sizeof from, "%llu", (unsigned long long)loss->from);
	snprintf(to, sizeof to, "%llu", (unsigned long long)loss->to);
	snprintf(sweeps, sizeof sweeps, "%llu", (unsigned long long)loss->sweeps);
	const char *const texts[][2] = {
		{"lane", lane == LANE_LIVE ? "live" : "backlog"},
		{"from", from},
		{"to", to},
		{"reason", spool_loss_names[loss->why]},
		{"sweeps", sweeps},
	};
	enum { FIELDS = sizeof texts / sizeof *texts };
	Fenwatch__Wire__Label labels[FIELDS], *list[FIELDS];
	for (int i = 0; i < FIELDS; i++) {
		fenwatch__wire__label__init(&labels[i]);
		labels[i].name = (char *)texts[i][0];
		labels[i].value = (char *)texts[i][1];
		list[i] = &labels[i];
	}
	Fenwatch__Wire__Event event = FENWATCH__WIRE__EVENT__INIT;
	event.seq = seq;
	event.backlog = carrier == LANE_BACKLOG;
	event.kind = (char *)"gap";
	event.at_ms = now_ms;
	event.n_fields = FIELDS;
	event.fields = list;
	size_t length = fenwatch__wire__event__get_packed_size(&event);
	uint8_t *room = fw_buf_reserve(out, length);
	out->length += fenwatch__wire__event__pack(&event, room);
}

void spool_add_gap(struct spool *s, enum lane lane, const struct loss *loss, int64_t now_ms)
{
	struct fw_buf buf = {0};
	uint64_t seq = spool_next(s, LANE_BACKLOG);
	gap_encode(&buf, LANE_BACKLOG, seq, lane, loss, now_ms);
	struct frame frame = {
		.type = FW_FRAME_EVENT,
		.lane = LANE_BACKLOG,
		.seq = seq,
		.oldest_ms = now_ms,
		.payload = buf.data,
		.length = buf.length,
	};
	spool_add(s, &frame);
	fw_buf_done(&buf);
}

void spool_tell_gap(struct spool *s, int64_t now_ms)
{
	if (!s->loss.from)
		return;
	uint64_t base = s->lanes[LANE_BACKLOG].base;
	struct loss loss = s->loss;
	loss.from = loss.from > base ? loss.from - base : 0;
	loss.to = loss.to > base ? loss.to - base : 0;
	s->loss = (struct loss){0};
	spool_add_gap(s, LANE_BACKLOG, &loss, now_ms);
}

void spool_make_lost(struct spool *s, enum lane lane, uint64_t seq, enum spool_loss why,
	uint64_t sweeps, int64_t now_ms, struct frame *out)
{
	struct loss loss = {.from = seq, .to = seq, .sweeps = sweeps, .why = why};
	s->dropped_frames++;
	s->dropped_sweeps += sweeps;
	fw_buf_reset(&s->scratch);
	gap_encode(&s->scratch, lane, seq, lane, &loss, now_ms);
	*out = (struct frame){
		.type = FW_FRAME_EVENT,
		.lane = lane,
		.seq = seq,
		.oldest_ms = now_ms,
		.payload = s->scratch.data,
		.length = s->scratch.length,
	};
}
