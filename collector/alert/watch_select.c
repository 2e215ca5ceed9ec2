/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>

#include "watch.h"

#define RESELECT_MS 1000
#define RESELECT_EMPTY_MS (60 * 1000) /* where no rule found anything */

static bool is_wanted(const struct store_matcher *matcher, const char *value)
{
	(void)matcher;
	return rules_of_name(value).looks || strcmp(value, INFO_METRIC) == 0 ||
		strcmp(value, SUCCESS_METRIC) == 0;
}

/* Of the success of sources that of the rules'. */
static bool is_wanted_source(const struct store_matcher *matcher, const char *value)
{
	(void)matcher;
	for (size_t i = 0; i < RULES; i++)
		if (rule_has_source(&rules[i], value))
			return true;
	return !*value;
}

/* Of processors' times one a processor is enough to count them. */
static bool is_wanted_mode(const struct store_matcher *matcher, const char *value)
{
	(void)matcher;
	return !*value || strcmp(value, "idle") == 0;
}

static bool is_equal(const struct store_matcher *matcher, const char *value)
{
	return strcmp(matcher->value, value) == 0;
}

/* The column of that name with the labels of another one. */
static uint32_t find_beside(const struct group *group, const char *name, uint32_t other)
{
	for (uint32_t i = 0; name && *name && i < group->store.n_columns; i++)
		if (strcmp(column_at(group, i)->name, name) == 0 &&
			fw_column_same_labels(column_at(group, i), column_at(group, other)))
			return i;
	return NO_COLUMN;
}

/* How many series there are of what the rule is for each of. */
static uint32_t count_parts(const struct group *group, const struct rule *rule)
{
	uint32_t n = 0;
	for (uint32_t i = 0; rule->per && i < group->store.n_columns; i++) {
		const struct fw_column *column = column_at(group, i);
		n += strcmp(column->name, rule->per) == 0 &&
			strcmp(fw_label_value(column->labels, column->n_labels, "mode"),
				rule->per_mode) == 0;
	}
	return n;
}

static bool has_same_value(const struct fw_column *a, const struct fw_column *b, const char *label)
{
	return !label ||
		strcmp(fw_label_value(a->labels, a->n_labels, label),
			fw_label_value(b->labels, b->n_labels, label)) == 0;
}

static struct item *find_item(const struct group *group, const struct item *wanted)
{
	const struct rule *rule = wanted->rule->rule;
	const struct fw_column *column = column_at(group, wanted->metric);
	for (size_t i = 0; i < group->n_items; i++) {
		struct item *item = &group->items[i];
		const struct fw_column *other = column_at(group, item->metric);
		if (item->rule->rule == rule && has_same_value(column, other, rule->identity) &&
			has_same_value(column, other, rule->identity_too))
			return item;
	}
	return NULL;
}

/* Of two filesystems mounted over one another the later one is seen: it takes the place. */
static void add_item(struct group *group, const struct item *item)
{
	struct item *before = find_item(group, item);
	if (!before) {
		group->items[group->n_items++] = *item;
		return;
	}
	if (item->rule->rule->sums)
		group->more[item->metric] = before->metric;
	*before = *item;
}

/* The rule that takes over from this one, where that is in force. */
static const struct alert_rule_option *worse_than(
	const struct alert_rule_option *in_force, const struct rule *rule)
{
	if (!rule->worse)
		return NULL;
	const struct alert_rule_option *worse = &in_force[rule_find(rule->worse) - rules];
	return worse->enabled ? worse : NULL;
}

/* Whether the rule looks at this column, and as which of its metrics. */
static bool is_looked_at(const struct rule *rule, const struct fw_column *column, int *metric)
{
	*metric = rule_metric(rule, column->name);
	return *metric >= 0 &&
		(!rule->label ||
			rule_wants(rule,
				fw_label_value(column->labels, column->n_labels, rule->label)));
}

static struct item item_of(const struct group *group, const struct alert_rule_option *in_force,
	const struct alert_rule_option *option, uint32_t column, int metric)
{
	const struct rule *rule = option->rule;
	char divisor[128];
	rule_divisor(rule, metric, divisor);
	return (struct item){
		.rule = option,
		.worse = worse_than(in_force, rule),
		.metric = column,
		.divisor = find_beside(group, divisor, column),
		.unless = find_beside(group, rule->unless, column),
		.parts = count_parts(group, rule),
	};
}

/* Its values are another machine's word: alerts go by name, and this one must not open or
 * close those of whom it checks. */
static bool may_look_at_check(const struct rule *rule)
{
	return rule->identity && strcmp(rule->identity, "check") == 0;
}

static void add_items(
	struct group *group, const struct alert_rule_option *in_force, size_t which, bool is_check)
{
	const struct alert_rule_option *option = &in_force[which];
	const struct rule *rule = option->rule;
	int metric;
	if (!option->enabled || rule->kind != RULE_SERIES || (is_check && !may_look_at_check(rule)))
		return;
	for (uint32_t i = 0; i < group->store.n_columns; i++) {
		if (!is_looked_at(rule, column_at(group, i), &metric))
			continue;
		struct item item = item_of(group, in_force, option, i, metric);
		if ((!rule->divisor || item.divisor != NO_COLUMN) && (!rule->per || item.parts > 0))
			add_item(group, &item);
	}
}

void watch_set_class(struct host *host, const struct fw_label *labels, size_t n)
{
	snprintf(host->class, sizeof host->class, "%s", fw_label_value(labels, n, "class"));
}

/* The rules that have their metric among the columns: most have not. */
static uint64_t rules_of_group(const struct group *group)
{
	uint64_t concerned = 0;
	for (uint32_t i = 0; i < group->store.n_columns; i++)
		concerned |= rules_of_name(column_at(group, i)->name).metric;
	return concerned;
}

static void learn_class(struct host *host, const struct group *group)
{
	for (uint32_t i = 0; i < group->store.n_columns; i++) {
		const struct fw_column *column = column_at(group, i);
		if (strcmp(column->name, INFO_METRIC) == 0)
			watch_set_class(host, column->labels, column->n_labels);
	}
}

/* Some metrics have several rules. */
static size_t most_items(const struct store_group *found)
{
	size_t n = 0;
	for (uint32_t i = 0; i < found->n_columns; i++) {
		uint64_t concerned =
			rules_of_name(found->schema->columns[found->columns[i]].name).metric;
		n += (size_t)__builtin_popcountll(concerned);
	}
	return n;
}

/* What was found lies in passing memory. */
static void group_init(struct group *group, const struct store_group *found, struct fw_arena *arena)
{
	uint32_t *columns = fw_arena_alloc(arena, found->n_columns * sizeof *columns);
	memcpy(columns, found->columns, found->n_columns * sizeof *columns);
	group->store = *found;
	group->store.columns = columns;
	group->items = fw_arena_alloc(arena, (most_items(found) + 1) * sizeof *group->items);
	group->more = fw_arena_alloc(arena, (found->n_columns + 1) * sizeof *group->more);
	for (uint32_t i = 0; i < found->n_columns; i++)
		group->more[i] = NO_COLUMN;
}

void watch_take_groups(const struct alert_rule_option in_force[RULES], struct host *host,
	const struct store_group *found, size_t n)
{
	bool is_check = *fw_label_value(host->labels, host->n_labels, "check") != '\0';
	host->n_groups = n;
	host->groups = n ? fw_arena_alloc(&host->arena, n * sizeof *host->groups) : NULL;
	for (size_t i = 0; i < n; i++) {
		struct group *group = &host->groups[i];
		group_init(group, &found[i], &host->arena);
		uint64_t concerned = rules_of_group(group);
		for (size_t r = 0; r < RULES; r++)
			if (concerned >> r & 1)
				add_items(group, in_force, r, is_check);
		host->n_items += group->n_items;
		learn_class(host, group);
	}
}

void watch_select(struct watch *watch, struct host *host)
{
	const struct store_matcher matchers[] = {
		{.name = "instance",
			.accepts = is_equal,
			.value = fw_label_value(host->labels, host->n_labels, "instance")},
		{.name = "job",
			.accepts = is_equal,
			.value = fw_label_value(host->labels, host->n_labels, "job")},
		{.name = "__name__", .accepts = is_wanted},
		{.name = "mode", .accepts = is_wanted_mode},
		{.name = "collector", .accepts = is_wanted_source},
	};
	struct store_group *found;
	struct fw_arena passing = {0};
	struct fw_err err;
	size_t n = 0;
	host->selected_ms = fw_mono_ms();
	fw_arena_done(&host->arena);
	host->groups = NULL;
	host->n_groups = host->n_items = 0;
	watch->selections++;
	int rc = store_select_host(watch->alerts->config.store, host->id, matchers, 5,
		host->newest_ms - LOOKBACK_MS, &passing, &found, &n, &err);
	if (rc < 0)
		fw_log(FW_ERROR, "%s: its series cannot be looked up: %s", matchers[0].value,
			err.text);
	else
		watch_take_groups(watch->alerts->rules, host, found, n);
	fw_arena_done(&passing);
}

bool watch_may_select(const struct watch *watch, const struct host *host)
{
	int64_t pause_ms = host->n_items > 0 ? RESELECT_MS : RESELECT_EMPTY_MS;
	return watch->selections < RESELECT_AT_ONCE &&
		(host->selected_ms == 0 || fw_mono_ms() - host->selected_ms >= pause_ms);
}
