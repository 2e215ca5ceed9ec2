/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts that are raised and cleared by name: no series says of them whether they go on. */
#include <assert.h>
#include <string.h>

#include <fenwatch/clock.h>

#include "internal.h"
#include "updates.h"

static void observe(struct alerts *alerts, struct alert *alert)
{
	static const struct limits limits = {ABOVE, 0, 0, 0};
	struct moment now = alerts_now();
	struct life life = alert->episode.life;
	double value = now.mono_ms < alert->raised_until_ms;
	enum change change = engine_observe(&life, &limits, value, now.mono_ms, now);
	if (change == CHANGE_NONE && life.phase == CLEAR)
		change = CHANGE_DROPPED;
	alert_changed(alerts, alert, &life, change);
}

static bool is_raised(const struct alert *alert)
{
	return !alert->rule || alert->rule->kind == RULE_RAISED;
}

static void key_of(const struct alerts *alerts, const char *name, const char *instance,
	const struct pairs *apart, char key[IDENTITY_KEY])
{
	identity_key(alerts->config.estate, instance, name, apart->items, apart->n, key);
}

static struct alert *raised_new(struct alerts *alerts, const char *key, const char *name,
	const char *instance, const struct pairs *apart, const char *text)
{
	const struct rule *rule = rule_find(name);
	struct notice_pair labels[3 + ALERT_APART] = {
		{"alertname", name},
		{"severity", rule ? rule->severity : "warning"},
	};
	size_t n = 2;
	if (*instance)
		labels[n++] = (struct notice_pair){"instance", instance};
	for (size_t i = 0; i < apart->n; i++)
		labels[n++] = apart->items[i];
	struct alert *alert = alert_new(&alerts->homeless, key, rule, name, labels, n);
	alert_annotate(alerts, alert, rule ? rule->help : "", text);
	alert->news_ms = fw_mono_ms() + UPDATES_NEWS_MS;
	return alert;
}

static void raise_one(struct alerts *alerts, const char *name, const char *instance,
	const struct pairs *apart, const char *text)
{
	char key[IDENTITY_KEY];
	const struct rule *rule = rule_find(name);
	if (rule && !alerts->rules[rule - rules].enabled)
		return;
	key_of(alerts, name, instance, apart, key);
	struct alert *alert = alert_find(alerts->homeless, key);
	if (!alert)
		alert = raised_new(alerts, key, name, instance, apart, text);
	alert->raised_until_ms = fw_mono_ms() + RAISED_MS;
	observe(alerts, alert);
}

static void clear_one(
	struct alerts *alerts, const char *name, const char *instance, const struct pairs *apart)
{
	char key[IDENTITY_KEY];
	key_of(alerts, name, instance, apart, key);
	struct alert *alert = alert_find(alerts->homeless, key);
	if (!alert || !is_raised(alert))
		return;
	alert->raised_until_ms = 0;
	observe(alerts, alert);
}

static const struct pairs none;

void alerts_raise_host(
	struct alerts *alerts, const char *name, const char *instance, const char *text)
{
	raise_one(alerts, name, instance, &none, text);
}

void alerts_clear_host(struct alerts *alerts, const char *name, const char *instance)
{
	clear_one(alerts, name, instance, &none);
}

void alert_raise(struct alerts *alerts, const char *name, const char *instance, const char *text)
{
	raise_one(alerts, name, instance, &none, text);
	alerts_commit(alerts);
}

void alert_clear(struct alerts *alerts, const char *name, const char *instance)
{
	clear_one(alerts, name, instance, &none);
	alerts_commit(alerts);
}

void alert_raise_apart(struct alerts *alerts, const char *name, const char *instance,
	const struct notice_pair *apart, size_t n_apart, const char *text)
{
	const struct pairs pairs = {(struct notice_pair *)apart, n_apart};
	assert(n_apart <= ALERT_APART);
	raise_one(alerts, name, instance, &pairs, text);
	alerts_commit(alerts);
}

void alerts_raise(
	struct alerts *alerts, const char *name, const struct notice_pair *apart, const char *text)
{
	alert_raise_apart(alerts, name, "", apart, apart ? 1 : 0, text);
}

static void reword(struct alerts *alerts, struct alert *alert, const char *text)
{
	struct fw_err err;
	bool fires = alert->episode.life.phase == FIRING;
	if (strcmp(pairs_get(&alert->episode.annotations, "summary"), text) == 0)
		return;
	if (fires && gate_reworded(alerts->gate, &alert->episode, text, &err) < 0) {
		alerts_tell_trouble(alerts, &err);
		return;
	}
	alert->has_news = fires;
	pairs_set(&alert->episode.annotations, "summary", text);
}

void alerts_reword(struct alerts *alerts, const char *name, const struct notice_pair *apart,
	size_t n_apart, const char *text)
{
	char key[IDENTITY_KEY];
	const struct pairs pairs = {(struct notice_pair *)apart, n_apart};
	key_of(alerts, name, "", &pairs, key);
	struct alert *alert = alert_find(alerts->homeless, key);
	if (!alert)
		return;
	reword(alerts, alert, text);
	updates_news(alerts, alert);
}

void alert_clear_apart(struct alerts *alerts, const char *name, const char *instance,
	const struct notice_pair *apart, size_t n_apart)
{
	const struct pairs pairs = {(struct notice_pair *)apart, n_apart};
	clear_one(alerts, name, instance, &pairs);
	alerts_commit(alerts);
}

void alerts_clear(struct alerts *alerts, const char *name, const struct notice_pair *apart)
{
	alert_clear_apart(alerts, name, "", apart, apart ? 1 : 0);
}

void raised_look(struct alerts *alerts)
{
	for (struct alert *alert = alerts->homeless; alert; alert = alert->next)
		if (is_raised(alert))
			observe(alerts, alert);
}
