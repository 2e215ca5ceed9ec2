/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/tls.h>

#include "outbox_parts.h"
#include "pauses.h"

#define TICK_MS 1000
/* Not 0: a timer of 0 ms that is started by a timer runs before anything else does, and feeds that
 * finish at once would keep the loop until all is delivered. */
#define TURN_MS 1

static void on_turn(uv_timer_t *timer);

/* ---- entries ---- */

/* The one before may have a notice of the same alert under way. */
static bool is_under_way_before(const struct outlet *outlet, const struct entry *entry)
{
	const struct outbox *before = outlet->outbox->before;
	for (size_t i = 0; before && i < before->n_outlets; i++) {
		const struct outlet *other = &before->outlets[i];
		if (strcmp(other->option->name, outlet->option->name) == 0 &&
			lanes_is_under_way(&other->lanes, entry->key))
			return true;
	}
	return false;
}

static int64_t pause_ms(int64_t tries)
{
	int64_t pause = tries > 9 ? OUTBOX_PAUSE_MOST_MS : (int64_t)OUTBOX_PAUSE_MS << (tries - 1);
	if (pause > OUTBOX_PAUSE_MOST_MS)
		pause = OUTBOX_PAUSE_MOST_MS;
	uint32_t chance;
	fw_random(&chance, sizeof chance);
	return pause - (int64_t)(chance % (uint64_t)(pause / 2 + 1));
}

/* ---- sending ---- */

static void on_finished(struct delivery *delivery, enum verdict verdict, const char *why)
{
	struct sending *sending = delivery->outbox;
	struct outbox *outbox = sending->outlet->outbox;
	sending->finished = true;
	sending->verdict = verdict;
	snprintf(sending->why, sizeof sending->why, "%s", why);
	sendings_add(&outbox->finished, sending);
	if (!outbox->owner.closing)
		uv_timer_start(&outbox->turn, on_turn, TURN_MS, 0);
}

static void fill_notice(struct sending *sending)
{
	const struct book_notice *row = &sending->row;
	const char *external = sending->outlet->outbox->config.external_url;
	const char *status = row->kind == NOTICE_CLOSE ? "resolved" : "firing";
	char starts[32], update[32];
	snprintf(update, sizeof update, "update/%" PRId64, row->id);
	snprintf(sending->idempotency, sizeof sending->idempotency, "%s/%s/%s", row->key,
		fw_time_format(row->starts_ms, starts, sizeof starts),
		row->kind == NOTICE_UPDATE ? update : status);
	const char *priority = pairs_get(&row->annotations, "priority");
	external = external ? external : "";
	sending->generator_url = fw_format("%s/api/fenwatch/v1/alerts", external);
	sending->notice = (struct notice){
		.key = row->key,
		.status = status,
		.is_update = row->kind == NOTICE_UPDATE,
		.idempotency = sending->idempotency,
		.receiver = sending->outlet->option->name,
		.priority = *priority ? priority : NULL,
		.starts_ms = row->starts_ms,
		.ends_ms = row->ends_ms,
		.labels = row->labels.items,
		.n_labels = row->labels.n,
		.annotations = row->annotations.items,
		.n_annotations = row->annotations.n,
		.generator_url = sending->generator_url,
		.external_url = external,
		.receipt = row->receipt,
	};
}

static int read_row(struct outlet *outlet, const struct entry *entry, struct book_notice *row,
	struct fw_err *err)
{
	struct outbox *outbox = outlet->outbox;
	if (outlet->option->feed->beat_ms && entry->repeat) {
		*row = (struct book_notice){.starts_ms = outbox->opened_ms};
		return 0;
	}
	if (entry->repeat)
		return book_repeat(outbox->config.state, entry->id, row, err);
	int rc = turn_begin(outbox, err);
	return rc < 0 ? rc : book_try(outbox->config.state, entry->id, row, err);
}

/* What is damaged on the disk will not be whole tomorrow: it is a dead letter. */
static int bury(struct outlet *outlet, struct entry *entry, struct fw_err *err)
{
	char damage[sizeof err->text];
	snprintf(damage, sizeof damage, "%s", err->text);
	int rc = entry->repeat ? 0
			       : book_told(outlet->outbox->config.state, entry->id, NOTICE_REFUSED,
					 damage, "", fw_wall_ms(), err);
	if (rc < 0)
		return rc;
	fw_log(FW_ERROR, "feed '%s': %s; it is not sent", outlet->option->name, damage);
	snprintf(outlet->error, sizeof outlet->error, "%s", damage);
	turn_set_over(outlet, entry);
	return 0;
}

static int pass_over(struct outlet *outlet, struct entry *entry, int rc, struct fw_err *err)
{
	if (rc == -EILSEQ)
		return bury(outlet, entry, err);
	if (rc != -ENOENT)
		return rc;
	turn_set_over(outlet, entry);
	return 0;
}

/* That it is about to be tried is written first. */
static int prepare(struct outlet *outlet, struct entry *entry, struct fw_err *err)
{
	struct outbox *outbox = outlet->outbox;
	struct sending *sending = fw_alloc(sizeof *sending);
	int rc = read_row(outlet, entry, &sending->row, err);
	if (rc < 0) {
		fw_free(sending);
		return pass_over(outlet, entry, rc, err);
	}
	sending->outlet = outlet;
	sending->entry = entry;
	fill_notice(sending);
	sending->delivery = (struct delivery){
		.notice = &sending->notice,
		.config = outlet->option->config,
		.loop = outbox->config.loop,
		.now_ms = fw_wall_ms(),
		.on_finished = on_finished,
		.outbox = sending,
	};
	entry->sending = sending;
	outlet->under_way++;
	sendings_add(&outbox->starting, sending);
	return 0;
}

static bool may_go(const struct outlet *outlet, const struct entry *entry, int64_t now_ms)
{
	return !entry->sending && !entry->is_over && entry->due_ms <= now_ms &&
		lanes_is_oldest(&outlet->lanes, entry) && !is_under_way_before(outlet, entry);
}

bool outlet_is_alone(const struct outlet *outlet, int64_t now_ms)
{
	return now_ms < pauses_until_ms(outlet->outbox->config.pauses, outlet->option->name);
}

/* Where one cannot be written others may; where none can, a few are asked. */
static bool send_due(struct outlet *outlet)
{
	int64_t now_ms = fw_mono_ms();
	unsigned most = outlet->option->feed->at_once, failed = 0;
	most = most ? most : OUTBOX_AT_ONCE;
	struct entry *entry = outlet_is_alone(outlet, now_ms) ? NULL : outlet->lanes.first, *next;
	for (; entry && outlet->under_way < most && failed < OUTBOX_AT_ONCE; entry = next) {
		struct fw_err err;
		next = entry->next;
		if (!may_go(outlet, entry, now_ms))
			continue;
		int rc = prepare(outlet, entry, &err);
		if (!turn_end_step(outlet->outbox, rc, "a notice cannot be sent yet", &err))
			return false;
		failed += rc < 0;
	}
	return true;
}

/* ---- how it went ---- */

/* That one arrived says nothing of a URL that is not there: it may be this one's own. */
static void hurry(struct outlet *outlet)
{
	if (!outlet->has_pauses)
		return;
	outlet->has_pauses = false;
	for (struct entry *entry = outlet->lanes.first; entry; entry = entry->next) {
		if (entry->astray_ms == 0)
			entry->due_ms = 0;
		else
			outlet->has_pauses = true;
	}
}

/* What goes astray is tried for so long as a deployment or a proxy that is set up may take. */
static bool is_tried_again(struct outlet *outlet, const struct sending *sending)
{
	struct entry *entry = sending->entry;
	int64_t now_ms = fw_mono_ms(), most_ms = outlet->outbox->config.astray_ms;
	if (entry->repeat || sending->verdict == DELIVERED || sending->verdict == REFUSED)
		return false;
	if (sending->verdict == TRY_LATER)
		entry->astray_ms = 0;
	else if (entry->astray_ms == 0)
		entry->astray_ms = now_ms;
	return entry->astray_ms == 0 ||
		now_ms - entry->astray_ms < (most_ms ? most_ms : OUTBOX_ASTRAY_MS);
}

static void put_off(struct sending *sending)
{
	struct outlet *outlet = sending->outlet;
	struct entry *entry = sending->entry;
	entry->due_ms = fw_mono_ms() + pause_ms(entry->tries);
	entry->sending = NULL;
	outlet->has_pauses = true;
	outlet->under_way--;
	outlet_note_trouble(outlet, sending, true);
	sending_free(sending);
}

static int write_end(const struct sending *sending, int64_t now_ms, struct fw_err *err)
{
	struct outbox *outbox = sending->outlet->outbox;
	int rc = turn_begin(outbox, err);
	return rc < 0 ? rc
		      : book_told(outbox->config.state, sending->entry->id,
				sending->verdict == DELIVERED ? NOTICE_DELIVERED : NOTICE_REFUSED,
				sending->why, sending->delivery.receipt, now_ms, err);
}

/* Where SQLite does not take it, the notice is neither forgotten nor sent again. */
static int settle(struct sending *sending, struct fw_err *err)
{
	struct outlet *outlet = sending->outlet;
	int64_t now_ms = fw_wall_ms();
	bool goes_on = is_tried_again(outlet, sending);
	int rc = goes_on || sending->entry->repeat ? 0 : write_end(sending, now_ms, err);
	if (rc < 0)
		return rc;
	outlet->last_ms = now_ms;
	if (sending->verdict == TRY_LATER && sending->delivery.retry_after_ms > 0)
		pauses_set(outlet->outbox->config.pauses, outlet->option->name, fw_mono_ms(),
			sending->delivery.retry_after_ms);
	if (sending->verdict == DELIVERED)
		hurry(outlet);
	if (goes_on)
		put_off(sending);
	else
		turn_set_over(outlet, sending->entry);
	return 0;
}

static bool settle_all(struct outbox *outbox)
{
	struct sending *sending = sendings_take(&outbox->finished), *next;
	bool goes_on = true;
	for (; sending; sending = next) {
		struct fw_err err;
		next = sending->next;
		int rc = goes_on ? settle(sending, &err) : -ECANCELED;
		if (rc < 0)
			sendings_add(&outbox->finished, sending);
		goes_on = goes_on &&
			turn_end_step(outbox, rc, "an answer cannot be written down yet", &err);
	}
	return goes_on;
}

/* False: nothing of it was written. */
static bool try_turn(struct outbox *outbox, bool one_by_one)
{
	struct fw_err err;
	outbox->one_by_one = one_by_one;
	bool goes_on = settle_all(outbox), sends = !outbox->heir && !outbox->owner.closing;
	for (size_t i = 0; goes_on && sends && i < outbox->n_outlets; i++)
		goes_on = send_due(&outbox->outlets[i]);
	return goes_on && turn_finish(outbox, 0, &err) == 0;
}

static void take_turn(struct outbox *outbox)
{
	if (try_turn(outbox, false))
		*outbox->trouble = '\0';
	else
		try_turn(outbox, true);
}

static bool is_idle(const struct outbox *outbox)
{
	for (size_t i = 0; i < outbox->n_outlets; i++)
		if (outbox->outlets[i].under_way > 0)
			return false;
	return true;
}

/* What has ended may be sent by the heir; when all has, we are done. */
static void go_on_with_heir(struct outbox *outbox)
{
	outbox_wake(outbox->heir);
	if (!is_idle(outbox))
		return;
	outbox->heir->before = NULL;
	outbox_close(outbox, outbox->on_closed, outbox->arg);
}

static void on_turn(uv_timer_t *timer)
{
	struct outbox *outbox =
		(struct outbox *)((char *)timer->data - offsetof(struct outbox, owner));
	if (!outbox->heir)
		outbox_load(outbox);
	take_turn(outbox);
	if (outbox->heir)
		go_on_with_heir(outbox);
}

/* ---- the whole ---- */

void outbox_wake(struct outbox *outbox)
{
	for (size_t i = 0; i < outbox->n_outlets; i++)
		outbox->outlets[i].stale = true;
	if (!outbox->owner.closing)
		uv_timer_start(&outbox->turn, on_turn, TURN_MS, 0);
}

void outbox_rewind(struct outbox *outbox)
{
	for (size_t i = 0; i < outbox->n_outlets; i++)
		outbox->outlets[i].last_id = 0;
	outbox_wake(outbox);
}

static void on_outbox_closed(struct fw_owner *owner)
{
	struct outbox *outbox = (struct outbox *)((char *)owner - offsetof(struct outbox, owner));
	void (*on_closed)(void *arg) = outbox->on_closed;
	void *arg = outbox->arg;
	for (size_t i = 0; i < outbox->n_outlets; i++)
		lanes_done(&outbox->outlets[i].lanes);
	fw_free(outbox->outlets);
	fw_free(outbox);
	if (on_closed)
		on_closed(arg);
}

int outbox_open(struct outbox **out, const struct outbox_config *config, struct fw_err *err)
{
	int rc = feed_curl_open(config->loop, err);
	if (rc < 0)
		return rc;
	struct outbox *outbox = fw_alloc(sizeof *outbox);
	outbox->config = *config;
	outbox->opened_ms = fw_wall_ms();
	sendings_init(&outbox->finished);
	sendings_init(&outbox->starting);
	outbox->n_outlets = config->options->n_feeds;
	outbox->outlets = fw_alloc_array(outbox->n_outlets + 1, sizeof *outbox->outlets);
	for (size_t i = 0; i < outbox->n_outlets; i++) {
		struct outlet *outlet = &outbox->outlets[i];
		outlet->option = config->options->feeds[i];
		outlet->outbox = outbox;
		outlet->last_over = &outlet->over;
		lanes_init(&outlet->lanes);
	}
	fw_owner_init(&outbox->owner, on_outbox_closed);
	uv_timer_init(config->loop, &outbox->tick);
	fw_owner_adopt(&outbox->owner, &outbox->tick);
	uv_timer_init(config->loop, &outbox->turn);
	fw_owner_adopt(&outbox->owner, &outbox->turn);
	uv_timer_start(&outbox->tick, on_turn, TICK_MS, TICK_MS);
	*out = outbox;
	outbox_wake(outbox);
	return 0;
}

void outbox_take_over(
	struct outbox *outbox, struct outbox *before, void (*on_closed)(void *arg), void *arg)
{
	outbox->before = before;
	before->heir = outbox;
	before->on_closed = on_closed;
	before->arg = arg;
	outbox_load(outbox);
	uv_timer_start(&before->turn, on_turn, 0, 0);
}

void outbox_close(struct outbox *outbox, void (*on_closed)(void *arg), void *arg)
{
	if (outbox->before)
		outbox_close(outbox->before, outbox->before->on_closed, outbox->before->arg);
	outbox->on_closed = on_closed;
	outbox->arg = arg;
	fw_owner_close(&outbox->owner);
	for (size_t i = 0; i < outbox->n_outlets; i++)
		for (struct entry *entry = outbox->outlets[i].lanes.first; entry;
			entry = entry->next)
			if (entry->sending && !entry->sending->finished)
				outbox->outlets[i].option->feed->cancel(&entry->sending->delivery);
	take_turn(outbox);
	/* What could not be written down is sent once more, under the same key. */
	for (struct sending *left = sendings_take(&outbox->finished), *next; left; left = next) {
		next = left->next;
		sending_free(left);
	}
	feed_curl_close();
}

int outbox_feeds(struct outbox *outbox, struct fw_arena *arena, struct alert_feed_view **out,
	size_t *n, struct fw_err *err)
{
	*n = outbox->n_outlets;
	*out = fw_arena_alloc(arena, (*n + 1) * sizeof **out);
	for (size_t i = 0; i < *n; i++) {
		const struct outlet *outlet = &outbox->outlets[i];
		struct book_counts counts;
		int rc = book_count(outbox->config.state, outlet->option->name, &counts, err);
		if (rc < 0)
			return rc;
		(*out)[i] = (struct alert_feed_view){
			.name = fw_arena_strdup(arena, outlet->option->name),
			.type = fw_arena_strdup(arena, outlet->option->type),
			.live = outlet->option->live,
			.waiting = counts.waiting,
			.delivered = counts.delivered,
			.refused = counts.refused,
			.tries = counts.tries,
			.rehearsed = counts.rehearsed,
			.rehearsed_since_ms = counts.rehearsed_since_ms,
			.cost = (double)counts.rehearsed * outlet->option->cost,
			.last_error = fw_arena_strdup(arena, outlet->error),
			.last_ms = outlet->last_ms,
		};
	}
	return 0;
}
