/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include "feed_list.h"

#define DECLARE(name) extern const struct feed feed_##name;
#define ENTRY(name) &feed_##name,
FEEDS(DECLARE)

const struct feed *const feeds[] = {FEEDS(ENTRY) NULL};

void feed_finish(struct delivery *delivery, enum verdict verdict, const char *why)
{
	delivery->on_finished(delivery, verdict, why);
}
