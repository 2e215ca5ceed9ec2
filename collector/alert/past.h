/* Built-in rules over what is stored: what past.c and past_host.c share.
 *
 * The engine that judges what arrives is given each sweep of the past again, in the order of
 * time: past_host.c goes through one host as watch_series.c and watch.c do while it speaks,
 * and past.c through all of them. Nothing is known at the first moment, nothing is written,
 * and what came late counts as if it had come at its time.
 */
#pragma once

#include "watch.h"

struct past_host {
	uint32_t id;
	const struct fw_label *labels;
	size_t n_labels;
	bool is_missed; /* its silence is a fault */
};

struct alert_past {
	struct store *store;
	struct alert_rule_option in_force[RULES];
	bool wanted[RULES]; /* what is asked about */
	struct alert_absence absence;
	bool has_absence;
	struct past_host *hosts;
	size_t n_hosts;
};

struct past_run {
	const struct alert_past *past;
	const struct alert_replay *replay;
	struct fw_arena *arena;
	struct alert_replay_result *out;
	int64_t deadline_ms; /* monotonic; 0: none */
	struct store_patience patience;
};

/* 0, or -ECANCELED, -ETIME, -E2BIG or what the store says, with a sentence. */
int past_goes_on(const struct past_run *run, struct fw_err *err);
int past_play_host(struct past_run *run, const struct past_host *host, struct fw_err *err);
