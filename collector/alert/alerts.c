/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>

#include "acks.h"
#include "context.h"
#include "evidence.h"
#include "expected.h"
#include "polls.h"
#include "ruled.h"
#include "silences.h"
#include "state.h"
#include "updates.h"

#define TICK_MS 1000
#define LOOK_MS 100                /* wakes within it are one look */
#define AT_ONCE 1000               /* changes in one transaction */
#define RAISED_MS (15 * 60 * 1000) /* what is not raised again for so long is over */
#define DAY_MS INT64_C(86400000)
#define EPISODES_KEPT_MS (400 * DAY_MS)

struct moment alerts_now(void)
{
	return (struct moment){fw_mono_ms(), fw_wall_ms()};
}

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

/* The rule's words, and what the register says of the host now. */
static void annotate(struct alerts *alerts, struct alert *alert, const struct pairs *words)
{
	const struct alert_options *options = alerts->config.options;
	struct notice_pair *annotations =
		fw_alloc_array(CONTEXT_MOST + words->n, sizeof *annotations);
	struct pairs fresh;
	size_t n = context_of(options ? options->registry : NULL, &alert->episode.labels,
		alert->episode.severity, watch_class(alerts, alert), annotations);
	for (size_t i = 0; i < words->n; i++)
		annotations[n++] = words->items[i];
	pairs_copy(&fresh, annotations, n);
	fw_free(annotations);
	pairs_done(&alert->episode.annotations);
	alert->episode.annotations = fresh;
}

static void annotate_with(
	struct alerts *alerts, struct alert *alert, const char *description, const char *summary)
{
	struct notice_pair items[] = {{"description", description}, {"summary", summary}};
	const struct pairs words = {items, 2};
	annotate(alerts, alert, &words);
}

/* Raised alerts keep the text they were raised with, until alerts_reword. */
static void describe(struct alerts *alerts, struct alert *alert, double value)
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
	annotate_with(alerts, alert, alert->rule->help, summary);
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
	describe(alerts, alert, alert->wanted.value);
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

static void tell_trouble(struct alerts *alerts, const struct fw_err *err)
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
		tell_trouble(alerts, &err);
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

/* ---- by name ---- */

static void observe_raised(struct alerts *alerts, struct alert *alert)
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

static bool is_raised_kind(const struct alert *alert)
{
	return !alert->rule || alert->rule->kind == RULE_RAISED;
}

static void key_of(const struct alerts *alerts, const char *name, const char *instance,
	const struct notice_pair *apart, char key[IDENTITY_KEY])
{
	identity_key(alerts->config.estate, instance, name, apart, apart ? 1 : 0, key);
}

static struct alert *raised_new(struct alerts *alerts, const char *key, const char *name,
	const char *instance, const struct notice_pair *apart, const char *text)
{
	const struct rule *rule = rule_find(name);
	struct notice_pair labels[4] = {
		{"alertname", name},
		{"severity", rule ? rule->severity : "warning"},
	};
	size_t n = 2;
	if (*instance)
		labels[n++] = (struct notice_pair){"instance", instance};
	if (apart)
		labels[n++] = *apart;
	struct alert *alert = alert_new(&alerts->homeless, key, rule, name, labels, n);
	annotate_with(alerts, alert, rule ? rule->help : "", text);
	alert->news_ms = fw_mono_ms() + UPDATES_NEWS_MS;
	return alert;
}

static void raise_one(struct alerts *alerts, const char *name, const char *instance,
	const struct notice_pair *apart, const char *text)
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
	observe_raised(alerts, alert);
}

static void clear_one(struct alerts *alerts, const char *name, const char *instance,
	const struct notice_pair *apart)
{
	char key[IDENTITY_KEY];
	key_of(alerts, name, instance, apart, key);
	struct alert *alert = alert_find(alerts->homeless, key);
	if (!alert || !is_raised_kind(alert))
		return;
	alert->raised_until_ms = 0;
	observe_raised(alerts, alert);
}

void alerts_raise_host(
	struct alerts *alerts, const char *name, const char *instance, const char *text)
{
	raise_one(alerts, name, instance, NULL, text);
}

void alerts_clear_host(struct alerts *alerts, const char *name, const char *instance)
{
	clear_one(alerts, name, instance, NULL);
}

void alert_raise(struct alerts *alerts, const char *name, const char *instance, const char *text)
{
	raise_one(alerts, name, instance, NULL, text);
	alerts_commit(alerts);
}

void alert_clear(struct alerts *alerts, const char *name, const char *instance)
{
	clear_one(alerts, name, instance, NULL);
	alerts_commit(alerts);
}

void alerts_raise(
	struct alerts *alerts, const char *name, const struct notice_pair *apart, const char *text)
{
	raise_one(alerts, name, "", apart, text);
	alerts_commit(alerts);
}

static void reword(struct alerts *alerts, struct alert *alert, const char *text)
{
	struct fw_err err;
	bool fires = alert->episode.life.phase == FIRING;
	if (strcmp(pairs_get(&alert->episode.annotations, "summary"), text) == 0)
		return;
	if (fires && gate_reworded(alerts->gate, &alert->episode, text, &err) < 0) {
		tell_trouble(alerts, &err);
		return;
	}
	alert->has_news = fires;
	pairs_set(&alert->episode.annotations, "summary", text);
}

void alerts_reword(
	struct alerts *alerts, const char *name, const struct notice_pair *apart, const char *text)
{
	char key[IDENTITY_KEY];
	key_of(alerts, name, "", apart, key);
	struct alert *alert = alert_find(alerts->homeless, key);
	if (!alert)
		return;
	reword(alerts, alert, text);
	updates_news(alerts, alert);
}

void alerts_clear(struct alerts *alerts, const char *name, const struct notice_pair *apart)
{
	clear_one(alerts, name, "", apart);
	alerts_commit(alerts);
}

/* ---- the clock ---- */

static struct alerts *alerts_of(const uv_timer_t *timer)
{
	return (struct alerts *)((char *)timer->data - offsetof(struct alerts, owner));
}

static void forget_old(struct alerts *alerts, int64_t now_ms)
{
	struct fw_err err;
	int64_t wall_ms = fw_wall_ms();
	alerts->forgot_ms = now_ms;
	if (book_forget(alerts->config.state, wall_ms - ALERT_NOTICES_KEPT_MS,
		    wall_ms - EPISODES_KEPT_MS, &err) < 0 ||
		silences_forget(gate_silences(alerts->gate), wall_ms - EPISODES_KEPT_MS, &err) <
			0 ||
		acks_forget(alerts->acks, wall_ms - EPISODES_KEPT_MS, &err) < 0)
		tell_trouble(alerts, &err);
}

/* What nobody has taken up goes to the next one. */
static void look_at_unheard(struct alerts *alerts, struct moment now)
{
	struct fw_err err;
	alerts->escalated_ms = now.mono_ms;
	int told = escalation_look(
		alerts->config.state, alerts->gate, alerts->config.options, now, &err);
	if (told < 0)
		tell_trouble(alerts, &err);
	else if (told > 0)
		outbox_wake(alerts->outbox);
}

/* What was held may be told by now. */
static void look_at_held(struct alerts *alerts)
{
	struct fw_err err;
	int told = gate_look(alerts->gate, alerts_now(), &err);
	if (told < 0)
		tell_trouble(alerts, &err);
	else if (told > 0)
		outbox_wake(alerts->outbox);
}

static void on_look(uv_timer_t *timer)
{
	struct alerts *alerts = alerts_of(timer);
	alerts->looked_ms = fw_mono_ms();
	watch_look(alerts->watch);
	alerts_commit(alerts);
}

static void on_tick(uv_timer_t *timer)
{
	struct alerts *alerts = alerts_of(timer);
	int64_t now_ms = fw_mono_ms();
	watch_look(alerts->watch);
	watch_silence(alerts->watch);
	incidents_look(alerts, now_ms);
	expected_look(alerts->expected, alerts_now());
	for (struct alert *alert = alerts->homeless; alert; alert = alert->next)
		if (is_raised_kind(alert))
			observe_raised(alerts, alert);
	alerts_commit(alerts);
	look_at_held(alerts);
	if (polls_look(alerts->polls, now_ms))
		outbox_wake(alerts->outbox);
	if (now_ms - alerts->escalated_ms >= ESCALATION_MS)
		look_at_unheard(alerts, alerts_now());
	if (now_ms - alerts->forgot_ms >= DAY_MS)
		forget_old(alerts, now_ms);
}

void alert_look_again(struct alerts *alerts, uint32_t host)
{
	watch_series_changed(alerts->watch, host);
}

void alert_wake(struct alerts *alerts)
{
	if (alerts->owner.closing || uv_is_active((uv_handle_t *)&alerts->look))
		return;
	int64_t wait_ms = alerts->looked_ms + LOOK_MS - fw_mono_ms();
	uv_timer_start(&alerts->look, on_look, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

/* ---- what is open ---- */

struct gathering {
	struct alerts *alerts;
	struct fw_arena *arena;
	struct alert_view *views;
	size_t n;
};

static const struct notice_pair *copy_pairs(struct fw_arena *arena, const struct pairs *pairs)
{
	struct notice_pair *copy = fw_arena_alloc(arena, (pairs->n + 1) * sizeof *copy);
	for (size_t i = 0; i < pairs->n; i++) {
		copy[i].name = fw_arena_strdup(arena, pairs->items[i].name);
		copy[i].value = fw_arena_strdup(arena, pairs->items[i].value);
	}
	return copy;
}

static void on_counted(struct alert *alert, void *arg)
{
	(void)alert;
	((struct gathering *)arg)->n++;
}

static void on_gathered(struct alert *alert, void *arg)
{
	struct gathering *g = arg;
	const struct episode *episode = &alert->episode;
	const struct held *held = gate_find(g->alerts->gate, episode->key);
	const struct ack *ack = acks_find(g->alerts->acks, episode->key, episode->life.starts_ms);
	char doubt[ALERT_DOUBT];
	alert_doubt(g->alerts, alert, doubt);
	describe(g->alerts, alert, episode->life.value);
	g->views[g->n++] = (struct alert_view){
		.key = fw_arena_strdup(g->arena, episode->key),
		.rule = fw_arena_strdup(g->arena, episode->rule),
		.instance = fw_arena_strdup(g->arena, episode->instance),
		.severity = fw_arena_strdup(g->arena, episode->severity),
		.state = episode->life.phase == FIRING ? ALERT_FIRING : ALERT_PENDING,
		.since_ms = episode->life.starts_ms,
		.value = episode->life.value,
		.is_ruled = episode->is_ruled,
		.unknown = fw_arena_strdup(g->arena, doubt),
		.acked_by = ack ? fw_arena_strdup(g->arena, ack->who) : NULL,
		.ack_note = ack ? fw_arena_strdup(g->arena, ack->note) : NULL,
		.acked_ms = ack ? ack->at_ms : 0,
		.held = held ? held->reason : "",
		.held_why = fw_arena_strdup(g->arena, held ? held->why : ""),
		.labels = copy_pairs(g->arena, &episode->labels),
		.n_labels = episode->labels.n,
		.annotations = copy_pairs(g->arena, &episode->annotations),
		.n_annotations = episode->annotations.n,
	};
}

static int rank(const struct alert_view *view)
{
	int severity = strcmp(view->severity, "critical") == 0 ? 0
		: strcmp(view->severity, "info") == 0          ? 2
							       : 1;
	return (view->state == ALERT_FIRING ? 0 : 3) + severity;
}

static int worst_first(const void *a, const void *b)
{
	const struct alert_view *left = a, *right = b;
	if (rank(left) != rank(right))
		return rank(left) - rank(right);
	if (left->since_ms != right->since_ms)
		return left->since_ms < right->since_ms ? -1 : 1;
	return strcmp(left->key, right->key);
}

void alerts_each(struct alerts *alerts, void (*each)(struct alert *alert, void *arg), void *arg)
{
	for (struct alert *alert = alerts->homeless, *next; alert; alert = next) {
		next = alert->next;
		each(alert, arg);
	}
	watch_each(alerts->watch, each, arg);
	ruled_each(alerts->ruled, each, arg);
}

int alert_list(struct alerts *alerts, struct fw_arena *arena, struct alert_view **out, size_t *n,
	struct fw_err *err)
{
	(void)err;
	struct gathering g = {.alerts = alerts, .arena = arena};
	alerts_each(alerts, on_counted, &g);
	g.views = fw_arena_alloc(arena, (g.n + 1) * sizeof *g.views);
	g.n = 0;
	alerts_each(alerts, on_gathered, &g);
	qsort(g.views, g.n, sizeof *g.views, worst_first);
	*out = g.views;
	*n = g.n;
	return 0;
}

int alert_feeds(struct alerts *alerts, struct fw_arena *arena, struct alert_feed_view **out,
	size_t *n, struct fw_err *err)
{
	return outbox_feeds(alerts->outbox, arena, out, n, err);
}

/* ---- work and silences ---- */

int alert_hand(struct alerts *alerts, const char *name, const char *who, struct fw_err *err)
{
	int rc = gate_hand(alerts->gate, name, who, alerts_now(), err);
	if (rc == 0)
		outbox_wake(alerts->outbox);
	return rc;
}

int alert_silence_add(struct alerts *alerts, struct alert_silence *silence, struct fw_err *err)
{
	return silences_add(gate_silences(alerts->gate), silence, fw_wall_ms(), err);
}

/* What it held and still fires is told at once. */
int alert_silence_end(struct alerts *alerts, int64_t id, const char *who, struct fw_err *err)
{
	int rc = silences_end(gate_silences(alerts->gate), id, who, fw_wall_ms(), err);
	if (rc == 0)
		look_at_held(alerts);
	return rc;
}

void alert_silences(struct alerts *alerts, int64_t since_ms, struct fw_arena *arena,
	struct alert_silence **out, size_t *n)
{
	silences_list(gate_silences(alerts->gate), since_ms, arena, out, n);
}

/* ---- opening and closing ---- */

static void on_firing(const struct episode *episode, void *arg)
{
	struct alerts *alerts = arg;
	if (episode->is_ruled) {
		ruled_resume(alerts->ruled, episode);
		return;
	}
	const struct rule *rule = rule_find(episode->rule);
	struct alert *alert = alert_new(&alerts->homeless, episode->key, rule, episode->rule,
		episode->labels.items, episode->labels.n);
	pairs_copy(&alert->episode.annotations, episode->annotations.items, episode->annotations.n);
	alert->episode.life = episode->life;
	alert->raised_until_ms = fw_mono_ms() + RAISED_MS;
}

static void end_if_disabled(struct alert *alert, void *arg)
{
	struct alerts *alerts = arg;
	struct life life = alert->episode.life;
	if (alert->rule && !alerts->rules[alert->rule - rules].enabled)
		alert_changed(alerts, alert, &life, engine_end(&life, alerts_now()));
}

/* A rule that was switched off closes what it had opened. */
static void end_disabled(struct alerts *alerts)
{
	alerts_each(alerts, end_if_disabled, alerts);
	alerts_commit(alerts);
}

/* ---- the end of a host ---- */

struct ending {
	struct alerts *alerts;
	const char *instance, *why; /* why: may be NULL */
	bool any;
};

static void end_of_host(struct alert *alert, void *arg)
{
	struct ending *ending = arg;
	struct life life = alert->episode.life;
	if (strcmp(alert->episode.instance, ending->instance) != 0)
		return;
	fw_free((char *)alert->closed_for);
	alert->closed_for = ending->why ? fw_strdup(ending->why) : NULL;
	enum change change = engine_end(&life, alerts_now());
	alert_changed(
		ending->alerts, alert, &life, change == CHANGE_NONE ? CHANGE_DROPPED : change);
}

static void look_for_host(struct alert *alert, void *arg)
{
	struct ending *ending = arg;
	ending->any = ending->any || strcmp(alert->episode.instance, ending->instance) == 0;
}

int alert_close_host(
	struct alerts *alerts, const char *instance, const char *why, struct fw_err *err)
{
	struct ending ending = {.alerts = alerts, .instance = instance, .why = why};
	alerts_each(alerts, end_of_host, &ending);
	alerts_commit(alerts);
	alerts_each(alerts, look_for_host, &ending);
	return ending.any
		? fw_fail(err, -EIO, "its alerts cannot be closed: %.150s", alerts->trouble)
		: 0;
}

int alert_forget(struct alerts *alerts, const char *instance, struct fw_err *err)
{
	int rc = alert_close_host(alerts, instance, NULL, err);
	if (rc < 0)
		return rc;
	watch_forget(alerts->watch, instance);
	return book_forget_host(alerts->config.state, instance, err);
}

static void free_all(struct alerts *alerts)
{
	expected_free(alerts->expected);
	watch_close(alerts->watch);
	ruled_free(alerts->ruled);
	gate_close(alerts->gate);
	sites_free(alerts->sites);
	acks_close(alerts->acks);
	while (alerts->homeless)
		alert_free(alerts->homeless);
	fw_free(alerts);
}

static void on_part_closed(struct alerts *alerts)
{
	void (*on_closed)(void *arg) = alerts->on_closed;
	void *arg = alerts->arg;
	if (--alerts->closing > 0)
		return;
	free_all(alerts);
	if (on_closed)
		on_closed(arg);
}

static void on_timers_closed(struct fw_owner *owner)
{
	on_part_closed((struct alerts *)((char *)owner - offsetof(struct alerts, owner)));
}

static void on_outbox_closed(void *arg)
{
	on_part_closed(arg);
}

/* Alerts cannot live where nothing can be written. */
static const char *on_checkup(void *arg)
{
	struct alerts *alerts = arg;
	const struct alert_config *config = &alerts->config;
	char now[32];
	struct fw_err err;
	fw_time_format(fw_wall_ms(), now, sizeof now);
	if (state_set(config->state, "well", now, &err) < 0) {
		snprintf(alerts->illness, sizeof alerts->illness, "%s", err.text);
		return alerts->illness;
	}
	return config->on_checkup ? config->on_checkup(config->arg) : NULL;
}

static int on_polled(const struct alert_answer *answer, void *arg, struct fw_err *err)
{
	return alert_take_answer(arg, answer, err);
}

/* Those before are broken off: what they ask is asked anew. */
static void open_polls(struct alerts *alerts, const struct alert_options *options)
{
	const struct polls_config polls = {
		.loop = alerts->config.loop,
		.state = alerts->config.state,
		.options = options,
		.take = on_polled,
		.arg = alerts,
	};
	polls_free(alerts->polls);
	alerts->polls = polls_new(&polls);
}

static int open_outbox(
	struct alerts *alerts, const struct alert_options *options, struct fw_err *err)
{
	const struct outbox_config outbox = {
		.loop = alerts->config.loop,
		.state = alerts->config.state,
		.options = options,
		.external_url = alerts->config.external_url,
		.on_checkup = on_checkup,
		.arg = alerts,
	};
	int rc = outlets_set_modes(alerts, options, err);
	if (rc == 0)
		rc = escalation_configure(alerts->config.state, options, fw_wall_ms(), err);
	if (rc == 0)
		rc = outbox_open(&alerts->outbox, &outbox, err);
	if (rc == 0)
		open_polls(alerts, options);
	return rc;
}

static int64_t on_first_heard(const char *instance, void *arg)
{
	const struct alerts *alerts = arg;
	return alerts->watch ? watch_first_heard_ms(alerts->watch, instance) : 0;
}

static int open_gate(struct alerts *alerts, struct fw_err *err)
{
	const struct gate_config gate = {
		.state = alerts->config.state,
		.options = alerts->config.options,
		.sites = alerts->sites,
		.retired = alerts->config.retired,
		.first_heard_ms = on_first_heard,
		.arg = alerts,
	};
	return gate_open(&alerts->gate, &gate, err);
}

int alert_open(struct alerts **out, const struct alert_config *config, struct fw_err *err)
{
	struct alerts *alerts = fw_alloc(sizeof *alerts);
	alerts->config = *config;
	alerts->last_changed = &alerts->changed;
	alerts->ruled = ruled_new(alerts);
	rules_in_force(config->options, alerts->rules);
	alerts->sites = sites_new();
	sites_set_register(alerts->sites, config->options ? config->options->registry : NULL);
	int rc = book_open(config->state, err);
	if (rc == 0)
		rc = watch_prepare(config->state, err);
	if (rc == 0)
		rc = expected_prepare(config->state, err);
	if (rc == 0)
		rc = open_gate(alerts, err);
	if (rc == 0)
		rc = acks_open(&alerts->acks, config->state, err);
	if (rc == 0)
		rc = book_firing(config->state, on_firing, alerts, err);
	if (rc == 0)
		rc = open_outbox(alerts, config->options, err);
	if (rc < 0) {
		free_all(alerts);
		return rc;
	}
	fw_owner_init(&alerts->owner, on_timers_closed);
	uv_timer_init(config->loop, &alerts->tick);
	fw_owner_adopt(&alerts->owner, &alerts->tick);
	uv_timer_init(config->loop, &alerts->look);
	fw_owner_adopt(&alerts->owner, &alerts->look);
	uv_timer_start(&alerts->tick, on_tick, TICK_MS, TICK_MS);
	alerts->watch = watch_open(alerts);
	alerts->expected = expected_new(alerts);
	expected_set_register(alerts->expected, config->options ? config->options->registry : NULL);
	end_disabled(alerts);
	forget_old(alerts, fw_mono_ms());
	*out = alerts;
	return 0;
}

int alert_reload(struct alerts *alerts, const struct alert_options *options,
	void (*on_reloaded)(void *arg), void *arg, struct fw_err *err)
{
	struct outbox *before = alerts->outbox;
	int rc = open_outbox(alerts, options, err);
	if (rc < 0)
		return rc;
	alerts->config.options = options;
	gate_reload(alerts->gate, options);
	sites_set_register(alerts->sites, options ? options->registry : NULL);
	rules_in_force(options, alerts->rules);
	end_disabled(alerts);
	watch_rules_changed(alerts->watch);
	expected_set_register(alerts->expected, options ? options->registry : NULL);
	updates_look(alerts);
	outbox_take_over(alerts->outbox, before, on_reloaded, arg);
	return 0;
}

void alert_close(struct alerts *alerts, void (*on_closed)(void *arg), void *arg)
{
	alerts->on_closed = on_closed;
	alerts->arg = arg;
	alerts->closing = 2;
	fw_owner_close(&alerts->owner);
	polls_free(alerts->polls);
	outbox_close(alerts->outbox, on_outbox_closed, alerts);
}
