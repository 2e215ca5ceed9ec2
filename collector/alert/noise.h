/* How much feeds are told: of a storm, of an alert that flaps, and in a day.
 *
 * Remembers what was told in the last day. Of more than so many alerts of one
 * rule within a minute the others are held, until few of them are left, and so
 * is what joins them within the hour: later it is another fault. An alert
 * that comes back within the hour is held while its host has had its notices of
 * that hour; and each host, site and the estate have a budget of tickets a day,
 * which alerts of priority P1 do not ask for. What is held for a storm or a
 * budget stands in a crowd, of which one alert tells (incidents.c). Wall time;
 * the main thread's.
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
	char *name; /* the rule, or whose budget: "host web01", "site Boston", "estate" */
	size_t n;
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

/* Of the storm of this rule. */
struct crowd *noise_storm(struct noise *noise, const char *rule);
/* The crowd that the last of these that said yes put it in. */
struct crowd *noise_crowd(struct noise *noise);
void noise_join(struct crowd *crowd, int64_t now_ms);
void noise_leave(struct crowd *crowd); /* NULL, too */
struct crowd *noise_crowds(struct noise *noise);
