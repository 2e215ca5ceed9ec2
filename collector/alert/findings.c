/* SPDX-License-Identifier: Apache-2.0 */
#include "findings.h"

#include <assert.h>
#include <string.h>

#include <fenwatch/clock.h>

struct alert_report *alert_report_new(const char *file, const char *group, bool settled)
{
	struct alert_report *report = fw_alloc(sizeof *report);
	report->file = fw_arena_strdup(&report->arena, file);
	report->group = fw_arena_strdup(&report->arena, group);
	report->settled = settled;
	report->begun_ms = fw_mono_ms();
	return report;
}

void alert_report_begun(struct alert_report *report, int64_t begun_ms)
{
	report->begun_ms = begun_ms;
}

void alert_report_keep(struct alert_report *report)
{
	report->is_kept = true;
}

void alert_report_free(struct alert_report *report)
{
	if (!report)
		return;
	fw_free(report->rules);
	fw_free(report->findings);
	fw_arena_done(&report->arena);
	fw_free(report);
}

/* Room for one more in an array that doubles. */
static void *grow(void *items, size_t n, size_t bytes)
{
	return (n & (n + 1)) == 0 ? fw_realloc(items, 2 * (n + 1) * bytes) : items;
}

void alert_report_rule(struct alert_report *report, const char *name, const char *trouble)
{
	report->rules = grow(report->rules, report->n_rules, sizeof *report->rules);
	report->rules[report->n_rules++] = (struct report_rule){
		fw_arena_strdup(&report->arena, name), fw_arena_strdup(&report->arena, trouble)};
}

static struct pairs keep(struct fw_arena *arena, const struct fw_label *items, size_t n)
{
	struct notice_pair *copy = fw_arena_alloc(arena, (n + 1) * sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = (struct notice_pair){fw_arena_strdup(arena, items[i].name),
			fw_arena_strdup(arena, items[i].value)};
	return (struct pairs){copy, n};
}

/* All labels but these two tell a rule's alerts apart. */
static bool is_identity(const char *name)
{
	return strcmp(name, "alertname") != 0 && strcmp(name, "instance") != 0;
}

static void give_key(struct finding *finding, const char *estate, struct fw_arena *arena)
{
	const struct pairs *labels = &finding->labels;
	struct notice_pair *identity = fw_arena_alloc(arena, (labels->n + 1) * sizeof *identity);
	size_t n = 0;
	for (size_t i = 0; i < labels->n; i++)
		if (is_identity(labels->items[i].name))
			identity[n++] = labels->items[i];
	identity_key(
		estate, pairs_get(labels, "instance"), finding->rule, identity, n, finding->key);
}

void alert_report_add(
	struct alert_report *report, const char *estate, const struct alert_found *found)
{
	struct fw_arena *arena = &report->arena;
	struct finding *finding = fw_arena_alloc(arena, sizeof *finding);
	assert(report->n_rules > 0);
	*finding = (struct finding){
		.rule = report->rules[report->n_rules - 1].name,
		.labels = keep(arena, found->labels, found->n_labels),
		.annotations = keep(arena, found->annotations, found->n_annotations),
		.is_firing = found->is_firing,
		.value = found->value,
		.active_ms = found->active_ms,
		.fired_ms = found->fired_ms,
	};
	give_key(finding, estate, arena);
	report->findings = grow(report->findings, report->n, sizeof(struct finding *));
	report->findings[report->n++] = finding;
}

const struct report_rule *report_rule_of(const struct alert_report *report, const char *name)
{
	const struct report_rule *rule = NULL;
	for (size_t i = 0; i < report->n_rules; i++)
		if (strcmp(report->rules[i].name, name) == 0 && (!rule || !*rule->trouble))
			rule = &report->rules[i];
	return rule;
}
