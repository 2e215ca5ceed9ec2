/* What is written down of alerts: their episodes, and the notices of them.
 *
 * A change that must be told and its notices, one a feed, are one transaction.
 * An open is told when the gate says so (gate.h), a close only if its open may
 * have reached the receiver. An open that was never tried and has
 * resolved is dropped with its close. A feed in rehearsal gets rows that
 * nobody sends, beside closes of what it was sent before.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>

#include "engine.h"
#include "identity.h"
#include "pairs.h"

struct state;
struct alert_options;

enum notice_state {
	NOTICE_WAITING,
	NOTICE_DELIVERED,
	NOTICE_REFUSED,
	NOTICE_REHEARSED,
	NOTICE_DROPPED
};
enum notice_kind { NOTICE_OPEN, NOTICE_CLOSE, NOTICE_UPDATE };

extern const char *const notice_kinds[]; /* "open", "close", "update" */

/* An episode, as the book needs it. */
struct episode {
	char key[IDENTITY_KEY];
	const char *rule, *instance, *severity;
	bool is_ruled; /* of a rule file */
	struct pairs labels, annotations;
	struct life life;
};

int book_open(struct state *state, struct fw_err *err);

/* Within the caller's transaction. book_fired may move starts_ms on by some
 * milliseconds, so that no two episodes of one key begin at the same. */
int book_fired(struct state *state, struct episode *episode, struct fw_err *err);
/* Feeds hear of it: those that are `wanted`, by their places, or, where that is NULL, as their
 * routes have it; or they do not for now, for a reason of the gate's (gate.h). */
int book_tell(struct state *state, const struct alert_options *options,
	const struct episode *episode, const bool *wanted, int64_t now_ms, struct fw_err *err);
/* Whether it was told to this feed, or is about to be. */
int book_has_heard(
	struct state *state, const char *feed, const struct episode *episode, struct fw_err *err);
/* One feed more, of those that wait until nobody has taken it up. */
int book_tell_feed(struct state *state, const struct alert_options *options, size_t feed,
	const struct episode *episode, int64_t now_ms, struct fw_err *err);
/* Those that fire, were told by then, and since the feed is there for it, and of which neither this feed has heard nor anybody
 * has taken them up. `each` may tell it. */
int book_unheard(struct state *state, const char *feed, int64_t told_ms,
	void (*each)(const struct episode *episode, void *arg), void *arg, struct fw_err *err);
int book_hold(struct state *state, const struct episode *episode, const char *reason,
	const char *why, int64_t now_ms, struct fw_err *err);
/* In a transaction of its own: another summary, also of its open where that is told again. One
 * that may have arrived and is still to be answered stays as it was sent. */
int book_reworded(struct state *state, const struct episode *episode, const char *summary,
	struct fw_err *err);
int book_resolved(struct state *state, const struct alert_options *options,
	const struct episode *episode, struct fw_err *err);

/* Every episode that has not ended and was not told; `each` copies what it keeps. */
int book_untold(struct state *state,
	void (*each)(const struct episode *episode, const char *reason, const char *why, void *arg),
	void *arg, struct fw_err *err);
/* Every episode that has not ended; `each` copies what it keeps. One that is damaged comes
 * with the labels that make it known alone, and is told in the log. */
int book_firing(struct state *state, void (*each)(const struct episode *episode, void *arg),
	void *arg, struct fw_err *err);

/* ---- notices ---- */

struct book_notice {
	int64_t id;
	char key[IDENTITY_KEY];
	enum notice_kind kind;
	int64_t starts_ms, ends_ms, tries;
	struct pairs labels, annotations;
	char receipt[FEED_RECEIPT]; /* of a close or an update: what the open was given */
};

/* Waiting ones of this feed after `id`, oldest first: the id, key and tries of each. */
int book_waiting(struct state *state, const char *feed, int64_t after_id,
	void (*each)(int64_t id, const char *key, int64_t tries, void *arg), void *arg,
	struct fw_err *err);
/* Within the caller's transaction: that it is about to be tried, and all of it. -ENOENT: it waits no longer;
 * -EILSEQ: its words are damaged, which is a try as well. */
int book_try(struct state *state, int64_t id, struct book_notice *out, struct fw_err *err);
void book_notice_done(struct book_notice *notice);
/* Within the caller's transaction: how it ended, and the receiver's number of it or "". A refusal at the first try drops its
 * close too. */
int book_told(struct state *state, int64_t id, enum notice_state how, const char *why,
	const char *receipt, int64_t now_ms, struct fw_err *err);

/* What a receiver that forgets must hear again: the opens it was told of that go on, and the
 * closes it was told of since `closed_ms`, as long as nothing newer is to be told of the same
 * alert. The id and key of each. */
int book_standing(struct state *state, const char *feed, int64_t closed_ms,
	void (*each)(int64_t id, const char *key, void *arg), void *arg, struct fw_err *err);
/* All of one of these; nothing is written down. -ENOENT: it stands no longer. */
int book_repeat(struct state *state, int64_t id, struct book_notice *out, struct fw_err *err);

struct book_counts {
	uint64_t waiting, delivered, refused, tries;
	uint64_t rehearsed; /* opens */
	int64_t rehearsed_since_ms;
};
#define BOOK_TEST "FeedTest" /* the rule of alerts that only try a feed */
int book_count(struct state *state, const char *feed, struct book_counts *out, struct fw_err *err);
/* All that has ended of a host. */
int book_forget_host(struct state *state, const char *instance, struct fw_err *err);
/* Notices that were dealt with and episodes that have ended before these moments, and what
 * the audit trail has of the time before the latter. */
int book_forget(struct state *state, int64_t notices_ms, int64_t episodes_ms, struct fw_err *err);
