/* The outbox: notices on their way to feeds.
 *
 * What waits lies in SQLite (book.h); here is only the order of things (lanes.h).
 * All that a turn of the loop changes, what was answered and what is tried next,
 * is one transaction and one sync. Where it fails, each notice gets one of its
 * own, so that one that cannot be written keeps no other waiting.
 *
 * Of one alert and feed one notice is under way at a time and the oldest goes first.
 * That a notice is about to be tried is written before it is, so that after a
 * crash nobody thinks it was never sent; that it was told is written before it
 * is forgotten, so a crash between the two sends it once more under the same
 * idempotency key. A receiver that fails is tried again after a pause that
 * grows from OUTBOX_PAUSE_MS to OUTBOX_PAUSE_MOST_MS, by chance up to half
 * shorter; as soon as one notice of a feed is delivered, its others are due. Who
 * asks to be left alone for a while is told nothing before (pauses.h). To a receiver that forgets,
 * what stands is told again from time to time; that is no notice of its own and
 * is not written down. Nor is a beat, of a feed that is only told that all is well:
 * it is left out while `on_checkup` says what is not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>

#include "alert.h"
#include "feed.h"
#include "route.h"

#define OUTBOX_FEED_NAME 64
#define OUTBOX_PAUSE_MS 1000
#define OUTBOX_PAUSE_MOST_MS (5 * 60 * 1000)
#define OUTBOX_ASTRAY_MS (60 * 60 * 1000) /* so long somebody else may answer for the receiver */
#define OUTBOX_AT_ONCE 8                  /* notices under way, a feed that does not say */

/* A feed as collector.yml describes it; `config` is for the feed's type. */
struct alert_feed_option {
	const char *name, *type;
	bool live;   /* of the configuration, until an administrator says otherwise */
	double cost; /* of a ticket */
	const char *answer_token_file; /* NULL: its desk answers with an engineer's token */
	const struct feed *feed;
	const void *config;
	struct route route;
	int64_t after_ms; /* it hears of what nobody has taken up for so long; 0: of all at once */
	int64_t contact;  /* who of the supplier's contacts it asks, from 1; 0: nobody */
};

struct pauses;
struct state;
struct outbox;

struct outbox_config {
	uv_loop_t *loop;
	struct state *state;
	const struct alert_options *options;
	const char *external_url;
	struct pauses *pauses; /* of feeds, for every outbox there is and for polls */
	const char *(*on_checkup)(void *arg); /* NULL: all is well */
	int64_t astray_ms;                    /* 0: OUTBOX_ASTRAY_MS */
	void *arg;
};

int outbox_open(struct outbox **out, const struct outbox_config *config, struct fw_err *err);
void outbox_wake(struct outbox *outbox); /* new notices may have been written */
/* Notices from before may wait again. */
void outbox_rewind(struct outbox *outbox);
/* `outbox` takes over from `before`, which begins nothing more: what it has under way ends
 * or times out, and until then the same alert has nothing sent to the same feed. Then
 * `before` is closed. */
void outbox_take_over(
	struct outbox *outbox, struct outbox *before, void (*on_closed)(void *arg), void *arg);
/* Cancels what is under way, of the one before, too; all of it is tried again after the next
 * start. */
void outbox_close(struct outbox *outbox, void (*on_closed)(void *arg), void *arg);
int outbox_feeds(struct outbox *outbox, struct fw_arena *arena, struct alert_feed_view **out,
	size_t *n, struct fw_err *err);
