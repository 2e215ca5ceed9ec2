/* SPDX-License-Identifier: Apache-2.0 */
#include "adopt.h"

#include <string.h>

#include <fenwatch/batch.h>

#include "spool.h"

#define LIVE_BYTES (512u << 10) /* under way at once, in the agent's memory */

bool adopter_has_room(const struct adopter *a)
{
	return a->n_live < WINDOW_GUESTS && a->live_bytes < LIVE_BYTES;
}

static void frame_init(struct frame *frame, const struct adopter *a, const struct handed *handed,
	enum lane lane, int64_t at_ms)
{
	*frame = (struct frame){
		.type = handed->type,
		.lane = lane,
		.seq = spool_next(a->spool, lane),
		.oldest_ms = at_ms,
		.host = handed->host.id,
		.host_message = handed->host.message,
		.host_length = handed->host.length,
	};
}

static void encode_sweeps(struct frame *frame, const struct handed *handed, struct fw_buf *out)
{
	frame->schema = handed->schema;
	frame->sweeps = handed->sweeps.n_sweeps;
	if (frame->lane == LANE_LIVE)
		fw_batch_encode_live(&handed->sweeps, frame->seq, handed->schema,
			handed->interval_ms, NULL, out);
	else
		fw_batch_encode_backlog(
			&handed->sweeps, frame->seq, handed->schema, handed->interval_ms, out);
}

static void encode_event(const struct frame *frame, const struct handed *handed, struct fw_buf *out)
{
	Fenwatch__Wire__Event *event = handed->event;
	event->seq = frame->seq;
	event->backlog = frame->lane == LANE_BACKLOG;
	event->host = frame->host;
	size_t length = fenwatch__wire__event__get_packed_size(event);
	out->length += fenwatch__wire__event__pack(event, fw_buf_reserve(out, length));
}

static void encode_document(
	const struct frame *frame, const struct handed *handed, struct fw_buf *out)
{
	Fenwatch__Wire__Document *document = handed->document;
	document->seq = frame->seq;
	document->backlog = true;
	document->host = frame->host;
	size_t length = fenwatch__wire__document__get_packed_size(document);
	out->length += fenwatch__wire__document__pack(document, fw_buf_reserve(out, length));
}

static int64_t moment_of(const struct handed *handed)
{
	return handed->event       ? handed->event->at_ms
		: handed->document ? handed->document->at_ms
				   : handed->sweeps.times_ms[0];
}

static void count(struct adopter *a, const struct frame *frame)
{
	a->events += frame->type == FW_FRAME_EVENT;
	a->sweeps += frame->type == FW_FRAME_BATCH;
	a->documents += frame->type == FW_FRAME_DOCUMENT;
	a->unwritten += frame->length;
	if (frame->lane != LANE_LIVE)
		return;
	a->live[a->n_live++] = frame->seq;
	a->live_bytes += frame->length;
}

bool adopt(struct adopter *a, const struct handed *handed, bool live)
{
	struct frame frame;
	struct fw_buf message = {0};
	enum lane lane =
		live && !handed->document && adopter_has_room(a) ? LANE_LIVE : LANE_BACKLOG;
	frame_init(&frame, a, handed, lane, moment_of(handed));
	if (handed->event)
		encode_event(&frame, handed, &message);
	else if (handed->document)
		encode_document(&frame, handed, &message);
	else
		encode_sweeps(&frame, handed, &message);
	frame.payload = message.data;
	frame.length = message.length;
	/* Nobody waits for it: with others of its host it takes a quarter of the room. */
	if (handed->type == FW_FRAME_BATCH && !live)
		spool_gather(a->spool, &frame);
	else
		spool_add(a->spool, &frame);
	count(a, &frame);
	fw_buf_done(&message);
	return lane == LANE_LIVE;
}

void adopter_acked(struct adopter *a)
{
	uint64_t oldest = spool_oldest(a->spool, LANE_LIVE);
	unsigned gone = 0;
	while (gone < a->n_live && a->live[gone] < oldest)
		gone++;
	a->n_live -= gone;
	memmove(a->live, a->live + gone, a->n_live * sizeof *a->live);
	if (a->n_live == 0)
		a->live_bytes = 0;
}

void adopter_begin_stream(struct adopter *a)
{
	a->n_live = 0;
	a->live_bytes = 0;
}
