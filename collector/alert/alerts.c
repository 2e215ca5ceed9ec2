/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>

#include "acks.h"
#include "expected.h"
#include "pauses.h"
#include "polls.h"
#include "ruled.h"
#include "silences.h"
#include "state.h"
#include "updates.h"

#define TICK_MS 1000
#define LOOK_MS 100 /* wakes within it are one look */
#define DAY_MS INT64_C(86400000)
#define EPISODES_KEPT_MS (400 * DAY_MS)

struct moment alerts_now(void)
{
	return (struct moment){fw_mono_ms(), fw_wall_ms()};
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
		alerts_tell_trouble(alerts, &err);
}

/* What nobody has taken up goes to the next one. */
static void look_at_unheard(struct alerts *alerts, struct moment now)
{
	struct fw_err err;
	alerts->escalated_ms = now.mono_ms;
	int told = escalation_look(
		alerts->config.state, alerts->gate, alerts->config.options, now, &err);
	if (told < 0)
		alerts_tell_trouble(alerts, &err);
	else if (told > 0)
		outbox_wake(alerts->outbox);
}

/* What was held may be told by now. */
static void look_at_held(struct alerts *alerts)
{
	struct fw_err err;
	updates_unsilenced(alerts);
	int told = gate_look(alerts->gate, alerts_now(), &err);
	if (told < 0)
		alerts_tell_trouble(alerts, &err);
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
	raised_look(alerts);
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
	pauses_close(alerts->pauses);
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
		.pauses = alerts->pauses,
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
		.pauses = alerts->pauses,
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
		rc = pauses_open(&alerts->pauses, config->state, err);
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
	updates_look(alerts);
	outbox_wake(alerts->outbox);
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
	incidents_look(alerts, fw_mono_ms()); /* before anything is told: who is where */
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
