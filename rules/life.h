/* The alerts of one rule, and how they live.
 *
 *   inactive --seen--> pending --held `for`--> firing --not seen--> inactive
 *                        |                        ^  `keep_firing_for` |
 *                        +--not seen: dropped     +-----seen again-----+
 *
 * An alert is known by its labels after templating. Every evaluation hands over
 * all that its expression gave; what has ended is kept for a quarter of an
 * hour, so that its end can be told more than once. Time is the evaluation's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "label_set.h"

#define LIFE_RESOLVED_MS (15 * 60 * 1000)
#define LIFE_TOLERANCE_MS (60 * 60 * 1000) /* of an outage, over which `for` is remembered */
#define LIFE_GRACE_MS (10 * 60 * 1000)     /* the least `for` that waits on after an outage */

enum alert_phase { ALERT_IS_INACTIVE, ALERT_IS_PENDING, ALERT_IS_FIRING };

struct rule_alert {
	struct label_set labels, annotations; /* its own copies */
	enum alert_phase phase;
	double value;
	int64_t active_ms;   /* when it became pending */
	int64_t fired_ms;    /* 0: it has not */
	int64_t resolved_ms; /* 0: it has not */
	int64_t unseen_ms;   /* when `keep_firing_for` began; 0: it is seen */
};

/* What one evaluation gave, in any order; labels and annotations stay the caller's. */
struct life_seen {
	struct label_set labels, annotations;
	double value;
};

struct life_rule {
	int64_t for_ms, keep_firing_ms;
	int64_t limit; /* of alerts that are pending or firing; 0: none */
};

struct rule_lives {
	struct rule_alert *alerts; /* sorted by labels */
	size_t n;
};

/* Called for each alert whose phase is another one now. One that was dropped is gone after. */
typedef void life_changed(void *arg, const struct rule_alert *alert, enum alert_phase before);

/* -EINVAL with Prometheus' sentence: two with the same labels (nothing changes), or more
 * than the limit (all are forgotten). */
int life_evaluate(struct rule_lives *lives, const struct life_rule *rule, struct life_seen *seen,
	size_t n, int64_t at_ms, life_changed *on_changed, void *arg, struct fw_err *err);
/* An alert that was active at `active_ms` when last heard of at `heard_ms`: goes on from
 * there, less the time between. */
void life_restore(struct rule_alert *alert, const struct life_rule *rule, int64_t active_ms,
	int64_t heard_ms, int64_t now_ms);
void life_done(struct rule_lives *lives);

const char *alert_phase_text(enum alert_phase phase); /* "inactive", "pending", "firing" */
