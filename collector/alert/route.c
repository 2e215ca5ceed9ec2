/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include <fenwatch/text.h>

#include "book.h"
#include "context.h"
#include "outbox.h"
#include "register.h"
#include "rules.h"

#define ROWS_LIMIT 100
#define NAMES_LIMIT 20
#define PATTERNS_LIMIT 100

struct route_row {
	struct wanted {
		const char *name;
		const char **patterns;
		size_t n_patterns;
	} * names;
	size_t n_names;
};

/* ---- in collector.yml ---- */

static int parse_patterns(const struct fw_yaml *node, struct wanted *wanted, struct fw_arena *arena,
	struct fw_err *err)
{
	bool list = fw_yaml_kind(node) == FW_YAML_SEQUENCE;
	size_t n = list ? fw_yaml_count(node) : 1;
	if (n == 0 || n > PATTERNS_LIMIT)
		return fw_yaml_fail(
			node, err, "1 to %d patterns are expected here", PATTERNS_LIMIT);
	wanted->patterns = fw_arena_alloc(arena, n * sizeof *wanted->patterns);
	wanted->n_patterns = n;
	for (size_t i = 0; i < n; i++) {
		const struct fw_yaml *item = list ? fw_yaml_item(node, i) : node;
		wanted->patterns[i] = fw_yaml_text(item);
		if (!wanted->patterns[i])
			return fw_yaml_fail(item, err, "a pattern is a text such as P1 or web*");
	}
	return 0;
}

static int parse_row(const struct fw_yaml *node, struct route_row *row, struct fw_arena *arena,
	struct fw_err *err)
{
	size_t n = fw_yaml_count(node);
	if (fw_yaml_kind(node) != FW_YAML_MAPPING || n == 0 || n > NAMES_LIMIT)
		return fw_yaml_fail(node, err,
			"a row of 'match' names 1 to %d labels or annotations: {supplier: Contoso, "
			"priority: [P1, P2]}",
			NAMES_LIMIT);
	row->names = fw_arena_alloc(arena, n * sizeof *row->names);
	row->n_names = n;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		row->names[i].name = fw_yaml_text(fw_yaml_key(node, i));
		rc = parse_patterns(fw_yaml_item(node, i), &row->names[i], arena, err);
	}
	return rc;
}

int route_parse(const struct fw_yaml *node, void *field, struct fw_arena *arena, struct fw_err *err)
{
	struct route *route = field;
	bool list = fw_yaml_kind(node) == FW_YAML_SEQUENCE;
	size_t n = list ? fw_yaml_count(node) : 1;
	if (n == 0 || n > ROWS_LIMIT)
		return fw_yaml_fail(node, err, "'match' has 1 to %d rows", ROWS_LIMIT);
	route->rows = fw_arena_alloc(arena, n * sizeof *route->rows);
	route->n_rows = n;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = parse_row(list ? fw_yaml_item(node, i) : node, &route->rows[i], arena, err);
	return rc;
}

/* ---- of an alert ---- */

static bool fits_one(const struct wanted *wanted, const struct episode *episode)
{
	const char *value = context_value(&episode->labels, &episode->annotations, wanted->name);
	for (size_t i = 0; i < wanted->n_patterns; i++)
		if (fnmatch(wanted->patterns[i], value, 0) == 0)
			return true;
	return false;
}

static bool fits_all(const struct route_row *row, const struct episode *episode)
{
	for (size_t i = 0; i < row->n_names; i++)
		if (!fits_one(&row->names[i], episode))
			return false;
	return true;
}

static bool is_matched(const struct route *route, const struct episode *episode)
{
	for (size_t i = 0; i < route->n_rows; i++)
		if (fits_all(&route->rows[i], episode))
			return true;
	return false;
}

static bool names_rule(const struct route_row *row)
{
	for (size_t i = 0; i < row->n_names; i++)
		if (strcmp(row->names[i].name, "alertname") == 0)
			return true;
	return false;
}

/* Of what is no ticket: a desk that is paid by the ticket hears of all others. */
static bool is_asked_for(const struct route *route, const struct episode *episode)
{
	for (size_t i = 0; i < route->n_rows; i++)
		if (names_rule(&route->rows[i]) && fits_all(&route->rows[i], episode))
			return true;
	return false;
}

static bool is_aside(const struct episode *episode)
{
	const struct rule *rule = episode->is_ruled ? NULL : rule_find(episode->rule);
	return rule && rule->is_aside;
}

bool route_wants(const struct alert_options *options, size_t feed, const struct episode *episode)
{
	const struct route *route = &options->feeds[feed]->route;
	if (options->feeds[feed]->feed->beat_ms)
		return false;
	if (is_aside(episode))
		return is_asked_for(route, episode);
	if (!route->otherwise)
		return route->n_rows == 0 || is_matched(route, episode);
	for (size_t i = 0; i < options->n_feeds; i++)
		if (is_matched(&options->feeds[i]->route, episode))
			return false;
	return true;
}

/* ---- what no alert can have ---- */

struct doubts {
	const struct alert_options *options;
	const struct alert_given *given;
	struct fw_arena arena;
	const char *feed;
	void (*on_doubt)(const char *sentence, void *arg);
	void *arg;
};

static struct fw_text_list copy_names(struct doubts *doubts, const char *const *names)
{
	size_t n = 0;
	while (names[n])
		n++;
	struct fw_text_list copy = {fw_arena_alloc(&doubts->arena, n * sizeof *copy.items), n};
	memcpy(copy.items, names, n * sizeof *copy.items);
	return copy;
}

static struct fw_text_list priorities(struct doubts *doubts)
{
	return copy_names(doubts, register_priority_names);
}

static struct fw_text_list tiers(struct doubts *doubts)
{
	return copy_names(doubts, register_tier_names);
}

static struct fw_text_list sites(struct doubts *doubts)
{
	return register_site_names(doubts->options->registry, &doubts->arena);
}

static struct fw_text_list suppliers(struct doubts *doubts)
{
	return register_supplier_names(doubts->options->registry, &doubts->arena);
}

static struct fw_text_list alert_names(struct doubts *doubts)
{
	const struct fw_text_list *given = &doubts->given->alerts;
	size_t n = RULES + given->count;
	struct fw_text_list names = {fw_arena_alloc(&doubts->arena, n * sizeof *names.items), n};
	for (size_t i = 0; i < RULES; i++)
		names.items[i] = rules[i].name;
	for (size_t i = 0; i < given->count; i++)
		names.items[RULES + i] = given->items[i];
	return names;
}

/* Of other labels a series can have any. */
static const struct known {
	const char *name, *lacks;
	struct fw_text_list (*list)(struct doubts *doubts);
} known[] = {
	{"alertname", "there is no rule", alert_names},
	{"priority", "there is no priority", priorities},
	{"site", "the register has no site", sites},
	{"supplier", "the register has no supplier", suppliers},
	{"tier", "there is no tier", tiers},
};

static bool has(const struct fw_text_list *list, const char *pattern)
{
	for (size_t i = 0; i < list->count; i++)
		if (fnmatch(pattern, list->items[i], 0) == 0)
			return true;
	return false;
}

static void look_at_pattern(struct doubts *doubts, const struct known *what,
	const struct fw_text_list *names, const char *pattern)
{
	char sentence[512];
	bool fits_none = fnmatch(pattern, "", 0) == 0; /* where it is not said */
	if (fits_none || has(names, pattern))
		return;
	const char *near = fw_nearest(pattern, names->items, names->count);
	snprintf(sentence, sizeof sentence, "feed '%s', 'match': %s '%.100s'%s", doubts->feed,
		what->lacks, pattern, fw_did_you_mean(near).text);
	doubts->on_doubt(sentence, doubts->arg);
}

static void look_at_wanted(struct doubts *doubts, const struct wanted *wanted)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strcmp(known[i].name, wanted->name) != 0 ||
			has(&doubts->given->words, wanted->name))
			continue;
		struct fw_text_list names = known[i].list(doubts);
		if (names.count == 0) /* labels of series may still say it */
			continue;
		for (size_t k = 0; k < wanted->n_patterns; k++)
			look_at_pattern(doubts, &known[i], &names, wanted->patterns[k]);
	}
}

/* A heartbeat hears of no alert. */
static bool hears_of_the_rest(const struct alert_feed_option *feed)
{
	return !feed->feed->beat_ms && (feed->route.otherwise || feed->route.n_rows == 0);
}

/* With every feed so narrow an alert can go to nobody. */
static void look_at_rest(struct doubts *doubts)
{
	const struct alert_options *options = doubts->options;
	size_t narrow = 0;
	for (size_t i = 0; i < options->n_feeds; i++) {
		if (hears_of_the_rest(options->feeds[i]))
			return;
		narrow += options->feeds[i]->route.n_rows > 0;
	}
	if (narrow > 0)
		doubts->on_doubt("every feed has a 'match', so nobody hears of an alert that "
				 "fits none of them; give one feed 'otherwise: true'",
			doubts->arg);
}

void alert_doubt_feeds(const struct alert_options *options, const struct alert_given *given,
	void (*on_doubt)(const char *sentence, void *arg), void *arg)
{
	struct doubts doubts = {
		.options = options, .given = given, .on_doubt = on_doubt, .arg = arg};
	for (size_t i = 0; i < options->n_feeds; i++) {
		const struct route *route = &options->feeds[i]->route;
		doubts.feed = options->feeds[i]->name;
		for (size_t row = 0; row < route->n_rows; row++)
			for (size_t k = 0; k < route->rows[row].n_names; k++)
				look_at_wanted(&doubts, &route->rows[row].names[k]);
	}
	look_at_rest(&doubts);
	fw_arena_done(&doubts.arena);
}
