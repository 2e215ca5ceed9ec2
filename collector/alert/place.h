/* SPDX-License-Identifier: Apache-2.0 */
/* Where the outbox's tests take place: a state on disk, a loop, a feed, and a
 * receiver that listens for real and remembers what it was told. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fenwatch/clock.h>

#include "book.h"
#include "outbox.h"
#include "pauses.h"
#include "receiver.h"
#include "state.h"

#define WAIT_MS 20000
#define START_MS INT64_C(1795341600000)

struct place {
	char dir[64];
	uv_loop_t loop;
	struct state *state;
	struct pauses *pauses;
	struct outbox *outbox;
	struct receiver receiver;
	struct feed type; /* the webhook; a test may change what it asks for */
	struct alert_feed_option feed, *feeds[1];
	struct alert_options options;
	char url[64];
	int64_t astray_ms; /* of the next outbox */
	void *config;
};

/* cmocka's fixtures: a new folder with a state in it, and no outbox yet. */
int set_up(void **arg);
int tear_down(void **arg);

void open_state(struct place *place);
void close_state(struct place *place); /* without an outbox */
void open_outbox(struct place *place);
void close_outbox(struct place *place);
/* Ends here without a word, and starts again from what is on the disk. */
void kill_and_restart(struct place *place);

struct episode episode_of(const char *key, int64_t starts_ms);
/* In a transaction of their own; 0 is a promise. */
int write_fired(struct place *place, struct episode *episode);
int write_resolved(struct place *place, struct episode *episode);
/* The same, when nothing may fail. */
struct episode fire(struct place *place, const char *key);
void resolve(struct place *place, struct episode *episode);

struct book_counts counts(struct place *place);
/* How often the receiver said yes to this alert and status. */
size_t accepted(const struct place *place, const char *key, const char *status);
/* How many different alerts the receiver was told of with this status. */
size_t different(const struct place *place, const char *status);
void run_for(struct place *place, int64_t ms);

#define RUN_UNTIL(place, condition)                                \
	do {                                                       \
		int64_t end_ms = fw_mono_ms() + WAIT_MS;           \
		while (!(condition) && fw_mono_ms() < end_ms)      \
			uv_run(&(place)->loop, UV_RUN_ONCE);       \
		if (!(condition))                                  \
			fail_msg("it never came: %s", #condition); \
	} while (0)
