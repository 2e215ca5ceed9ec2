/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include <fenwatch/clock.h>

#include "watch.h"

#define DAY_S 86400

static struct alert *make_alert(
	struct host *host, const char *key, const struct rule *rule, const struct fw_column *column)
{
	size_t n_column = column ? column->n_labels : 0, n = 0;
	struct notice_pair *labels = fw_alloc_array(host->n_labels + n_column + 2, sizeof *labels);
	for (size_t i = 0; i < n_column; i++)
		labels[n++] = (struct notice_pair){column->labels[i].name, column->labels[i].value};
	for (size_t i = 0; i < host->n_labels; i++)
		labels[n++] = (struct notice_pair){host->labels[i].name, host->labels[i].value};
	labels[n++] = (struct notice_pair){"alertname", rule->name};
	labels[n++] = (struct notice_pair){"severity", rule->severity};
	struct alert *alert = alert_new(&host->alerts, key, rule, rule->name, labels, n);
	fw_free(labels);
	return alert;
}

const char *watch_label(const struct host *host, const struct fw_column *column, const char *name)
{
	const char *value = column ? fw_label_value(column->labels, column->n_labels, name) : "";
	return *value ? value : fw_label_value(host->labels, host->n_labels, name);
}

/* The alert of this rule and series, made if `make`. */
static struct alert *alert_for(struct watch *watch, struct host *host, const struct rule *rule,
	const struct fw_column *column, bool make)
{
	if (!host->alerts && !make)
		return NULL;
	char key[IDENTITY_KEY];
	const char *const names[] = {rule->identity, rule->identity_too};
	struct notice_pair identity[2];
	size_t n = 0;
	for (size_t i = 0; i < 2 && names[i]; i++) {
		const char *value = watch_label(host, column, names[i]);
		if (*value || !rule->identity_too)
			identity[n++] = (struct notice_pair){names[i], value};
	}
	identity_key(watch->alerts->config.estate,
		fw_label_value(host->labels, host->n_labels, "instance"), rule->name, identity, n,
		key);
	struct alert *alert = alert_find(host->alerts, key);
	return alert || !make ? alert : make_alert(host, key, rule, column);
}

void watch_observe(struct watch *watch, struct host *host, const struct alert_rule_option *option,
	const struct fw_column *column, double value, int64_t began_ms)
{
	struct alert *alert = alert_for(
		watch, host, option->rule, column, engine_is_breach(&option->limits, value));
	if (!alert)
		return;
	struct life life = alert->episode.life;
	enum change change = engine_observe(&life, &option->limits, value, began_ms, alerts_now());
	alert->seen = watch->look;
	alert_changed(watch->alerts, alert, &life, change);
}

/* Of the series, or of all of its sum. False where there is none now. */
static bool add_up(const struct group *group, uint32_t metric, const int64_t *cells, double *sum)
{
	bool any = false;
	*sum = 0;
	for (uint32_t i = metric; i != NO_COLUMN; i = group->more[i]) {
		if (cells[i] == FW_ABSENT)
			continue;
		*sum += fw_column_value(column_at(group, i), cells[i]);
		any = true;
	}
	return any;
}

bool watch_value(const struct group *group, const struct item *item, const int64_t *cells,
	int64_t wall_ms, double *value)
{
	if (!add_up(group, item->metric, cells, value))
		return false;
	if (item->unless != NO_COLUMN && cells[item->unless] != FW_ABSENT &&
		fw_column_value(column_at(group, item->unless), cells[item->unless]) != 0)
		return false;
	if (item->rule->rule->is_age)
		*value = ((double)wall_ms / 1000 - *value) / DAY_S;
	if (item->divisor != NO_COLUMN) {
		if (cells[item->divisor] == FW_ABSENT)
			return false;
		*value /= fw_column_value(column_at(group, item->divisor), cells[item->divisor]);
	}
	if (item->parts)
		*value /= item->parts;
	if (item->rule->rule->is_either_way)
		*value = fabs(*value);
	if (item->rule->rule->ahead)
		*value -= (double)wall_ms / 1000;
	if (item->worse && engine_is_breach(&item->worse->limits, *value))
		*value = item->rule->limits.recovery; /* it is the other one's now */
	return isfinite(*value);
}

/* A value that is no newer than the last look's says only that the series is still there. */
static void look_at_group(struct watch *watch, struct host *host, struct group *group,
	const int64_t *cells, bool fresh)
{
	int64_t now_ms = fw_mono_ms(), wall_ms = fw_wall_ms();
	for (size_t i = 0; i < group->n_items; i++) {
		const struct item *item = &group->items[i];
		const struct fw_column *column = column_at(group, item->metric);
		double value;
		if (!watch_value(group, item, cells, wall_ms, &value))
			continue;
		if (fresh) {
			watch_observe(watch, host, item->rule, column, value, now_ms);
			continue;
		}
		struct alert *alert = alert_for(watch, host, item->rule->rule, column, false);
		if (alert)
			alert->seen = watch->look;
	}
}

/* Whether one of the known groups has the host's newest sweep. */
static bool look_at_groups(struct watch *watch, struct host *host)
{
	struct fw_arena arena = {0};
	bool newest = false;
	for (size_t i = 0; i < host->n_groups; i++) {
		struct group *group = &host->groups[i];
		int64_t at_ms, *cells;
		if (store_latest(watch->alerts->config.store, &group->store, &arena, &at_ms,
			    &cells) < 0 ||
			at_ms < host->newest_ms - LOOKBACK_MS)
			continue;
		newest |= at_ms >= host->newest_ms && group->n_items > 0;
		look_at_group(watch, host, group, cells, at_ms != group->at_ms);
		group->at_ms = at_ms;
	}
	fw_arena_done(&arena);
	return newest;
}

void watch_look_for_success(
	struct success *success, const struct group *group, const int64_t *cells, int64_t at_ms)
{
	for (uint32_t i = 0; at_ms >= success->at_ms && i < group->store.n_columns; i++) {
		const struct fw_column *column = column_at(group, i);
		if (strcmp(column->name, SUCCESS_METRIC) != 0 || cells[i] == FW_ABSENT)
			continue;
		if (at_ms > success->at_ms)
			success->is_read = false;
		success->at_ms = at_ms;
		success->any = true;
		success->is_read |= fw_column_value(column, cells[i]) != 0 &&
			rule_has_source(success->rule,
				fw_label_value(column->labels, column->n_labels, "collector"));
	}
}

/* Hosts that never say how their sources do (another exporter's) are taken at their word. */
static bool is_source_failing(struct watch *watch, struct host *host, const struct rule *rule)
{
	struct fw_arena arena = {0};
	struct success success = {.rule = rule};
	for (size_t i = 0; rule->source && i < host->n_groups; i++) {
		int64_t at_ms, *cells;
		if (store_latest(watch->alerts->config.store, &host->groups[i].store, &arena,
			    &at_ms, &cells) == 0)
			watch_look_for_success(&success, &host->groups[i], cells, at_ms);
	}
	fw_arena_done(&arena);
	return success.any && !success.is_read;
}

static void miss(struct watch *watch, struct host *host, struct alert *alert)
{
	struct life life = alert->episode.life;
	alert->is_source_failing = is_source_failing(watch, host, alert->rule);
	bool ends = !alert->is_source_failing && !alert->rule->outlasts;
	enum change change = engine_miss(&life, ends, alerts_now());
	alert_changed(watch->alerts, alert, &life, change);
}

static void look_for_missing(struct watch *watch, struct host *host)
{
	for (struct alert *alert = host->alerts; alert; alert = alert->next)
		if (alert->seen != watch->look && alert->rule->kind == RULE_SERIES)
			miss(watch, host, alert);
}

void watch_look_at(struct watch *watch, struct host *host)
{
	if (host->selected_ms == 0)
		watch_select(watch, host);
	if (!look_at_groups(watch, host) && watch_may_select(watch, host)) {
		watch_select(watch, host);
		look_at_groups(watch, host);
	}
	look_for_missing(watch, host);
}
