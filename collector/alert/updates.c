/* SPDX-License-Identifier: Apache-2.0 */
#include "updates.h"

#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#include "context.h"
#include "internal.h"
#include "state.h"

static bool takes_updates(const struct alert_feed_option *option)
{
	return option->live && option->feed->updates && option->feed->updates(option->config);
}

/* What was said last of it, and now. */
static int tell_feed(struct state *state, const char *feed, const char *key, int64_t starts_ms,
	const char *said, int64_t now_ms, struct fw_err *err)
{
	return state_run(state, err,
		"REPLACE INTO notice (feed, key, kind, starts_ms, ends_ms, labels, annotations,"
		" state, tries, told_ms, why) SELECT feed, key, 2, starts_ms, 0, labels,"
		" json_patch(annotations, ?), 0, 0, ?, '' FROM notice n WHERE key = ? AND"
		" starts_ms = ? AND feed = ? AND kind IN (0, 2) AND EXISTS (SELECT 1 FROM notice o"
		" WHERE o.key = n.key AND o.starts_ms = n.starts_ms AND o.feed = n.feed AND"
		" o.kind = 0 AND o.state IN (0, 1)) ORDER BY kind DESC LIMIT 1",
		"titit", said, now_ms, key, starts_ms, feed);
}

int updates_tell(struct state *state, const struct alert_options *options, const char *key,
	int64_t starts_ms, const struct pairs *said, const char *except, int64_t now_ms,
	struct fw_err *err)
{
	char *text = pairs_json(said);
	int rc = 0;
	for (size_t i = 0; options && i < options->n_feeds && rc == 0; i++) {
		const struct alert_feed_option *option = options->feeds[i];
		if (takes_updates(option) && strcmp(option->name, except) != 0)
			rc = tell_feed(state, option->name, key, starts_ms, text, now_ms, err);
	}
	fw_free(text);
	return rc;
}

int updates_drop(
	struct state *state, const char *key, int64_t starts_ms, int64_t now_ms, struct fw_err *err)
{
	return state_run(state, err,
		"UPDATE notice SET state = 4, told_ms = ?, why = 'over before it was sent'"
		" WHERE key = ? AND starts_ms = ? AND kind = 2 AND state = 0",
		"iti", now_ms, key, starts_ms);
}

/* ---- priorities ---- */

static int write_priority(struct alerts *alerts, const struct episode *episode,
	const struct pairs *fresh, const struct pairs *said, struct fw_err *err)
{
	struct state *state = alerts->config.state;
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	char *annotations = pairs_json(fresh);
	rc = state_run(state, err,
		"UPDATE episode SET annotations = ? WHERE key = ? AND starts_ms = ?", "tti",
		annotations, episode->key, episode->life.starts_ms);
	if (rc == 0)
		rc = updates_tell(state, alerts->config.options, episode->key,
			episode->life.starts_ms, said, "", fw_wall_ms(), err);
	fw_free(annotations);
	return state_finish(state, rc, err);
}

/* All that the register says beside it is taken over, too. */
static void change_priority(
	struct alerts *alerts, struct alert *alert, const struct notice_pair *context, size_t n)
{
	struct pairs *before = &alert->episode.annotations, said, fresh;
	struct notice_pair *both = fw_alloc_array(before->n + n, sizeof *both);
	struct fw_err err;
	for (size_t i = 0; i < before->n; i++)
		both[i] = before->items[i];
	memcpy(both + before->n, context, n * sizeof *both);
	pairs_copy(&fresh, both, before->n + n);
	pairs_copy(&said, context, n);
	fw_free(both);
	int rc = write_priority(alerts, &alert->episode, &fresh, &said, &err);
	if (rc < 0)
		fw_log(FW_ERROR, "%s: %s: its priority cannot be written down: %s",
			alert->episode.instance, alert->episode.rule, err.text);
	pairs_done(rc < 0 ? &fresh : before);
	pairs_done(&said);
	if (rc == 0)
		*before = fresh;
}

static void look_at(struct alert *alert, void *arg)
{
	struct alerts *alerts = arg;
	struct notice_pair context[CONTEXT_MOST];
	if (alert->episode.life.phase != FIRING || !alerts->config.options)
		return;
	size_t n = context_of(alerts->config.options->registry, &alert->episode.labels,
		alert->episode.severity, watch_class(alerts, alert), context);
	const char *before = pairs_get(&alert->episode.annotations, "priority");
	for (size_t i = 0; i < n; i++)
		if (strcmp(context[i].name, "priority") == 0 &&
			strcmp(context[i].value, before) != 0)
			change_priority(alerts, alert, context, n);
}

void updates_look(struct alerts *alerts)
{
	alerts_each(alerts, look_at, alerts);
}

/* ---- numbers ---- */

static int write_news(struct alerts *alerts, const struct episode *episode, struct fw_err *err)
{
	struct state *state = alerts->config.state;
	struct notice_pair summary = {"summary", pairs_get(&episode->annotations, "summary")};
	const struct pairs said = {&summary, 1};
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	rc = updates_tell(state, alerts->config.options, episode->key, episode->life.starts_ms,
		&said, "", fw_wall_ms(), err);
	return state_finish(state, rc, err);
}

void updates_news(struct alerts *alerts, struct alert *alert)
{
	struct fw_err err;
	int64_t now_ms = fw_mono_ms();
	if (!alert->has_news || now_ms < alert->news_ms)
		return;
	if (write_news(alerts, &alert->episode, &err) < 0) {
		fw_log(FW_ERROR, "%s: what has changed cannot be written down: %s",
			alert->episode.rule, err.text);
		return;
	}
	alert->has_news = false;
	alert->news_ms = now_ms + UPDATES_NEWS_MS;
	outbox_wake(alerts->outbox);
}
