/* SPDX-License-Identifier: Apache-2.0 */
#include "replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/crc.h>

#include "group.h"
#include "memory.h"

/* An alert that began, and its place among the open ones. */
struct begun {
	struct replay_alert alert;
	uint32_t hash;
};

struct player {
	const struct replay *replay;
	const struct rulefile *file;
	struct fw_arena *arena;
	struct promql_memory memory; /* what was recorded */
	size_t n_recorded;
	struct promql_data data;
	struct group *groups;
	int64_t *due_ms; /* of each group */
	struct begun *begun;
	size_t n_begun, *open, n_open; /* `open`: places in `begun` */
	bool too_many;
	int64_t now_ms, deadline_ms;
	struct replay_result *out;
};

/* ---- what rules ask: what is stored, and what they would have recorded ---- */

static bool is_recorded(const struct player *p, const char *metric)
{
	if (strcmp(metric, "ALERTS") == 0 || strcmp(metric, "ALERTS_FOR_STATE") == 0)
		return true;
	for (size_t i = 0; i < p->out->n_rules; i++)
		if (!p->out->rules[i].rule->is_alert &&
			strcmp(p->out->rules[i].rule->name, metric) == 0)
			return true;
	return false;
}

struct passing {
	const struct player *player;
	const struct promql_select_to *to;
	bool left_out; /* the series before */
};

static int pass_on(void *arg, const struct promql_samples *samples)
{
	struct passing *passing = arg;
	struct promql_samples seen = *samples;
	if (is_recorded(passing->player,
		    fw_label_value(samples->labels, samples->n_labels, "__name__"))) {
		passing->left_out = true;
		return 0;
	}
	seen.same_times = samples->same_times && !passing->left_out;
	passing->left_out = false;
	return passing->to->on_series(passing->to->arg, &seen);
}

static int select_both(const struct promql_data *data, const struct promql_selection *selection,
	const struct promql_select_to *to, struct fw_err *err)
{
	struct player *p = data->arg;
	struct passing passing = {p, to, false};
	struct promql_select_to stored = *to;
	stored.on_series = pass_on;
	stored.arg = &passing;
	int rc = p->replay->data->select(p->replay->data, selection, &stored, err);
	const struct promql_data recorded = promql_memory_data(&p->memory);
	return rc < 0 ? rc : recorded.select(&recorded, selection, to, err);
}

static int on_samples(
	void *arg, const struct group_sample *samples, size_t n, int64_t at_ms, struct fw_err *err)
{
	struct player *p = arg;
	if (p->n_recorded + n > REPLAY_RECORDED)
		return fw_fail(err, -E2BIG, "more than %d samples would have been recorded",
			REPLAY_RECORDED);
	for (size_t i = 0; i < n; i++)
		promql_memory_add(&p->memory, samples[i].labels.items, samples[i].labels.n, at_ms,
			samples[i].value);
	p->n_recorded += n;
	return 0;
}

/* ---- alerts ---- */

static struct label_set kept(const struct label_set *from, struct fw_arena *arena)
{
	struct fw_label *items = fw_arena_alloc(arena, (from->n + 1) * sizeof *items);
	for (size_t i = 0; i < from->n; i++)
		items[i] = (struct fw_label){fw_arena_strdup(arena, from->items[i].name),
			fw_arena_strdup(arena, from->items[i].value)};
	return (struct label_set){items, from->n};
}

static uint32_t hash_of(const struct label_set *labels)
{
	uint32_t crc = 0;
	for (size_t i = 0; i < labels->n; i++) {
		crc = fw_crc32c(crc, labels->items[i].name, strlen(labels->items[i].name) + 1);
		crc = fw_crc32c(crc, labels->items[i].value, strlen(labels->items[i].value) + 1);
	}
	return crc;
}

/* Its place among the open ones; n_open: it is none of them. */
static size_t find_open(
	const struct player *p, const struct file_rule *rule, const struct label_set *labels)
{
	uint32_t hash = hash_of(labels);
	size_t i = 0;
	for (; i < p->n_open; i++) {
		const struct begun *begun = &p->begun[p->open[i]];
		if (begun->hash == hash && begun->alert.rule == rule &&
			label_set_compare(&begun->alert.labels, labels) == 0)
			break;
	}
	return i;
}

static void begin(struct player *p, const struct file_rule *rule, const struct rule_alert *alert)
{
	if (p->n_begun == REPLAY_ALERTS) {
		p->too_many = true;
		return;
	}
	p->open[p->n_open++] = p->n_begun;
	p->begun[p->n_begun++] = (struct begun){
		.alert = {.rule = rule,
			.labels = kept(&alert->labels, p->arena),
			.active_ms = alert->active_ms},
		.hash = hash_of(&alert->labels),
	};
}

static void on_changed(void *arg, const struct group_rule *rule, const struct rule_alert *alert,
	enum alert_phase before)
{
	struct player *p = arg;
	size_t at = find_open(p, rule->rule, &alert->labels);
	if (at == p->n_open && before == ALERT_IS_INACTIVE)
		begin(p, rule->rule, alert);
	if (at >= p->n_open)
		return;
	struct replay_alert *known = &p->begun[p->open[at]].alert;
	if (alert->phase == ALERT_IS_INACTIVE) {
		known->ended_ms = p->now_ms;
		p->open[at] = p->open[--p->n_open];
		return;
	}
	known->value = alert->value;
	known->annotations = kept(&alert->annotations, p->arena);
	if (alert->phase == ALERT_IS_FIRING && !known->fired_ms)
		known->fired_ms = p->now_ms;
}

/* ---- the moments ---- */

static int64_t step_of(const struct player *p, size_t group)
{
	const struct file_group *file = &p->file->groups[group];
	if (p->replay->step_ms)
		return p->replay->step_ms;
	return file->interval_ms ? file->interval_ms : p->replay->interval_ms;
}

static int count_moments(const struct player *p, struct fw_err *err)
{
	int64_t most = 0, span_ms = p->replay->to_ms - p->replay->from_ms;
	for (size_t g = 0; g < p->file->n_groups && most <= REPLAY_EVALUATIONS; g++)
		most += span_ms / step_of(p, g) + 1;
	return most <= REPLAY_EVALUATIONS
		? 0
		: fw_fail(err, -E2BIG,
			  "that is more than %d evaluations of groups: choose a longer step or a "
			  "shorter time",
			  REPLAY_EVALUATIONS);
}

/* The group that is due first, or -1: the time is over. */
static ptrdiff_t next_group(const struct player *p)
{
	ptrdiff_t first = -1;
	for (size_t g = 0; g < p->file->n_groups; g++)
		if (p->due_ms[g] <= p->replay->to_ms &&
			(first < 0 || p->due_ms[g] < p->due_ms[first]))
			first = (ptrdiff_t)g;
	return first;
}

static int check_goes_on(const struct player *p, struct fw_err *err)
{
	if (p->too_many)
		return fw_fail(err, -E2BIG, "there are more than %d alerts: choose a shorter time",
			REPLAY_ALERTS);
	if (p->replay->limits.canceled && *p->replay->limits.canceled)
		return fw_fail(err, -ECANCELED, "nobody waits for the answer any more");
	if (p->deadline_ms && p->replay->mono_ms() > p->deadline_ms)
		return fw_fail(err, -ETIME,
			"it took longer than %lld s: choose a longer step or a shorter time",
			(long long)(p->replay->timeout_ms / 1000));
	return 0;
}

static void note_failures(struct player *p, const struct group *group, size_t first)
{
	for (size_t i = 0; i < group->file->n_rules; i++) {
		struct replay_rule *rule = &p->out->rules[first + i];
		if (group->rules[i].health != RULE_FAILED)
			continue;
		rule->n_failures++;
		if (strcmp(rule->trouble, group->rules[i].trouble) != 0)
			rule->trouble = fw_arena_strdup(p->arena, group->rules[i].trouble);
	}
}

static size_t first_rule(const struct player *p, size_t group)
{
	size_t first = 0;
	for (size_t g = 0; g < group; g++)
		first += p->file->groups[g].n_rules;
	return first;
}

static int play(struct player *p, struct fw_err *err)
{
	const struct replay *replay = p->replay;
	const struct group_settings settings = {
		.data = &p->data,
		.limits = replay->limits,
		.external_labels = replay->external_labels,
		.external_url = replay->external_url,
		.on_samples = on_samples,
		.on_changed = on_changed,
		.arg = p,
	};
	int rc = 0;
	for (ptrdiff_t g; rc == 0 && (g = next_group(p)) >= 0;) {
		p->now_ms = p->due_ms[g];
		group_evaluate(&p->groups[g], p->now_ms, &settings);
		note_failures(p, &p->groups[g], first_rule(p, (size_t)g));
		p->due_ms[g] += step_of(p, (size_t)g);
		p->out->n_evaluations++;
		rc = check_goes_on(p, err);
	}
	return rc;
}

/* ---- beginning and ending ---- */

static void list_rules(struct player *p)
{
	struct replay_result *out = p->out;
	out->rules = fw_arena_alloc(p->arena, (p->file->n_rules + 1) * sizeof *out->rules);
	for (size_t g = 0; g < p->file->n_groups; g++)
		for (size_t i = 0; i < p->file->groups[g].n_rules; i++)
			out->rules[out->n_rules++] = (struct replay_rule){
				.group = &p->file->groups[g],
				.rule = &p->file->groups[g].rules[i],
				.trouble = "",
			};
}

static void open_player(struct player *p)
{
	const struct replay *replay = p->replay;
	size_t n = p->file->n_groups;
	list_rules(p);
	p->data = (struct promql_data){select_both, p};
	p->deadline_ms = replay->timeout_ms ? replay->mono_ms() + replay->timeout_ms : 0;
	p->groups = fw_alloc_array(n + 1, sizeof *p->groups);
	p->due_ms = fw_alloc_array(n + 1, sizeof *p->due_ms);
	p->begun = fw_alloc_array(REPLAY_ALERTS, sizeof *p->begun);
	p->open = fw_alloc_array(REPLAY_ALERTS, sizeof *p->open);
	for (size_t g = 0; g < n; g++) {
		group_init(&p->groups[g], &p->file->groups[g]);
		group_begin_anew(&p->groups[g]);
		p->due_ms[g] = replay->from_ms;
	}
}

static void close_player(struct player *p)
{
	for (size_t g = 0; g < p->file->n_groups; g++)
		group_done(&p->groups[g]);
	fw_free(p->groups);
	fw_free(p->due_ms);
	fw_free(p->begun);
	fw_free(p->open);
	promql_memory_done(&p->memory);
}

static void sum_up(struct player *p, struct replay_rule *rule)
{
	for (size_t i = 0; i < p->n_begun; i++) {
		const struct replay_alert *alert = &p->begun[i].alert;
		int64_t end_ms = alert->ended_ms ? alert->ended_ms : p->replay->to_ms;
		if (alert->rule != rule->rule)
			continue;
		rule->n_fired += alert->fired_ms != 0;
		rule->n_waited += !alert->fired_ms && alert->ended_ms;
		rule->firing_ms += alert->fired_ms ? end_ms - alert->fired_ms : 0;
	}
}

static void give_alerts(struct player *p)
{
	struct replay_result *out = p->out;
	out->alerts = fw_arena_alloc(p->arena, (p->n_begun + 1) * sizeof *out->alerts);
	for (size_t i = 0; i < p->n_begun; i++)
		out->alerts[i] = p->begun[i].alert;
	out->n_alerts = p->n_begun;
	for (size_t i = 0; i < out->n_rules; i++)
		sum_up(p, &out->rules[i]);
}

int replay_run(const struct replay *replay, const struct rulefile *file, struct fw_arena *arena,
	struct replay_result *out, struct fw_err *err)
{
	struct player p = {.replay = replay, .file = file, .arena = arena, .out = out};
	*out = (struct replay_result){0};
	int rc = count_moments(&p, err);
	if (rc < 0)
		return rc;
	open_player(&p);
	rc = play(&p, err);
	if (rc == 0)
		give_alerts(&p);
	close_player(&p);
	return rc;
}
