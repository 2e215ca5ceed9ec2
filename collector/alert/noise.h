/* How much feeds are told: of a storm, of an alert that flaps, and in a day.
 *
 * Remembers what was told in the last day. Of more than so many alerts of one
 * rule and one supplier within a minute the others are held, until few of them
 * are left, and so is what joins them within the hour: later it is another
 * fault. Those of priority P1 are counted by themselves, so that no crowd of
 * lesser ones hides them. An alert that comes back within the hour is held
 * while its host has had its notices of that hour; and each host, site and the
 * estate have a budget of tickets a day, which alerts of priority P1 do not ask
 * for. What is held for a storm or a budget stands in a crowd, of which one
 * alert tells (incidents.c). What is no ticket counts for none of these. Wall
 * time; the main thread's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>

#include "gate.h"

#define NOISE_FLAPS 4 /* notices an hour of a host that flaps */

struct alert_noise;
struct noise;
struct state;

enum crowd_kind { CROWD_STORM, CROWD_BUDGET };
struct crowd {
	struct crowd *next;
	enum crowd_kind kind;
	const char *name;     /* the rule, or whose budget: "host web01", "site Boston", "estate" */
	const char *supplier; /* of a storm: whose hosts they are, or "" */
	bool is_urgent;       /* of a storm: it is of alerts of priority P1 */
	size_t n;
	char key[IDENTITY_KEY]; /* of the alert that tells of it; "" before there was one */
	bool *wanted;           /* by the place of a feed: it would have heard of one of them */
	size_t n_wanted;
	bool grew;         /* so would one more, and was not told */
	int64_t since_ms;  /* when the first of those that are in it came */
	int64_t joined_ms; /* when the last one did */
	bool is_raised;
};

struct noise *noise_new(void);
void noise_free(struct noise *noise); /* NULL, too */
/* What was told, as it is written down; what was remembered is forgotten. */
int noise_load(struct noise *noise, struct state *state, struct fw_err *err);

void noise_told(struct noise *noise, const struct episode *episode, int64_t now_ms);
void noise_ended(struct noise *noise, const struct episode *episode);

/* Whether it is held, and for which crowd. `limits` NULL: nothing is. */
bool noise_storms(struct noise *noise, const struct alert_noise *limits, const struct held *held,
	int64_t now_ms, char why[GATE_WHY]);
bool noise_flaps(
	const struct noise *noise, const struct held *held, int64_t now_ms, char why[GATE_WHY]);
bool noise_overspends(struct noise *noise, const struct alert_noise *limits,
	const struct held *held, int64_t now_ms, char why[GATE_WHY]);

/* The storm of alerts like this one. */
struct crowd *noise_storm(struct noise *noise, const struct episode *episode);
/* The crowd that the last of these that said yes put it in. */
struct crowd *noise_crowd(struct noise *noise);
void noise_join(struct crowd *crowd, int64_t now_ms);
void noise_leave(struct crowd *crowd); /* NULL, too */
struct crowd *noise_crowds(struct noise *noise);
/* Of which the alert with this key tells; NULL: it tells of none. */
struct crowd *noise_told_by(const struct noise *noise, const char *key);
