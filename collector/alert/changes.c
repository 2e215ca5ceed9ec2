/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts one by one: how they come to be, what they say, and how a change is written down. */
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>

#include "context.h"
#include "evidence.h"
#include "internal.h"
#include "ruled.h"
#include "state.h"

#define AT_ONCE 1000 /* changes in one transaction */

/* ---- one alert ---- */

struct alert *alert_find(struct alert *list, const char *key)
{
	while (list && strcmp(list->episode.key, key) != 0)
		list = list->next;
	return list;
}

static void link_to(struct alert *alert, struct alert **list)
{
	alert->list = alert->link = list;
	alert->next = *list;
	if (alert->next)
		alert->next->link = &alert->next;
	*list = alert;
}

static void unlink_from(struct alert *alert)
{
	*alert->link = alert->next;
	if (alert->next)
		alert->next->link = alert->link;
}

void alert_move(struct alert *alert, struct alert **list)
{
	unlink_from(alert);
	link_to(alert, list);
}

struct alert *alert_new(struct alert **list, const char *key, const struct rule *rule,
	const char *rule_name, const struct notice_pair *labels, size_t n_labels)
{
	struct alert *alert = fw_alloc(sizeof *alert);
	struct episode *episode = &alert->episode;
	alert->rule = rule;
	snprintf(episode->key, sizeof episode->key, "%s", key);
	pairs_copy(&episode->labels, labels, n_labels);
	episode->rule = fw_strdup(rule_name);
	episode->instance = fw_strdup(pairs_get(&episode->labels, "instance"));
	episode->severity = rule ? rule->severity : "warning";
	link_to(alert, list);
	return alert;
}

void alert_free(struct alert *alert)
{
	unlink_from(alert);
	if (alert->ruling.ruled)
		ruled_remove(alert->ruling.ruled, alert);
	pairs_done(&alert->ruling.words);
	pairs_done(&alert->episode.labels);
	pairs_done(&alert->episode.annotations);
	fw_free((char *)alert->episode.rule);
	fw_free((char *)alert->episode.instance);
	fw_free((char *)alert->closed_for);
	fw_free(alert->closed_by);
	fw_free(alert);
}

void alert_annotations(
	struct alerts *alerts, struct alert *alert, const struct pairs *words, struct pairs *out)
{
	const struct alert_options *options = alerts->config.options;
	struct notice_pair *annotations =
		fw_alloc_array(CONTEXT_MOST + words->n, sizeof *annotations);
	size_t n = context_of(options ? options->registry : NULL, &alert->episode.labels,
		alert->episode.severity, watch_class(alerts, alert), annotations);
	for (size_t i = 0; i < words->n; i++)
		annotations[n++] = words->items[i];
	pairs_copy(out, annotations, n);
	fw_free(annotations);
}

static void annotate(struct alerts *alerts, struct alert *alert, const struct pairs *words)
{
	struct pairs fresh;
	alert_annotations(alerts, alert, words, &fresh);
	pairs_done(&alert->episode.annotations);
	alert->episode.annotations = fresh;
}

void alert_annotate(
	struct alerts *alerts, struct alert *alert, const char *description, const char *summary)
{
	struct notice_pair items[] = {{"description", description}, {"summary", summary}};
	const struct pairs words = {items, 2};
	annotate(alerts, alert, &words);
}

void alert_describe(struct alerts *alerts, struct alert *alert, double value)
{
	const struct alert_config *config = &alerts->config;
	if (alert->ruling.ruled)
		annotate(alerts, alert, ruled_words(alert));
	if (!alert->rule || alert->rule->kind == RULE_RAISED)
		return;
	const char *detail = config->on_detail
		? config->on_detail(alert->rule->name, alert->episode.instance, config->arg)
		: "";
	char *summary = rule_summary(alert->rule, &alert->episode.labels, value, detail);
	alert_annotate(alerts, alert, alert->rule->help, summary);
	fw_free(summary);
}

/* ---- changes ---- */

void alert_changed(
	struct alerts *alerts, struct alert *alert, const struct life *life, enum change change)
{
	if (alert->change != CHANGE_NONE)
		return;
	if (change == CHANGE_NONE || change == CHANGE_PENDING) {
		alert->episode.life = *life;
		return;
	}
	alert->wanted = *life;
	alert->change = change;
	alert->next_changed = NULL;
	*alerts->last_changed = alert;
	alerts->last_changed = &alert->next_changed;
}

static int write_end(struct alerts *alerts, struct alert *alert, const struct episode *episode,
	struct fw_err *err)
{
	int rc = 0;
	if (alert->closed_by)
		rc = evidence_answered(alerts->config.state, episode->key, episode->life.starts_ms,
			"closed", alert->closed_by, alert->closed_for, fw_wall_ms(), err);
	return rc < 0 ? rc : gate_resolved(alerts->gate, episode, err);
}

static int write_change(struct alerts *alerts, struct alert *alert, struct fw_err *err)
{
	if (alert->change == CHANGE_DROPPED)
		return 0;
	alert_describe(alerts, alert, alert->wanted.value);
	/* Whoever has its ticket reads why it ends although nothing was repaired. */
	if (alert->closed_for)
		pairs_set(&alert->episode.annotations, "closed_because", alert->closed_for);
	struct episode episode = alert->episode;
	episode.life = alert->wanted;
	if (alert->change == CHANGE_RESOLVED)
		return write_end(alerts, alert, &episode, err);
	int rc = gate_fired(alerts->gate, &episode, alerts_now(), err);
	alert->wanted = episode.life;
	return rc;
}

static int write_changes(
	struct alerts *alerts, struct alert *first, const struct alert *end, struct fw_err *err)
{
	int rc = state_begin(alerts->config.state, err);
	if (rc < 0)
		return rc;
	for (struct alert *alert = first; rc == 0 && alert != end; alert = alert->next_changed)
		rc = write_change(alerts, alert, err);
	return state_finish(alerts->config.state, rc, err);
}

static void finish_change(struct alert *alert, bool written)
{
	enum change change = alert->change;
	const struct episode *episode = &alert->episode;
	alert->change = CHANGE_NONE;
	if (written && change == CHANGE_FIRED) {
		alert->episode.life = alert->wanted;
		fw_log(FW_NOTICE, "%s: %s opened: %s", episode->instance, episode->rule,
			pairs_get(&episode->annotations, "summary"));
	} else if (written && change == CHANGE_RESOLVED) {
		fw_log(FW_NOTICE, "%s: %s closed", episode->instance, episode->rule);
		alert_free(alert);
	} else if (change == CHANGE_DROPPED || episode->life.phase == CLEAR) {
		alert_free(alert);
	}
}

void alerts_tell_trouble(struct alerts *alerts, const struct fw_err *err)
{
	if (strcmp(alerts->trouble, err->text) == 0)
		return;
	snprintf(alerts->trouble, sizeof alerts->trouble, "%s", err->text);
	fw_log(FW_ERROR, "alerts cannot be written down: %s; it is tried again", err->text);
}

static void commit_some(struct alerts *alerts)
{
	struct alert *first = alerts->changed, *end = first, *next;
	struct fw_err err;
	for (int n = 0; end && n < AT_ONCE; n++)
		end = end->next_changed;
	int rc = write_changes(alerts, first, end, &err);
	gate_settle(alerts->gate, rc == 0);
	if (rc < 0)
		alerts_tell_trouble(alerts, &err);
	else
		*alerts->trouble = '\0';
	for (struct alert *alert = first; alert != end; alert = next) {
		next = alert->next_changed;
		finish_change(alert, rc == 0);
	}
	alerts->changed = end;
}

void alerts_commit(struct alerts *alerts)
{
	bool any = alerts->changed;
	while (alerts->changed)
		commit_some(alerts);
	alerts->last_changed = &alerts->changed;
	if (any)
		outbox_wake(alerts->outbox);
}
