/* A feed carries one notice to one place and answers how it went.
 *
 * It does not queue, retry, deduplicate, silence or remember: the outbox does.
 * `deliver` ends in exactly one feed_finish, at once or later; the outbox acts
 * on it on its next turn. A new feed is one file that defines `feed_NAME`, and
 * NAME in meson.build. Everything here is the main thread's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <uv.h>

#include <fenwatch/conf.h>

#define FEED_RECEIPT 128 /* bytes, with the NUL */

/* ASTRAY: who answered is not the receiver, as far as one can tell; tried again, but not for ever. */
enum verdict { DELIVERED, TRY_LATER, REFUSED, ASTRAY };
/* What has become of a ticket, as its desk says. */
enum desk { DESK_OPEN, DESK_ACCEPTED, DESK_CLOSED };

/* One thing to tell. Texts live until feed_finish. */
struct notice {
	const char *key;                                /* "fw1-..." as in docs */
	const char *status;                             /* "firing" or "resolved" */
	bool is_update;                                 /* it was told, goes on, and has changed */
	const char *idempotency;                        /* KEY/startsAt/status */
	const char *receiver;                           /* the feed's name in the configuration */
	int64_t starts_ms, ends_ms;                     /* ends_ms 0 while firing */
	const struct notice_pair *labels, *annotations; /* sorted by name */
	size_t n_labels, n_annotations;
	const char *generator_url, *external_url;
	const char *priority; /* "P1" to "P5", or NULL: not judged */
	const char *receipt; /* of a close or update: what the open left in its delivery; else "" */
};
struct notice_pair {
	const char *name, *value;
};
/* "" where there is none of this name. */
static inline const char *notice_value(const struct notice_pair *items, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(items[i].name, name) == 0)
			return items[i].value;
	return "";
}

struct delivery {
	const struct notice *notice;
	const void *config; /* the feed's own, filled from its options */
	uv_loop_t *loop;
	int64_t now_ms; /* wall */
	void *state;    /* the feed's, while under way */
	/* What a feed may leave before it finishes: the receiver's own number of an alert that
	 * was opened; and with TRY_LATER, for how long nothing at all is to be sent. */
	char receipt[FEED_RECEIPT];
	int64_t retry_after_ms;
	enum desk desk; /* of a poll that was answered */
	/* What feed_finish tells; `outbox` is for its use. `why` is for a person. */
	void (*on_finished)(struct delivery *delivery, enum verdict verdict, const char *why);
	void *outbox;
};

struct feed {
	const char *name, *help;
	const struct fw_option *options;
	size_t config_size;
	int (*check)(const void *config, struct fw_err *err); /* optional: at load */
	void (*deliver)(struct delivery *delivery);
	void (*cancel)(struct delivery *delivery); /* shutdown: finish with TRY_LATER now */
	/* Of desks that can be asked what has become of the ticket `receipt`: how often, at first,
	 * 0: never; and asks, as deliver does. NULL: nobody can. */
	int64_t (*poll_ms)(const void *config);
	void (*poll)(struct delivery *delivery);
	/* Whether it takes updates; NULL: it does not. */
	bool (*updates)(const void *config);
	/* How many notices are under way at most; 1 where a receiver knows no keys, so that what
	 * is not known to have arrived when the collector ends is one at most. 0: some. */
	unsigned at_once;
	/* Of receivers that forget what they do not hear of: every repeat_ms all that is open is
	 * told again, and what has closed for repeat_closed_ms. 0: told once. */
	int64_t repeat_ms, repeat_closed_ms;
	/* Of feeds that hear of no alert: how often they are told that all is well here, as long
	 * as it is; such a delivery's notice says nothing. NULL: it hears of alerts. */
	int64_t (*beat_ms)(const void *config);
	/* Of feeds that are asked for their notices instead of telling them: whether this is the
	 * reader's token. -EACCES: it is not. NULL: nobody asks. */
	int (*admit)(const void *config, const char *token, struct fw_err *err);
};

void feed_finish(struct delivery *delivery, enum verdict verdict, const char *why);
/* Whether this is the token that the file holds. -EACCES: it is not. */
int feed_admit(const char *token_file, const char *token, struct fw_err *err);

extern const struct feed *const feeds[]; /* NULL-ended */

/* libcurl on the loop, shared by the feeds that use it; closed as often as opened. */
int feed_curl_open(uv_loop_t *loop, struct fw_err *err);
void feed_curl_close(void);
