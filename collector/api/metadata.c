/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of metrics: their type from the hosts that have them, what they mean from
 * the agent's own tables, and what senders of remote_write say of theirs. Only of metrics
 * that a host has which the caller may see. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/array.h>

#include "parts.h"
#include "remote.h"
#include "store.h"

struct row {
	const char *name, *unit, *help;
};

/* The agent's and those of the programs beside it, as they are built: by name. */
static const struct row table[] = {
#include "metric_table.h"
};

/* What the collector makes of them: by name. */
static const struct row ours[] = {
	{"ALERTS", "", "1 while the alert of a rule file is pending or firing."},
	{"ALERTS_FOR_STATE", "seconds", "Since when the condition of that alert holds."},
	{"fenwatch_filesystem_fills_samples", "",
		"High-water marks that the forecast of the filesystem rests on."},
	{"fenwatch_filesystem_fills_span_seconds", "seconds", "How long these marks reach back."},
	{"fenwatch_filesystem_fills_timestamp_seconds", "seconds",
		"When the filesystem is full if it goes on like this: earliest, likely and latest."},
	{"fenwatch_filesystem_inodes_gone_samples", "",
		"High-water marks that the forecast of the filesystem's inodes rests on."},
	{"fenwatch_filesystem_inodes_gone_span_seconds", "seconds",
		"How long these marks reach back."},
	{"fenwatch_filesystem_inodes_gone_timestamp_seconds", "seconds",
		"When the filesystem has no inodes left if it goes on like this: earliest, likely and latest."},
	{"fenwatch_host_away", "", "Whether the host is silent and, by its class, may be."},
	{"fenwatch_host_info", "", "What the register and the host say of it, as labels."},
	{"fenwatch_os_support_end_timestamp_seconds", "seconds",
		"When this tier of the system's support ends."},
	{"fenwatch_os_supported", "", "Whether the system still has support."},
	{"fenwatch_patch_oldest_release_timestamp_seconds", "seconds",
		"When the oldest fix was released that is not installed, by class."},
	{"fenwatch_patch_overdue", "", "Fixes that are overdue by this policy."},
	{"fenwatch_patch_proven", "", "Whether the list of the host's fixes proves anything."},
	{"up", "", "Whether the host is heard: 0 after 2.5 of its intervals of silence."},
};
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

struct known {
	const char *name, *type, *unit, *help; /* the name first, as fw_array_place() wants it */
};

struct metadata {
	struct request *r;
	struct known *items;
	size_t n, capacity;
};

static void add(struct metadata *m, const struct known *known)
{
	if (m->n == m->capacity) {
		m->capacity = m->capacity ? 2 * m->capacity : 256;
		struct known *items = fw_arena_alloc(&m->r->arena, m->capacity * sizeof *items);
		if (m->n > 0)
			memcpy(items, m->items, m->n * sizeof *items);
		m->items = items;
	}
	m->items[m->n++] = *known;
}

/* ---- of whom it is known ---- */

static int compare_row(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

static void add_column(struct metadata *m, const struct fw_column *column)
{
	static const char *const types[] = {
		[FW_GAUGE] = "gauge", [FW_COUNTER] = "counter", [FW_UNTYPED] = "unknown"};
	const struct row wanted = {.name = column->name},
			 *row = bsearch(&wanted, table, COUNT(table), sizeof wanted, compare_row);
	if (!row)
		row = bsearch(&wanted, ours, COUNT(ours), sizeof wanted, compare_row);
	add(m,
		&(struct known){column->name, types[column->type & FW_TYPE_MASK],
			row ? row->unit : "", row ? row->help : ""});
}

static bool sees(const struct request *r, const struct store_group *group)
{
	const struct query_scope *scope = r->scope;
	return !scope || scope->sees(group->host_labels, group->n_host_labels, scope->arg);
}

/* Every column of every schema that a host has which may be seen. */
static int add_columns(struct metadata *m, struct fw_err *err)
{
	struct store_group *groups;
	size_t n, kept = 0;
	int rc = store_select(api_config(m->r->api)->store, NULL, 0, -PARAMS_TIME_LIMIT_MS,
		PARAMS_TIME_LIMIT_MS, &m->r->arena, &groups, &n, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		if (sees(m->r, &groups[i]))
			groups[kept++] = groups[i];
	qsort(groups, kept, sizeof *groups, store_by_schema);
	for (size_t i = 0; i < kept; i++)
		if (i == 0 || store_by_schema(&groups[i - 1], &groups[i]) != 0)
			for (uint32_t c = 0; c < groups[i].schema->n_columns; c++)
				add_column(m, &groups[i].schema->columns[c]);
	return 0;
}

/* ---- each once ---- */

static int by_content(const void *a, const void *b)
{
	const struct known *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->type, y->type);
}

static void sort(struct metadata *m)
{
	size_t kept = 0;
	if (m->n > 0)
		qsort(m->items, m->n, sizeof *m->items, by_content);
	for (size_t i = 0; i < m->n; i++)
		if (kept == 0 || by_content(&m->items[kept - 1], &m->items[i]) != 0)
			m->items[kept++] = m->items[i];
	m->n = kept;
}

static struct known *find(const struct metadata *m, const char *name)
{
	size_t at = fw_array_place(m->items, m->n, sizeof *m->items, name);
	return at < m->n && strcmp(m->items[at].name, name) == 0 ? &m->items[at] : NULL;
}

/* ---- what senders say ---- */

/* A family that has a series one may see is known by its own name, in place of what was
 * made up of a single series. */
static void add_family(struct metadata *m, const struct remote_about *about, size_t n_columns)
{
	static const char *const endings[] = {"_bucket", "_sum", "_count", "_total", "_info"};
	const struct known known = {
		about->metric, remote_type_names[about->type], about->unit, about->help};
	const struct metadata columns = {.items = m->items, .n = n_columns};
	struct known *same = find(&columns, about->metric);
	if (same) {
		*same = known;
		return;
	}
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		if (!find(&columns,
			    fw_arena_format(&m->r->arena, "%s%s", about->metric, endings[i])))
			continue;
		add(m, &known);
		return;
	}
}

/* `metric` NULL: of all. */
static int read_metadata(struct metadata *m, const char *metric, struct fw_err *err)
{
	struct remote_about *about;
	int rc = add_columns(m, err);
	if (rc < 0)
		return rc;
	sort(m);
	size_t n_columns = m->n;
	size_t n = remote_metadata(api_config(m->r->api)->remote, metric, &m->r->arena, &about);
	for (size_t i = 0; i < n; i++)
		add_family(m, &about[i], n_columns);
	sort(m);
	return 0;
}

/* ---- the answer ---- */

static size_t write_metric(struct json *j, const struct metadata *m, size_t first, uint64_t limit)
{
	size_t end = first;
	json_key(j, m->items[first].name);
	json_open(j, '[');
	for (; end < m->n && strcmp(m->items[end].name, m->items[first].name) == 0; end++) {
		if (limit > 0 && end - first >= limit)
			continue;
		json_open(j, '{');
		json_put_text(j, "type", m->items[end].type);
		json_put_text(j, "unit", m->items[end].unit);
		json_put_text(j, "help", m->items[end].help);
		json_close(j, '}');
	}
	json_close(j, ']');
	return end;
}

static void write_metadata(
	struct request *r, const struct metadata *m, int64_t limit, uint64_t limit_each)
{
	struct json *j = request_begin(r);
	json_open(j, '{');
	for (size_t i = 0; i < m->n && limit != 0; limit -= limit > 0)
		i = write_metric(j, m, i, limit_each);
	json_close(j, '}');
	request_end(r, NULL, 0);
}

/* Negative, as where it is missing: no limit. */
static int read_limit(const struct request *r, const char *name, int64_t *limit, struct fw_err *err)
{
	const char *text = params_get(&r->params, name);
	uint64_t value = 0;
	*limit = -1;
	if (!text || !*text || *text == '-')
		return 0;
	if (params_count(&r->params, name, &value, err) < 0 || value > INT64_MAX)
		return fw_fail(err, -EINVAL, "%s must be a number", name);
	*limit = (int64_t)value;
	return 0;
}

/* What is known of that metric alone. */
static const struct metadata *only(struct metadata *m, const char *metric)
{
	struct known *first = find(m, metric);
	size_t n = 0;
	while (first && first + n < m->items + m->n && strcmp(first[n].name, metric) == 0)
		n++;
	m->items = first;
	m->n = n;
	return m;
}

void metadata_list(struct request *r)
{
	struct metadata m = {.r = r};
	struct fw_err err;
	int64_t limit, limit_each;
	const char *metric = params_get(&r->params, "metric");
	if (metric && !*metric)
		metric = NULL;
	if (read_limit(r, "limit", &limit, &err) < 0 ||
		read_limit(r, "limit_per_metric", &limit_each, &err) < 0)
		request_fail_bad(r, &err);
	else if (read_metadata(&m, metric, &err) < 0)
		request_fail(r, 500, "internal", "%s", err.text);
	else
		write_metadata(r, metric ? only(&m, metric) : &m, limit,
			limit_each > 0 ? (uint64_t)limit_each : 0);
}
