/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include <stdio.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "alert.h"
#include "enrol.h"
#include "feed.h"
#include "remote.h"
#include "schedule.h"
#include "store.h"

#define FEED_FAILS_MS (5 * 60 * 1000)
#define DAY_MS INT64_C(86400000)
#define CERTIFICATE_SOON_MS (30 * DAY_MS)
#define TEXT 256

/* Since when a feed fails. */
struct failing {
	char *name;
	int64_t since_ms;
};

struct health {
	struct health_config config;
	bool has_looked;
	uint64_t refused, missed; /* as they were then */
	struct failing *failing;
	size_t n_failing;
};

static void tell(struct health *health, const char *rule, const struct notice_pair *apart,
	bool ails, const char *text)
{
	if (ails)
		alerts_raise(health->config.alerts, rule, apart, text);
	else
		alerts_clear(health->config.alerts, rule, apart);
}

/* ---- the ring ---- */

static void look_at_ring(struct health *health)
{
	struct store_stat stat;
	struct store_reach reach[STORE_TIERS];
	char text[TEXT] = "";
	bool warns = false;
	store_stat(health->config.store, &stat);
	store_reach(&stat, reach);
	for (int tier = 0; tier < STORE_TIERS && !warns; tier++)
		warns = store_reach_warning(reach, (enum store_tier)tier, text, sizeof text);
	tell(health, "RingTooShort", NULL, warns, text);
}

/* ---- what has grown since ---- */

static uint64_t count_refused(const struct health *health)
{
	struct remote_stat remote;
	struct store_stat store;
	uint64_t n;
	store_stat(health->config.store, &store);
	remote_stat(health->config.remote, &remote);
	n = store.refused;
	for (size_t i = 0; i < STORE_REFUSALS; i++)
		n += remote.refused[i];
	return n;
}

static uint64_t count_missed(const struct health *health)
{
	struct fw_arena arena = {0};
	struct schedule_group *groups;
	size_t n;
	uint64_t missed = 0;
	schedule_list(health->config.schedule, &arena, &groups, &n);
	for (size_t i = 0; i < n; i++)
		missed += groups[i].missed;
	fw_arena_done(&arena);
	return missed;
}

/* What is no longer raised is over by itself, a quarter of an hour later. */
static void look_at_growth(
	struct health *health, const char *rule, const char *what, uint64_t *before, uint64_t now)
{
	char text[TEXT];
	snprintf(text, sizeof text, "%s, lately: %llu", what,
		(unsigned long long)(now > *before ? now - *before : 0));
	if (health->has_looked && now > *before)
		tell(health, rule, NULL, true, text);
	*before = now;
}

/* ---- feeds ---- */

static struct failing *find_failing(struct health *health, const char *name)
{
	for (size_t i = 0; i < health->n_failing; i++)
		if (strcmp(health->failing[i].name, name) == 0)
			return &health->failing[i];
	return NULL;
}

static void drop_failing(struct health *health, struct failing *failing)
{
	fw_free(failing->name);
	*failing = health->failing[--health->n_failing];
}

/* For how long it has not taken what waits. */
static int64_t fails_for_ms(
	struct health *health, const struct alert_feed_view *feed, int64_t now_ms)
{
	bool fails = feed->live && feed->waiting > 0 && *feed->last_error;
	struct failing *known = find_failing(health, feed->name);
	if (fails && !known) {
		health->failing = fw_realloc(
			health->failing, (health->n_failing + 1) * sizeof *health->failing);
		health->failing[health->n_failing++] =
			(struct failing){fw_strdup(feed->name), now_ms};
	} else if (!fails && known) {
		drop_failing(health, known);
	}
	return fails && known ? now_ms - known->since_ms : 0;
}

static void look_at_feed(struct health *health, const struct alert_feed_view *feed, int64_t now_ms)
{
	const struct notice_pair apart = {"feed", feed->name};
	bool fails = fails_for_ms(health, feed, now_ms) >= FEED_FAILS_MS;
	char text[TEXT];
	if (fails)
		snprintf(text, sizeof text, "the feed %.60s fails, notices waiting: %llu: %.120s",
			feed->name, (unsigned long long)feed->waiting, feed->last_error);
	else
		snprintf(text, sizeof text, "the feed %.60s has refused notices: %llu", feed->name,
			(unsigned long long)feed->refused);
	tell(health, "FeedFailing", &apart, fails || feed->refused > 0, text);
}

static void look_at_feeds(struct health *health, int64_t now_ms)
{
	struct fw_arena arena = {0};
	struct alert_feed_view *views;
	size_t n = 0;
	if (alert_feeds(health->config.alerts, &arena, &views, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			look_at_feed(health, &views[i], now_ms);
	fw_arena_done(&arena);
}

/* ---- certificates ---- */

static void look_at_certificate(struct health *health, const char *which, int64_t left_ms)
{
	const struct notice_pair apart = {"certificate", which};
	char text[TEXT];
	snprintf(text, sizeof text, "the collector's certificate %s %s %lld days", which,
		left_ms < 0 ? "has ended for" : "ends in",
		(long long)(left_ms < 0 ? -left_ms : left_ms) / DAY_MS);
	tell(health, "CollectorCertificateEnds", &apart, left_ms < CERTIFICATE_SOON_MS, text);
}

static void look_at_certificates(struct health *health, int64_t own_ms, int64_t now_ms)
{
	struct fw_arena arena = {0};
	struct enrol_authorities all;
	enrol_authorities(health->config.enrol, now_ms, &arena, &all);
	look_at_certificate(health, "authority", all.now.expires_ms - now_ms);
	fw_arena_done(&arena);
	if (own_ms > 0)
		look_at_certificate(health, "api", own_ms - now_ms);
}

/* ---- all of it ---- */

void health_look(struct health *health, int64_t certificate_ms, int64_t now_ms)
{
	look_at_ring(health);
	look_at_growth(health, "SamplesRefused", "the collector has refused samples",
		&health->refused, count_refused(health));
	look_at_growth(health, "RulesLate", "evaluations of rules that were left out",
		&health->missed, count_missed(health));
	look_at_feeds(health, now_ms);
	look_at_certificates(health, certificate_ms, now_ms);
	health->has_looked = true;
}

struct health *health_new(const struct health_config *config)
{
	struct health *health = fw_alloc(sizeof *health);
	health->config = *config;
	return health;
}

void health_free(struct health *health)
{
	while (health && health->n_failing > 0)
		drop_failing(health, &health->failing[0]);
	if (health)
		fw_free(health->failing);
	fw_free(health);
}
