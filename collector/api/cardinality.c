/* SPDX-License-Identifier: Apache-2.0 */
/* How many series there are, and of what: Prometheus' status/tsdb. Hosts of one kind share a
 * schema, so its columns are counted once for all of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"
#include "store.h"

#define LIMIT_USUAL 10
#define LIMIT_MOST 10000

struct pair {
	const char *name, *value;
	uint64_t series;
};

/* A line of a list: what it counts, and how many. */
struct line {
	const char *name;
	uint64_t value;
};

struct counting {
	struct request *r;
	struct pair *pairs;
	size_t n, capacity;
	size_t limit;
};

static void add(struct counting *c, const char *name, const char *value, uint64_t series)
{
	if (c->n == c->capacity) {
		c->capacity = c->capacity ? 2 * c->capacity : 1024;
		struct pair *pairs = fw_arena_alloc(&c->r->arena, c->capacity * sizeof *pairs);
		if (c->n > 0)
			memcpy(pairs, c->pairs, c->n * sizeof *pairs);
		c->pairs = pairs;
	}
	c->pairs[c->n++] = (struct pair){name, value, series};
}

static void add_schema(struct counting *c, const struct fw_schema *schema, uint64_t hosts)
{
	for (uint32_t i = 0; i < schema->n_columns; i++) {
		const struct fw_column *column = &schema->columns[i];
		add(c, "__name__", column->name, hosts);
		for (uint16_t k = 0; k < column->n_labels; k++)
			add(c, column->labels[k].name, column->labels[k].value, hosts);
	}
}

static void add_groups(struct counting *c, struct store_group *groups, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < groups[i].n_host_labels; k++)
			add(c, groups[i].host_labels[k].name, groups[i].host_labels[k].value,
				groups[i].schema->n_columns);
	if (n > 0)
		qsort(groups, n, sizeof *groups, store_by_schema);
	for (size_t i = 0, hosts; i < n; i += hosts) {
		for (hosts = 1;
			i + hosts < n && store_by_schema(&groups[i], &groups[i + hosts]) == 0;)
			hosts++;
		add_schema(c, groups[i].schema, hosts);
	}
}

static int by_text(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : strcmp(x->value, y->value);
}

static void join(struct counting *c)
{
	size_t kept = 0;
	if (c->n > 0)
		qsort(c->pairs, c->n, sizeof *c->pairs, by_text);
	for (size_t i = 0; i < c->n; i++) {
		if (kept > 0 && by_text(&c->pairs[kept - 1], &c->pairs[i]) == 0)
			c->pairs[kept - 1].series += c->pairs[i].series;
		else
			c->pairs[kept++] = c->pairs[i];
	}
	c->n = kept;
}

/* ---- lists, the most first ---- */

static int most_first(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	if (x->value != y->value)
		return x->value < y->value ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void put_lines(const struct counting *c, const char *name, struct line *lines, size_t n)
{
	struct json *j = &c->r->json;
	if (n > 0)
		qsort(lines, n, sizeof *lines, most_first);
	json_key(j, name);
	json_open(j, '[');
	for (size_t i = 0; i < n && i < c->limit; i++) {
		json_open(j, '{');
		json_put_text(j, "name", lines[i].name);
		json_put_int(j, "value", (int64_t)lines[i].value);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void put_metrics(const struct counting *c, struct line *lines)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->pairs[i].name, "__name__") == 0)
			lines[n++] = (struct line){c->pairs[i].value, c->pairs[i].series};
	put_lines(c, "seriesCountByMetricName", lines, n);
}

/* A line for each name of a label: how many values it has, or their bytes. */
static void put_names(const struct counting *c, const char *name, struct line *lines, bool bytes)
{
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++) {
		if (n == 0 || strcmp(lines[n - 1].name, c->pairs[i].name) != 0)
			lines[n++] = (struct line){c->pairs[i].name, 0};
		lines[n - 1].value += bytes ? strlen(c->pairs[i].value) : 1;
	}
	put_lines(c, name, lines, n);
}

static void put_pairs(const struct counting *c, struct line *lines)
{
	for (size_t i = 0; i < c->n; i++)
		lines[i] = (struct line){
			fw_arena_format(&c->r->arena, "%s=%s", c->pairs[i].name, c->pairs[i].value),
			c->pairs[i].series};
	put_lines(c, "seriesCountByLabelValuePair", lines, c->n);
}

static void put_head(const struct counting *c)
{
	struct json *j = &c->r->json;
	struct store_stat stat;
	uint64_t blocks = 0;
	store_stat(api_config(c->r->api)->store, &stat);
	for (int tier = 0; tier < STORE_TIERS; tier++)
		blocks += stat.tiers[tier].blocks;
	json_key(j, "headStats");
	json_open(j, '{');
	json_put_int(j, "numSeries", (int64_t)stat.series);
	json_put_int(j, "numLabelPairs", (int64_t)c->n);
	json_put_int(j, "chunkCount", (int64_t)blocks);
	json_put_int(j, "minTime", stat.oldest_ms);
	json_put_int(j, "maxTime", stat.newest_ms);
	json_close(j, '}');
}

static int read_limit(struct counting *c, struct fw_err *err)
{
	uint64_t limit = LIMIT_USUAL;
	if (params_count(&c->r->params, "limit", &limit, err) < 0 || limit == 0 ||
		limit > LIMIT_MOST)
		return fw_fail(
			err, -EINVAL, "limit must be a positive number, at most %d", LIMIT_MOST);
	c->limit = (size_t)limit;
	return 0;
}

void cardinality_page(struct request *r)
{
	struct counting c = {.r = r};
	struct store_group *groups;
	struct fw_err err;
	size_t n;
	if (read_limit(&c, &err) < 0) {
		request_fail_bad(r, &err);
		return;
	}
	if (store_select(api_config(r->api)->store, NULL, 0, -PARAMS_TIME_LIMIT_MS,
		    PARAMS_TIME_LIMIT_MS, &r->arena, &groups, &n, &err) < 0) {
		request_fail(r, 500, "internal", "%s", err.text);
		return;
	}
	add_groups(&c, groups, n);
	join(&c);
	struct line *lines = fw_arena_alloc(&r->arena, (c.n + 1) * sizeof *lines);
	json_open(request_begin(r), '{');
	put_head(&c);
	put_metrics(&c, lines);
	put_names(&c, "labelValueCountByLabelName", lines, false);
	put_names(&c, "memoryInBytesByLabelName", lines, true);
	put_pairs(&c, lines);
	json_close(&r->json, '}');
	request_end(r, NULL, 0);
}
