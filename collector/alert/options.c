/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/text.h>

#include "outbox.h"
#include "rules.h"

/* ---- builtin_rules: NAME: {enabled, threshold, recovery, hold} ---- */

struct rule_section {
	bool enabled;
	double threshold, recovery; /* NAN: not given */
	int64_t hold_ms;            /* negative: not given */
};

/* "0.1", "10%", "2.5", "7d", "12h" */
static int parse_number(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	(void)arena;
	const char *text = fw_yaml_text(node);
	struct fw_cursor c = {text, text ? text + strlen(text) : NULL};
	int64_t millionths;
	if (!text || !fw_cut_decimal(&c, 6, &millionths))
		return fw_yaml_fail(node, err, "a number like 0.1, 10%% or 7d is expected here");
	double unit = fw_cut_literal(&c, "%") ? 0.01
		: fw_cut_literal(&c, "d")     ? 24 * 3600
		: fw_cut_literal(&c, "h")     ? 3600
					      : 1;
	if (c.at != c.end)
		return fw_yaml_fail(
			node, err, "'%s' is no number; write it like 0.1, 10%% or 7d", text);
	*(double *)field = unit < 1 ? (double)millionths / 1e8 : (double)millionths / 1e6 * unit;
	return 0;
}

static int parse_cost(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	const char *text = fw_yaml_text(node);
	struct fw_cursor c = {text, text ? text + strlen(text) : NULL};
	int64_t millionths;
	(void)arena;
	if (!text || !fw_cut_decimal(&c, 6, &millionths) || c.at != c.end || millionths < 0)
		return fw_yaml_fail(node, err, "what a ticket costs is written like 24.50");
	*(double *)field = (double)millionths / 1e6;
	return 0;
}

static const struct fw_option rule_table[] = {
	{
		.name = "enabled",
		.help = "Whether the rule is looked at.",
		.type = FW_OPT_BOOL,
		.offset = offsetof(struct rule_section, enabled),
		.fallback = "true",
	},
	{
		.name = "threshold",
		.help = "Beyond it the rule is broken: a number, a percentage of the ratio, or days "
			"or hours.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_number,
		.offset = offsetof(struct rule_section, threshold),
	},
	{
		.name = "recovery",
		.help = "From here on a firing alert is over; by default as far from the threshold as "
			"in the built-in rule.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_number,
		.offset = offsetof(struct rule_section, recovery),
	},
	{
		.name = "hold",
		.help = "How long a rule must be broken before the alert fires; 0 fires at first "
			"sight.",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct rule_section, hold_ms),
		.min = 0,
		.max = INT64_C(30) * 24 * 3600 * 1000,
	},
	{0},
};

static struct limits adjust(const struct limits *standard, const struct rule_section *section)
{
	struct limits limits = *standard;
	if (!isnan(section->threshold)) {
		limits.threshold = section->threshold;
		limits.recovery = section->threshold + standard->recovery - standard->threshold;
	}
	if (!isnan(section->recovery))
		limits.recovery = section->recovery;
	if (section->hold_ms >= 0)
		limits.hold_ms = section->hold_ms;
	return limits;
}

static const struct rule *known_rule(const struct fw_yaml *key, struct fw_err *err)
{
	const char *names[RULES];
	const char *name = fw_yaml_text(key);
	const struct rule *rule = rule_find(name);
	if (rule)
		return rule;
	for (size_t i = 0; i < RULES; i++)
		names[i] = rules[i].name;
	const char *near = fw_nearest(name, names, RULES);
	fw_yaml_fail(key, err, "unknown rule '%.60s'%s", name, fw_did_you_mean(near).text);
	return NULL;
}

static int parse_rule(const struct fw_yaml *key, const struct fw_yaml *node,
	struct alert_rule_option *out, struct fw_arena *arena, struct fw_err *err)
{
	struct rule_section section = {.threshold = NAN, .recovery = NAN, .hold_ms = -1};
	out->rule = known_rule(key, err);
	if (!out->rule)
		return -EINVAL;
	int rc = fw_conf_bind(node, rule_table, &section, arena, err);
	if (rc < 0)
		return rc;
	out->enabled = section.enabled;
	out->limits = adjust(&out->rule->limits, &section);
	bool above = out->limits.comparison == ABOVE;
	if (above ? out->limits.recovery > out->limits.threshold
		  : out->limits.recovery < out->limits.threshold)
		return fw_yaml_fail(node, err,
			"%s fires %s its threshold, so its recovery must not be %s it",
			out->rule->name, above ? "above" : "below", above ? "above" : "below");
	return 0;
}

int alert_parse_rules(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct alert_options *options = field;
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(
			node, err, "builtin_rules are written like {HostSilent: {hold: 2m}}");
	options->n_rules = fw_yaml_count(node);
	options->rules = fw_arena_alloc(arena, (options->n_rules + 1) * sizeof *options->rules);
	for (size_t i = 0; i < options->n_rules; i++) {
		int rc = parse_rule(fw_yaml_key(node, i), fw_yaml_item(node, i), &options->rules[i],
			arena, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- feeds: [{name, type, live, and what the type asks for}] ---- */

static const struct fw_option feed_table[] = {
	{
		.name = "name",
		.help = "What the feed is called; receivers see it.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct alert_feed_option, name),
		.required = true,
	},
	{
		.name = "type",
		.help = "How notices are sent.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct alert_feed_option, type),
		.required = true,
	},
	{
		.name = "live",
		.help = "Without it a feed is in rehearsal: what it would send is recorded, and "
			"nothing is sent. What 'fenwatch feed go' and 'feed rehearse' say counts "
			"before it.",
		.type = FW_OPT_BOOL,
		.offset = offsetof(struct alert_feed_option, live),
		.fallback = "false",
	},
	{
		.name = "match",
		.help = "Which alerts it hears of, by labels and annotations: [{supplier: Contoso, "
			"priority: [P1, P2]}]; all of a row, any of the rows.",
		.type = FW_OPT_CUSTOM,
		.parse = route_parse,
		.offset = offsetof(struct alert_feed_option, route),
	},
	{
		.name = "otherwise",
		.help = "It hears of what no feed with 'match' does.",
		.type = FW_OPT_BOOL,
		.offset = offsetof(struct alert_feed_option, route.otherwise),
		.fallback = "false",
	},
	{
		.name = "cost_per_ticket",
		.help = "What an alert costs that is opened there, in any currency: 24.50. A "
			"rehearsal adds it up.",
		.type = FW_OPT_CUSTOM,
		.parse = parse_cost,
		.offset = offsetof(struct alert_feed_option, cost),
	},
	{
		.name = "answer_token_file",
		.help = "A file with the token by which this feed's desk answers, of what it was told "
			"of alone; without it that takes an engineer's.",
		.type = FW_OPT_TEXT,
		.offset = offsetof(struct alert_feed_option, answer_token_file),
	},
	{
		.name = "after",
		.help = "It hears of an alert that was told so long ago, still fires, and was "
			"acknowledged by nobody; without it of all at once.",
		.type = FW_OPT_DURATION,
		.offset = offsetof(struct alert_feed_option, after_ms),
		.min = 1000,
		.max = INT64_C(7) * 24 * 3600 * 1000,
	},
	{
		.name = "contact",
		.help = "Its notices name the supplier's contact in this place of the register's rota.",
		.type = FW_OPT_INT,
		.offset = offsetof(struct alert_feed_option, contact),
		.fallback = "0",
		.min = 0,
		.max = 20,
	},
	{0},
};

#define COMMON_ROWS (sizeof feed_table / sizeof *feed_table - 1)

static const struct feed *known_type(const struct fw_yaml *node, struct fw_err *err)
{
	const struct fw_yaml *type = fw_yaml_get(node, "type");
	const char *name = type ? fw_yaml_text(type) : NULL;
	char known[160] = "";
	for (const struct feed *const *feed = feeds; *feed; feed++) {
		if (name && strcmp((*feed)->name, name) == 0)
			return *feed;
		size_t used = strlen(known);
		snprintf(
			known + used, sizeof known - used, "%s%s", used ? ", " : "", (*feed)->name);
	}
	fw_yaml_fail(type ? type : node, err, "a feed's type is one of: %s%s%.60s%s", known,
		name ? "; not '" : "", name ? name : "", name ? "'" : "");
	return NULL;
}

/* The common rows and the type's own, whose struct lies behind ours. */
static const struct fw_option *rows_for(const struct feed *feed, struct fw_arena *arena)
{
	size_t own = 0;
	while (feed->options[own].name)
		own++;
	struct fw_option *rows = fw_arena_alloc(arena, (COMMON_ROWS + own + 1) * sizeof *rows);
	memcpy(rows, feed_table, COMMON_ROWS * sizeof *rows);
	memcpy(rows + COMMON_ROWS, feed->options, own * sizeof *rows);
	for (size_t i = 0; i < own; i++)
		rows[COMMON_ROWS + i].offset += sizeof(struct alert_feed_option);
	return rows;
}

static int parse_feed(const struct fw_yaml *node, struct alert_feed_option **out,
	struct fw_arena *arena, struct fw_err *err)
{
	if (fw_yaml_kind(node) != FW_YAML_MAPPING)
		return fw_yaml_fail(
			node, err, "a feed is written like {name: desk, type: webhook, url: ...}");
	const struct feed *feed = known_type(node, err);
	if (!feed)
		return -EINVAL;
	struct alert_feed_option *option =
		fw_arena_alloc(arena, sizeof *option + feed->config_size);
	int rc = fw_conf_bind(node, rows_for(feed, arena), option, arena, err);
	if (rc < 0)
		return rc;
	option->feed = feed;
	option->config = option + 1;
	*out = option;
	struct fw_err why;
	if (option->route.otherwise && option->route.n_rows > 0)
		return fw_yaml_fail(
			node, err, "feed '%s' has either 'match' or 'otherwise'", option->name);
	if (!*option->name || strlen(option->name) > OUTBOX_FEED_NAME)
		return fw_yaml_fail(node, err, "a feed's name has 1 to %d bytes", OUTBOX_FEED_NAME);
	if (feed->check && feed->check(option->config, &why) < 0)
		return fw_yaml_fail(node, err, "feed '%s': %s", option->name, why.text);
	return 0;
}

static int check_unique(const struct alert_options *options, const struct fw_yaml *node, size_t n,
	struct fw_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(options->feeds[i]->name, options->feeds[n]->name) == 0)
			return fw_yaml_fail(
				node, err, "two feeds are called '%s'", options->feeds[n]->name);
	return 0;
}

int alert_parse_feeds(
	const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct alert_options *options = field;
	if (fw_yaml_kind(node) != FW_YAML_SEQUENCE)
		return fw_yaml_fail(
			node, err, "feeds are a list: [{name: desk, type: webhook, url: ...}]");
	options->n_feeds = fw_yaml_count(node);
	options->feeds = fw_arena_alloc(arena, (options->n_feeds + 1) * sizeof *options->feeds);
	for (size_t i = 0; i < options->n_feeds; i++) {
		const struct fw_yaml *item = fw_yaml_item(node, i);
		int rc = parse_feed(item, &options->feeds[i], arena, err);
		if (rc == 0)
			rc = check_unique(options, item, i, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
