/* A group of rules at one moment: what its expressions give, recorded and alerted.
 *
 * Rules run in order at one timestamp, and a rule sees what those before it have
 * recorded. What comes out are samples: recorded series, ALERTS and
 * ALERTS_FOR_STATE, and a stale mark for each series that the evaluation before
 * had given and this one does not. They are handed over when a later rule asks
 * for one of them, and at the end. Pure: no loop, no clock, time as an argument.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>

#include "life.h"
#include "promql.h"
#include "rulefile.h"

enum rule_health { RULE_UNKNOWN, RULE_OK, RULE_FAILED };

struct group_sample {
	struct label_set labels;
	double value; /* promql_absent(): its series ends here */
};

/* The series that a rule gave at its last evaluation, sorted. */
struct group_given {
	struct label_set *items;
	size_t n;
};

struct group_rule {
	const struct file_rule *rule;
	struct rule_lives lives;
	struct group_given given;
	enum rule_health health;
	char *trouble; /* while the health is RULE_FAILED */
	int64_t evaluated_ms, took_ms;
	bool is_restored; /* until then ALERTS are not recorded: they would hide what was */
	bool is_told;     /* its trouble, to whom reads the log */
};

struct group {
	const struct file_group *file;
	struct group_rule *rules; /* as many as the file says */
	int64_t evaluated_ms, took_ms;
};

struct group_settings {
	const struct promql_data *data;
	struct promql_limits limits;
	const struct label_set *external_labels; /* NULL: none */
	const char *external_url;
	int64_t offset_ms;        /* of groups that have none of their own */
	int64_t (*mono_ms)(void); /* for took_ms; NULL: it is not measured */
	/* Samples are to be seen by questions asked later. */
	int (*on_samples)(void *arg, const struct group_sample *samples, size_t n, int64_t at_ms,
		struct fw_err *err);
	/* An alert's phase is another one now. May be NULL. */
	void (*on_changed)(void *arg, const struct group_rule *rule, const struct rule_alert *alert,
		enum alert_phase before);
	void *arg;
};

void group_init(struct group *group, const struct file_group *file);
void group_done(struct group *group);

/* Returns the number of rules that failed; which and why is in their `health`. */
size_t group_evaluate(struct group *group, int64_t at_ms, const struct group_settings *settings);
/* Goes on with what another one, of an earlier reading of the file, knows of the same rules.
 * What is left there was taken out of the file. */
void group_take_over(struct group *group, struct group *before);
/* There was no outage that its alerts could have waited through. */
void group_begin_anew(struct group *group);
/* Ends the series that it has given. */
int group_end(struct group *group, int64_t at_ms, const struct group_settings *settings,
	struct fw_err *err);
/* After an outage of an hour at most: alerts that waited then go on waiting from there. What
 * was known is asked of ALERTS_FOR_STATE. */
void group_restore(struct group *group, int64_t now_ms, const struct group_settings *settings);
