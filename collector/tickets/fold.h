/* What the audit trail says of tickets, entry by entry.
 *
 *   fired    the episode, and whose it is
 *   assigned the register says something else of it, and nobody was told yet
 *   told     by a feed: raised, with the desk's number; by the first, or the first with a number
 *   due      when its targets end
 *   accepted, acknowledged   somebody has taken it up: the clock of the response ends
 *   paused, resumed
 *   cleared  the fault is gone: the clock of the resolution ends
 *   resolved the desk has closed it
 *
 * Entries of kinds that are not here are passed over, and so are those of episodes whose
 * "fired" is not among what is read.
 */
#pragma once

#include <stddef.h>

#include "audit.h"
#include "tickets.h"

struct fold;

struct fold *fold_new(void);
void fold_free(struct fold *fold);
void fold_apply(struct fold *fold, const struct audit_entry *entry);
/* The newest episode of this key that was raised; NULL: there is none. */
const struct ticket *fold_newest(const struct fold *fold, const char *key);
/* Every one that was raised. */
void fold_each(
	const struct fold *fold, void (*each)(const struct ticket *ticket, void *arg), void *arg);
/* Drops what was over before this moment. */
void fold_forget(struct fold *fold, int64_t over_ms);
