/* What rules would have done: their groups evaluated over what is stored.
 *
 * Every group is evaluated at each of its moments from the first to the last, all groups in
 * the order of time, so that a rule sees what others would have recorded; what is stored
 * of the same names, and ALERTS, is not seen. At the first moment nothing is known: what had
 * waited before begins to wait then. Nothing is written. Pure apart from the data and the
 * clock that is handed in.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "label_set.h"
#include "promql.h"
#include "rulefile.h"

#define REPLAY_EVALUATIONS 50000 /* of groups, in all */
#define REPLAY_ALERTS 10000
#define REPLAY_RECORDED 2000000 /* samples */

struct replay {
	const struct promql_data *data;
	struct promql_limits limits; /* of one question */
	int64_t timeout_ms;          /* of all of it; 0: none */
	int64_t (*mono_ms)(void);
	int64_t from_ms, to_ms;
	int64_t step_ms;                         /* 0: each group's own */
	int64_t interval_ms;                     /* of groups that do not say */
	const struct label_set *external_labels; /* NULL: none */
	const char *external_url;
};

struct replay_alert {
	const struct file_rule *rule;
	struct label_set labels, annotations; /* the latter as it fired, or began to wait */
	double value;                         /* of then */
	int64_t active_ms;
	int64_t fired_ms; /* 0: it has not */
	int64_t ended_ms; /* 0: it goes on */
};

struct replay_rule {
	const struct file_group *group;
	const struct file_rule *rule;
	size_t n_waited, n_fired; /* alerts that ended without having fired; that fired */
	int64_t firing_ms;        /* of all its alerts together */
	size_t n_failures;
	const char *trouble; /* the last, or "" */
};

struct replay_result {
	size_t n_evaluations;
	struct replay_rule *rules; /* in the file's order */
	size_t n_rules;
	struct replay_alert *alerts; /* by when they began */
	size_t n_alerts;
	enum promql_fault fault; /* when the call failed */
};

/* The result lives in the arena, and with the file. -E2BIG, -ETIME, -ECANCELED with a sentence. */
int replay_run(const struct replay *replay, const struct rulefile *file, struct fw_arena *arena,
	struct replay_result *out, struct fw_err *err);
