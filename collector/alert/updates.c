/* SPDX-License-Identifier: Apache-2.0 */
#include "updates.h"

#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>
#include <fenwatch/mem.h>

#include "context.h"
#include "evidence.h"
#include "findings.h"
#include "internal.h"
#include "silences.h"
#include "state.h"

static bool takes_updates(const struct alert_feed_option *option)
{
	return option->live && option->feed->updates && option->feed->updates(option->config);
}

/* What was said last of it, and now. That a silence is over was news once. */
static int tell_feed(struct state *state, const char *feed, const char *key, int64_t starts_ms,
	const char *said, int64_t now_ms, struct fw_err *err)
{
	return state_run(state, err,
		"REPLACE INTO notice (feed, key, kind, starts_ms, ends_ms, labels, annotations,"
		" state, tries, told_ms, why) SELECT feed, key, 2, starts_ms, 0, labels,"
		" json_patch(iif(state = 1, json_remove(annotations, '$.silence_over'), annotations),"
		" ?), 0, 0, ?, '' FROM notice n WHERE key = ? AND"
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

/* ---- the register ---- */

/* An alert of which the register says something else now. */
struct judged {
	struct judged *next;
	struct alert *alert;
	struct pairs fresh;
};

struct look {
	struct alerts *alerts;
	struct judged *first;
};

/* A rule may give a word of a name that the register uses, too. */
static void reword(struct alerts *alerts, struct alert *alert, struct pairs *out)
{
	const struct pairs *before = &alert->episode.annotations;
	struct notice_pair *items = fw_alloc_array(before->n + 1, sizeof *items);
	struct pairs words = {items, 0};
	for (size_t i = 0; i < before->n; i++)
		if (!context_is_of_register(before->items[i].name))
			items[words.n++] = before->items[i];
	alert_annotations(
		alerts, alert, alert->ruling.said ? &alert->ruling.said->annotations : &words, out);
	fw_free(items);
}

static void look_at(struct alert *alert, void *arg)
{
	struct look *look = arg;
	struct pairs fresh;
	if (alert->episode.life.phase != FIRING || !look->alerts->config.options)
		return;
	watch_learn_class(look->alerts, alert);
	reword(look->alerts, alert, &fresh);
	if (pairs_same(&fresh, &alert->episode.annotations)) {
		pairs_done(&fresh);
		return;
	}
	struct judged *judged = fw_alloc(sizeof *judged);
	*judged = (struct judged){look->first, alert, fresh};
	look->first = judged;
}

/* Who was told hears of another priority; of what is held, whose it is now. */
static int write_judged(struct alerts *alerts, const struct judged *judged, struct fw_err *err)
{
	const struct episode *episode = &judged->alert->episode;
	struct state *state = alerts->config.state;
	bool same = strcmp(pairs_get(&judged->fresh, "priority"),
			    pairs_get(&episode->annotations, "priority")) == 0;
	char *annotations = pairs_json(&judged->fresh);
	int rc = state_run(state, err,
		"UPDATE episode SET annotations = ? WHERE key = ? AND starts_ms = ?", "tti",
		annotations, episode->key, episode->life.starts_ms);
	if (rc == 0 && gate_find(alerts->gate, episode->key))
		rc = evidence_assigned(state, episode, &judged->fresh, fw_wall_ms(), err);
	else if (rc == 0 && !same)
		rc = updates_tell(state, alerts->config.options, episode->key,
			episode->life.starts_ms, &judged->fresh, "", fw_wall_ms(), err);
	fw_free(annotations);
	return rc;
}

static int write_all(struct look *look, struct fw_err *err)
{
	struct state *state = look->alerts->config.state;
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	for (const struct judged *judged = look->first; judged && rc == 0; judged = judged->next)
		rc = write_judged(look->alerts, judged, err);
	return state_finish(state, rc, err);
}

static void take_over(struct gate *gate, struct judged *judged)
{
	struct episode *episode = &judged->alert->episode;
	struct pairs before = episode->annotations;
	gate_annotate(gate, episode->key, &judged->fresh);
	episode->annotations = judged->fresh;
	judged->fresh = before;
}

void updates_look(struct alerts *alerts)
{
	struct look look = {alerts, NULL};
	struct fw_err err;
	alerts_each(alerts, look_at, &look);
	int rc = look.first ? write_all(&look, &err) : 0;
	if (rc < 0)
		fw_log(FW_ERROR, "what the register says of alerts cannot be written down: %s",
			err.text);
	while (look.first) {
		struct judged *judged = look.first;
		look.first = judged->next;
		if (rc == 0)
			take_over(alerts->gate, judged);
		pairs_done(&judged->fresh);
		fw_free(judged);
	}
}

/* ---- silences ---- */

struct unsilencing {
	struct alerts *alerts;
	struct moment now;
	int rc;
	struct fw_err *err;
};

static void tell_unsilenced(struct alert *alert, void *arg)
{
	struct unsilencing *u = arg;
	struct gate *gate = u->alerts->gate;
	const struct episode *episode = &alert->episode;
	char why[GATE_WHY];
	struct notice_pair item = {"silence_over", why};
	const struct pairs said = {&item, 1};
	if (u->rc < 0 || episode->life.phase != FIRING || gate_find(gate, episode->key) ||
		gate_mutes(gate, episode, u->now) ||
		!silences_left(gate_silences(gate), episode, u->now.wall_ms, why))
		return;
	u->rc = updates_tell(u->alerts->config.state, u->alerts->config.options, episode->key,
		episode->life.starts_ms, &said, "", u->now.wall_ms, u->err);
}

static int write_unsilenced(struct alerts *alerts, struct moment now, struct fw_err *err)
{
	struct unsilencing u = {.alerts = alerts, .now = now, .err = err};
	int rc = state_begin(alerts->config.state, err);
	if (rc < 0)
		return rc;
	alerts_each(alerts, tell_unsilenced, &u);
	if (u.rc == 0)
		u.rc = silences_write_told(gate_silences(alerts->gate), now.wall_ms, err);
	return state_finish(alerts->config.state, u.rc, err);
}

void updates_unsilenced(struct alerts *alerts)
{
	struct moment now = alerts_now();
	struct fw_err err;
	if (!silences_any_left(gate_silences(alerts->gate), now.wall_ms))
		return;
	if (write_unsilenced(alerts, now, &err) < 0) {
		alerts_tell_trouble(alerts, &err);
		return;
	}
	silences_settle(gate_silences(alerts->gate), now.wall_ms);
	outbox_wake(alerts->outbox);
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
