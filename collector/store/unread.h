/* Damage that is met while the store runs: each place counts once, whoever comes by.
 *
 * A dashboard reads the same blocks over and over, and thousands of them may be damaged:
 * so a bounded number of places is remembered, what is beyond is not counted, and only
 * the first few have a sentence.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "map.h"
#include "ring.h"

#define UNREAD_KNOWN 65536 /* places that are remembered */
#define UNREAD_TOLD 20     /* of which there is a sentence each */

struct unread {
	pthread_mutex_t lock;
	struct map known;
};

void unread_init(struct unread *unread);
void unread_done(struct unread *unread);
/* Which one it is, from 1 on; 0: it was known, or there are too many. Any thread. */
size_t unread_note(struct unread *unread, const struct ring_place *place);
