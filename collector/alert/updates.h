/* Notices of what has changed of an alert that goes on: somebody has taken it up, its
 * priority is another, or it stands for more or fewer others than it said.
 *
 * Only feeds that take them have some, only of what they were told or may have been, and
 * none comes after the close. Of several that wait the newest is enough: it has what was
 * in those before.
 */
#pragma once

#include <stdint.h>

#include <fenwatch/err.h>

#include "pairs.h"

#define UPDATES_NEWS_MS (15 * 60 * 1000) /* each is a note on a ticket */

struct alert;
struct alert_options;
struct alerts;
struct state;

/* Within the caller's transaction: annotations that are other than before. `except`: a feed
 * that knows it already, or "". */
int updates_tell(struct state *state, const struct alert_options *options, const char *key,
	int64_t starts_ms, const struct pairs *said, const char *except, int64_t now_ms,
	struct fw_err *err);
/* It is over: what waits is not told any more. */
int updates_drop(struct state *state, const char *key, int64_t starts_ms, int64_t now_ms,
	struct fw_err *err);

/* After a start and a reload: what the register says of what fires, told or held, is taken
 * over, and who was told hears of another priority. */
void updates_look(struct alerts *alerts);
/* Who was told of what still fires hears that a silence about it is over. Before what silences
 * held is told. */
void updates_unsilenced(struct alerts *alerts);
/* It has other words, and may have had for a while. */
void updates_news(struct alerts *alerts, struct alert *alert);
