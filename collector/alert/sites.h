/* Sites that cannot be reached, so that their line is told of and not each host behind it.
 *
 * Who can tell whether a site can be reached are its links, where the register names any
 * that were ever heard: it cannot while none of them is heard. At a site without links it
 * is all of its hosts: it cannot when four fifths of them have gone silent together. Who is
 * heard behind silent links proves that the site is reached.
 *
 * A host that is silent is not told of while a site above it is unreachable; nor before
 * it is known, that is until one of those who can tell was heard after the host was missed,
 * or all of them are silent as well; nor for a while after the site can be reached again,
 * in which it may be heard. So it does not matter who is missed first. Nor does it who says
 * so first: a rule of somebody's own may tell of a host that is only late yet. Of sites within one
 * another only the uppermost is an incident.
 *
 * Nor is a device told of, for which a host's agent speaks, while that host is silent: it is as
 * one behind a link of its own. It may be heard again for a while after its host was.
 *
 * Times are monotonic. The main thread's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/schema.h>

#include "gate.h"

/* How long an agent may take to come back after it could not reach the collector. */
#define SITES_COMES_BACK_MS (330 * 1000)
/* And a device, after the agent that speaks for it. */
#define SITES_SPEAKER_SETTLES_MS (60 * 1000)
#define SITES_RULE "SiteUnreachable" /* that tells of a site's line */

struct registry;
struct sites;

struct site_host {
	const struct fw_label *labels; /* live on, and tell hosts apart */
	size_t n_labels;
	int64_t heard_ms, interval_ms;
	bool was_heard;  /* since the start */
	bool is_silent;  /* it has missed more than it may */
	bool is_late;    /* not so much, but somebody may have told of it already */
	bool is_away;    /* and nobody minds */
	size_t speaker;  /* who speaks for it: a place among the hosts, from 1; 0: itself */
	int64_t back_ms; /* when it was heard again after it had been silent; 0: never was */
};

struct sites *sites_new(void);
void sites_free(struct sites *sites); /* NULL, too */
/* What was concluded of sites stays with their names; NULL: there are no sites, and all of it is
 * forgotten. The register lives on. */
void sites_set_register(struct sites *sites, const struct registry *registry);

/* What is known of all hosts now. */
void sites_look(struct sites *sites, const struct site_host *hosts, size_t n, int64_t now_ms);

/* Whether the host with this name (and job, unless that is "") is silent, or may be, for
 * its site's sake. */
bool sites_hold(const struct sites *sites, const char *instance, const char *job, int64_t now_ms,
	char why[GATE_WHY]);

/* Whether one of that name was ever heard. */
bool sites_knows(const struct sites *sites, const char *instance);

/* Whether this site, or one above it, cannot be reached. */
struct register_site;
bool sites_is_down(const struct sites *sites, const struct register_site *known);

/* A site that is an incident since then, or 0: that is one no longer. `n_hosts` are silent in
 * it and below. */
struct site_incident {
	const char *site, *tier;
	int64_t since_ms;
	size_t n_hosts;
};
/* `each` says whether the incident has been raised; of those that have it is told again and
 * again, and once when they are over. */
void sites_each(struct sites *sites, int64_t now_ms,
	bool (*each)(const struct site_incident *incident, void *arg), void *arg);
