/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/log.h>

#include "internal.h"
#include "register.h"
#include "retired.h"
#include "state.h"
#include "store.h"

#define LOOKBACK_MS (5 * 60 * 1000) /* older values of another schema are no values */
#define RESELECT_MS 1000
#define RESELECT_EMPTY_MS (60 * 1000) /* where no rule found anything */
#define RESELECT_AT_ONCE 256          /* a look: the loop has other work too */
#define INTERVAL_MOST_MS (3600 * 1000)
/* How long an agent may take to come back after the collector was away. */
#define COMES_BACK_MS (330 * 1000)

#define DAY_S 86400

#define INFO_METRIC "fenwatch_host_info"
#define SUCCESS_METRIC "node_scrape_collector_success"

/* A series that a rule looks at: places in the group's columns. */
struct item {
	const struct alert_rule_option *rule, *worse; /* `worse` may be NULL */
	uint32_t metric, divisor, unless;             /* NO_COLUMN: none */
	uint32_t parts;                               /* by which it is divided; 0: it is not */
};
#define NO_COLUMN UINT32_MAX

struct group {
	struct store_group store;
	struct item *items;
	size_t n_items;
	uint32_t *more; /* of each column: the next one of its sum, or NO_COLUMN */
	int64_t at_ms;  /* of the newest sweep that was looked at */
};

struct host {
	uint32_t id;
	const struct fw_label *labels;
	size_t n_labels;
	uint64_t changes;
	int64_t newest_ms, received_ms;
	int64_t first_ms;    /* wall: when it was first heard; 0: long ago */
	int64_t heard_ms;    /* monotonic */
	int64_t absent_ms;   /* how long it had not been heard at `heard_ms` */
	int64_t interval_ms; /* as it shows in the sweeps' times */
	bool heard;          /* since the start */
	bool measured;       /* the interval is the host's own */
	char class[32];      /* by its agent */
	char registered[32]; /* by the register; "" where it says nothing */
	struct register_life life;
	bool is_newcomer;      /* its first moment is not written down */
	bool is_known;         /* the register was asked for these two */
	uint8_t agent[16];     /* who spoke last */
	int64_t selected_ms;   /* monotonic; 0: never */
	struct fw_arena arena; /* of the groups */
	struct group *groups;
	size_t n_groups, n_items;
	struct alert *alerts;
};

struct watch {
	struct alerts *alerts;
	struct host **hosts; /* by the store's id; NULL where there is none */
	size_t n_hosts;
	struct host **by_name; /* by instance; made when it is asked for. NULL: not yet */
	size_t n_by_name;
	uint64_t look;
	const struct alert_rule_option *silence;
	unsigned selections; /* of this look */
	bool has_newcomers;  /* whose first moment is not written down */
	struct site_host *site_hosts;
};

/* ---- which series the rules look at ---- */

static bool is_wanted(const struct store_matcher *matcher, const char *value)
{
	(void)matcher;
	for (size_t i = 0; i < RULES; i++)
		if (rule_looks_at(&rules[i], value))
			return true;
	return strcmp(value, INFO_METRIC) == 0 || strcmp(value, SUCCESS_METRIC) == 0;
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

static const struct fw_column *column_at(const struct group *group, uint32_t i)
{
	return &group->store.schema->columns[group->store.columns[i]];
}

static bool has_same_labels(const struct fw_column *a, const struct fw_column *b)
{
	if (a->n_labels != b->n_labels)
		return false;
	for (size_t i = 0; i < a->n_labels; i++)
		if (strcmp(a->labels[i].name, b->labels[i].name) != 0 ||
			strcmp(a->labels[i].value, b->labels[i].value) != 0)
			return false;
	return true;
}

/* The column of that name with the labels of another one. */
static uint32_t find_beside(const struct group *group, const char *name, uint32_t other)
{
	for (uint32_t i = 0; name && *name && i < group->store.n_columns; i++)
		if (strcmp(column_at(group, i)->name, name) == 0 &&
			has_same_labels(column_at(group, i), column_at(group, other)))
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

static void add_items(struct group *group, const struct alert_rule_option *in_force, size_t which)
{
	const struct alert_rule_option *option = &in_force[which];
	const struct rule *rule = option->rule;
	int metric;
	if (!option->enabled || rule->kind != RULE_SERIES)
		return;
	for (uint32_t i = 0; i < group->store.n_columns; i++) {
		if (!is_looked_at(rule, column_at(group, i), &metric))
			continue;
		struct item item = item_of(group, in_force, option, i, metric);
		if ((!rule->divisor || item.divisor != NO_COLUMN) && (!rule->per || item.parts > 0))
			add_item(group, &item);
	}
}

static void set_class(struct host *host, const struct fw_label *labels, size_t n)
{
	snprintf(host->class, sizeof host->class, "%s", fw_label_value(labels, n, "class"));
}

/* What the register says counts before what the agent does, and who is blue-light in it
 * is missed as such. */
static void learn_from_register(struct watch *watch, struct host *host)
{
	const struct alert_options *options = watch->alerts->config.options;
	struct register_host known = {.tier = TIER_STANDARD, .life = {.is = LIFE_LIVE}};
	if (options && options->registry)
		register_host(options->registry, host->labels, host->n_labels, &known);
	const char *class = known.texts[HOST_CLASS];
	if (!class && known.tier == TIER_BLUE_LIGHT)
		class = register_tier_names[TIER_BLUE_LIGHT];
	snprintf(host->registered, sizeof host->registered, "%s", class ? class : "");
	host->life = known.life;
	host->is_known = true;
}

static const char *class_of(const struct host *host)
{
	return *host->registered ? host->registered : host->class;
}

static void learn_class(struct host *host, const struct group *group)
{
	for (uint32_t i = 0; i < group->store.n_columns; i++) {
		const struct fw_column *column = column_at(group, i);
		if (strcmp(column->name, INFO_METRIC) == 0)
			set_class(host, column->labels, column->n_labels);
	}
}

/* Some metrics have several rules. */
static size_t most_items(const struct store_group *found)
{
	size_t n = 0;
	for (uint32_t i = 0; i < found->n_columns; i++) {
		const char *name = found->schema->columns[found->columns[i]].name;
		for (size_t r = 0; r < RULES; r++)
			n += rule_metric(&rules[r], name) >= 0;
	}
	return n;
}

static void group_init(struct group *group, const struct store_group *found, struct fw_arena *arena)
{
	group->store = *found;
	group->items = fw_arena_alloc(arena, (most_items(found) + 1) * sizeof *group->items);
	group->more = fw_arena_alloc(arena, (found->n_columns + 1) * sizeof *group->more);
	for (uint32_t i = 0; i < found->n_columns; i++)
		group->more[i] = NO_COLUMN;
}

static void take_groups(
	struct watch *watch, struct host *host, const struct store_group *found, size_t n)
{
	host->n_groups = n;
	host->groups = fw_arena_alloc(&host->arena, (n + 1) * sizeof *host->groups);
	for (size_t i = 0; i < n; i++) {
		struct group *group = &host->groups[i];
		group_init(group, &found[i], &host->arena);
		for (size_t r = 0; r < RULES; r++)
			add_items(group, watch->alerts->rules, r);
		host->n_items += group->n_items;
		learn_class(host, group);
	}
}

static void select_groups(struct watch *watch, struct host *host)
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
	struct fw_err err;
	size_t n = 0;
	host->selected_ms = fw_mono_ms();
	fw_arena_done(&host->arena);
	host->groups = NULL;
	host->n_groups = host->n_items = 0;
	watch->selections++;
	int rc = store_select_host(watch->alerts->config.store, host->id, matchers, 5,
		host->newest_ms - LOOKBACK_MS, &host->arena, &found, &n, &err);
	if (rc < 0)
		fw_log(FW_ERROR, "%s: its series cannot be looked up: %s", matchers[0].value,
			err.text);
	else
		take_groups(watch, host, found, n);
}

static bool should_reselect(const struct watch *watch, const struct host *host)
{
	int64_t pause_ms = host->n_items > 0 ? RESELECT_MS : RESELECT_EMPTY_MS;
	return watch->selections < RESELECT_AT_ONCE &&
		(host->selected_ms == 0 || fw_mono_ms() - host->selected_ms >= pause_ms);
}

/* ---- what was seen ---- */

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
	for (size_t i = 0; i < 2 && names[i]; i++)
		identity[n++] = (struct notice_pair){names[i],
			column ? fw_label_value(column->labels, column->n_labels, names[i])
			       : fw_label_value(host->labels, host->n_labels, names[i])};
	identity_key(watch->alerts->config.estate,
		fw_label_value(host->labels, host->n_labels, "instance"), rule->name, identity, n,
		key);
	struct alert *alert = alert_find(host->alerts, key);
	return alert || !make ? alert : make_alert(host, key, rule, column);
}

static void observe(struct watch *watch, struct host *host, const struct alert_rule_option *option,
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

/* False where the series has no value now. */
static bool value_of(
	const struct group *group, const struct item *item, const int64_t *cells, double *value)
{
	if (!add_up(group, item->metric, cells, value))
		return false;
	if (item->unless != NO_COLUMN && cells[item->unless] != FW_ABSENT &&
		fw_column_value(column_at(group, item->unless), cells[item->unless]) != 0)
		return false;
	if (item->rule->rule->is_age)
		*value = ((double)fw_wall_ms() / 1000 - *value) / DAY_S;
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
		*value -= (double)alerts_now().wall_ms / 1000;
	if (item->worse && engine_is_breach(&item->worse->limits, *value))
		*value = item->rule->limits.recovery; /* it is the other one's now */
	return isfinite(*value);
}

/* A value that is no newer than the last look's says only that the series is still there. */
static void look_at_group(struct watch *watch, struct host *host, struct group *group,
	const int64_t *cells, bool fresh)
{
	int64_t now_ms = fw_mono_ms();
	for (size_t i = 0; i < group->n_items; i++) {
		const struct item *item = &group->items[i];
		const struct fw_column *column = column_at(group, item->metric);
		double value;
		if (!value_of(group, item, cells, &value))
			continue;
		if (fresh) {
			observe(watch, host, item->rule, column, value, now_ms);
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

struct success {
	const struct rule *rule;
	int64_t at_ms;     /* of the newest sweep with anything about sources */
	bool any, is_read; /* any: the host says of sources how they do */
};

static void look_for_success(
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
			look_for_success(&success, &host->groups[i], cells, at_ms);
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

static void look_at_host(struct watch *watch, struct host *host)
{
	if (host->selected_ms == 0)
		select_groups(watch, host);
	if (!look_at_groups(watch, host) && should_reselect(watch, host)) {
		select_groups(watch, host);
		look_at_groups(watch, host);
	}
	look_for_missing(watch, host);
}

/* ---- hosts ---- */

static void adopt_alerts(struct watch *watch, struct host *host)
{
	for (struct alert *alert = watch->alerts->homeless, *next; alert; alert = next) {
		const struct pairs *labels = &alert->episode.labels;
		next = alert->next;
		if (alert->rule && alert->rule->kind != RULE_RAISED &&
			strcmp(alert->episode.instance,
				fw_label_value(host->labels, host->n_labels, "instance")) == 0 &&
			strcmp(pairs_get(labels, "job"),
				fw_label_value(host->labels, host->n_labels, "job")) == 0)
			alert_move(alert, &host->alerts);
	}
}

static struct host *host_new(struct watch *watch, const struct store_host *seen)
{
	struct host *host = fw_alloc(sizeof *host);
	host->id = seen->id;
	host->labels = seen->labels;
	host->n_labels = seen->n_labels;
	host->heard_ms = fw_mono_ms();
	host->interval_ms = (int64_t)(COMES_BACK_MS / fmax(watch->silence->limits.threshold, 1));
	host->first_ms = fw_wall_ms();
	host->is_newcomer = true;
	set_class(host, seen->labels, seen->n_labels);
	adopt_alerts(watch, host);
	return host;
}

/* ---- when hosts were first heard ---- */

static const char *const steps[] = {
	"CREATE TABLE first_heard (host INTEGER NOT NULL PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT",
};

int watch_prepare(struct state *state, struct fw_err *err)
{
	return state_migrate(state, "watch", steps, sizeof steps / sizeof *steps, err);
}

/* -1: nothing is written down of it. */
static int64_t read_first(struct state *state, const struct host *host)
{
	sqlite3_stmt *row;
	int64_t at_ms = -1;
	if (state_query(state, &row, NULL, "SELECT at_ms FROM first_heard WHERE host = ?", "i",
		    (int64_t)host->id) < 0)
		return -1;
	if (state_step(state, row, NULL) > 0)
		at_ms = sqlite3_column_int64(row, 0);
	state_done(row);
	return at_ms;
}

static int write_newcomers(struct watch *watch, struct fw_err *err)
{
	struct state *state = watch->alerts->config.state;
	int rc = state_begin(state, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < watch->n_hosts && rc == 0; i++)
		if (watch->hosts[i] && watch->hosts[i]->is_newcomer)
			rc = state_run(state, err,
				"INSERT OR IGNORE INTO first_heard (host, at_ms) VALUES (?, ?)",
				"ii", (int64_t)i, watch->hosts[i]->first_ms);
	return state_finish(state, rc, err);
}

/* All that came since the last look, in one transaction; otherwise at the next look. */
static void keep_newcomers(struct watch *watch)
{
	struct fw_err err;
	if (!watch->has_newcomers)
		return;
	if (write_newcomers(watch, &err) < 0) {
		fw_log(FW_ERROR, "when hosts were first heard cannot be kept: %s", err.text);
		return;
	}
	for (size_t i = 0; i < watch->n_hosts; i++)
		if (watch->hosts[i])
			watch->hosts[i]->is_newcomer = false;
	watch->has_newcomers = false;
}

static void drop_names(struct watch *watch)
{
	fw_free(watch->by_name);
	watch->by_name = NULL;
}

static struct host *host_of(struct watch *watch, const struct store_host *seen)
{
	if (seen->id >= watch->n_hosts) {
		size_t n = (size_t)seen->id + seen->id / 2 + 16;
		watch->hosts = fw_realloc(watch->hosts, n * sizeof *watch->hosts);
		memset(watch->hosts + watch->n_hosts, 0,
			(n - watch->n_hosts) * sizeof *watch->hosts);
		watch->n_hosts = n;
	}
	if (!watch->hosts[seen->id]) {
		watch->hosts[seen->id] = host_new(watch, seen);
		watch->has_newcomers = true;
		drop_names(watch);
	}
	return watch->hosts[seen->id];
}

/* The shortest step of the sweeps' times lately: one longer pause does not change it much. */
static void learn_interval(struct host *host, int64_t step_ms)
{
	if (!host->heard || step_ms <= 0)
		return;
	if (step_ms < host->interval_ms || !host->measured)
		host->interval_ms = step_ms;
	else
		host->interval_ms += (step_ms - host->interval_ms) / 8;
	if (host->interval_ms > INTERVAL_MOST_MS)
		host->interval_ms = INTERVAL_MOST_MS;
	host->measured = true;
}

static void note_heard(struct host *host, const struct store_host *seen)
{
	learn_interval(host, seen->newest_ms - host->newest_ms);
	host->newest_ms = seen->newest_ms;
	host->received_ms = seen->received_ms;
	memcpy(host->agent, seen->agent, sizeof host->agent);
	host->heard_ms = fw_mono_ms();
	host->absent_ms = 0;
	host->heard = true;
}

void watch_look(struct watch *watch)
{
	struct fw_arena arena = {0};
	struct store_host *seen;
	size_t n = store_hosts(watch->alerts->config.store, &arena, &seen);
	watch->look++;
	watch->selections = 0;
	keep_newcomers(watch);
	for (size_t i = 0; i < n; i++) {
		struct host *host = host_of(watch, &seen[i]);
		bool spoke = host->received_ms != seen[i].received_ms ||
			host->newest_ms != seen[i].newest_ms;
		if (!spoke || watch->selections >= RESELECT_AT_ONCE)
			continue;
		note_heard(host, &seen[i]);
		look_at_host(watch, host);
	}
	fw_arena_done(&arena);
}

static const struct alert_absence *absence_of(const struct watch *watch)
{
	const struct alert_options *options = watch->alerts->config.options;
	return options ? &options->absence : NULL;
}

static const char *name_of(const struct host *host)
{
	return fw_label_value(host->labels, host->n_labels, "instance");
}

static bool is_in_service(const struct watch *watch, const struct host *host)
{
	const struct alert_config *config = &watch->alerts->config;
	return register_is_in_service(register_lifecycle_at(&host->life, fw_wall_ms())) &&
		!retired_find(config->retired, name_of(host)) &&
		(!config->is_expected || config->is_expected(host->agent, config->arg));
}

static bool may_be_silent(const struct watch *watch, const struct host *host, int64_t now_ms)
{
	int64_t silent_ms = host->absent_ms + now_ms - host->heard_ms;
	return alert_may_be_away(absence_of(watch), class_of(host), silent_ms) ||
		!is_in_service(watch, host);
}

/* A host that was not heard since the start may yet come back: until then
 * nothing opens, nothing closes. Its class is looked up before it is blamed. */
static void look_for_silence(struct watch *watch, struct host *host, int64_t now_ms)
{
	double missed = (double)(now_ms - host->heard_ms) / (double)host->interval_ms;
	bool is_breach = engine_is_breach(&watch->silence->limits, missed);
	if (!host->heard && !is_breach)
		return;
	if (host->selected_ms == 0 || (!*host->class && host->selected_ms <= host->heard_ms))
		select_groups(watch, host);
	if (is_breach && !host->is_known)
		learn_from_register(watch, host);
	if (is_breach && may_be_silent(watch, host, now_ms))
		missed = 0;
	struct alert_rule_option rule = *watch->silence;
	rule.limits.hold_ms = alert_silence_hold_ms(
		absence_of(watch), class_of(host), watch->silence->limits.hold_ms);
	observe(watch, host, &rule, NULL, missed, host->heard_ms);
}

void watch_silence(struct watch *watch)
{
	int64_t now_ms = fw_mono_ms();
	for (size_t i = 0; watch->silence->enabled && i < watch->n_hosts; i++) {
		struct host *host = watch->hosts[i];
		if (host && host->newest_ms != 0)
			look_for_silence(watch, host, now_ms);
	}
}

static struct site_host site_host_of(struct watch *watch, struct host *host, int64_t now_ms)
{
	double missed = (double)(now_ms - host->heard_ms) / (double)host->interval_ms;
	struct site_host seen = {
		.labels = host->labels,
		.n_labels = host->n_labels,
		.heard_ms = host->heard_ms,
		.interval_ms = host->interval_ms,
		.was_heard = host->heard,
	};
	if (!engine_is_breach(&watch->silence->limits, missed))
		return seen;
	if (!host->is_known)
		learn_from_register(watch, host);
	seen.is_away = may_be_silent(watch, host, now_ms);
	seen.is_silent = !seen.is_away;
	return seen;
}

size_t watch_hosts(struct watch *watch, int64_t now_ms, const struct site_host **hosts)
{
	size_t n = 0;
	watch->site_hosts =
		fw_realloc(watch->site_hosts, (watch->n_hosts + 1) * sizeof *watch->site_hosts);
	for (size_t i = 0; watch->silence->enabled && i < watch->n_hosts; i++) {
		struct host *host = watch->hosts[i];
		if (host && host->newest_ms != 0)
			watch->site_hosts[n++] = site_host_of(watch, host, now_ms);
	}
	*hosts = watch->site_hosts;
	return n;
}

void watch_each(struct watch *watch, void (*each)(struct alert *alert, void *arg), void *arg)
{
	for (size_t i = 0; i < watch->n_hosts; i++) {
		if (!watch->hosts[i])
			continue;
		for (struct alert *alert = watch->hosts[i]->alerts, *next; alert; alert = next) {
			next = alert->next;
			each(alert, arg);
		}
	}
}

/* Of a host that is not written down: it came just before the end, or, where none is, long
 * before anybody did. */
static void remember_first(struct watch *watch, struct host *host, bool is_any)
{
	int64_t first_ms = read_first(watch->alerts->config.state, host);
	host->is_newcomer = first_ms < 0;
	if (first_ms >= 0 || !is_any)
		host->first_ms = first_ms < 0 ? 0 : first_ms;
}

static bool has_first_heard(struct state *state)
{
	sqlite3_stmt *row;
	if (state_query(state, &row, NULL, "SELECT 1 FROM first_heard LIMIT 1", "") < 0)
		return true;
	bool any = state_step(state, row, NULL) > 0;
	state_done(row);
	return any;
}

/* What the store holds from before the start is known, but it is nothing new. */
static void take_known(struct watch *watch)
{
	struct fw_arena arena = {0};
	struct store_host *seen;
	size_t n = store_hosts(watch->alerts->config.store, &arena, &seen);
	bool is_any = has_first_heard(watch->alerts->config.state);
	for (size_t i = 0; i < n; i++) {
		struct host *host = host_of(watch, &seen[i]);
		remember_first(watch, host, is_any);
		host->newest_ms = seen[i].newest_ms;
		host->received_ms = seen[i].received_ms;
		/* From here on by a clock that does not step. */
		int64_t last_ms = seen[i].received_ms ? seen[i].received_ms : seen[i].newest_ms;
		int64_t absent_ms = fw_wall_ms() - last_ms;
		host->absent_ms = last_ms > 0 && absent_ms > 0 ? absent_ms : 0;
		memcpy(host->agent, seen[i].agent, sizeof host->agent);
	}
	fw_arena_done(&arena);
}

struct watch *watch_open(struct alerts *alerts)
{
	struct watch *watch = fw_alloc(sizeof *watch);
	watch->alerts = alerts;
	watch->silence = alerts->rules;
	while (watch->silence->rule->kind != RULE_SILENCE)
		watch->silence++;
	take_known(watch);
	return watch;
}

void watch_rules_changed(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_hosts; i++) {
		if (!watch->hosts[i])
			continue;
		watch->hosts[i]->selected_ms = 0;
		watch->hosts[i]->is_known = false;
	}
}

void watch_series_changed(struct watch *watch, uint32_t host)
{
	if (host < watch->n_hosts && watch->hosts[host])
		watch->hosts[host]->selected_ms = 0;
}

static void host_free(struct host *host)
{
	if (!host)
		return;
	while (host->alerts)
		alert_free(host->alerts);
	fw_arena_done(&host->arena);
	fw_free(host);
}

/* ---- by name ---- */

static int by_name(const void *a, const void *b)
{
	const struct host *const *x = a, *const *y = b;
	return strcmp(name_of(*x), name_of(*y));
}

static void sort_names(struct watch *watch)
{
	watch->by_name = fw_alloc_array(watch->n_hosts + 1, sizeof(struct host *));
	watch->n_by_name = 0;
	for (size_t i = 0; i < watch->n_hosts; i++)
		if (watch->hosts[i])
			watch->by_name[watch->n_by_name++] = watch->hosts[i];
	if (watch->n_by_name > 1)
		qsort(watch->by_name, watch->n_by_name, sizeof(struct host *), by_name);
}

/* The first of that name, or where it would be; up to the end of by_name. */
static size_t first_named(struct watch *watch, const char *instance)
{
	if (!watch->by_name)
		sort_names(watch);
	size_t low = 0, high = watch->n_by_name;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(name_of(watch->by_name[middle]), instance) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_heard(const struct watch *watch, const struct host *host)
{
	double missed = (double)(fw_mono_ms() - host->heard_ms) / (double)host->interval_ms;
	return host->heard && !engine_is_breach(&watch->silence->limits, missed);
}

bool watch_is_silent(struct watch *watch, const char *instance)
{
	bool is_known = false;
	for (size_t i = first_named(watch, instance);
		i < watch->n_by_name && strcmp(name_of(watch->by_name[i]), instance) == 0; i++) {
		const struct host *host = watch->by_name[i];
		if (is_heard(watch, host))
			return false;
		is_known |= host->newest_ms != 0;
	}
	return is_known;
}

int64_t watch_first_heard_ms(struct watch *watch, const char *instance)
{
	int64_t first_ms = INT64_MAX;
	size_t i = first_named(watch, instance);
	for (; i < watch->n_by_name && strcmp(name_of(watch->by_name[i]), instance) == 0; i++)
		if (watch->by_name[i]->first_ms < first_ms)
			first_ms = watch->by_name[i]->first_ms;
	return first_ms == INT64_MAX ? 0 : first_ms;
}

static const char *class_named(struct watch *watch, const char *instance)
{
	size_t i = first_named(watch, instance);
	bool is_known = i < watch->n_by_name && strcmp(name_of(watch->by_name[i]), instance) == 0;
	return is_known ? watch->by_name[i]->class : "";
}

const char *watch_class(struct alerts *alerts, const struct alert *alert)
{
	if (alert->list == &alerts->homeless)
		return "";
	if (alert->ruling.ruled)
		return class_named(alerts->watch, alert->episode.instance);
	return FW_CONTAINER(alert->list, const struct host, alerts)->class;
}

void watch_forget(struct watch *watch, const char *instance)
{
	for (size_t i = 0; i < watch->n_hosts; i++) {
		struct host *host = watch->hosts[i];
		if (!host ||
			strcmp(fw_label_value(host->labels, host->n_labels, "instance"),
				instance) != 0)
			continue;
		state_run(watch->alerts->config.state, NULL,
			"DELETE FROM first_heard WHERE host = ?", "i", (int64_t)host->id);
		host_free(host);
		watch->hosts[i] = NULL;
		drop_names(watch);
	}
}

void watch_close(struct watch *watch)
{
	if (!watch)
		return;
	for (size_t i = 0; i < watch->n_hosts; i++)
		host_free(watch->hosts[i]);
	drop_names(watch);
	fw_free(watch->hosts);
	fw_free(watch->site_hosts);
	fw_free(watch);
}
