/* SPDX-License-Identifier: Apache-2.0 */
#include "life.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/err.h>

const char *alert_phase_text(enum alert_phase phase)
{
	static const char *const texts[] = {
		[ALERT_IS_INACTIVE] = "inactive",
		[ALERT_IS_PENDING] = "pending",
		[ALERT_IS_FIRING] = "firing",
	};
	return texts[phase];
}

static void free_alert(struct rule_alert *alert)
{
	label_set_free(&alert->labels);
	label_set_free(&alert->annotations);
}

void life_done(struct rule_lives *lives)
{
	for (size_t i = 0; i < lives->n; i++)
		free_alert(&lives->alerts[i]);
	fw_free(lives->alerts);
	*lives = (struct rule_lives){0};
}

static int by_labels(const void *a, const void *b)
{
	const struct life_seen *x = a, *y = b;
	return label_set_compare(&x->labels, &y->labels);
}

/* ---- one alert at one evaluation ---- */

static struct rule_alert begin(const struct life_seen *seen, int64_t at_ms)
{
	return (struct rule_alert){
		.labels = label_set_copy(&seen->labels),
		.annotations = label_set_copy(&seen->annotations),
		.phase = ALERT_IS_PENDING,
		.value = seen->value,
		.active_ms = at_ms,
	};
}

static void refresh(struct rule_alert *alert, const struct life_seen *seen)
{
	label_set_free(&alert->annotations);
	alert->annotations = label_set_copy(&seen->annotations);
	alert->value = seen->value;
	alert->unseen_ms = 0;
}

static void hold(struct rule_alert *alert, const struct life_rule *rule, int64_t at_ms)
{
	if (alert->phase != ALERT_IS_PENDING || at_ms - alert->active_ms < rule->for_ms)
		return;
	alert->phase = ALERT_IS_FIRING;
	alert->fired_ms = at_ms;
}

/* True while it is kept as it is though it is not seen. */
static bool is_kept_firing(struct rule_alert *alert, const struct life_rule *rule, int64_t at_ms)
{
	if (alert->phase != ALERT_IS_FIRING || rule->keep_firing_ms == 0)
		return false;
	if (alert->unseen_ms == 0)
		alert->unseen_ms = at_ms;
	return at_ms - alert->unseen_ms < rule->keep_firing_ms;
}

/* False: there is nothing left to remember of it. */
static bool miss(struct rule_alert *alert, const struct life_rule *rule, int64_t at_ms)
{
	if (alert->phase == ALERT_IS_INACTIVE)
		return at_ms - alert->resolved_ms <= LIFE_RESOLVED_MS;
	if (is_kept_firing(alert, rule, at_ms))
		return true;
	bool was_firing = alert->phase == ALERT_IS_FIRING;
	alert->phase = ALERT_IS_INACTIVE;
	alert->resolved_ms = at_ms;
	return was_firing;
}

/* ---- all of them ---- */

struct merging {
	const struct life_rule *rule;
	int64_t at_ms;
	life_changed *on_changed;
	void *arg;
	struct rule_lives out;
};

static void tell(const struct merging *m, const struct rule_alert *alert, enum alert_phase before)
{
	if (alert->phase != before && m->on_changed)
		m->on_changed(m->arg, alert, before);
}

static void keep(struct merging *m, const struct rule_alert *alert)
{
	m->out.alerts[m->out.n++] = *alert;
}

static void merge_new(struct merging *m, const struct life_seen *seen)
{
	struct rule_alert alert = begin(seen, m->at_ms);
	hold(&alert, m->rule, m->at_ms);
	tell(m, &alert, ALERT_IS_INACTIVE);
	keep(m, &alert);
}

static void merge_unseen(struct merging *m, struct rule_alert *alert)
{
	enum alert_phase before = alert->phase;
	bool stays = miss(alert, m->rule, m->at_ms);
	tell(m, alert, before);
	if (stays)
		keep(m, alert);
	else
		free_alert(alert);
}

static void merge_seen(struct merging *m, struct rule_alert *alert, const struct life_seen *seen)
{
	enum alert_phase before = alert->phase;
	if (before == ALERT_IS_INACTIVE) {
		free_alert(alert);
		*alert = begin(seen, m->at_ms);
	} else {
		refresh(alert, seen);
	}
	hold(alert, m->rule, m->at_ms);
	tell(m, alert, before);
	keep(m, alert);
}

/* Both lists are sorted, so they are gone through side by side. */
static void merge(
	struct merging *m, struct rule_lives *lives, const struct life_seen *seen, size_t n)
{
	size_t i = 0, k = 0;
	m->out.alerts = fw_alloc_array(lives->n + n + 1, sizeof *m->out.alerts);
	while (i < lives->n || k < n) {
		int order = i == lives->n ? 1
			: k == n          ? -1
				 : label_set_compare(&lives->alerts[i].labels, &seen[k].labels);
		if (order > 0)
			merge_new(m, &seen[k++]);
		else if (order < 0)
			merge_unseen(m, &lives->alerts[i++]);
		else
			merge_seen(m, &lives->alerts[i++], &seen[k++]);
	}
}

static size_t count_active(const struct rule_lives *lives)
{
	size_t n = 0;
	for (size_t i = 0; i < lives->n; i++)
		n += lives->alerts[i].phase != ALERT_IS_INACTIVE;
	return n;
}

/* Told as if none had been seen any more. */
static int drop_all(struct merging *m, struct rule_lives *lives, size_t active, struct fw_err *err)
{
	for (size_t i = 0; i < lives->n; i++) {
		struct rule_alert *alert = &lives->alerts[i];
		enum alert_phase before = alert->phase;
		alert->phase = ALERT_IS_INACTIVE;
		alert->resolved_ms = m->at_ms;
		tell(m, alert, before);
	}
	life_done(lives);
	return fw_fail(err, -EINVAL, "exceeded limit of %lld with %zu alerts",
		(long long)m->rule->limit, active);
}

int life_evaluate(struct rule_lives *lives, const struct life_rule *rule, struct life_seen *seen,
	size_t n, int64_t at_ms, life_changed *on_changed, void *arg, struct fw_err *err)
{
	struct merging m = {rule, at_ms, on_changed, arg, {0}};
	if (n > 1)
		qsort(seen, n, sizeof *seen, by_labels);
	for (size_t i = 1; i < n; i++)
		if (by_labels(&seen[i - 1], &seen[i]) == 0)
			return fw_fail(err, -EINVAL,
				"vector contains metrics with the same labelset after applying alert labels");
	merge(&m, lives, seen, n);
	fw_free(lives->alerts);
	*lives = m.out;
	size_t active = count_active(lives);
	if (rule->limit > 0 && active > (size_t)rule->limit)
		return drop_all(&m, lives, active, err);
	return 0;
}

void life_restore(struct rule_alert *alert, const struct life_rule *rule, int64_t active_ms,
	int64_t heard_ms, int64_t now_ms)
{
	int64_t remaining_ms = rule->for_ms - (heard_ms - active_ms);
	if (remaining_ms <= 0)
		alert->active_ms = active_ms; /* it was firing: the next evaluation goes on so */
	else if (remaining_ms < LIFE_GRACE_MS)
		alert->active_ms = now_ms + LIFE_GRACE_MS - rule->for_ms;
	else
		alert->active_ms = active_ms + (now_ms - heard_ms);
}
