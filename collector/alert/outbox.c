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

#include "book.h"
#include "state.h"

#define LANES 1024 /* buckets of notices by their key */
#define TICK_MS 1000
/* Not 0: a timer of 0 ms that is started by a timer runs before anything else does, and feeds that
 * finish at once would keep the loop until all is delivered. */
#define TURN_MS 1

struct sending;

/* A notice that waits or is under way. */
struct entry {
	struct entry *next;      /* of the outlet, oldest first */
	struct entry *next_lane; /* of the bucket, oldest first */
	int64_t id, due_ms;      /* monotonic */
	int64_t tries;
	int64_t astray_ms; /* monotonic: since when others than the receiver answer; 0: none does */
	char key[IDENTITY_KEY];
	bool repeat;             /* it was told already, or is a beat: it has no row of its own */
	struct sending *sending; /* NULL: it waits */
};

struct outlet {
	const struct alert_feed_option *option;
	struct outbox *outbox;
	struct entry *first, **last;
	struct entry *lanes[LANES];
	int64_t last_id;
	unsigned under_way, repeats;
	int64_t repeat_ms, alone_ms; /* monotonic: the next round of repeats; nothing before */
	bool stale;                  /* there may be rows after last_id */
	char error[256];
	int64_t last_ms;
};

/* What a delivery needs while it lasts. */
struct sending {
	struct sending *next_finished;
	struct outlet *outlet;
	struct entry *entry;
	struct delivery delivery;
	struct notice notice;
	struct book_notice row;
	char idempotency[96];
	char *generator_url;
	bool finished;
	enum verdict verdict;
	char why[256];
};

struct outbox {
	struct outbox_config config;
	struct fw_owner owner;
	uv_timer_t tick, turn;
	struct outlet *outlets;
	size_t n_outlets;
	struct sending *finished, **last_finished;
	int64_t opened_ms;     /* wall */
	char trouble[256];     /* the last thing SQLite said, told once */
	struct outbox *before; /* ends what it has under way; NULL: nobody does */
	struct outbox *heir;   /* of that one: who has taken over */
	void (*on_closed)(void *arg);
	void *arg;
};

static void on_turn(uv_timer_t *timer);

/* ---- entries ---- */

static struct entry **lane_of(struct outlet *outlet, const char *key)
{
	return &outlet->lanes[identity_hash(key) % LANES];
}

static struct entry *append(struct outlet *outlet, int64_t id, const char *key)
{
	struct entry *entry = fw_alloc(sizeof *entry);
	entry->id = id;
	snprintf(entry->key, sizeof entry->key, "%s", key);
	*outlet->last = entry;
	outlet->last = &entry->next;
	struct entry **link = lane_of(outlet, key);
	while (*link)
		link = &(*link)->next_lane;
	*link = entry;
	return entry;
}

static bool is_known(struct outlet *outlet, int64_t id, const char *key)
{
	struct entry *entry = *lane_of(outlet, key);
	while (entry && (entry->id != id || entry->repeat))
		entry = entry->next_lane;
	return entry;
}

static void on_waiting(int64_t id, const char *key, int64_t tries, void *arg)
{
	struct outlet *outlet = arg;
	if (is_known(outlet, id, key))
		return;
	append(outlet, id, key)->tries = tries;
	outlet->last_id = id;
}

static void on_standing(int64_t id, const char *key, void *arg)
{
	struct outlet *outlet = arg;
	append(outlet, id, key)->repeat = true;
	outlet->repeats++;
}

static void forget(struct outlet *outlet, struct entry *entry)
{
	outlet->repeats -= entry->repeat;
	struct entry **link = &outlet->first;
	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	if (!entry->next)
		outlet->last = link;
	link = lane_of(outlet, entry->key);
	while (*link != entry)
		link = &(*link)->next_lane;
	*link = entry->next_lane;
	fw_free(entry);
}

/* An alert's notices leave in order: only the oldest of a key may go. */
static bool is_oldest(struct outlet *outlet, const struct entry *entry)
{
	const struct entry *first = *lane_of(outlet, entry->key);
	while (strcmp(first->key, entry->key) != 0)
		first = first->next_lane;
	return first == entry;
}

/* The one before may have a notice of the same alert under way. */
static bool is_under_way_before(const struct outlet *outlet, const struct entry *entry)
{
	struct outbox *before = outlet->outbox->before;
	for (size_t i = 0; before && i < before->n_outlets; i++) {
		struct outlet *other = &before->outlets[i];
		if (strcmp(other->option->name, outlet->option->name) != 0)
			continue;
		for (const struct entry *e = *lane_of(other, entry->key); e; e = e->next_lane)
			if (e->sending && strcmp(e->key, entry->key) == 0)
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

/* SQLite may say the same every second for hours. */
static void tell_trouble(struct outbox *outbox, const char *what, const struct fw_err *err)
{
	if (strcmp(outbox->trouble, err->text) == 0)
		return;
	snprintf(outbox->trouble, sizeof outbox->trouble, "%s", err->text);
	fw_log(FW_ERROR, "outbox: %s: %s; it is tried again", what, err->text);
}

/* ---- sending ---- */

static void on_finished(struct delivery *delivery, enum verdict verdict, const char *why)
{
	struct sending *sending = delivery->outbox;
	struct outbox *outbox = sending->outlet->outbox;
	sending->finished = true;
	sending->verdict = verdict;
	snprintf(sending->why, sizeof sending->why, "%s", why);
	*outbox->last_finished = sending;
	outbox->last_finished = &sending->next_finished;
	if (!outbox->owner.closing)
		uv_timer_start(&outbox->turn, on_turn, TURN_MS, 0);
}

static void sending_free(struct sending *sending)
{
	book_notice_done(&sending->row);
	fw_free(sending->generator_url);
	fw_free(sending);
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
	struct state *state = outlet->outbox->config.state;
	if (outlet->option->feed->beat_ms && entry->repeat) {
		*row = (struct book_notice){.starts_ms = outlet->outbox->opened_ms};
		return 0;
	}
	return entry->repeat ? book_repeat(state, entry->id, row, err)
			     : book_try(state, entry->id, row, err);
}

/* What is damaged on the disk will not be whole tomorrow: it is a dead letter. */
static bool bury(struct outlet *outlet, struct entry *entry, const struct fw_err *damage)
{
	struct fw_err err;
	if (!entry->repeat &&
		book_told(outlet->outbox->config.state, entry->id, NOTICE_REFUSED, damage->text, "",
			fw_wall_ms(), &err) < 0) {
		tell_trouble(outlet->outbox, "a damaged notice cannot be written off yet", &err);
		return false;
	}
	fw_log(FW_ERROR, "feed '%s': %s; it is not sent", outlet->option->name, damage->text);
	snprintf(outlet->error, sizeof outlet->error, "%s", damage->text);
	forget(outlet, entry);
	return true;
}

static bool pass_over(struct outlet *outlet, struct entry *entry, int rc, const struct fw_err *err)
{
	if (rc == -EILSEQ)
		return bury(outlet, entry, err);
	if (rc == -ENOENT)
		forget(outlet, entry);
	else
		tell_trouble(outlet->outbox, "a notice cannot be sent yet", err);
	return rc == -ENOENT;
}

/* Whether the outlet may go on with the next one. */
static bool start(struct outlet *outlet, struct entry *entry)
{
	struct outbox *outbox = outlet->outbox;
	struct sending *sending = fw_alloc(sizeof *sending);
	struct fw_err err;
	int rc = read_row(outlet, entry, &sending->row, &err);
	if (rc < 0) {
		fw_free(sending);
		return pass_over(outlet, entry, rc, &err);
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
	entry->tries = sending->row.tries;
	entry->sending = sending;
	outlet->under_way++;
	outlet->option->feed->deliver(&sending->delivery);
	return true;
}

static void load(struct outlet *outlet)
{
	struct fw_err err;
	int rc = book_waiting(outlet->outbox->config.state, outlet->option->name, outlet->last_id,
		on_waiting, outlet, &err);
	outlet->stale = rc < 0;
	if (rc < 0)
		tell_trouble(outlet->outbox, "waiting notices cannot be read", &err);
}

/* A round begins when the last one is through. */
static void load_standing(struct outlet *outlet, int64_t now_ms)
{
	struct fw_err err;
	const struct feed *feed = outlet->option->feed;
	if (feed->repeat_ms == 0 || now_ms < outlet->repeat_ms || outlet->repeats > 0)
		return;
	outlet->repeat_ms = now_ms + feed->repeat_ms;
	if (book_standing(outlet->outbox->config.state, outlet->option->name,
		    fw_wall_ms() - feed->repeat_closed_ms, on_standing, outlet, &err) < 0)
		tell_trouble(outlet->outbox, "what is to be told again cannot be read", &err);
}

/* The beat that nobody hears is the alarm. */
static void load_beat(struct outlet *outlet, int64_t now_ms)
{
	const struct outbox_config *config = &outlet->outbox->config;
	const struct alert_feed_option *option = outlet->option;
	if (!option->feed->beat_ms || !option->live || now_ms < outlet->repeat_ms ||
		outlet->repeats > 0)
		return;
	outlet->repeat_ms = now_ms + option->feed->beat_ms(option->config);
	const char *trouble = config->on_checkup ? config->on_checkup(config->arg) : NULL;
	if (!trouble) {
		on_standing(0, "", outlet);
		return;
	}
	if (strcmp(outlet->error, trouble) != 0)
		fw_log(FW_ERROR, "feed '%s' is not told that all is well: %s", option->name,
			trouble);
	snprintf(outlet->error, sizeof outlet->error, "%s", trouble);
}

static void send_due(struct outlet *outlet)
{
	int64_t now_ms = fw_mono_ms();
	if (now_ms < outlet->alone_ms)
		return;
	if (outlet->stale)
		load(outlet);
	load_standing(outlet, now_ms);
	load_beat(outlet, now_ms);
	unsigned most = outlet->option->feed->at_once;
	most = most ? most : OUTBOX_AT_ONCE;
	bool goes_on = true;
	struct entry *next;
	for (struct entry *entry = outlet->first; entry && goes_on && outlet->under_way < most;
		entry = next) {
		next = entry->next;
		if (!entry->sending && entry->due_ms <= now_ms && is_oldest(outlet, entry) &&
			!is_under_way_before(outlet, entry))
			goes_on = start(outlet, entry);
	}
}

/* ---- how it went ---- */

/* That one arrived says nothing of a URL that is not there: it may be this one's own. */
static void hurry(struct outlet *outlet)
{
	for (struct entry *entry = outlet->first; entry; entry = entry->next)
		if (entry->astray_ms == 0)
			entry->due_ms = 0;
}

static void note_trouble(struct outlet *outlet, const struct sending *sending, bool goes_on)
{
	if (strcmp(outlet->error, sending->why) != 0 || !goes_on)
		fw_log(FW_WARNING, "feed '%s': notice %s %s: %s", outlet->option->name,
			sending->idempotency, goes_on ? "is tried again" : "was refused",
			sending->why);
	snprintf(outlet->error, sizeof outlet->error, "%s", sending->why);
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

static void put_off(struct entry *entry)
{
	entry->due_ms = fw_mono_ms() + pause_ms(entry->tries);
	entry->sending = NULL;
}

/* False: SQLite did not take it, so the notice is neither forgotten nor sent again. */
static bool end_entry(struct outlet *outlet, const struct sending *sending, int64_t now_ms)
{
	struct entry *entry = sending->entry;
	struct fw_err err;
	if (!entry->repeat &&
		book_told(outlet->outbox->config.state, entry->id,
			sending->verdict == DELIVERED ? NOTICE_DELIVERED : NOTICE_REFUSED,
			sending->why, sending->delivery.receipt, now_ms, &err) < 0) {
		tell_trouble(outlet->outbox, "an answer cannot be written down yet", &err);
		return false;
	}
	forget(outlet, entry);
	return true;
}

static bool settle(struct sending *sending)
{
	struct outlet *outlet = sending->outlet;
	int64_t now_ms = fw_wall_ms();
	bool goes_on = is_tried_again(outlet, sending);
	if (!goes_on && !end_entry(outlet, sending, now_ms))
		return false;
	if (goes_on)
		put_off(sending->entry);
	outlet->last_ms = now_ms;
	outlet->under_way--;
	if (sending->verdict == TRY_LATER && sending->delivery.retry_after_ms > 0)
		outlet->alone_ms = fw_mono_ms() + sending->delivery.retry_after_ms;
	if (sending->verdict == DELIVERED) {
		hurry(outlet);
		*outlet->error = '\0';
		*outlet->outbox->trouble = '\0';
	} else {
		note_trouble(outlet, sending, goes_on || sending->verdict == TRY_LATER);
	}
	sending_free(sending);
	return true;
}

static void settle_all(struct outbox *outbox)
{
	struct sending *sending = outbox->finished, *next;
	outbox->finished = NULL;
	outbox->last_finished = &outbox->finished;
	for (; sending; sending = next) {
		next = sending->next_finished;
		sending->next_finished = NULL;
		if (settle(sending))
			continue;
		*outbox->last_finished = sending;
		outbox->last_finished = &sending->next_finished;
	}
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
	settle_all(outbox);
	if (outbox->heir) {
		go_on_with_heir(outbox);
		return;
	}
	for (size_t i = 0; i < outbox->n_outlets; i++)
		send_due(&outbox->outlets[i]);
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
		while (outbox->outlets[i].first)
			forget(&outbox->outlets[i], outbox->outlets[i].first);
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
	outbox->last_finished = &outbox->finished;
	outbox->n_outlets = config->options->n_feeds;
	outbox->outlets = fw_alloc_array(outbox->n_outlets + 1, sizeof *outbox->outlets);
	for (size_t i = 0; i < outbox->n_outlets; i++) {
		struct outlet *outlet = &outbox->outlets[i];
		outlet->option = config->options->feeds[i];
		outlet->outbox = outbox;
		outlet->last = &outlet->first;
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
		for (struct entry *entry = outbox->outlets[i].first; entry; entry = entry->next)
			if (entry->sending && !entry->sending->finished)
				outbox->outlets[i].option->feed->cancel(&entry->sending->delivery);
	settle_all(outbox);
	/* What could not be written down is sent once more, under the same key. */
	for (struct sending *left = outbox->finished, *next; left; left = next) {
		next = left->next_finished;
		sending_free(left);
	}
	outbox->finished = NULL;
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
