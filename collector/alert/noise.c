/* SPDX-License-Identifier: Apache-2.0 */
#include "noise.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "alert.h"
#include "context.h"
#include "rules.h"
#include "state.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define REMEMBERED 10000 /* of what was told; the oldest are forgotten */

const struct fw_option alert_noise_table[] = {
	{
		.name = "storm",
		.help = "alerts of one rule and supplier within a minute, of which more become one; 0: no limit",
		.type = FW_OPT_INT,
		.offset = offsetof(struct alert_noise, storm),
		.fallback = "5",
		.min = 0,
		.max = 100000,
	},
	{
		.name = "host",
		.help = "tickets a day of one host; 0: no limit",
		.type = FW_OPT_INT,
		.offset = offsetof(struct alert_noise, host),
		.fallback = "25",
		.min = 0,
		.max = 100000,
	},
	{
		.name = "site",
		.help = "tickets a day of one site",
		.type = FW_OPT_INT,
		.offset = offsetof(struct alert_noise, site),
		.fallback = "100",
		.min = 0,
		.max = 100000,
	},
	{
		.name = "estate",
		.help = "tickets a day in all",
		.type = FW_OPT_INT,
		.offset = offsetof(struct alert_noise, estate),
		.fallback = "300",
		.min = 0,
		.max = 100000,
	},
	{0},
};

struct told {
	char key[IDENTITY_KEY];
	const char *rule, *instance, *site, *supplier;
	uint32_t key_hash, instance_hash, site_hash; /* looked at before the texts */
	bool is_urgent;
	int64_t starts_ms, told_ms, ended_ms; /* the last: 0 while it goes on */
};

struct noise {
	struct told *told; /* in the order in which they were told */
	size_t n;
	struct crowd *crowds, *last;
};

/* ---- what was told ---- */

static void forget_first(struct noise *noise, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		fw_free((char *)noise->told[i].rule);
		fw_free((char *)noise->told[i].instance);
		fw_free((char *)noise->told[i].site);
		fw_free((char *)noise->told[i].supplier);
	}
	noise->n -= n;
	memmove(noise->told, noise->told + n, noise->n * sizeof *noise->told);
}

static void forget_old(struct noise *noise, int64_t now_ms)
{
	size_t old = 0;
	while (old < noise->n && noise->told[old].told_ms <= now_ms - DAY_MS)
		old++;
	if (noise->n - old == REMEMBERED)
		old++;
	forget_first(noise, old);
}

static const char *supplier_of(const struct episode *episode)
{
	return context_value(&episode->labels, &episode->annotations, "supplier");
}

static bool is_urgent(const struct episode *episode)
{
	return strcmp(pairs_get(&episode->annotations, "priority"), "P1") == 0;
}

/* A rule of a file may have the name of a built-in one. */
static const struct rule *built_in_of(const struct episode *episode)
{
	return episode->is_ruled ? NULL : rule_find(episode->rule);
}

static bool is_aside(const struct episode *episode)
{
	const struct rule *rule = built_in_of(episode);
	return rule && rule->is_aside;
}

static void append(struct noise *noise, const struct episode *episode, int64_t told_ms)
{
	const char *site = pairs_get(&episode->annotations, "site");
	struct told *told = &noise->told[noise->n++];
	*told = (struct told){
		.rule = fw_strdup(episode->rule),
		.instance = fw_strdup(episode->instance),
		.site = fw_strdup(site),
		.supplier = fw_strdup(supplier_of(episode)),
		.key_hash = identity_hash(episode->key),
		.instance_hash = identity_hash(episode->instance),
		.site_hash = identity_hash(site),
		.is_urgent = is_urgent(episode),
		.starts_ms = episode->life.starts_ms,
		.told_ms = told_ms,
		.ended_ms = episode->life.ends_ms,
	};
	snprintf(told->key, sizeof told->key, "%s", episode->key);
}

void noise_told(struct noise *noise, const struct episode *episode, int64_t now_ms)
{
	if (is_aside(episode))
		return;
	forget_old(noise, now_ms);
	append(noise, episode, now_ms);
	noise->told[noise->n - 1].ended_ms = 0;
}

void noise_ended(struct noise *noise, const struct episode *episode)
{
	for (size_t i = noise->n; i-- > 0;) {
		struct told *told = &noise->told[i];
		if (told->starts_ms == episode->life.starts_ms &&
			strcmp(told->key, episode->key) == 0) {
			told->ended_ms = episode->life.ends_ms;
			return;
		}
	}
}

/* Words that are damaged are none; the book has said so. */
static void append_row(struct noise *noise, sqlite3_stmt *row)
{
	struct episode episode = {
		.rule = state_text(row, 1),
		.instance = state_text(row, 2),
		.is_ruled = sqlite3_column_int(row, 3) != 0,
		.life = {.starts_ms = sqlite3_column_int64(row, 6),
			.ends_ms = sqlite3_column_int64(row, 8)},
	};
	snprintf(episode.key, sizeof episode.key, "%s", state_text(row, 0));
	pairs_parse(state_text(row, 4), &episode.labels);
	pairs_parse(state_text(row, 5), &episode.annotations);
	if (!is_aside(&episode))
		append(noise, &episode, sqlite3_column_int64(row, 7));
	pairs_done(&episode.labels);
	pairs_done(&episode.annotations);
}

int noise_load(struct noise *noise, struct state *state, struct fw_err *err)
{
	sqlite3_stmt *row;
	int rc = state_query(state, &row, err,
		"SELECT * FROM (SELECT key, rule, instance, is_ruled, labels, annotations,"
		" starts_ms, told_ms, ends_ms FROM episode WHERE told_ms > 0"
		" ORDER BY told_ms DESC LIMIT ?) ORDER BY told_ms",
		"i", (int64_t)REMEMBERED - 1);
	if (rc < 0)
		return rc;
	forget_first(noise, noise->n);
	while ((rc = state_step(state, row, err)) > 0)
		append_row(noise, row);
	state_done(row);
	return rc;
}

/* In a storm all that was told in a day is gone through for each alert. */
static bool is_told(uint32_t told_hash, const char *told, uint32_t hash, const char *text)
{
	return told_hash == hash && strcmp(told, text) == 0;
}

/* ---- crowds ---- */

static bool is_same(const struct crowd *a, const struct crowd *b)
{
	return a->kind == b->kind && a->is_urgent == b->is_urgent &&
		strcmp(a->name, b->name) == 0 && strcmp(a->supplier, b->supplier) == 0;
}

static struct crowd *find_crowd(const struct noise *noise, const struct crowd *wanted)
{
	struct crowd *crowd = noise->crowds;
	while (crowd && !is_same(crowd, wanted))
		crowd = crowd->next;
	return crowd;
}

static struct crowd *crowd_of(struct noise *noise, const struct crowd *wanted)
{
	struct crowd *crowd = find_crowd(noise, wanted);
	if (crowd)
		return crowd;
	crowd = fw_alloc(sizeof *crowd);
	*crowd = (struct crowd){
		.next = noise->crowds,
		.kind = wanted->kind,
		.name = fw_strdup(wanted->name),
		.supplier = fw_strdup(wanted->supplier),
		.is_urgent = wanted->is_urgent,
	};
	return noise->crowds = crowd;
}

static struct crowd storm_of(const struct episode *episode)
{
	return (struct crowd){
		.kind = CROWD_STORM,
		.name = episode->rule,
		.supplier = supplier_of(episode),
		.is_urgent = is_urgent(episode),
	};
}

struct crowd *noise_storm(struct noise *noise, const struct episode *episode)
{
	const struct crowd wanted = storm_of(episode);
	return crowd_of(noise, &wanted);
}

struct crowd *noise_crowd(struct noise *noise)
{
	return noise->last;
}

struct crowd *noise_crowds(struct noise *noise)
{
	return noise->crowds;
}

struct crowd *noise_told_by(const struct noise *noise, const char *key)
{
	struct crowd *crowd = noise->crowds;
	while (crowd && strcmp(crowd->key, key) != 0)
		crowd = crowd->next;
	return crowd;
}

void noise_join(struct crowd *crowd, int64_t now_ms)
{
	if (crowd->n++ == 0)
		crowd->since_ms = crowd->joined_ms = now_ms;
	if (now_ms > crowd->joined_ms)
		crowd->joined_ms = now_ms;
}

void noise_leave(struct crowd *crowd)
{
	if (crowd)
		crowd->n--;
}

/* It stands for many already, or is no ticket. */
static bool is_free(const struct episode *episode)
{
	const struct rule *rule = built_in_of(episode);
	return rule && (rule->is_aside || (rule->kind == RULE_RAISED && !*episode->instance));
}

/* ---- storms ---- */

/* How many were told of those that such a storm is of. */
static size_t told_of(const struct noise *noise, const struct crowd *storm, int64_t since_ms)
{
	size_t n = 0;
	for (size_t i = noise->n; i-- > 0 && noise->told[i].told_ms > since_ms;) {
		const struct told *told = &noise->told[i];
		n += told->is_urgent == storm->is_urgent && strcmp(told->rule, storm->name) == 0 &&
			strcmp(told->supplier, storm->supplier) == 0;
	}
	return n;
}

/* Held with others already, or so soon behind them that it is of the same cause. */
static bool is_of(const struct crowd *crowd, const struct held *held, int64_t now_ms)
{
	return held->crowd == crowd || now_ms - crowd->joined_ms < HOUR_MS;
}

/* So many are in it already that one more is nothing new. */
static bool goes_on(const struct crowd *crowd, size_t few, const struct held *held, int64_t now_ms)
{
	return crowd && crowd->n > few && is_of(crowd, held, now_ms);
}

bool noise_storms(struct noise *noise, const struct alert_noise *limits, const struct held *held,
	int64_t now_ms, char why[GATE_WHY])
{
	const struct episode *episode = &held->episode;
	if (!limits || limits->storm == 0 || is_free(episode))
		return false;
	const struct crowd storm = storm_of(episode);
	size_t few = (size_t)limits->storm;
	if (!goes_on(find_crowd(noise, &storm), few, held, now_ms) &&
		told_of(noise, &storm, now_ms - MINUTE_MS) < few)
		return false;
	noise->last = crowd_of(noise, &storm);
	snprintf(why, GATE_WHY, "more than %" PRId64 " alerts of %.100s within a minute",
		limits->storm, episode->rule);
	return true;
}

/* ---- flapping ---- */

bool noise_flaps(
	const struct noise *noise, const struct held *held, int64_t now_ms, char why[GATE_WHY])
{
	const struct episode *episode = &held->episode;
	int64_t since_ms = now_ms - HOUR_MS;
	uint32_t key = identity_hash(episode->key), instance = identity_hash(episode->instance);
	bool again = false;
	int notices = 0;
	for (size_t i = 0; i < noise->n; i++) {
		const struct told *told = &noise->told[i];
		bool is_same = is_told(told->key_hash, told->key, key, episode->key);
		if (!is_same &&
			(!*episode->instance ||
				!is_told(told->instance_hash, told->instance, instance,
					episode->instance)))
			continue;
		again |= is_same && told->told_ms > since_ms;
		notices += (told->told_ms > since_ms) + (told->ended_ms > since_ms);
	}
	if (!again || notices <= NOISE_FLAPS - 2)
		return false;
	snprintf(why, GATE_WHY, "it comes and goes: %d notices an hour are told", NOISE_FLAPS);
	return true;
}

/* ---- budgets ---- */

static bool is_spent(struct noise *noise, int64_t budget, size_t spent, const char *whose,
	const char *name, char why[GATE_WHY])
{
	char full[160];
	if (budget == 0 || spent < (size_t)budget)
		return false;
	snprintf(full, sizeof full, "%s%s%.120s", whose, *name ? " " : "", name);
	noise->last = crowd_of(
		noise, &(struct crowd){.kind = CROWD_BUDGET, .name = full, .supplier = ""});
	snprintf(why, GATE_WHY, "the budget of %" PRId64 " tickets a day is spent: %s", budget,
		full);
	return true;
}

bool noise_overspends(struct noise *noise, const struct alert_noise *limits,
	const struct held *held, int64_t now_ms, char why[GATE_WHY])
{
	const struct episode *episode = &held->episode;
	const char *site = pairs_get(&episode->annotations, "site");
	uint32_t instance_hash = identity_hash(episode->instance), site_hash = identity_hash(site);
	size_t of_host = 0, of_site = 0, all = 0;
	if (!limits || (limits->host == 0 && limits->site == 0 && limits->estate == 0) ||
		is_free(episode) || is_urgent(episode))
		return false;
	for (size_t i = noise->n; i-- > 0 && noise->told[i].told_ms > now_ms - DAY_MS; all++) {
		const struct told *told = &noise->told[i];
		of_host += is_told(
			told->instance_hash, told->instance, instance_hash, episode->instance);
		of_site += is_told(told->site_hash, told->site, site_hash, site);
	}
	return is_spent(noise, limits->estate, all, "estate", "", why) ||
		(*site && is_spent(noise, limits->site, of_site, "site", site, why)) ||
		(*episode->instance &&
			is_spent(noise, limits->host, of_host, "host", episode->instance, why));
}

/* ---- the whole ---- */

struct noise *noise_new(void)
{
	struct noise *noise = fw_alloc(sizeof *noise);
	noise->told = fw_alloc_array(REMEMBERED, sizeof *noise->told);
	return noise;
}

void noise_free(struct noise *noise)
{
	if (!noise)
		return;
	forget_first(noise, noise->n);
	while (noise->crowds) {
		struct crowd *crowd = noise->crowds;
		noise->crowds = crowd->next;
		fw_free((char *)crowd->name);
		fw_free((char *)crowd->supplier);
		fw_free(crowd->wanted);
		fw_free(crowd);
	}
	fw_free(noise->told);
	fw_free(noise);
}
