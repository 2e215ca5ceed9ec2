/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and alerts in Prometheus' form. Alerts are those of the built-in rules and those of
 * rule files, one list. */
#include <errno.h>
#include <string.h>

#include "alert.h"
#include "estate.h"
#include "number.h"
#include "parts.h"
#include "schedule.h"
#include "wanted.h"

/* ---- alerts ---- */

static void put_value(struct json *j, double value)
{
	char text[PROMQL_NUMBER_SIZE];
	json_put_text(j, "value", promql_exponent(value, text, sizeof text));
}

static void write_builtin(struct json *j, const struct alert_view *alert)
{
	json_open(j, '{');
	admin_write_pairs(j, "labels", alert->labels, alert->n_labels);
	admin_write_pairs(j, "annotations", alert->annotations, alert->n_annotations);
	json_put_text(j, "state", alert->state == ALERT_PENDING ? "pending" : "firing");
	json_put_time(j, "activeAt", alert->since_ms);
	put_value(j, alert->value);
	json_close(j, '}');
}

void ruling_put_labels(struct json *j, const char *name, const struct label_set *set)
{
	json_key(j, name);
	json_open(j, '{');
	for (size_t i = 0; i < set->n; i++)
		json_put_text(j, set->items[i].name, set->items[i].value);
	json_close(j, '}');
}

static void write_alert(struct json *j, const struct schedule_alert *alert)
{
	json_open(j, '{');
	ruling_put_labels(j, "labels", &alert->labels);
	ruling_put_labels(j, "annotations", &alert->annotations);
	json_put_text(j, "state", alert_phase_text(alert->phase));
	json_put_time(j, "activeAt", alert->active_ms);
	if (alert->unseen_ms)
		json_put_time(j, "keepFiringSince", alert->unseen_ms);
	put_value(j, alert->value);
	json_close(j, '}');
}

static bool sees(struct request *r, const struct schedule_alert *alert)
{
	return estate_sees(r, label_set_get(&alert->labels, "instance"));
}

static void write_rule_alerts(struct request *r, const struct schedule_rule *rule)
{
	for (size_t i = 0; i < rule->n_alerts; i++)
		if (sees(r, &rule->alerts[i]))
			write_alert(&r->json, &rule->alerts[i]);
}

static void read_groups(struct request *r, struct schedule_group **groups, size_t *n)
{
	*n = 0;
	if (api_config(r->api)->schedule)
		schedule_list(api_config(r->api)->schedule, &r->arena, groups, n);
}

void ruling_alerts(struct request *r)
{
	struct schedule_group *groups;
	size_t n;
	admin_prepare_alerts(r);
	if (r->status)
		return;
	read_groups(r, &groups, &n);
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_key(j, "alerts");
	json_open(j, '[');
	for (size_t i = 0; i < r->n_alerts; i++)
		if (!r->alerts[i].is_ruled)
			write_builtin(j, &r->alerts[i]);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < groups[i].n_rules; k++)
			write_rule_alerts(r, &groups[i].rules[k]);
	json_close(j, ']');
	json_close(j, '}');
	request_end(r, NULL, 0);
}

/* ---- rules ---- */

static const char *state_of(const struct schedule_rule *rule)
{
	enum alert_phase worst = ALERT_IS_INACTIVE;
	for (size_t i = 0; i < rule->n_alerts; i++)
		if (rule->alerts[i].phase > worst)
			worst = rule->alerts[i].phase;
	return alert_phase_text(worst);
}

static void put_seconds(struct json *j, const char *name, int64_t ms)
{
	json_put_number(j, name, (double)ms / 1000);
}

static void put_evaluation(struct json *j, int64_t at_ms, int64_t took_ms)
{
	put_seconds(j, "evaluationTime", took_ms);
	if (at_ms)
		json_put_time(j, "lastEvaluation", at_ms);
	else
		json_put_text(j, "lastEvaluation", "0001-01-01T00:00:00Z");
}

static void put_alerting(
	struct request *r, const struct schedule_rule *rule, const struct wanted *w)
{
	struct json *j = &r->json;
	json_put_text(j, "state", state_of(rule));
	put_seconds(j, "duration", rule->for_ms);
	put_seconds(j, "keepFiringFor", rule->keep_firing_ms);
	ruling_put_labels(j, "annotations", &rule->annotations);
	json_key(j, "alerts");
	if (w->without_alerts) {
		json_none(j);
		return;
	}
	json_open(j, '[');
	write_rule_alerts(r, rule);
	json_close(j, ']');
}

static void write_rule(struct request *r, const struct schedule_rule *rule, const struct wanted *w)
{
	static const char *const healths[] = {
		[RULE_UNKNOWN] = "unknown", [RULE_OK] = "ok", [RULE_FAILED] = "err"};
	struct json *j = &r->json;
	json_open(j, '{');
	json_put_text(j, "name", rule->name);
	json_put_text(j, "query", rule->query);
	ruling_put_labels(j, "labels", &rule->labels);
	if (rule->is_alert)
		put_alerting(r, rule, w);
	json_put_text(j, "health", healths[rule->health]);
	if (*rule->trouble)
		json_put_text(j, "lastError", rule->trouble);
	put_evaluation(j, rule->evaluated_ms, rule->took_ms);
	json_put_text(j, "type", rule->is_alert ? "alerting" : "recording");
	json_close(j, '}');
}

static void write_group(
	struct request *r, const struct schedule_group *group, const struct wanted *w)
{
	struct json *j = &r->json;
	json_open(j, '{');
	json_put_text(j, "name", group->name);
	json_put_text(j, "file", group->file);
	json_key(j, "rules");
	json_open(j, '[');
	for (size_t i = 0; i < group->n_rules; i++)
		if (wanted_rule(w, &group->rules[i]))
			write_rule(r, &group->rules[i], w);
	json_close(j, ']');
	put_seconds(j, "interval", group->interval_ms);
	json_put_int(j, "limit", group->limit);
	put_evaluation(j, group->evaluated_ms, group->took_ms);
	json_close(j, '}');
}

/* A group without any rule that is wanted is none. */
static bool is_wanted(const struct wanted *w, const struct schedule_group *group)
{
	bool any = false;
	for (size_t i = 0; i < group->n_rules && !any; i++)
		any = wanted_rule(w, &group->rules[i]);
	return any && wanted_group(w, group);
}

/* Where the page begins; -EINVAL where no group has that token any more. */
static int find_first(const struct wanted *w, const struct schedule_group *groups, size_t n,
	size_t *first, struct fw_err *err)
{
	char token[WANTED_TOKEN];
	for (*first = 0; w->first && *first < n; (*first)++) {
		wanted_token(&groups[*first], token);
		if (strcmp(token, w->first) == 0)
			return 0;
	}
	return !w->first
		? 0
		: fw_fail(err, -EINVAL,
			  "invalid group_next_token '%.80s'. were rule groups changed?", w->first);
}

static void write_groups(
	struct request *r, const struct schedule_group *groups, size_t n, const struct wanted *w)
{
	const struct schedule_group *next = NULL;
	uint64_t written = 0;
	for (size_t i = 0; i < n && !next; i++) {
		if (!is_wanted(w, &groups[i]))
			continue;
		if (w->limit > 0 && written == w->limit)
			next = &groups[i];
		else
			write_group(r, &groups[i], w);
		written++;
	}
	json_close(&r->json, ']');
	if (next) {
		char token[WANTED_TOKEN];
		wanted_token(next, token);
		json_put_text(&r->json, "groupNextToken", token);
	}
}

static void answer_rules(
	struct request *r, const struct schedule_group *groups, size_t n, const struct wanted *w)
{
	struct json *j = request_begin(r);
	json_open(j, '{');
	json_key(j, "groups");
	json_open(j, '[');
	write_groups(r, groups, n, w);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

void ruling_rules(struct request *r)
{
	struct wanted wanted;
	struct schedule_group *groups;
	struct fw_err err;
	size_t n, first;
	read_groups(r, &groups, &n);
	if (wanted_read(r, &wanted, &err) < 0 || find_first(&wanted, groups, n, &first, &err) < 0)
		request_fail_bad(r, &err);
	else
		answer_rules(r, groups + first, n - first, &wanted);
	wanted_done(&wanted);
}
