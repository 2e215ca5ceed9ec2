/* SPDX-License-Identifier: Apache-2.0 */
#include "sites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "register.h"

#define LANES 1024 /* buckets of sites */
#define TOGETHER_MS (10 * 60 * 1000)
#define CROWD 3         /* hosts without which a site without links is not judged */
#define MISSED_HALVES 5 /* half intervals, after which a host has been missed */

/* What has been made of a site's incident. */
enum standing { STANDING_UNSURE, STANDING_RAISED, STANDING_CLEAR };

struct site {
	struct site *next, *above;
	const struct register_site *known;
	struct member **links;
	size_t n_links;
	struct member *members; /* its own, without those of sites below */
	enum standing standing;
	/* Of this look: who can tell, how many of them are silent, and with how many it is down. */
	size_t voters, silent, alive, together, needed;
	int64_t newest_ms; /* when the last of the silent ones was heard */
	int64_t missed_ms; /* when the last of them was clear to be silent */
	bool is_witnessed; /* a host behind its links was heard after that */
	int64_t down_ms;   /* since when it is unreachable, or 0 */
	int64_t up_ms;     /* since when it can be reached again; 0: it always could */
};

/* A host as of this look. */
struct member {
	struct site_host host;
	struct site *site;   /* or NULL */
	struct member *next; /* of the site */
};

/* What was concluded of a site before there was another register. */
struct conclusion {
	struct conclusion *next;
	char *name;
	enum standing standing;
	int64_t down_ms, up_ms;
};

struct sites {
	const struct registry *registry;
	struct conclusion *before;
	struct site *lanes[LANES];
	struct member *members;
	size_t n;
	struct member **by_name;
};

/* ---- names ---- */

static const char *name_of(const struct member *member)
{
	return fw_label_value(member->host.labels, member->host.n_labels, "instance");
}

static int by_name(const void *a, const void *b)
{
	const struct member *const *x = a, *const *y = b;
	return strcmp(name_of(*x), name_of(*y));
}

/* The first of that name, or where it would be. */
static size_t first_named(const struct sites *sites, const char *name)
{
	size_t low = 0, high = sites->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(name_of(sites->by_name[middle]), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct member *find(const struct sites *sites, const char *name, const char *job)
{
	size_t first = first_named(sites, name);
	for (size_t i = first; i < sites->n && strcmp(name_of(sites->by_name[i]), name) == 0; i++) {
		const struct site_host *host = &sites->by_name[i]->host;
		if (!*job || strcmp(fw_label_value(host->labels, host->n_labels, "job"), job) == 0)
			return sites->by_name[i];
	}
	return NULL;
}

/* ---- which sites there are, and who is where ---- */

static size_t lane_of(const struct register_site *known)
{
	return (uintptr_t)known / sizeof *known % LANES;
}

static struct site *find_site(const struct sites *sites, const struct register_site *known)
{
	struct site *site = sites->lanes[lane_of(known)];
	while (site && site->known != known)
		site = site->next;
	return site;
}

static void take_conclusion(const struct sites *sites, struct site *site)
{
	const struct conclusion *c = sites->before;
	while (c && strcmp(c->name, site->known->entry.name) != 0)
		c = c->next;
	if (!c)
		return;
	site->standing = c->standing;
	site->down_ms = c->down_ms;
	site->up_ms = c->up_ms;
}

static struct site *site_of(struct sites *sites, const struct register_site *known)
{
	struct site *site = known ? find_site(sites, known) : NULL;
	if (site || !known)
		return site;
	struct site **lane = &sites->lanes[lane_of(known)];
	site = fw_alloc(sizeof *site);
	site->known = known;
	site->next = *lane;
	*lane = site;
	take_conclusion(sites, site);
	site->above = site_of(sites, known->parent);
	return site;
}

static void forget_sites(struct sites *sites)
{
	for (size_t i = 0; i < LANES; i++)
		while (sites->lanes[i]) {
			struct site *site = sites->lanes[i];
			sites->lanes[i] = site->next;
			fw_free(site->links);
			fw_free(site);
		}
}

static void forget_conclusions(struct sites *sites)
{
	while (sites->before) {
		struct conclusion *conclusion = sites->before;
		sites->before = conclusion->next;
		fw_free(conclusion->name);
		fw_free(conclusion);
	}
}

/* Of sites of which nothing was concluded there is nothing to keep. */
static void keep_conclusions(struct sites *sites)
{
	for (size_t i = 0; i < LANES; i++)
		for (const struct site *site = sites->lanes[i]; site; site = site->next) {
			if (site->standing == STANDING_UNSURE && !site->down_ms && !site->up_ms)
				continue;
			struct conclusion *conclusion = fw_alloc(sizeof *conclusion);
			*conclusion = (struct conclusion){
				.next = sites->before,
				.name = fw_strdup(site->known->entry.name),
				.standing = site->standing,
				.down_ms = site->down_ms,
				.up_ms = site->up_ms,
			};
			sites->before = conclusion;
		}
}

static void place_member(struct sites *sites, struct member *member)
{
	struct register_host known;
	if (!sites->registry)
		return;
	register_host(sites->registry, member->host.labels, member->host.n_labels, &known);
	member->site = site_of(sites, known.site);
}

static void find_links(const struct sites *sites, struct site *site)
{
	const struct fw_text_list *names = &site->known->links;
	fw_free(site->links);
	site->links = fw_alloc_array(names->count + 1, sizeof(struct member *));
	site->n_links = 0;
	for (size_t i = 0; i < names->count; i++) {
		struct member *link = find(sites, names->items[i], "");
		if (link)
			site->links[site->n_links++] = link;
	}
}

static bool is_same_set(const struct sites *sites, const struct site_host *hosts, size_t n)
{
	if (n != sites->n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (hosts[i].labels != sites->members[i].host.labels)
			return false;
	return true;
}

static void join_sites(struct sites *sites)
{
	for (size_t i = 0; i < LANES; i++)
		for (struct site *site = sites->lanes[i]; site; site = site->next) {
			find_links(sites, site);
			site->members = NULL;
		}
	for (size_t i = 0; i < sites->n; i++) {
		struct member *member = &sites->members[i];
		if (!member->site)
			continue;
		member->next = member->site->members;
		member->site->members = member;
	}
}

/* Those that were there before stay at their site; the register is asked of others only. */
static void take_set(struct sites *sites, const struct site_host *hosts, size_t n)
{
	struct member *before = sites->members;
	size_t n_before = sites->n, at = 0;
	sites->members = fw_alloc_array(n + 1, sizeof *sites->members);
	sites->by_name = fw_realloc(sites->by_name, (n + 1) * sizeof(struct member *));
	sites->n = n;
	for (size_t i = 0; i < n; i++) {
		struct member *member = sites->by_name[i] = &sites->members[i];
		member->host = hosts[i];
		if (at < n_before && before[at].host.labels == hosts[i].labels)
			member->site = before[at++].site;
		else
			place_member(sites, member);
	}
	if (n > 1)
		qsort(sites->by_name, n, sizeof(struct member *), by_name);
	join_sites(sites);
	fw_free(before);
}

/* ---- who is silent ---- */

/* When it was clear that it had fallen silent. */
static int64_t missed_at(const struct site_host *host)
{
	return host->heard_ms + host->interval_ms / 2 * MISSED_HALVES;
}

static void add_voter(struct site *site, const struct site_host *host)
{
	site->voters++;
	site->alive += host->was_heard && !host->is_silent;
	if (!host->is_silent)
		return;
	site->silent++;
	if (host->heard_ms > site->newest_ms)
		site->newest_ms = host->heard_ms;
	if (missed_at(host) > site->missed_ms)
		site->missed_ms = missed_at(host);
}

static bool is_crowd(const struct site *site)
{
	return site->n_links == 0;
}

static void count_links(struct site *site)
{
	for (size_t i = 0; i < site->n_links; i++)
		add_voter(site, &site->links[i]->host);
	site->together = site->silent;
}

/* Of a site without links: its own hosts, of which silence matters. */
static void count_crowd(struct site *site)
{
	for (const struct member *member = site->members; member; member = member->next)
		if (!member->host.is_away)
			add_voter(site, &member->host);
	for (const struct member *member = site->members; member; member = member->next)
		site->together += member->host.is_silent &&
			member->host.heard_ms >= site->newest_ms - TOGETHER_MS;
	if (site->voters < CROWD)
		site->voters = 0;
}

static void count_voters(struct site *site)
{
	site->voters = site->silent = site->alive = site->together = 0;
	site->newest_ms = site->missed_ms = 0;
	site->is_witnessed = false;
	if (is_crowd(site))
		count_crowd(site);
	else
		count_links(site);
	site->needed = is_crowd(site) ? (site->voters * 4 + 4) / 5 : site->voters;
}

static void look_for_witnesses(struct sites *sites)
{
	for (size_t i = 0; i < sites->n; i++) {
		const struct member *member = &sites->members[i];
		for (struct site *site = member->site; site; site = site->above)
			site->is_witnessed |= !is_crowd(site) && site->silent > 0 &&
				member->host.heard_ms > site->missed_ms;
	}
}

static void judge(struct site *site, int64_t now_ms)
{
	bool down = site->voters > 0 && site->together >= site->needed && !site->is_witnessed;
	if (down && site->down_ms == 0) {
		site->down_ms = now_ms;
	} else if (!down && site->down_ms != 0) {
		/* Where no incident was raised it was its links' own fault. */
		if (site->standing == STANDING_RAISED || site->silent < site->needed)
			site->up_ms = now_ms;
		site->down_ms = 0;
	}
}

void sites_look(struct sites *sites, const struct site_host *hosts, size_t n, int64_t now_ms)
{
	if (!is_same_set(sites, hosts, n))
		take_set(sites, hosts, n);
	for (size_t i = 0; i < n; i++)
		sites->members[i].host = hosts[i];
	for (size_t i = 0; i < LANES; i++)
		for (struct site *site = sites->lanes[i]; site; site = site->next)
			count_voters(site);
	look_for_witnesses(sites);
	for (size_t i = 0; i < LANES; i++)
		for (struct site *site = sites->lanes[i]; site; site = site->next)
			judge(site, now_ms);
}

/* ---- what that means for one host ---- */

static size_t heard_since(const struct site *site, int64_t at_ms)
{
	size_t n = 0;
	for (size_t i = 0; i < site->n_links; i++)
		n += site->links[i]->host.heard_ms > at_ms;
	if (is_crowd(site))
		for (const struct member *member = site->members; member; member = member->next)
			n += !member->host.is_away && member->host.heard_ms > at_ms;
	return n;
}

/* Whether it cannot be told yet if the site was reached at `at_ms`. */
static bool is_open(const struct site *site, int64_t at_ms)
{
	return site->voters > 0 && site->silent < site->needed &&
		heard_since(site, at_ms) <= site->voters - site->needed;
}

static bool may_come_back(const struct site *site, const struct site_host *host, int64_t now_ms)
{
	int64_t wait_ms = host->interval_ms / 2 * MISSED_HALVES;
	if (wait_ms < SITES_COMES_BACK_MS)
		wait_ms = SITES_COMES_BACK_MS;
	return site->up_ms != 0 && host->heard_ms < site->up_ms && now_ms < site->up_ms + wait_ms;
}

static bool hold_for(const struct site *site, const char *words, char why[GATE_WHY])
{
	snprintf(why, GATE_WHY, words, site->known->entry.name);
	return true;
}

static bool hold_for_site(const struct member *member, int64_t now_ms, char why[GATE_WHY])
{
	const struct site_host *host = &member->host;
	const struct site *site = member->site;
	for (; site; site = site->above)
		if (site->down_ms != 0 && (host->is_silent || host->is_late))
			return hold_for(site, "the site %.120s cannot be reached", why);
	for (site = member->site; site; site = site->above)
		if (may_come_back(site, host, now_ms))
			return hold_for(
				site, "the site %.120s can be reached again; it may, too", why);
	if (host->is_late)
		return hold_for(member->site,
			"it is late, and whether the site %.120s can be reached is not known yet",
			why);
	if (!host->is_silent)
		return !host->was_heard && now_ms < host->heard_ms + SITES_COMES_BACK_MS &&
			hold_for(member->site, "it was not heard since the start, at %.120s", why);
	for (site = member->site; site; site = site->above)
		if (is_open(site, missed_at(host)))
			return hold_for(site,
				"whether the site %.120s can be reached is not known yet", why);
	return false;
}

/* Of one that is late it is as for one that is missed, only sooner. */
static bool is_unknown_since(const struct site_host *host, const struct site_host *speaker)
{
	int64_t missed_ms =
		host->is_silent ? missed_at(host) : host->heard_ms + host->interval_ms / 2 * 3;
	return speaker->heard_ms <= missed_ms;
}

static bool may_follow(
	const struct site_host *host, const struct site_host *speaker, int64_t now_ms)
{
	int64_t wait_ms = host->interval_ms / 2 * MISSED_HALVES;
	if (wait_ms < SITES_SPEAKER_SETTLES_MS)
		wait_ms = SITES_SPEAKER_SETTLES_MS;
	return speaker->back_ms != 0 && host->heard_ms < speaker->back_ms &&
		now_ms < speaker->back_ms + wait_ms;
}

/* NULL: nothing holds it. */
static const char *why_for_speaker(
	const struct site_host *host, const struct site_host *speaker, int64_t now_ms)
{
	if (!host->was_heard && !host->is_silent && now_ms < host->heard_ms + SITES_COMES_BACK_MS)
		return "it was not heard since the start; the agent of %.120s speaks for it";
	if (!host->is_silent && !host->is_late)
		return NULL;
	if (speaker->is_silent || speaker->is_away)
		return "the agent of %.120s, which speaks for it, is not heard";
	if (may_follow(host, speaker, now_ms))
		return "the agent of %.120s, which speaks for it, is heard again; it may be, too";
	if (is_unknown_since(host, speaker))
		return "whether the agent of %.120s, which speaks for it, is heard is not known "
		       "yet";
	return NULL;
}

static bool hold_for_speaker(
	const struct sites *sites, const struct site_host *host, int64_t now_ms, char why[GATE_WHY])
{
	if (host->speaker == 0 || host->speaker > sites->n)
		return false;
	const struct member *speaker = &sites->members[host->speaker - 1];
	const char *words = why_for_speaker(host, &speaker->host, now_ms);
	if (words)
		snprintf(why, GATE_WHY, words, name_of(speaker));
	return words != NULL;
}

bool sites_hold(const struct sites *sites, const char *instance, const char *job, int64_t now_ms,
	char why[GATE_WHY])
{
	const struct member *member = find(sites, instance, job);
	return member &&
		((member->site && hold_for_site(member, now_ms, why)) ||
			hold_for_speaker(sites, &member->host, now_ms, why));
}

bool sites_knows(const struct sites *sites, const char *instance)
{
	return find(sites, instance, "") != NULL;
}

bool sites_is_down(const struct sites *sites, const struct register_site *known)
{
	for (; known; known = known->parent) {
		const struct site *site = find_site(sites, known);
		if (site && site->down_ms != 0)
			return true;
	}
	return false;
}

/* ---- incidents ---- */

static size_t count_silent(const struct sites *sites, const struct site *top)
{
	size_t n = 0;
	for (size_t i = 0; i < sites->n; i++)
		for (const struct site *site = sites->members[i].site; site; site = site->above)
			n += site == top && sites->members[i].host.is_silent;
	return n;
}

/* One above it is the incident, or may yet turn out to be. */
static bool is_covered(const struct site *site, int64_t now_ms)
{
	for (const struct site *above = site->above; above; above = above->above)
		if (above->down_ms != 0 || is_open(above, site->missed_ms) ||
			(above->up_ms != 0 && now_ms < above->up_ms + SITES_COMES_BACK_MS))
			return true;
	return false;
}

/* Those that can tell have said so since the start, or there are none. */
static bool is_up(const struct site *site)
{
	return site->voters == 0 || site->alive > site->voters - site->needed;
}

static void tell_of(const struct sites *sites, struct site *site, int64_t now_ms,
	bool (*each)(const struct site_incident *incident, void *arg), void *arg)
{
	struct site_incident incident = {
		.site = site->known->entry.name,
		.tier = register_tier_names[site->known->tier],
	};
	if (site->down_ms != 0 &&
		(site->standing == STANDING_RAISED || !is_covered(site, now_ms))) {
		incident.since_ms = site->down_ms;
		incident.n_hosts = count_silent(sites, site);
		if (each(&incident, arg))
			site->standing = STANDING_RAISED;
	} else if (site->down_ms == 0 && site->standing != STANDING_CLEAR && is_up(site)) {
		each(&incident, arg);
		site->standing = STANDING_CLEAR;
	}
}

void sites_each(struct sites *sites, int64_t now_ms,
	bool (*each)(const struct site_incident *incident, void *arg), void *arg)
{
	for (size_t i = 0; i < LANES; i++)
		for (struct site *site = sites->lanes[i]; site; site = site->next)
			tell_of(sites, site, now_ms, each, arg);
}

/* ---- the whole ---- */

void sites_set_register(struct sites *sites, const struct registry *registry)
{
	/* Without a look since the last time there is nothing newer. */
	if (!registry || sites->n > 0)
		forget_conclusions(sites);
	if (registry)
		keep_conclusions(sites);
	sites->registry = registry;
	forget_sites(sites);
	sites->n = 0;
}

struct sites *sites_new(void)
{
	return fw_alloc(sizeof(struct sites));
}

void sites_free(struct sites *sites)
{
	if (!sites)
		return;
	forget_sites(sites);
	forget_conclusions(sites);
	fw_free(sites->members);
	fw_free(sites->by_name);
	fw_free(sites);
}
