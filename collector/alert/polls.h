/* Desks are asked what has become of the tickets of alerts that go on.
 *
 * For feeds that can be asked, and of opens that were given a number. The pause before the
 * next question grows, from what the feed says to POLLS_PAUSE_MOST_MS, as long as nothing has
 * changed. That a desk has accepted a ticket, or closed it, is an answer as if it had
 * come by itself, and is taken once. What has been closed is asked for no more. A
 * feed that wants to be left alone is asked nothing. Main thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#define POLLS_PAUSE_MOST_MS (60 * 60 * 1000)
#define POLLS_AT_ONCE 4
#define POLLS_LOOK_MS 10000 /* between looks at which tickets there are */

struct alert_answer;
struct alert_options;
struct fw_err;
struct pauses;
struct polls;
struct state;

struct polls_config {
	uv_loop_t *loop;
	struct state *state;
	const struct alert_options *options;
	struct pauses *pauses;
	/* What a desk says: -EALREADY and -ENOENT where that changes nothing. */
	int (*take)(const struct alert_answer *answer, void *arg, struct fw_err *err);
	void *arg;
};

struct polls *polls_new(const struct polls_config *config);
/* Asks what is due. True: some desk's answer was taken. */
bool polls_look(struct polls *polls, int64_t now_ms);
void polls_free(struct polls *polls); /* breaks off what is being asked; NULL, too */
