/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "book.h"
#include "context.h"
#include "outbox.h"

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

bool route_wants(const struct alert_options *options, size_t feed, const struct episode *episode)
{
	const struct route *route = &options->feeds[feed]->route;
	if (options->feeds[feed]->feed->beat_ms)
		return false;
	if (!route->otherwise)
		return route->n_rows == 0 || is_matched(route, episode);
	for (size_t i = 0; i < options->n_feeds; i++)
		if (is_matched(&options->feeds[i]->route, episode))
			return false;
	return true;
}
