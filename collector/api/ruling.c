/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and alerts in Prometheus' form. */
#include "alert.h"
#include "number.h"
#include "parts.h"
#include "schedule.h"

static void write_alert(struct json *j, const struct alert_view *alert)
{
	char value[PROMQL_NUMBER_SIZE];
	json_open(j, '{');
	admin_write_pairs(j, "labels", alert->labels, alert->n_labels);
	admin_write_pairs(j, "annotations", alert->annotations, alert->n_annotations);
	json_put_text(j, "state", alert->state == ALERT_PENDING ? "pending" : "firing");
	json_put_time(j, "activeAt", alert->since_ms);
	json_put_text(j, "value", promql_exponent(alert->value, value, sizeof value));
	json_close(j, '}');
}

/* ---- rule files ---- */

static void write_set(struct json *j, const char *name, const struct label_set *set)
{
	json_key(j, name);
	json_open(j, '{');
	for (size_t i = 0; i < set->n; i++)
		json_put_text(j, set->items[i].name, set->items[i].value);
	json_close(j, '}');
}

static void write_rule_alert(struct json *j, const struct schedule_alert *alert)
{
	char value[PROMQL_NUMBER_SIZE];
	json_open(j, '{');
	write_set(j, "labels", &alert->labels);
	write_set(j, "annotations", &alert->annotations);
	json_put_text(j, "state", alert_phase_text(alert->phase));
	json_put_time(j, "activeAt", alert->active_ms);
	json_put_text(j, "value", promql_exponent(alert->value, value, sizeof value));
	json_close(j, '}');
}

static void write_alerting(struct json *j, const struct schedule_rule *rule)
{
	enum alert_phase worst = ALERT_IS_INACTIVE;
	for (size_t i = 0; i < rule->n_alerts; i++)
		if (rule->alerts[i].phase > worst)
			worst = rule->alerts[i].phase;
	json_put_text(j, "state", alert_phase_text(worst));
	json_put_number(j, "duration", (double)rule->for_ms / 1000);
	json_put_number(j, "keepFiringFor", (double)rule->keep_firing_ms / 1000);
	write_set(j, "annotations", &rule->annotations);
	json_key(j, "alerts");
	json_open(j, '[');
	for (size_t i = 0; i < rule->n_alerts; i++)
		write_rule_alert(j, &rule->alerts[i]);
	json_close(j, ']');
}

static void write_evaluated(struct json *j, int64_t took_ms, int64_t evaluated_ms)
{
	json_put_number(j, "evaluationTime", (double)took_ms / 1000);
	json_key(j, "lastEvaluation");
	if (evaluated_ms)
		json_time(j, evaluated_ms);
	else
		json_text(j, "0001-01-01T00:00:00Z");
}

static void write_rule(struct json *j, const struct schedule_rule *rule)
{
	static const char *const healths[] = {
		[RULE_UNKNOWN] = "unknown", [RULE_OK] = "ok", [RULE_FAILED] = "err"};
	json_open(j, '{');
	json_put_text(j, "name", rule->name);
	json_put_text(j, "query", rule->query);
	write_set(j, "labels", &rule->labels);
	if (rule->is_alert)
		write_alerting(j, rule);
	json_put_text(j, "health", healths[rule->health]);
	if (*rule->trouble)
		json_put_text(j, "lastError", rule->trouble);
	write_evaluated(j, rule->took_ms, rule->evaluated_ms);
	json_put_text(j, "type", rule->is_alert ? "alerting" : "recording");
	json_close(j, '}');
}

static void write_group(struct json *j, const struct schedule_group *group)
{
	json_open(j, '{');
	json_put_text(j, "name", group->name);
	json_put_text(j, "file", group->file);
	json_key(j, "rules");
	json_open(j, '[');
	for (size_t i = 0; i < group->n_rules; i++)
		write_rule(j, &group->rules[i]);
	json_close(j, ']');
	json_put_number(j, "interval", (double)group->interval_ms / 1000);
	json_put_int(j, "limit", group->limit);
	write_evaluated(j, group->took_ms, group->evaluated_ms);
	json_close(j, '}');
}

static void list_groups(struct request *r, struct schedule_group **groups, size_t *n)
{
	struct schedule *schedule = api_config(r->api)->schedule;
	*n = 0;
	if (schedule)
		schedule_list(schedule, &r->arena, groups, n);
}

/* Not for a supplier: what a rule's alert is about need not be one host. */
static void write_file_alerts(struct request *r)
{
	struct schedule_group *groups;
	size_t n;
	if (r->scope)
		return;
	list_groups(r, &groups, &n);
	for (size_t g = 0; g < n; g++)
		for (size_t i = 0; i < groups[g].n_rules; i++)
			for (size_t k = 0; k < groups[g].rules[i].n_alerts; k++)
				write_rule_alert(&r->json, &groups[g].rules[i].alerts[k]);
}

void ruling_alerts(struct request *r)
{
	admin_prepare_alerts(r);
	if (r->status)
		return;
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_key(j, "alerts");
	json_open(j, '[');
	for (size_t i = 0; i < r->n_alerts; i++)
		write_alert(j, &r->alerts[i]);
	write_file_alerts(r);
	json_close(j, ']');
	json_close(j, '}');
	request_end(r, NULL, 0);
}

void ruling_rules(struct request *r)
{
	struct schedule_group *groups;
	size_t n;
	list_groups(r, &groups, &n);
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_key(j, "groups");
	json_open(j, '[');
	for (size_t g = 0; g < n; g++)
		write_group(j, &groups[g]);
	json_close(j, ']');
	json_close(j, '}');
	request_end(r, NULL, 0);
}
