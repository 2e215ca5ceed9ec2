/* SPDX-License-Identifier: Apache-2.0 */
#include "publish.h"

#include <stdlib.h>
#include <string.h>

#include <fenwatch/buf.h>

#include "node.h"

static struct label_set copy_set(const struct label_set *from, struct fw_arena *arena)
{
	struct fw_label *items = fw_arena_alloc(arena, (from->n + 1) * sizeof *items);
	for (size_t i = 0; i < from->n; i++)
		items[i] = (struct fw_label){fw_arena_strdup(arena, from->items[i].name),
			fw_arena_strdup(arena, from->items[i].value)};
	return (struct label_set){items, from->n};
}

/* ---- from the rounds ---- */

static struct label_set texts_of(const struct rule_texts *texts, struct fw_arena *arena)
{
	struct fw_label *items = fw_arena_alloc(arena, (texts->n + 1) * sizeof *items);
	for (size_t i = 0; i < texts->n; i++)
		items[i] = (struct fw_label){fw_arena_strdup(arena, texts->items[i].name),
			fw_arena_strdup(arena, texts->items[i].text)};
	return (struct label_set){items, texts->n};
}

static void take_alerts(
	struct schedule_rule *out, const struct rule_lives *lives, struct fw_arena *arena)
{
	out->alerts = fw_arena_alloc(arena, (lives->n + 1) * sizeof *out->alerts);
	for (size_t i = 0; i < lives->n; i++) {
		const struct rule_alert *alert = &lives->alerts[i];
		if (alert->phase == ALERT_IS_INACTIVE)
			continue;
		out->alerts[out->n_alerts++] = (struct schedule_alert){
			.labels = copy_set(&alert->labels, arena),
			.annotations = copy_set(&alert->annotations, arena),
			.phase = alert->phase,
			.value = alert->value,
			.active_ms = alert->active_ms,
			.fired_ms = alert->fired_ms,
			.unseen_ms = alert->unseen_ms,
		};
	}
}

static const char *normal_form(const struct node *node, struct fw_arena *arena)
{
	struct fw_buf text = {0};
	promql_print(node, &text);
	const char *copy = fw_arena_strdup(arena, (const char *)text.data);
	fw_buf_done(&text);
	return copy;
}

static struct schedule_rule take_rule(const struct group_rule *rule, struct fw_arena *arena)
{
	const struct file_rule *file = rule->rule;
	struct schedule_rule out = {
		.name = fw_arena_strdup(arena, file->name),
		.query = normal_form(file->node, arena),
		.is_alert = file->is_alert,
		.for_ms = file->for_ms,
		.keep_firing_ms = file->keep_firing_ms,
		.labels = texts_of(&file->labels, arena),
		.annotations = texts_of(&file->annotations, arena),
		.health = rule->health,
		.trouble = rule->trouble ? fw_arena_strdup(arena, rule->trouble) : "",
		.evaluated_ms = rule->evaluated_ms,
		.took_ms = rule->took_ms,
	};
	take_alerts(&out, &rule->lives, arena);
	return out;
}

static struct schedule_group take_group(const struct round *round, struct fw_arena *arena)
{
	const struct file_group *file = round->group.file;
	struct schedule_group out = {
		.file = fw_arena_strdup(arena, file->file),
		.name = fw_arena_strdup(arena, file->name),
		.interval_ms = round->interval_ms,
		.limit = file->limit,
		.evaluated_ms = round->group.evaluated_ms,
		.took_ms = round->group.took_ms,
		.evaluations = round->evaluations,
		.missed = round->missed,
		.failures = round->failures,
		.n_rules = file->n_rules,
	};
	out.rules = fw_arena_alloc(arena, (file->n_rules + 1) * sizeof *out.rules);
	for (size_t i = 0; i < file->n_rules; i++)
		out.rules[i] = take_rule(&round->group.rules[i], arena);
	return out;
}

static int by_file(const void *a, const void *b)
{
	const struct schedule_group *x = a, *y = b;
	int order = strcmp(x->file, y->file);
	return order ? order : strcmp(x->name, y->name);
}

void publish_rounds(struct published *out, const struct rounds *rounds)
{
	*out = (struct published){.n = rounds->n};
	out->groups = fw_arena_alloc(&out->arena, (rounds->n + 1) * sizeof *out->groups);
	for (size_t i = 0; i < rounds->n; i++)
		out->groups[i] = take_group(&rounds->items[i], &out->arena);
	if (out->n > 1)
		qsort(out->groups, out->n, sizeof *out->groups, by_file);
}

void publish_done(struct published *published)
{
	fw_arena_done(&published->arena);
}

/* ---- for those who ask ---- */

static void copy_rule(struct schedule_rule *rule, struct fw_arena *arena)
{
	struct schedule_alert *alerts =
		fw_arena_alloc(arena, (rule->n_alerts + 1) * sizeof *alerts);
	for (size_t i = 0; i < rule->n_alerts; i++) {
		alerts[i] = rule->alerts[i];
		alerts[i].labels = copy_set(&rule->alerts[i].labels, arena);
		alerts[i].annotations = copy_set(&rule->alerts[i].annotations, arena);
	}
	rule->alerts = alerts;
	rule->name = fw_arena_strdup(arena, rule->name);
	rule->query = fw_arena_strdup(arena, rule->query);
	rule->trouble = fw_arena_strdup(arena, rule->trouble);
	rule->labels = copy_set(&rule->labels, arena);
	rule->annotations = copy_set(&rule->annotations, arena);
}

void publish_copy(const struct published *from, struct fw_arena *arena,
	struct schedule_group **groups, size_t *n)
{
	*n = from->n;
	*groups = fw_arena_alloc(arena, (from->n + 1) * sizeof **groups);
	for (size_t g = 0; g < from->n; g++) {
		struct schedule_group *group = &(*groups)[g];
		*group = from->groups[g];
		group->file = fw_arena_strdup(arena, group->file);
		group->name = fw_arena_strdup(arena, group->name);
		group->rules = fw_arena_alloc(arena, (group->n_rules + 1) * sizeof *group->rules);
		for (size_t i = 0; i < group->n_rules; i++) {
			group->rules[i] = from->groups[g].rules[i];
			copy_rule(&group->rules[i], arena);
		}
	}
}
