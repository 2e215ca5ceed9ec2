/* What an administrator does with a feed's notices. Each change is a transaction of its own
 * and stands in the audit trail, its subject "feed NAME":
 *
 *   feed_live       told: how many opens of what goes on are sent now
 *   feed_rehearsal  held: how many that waited are not sent
 *   feed_retried    retried, dropped
 *   feed_tested     key
 */
#pragma once

#include "book.h"

/* What was commanded of it last: 1 live, 0 rehearsal, -ENOENT nothing. */
int book_feed_mode(struct state *state, const char *feed, struct fw_err *err);
/* Opens of what goes on that were rehearsed are waiting from now on. */
int book_feed_go(
	struct state *state, const char *feed, const char *who, uint64_t *told, struct fw_err *err);
/* What waits and was never tried is rehearsed instead. Closes of what was sent stay. */
int book_feed_rehearse(
	struct state *state, const char *feed, const char *who, uint64_t *held, struct fw_err *err);
/* The same where the configuration says so; not written down. */
int book_feed_hold(struct state *state, const char *feed, struct fw_err *err);
/* Refused notices, or the one with this number (0: all), wait again. An open whose alert is
 * over is dropped. -ENOENT: there is no such one. */
int book_feed_retry(struct state *state, const char *feed, int64_t id, const char *who,
	uint64_t *retried, uint64_t *dropped, struct fw_err *err);
/* Feeds that something was told, or is about to be, configured or not, in the order of names. */
int book_feeds_told(struct state *state, void (*each)(const char *feed, void *arg), void *arg,
	struct fw_err *err);
/* How many tickets are open with a feed: their alerts go on, or their ends wait. */
int book_open_tickets(struct state *state, const char *feed, int64_t *n, struct fw_err *err);
/* An alert of no host opens and closes, for this feed alone, in rehearsal too. */
int book_feed_test(struct state *state, const char *feed, const char *who, const char *estate,
	char key[IDENTITY_KEY], struct fw_err *err);

struct book_letter {
	int64_t id;
	const char *key;
	enum notice_kind kind;
	enum notice_state how;
	int64_t starts_ms, ends_ms, told_ms, tries;
	const char *why, *receipt;
	struct pairs labels, annotations;
};
/* The newest ones first. `how` -1: all. The texts live while `each` runs. */
int book_letters(struct state *state, const char *feed, int how, int64_t most,
	void (*each)(const struct book_letter *letter, void *arg), void *arg, struct fw_err *err);

/* What was delivered, the oldest first, from behind the one with this number. One that a
 * reader may have seen has no delivered one come before it later: none is given that has one
 * before it which still waits. */
int book_delivered(struct state *state, const char *feed, int64_t after, int64_t most,
	void (*each)(const struct book_letter *letter, void *arg), void *arg, struct fw_err *err);
/* Behind which the newest `most` of these begin. */
int book_delivered_newest(
	struct state *state, const char *feed, int64_t most, int64_t *after, struct fw_err *err);
/* The number of the last notice there was, of any feed. */
int book_last_notice(struct state *state, int64_t *id, struct fw_err *err);
