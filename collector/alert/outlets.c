/* SPDX-License-Identifier: Apache-2.0 */
/* What an administrator does with a feed, by its name. */
#include <errno.h>
#include <string.h>

#include <fenwatch/log.h>

#include "book_feeds.h"
#include "gone.h"
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

bool alert_has_feed(const struct alerts *alerts, const char *name)
{
	return find(alerts, name, NULL);
}

static struct alert_feed_view view_of_gone(
	const struct alerts *alerts, const struct gone_feed *gone)
{
	struct book_counts counts = {0};
	book_count(alerts->config.state, gone->name, &counts, NULL);
	return (struct alert_feed_view){
		.name = gone->name,
		.type = "",
		.waiting = counts.waiting,
		.delivered = counts.delivered,
		.refused = counts.refused,
		.tries = counts.tries,
		.last_error = gone->sentence,
	};
}

int alert_feeds(struct alerts *alerts, struct fw_arena *arena, struct alert_feed_view **out,
	size_t *n, struct fw_err *err)
{
	struct alert_feed_view *views;
	struct gone_feed *gone;
	size_t n_views, n_gone;
	int rc = outbox_feeds(alerts->outbox, arena, &views, &n_views, err);
	if (rc == 0)
		rc = gone_feeds(
			alerts->config.state, alerts->config.options, arena, &gone, &n_gone, err);
	if (rc < 0)
		return rc;
	*n = n_views + n_gone;
	*out = fw_arena_alloc(arena, (*n + 1) * sizeof **out);
	memcpy(*out, views, n_views * sizeof **out);
	for (size_t i = 0; i < n_gone; i++)
		(*out)[n_views + i] = view_of_gone(alerts, &gone[i]);
	return 0;
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
		.kind = notice_kinds[letter->kind],
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

/* ---- asked for ---- */

int alert_feed_admit(
	const struct alerts *alerts, const char *name, const char *token, struct fw_err *err)
{
	const struct alert_feed_option *feed = find(alerts, name, err);
	if (!feed || !feed->feed->admit)
		return fw_fail(err, -EACCES, "nobody may ask for the notices of '%.64s'", name);
	return feed->feed->admit(feed->config, token, err);
}

int alert_desk_admit(
	const struct alerts *alerts, const char *name, const char *token, struct fw_err *err)
{
	const struct alert_feed_option *feed = find(alerts, name, err);
	if (!feed || !feed->answer_token_file)
		return fw_fail(
			err, -EACCES, "the desk of '%.64s' has no token to answer with", name);
	return feed_admit(feed->answer_token_file, token, err);
}

struct paging {
	struct fw_arena *arena;
	struct alert_page *page;
};

static struct notice_pair *pairs_kept(const struct pairs *pairs, struct fw_arena *arena)
{
	struct notice_pair *kept = fw_arena_alloc(arena, (pairs->n + 1) * sizeof *kept);
	for (size_t i = 0; i < pairs->n; i++)
		kept[i] = (struct notice_pair){fw_arena_strdup(arena, pairs->items[i].name),
			fw_arena_strdup(arena, pairs->items[i].value)};
	return kept;
}

static void on_delivered(const struct book_letter *letter, void *arg)
{
	struct paging *g = arg;
	g->page->items[g->page->n++] = (struct alert_pulled){
		.id = letter->id,
		.starts_ms = letter->starts_ms,
		.ends_ms = letter->ends_ms,
		.told_ms = letter->told_ms,
		.key = fw_arena_strdup(g->arena, letter->key),
		.labels = pairs_kept(&letter->labels, g->arena),
		.n_labels = letter->labels.n,
		.annotations = pairs_kept(&letter->annotations, g->arena),
		.n_annotations = letter->annotations.n,
	};
}

/* Behind which notice the page begins. */
static int find_cursor(
	struct state *state, const char *name, size_t most, int64_t *after, struct fw_err *err)
{
	int64_t last;
	if (*after < 0)
		return book_delivered_newest(state, name, (int64_t)most, after, err);
	int rc = book_last_notice(state, &last, err);
	if (rc == 0 && *after > last)
		return fw_fail(err, -ERANGE,
			"there is no notice %lld yet: this collector's state is an older one or another's, so begin anew",
			(long long)*after);
	return rc;
}

int alert_feed_pull(struct alerts *alerts, const char *name, int64_t after, size_t most,
	struct fw_arena *arena, struct alert_page *out, struct fw_err *err)
{
	struct state *state = alerts->config.state;
	struct paging g = {arena, out};
	int rc = find(alerts, name, err) ? find_cursor(state, name, most, &after, err) : -ENOENT;
	if (rc < 0)
		return rc;
	*out = (struct alert_page){.estate = alerts->config.estate};
	out->items = fw_arena_alloc(arena, (most + 1) * sizeof *out->items);
	rc = book_delivered(state, name, after, (int64_t)most + 1, on_delivered, &g, err);
	out->more = out->n > most;
	out->n -= out->more;
	out->next = out->n > 0 ? out->items[out->n - 1].id : after;
	return rc;
}
