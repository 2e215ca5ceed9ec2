/* Feeds that have asked to be left alone, and until when.
 *
 * One pause a feed: whichever of its notices or tickets was asked for, nothing at all is sent
 * to it before. It is in SQLite, too, so that a reload and a restart keep it. Main thread.
 */
#pragma once

#include <stdint.h>

#include <fenwatch/err.h>

#define PAUSES_MOST_MS (60 * 60 * 1000) /* whatever was written down */

struct pauses;
struct state;

int pauses_open(struct pauses **out, struct state *state, struct fw_err *err);
void pauses_close(struct pauses *pauses); /* NULL, too */
/* It wants nothing for so long from now on (monotonic); of several pauses the longest counts. */
void pauses_set(struct pauses *pauses, const char *feed, int64_t now_ms, int64_t for_ms);
/* Monotonic: nothing is sent to it before. */
int64_t pauses_until_ms(const struct pauses *pauses, const char *feed);
