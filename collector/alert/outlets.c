/* SPDX-License-Identifier: Apache-2.0 */
/* What an administrator does with a feed, by its name. */
#include <errno.h>
#include <string.h>

#include <fenwatch/log.h>

#include "book_feeds.h"
#include "internal.h"

static struct alert_feed_option *find(
	const struct alerts *alerts, const char *name, struct fw_err *err)
{
	const struct alert_options *options = alerts->config.options;
	for (size_t i = 0; i < options->n_feeds; i++)
		if (strcmp(options->feeds[i]->name, name) == 0)
			return options->feeds[i];
	fw_fail(err, -ENOENT, "there is no feed '%.64s'", name);
	return NULL;
}

/* What was commanded counts before what the configuration says. */
int outlets_set_modes(
	const struct alerts *alerts, const struct alert_options *options, struct fw_err *err)
{
	struct state *state = alerts->config.state;
	for (size_t i = 0; i < options->n_feeds; i++) {
		struct alert_feed_option *feed = options->feeds[i];
		int mode = book_feed_mode(state, feed->name, err);
		if (mode >= 0)
			feed->live = mode;
		else if (mode != -ENOENT)
			return mode;
		int rc = feed->live ? 0 : book_feed_hold(state, feed->name, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int alert_feed_set_live(struct alerts *alerts, const char *name, bool live, const char *who,
	uint64_t *n, struct fw_err *err)
{
	struct alert_feed_option *feed = find(alerts, name, err);
	if (!feed)
		return -ENOENT;
	int rc = live ? book_feed_go(alerts->config.state, name, who, n, err)
		      : book_feed_rehearse(alerts->config.state, name, who, n, err);
	if (rc < 0)
		return rc;
	feed->live = live;
	fw_log(FW_NOTICE, "feed '%s' %s, says %s", name,
		live ? "goes: what opens is sent from now on"
		     : "is in rehearsal: what opens is recorded and not sent",
		who);
	outbox_rewind(alerts->outbox);
	return 0;
}

int alert_feed_retry(struct alerts *alerts, const char *name, int64_t id, const char *who,
	uint64_t *retried, uint64_t *dropped, struct fw_err *err)
{
	if (!find(alerts, name, err))
		return -ENOENT;
	int rc = book_feed_retry(alerts->config.state, name, id, who, retried, dropped, err);
	if (rc == 0)
		outbox_rewind(alerts->outbox);
	return rc;
}

int alert_feed_test(struct alerts *alerts, const char *name, const char *who, char key[ALERT_KEY],
	struct fw_err *err)
{
	if (!find(alerts, name, err))
		return -ENOENT;
	int rc = book_feed_test(alerts->config.state, name, who, alerts->config.estate, key, err);
	if (rc == 0)
		outbox_wake(alerts->outbox);
	return rc;
}

/* ---- notices ---- */

const char *const alert_notice_states[] = {[NOTICE_WAITING] = "waiting",
	[NOTICE_DELIVERED] = "delivered",
	[NOTICE_REFUSED] = "refused",
	[NOTICE_REHEARSED] = "rehearsed",
	[NOTICE_DROPPED] = "dropped",
	NULL};

struct listing {
	struct fw_arena *arena;
	struct alert_notice_view *views;
	size_t n;
};

static void on_letter(const struct book_letter *letter, void *arg)
{
	struct listing *l = arg;
	l->views[l->n++] = (struct alert_notice_view){
		.id = letter->id,
		.key = fw_arena_strdup(l->arena, letter->key),
		.rule = fw_arena_strdup(l->arena, pairs_get(&letter->labels, "alertname")),
		.instance = fw_arena_strdup(l->arena, pairs_get(&letter->labels, "instance")),
		.is_close = letter->kind == NOTICE_CLOSE,
		.state = alert_notice_states[letter->how],
		.starts_ms = letter->starts_ms,
		.told_ms = letter->told_ms,
		.tries = letter->tries,
		.why = fw_arena_strdup(l->arena, letter->why),
		.receipt = fw_arena_strdup(l->arena, letter->receipt),
	};
}

int alert_feed_notices(struct alerts *alerts, const char *name, int state, size_t most,
	struct fw_arena *arena, struct alert_notice_view **out, size_t *n, struct fw_err *err)
{
	struct listing l = {.arena = arena};
	if (!find(alerts, name, err))
		return -ENOENT;
	l.views = fw_arena_alloc(arena, (most + 1) * sizeof *l.views);
	int rc = book_letters(alerts->config.state, name, state, (int64_t)most, on_letter, &l, err);
	*out = l.views;
	*n = l.n;
	return rc;
}
