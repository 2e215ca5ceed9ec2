/* Rules at work: their groups are evaluated, each at its interval, on a thread of its own.
 *
 * One group after the other, so that rules never take more than one core from
 * those who ask. What is to be known of rules and alerts is published after each
 * evaluation, and may be asked from any thread at any time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "group.h"
#include "rulefile.h"

struct schedule;
struct schedule_group;

struct schedule_config {
	const struct promql_data *data; /* what rules ask */
	/* Keeps samples: when it returns they can be read. The thread's. */
	int (*on_samples)(void *arg, const struct group_sample *samples, size_t n, int64_t at_ms,
		struct fw_err *err);
	/* Of the thread too: what a group is at after its evaluation, and all groups once others
	 * were loaded. Either may be NULL. */
	void (*on_evaluated)(void *arg, const struct schedule_group *group);
	void (*on_loaded)(void *arg, const struct schedule_group *groups, size_t n);
	void *arg;
	struct promql_limits limits;             /* of one question */
	int64_t interval_ms;                     /* of groups that do not say */
	const struct label_set *external_labels; /* for templates; kept until the end */
	const char *external_url;
};

int schedule_open(struct schedule **out, const struct schedule_config *config, struct fw_err *err);
/* These rules from the next round on; the set is the schedule's then. */
void schedule_load(struct schedule *schedule, struct rule_set *set);
/* Breaks off what is being asked. */
void schedule_close(struct schedule *schedule);

struct schedule_alert {
	struct label_set labels, annotations;
	enum alert_phase phase; /* pending or firing */
	double value;
	int64_t active_ms, fired_ms; /* the latter 0: it has not */
	int64_t unseen_ms;           /* since when it is only kept firing; 0: it is not */
};

struct schedule_rule {
	const char *name, *query; /* the latter in the language's normal form */
	bool is_alert;
	int64_t for_ms, keep_firing_ms;
	struct label_set labels, annotations; /* as the file has them */
	enum rule_health health;
	const char *trouble;           /* "" unless it failed */
	int64_t evaluated_ms, took_ms; /* 0: not yet */
	struct schedule_alert *alerts;
	size_t n_alerts;
};

struct schedule_group {
	const char *file, *name;
	int64_t interval_ms, limit;
	int64_t evaluated_ms, took_ms;
	uint64_t evaluations, missed, failures;
	struct schedule_rule *rules;
	size_t n_rules;
};

/* All groups, by file and name. */
void schedule_list(struct schedule *schedule, struct fw_arena *arena,
	struct schedule_group **groups, size_t *n);
