/* SPDX-License-Identifier: Apache-2.0 */
#include "group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "template.h"

#define NAME "__name__"

/* One evaluation under way. Labels of waiting samples are those that their rules keep; of
 * series that have ended they are kept here until they were handed over. */
struct evaluation {
	struct group *group;
	const struct group_settings *settings;
	int64_t at_ms; /* of questions and samples: less the offset */
	struct group_sample *waiting;
	size_t n_waiting, capacity;
	struct label_set *ended;
	size_t n_ended;
	size_t first; /* rule whose samples wait */
};

/* ---- handing samples over ---- */

static void wait_with(struct evaluation *e, struct label_set labels, double value)
{
	if (e->n_waiting == e->capacity) {
		e->capacity = e->capacity ? 2 * e->capacity : 64;
		e->waiting = fw_realloc(e->waiting, e->capacity * sizeof *e->waiting);
	}
	e->waiting[e->n_waiting++] = (struct group_sample){labels, value};
}

static void keep_ended(struct evaluation *e, struct label_set labels)
{
	if ((e->n_ended & (e->n_ended + 1)) == 0)
		e->ended = fw_realloc(e->ended, 2 * (e->n_ended + 1) * sizeof *e->ended);
	e->ended[e->n_ended++] = labels;
	wait_with(e, labels, promql_absent());
}

static void set_health(struct group_rule *rule, enum rule_health health, const char *trouble)
{
	fw_free(rule->trouble);
	rule->trouble = trouble ? fw_strdup(trouble) : NULL;
	rule->health = health;
}

/* Of the rules before `end`, all that waits. */
static void hand_over(struct evaluation *e, size_t end)
{
	const struct group_settings *s = e->settings;
	struct fw_err err;
	int rc = e->n_waiting ? s->on_samples(s->arg, e->waiting, e->n_waiting, e->at_ms, &err) : 0;
	for (size_t i = e->first; rc < 0 && i < end; i++)
		if (e->group->rules[i].health == RULE_OK)
			set_health(&e->group->rules[i], RULE_FAILED, err.text);
	for (size_t i = 0; i < e->n_ended; i++)
		label_set_free(&e->ended[i]);
	e->n_waiting = e->n_ended = 0;
	e->first = end;
}

static void evaluation_done(struct evaluation *e)
{
	fw_free(e->waiting);
	fw_free(e->ended);
}

/* ---- what a rule asks of the rules before it ---- */

struct asking {
	const struct evaluation *evaluation;
	size_t rule;
	bool asks;
};

static bool gives(const struct file_rule *rule, const char *metric)
{
	if (rule->is_alert)
		return strcmp(metric, "ALERTS") == 0 || strcmp(metric, "ALERTS_FOR_STATE") == 0;
	return strcmp(metric, rule->name) == 0;
}

static const char *metric_of(const struct node *node)
{
	for (size_t i = 0; i < node->selector.n_matchers; i++)
		if (node->selector.matchers[i].kind == MATCHER_EQUAL &&
			strcmp(node->selector.matchers[i].name, NAME) == 0)
			return node->selector.matchers[i].value;
	return NULL; /* any may be meant */
}

static void look_at(const struct node *node, void *arg)
{
	struct asking *asking = arg;
	if (node->kind != NODE_SELECTOR)
		return;
	const char *metric = metric_of(node);
	for (size_t i = asking->evaluation->first; i < asking->rule; i++)
		asking->asks |= !metric || gives(asking->evaluation->group->rules[i].rule, metric);
}

static bool templates_ask(const struct rule_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		if (texts->items[i].template && strstr(texts->items[i].text, "query"))
			return true;
	return false;
}

static bool asks_for_waiting(const struct evaluation *e, size_t i)
{
	const struct file_rule *rule = e->group->rules[i].rule;
	struct asking asking = {e, i, false};
	if (e->n_waiting == 0)
		return false;
	node_walk(rule->node, look_at, &asking);
	return asking.asks || templates_ask(&rule->labels) || templates_ask(&rule->annotations);
}

/* ---- what an expression gives ---- */

struct answer {
	struct template_sample *samples;
	size_t n;
};

static int take_answer(const struct promql_result *result, struct fw_arena *arena,
	struct answer *out, struct fw_err *err)
{
	const struct value *value = &result->value;
	if (result->type == PROMQL_SCALAR) {
		out->samples = fw_arena_alloc(arena, sizeof *out->samples);
		out->samples[0].value = value->scalar[0];
		out->n = 1;
		return 0;
	}
	if (result->type != PROMQL_VECTOR)
		return fw_fail(err, -EINVAL, "rule result is not a vector or scalar");
	out->samples = fw_arena_alloc(arena, (value->n_series + 1) * sizeof *out->samples);
	out->n = 0;
	for (size_t i = 0; i < value->n_series; i++) {
		const struct series *series = &value->series[i];
		if (promql_is_absent(series->values[0]))
			continue;
		out->samples[out->n++] = (struct template_sample){
			{series->labels, series->n_labels}, series->values[0]};
	}
	return 0;
}

static int ask(const struct evaluation *e, const struct file_rule *rule, struct fw_arena *arena,
	struct answer *out, struct fw_err *err)
{
	struct promql_result result;
	int rc = promql_instant_of(e->settings->data, rule->node, rule->expr, e->at_ms,
		&e->settings->limits, arena, &result, err);
	arena->limit = 0; /* what is made of the answer is bounded by it */
	return rc < 0 ? rc : take_answer(&result, arena, out, err);
}

/* A template's `query`. */
static int ask_text(void *arg, const char *query, struct fw_arena *arena,
	struct template_sample **samples, size_t *n, struct fw_err *err)
{
	const struct evaluation *e = arg;
	struct promql_result result;
	struct answer answer = {0};
	int rc = promql_instant(
		e->settings->data, query, e->at_ms, &e->settings->limits, arena, &result, err);
	if (rc == 0)
		rc = take_answer(&result, arena, &answer, err);
	*samples = answer.samples;
	*n = answer.n;
	return rc;
}

/* ---- samples of a rule ---- */

static int by_labels(const void *a, const void *b)
{
	const struct group_sample *x = a, *y = b;
	return label_set_compare(&x->labels, &y->labels);
}

/* They wait; the rule keeps their labels, and those that it does not give any more end. */
static void give(
	struct evaluation *e, struct group_rule *rule, struct group_sample *samples, size_t n)
{
	struct group_given before = rule->given, now = {0};
	size_t i = 0;
	if (n > 1)
		qsort(samples, n, sizeof *samples, by_labels);
	now.items = fw_alloc_array(n + 1, sizeof *now.items);
	for (size_t k = 0; k < n; k++) {
		int order = -1;
		while (i < before.n &&
			(order = label_set_compare(&before.items[i], &samples[k].labels)) < 0)
			keep_ended(e, before.items[i++]);
		bool known = i < before.n && order == 0;
		now.items[now.n] = known ? before.items[i++] : label_set_copy(&samples[k].labels);
		wait_with(e, now.items[now.n++], samples[k].value);
	}
	while (i < before.n)
		keep_ended(e, before.items[i++]);
	fw_free(before.items);
	rule->given = now;
}

static int record(struct evaluation *e, struct group_rule *rule, const struct answer *answer,
	struct fw_arena *arena, struct fw_err *err)
{
	const struct file_rule *file = rule->rule;
	size_t n = answer->n, n_items = file->labels.n + 1;
	struct fw_label *items = fw_arena_alloc(arena, n_items * sizeof *items);
	struct group_sample *samples = fw_arena_alloc(arena, (n + 1) * sizeof *samples);
	items[0] = (struct fw_label){NAME, file->name};
	for (size_t i = 0; i + 1 < n_items; i++)
		items[i + 1] =
			(struct fw_label){file->labels.items[i].name, file->labels.items[i].text};
	for (size_t i = 0; i < n; i++)
		samples[i] = (struct group_sample){
			label_set_with(&answer->samples[i].labels, items, n_items, arena),
			answer->samples[i].value};
	if (n > 1)
		qsort(samples, n, sizeof *samples, by_labels);
	for (size_t i = 1; i < n; i++)
		if (by_labels(&samples[i - 1], &samples[i]) == 0)
			return fw_fail(err, -EINVAL,
				"vector contains metrics with the same labelset after applying rule labels");
	int64_t limit = e->group->file->limit;
	if (limit > 0 && n > (size_t)limit)
		return fw_fail(err, -EINVAL, "exceeded limit of %lld with %zu series",
			(long long)limit, n);
	give(e, rule, samples, n);
	return 0;
}

/* ---- alerts ---- */

static const char *expand(
	const struct rule_text *text, const struct template_data *data, struct fw_arena *arena)
{
	const char *out = text->text;
	if (text->template)
		template_expand(text->template, data, arena, &out);
	return out;
}

static struct life_seen see(const struct evaluation *e, const struct file_rule *rule,
	const struct template_sample *sample, struct fw_arena *arena)
{
	const struct template_data data = {
		.labels = &sample->labels,
		.external_labels = e->settings->external_labels,
		.external_url = e->settings->external_url,
		.value = sample->value,
		.ask = ask_text,
		.arg = (void *)e,
	};
	size_t n = rule->labels.n;
	struct fw_label *items = fw_arena_alloc(arena, (n + 2) * sizeof *items);
	items[0] = (struct fw_label){NAME, ""};
	for (size_t i = 0; i < n; i++)
		items[i + 1] = (struct fw_label){
			rule->labels.items[i].name, expand(&rule->labels.items[i], &data, arena)};
	items[n + 1] = (struct fw_label){"alertname", rule->name};
	struct fw_label *annotations =
		fw_arena_alloc(arena, (rule->annotations.n + 1) * sizeof *annotations);
	for (size_t i = 0; i < rule->annotations.n; i++)
		annotations[i] = (struct fw_label){rule->annotations.items[i].name,
			expand(&rule->annotations.items[i], &data, arena)};
	return (struct life_seen){
		.labels = label_set_with(&sample->labels, items, n + 2, arena),
		.annotations = {annotations, rule->annotations.n},
		.value = sample->value,
	};
}

struct telling {
	const struct evaluation *evaluation;
	const struct group_rule *rule;
};

static void on_changed(void *arg, const struct rule_alert *alert, enum alert_phase before)
{
	const struct telling *telling = arg;
	const struct group_settings *s = telling->evaluation->settings;
	if (s->on_changed)
		s->on_changed(s->arg, telling->rule, alert, before);
}

/* ALERTS and ALERTS_FOR_STATE of all that are pending or firing. */
static void give_alerts(struct evaluation *e, struct group_rule *rule, struct fw_arena *arena)
{
	size_t n = 0;
	struct group_sample *samples =
		fw_arena_alloc(arena, (2 * rule->lives.n + 1) * sizeof *samples);
	for (size_t i = 0; i < rule->lives.n && rule->is_restored; i++) {
		const struct rule_alert *alert = &rule->lives.alerts[i];
		if (alert->phase == ALERT_IS_INACTIVE)
			continue;
		const struct fw_label shown[] = {
			{NAME, "ALERTS"}, {"alertstate", alert_phase_text(alert->phase)}};
		const struct fw_label state[] = {{NAME, "ALERTS_FOR_STATE"}};
		const int64_t active_s = alert->active_ms / 1000;
		samples[n++] =
			(struct group_sample){label_set_with(&alert->labels, shown, 2, arena), 1};
		samples[n++] = (struct group_sample){
			label_set_with(&alert->labels, state, 1, arena), (double)active_s};
	}
	give(e, rule, samples, n);
}

static int alert(struct evaluation *e, struct group_rule *rule, const struct answer *answer,
	int64_t now_ms, struct fw_arena *arena, struct fw_err *err)
{
	const struct file_rule *file = rule->rule;
	const struct life_rule limits = {file->for_ms, file->keep_firing_ms, e->group->file->limit};
	struct telling telling = {e, rule};
	struct life_seen *seen = fw_arena_alloc(arena, (answer->n + 1) * sizeof *seen);
	for (size_t i = 0; i < answer->n; i++)
		seen[i] = see(e, file, &answer->samples[i], arena);
	int rc = life_evaluate(
		&rule->lives, &limits, seen, answer->n, now_ms, on_changed, &telling, err);
	if (rc == 0)
		give_alerts(e, rule, arena);
	return rc;
}

/* ---- rules ---- */

static int evaluate_rule(struct evaluation *e, struct group_rule *rule, int64_t now_ms,
	struct fw_arena *arena, struct fw_err *err)
{
	struct answer answer = {0};
	int rc = ask(e, rule->rule, arena, &answer, err);
	if (rc == 0 && rule->rule->is_alert)
		return alert(e, rule, &answer, now_ms, arena, err);
	return rc < 0 ? rc : record(e, rule, &answer, arena, err);
}

static int64_t clock_of(const struct group_settings *settings)
{
	return settings->mono_ms ? settings->mono_ms() : 0;
}

static void run_rule(struct evaluation *e, struct group_rule *rule, int64_t now_ms)
{
	struct fw_arena arena = {0};
	struct fw_err err;
	int64_t began_ms = clock_of(e->settings);
	if (evaluate_rule(e, rule, now_ms, &arena, &err) < 0)
		set_health(rule, RULE_FAILED, err.text);
	else
		set_health(rule, RULE_OK, NULL);
	fw_arena_done(&arena);
	rule->evaluated_ms = now_ms;
	rule->took_ms = clock_of(e->settings) - began_ms;
}

static int64_t offset_of(const struct group *group, const struct group_settings *settings)
{
	return group->file->offset_ms >= 0 ? group->file->offset_ms : settings->offset_ms;
}

size_t group_evaluate(struct group *group, int64_t at_ms, const struct group_settings *settings)
{
	struct evaluation e = {
		.group = group, .settings = settings, .at_ms = at_ms - offset_of(group, settings)};
	int64_t began_ms = clock_of(settings);
	size_t failed = 0;
	for (size_t i = 0; i < group->file->n_rules; i++) {
		if (asks_for_waiting(&e, i))
			hand_over(&e, i);
		run_rule(&e, &group->rules[i], at_ms);
	}
	hand_over(&e, group->file->n_rules);
	evaluation_done(&e);
	group->evaluated_ms = at_ms;
	group->took_ms = clock_of(settings) - began_ms;
	for (size_t i = 0; i < group->file->n_rules; i++)
		failed += group->rules[i].health == RULE_FAILED;
	return failed;
}

/* ---- beginning and ending ---- */

void group_init(struct group *group, const struct file_group *file)
{
	*group = (struct group){.file = file};
	group->rules = fw_alloc_array(file->n_rules + 1, sizeof *group->rules);
	for (size_t i = 0; i < file->n_rules; i++)
		group->rules[i] = (struct group_rule){
			.rule = &file->rules[i], .is_restored = !file->rules[i].is_alert};
}

static void given_done(struct group_given *given)
{
	for (size_t i = 0; i < given->n; i++)
		label_set_free(&given->items[i]);
	fw_free(given->items);
	*given = (struct group_given){0};
}

void group_done(struct group *group)
{
	for (size_t i = 0; group->rules && i < group->file->n_rules; i++) {
		life_done(&group->rules[i].lives);
		given_done(&group->rules[i].given);
		fw_free(group->rules[i].trouble);
	}
	fw_free(group->rules);
	*group = (struct group){0};
}

static void take_over_rule(struct group_rule *rule, struct group_rule *before)
{
	const struct file_rule *file = rule->rule;
	*rule = *before;
	rule->rule = file;
	before->lives = (struct rule_lives){0};
	before->given = (struct group_given){0};
	before->trouble = NULL;
	before->rule = NULL; /* taken */
}

void group_take_over(struct group *group, struct group *before)
{
	for (size_t i = 0; i < group->file->n_rules; i++)
		for (size_t k = 0; k < before->file->n_rules; k++) {
			if (!before->rules[k].rule ||
				!rulefile_same_rule(group->rules[i].rule, before->rules[k].rule))
				continue;
			take_over_rule(&group->rules[i], &before->rules[k]);
			break;
		}
	group->evaluated_ms = before->evaluated_ms;
	group->took_ms = before->took_ms;
}

void group_begin_anew(struct group *group)
{
	for (size_t i = 0; i < group->file->n_rules; i++)
		if (!group->rules[i].evaluated_ms)
			group->rules[i].is_restored = true;
}

int group_end(struct group *group, int64_t at_ms, const struct group_settings *settings,
	struct fw_err *err)
{
	struct evaluation e = {.group = group, .settings = settings};
	for (size_t i = 0; i < group->file->n_rules; i++)
		for (size_t k = 0; k < group->rules[i].given.n; k++)
			wait_with(&e, group->rules[i].given.items[k], promql_absent());
	int rc = e.n_waiting ? settings->on_samples(settings->arg, e.waiting, e.n_waiting,
				       at_ms - offset_of(group, settings), err)
			     : 0;
	evaluation_done(&e);
	return rc;
}

/* ---- after an outage ---- */

struct remembering {
	struct group_rule *rule;
	int64_t now_ms;
};

static void remember(const struct remembering *r, const struct label_set *labels, double active_s,
	int64_t heard_ms)
{
	const struct life_rule rule = {.for_ms = r->rule->rule->for_ms};
	for (size_t i = 0; i < r->rule->lives.n; i++) {
		struct rule_alert *alert = &r->rule->lives.alerts[i];
		if (label_set_compare(&alert->labels, labels) == 0)
			life_restore(alert, &rule, (int64_t)(active_s * 1000), heard_ms, r->now_ms);
	}
}

static int on_series(void *arg, const struct promql_samples *samples)
{
	const struct remembering *r = arg;
	const struct fw_label items[] = {{NAME, ""}};
	struct fw_arena arena = {0};
	if (samples->n == 0)
		return 0;
	double value = fw_column_value(samples->column, samples->cells[samples->n - 1]);
	struct label_set all = {samples->labels, samples->n_labels};
	struct label_set labels = label_set_with(&all, items, 1, &arena);
	if (!promql_is_absent(value) && value > 0 && value < 1e12)
		remember(r, &labels, value, samples->times_ms[samples->n - 1]);
	fw_arena_done(&arena);
	return 0;
}

static int restore_rule(
	struct group_rule *rule, int64_t now_ms, const struct promql_data *data, struct fw_err *err)
{
	const struct matcher matchers[] = {
		{.kind = MATCHER_EQUAL, .name = NAME, .value = "ALERTS_FOR_STATE"},
		{.kind = MATCHER_EQUAL, .name = "alertname", .value = rule->rule->name},
	};
	const struct promql_selection selection = {
		.matchers = matchers,
		.n_matchers = 2,
		.from_ms = now_ms - LIFE_TOLERANCE_MS,
		.to_ms = now_ms,
		.newest = true,
	};
	struct remembering remembering = {rule, now_ms};
	struct fw_arena arena = {0};
	struct promql_notes notes = {.arena = &arena};
	const struct promql_select_to to = {
		.on_series = on_series, .arg = &remembering, .arena = &arena, .notes = &notes};
	int rc = data->select(data, &selection, &to, err);
	fw_arena_done(&arena);
	return rc;
}

void group_restore(struct group *group, int64_t now_ms, const struct group_settings *settings)
{
	for (size_t i = 0; i < group->file->n_rules; i++) {
		struct group_rule *rule = &group->rules[i];
		struct fw_err err;
		if (rule->is_restored)
			continue;
		if (rule->rule->for_ms >= LIFE_GRACE_MS && rule->lives.n > 0 &&
			restore_rule(rule, now_ms, settings->data, &err) < 0)
			continue; /* at the next evaluation, then */
		rule->is_restored = true;
	}
}
