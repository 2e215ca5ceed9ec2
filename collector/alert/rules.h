/* The built-in rules, and how collector.yml adjusts them.
 *
 * A rule looks at one metric of a host (or at its ratio to another one with the
 * same labels, or to how many series of another one there are), passes over series whose `unless` metric with the same labels
 * is not 0, and compares; of a moment it compares how far ahead that lies, in
 * seconds. RULE_SILENCE looks at how many of its intervals a
 * host has missed; RULE_BEHIND and RULE_AHEAD at how many seconds its clock is from the
 * collector's; RULE_RAISED is opened and cleared by name, not by a series.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <fenwatch/conf.h>

#include "alert.h"
#include "engine.h"
#include "pairs.h"

enum rule_kind { RULE_SERIES, RULE_SILENCE, RULE_BEHIND, RULE_AHEAD, RULE_RAISED };

struct rule {
	const char *name, *help;
	const char *severity;
	enum rule_kind kind;
	const char *metric, *divisor, *unless; /* the first two: one of "a|b", in pairs */
	const char *per, *per_mode; /* a metric, and the "mode" of which it has one each */
	const char *label, *value;  /* the metric must have this one too, or one of "a|b" */
	const char *source;         /* what reads it, one of "a|b"; NULL: the collector itself */
	bool outlasts;              /* what is broken may vanish for that: gone is not over */
	const char *worse;          /* the rule that takes over where it is broken as well */
	const char *late;   /* work for the next patch night: the rule that tells when it is late */
	bool is_work;       /* so it is, too, where it is so when its host first reports */
	bool is_aside;      /* it is no ticket: feeds hear of it whose `match` names it */
	bool is_either_way; /* how far it is from 0 is what counts */
	bool sums;          /* what is not told apart is added up */
	bool ahead;         /* the metric is a moment, in seconds since 1970 */
	bool is_age;        /* so it is, and how many days ago it was is what counts */
	const char *identity;     /* the label that tells its alerts on one host apart, or NULL */
	const char *identity_too; /* and the other one, or NULL; it sorts after the first. Of two
				     that which is not there counts as none */
	struct limits limits;
	const char *summary; /* "{instance}" and other labels, "{value}", "{percent}", "{time}" and
				"{detail}" are filled in */
};

#define RULES 62
extern const struct rule rules[RULES];

/* A rule as it is in force. */
struct alert_rule_option {
	const struct rule *rule;
	bool enabled;
	struct limits limits;
};

const struct rule *rule_find(const char *name);
/* Whether it looks at something that is stored. */
bool rule_looks_back(const struct rule *rule);
bool rule_wants(const struct rule *rule, const char *value); /* of its label */
/* Which of its metrics this is, from 0; -1: none. */
int rule_metric(const struct rule *rule, const char *name);
/* What that metric is divided by, "" for nothing; `name` holds 128 bytes. */
void rule_divisor(const struct rule *rule, int metric, char name[128]);
bool rule_has_source(const struct rule *rule, const char *name);
/* Which rules series of this name concern: bit N is of rules[N]. */
struct rule_set {
	uint64_t metric; /* whose metric it is, or one of them */
	uint64_t looks;  /* that look at it, as that or to set it beside another one */
};
struct rule_set rules_of_name(const char *name);
/* Fills all of RULES with defaults, then with what the options say. */
void rules_in_force(const struct alert_options *options, struct alert_rule_option out[RULES]);
/* What an engineer reads: the rule's summary with its gaps filled; the caller frees it.
 * `detail` follows a colon, where there is any. */
char *rule_summary(
	const struct rule *rule, const struct pairs *labels, double value, const char *detail);
