/* What watch.c and its parts share: hosts in memory, and which of their series rules look at.
 *
 * watch.c has the hosts and their silence, watch_select.c finds the series, watch_series.c
 * looks at their newest values, watch_clock.c at their clocks, watch_first.c keeps since when
 * a host is known, and watch_speaker.c finds whose agent tells of which device.
 */
#pragma once

#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

#include "internal.h"
#include "register.h"
#include "store.h"

#define LOOKBACK_MS (5 * 60 * 1000) /* older values of another schema are no values */
#define RESELECT_AT_ONCE 256        /* a look: the loop has other work too */
#define INFO_METRIC "fenwatch_host_info"
#define SUCCESS_METRIC "node_scrape_collector_success"

/* A series that a rule looks at: places in the group's columns. */
struct item {
	const struct alert_rule_option *rule, *worse; /* `worse` may be NULL */
	uint32_t metric, divisor, unless;             /* NO_COLUMN: none */
	uint32_t parts;                               /* by which it is divided; 0: it is not */
};
#define NO_COLUMN UINT32_MAX

struct group {
	struct store_group store;
	struct item *items;
	size_t n_items;
	uint32_t *more; /* of each column: the next one of its sum, or NO_COLUMN */
	int64_t at_ms;  /* of the newest sweep that was looked at */
};

struct pace {
	int64_t interval_ms;
	int64_t step_ms; /* the last one */
	bool measured;   /* the interval is the host's own */
};

struct host {
	uint32_t id;
	const struct fw_label *labels;
	size_t n_labels;
	uint64_t changes;
	int64_t newest_ms, received_ms;
	int64_t first_ms;    /* wall: when it was first heard; 0: long ago */
	int64_t heard_ms;    /* monotonic */
	int64_t absent_ms;   /* how long it had not been heard at `heard_ms` */
	struct pace pace;    /* as it shows in the sweeps' times */
	bool heard;          /* since the start */
	char class[32];      /* by its agent */
	char registered[32]; /* by the register; "" where it says nothing */
	struct register_life life;
	bool is_newcomer;      /* its first moment is not written down */
	bool is_known;         /* the register was asked for these two */
	uint8_t agent[16];     /* who spoke last */
	int64_t back_ms;       /* monotonic: when it was last heard after a silence; 0: never */
	size_t place;          /* in site_hosts, from 1; 0: it is not there */
	int64_t selected_ms;   /* monotonic; 0: never */
	struct fw_arena arena; /* of the groups */
	struct group *groups;
	size_t n_groups, n_items;
	struct alert *alerts;
};

struct watch {
	struct alerts *alerts;
	struct host **hosts; /* by the store's id; NULL where there is none */
	size_t n_hosts;
	struct host **by_name; /* by instance; made when it is asked for. NULL: not yet */
	size_t n_by_name;
	struct host **by_agent; /* those with an agent of their own; likewise */
	size_t n_by_agent;
	uint64_t look;
	const struct alert_rule_option *silence, *behind, *ahead;
	unsigned selections; /* of this look */
	bool has_newcomers;  /* whose first moment is not written down */
	int64_t judged_ms; /* wall: a host that had spoken was looked at; 0: none since the start */
	struct site_host *site_hosts;
};

static inline const struct fw_column *column_at(const struct group *group, uint32_t i)
{
	return &group->store.schema->columns[group->store.columns[i]];
}

/* ---- watch.c ---- */

/* What the register (NULL: none) says of the host: its class and its life. */
void watch_learn_from_register(const struct registry *registry, struct host *host);
/* The register's, or else its agent's. */
const char *watch_class_of(const struct host *host);
/* Before anything is measured. */
int64_t watch_interval_ms(const struct limits *silence);
/* `step_ms` after the sweep before came another one. */
void watch_learn_interval(struct pace *pace, int64_t step_ms);

/* Whether the host's silence is a fault, for all that is known of it but its class. */
bool watch_is_in_service(const struct watch *watch, const struct host *host);

/* ---- watch_select.c ---- */

/* What a host's own labels say of its class. */
void watch_set_class(struct host *host, const struct fw_label *labels, size_t n);
/* These are the host's groups now, with what the rules look at in each. */
void watch_take_groups(const struct alert_rule_option in_force[RULES], struct host *host,
	const struct store_group *found, size_t n);
/* Looks up anew which of its series there are. */
void watch_select(struct watch *watch, struct host *host);
/* Whether this look has time for it, and the host's last time was long enough ago. */
bool watch_may_select(const struct watch *watch, const struct host *host);

/* ---- watch_series.c ---- */

/* At the newest values of all its series. */
void watch_look_at(struct watch *watch, struct host *host);
/* One value, `column` NULL: of the host itself. */
void watch_observe(struct watch *watch, struct host *host, const struct alert_rule_option *option,
	const struct fw_column *column, double value, int64_t began_ms);

/* Of the series, or else of its host; "" where there is none. */
const char *watch_label(const struct host *host, const struct fw_column *column, const char *name);
/* What the rule compares, of its group's cells at `wall_ms`. False where there is none. */
bool watch_value(const struct group *group, const struct item *item, const int64_t *cells,
	int64_t wall_ms, double *value);
/* Whether what reads a rule's series does so: of the group's cells, as they were at `at_ms`. */
struct success {
	const struct rule *rule;
	int64_t at_ms;     /* of the newest sweep with anything about sources */
	bool any, is_read; /* any: the host says of sources how they do */
};
void watch_look_for_success(
	struct success *success, const struct group *group, const int64_t *cells, int64_t at_ms);

/* ---- watch_clock.c ---- */

/* The host has spoken: how far its clock is from ours. */
void watch_look_at_clock(struct watch *watch, struct host *host, const struct store_host *seen);

/* ---- watch_first.c ---- */

/* Whether anything was ever written down. */
bool watch_has_first(struct state *state);
/* Of one that the store has; `is_any`: something is written down of some host. */
void watch_remember_first(struct watch *watch, struct host *host, bool is_any);
/* All that came since the last look, in one transaction; otherwise at the next look. */
void watch_keep_newcomers(struct watch *watch);

/* ---- watch_speaker.c ---- */

/* The host whose agent tells of this one; NULL: its own does, or it is not known. */
struct host *watch_speaker(struct watch *watch, const struct host *host);
/* Another agent speaks for somebody, or somebody has come or gone. */
void watch_drop_speakers(struct watch *watch);
