/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/array.h>
#include <fenwatch/clock.h>

#include "retired.h"
#include "state.h"
#include "watch.h"

#define INTERVAL_MOST_MS (3600 * 1000)
#define INTERVAL_UNKNOWN_MS (15 * 1000) /* as an agent has it by default */
/* How long an agent may take to come back after the collector was away. */
#define COMES_BACK_MS (330 * 1000)

/* ---- hosts ---- */

static void adopt_alerts(struct watch *watch, struct host *host)
{
	for (struct alert *alert = watch->alerts->homeless, *next; alert; alert = next) {
		const struct pairs *labels = &alert->episode.labels;
		next = alert->next;
		if (alert->rule && alert->rule->kind != RULE_RAISED &&
			strcmp(alert->episode.instance,
				fw_label_value(host->labels, host->n_labels, "instance")) == 0 &&
			strcmp(pairs_get(labels, "job"),
				fw_label_value(host->labels, host->n_labels, "job")) == 0)
			alert_move(alert, &host->alerts);
	}
}

int64_t watch_interval_ms(const struct limits *silence)
{
	return (int64_t)(COMES_BACK_MS / fmax(silence->threshold, 1));
}

static struct host *host_new(struct watch *watch, const struct store_host *seen)
{
	struct host *host = fw_alloc(sizeof *host);
	host->id = seen->id;
	host->labels = seen->labels;
	host->n_labels = seen->n_labels;
	host->heard_ms = fw_mono_ms();
	host->pace.interval_ms = watch_interval_ms(&watch->silence->limits);
	host->first_ms = fw_wall_ms();
	host->is_newcomer = true;
	watch_set_class(host, seen->labels, seen->n_labels);
	adopt_alerts(watch, host);
	return host;
}

static void drop_names(struct watch *watch)
{
	fw_free(watch->by_name);
	watch->by_name = NULL;
	watch_drop_speakers(watch);
}

static struct host *host_of(struct watch *watch, const struct store_host *seen)
{
	watch->hosts =
		fw_array_reach(watch->hosts, &watch->n_hosts, seen->id, sizeof(struct host *));
	if (!watch->hosts[seen->id]) {
		watch->hosts[seen->id] = host_new(watch, seen);
		watch->has_newcomers = true;
		drop_names(watch);
	}
	return watch->hosts[seen->id];
}

/* The shortest step of the sweeps' times lately: one longer pause does not change it much, and one
 * shorter step not at all, as behind a sweep that came late the next follows at once. */
void watch_learn_interval(struct pace *pace, int64_t step_ms)
{
	if (step_ms <= 0)
		return;
	bool is_first = pace->step_ms == 0;
	int64_t longer_ms = step_ms > pace->step_ms ? step_ms : pace->step_ms;
	pace->step_ms = step_ms;
	if (longer_ms < pace->interval_ms || !pace->measured)
		pace->interval_ms = longer_ms;
	else
		pace->interval_ms += (longer_ms - pace->interval_ms) / 8;
	if (pace->interval_ms > INTERVAL_MOST_MS)
		pace->interval_ms = INTERVAL_MOST_MS;
	pace->measured = !is_first;
}

static bool is_missed(const struct watch *watch, const struct host *host, int64_t now_ms)
{
	double missed = (double)(now_ms - host->heard_ms) / (double)host->pace.interval_ms;
	return engine_is_breach(&watch->silence->limits, missed);
}

static void note_heard(struct watch *watch, struct host *host, const struct store_host *seen)
{
	int64_t now_ms = fw_mono_ms();
	if (host->heard && is_missed(watch, host, now_ms))
		host->back_ms = now_ms;
	if (memcmp(host->agent, seen->agent, sizeof host->agent) != 0)
		watch_drop_speakers(watch);
	if (host->heard)
		watch_learn_interval(&host->pace, seen->newest_ms - host->newest_ms);
	host->newest_ms = seen->newest_ms;
	host->received_ms = seen->received_ms;
	memcpy(host->agent, seen->agent, sizeof host->agent);
	host->heard_ms = now_ms;
	host->absent_ms = 0;
	host->heard = true;
}

void watch_look(struct watch *watch)
{
	struct fw_arena arena = {0};
	struct store_host *seen;
	size_t n = store_hosts(watch->alerts->config.store, &arena, &seen);
	watch->look++;
	watch->selections = 0;
	watch_keep_newcomers(watch);
	for (size_t i = 0; i < n; i++) {
		struct host *host = host_of(watch, &seen[i]);
		bool spoke = host->received_ms != seen[i].received_ms ||
			host->newest_ms != seen[i].newest_ms;
		if (!spoke || watch->selections >= RESELECT_AT_ONCE)
			continue;
		note_heard(watch, host, &seen[i]);
		watch_look_at(watch, host);
		watch_look_at_clock(watch, host, &seen[i]);
		watch->judged_ms = fw_wall_ms();
	}
	fw_arena_done(&arena);
}

int64_t alert_judged_ms(const struct alerts *alerts)
{
	return alerts->watch->judged_ms;
}

/* ---- silence ---- */

/* What the register says counts before what the agent does, and who is blue-light in it
 * is missed as such. */
void watch_learn_from_register(const struct registry *registry, struct host *host)
{
	struct register_host known = {.tier = TIER_STANDARD, .life = {.is = LIFE_LIVE}};
	if (registry)
		register_host(registry, host->labels, host->n_labels, &known);
	const char *class = known.texts[HOST_CLASS];
	if (!class && known.tier == TIER_BLUE_LIGHT)
		class = register_tier_names[TIER_BLUE_LIGHT];
	snprintf(host->registered, sizeof host->registered, "%s", class ? class : "");
	host->life = known.life;
	host->is_known = true;
}

const char *watch_class_of(const struct host *host)
{
	return *host->registered ? host->registered : host->class;
}

static const struct registry *registry_of(const struct watch *watch)
{
	const struct alert_options *options = watch->alerts->config.options;
	return options ? options->registry : NULL;
}

static const struct alert_absence *absence_of(const struct watch *watch)
{
	const struct alert_options *options = watch->alerts->config.options;
	return options ? &options->absence : NULL;
}

static const char *name_of(const struct host *host)
{
	return fw_label_value(host->labels, host->n_labels, "instance");
}

bool watch_is_in_service(const struct watch *watch, const struct host *host)
{
	const struct alert_config *config = &watch->alerts->config;
	return register_is_in_service(register_lifecycle_at(&host->life, fw_wall_ms())) &&
		!retired_find(config->retired, name_of(host)) &&
		(!config->is_expected || config->is_expected(host->agent, config->arg));
}

static bool may_be_silent(const struct watch *watch, const struct host *host, int64_t now_ms)
{
	int64_t silent_ms = host->absent_ms + now_ms - host->heard_ms;
	return alert_may_be_away(absence_of(watch), watch_class_of(host), silent_ms) ||
		!watch_is_in_service(watch, host);
}

/* A host that was not heard since the start may yet come back: until then
 * nothing opens, nothing closes. Its class is looked up before it is blamed. */
static void look_for_silence(struct watch *watch, struct host *host, int64_t now_ms)
{
	double missed = (double)(now_ms - host->heard_ms) / (double)host->pace.interval_ms;
	bool is_breach = engine_is_breach(&watch->silence->limits, missed);
	if (!host->heard && !is_breach)
		return;
	if (host->selected_ms == 0 || (!*host->class && host->selected_ms <= host->heard_ms))
		watch_select(watch, host);
	if (is_breach && !host->is_known)
		watch_learn_from_register(registry_of(watch), host);
	if (is_breach && may_be_silent(watch, host, now_ms))
		missed = 0;
	struct alert_rule_option rule = *watch->silence;
	rule.limits.hold_ms = alert_silence_hold_ms(
		absence_of(watch), watch_class_of(host), watch->silence->limits.hold_ms);
	watch_observe(watch, host, &rule, NULL, missed, host->heard_ms);
}

void watch_silence(struct watch *watch)
{
	int64_t now_ms = fw_mono_ms();
	for (size_t i = 0; watch->silence->enabled && i < watch->n_hosts; i++) {
		struct host *host = watch->hosts[i];
		if (host && host->newest_ms != 0)
			look_for_silence(watch, host, now_ms);
	}
}

/* `up` may be 0 by then, which is judged by what arrives, and a rule may tell of it. */
static bool is_late(const struct host *host, int64_t now_ms)
{
	int64_t interval_ms = host->pace.interval_ms;
	if (!host->pace.measured && interval_ms > INTERVAL_UNKNOWN_MS)
		interval_ms = INTERVAL_UNKNOWN_MS;
	return now_ms - host->heard_ms > interval_ms / 2 * 3;
}

static struct site_host site_host_of(struct watch *watch, struct host *host, int64_t now_ms)
{
	struct site_host seen = {
		.labels = host->labels,
		.n_labels = host->n_labels,
		.heard_ms = host->heard_ms,
		.interval_ms = host->pace.interval_ms,
		.was_heard = host->heard,
		.back_ms = host->back_ms,
	};
	if (!is_missed(watch, host, now_ms)) {
		seen.is_late = host->heard && is_late(host, now_ms);
		return seen;
	}
	if (!host->is_known)
		watch_learn_from_register(registry_of(watch), host);
	seen.is_away = may_be_silent(watch, host, now_ms);
	seen.is_silent = !seen.is_away;
	return seen;
}

/* All have their places by now. */
static void name_speakers(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_hosts; i++) {
		const struct host *host = watch->hosts[i];
		const struct host *speaker =
			host && host->place ? watch_speaker(watch, host) : NULL;
		if (speaker)
			watch->site_hosts[host->place - 1].speaker = speaker->place;
	}
}

size_t watch_hosts(struct watch *watch, int64_t now_ms, const struct site_host **hosts)
{
	size_t n = 0;
	watch->site_hosts =
		fw_realloc(watch->site_hosts, (watch->n_hosts + 1) * sizeof *watch->site_hosts);
	for (size_t i = 0; watch->silence->enabled && i < watch->n_hosts; i++) {
		struct host *host = watch->hosts[i];
		if (!host)
			continue;
		host->place = host->newest_ms != 0 ? n + 1 : 0;
		if (host->place)
			watch->site_hosts[n++] = site_host_of(watch, host, now_ms);
	}
	name_speakers(watch);
	*hosts = watch->site_hosts;
	return n;
}

void watch_each(struct watch *watch, void (*each)(struct alert *alert, void *arg), void *arg)
{
	for (size_t i = 0; i < watch->n_hosts; i++) {
		if (!watch->hosts[i])
			continue;
		for (struct alert *alert = watch->hosts[i]->alerts, *next; alert; alert = next) {
			next = alert->next;
			each(alert, arg);
		}
	}
}

/* What the store holds from before the start is known, but it is nothing new. */
static void take_known(struct watch *watch)
{
	struct fw_arena arena = {0};
	struct store_host *seen;
	size_t n = store_hosts(watch->alerts->config.store, &arena, &seen);
	bool is_any = watch_has_first(watch->alerts->config.state);
	for (size_t i = 0; i < n; i++) {
		struct host *host = host_of(watch, &seen[i]);
		watch_remember_first(watch, host, is_any);
		host->newest_ms = seen[i].newest_ms;
		host->received_ms = seen[i].received_ms;
		/* From here on by a clock that does not step. */
		int64_t last_ms = seen[i].received_ms ? seen[i].received_ms : seen[i].newest_ms;
		int64_t absent_ms = fw_wall_ms() - last_ms;
		host->absent_ms = last_ms > 0 && absent_ms > 0 ? absent_ms : 0;
		memcpy(host->agent, seen[i].agent, sizeof host->agent);
	}
	fw_arena_done(&arena);
}

/* There is one of each kind but series and what is raised. */
static const struct alert_rule_option *of_kind(const struct alerts *alerts, enum rule_kind kind)
{
	const struct alert_rule_option *option = alerts->rules;
	while (option->rule->kind != kind)
		option++;
	return option;
}

struct watch *watch_open(struct alerts *alerts)
{
	struct watch *watch = fw_alloc(sizeof *watch);
	watch->alerts = alerts;
	watch->silence = of_kind(alerts, RULE_SILENCE);
	watch->behind = of_kind(alerts, RULE_BEHIND);
	watch->ahead = of_kind(alerts, RULE_AHEAD);
	take_known(watch);
	return watch;
}

void watch_rules_changed(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_hosts; i++) {
		if (!watch->hosts[i])
			continue;
		watch->hosts[i]->selected_ms = 0;
		watch->hosts[i]->is_known = false;
	}
}

void watch_series_changed(struct watch *watch, uint32_t host)
{
	if (host < watch->n_hosts && watch->hosts[host])
		watch->hosts[host]->selected_ms = 0;
}

static void host_free(struct host *host)
{
	if (!host)
		return;
	while (host->alerts)
		alert_free(host->alerts);
	fw_arena_done(&host->arena);
	fw_free(host);
}

/* ---- by name ---- */

static int by_name(const void *a, const void *b)
{
	const struct host *const *x = a, *const *y = b;
	return strcmp(name_of(*x), name_of(*y));
}

static void sort_names(struct watch *watch)
{
	watch->by_name = fw_alloc_array(watch->n_hosts + 1, sizeof(struct host *));
	watch->n_by_name = 0;
	for (size_t i = 0; i < watch->n_hosts; i++)
		if (watch->hosts[i])
			watch->by_name[watch->n_by_name++] = watch->hosts[i];
	if (watch->n_by_name > 1)
		qsort(watch->by_name, watch->n_by_name, sizeof(struct host *), by_name);
}

/* The first of that name, or where it would be; up to the end of by_name. */
static size_t first_named(struct watch *watch, const char *instance)
{
	if (!watch->by_name)
		sort_names(watch);
	size_t low = 0, high = watch->n_by_name;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(name_of(watch->by_name[middle]), instance) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_heard(const struct watch *watch, const struct host *host)
{
	return host->heard && !is_missed(watch, host, fw_mono_ms());
}

bool watch_is_silent(struct watch *watch, const char *instance)
{
	bool is_known = false;
	for (size_t i = first_named(watch, instance);
		i < watch->n_by_name && strcmp(name_of(watch->by_name[i]), instance) == 0; i++) {
		const struct host *host = watch->by_name[i];
		if (is_heard(watch, host))
			return false;
		is_known |= host->newest_ms != 0;
	}
	return is_known;
}

bool watch_knows(struct watch *watch, const char *instance)
{
	bool is_known = false;
	size_t i = first_named(watch, instance);
	for (; i < watch->n_by_name && strcmp(name_of(watch->by_name[i]), instance) == 0; i++)
		is_known |= watch->by_name[i]->newest_ms != 0;
	return is_known;
}

int64_t watch_first_heard_ms(struct watch *watch, const char *instance)
{
	int64_t first_ms = INT64_MAX;
	size_t i = first_named(watch, instance);
	for (; i < watch->n_by_name && strcmp(name_of(watch->by_name[i]), instance) == 0; i++)
		if (watch->by_name[i]->first_ms < first_ms)
			first_ms = watch->by_name[i]->first_ms;
	return first_ms == INT64_MAX ? 0 : first_ms;
}

static struct host *host_named(struct watch *watch, const char *instance)
{
	size_t i = first_named(watch, instance);
	bool is_known = i < watch->n_by_name && strcmp(name_of(watch->by_name[i]), instance) == 0;
	return is_known ? watch->by_name[i] : NULL;
}

static struct host *host_with(struct alerts *alerts, const struct alert *alert)
{
	if (alert->list == &alerts->homeless)
		return NULL;
	if (alert->ruling.ruled)
		return host_named(alerts->watch, alert->episode.instance);
	return FW_CONTAINER(alert->list, struct host, alerts);
}

const char *watch_class(struct alerts *alerts, const struct alert *alert)
{
	const struct host *host = host_with(alerts, alert);
	return host ? host->class : "";
}

void watch_learn_class(struct alerts *alerts, const struct alert *alert)
{
	struct host *host = host_with(alerts, alert);
	if (host && !*host->class && host->selected_ms == 0)
		watch_select(alerts->watch, host);
}

void watch_forget(struct watch *watch, const char *instance)
{
	for (size_t i = 0; i < watch->n_hosts; i++) {
		struct host *host = watch->hosts[i];
		if (!host || strcmp(name_of(host), instance) != 0)
			continue;
		state_run(watch->alerts->config.state, NULL,
			"DELETE FROM first_heard WHERE host = ?", "i", (int64_t)host->id);
		host_free(host);
		watch->hosts[i] = NULL;
		drop_names(watch);
	}
}

void watch_close(struct watch *watch)
{
	if (!watch)
		return;
	for (size_t i = 0; i < watch->n_hosts; i++)
		host_free(watch->hosts[i]);
	drop_names(watch);
	fw_free(watch->hosts);
	fw_free(watch->site_hosts);
	fw_free(watch);
}
