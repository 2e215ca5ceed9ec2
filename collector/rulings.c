/* SPDX-License-Identifier: Apache-2.0 */
#include "rulings.h"

#include <pthread.h>

#include <fenwatch/clock.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "alert.h"
#include "schedule.h"

/* A group is settled when it was evaluated once with what alerts rest on. */
#define SETTLED_AFTER 3

struct message {
	struct message *next;
	bool is_all;
	size_t n;
	struct alert_report *reports[];
};

struct rulings {
	struct alerts *alerts;
	const char *estate;
	struct fw_owner owner;
	uv_async_t news;
	void (*on_closed)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	struct message *first, **last; /* under it */
};

/* ---- the thread's ---- */

static void add_alert(
	struct alert_report *report, const char *estate, const struct schedule_alert *alert)
{
	const struct alert_found found = {
		.labels = alert->labels.items,
		.n_labels = alert->labels.n,
		.annotations = alert->annotations.items,
		.n_annotations = alert->annotations.n,
		.is_firing = alert->phase == ALERT_IS_FIRING,
		.value = alert->value,
		.active_ms = alert->active_ms,
		.fired_ms = alert->fired_ms,
	};
	alert_report_add(report, estate, &found);
}

static const char *trouble_of(const struct schedule_rule *rule)
{
	return rule->health == RULE_UNKNOWN ? "it was not evaluated yet" : rule->trouble;
}

static struct alert_report *report_of(const char *estate, const struct schedule_group *group)
{
	struct alert_report *report =
		alert_report_new(group->file, group->name, group->evaluations >= SETTLED_AFTER);
	alert_report_begun(report, fw_mono_ms() - group->took_ms);
	for (size_t i = 0; i < group->n_rules; i++) {
		const struct schedule_rule *rule = &group->rules[i];
		if (!rule->is_alert)
			continue;
		alert_report_rule(report, rule->name, trouble_of(rule));
		for (size_t k = 0; k < rule->n_alerts; k++)
			add_alert(report, estate, &rule->alerts[k]);
	}
	return report;
}

static void push(
	struct rulings *rulings, const struct schedule_group *groups, size_t n, bool is_all)
{
	struct message *message = fw_alloc(sizeof *message + n * sizeof *message->reports);
	message->is_all = is_all;
	message->n = n;
	for (size_t i = 0; i < n; i++)
		message->reports[i] = report_of(rulings->estate, &groups[i]);
	pthread_mutex_lock(&rulings->lock);
	*rulings->last = message;
	rulings->last = &message->next;
	pthread_mutex_unlock(&rulings->lock);
	uv_async_send(&rulings->news);
}

void rulings_evaluated(struct rulings *rulings, const struct schedule_group *group)
{
	push(rulings, group, 1, false);
}

void rulings_loaded(struct rulings *rulings, const struct schedule_group *groups, size_t n)
{
	push(rulings, groups, n, true);
}

/* ---- the main thread's ---- */

static struct message *take_messages(struct rulings *rulings)
{
	pthread_mutex_lock(&rulings->lock);
	struct message *first = rulings->first;
	rulings->first = NULL;
	rulings->last = &rulings->first;
	pthread_mutex_unlock(&rulings->lock);
	return first;
}

static void on_news(uv_async_t *async)
{
	struct rulings *rulings = FW_CONTAINER(async, struct rulings, news);
	for (struct message *message = take_messages(rulings), *next; message; message = next) {
		next = message->next;
		if (message->is_all)
			alert_take_reports(rulings->alerts, message->reports, message->n);
		else
			alert_take_report(rulings->alerts, message->reports[0]);
		fw_free(message);
	}
}

static void drop_messages(struct rulings *rulings)
{
	for (struct message *message = take_messages(rulings), *next; message; message = next) {
		next = message->next;
		for (size_t i = 0; i < message->n; i++)
			alert_report_free(message->reports[i]);
		fw_free(message);
	}
}

static void on_handles_closed(struct fw_owner *owner)
{
	struct rulings *rulings = FW_CONTAINER(owner, struct rulings, owner);
	void (*on_closed)(void *arg) = rulings->on_closed;
	void *arg = rulings->arg;
	drop_messages(rulings);
	pthread_mutex_destroy(&rulings->lock);
	fw_free(rulings);
	on_closed(arg);
}

struct rulings *rulings_open(uv_loop_t *loop, const char *estate, struct alerts *alerts)
{
	struct rulings *rulings = fw_alloc(sizeof *rulings);
	rulings->alerts = alerts;
	rulings->estate = estate;
	rulings->last = &rulings->first;
	pthread_mutex_init(&rulings->lock, NULL);
	fw_owner_init(&rulings->owner, on_handles_closed);
	uv_async_init(loop, &rulings->news, on_news);
	fw_owner_adopt(&rulings->owner, &rulings->news);
	return rulings;
}

void rulings_close(struct rulings *rulings, void (*on_closed)(void *arg), void *arg)
{
	rulings->on_closed = on_closed;
	rulings->arg = arg;
	fw_owner_close(&rulings->owner);
}
