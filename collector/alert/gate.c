/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/utf8.h>

#include "alert.h"
#include "evidence.h"
#include "noise.h"
#include "outbox.h"
#include "register.h"
#include "retired.h"
#include "rollup.h"
#include "rules.h"
#include "silences.h"
#include "sites.h"
#include "state.h"

#define WORK_LIST_MS (2 * 3600 * 1000)
#define NAME_LEAST 8 /* characters of a key that is given in part */
#define LANES 4096   /* buckets of what is held, by its key */

struct gate {
	struct gate_config config;
	struct silences *silences;
	struct noise *noise;
	struct held *lanes[LANES];
	size_t n;
	bool changed; /* in a transaction that has not ended */
	bool stale;   /* it could not be read again */
};

/* ---- the reasons ---- */

static bool is_unobserved(
	struct gate *gate, const struct held *held, struct moment now, char why[GATE_WHY])
{
	const struct episode *episode = &held->episode;
	return gate->config.sites && *episode->instance &&
		sites_hold(gate->config.sites, episode->instance,
			pairs_get(&episode->labels, "job"), now.mono_ms, why);
}

/* As the register had it when it fired; an alert about a site has it as a label. */
static const char *site_of(const struct episode *episode)
{
	const char *site = pairs_get(&episode->annotations, "site");
	return *site ? site : pairs_get(&episode->labels, "site");
}

static bool is_in_maintenance(
	struct gate *gate, const struct held *held, struct moment now, char why[GATE_WHY])
{
	const struct registry *registry = gate->config.options->registry;
	const struct episode *episode = &held->episode;
	if (!registry)
		return false;
	const struct register_maintenance *window = register_in_maintenance(registry,
		episode->instance, register_site(registry, site_of(episode)), now.wall_ms);
	if (window)
		snprintf(why, GATE_WHY, "%.150s", window->entry.name);
	return window != NULL;
}

static bool is_silenced(
	struct gate *gate, const struct held *held, struct moment now, char why[GATE_WHY])
{
	return silences_hold(gate->silences, &held->episode, now.wall_ms, why);
}

static bool is_in_storm(
	struct gate *gate, const struct held *held, struct moment now, char why[GATE_WHY])
{
	return noise_storms(gate->noise, &gate->config.options->noise, held, now.wall_ms, why);
}

static bool is_flapping(
	struct gate *gate, const struct held *held, struct moment now, char why[GATE_WHY])
{
	return noise_flaps(gate->noise, held, now.wall_ms, why);
}

static bool is_over_budget(
	struct gate *gate, const struct held *held, struct moment now, char why[GATE_WHY])
{
	return noise_overspends(gate->noise, &gate->config.options->noise, held, now.wall_ms, why);
}

static bool is_retired_by_somebody(
	const struct gate *gate, const struct episode *episode, char why[GATE_WHY])
{
	const struct retirement *by = retired_find(gate->config.retired, episode->instance);
	if (by)
		snprintf(why, GATE_WHY, "retired by %.60s: %.100s", by->who, by->reason);
	return by != NULL;
}

static bool is_out_of_service(
	struct gate *gate, const struct held *held, struct moment now, char why[GATE_WHY])
{
	const struct episode *episode = &held->episode;
	const struct registry *registry = gate->config.options->registry;
	struct register_life known;
	if (!*episode->instance)
		return false;
	if (is_retired_by_somebody(gate, episode, why))
		return true;
	if (!registry)
		return false;
	const struct fw_label names[] = {
		{"instance", episode->instance},
		{"job", pairs_get(&episode->labels, "job")},
	};
	register_host_life(registry, names, 2, &known);
	enum register_lifecycle life = register_lifecycle_at(&known, now.wall_ms);
	snprintf(why, GATE_WHY, "%s by the register", register_lifecycle_names[life]);
	return !register_is_in_service(life);
}

/* What was so when its host was first heard is nobody's fault of today: an emergency it is
 * only if it comes about later. */
static bool was_so_at_first(const struct gate *gate, const struct episode *episode)
{
	const struct gate_config *config = &gate->config;
	if (!config->first_heard_ms)
		return false;
	int64_t first_ms = config->first_heard_ms(episode->instance, config->arg);
	return first_ms > 0 && episode->life.starts_ms - first_ms <= WORK_LIST_MS;
}

static bool is_work(
	struct gate *gate, const struct held *held, struct moment now, char why[GATE_WHY])
{
	const struct episode *episode = &held->episode;
	const struct rule *rule = episode->is_ruled ? NULL : rule_find(episode->rule);
	(void)now;
	if (rule && rule->late)
		snprintf(why, GATE_WHY, "for the next patch night; %s tells when it is late",
			rule->late);
	else
		snprintf(why, GATE_WHY, "it was so when its host first reported");
	return rule && (rule->late || (rule->is_work && was_so_at_first(gate, episode)));
}

static const struct reason {
	const char *name;
	bool (*holds)(
		struct gate *gate, const struct held *held, struct moment now, char why[GATE_WHY]);
	bool crowds; /* one alert tells of all that it holds */
	bool mutes;  /* what was told already goes to nobody else meanwhile */
	bool links;  /* what holds all links of a site holds that it cannot be reached */
} reasons[] = {
	{"unobserved", is_unobserved, false, true, false},
	{"in maintenance", is_in_maintenance, false, true, true},
	{"silenced", is_silenced, false, true, true},
	{"not in service", is_out_of_service, false, true, true},
	{ALERT_WORK_LIST, is_work, false, true, false},
	{"storm", is_in_storm, true, false, false},
	{"flapping", is_flapping, false, false, false},
	{"budget", is_over_budget, true, false, false},
};

/* NULL: it tells of no line, or the register does not have the site. */
static const struct register_site *line_of(const struct gate *gate, const struct episode *episode)
{
	const struct registry *registry = gate->config.options->registry;
	if (!registry || episode->is_ruled || strcmp(episode->rule, SITES_RULE) != 0)
		return NULL;
	return register_site(registry, pairs_get(&episode->labels, "site"));
}

/* What would hold it that this link is silent. */
static const struct reason *reason_of_link(
	struct gate *gate, const char *link, struct moment now, char why[GATE_WHY])
{
	struct notice_pair labels[] = {{"alertname", "HostSilent"}, {"instance", link}};
	const struct held silent = {
		.episode = {.rule = "HostSilent", .instance = link, .labels = {labels, 2}}};
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].links && reasons[i].holds(gate, &silent, now, why))
			return &reasons[i];
	return NULL;
}

static bool links_are_held(struct gate *gate, const struct reason *reason,
	const struct episode *episode, struct moment now, char why[GATE_WHY])
{
	const struct register_site *line = line_of(gate, episode);
	bool holds = false;
	for (size_t i = 0; line && i < line->links.count; i++) {
		const char *link = line->links.items[i];
		char said[GATE_WHY];
		if (gate->config.sites && !sites_knows(gate->config.sites, link))
			continue;
		const struct reason *of_link = reason_of_link(gate, link, now, said);
		if (!of_link)
			return false;
		if (of_link == reason)
			snprintf(why, GATE_WHY, "%.60s: %.130s", link, said);
		holds |= of_link == reason;
	}
	return holds;
}

static bool holds(struct gate *gate, const struct reason *reason, const struct held *held,
	struct moment now, char why[GATE_WHY])
{
	return reason->holds(gate, held, now, why) ||
		(reason->links && links_are_held(gate, reason, &held->episode, now, why));
}

/* Names are cut after so many bytes: what that left of a character goes, too. */
static void drop_parts(char *text)
{
	char *to = text;
	uint32_t code;
	for (size_t left = strlen(text), n; left > 0; text += n, left -= n) {
		size_t whole = fw_utf8_decode(text, left, &code);
		memmove(to, text, whole);
		to += whole;
		n = whole ? whole : 1;
	}
	*to = '\0';
}

static const struct reason *judge(
	struct gate *gate, const struct held *held, struct moment now, char why[GATE_WHY])
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (!holds(gate, &reasons[i], held, now, why))
			continue;
		drop_parts(why);
		return &reasons[i];
	}
	return NULL;
}

bool gate_mutes(struct gate *gate, const struct episode *episode, struct moment now)
{
	const struct held told = {.episode = *episode};
	char why[GATE_WHY];
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].mutes && holds(gate, &reasons[i], &told, now, why))
			return true;
	return false;
}

bool gate_silences_told(const struct gate *gate, const struct episode *episode, struct moment now,
	char why[GATE_WHY])
{
	if (gate_find(gate, episode->key) ||
		!silences_hold(gate->silences, episode, now.wall_ms, why))
		return false;
	drop_parts(why);
	return true;
}

/* ---- what is held ---- */

static struct held **lane_of(const struct gate *gate, const char *key)
{
	return (struct held **)&gate->lanes[identity_hash(key) % LANES];
}

static struct held **link_of(const struct gate *gate, const char *key)
{
	struct held **link = lane_of(gate, key);
	while (*link && strcmp((*link)->episode.key, key) != 0)
		link = &(*link)->next;
	return link;
}

const struct held *gate_find(const struct gate *gate, const char *key)
{
	return *link_of(gate, key);
}

static struct held *held_new(const struct episode *episode)
{
	struct held *held = fw_alloc(sizeof *held);
	held->episode = *episode;
	held->episode.rule = fw_strdup(episode->rule);
	held->episode.instance = fw_strdup(episode->instance);
	held->episode.severity = fw_strdup(episode->severity);
	pairs_copy(&held->episode.labels, episode->labels.items, episode->labels.n);
	pairs_copy(&held->episode.annotations, episode->annotations.items, episode->annotations.n);
	held->reason = "";
	return held;
}

static void add(struct gate *gate, struct held *held)
{
	struct held **lane = lane_of(gate, held->episode.key);
	held->next = *lane;
	*lane = held;
	gate->n++;
}

/* Takes it out and ends it. */
static void drop(struct gate *gate, struct held **link)
{
	struct held *held = *link;
	*link = held->next;
	gate->n--;
	noise_leave(held->crowd);
	pairs_done(&held->episode.labels);
	pairs_done(&held->episode.annotations);
	fw_free((char *)held->episode.rule);
	fw_free((char *)held->episode.instance);
	fw_free((char *)held->episode.severity);
	fw_free(held);
}

static void drop_all(struct gate *gate)
{
	for (size_t i = 0; i < LANES; i++)
		while (gate->lanes[i])
			drop(gate, &gate->lanes[i]);
}

/* ---- as it is written down ---- */

static const char *known_name(const char *name)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (strcmp(reasons[i].name, name) == 0)
			return reasons[i].name;
	return "";
}

static void move_to(struct gate *gate, struct held *held, struct crowd *crowd, int64_t now_ms)
{
	if (crowd == held->crowd)
		return;
	noise_leave(held->crowd);
	held->crowd = crowd;
	if (!crowd)
		return;
	noise_join(crowd, now_ms);
	rollup_add(crowd, gate->config.options, &held->episode);
}

/* Whether a storm is over depends on how many are held for it. */
static void on_untold(const struct episode *episode, const char *reason, const char *why, void *arg)
{
	struct gate *gate = arg;
	struct held *held = held_new(episode);
	held->reason = known_name(reason);
	snprintf(held->why, sizeof held->why, "%s", why);
	if (strcmp(reason, "storm") == 0)
		move_to(gate, held, noise_storm(gate->noise, episode), episode->life.starts_ms);
	add(gate, held);
}

static int load(struct gate *gate, struct fw_err *err)
{
	drop_all(gate);
	int rc = noise_load(gate->noise, gate->config.state, err);
	return rc < 0 ? rc : book_untold(gate->config.state, on_untold, gate, err);
}

bool gate_wants(const struct gate *gate, size_t feed, const struct episode *episode)
{
	return rollup_wants(
		noise_told_by(gate->noise, episode->key), gate->config.options, feed, episode);
}

static int write_told(
	struct gate *gate, const struct episode *episode, int64_t now_ms, struct fw_err *err)
{
	const struct alert_options *options = gate->config.options;
	bool *wanted = fw_alloc_array(options->n_feeds + 1, sizeof *wanted);
	for (size_t i = 0; i < options->n_feeds; i++)
		wanted[i] = gate_wants(gate, i, episode);
	int rc = book_tell(gate->config.state, options, episode, wanted, now_ms, err);
	fw_free(wanted);
	return rc;
}

/* Writes what became of it: 1 when it is told, 0 when it is held. */
static int write_judgement(
	struct gate *gate, struct held *held, struct moment now, struct fw_err *err)
{
	char why[GATE_WHY] = "";
	const struct reason *reason = judge(gate, held, now, why);
	gate->changed = true;
	move_to(gate, held, reason && reason->crowds ? noise_crowd(gate->noise) : NULL,
		now.wall_ms);
	if (!reason) {
		noise_told(gate->noise, &held->episode, now.wall_ms);
		int rc = write_told(gate, &held->episode, now.wall_ms, err);
		return rc < 0 ? rc : 1;
	}
	if (reason->name == held->reason && strcmp(why, held->why) == 0)
		return 0;
	held->reason = reason->name;
	snprintf(held->why, sizeof held->why, "%s", why);
	return book_hold(gate->config.state, &held->episode, reason->name, why, now.wall_ms, err);
}

int gate_reworded(
	struct gate *gate, const struct episode *episode, const char *summary, struct fw_err *err)
{
	struct held *held = *link_of(gate, episode->key);
	int rc = book_reworded(gate->config.state, episode, summary, err);
	if (rc == 0 && held)
		pairs_set(&held->episode.annotations, "summary", summary);
	return rc;
}

void gate_annotate(struct gate *gate, const char *key, const struct pairs *annotations)
{
	struct held *held = *link_of(gate, key);
	if (!held)
		return;
	pairs_done(&held->episode.annotations);
	pairs_copy(&held->episode.annotations, annotations->items, annotations->n);
}

int gate_fired(struct gate *gate, struct episode *episode, struct moment now, struct fw_err *err)
{
	int rc = book_fired(gate->config.state, episode, err);
	if (rc < 0)
		return rc;
	add(gate, held_new(episode));
	struct held **link = link_of(gate, episode->key);
	rc = write_judgement(gate, *link, now, err);
	if (rc > 0)
		drop(gate, link);
	return rc < 0 ? rc : 0;
}

int gate_resolved(struct gate *gate, const struct episode *episode, struct fw_err *err)
{
	struct held **link = link_of(gate, episode->key);
	gate->changed = true;
	noise_ended(gate->noise, episode);
	if (*link)
		drop(gate, link);
	return book_resolved(gate->config.state, gate->config.options, episode, err);
}

/* What was not written has not happened. */
void gate_settle(struct gate *gate, bool written)
{
	if (!written && gate->changed)
		gate->stale = load(gate, NULL) < 0;
	gate->changed = false;
}

static int judge_lane(struct gate *gate, struct held **link, struct moment now, struct fw_err *err)
{
	int told = 0;
	while (*link) {
		int rc = write_judgement(gate, *link, now, err);
		if (rc < 0)
			return rc;
		if (rc > 0)
			drop(gate, link);
		else
			link = &(*link)->next;
		told += rc;
	}
	return told;
}

int gate_look(struct gate *gate, struct moment now, struct fw_err *err)
{
	int told = 0;
	int rc = gate->stale ? load(gate, err) : 0;
	gate->stale = rc < 0;
	if (rc < 0 || gate->n == 0)
		return rc;
	rc = state_begin(gate->config.state, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < LANES && rc >= 0; i++) {
		rc = judge_lane(gate, &gate->lanes[i], now, err);
		told += rc > 0 ? rc : 0;
	}
	rc = state_finish(gate->config.state, rc < 0 ? rc : 0, err);
	gate_settle(gate, rc == 0);
	return rc < 0 ? rc : told;
}

/* ---- what tells of many ---- */

static int tell_missing(struct gate *gate, const struct crowd *crowd, const struct episode *episode,
	int64_t now_ms, struct fw_err *err)
{
	const struct alert_options *options = gate->config.options;
	struct state *state = gate->config.state;
	int told = 0, rc = 0;
	for (size_t i = 0; rc >= 0 && i < options->n_feeds; i++) {
		if (options->feeds[i]->after_ms != 0 || !rollup_wants(crowd, options, i, episode))
			continue;
		rc = book_has_heard(state, options->feeds[i]->name, episode, err);
		if (rc != 0)
			continue;
		rc = book_tell_feed(state, options, i, episode, now_ms, err);
		told += rc == 0;
	}
	return rc < 0 ? rc : told;
}

int gate_spread(struct gate *gate, struct crowd *crowd, const struct episode *episode,
	struct moment now, struct fw_err *err)
{
	if (gate_find(gate, episode->key) || gate_mutes(gate, episode, now))
		return 0;
	int rc = state_begin(gate->config.state, err);
	if (rc < 0)
		return rc;
	int told = tell_missing(gate, crowd, episode, now.wall_ms, err);
	rc = state_finish(gate->config.state, told < 0 ? told : 0, err);
	crowd->grew = rc < 0;
	return rc < 0 ? rc : told;
}

/* ---- the work list ---- */

static int find_work(struct gate *gate, const char *name, struct held ***link, struct fw_err *err)
{
	size_t length = strlen(name), n = 0;
	for (size_t i = 0; i < LANES; i++)
		for (struct held **at = &gate->lanes[i]; *at; at = &(*at)->next) {
			const char *key = (*at)->episode.key;
			if (strcmp((*at)->reason, ALERT_WORK_LIST) != 0 || length < NAME_LEAST ||
				strncmp(key, name, length) != 0)
				continue;
			*link = at;
			n++;
		}
	if (n > 1)
		return fw_fail(err, -EINVAL, "several begin with '%.60s': say more of it", name);
	return n == 1 ? 0 : fw_fail(err, -ENOENT, "there is no '%.60s' on the work list", name);
}

static int write_handed(struct gate *gate, const struct episode *episode, const char *who,
	int64_t now_ms, struct fw_err *err)
{
	int rc = state_begin(gate->config.state, err);
	if (rc < 0)
		return rc;
	rc = evidence_answered(gate->config.state, episode->key, episode->life.starts_ms, "handed",
		who, "", now_ms, err);
	if (rc == 0)
		rc = write_told(gate, episode, now_ms, err);
	return state_finish(gate->config.state, rc, err);
}

int gate_hand(
	struct gate *gate, const char *name, const char *who, struct moment now, struct fw_err *err)
{
	struct held **link;
	int rc = find_work(gate, name, &link, err);
	if (rc == 0)
		rc = write_handed(gate, &(*link)->episode, who, now.wall_ms, err);
	if (rc < 0)
		return rc;
	noise_told(gate->noise, &(*link)->episode, now.wall_ms);
	drop(gate, link);
	return 0;
}

/* ---- opening and closing ---- */

struct silences *gate_silences(struct gate *gate)
{
	return gate->silences;
}

struct noise *gate_noise(struct gate *gate)
{
	return gate->noise;
}

void gate_reload(struct gate *gate, const struct alert_options *options)
{
	gate->config.options = options;
	for (struct crowd *crowd = noise_crowds(gate->noise); crowd; crowd = crowd->next)
		rollup_forget(crowd);
	for (size_t i = 0; i < LANES; i++)
		for (struct held *held = gate->lanes[i]; held; held = held->next)
			if (held->crowd)
				rollup_add(held->crowd, options, &held->episode);
}

void gate_close(struct gate *gate)
{
	if (!gate)
		return;
	drop_all(gate);
	noise_free(gate->noise);
	silences_close(gate->silences);
	fw_free(gate);
}

int gate_open(struct gate **out, const struct gate_config *config, struct fw_err *err)
{
	struct gate *gate = fw_alloc(sizeof *gate);
	gate->config = *config;
	gate->noise = noise_new();
	int rc = silences_open(&gate->silences, config->state, err);
	if (rc == 0)
		rc = load(gate, err);
	if (rc == 0)
		*out = gate;
	else
		gate_close(gate);
	return rc;
}
