/* To whom an alert goes that tells of many: AlertStorm and TicketBudgetSpent.
 *
 * It goes to each feed that would have heard of any of those that it tells of, so that nobody
 * misses what is held for noise; and to those whose `match` it fits itself. A crowd remembers
 * which feeds that are, by their places among the feeds there are now.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct alert_options;
struct crowd;
struct episode;

/* This one is in the crowd now. */
void rollup_add(
	struct crowd *crowd, const struct alert_options *options, const struct episode *episode);
/* There are other feeds: those that are in it are added anew. */
void rollup_forget(struct crowd *crowd);
/* `crowd` NULL: it tells of itself alone. */
bool rollup_wants(const struct crowd *crowd, const struct alert_options *options, size_t feed,
	const struct episode *episode);
