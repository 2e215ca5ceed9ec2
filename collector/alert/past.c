/* SPDX-License-Identifier: Apache-2.0 */
#include "past.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/text.h>

/* ---- what is asked about ---- */

static int choose(struct alert_past *past, const char *name, struct fw_err *err)
{
	const char *names[RULES];
	const struct rule *rule = name ? rule_find(name) : NULL;
	for (size_t i = 0; i < RULES; i++) {
		names[i] = rules[i].name;
		past->wanted[i] = rule ? &rules[i] == rule
				       : rule_looks_back(&rules[i]) && past->in_force[i].enabled;
	}
	if (rule && !rule_looks_back(rule))
		return fw_fail(err, -EINVAL,
			"%s is raised by what happens, not by values that are stored: it cannot be "
			"replayed",
			name);
	if (rule)
		past->in_force[rule - rules].enabled = true;
	if (rule || !name)
		return 0;
	const char *near = fw_nearest(name, names, RULES);
	return fw_fail(err, -ENOENT, "no built-in rule is called '%.60s'%s", name,
		fw_did_you_mean(near).text);
}

static void list_hosts(struct alert_past *past, const struct watch *watch, struct fw_arena *arena)
{
	past->hosts = fw_arena_alloc(arena, (watch->n_hosts + 1) * sizeof *past->hosts);
	for (size_t i = 0; i < watch->n_hosts; i++) {
		const struct host *host = watch->hosts[i];
		if (!host)
			continue;
		past->hosts[past->n_hosts++] = (struct past_host){
			.id = host->id,
			.labels = host->labels,
			.n_labels = host->n_labels,
			.is_missed = watch_is_in_service(watch, host),
		};
	}
}

int alert_past_open(struct alerts *alerts, const char *rule, struct fw_arena *arena,
	struct alert_past **out, struct fw_err *err)
{
	const struct alert_options *options = alerts->config.options;
	struct alert_past *past = fw_arena_alloc(arena, sizeof *past);
	*past = (struct alert_past){.store = alerts->config.store};
	memcpy(past->in_force, alerts->rules, sizeof past->in_force);
	if (options) {
		past->has_absence = true;
		past->absence = options->absence;
	}
	int rc = choose(past, rule, err);
	if (rc < 0)
		return rc;
	list_hosts(past, alerts->watch, arena);
	*out = past;
	return 0;
}

/* ---- the run ---- */

static bool is_canceled(const struct past_run *run)
{
	return run->replay->canceled && *run->replay->canceled;
}

static bool is_late(const struct past_run *run)
{
	return run->deadline_ms && fw_mono_ms() > run->deadline_ms;
}

static bool is_over(const void *arg)
{
	return is_canceled(arg) || is_late(arg);
}

int past_goes_on(const struct past_run *run, struct fw_err *err)
{
	if (run->out->too_many)
		return fw_fail(err, -E2BIG, "there are more than %d alerts: choose a shorter time",
			ALERT_REPLAY_ALERTS);
	if (is_canceled(run))
		return fw_fail(err, -ECANCELED, "nobody waits for the answer any more");
	if (is_late(run))
		return fw_fail(err, -ETIME,
			"it took longer than %lld s: choose one rule, or a shorter time",
			(long long)(run->replay->timeout_ms / 1000));
	return 0;
}

/* ---- the sums ---- */

static int by_beginning(const void *a, const void *b)
{
	const struct alert_replayed *x = a, *y = b;
	if (x->pending_ms != y->pending_ms)
		return x->pending_ms < y->pending_ms ? -1 : 1;
	int order = strcmp(x->rule, y->rule);
	for (size_t i = 0; order == 0 && i < x->n_labels && i < y->n_labels; i++)
		order = strcmp(x->labels[i].value, y->labels[i].value);
	return order;
}

static void sum_up(const struct past_run *run, struct alert_replayed_rule *rule)
{
	const struct alert_replay_result *out = run->out;
	for (size_t i = 0; i < out->n_alerts; i++) {
		const struct alert_replayed *alert = &out->alerts[i];
		int64_t end_ms = alert->ended_ms ? alert->ended_ms : run->replay->to_ms;
		if (strcmp(alert->rule, rule->name) != 0)
			continue;
		rule->n_fired += alert->fired_ms != 0;
		rule->n_waited += !alert->fired_ms && alert->ended_ms;
		rule->firing_ms += alert->fired_ms ? end_ms - alert->fired_ms : 0;
	}
}

static void give(struct past_run *run)
{
	struct alert_replay_result *out = run->out;
	qsort(out->alerts, out->n_alerts, sizeof *out->alerts, by_beginning);
	out->rules = fw_arena_alloc(run->arena, RULES * sizeof *out->rules);
	for (size_t i = 0; i < RULES; i++) {
		if (!run->past->wanted[i])
			continue;
		struct alert_replayed_rule *rule = &out->rules[out->n_rules++];
		*rule = (struct alert_replayed_rule){.name = rules[i].name};
		sum_up(run, rule);
	}
}

int alert_past_replay(const struct alert_past *past, const struct alert_replay *replay,
	struct fw_arena *arena, struct alert_replay_result *out, struct fw_err *err)
{
	struct past_run run = {.past = past, .replay = replay, .arena = arena, .out = out};
	int rc = 0;
	run.deadline_ms = replay->timeout_ms ? fw_mono_ms() + replay->timeout_ms : 0;
	run.patience = (struct store_patience){is_over, &run};
	*out = (struct alert_replay_result){
		.alerts = fw_arena_alloc(arena, ALERT_REPLAY_ALERTS * sizeof *out->alerts)};
	for (size_t i = 0; i < past->n_hosts && rc == 0; i++)
		rc = past_play_host(&run, &past->hosts[i], err);
	if (rc == 0)
		give(&run);
	return rc;
}
