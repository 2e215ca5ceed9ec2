/* SPDX-License-Identifier: Apache-2.0 */
#include "ruled.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>

#include "findings.h"

#define BUCKETS_LEAST 64

struct ruled {
	struct alerts *alerts;
	struct alert *list;
	struct alert **buckets; /* by key; as many as a power of two */
	size_t n, n_buckets;
	struct alert_report **reports;
	size_t n_reports;
	bool is_loaded; /* all groups there are have been heard of once */
};

/* ---- by key ---- */

static struct alert **bucket_of(struct ruled *ruled, const char *key)
{
	return &ruled->buckets[identity_hash(key) & (ruled->n_buckets - 1)];
}

static struct alert *find(struct ruled *ruled, const char *key)
{
	struct alert *alert = *bucket_of(ruled, key);
	while (alert && strcmp(alert->episode.key, key) != 0)
		alert = alert->ruling.next;
	return alert;
}

static void put(struct ruled *ruled, struct alert *alert)
{
	struct alert **bucket = bucket_of(ruled, alert->episode.key);
	alert->ruling.next = *bucket;
	*bucket = alert;
}

static void make_room(struct ruled *ruled)
{
	if (ruled->n < ruled->n_buckets)
		return;
	fw_free(ruled->buckets);
	ruled->n_buckets = ruled->n_buckets ? 2 * ruled->n_buckets : BUCKETS_LEAST;
	ruled->buckets = fw_alloc_array(ruled->n_buckets, sizeof(struct alert *));
	for (struct alert *alert = ruled->list; alert; alert = alert->next)
		put(ruled, alert);
}

static struct alert *add(
	struct ruled *ruled, const char *key, const char *rule, const struct pairs *labels)
{
	make_room(ruled);
	struct alert *alert = alert_new(&ruled->list, key, NULL, rule, labels->items, labels->n);
	const char *severity = pairs_get(&alert->episode.labels, "severity");
	if (*severity)
		alert->episode.severity = severity;
	alert->episode.is_ruled = true;
	alert->ruling.ruled = ruled;
	put(ruled, alert);
	ruled->n++;
	return alert;
}

void ruled_remove(struct ruled *ruled, const struct alert *alert)
{
	struct alert **link = bucket_of(ruled, alert->episode.key);
	while (*link != alert)
		link = &(*link)->ruling.next;
	*link = alert->ruling.next;
	ruled->n--;
}

void ruled_resume(struct ruled *ruled, const struct episode *episode)
{
	struct alert *alert = add(ruled, episode->key, episode->rule, &episode->labels);
	const struct pairs *words = &episode->annotations;
	pairs_copy(&alert->ruling.words, words->items, words->n);
	pairs_copy(&alert->episode.annotations, words->items, words->n);
	alert->episode.life = episode->life;
}

void ruled_each(struct ruled *ruled, void (*each)(struct alert *alert, void *arg), void *arg)
{
	for (struct alert *alert = ruled->list, *next; alert; alert = next) {
		next = alert->next;
		each(alert, arg);
	}
}

const struct pairs *ruled_words(struct alert *alert)
{
	return alert->ruling.said ? &alert->ruling.said->annotations : &alert->ruling.words;
}

/* ---- what nobody claims any more ---- */

static const struct report_rule *failed_rule(const struct ruled *ruled, const char *name)
{
	for (size_t i = 0; i < ruled->n_reports; i++) {
		const struct report_rule *rule = report_rule_of(ruled->reports[i], name);
		if (rule && *rule->trouble)
			return rule;
	}
	return NULL;
}

static bool is_settled(const struct ruled *ruled, const char *name)
{
	for (size_t i = 0; i < ruled->n_reports; i++)
		if (!ruled->reports[i]->settled && report_rule_of(ruled->reports[i], name))
			return false;
	return true;
}

void ruled_doubt(struct ruled *ruled, const struct alert *alert, char *text, size_t size)
{
	const struct episode *episode = &alert->episode;
	const struct report_rule *failed = failed_rule(ruled, episode->rule);
	*text = '\0';
	if (episode->life.phase != FIRING)
		return;
	if (failed)
		snprintf(text, size, "its rule cannot be evaluated: %s", failed->trouble);
	else if (alert->ruling.said)
		return;
	else if (!is_settled(ruled, episode->rule))
		snprintf(
			text, size, "its rule has not been evaluated often enough since the start");
	else if (watch_is_silent(ruled->alerts->watch, episode->instance))
		snprintf(text, size, "its host is not heard");
}

/* What was found before a doubt was gone may be older than what ended it, and several such may
 * have waited to be taken: only an evaluation that began since then ends the alert. */
static bool is_over(struct ruled *ruled, struct alert *alert, const struct alert_report *report)
{
	char doubt[ALERT_DOUBT];
	int64_t known_ms = alert->ruling.known_ms;
	ruled_doubt(ruled, alert, doubt, sizeof doubt);
	if (*doubt)
		alert->ruling.known_ms = 0;
	else if (known_ms == 0)
		alert->ruling.known_ms = fw_mono_ms();
	return !*doubt && known_ms != 0 && report && report->begun_ms >= known_ms;
}

static bool is_known_rule(const struct ruled *ruled, const char *name)
{
	for (size_t i = 0; i < ruled->n_reports; i++)
		if (report_rule_of(ruled->reports[i], name))
			return true;
	return false;
}

/* What no rule gives any more is over at once, as nothing will ever be known of it. */
static void end_unclaimed(
	struct ruled *ruled, struct alert *alert, const struct alert_report *report)
{
	struct life life = alert->episode.life;
	if (life.phase == FIRING && is_known_rule(ruled, alert->episode.rule) &&
		!is_over(ruled, alert, report))
		return;
	enum change change = engine_end(&life, alerts_now());
	alert_changed(ruled->alerts, alert, &life, change);
}

static bool is_gone(const struct ruled *ruled, const char *name)
{
	return ruled->is_loaded && !is_known_rule(ruled, name);
}

/* Of the rules of this report, and of rules that no group has any more. After a start some report
 * before the rule files are read. */
static void look_at_unclaimed(struct ruled *ruled, const struct alert_report *report)
{
	for (struct alert *alert = ruled->list; alert; alert = alert->next)
		if (!alert->ruling.said && alert->change == CHANGE_NONE &&
			((report && report_rule_of(report, alert->episode.rule)) ||
				is_gone(ruled, alert->episode.rule)))
			end_unclaimed(ruled, alert, report);
}

/* ---- what a report says ---- */

static void observe(struct ruled *ruled, struct alert *alert, const struct finding *finding)
{
	struct life life = alert->episode.life;
	life.value = finding->value;
	if (life.phase == CLEAR) {
		life.phase = PENDING;
		life.starts_ms = finding->active_ms;
	}
	/* It fires only once that is written. */
	alert->episode.life = life;
	if (life.phase == FIRING || !finding->is_firing)
		return;
	life.phase = FIRING;
	life.starts_ms = finding->fired_ms;
	alert_changed(ruled->alerts, alert, &life, CHANGE_FIRED);
}

static void claim(struct ruled *ruled, struct alert *alert, const struct alert_report *by,
	const struct finding *finding)
{
	alert->ruling.by = by;
	alert->ruling.said = finding;
	if (finding) {
		alert->ruling.known_ms = by->begun_ms;
		observe(ruled, alert, finding);
	}
}

static void claim_all(struct ruled *ruled, const struct alert_report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		const struct finding *finding = report->findings[i];
		struct alert *alert = find(ruled, finding->key);
		if (!alert)
			alert = add(ruled, finding->key, finding->rule, &finding->labels);
		claim(ruled, alert, report, finding);
	}
}

static int by_key(const void *a, const void *b)
{
	const struct finding *const *x = a, *const *y = b;
	return strcmp((*x)->key, (*y)->key);
}

static void sort(struct alert_report *report)
{
	if (report->n > 1)
		qsort(report->findings, report->n, sizeof *report->findings, by_key);
}

/* Two groups may find the same. */
static const struct finding *find_in(const struct alert_report *report, const char *key)
{
	struct finding wanted, *one = &wanted, **found;
	snprintf(wanted.key, sizeof wanted.key, "%s", key);
	found = report->n
		? bsearch(&one, report->findings, report->n, sizeof *report->findings, by_key)
		: NULL;
	return found ? *found : NULL;
}

static void keep_words(struct alert *alert)
{
	const struct pairs *words = &alert->ruling.said->annotations;
	pairs_done(&alert->ruling.words);
	pairs_copy(&alert->ruling.words, words->items, words->n);
}

static void give_up(struct ruled *ruled, struct alert *alert)
{
	keep_words(alert);
	alert->ruling.said = NULL;
	for (size_t i = 0; i < ruled->n_reports && !alert->ruling.said; i++)
		claim(ruled, alert, ruled->reports[i],
			find_in(ruled->reports[i], alert->episode.key));
}

/* Its group has another report, or is gone. */
static void retire(struct ruled *ruled, struct alert_report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		struct alert *alert = find(ruled, report->findings[i]->key);
		if (alert && alert->ruling.said == report->findings[i])
			give_up(ruled, alert);
	}
	alert_report_free(report);
}

static size_t place_of(const struct ruled *ruled, const struct alert_report *report)
{
	size_t i = 0;
	while (i < ruled->n_reports &&
		(strcmp(ruled->reports[i]->file, report->file) != 0 ||
			strcmp(ruled->reports[i]->group, report->group) != 0))
		i++;
	return i;
}

static void take(struct ruled *ruled, struct alert_report *report)
{
	size_t i = place_of(ruled, report);
	struct alert_report *before = NULL;
	sort(report);
	if (i < ruled->n_reports) {
		before = ruled->reports[i];
	} else {
		ruled->n_reports++;
		ruled->reports = fw_realloc(
			ruled->reports, ruled->n_reports * sizeof(struct alert_report *));
	}
	ruled->reports[i] = report;
	claim_all(ruled, report);
	if (before)
		retire(ruled, before);
}

void alert_take_report(struct alerts *alerts, struct alert_report *report)
{
	take(alerts->ruled, report);
	look_at_unclaimed(alerts->ruled, report);
	alerts_commit(alerts);
}

static bool is_one_of(
	const struct alert_report *report, struct alert_report *const *reports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (reports[i] == report)
			return true;
	return false;
}

void alert_take_reports(struct alerts *alerts, struct alert_report **reports, size_t n)
{
	struct ruled *ruled = alerts->ruled;
	ruled->is_loaded = true;
	for (size_t i = 0; i < n; i++)
		take(ruled, reports[i]);
	for (size_t i = ruled->n_reports; i-- > 0;) {
		struct alert_report *report = ruled->reports[i];
		if (report->is_kept || is_one_of(report, reports, n))
			continue;
		ruled->reports[i] = ruled->reports[--ruled->n_reports];
		retire(ruled, report);
	}
	look_at_unclaimed(ruled, NULL);
	alerts_commit(alerts);
}

/* ---- opening and closing ---- */

struct ruled *ruled_new(struct alerts *alerts)
{
	struct ruled *ruled = fw_alloc(sizeof *ruled);
	ruled->alerts = alerts;
	make_room(ruled);
	return ruled;
}

void ruled_free(struct ruled *ruled)
{
	if (!ruled)
		return;
	while (ruled->list)
		alert_free(ruled->list);
	for (size_t i = 0; i < ruled->n_reports; i++)
		alert_report_free(ruled->reports[i]);
	fw_free(ruled->reports);
	fw_free(ruled->buckets);
	fw_free(ruled);
}
