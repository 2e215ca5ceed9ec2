/* SPDX-License-Identifier: Apache-2.0 */
/* Forecasts of filesystems, as the outlook has written them: beside each
 * filesystem, and all of them as a report. */
#include "capacity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "parts.h"

static const struct {
	const char *name, *prefix, *size, *left;
} resources[CAPACITY_RESOURCES] = {
	{"bytes", "fenwatch_filesystem_fills", "node_filesystem_size_bytes",
		"node_filesystem_avail_bytes"},
	{"inodes", "fenwatch_filesystem_inodes_gone", "node_filesystem_files",
		"node_filesystem_files_free"},
};

static const char *const bounds[CAPACITY_BOUNDS] = {"earliest", "likely", "latest"};

/* The labels of the filesystem's forecast: its host's and its mountpoint, with a bound. */
static const struct promql_row *as_forecast(
	struct request *r, const struct promql_row *size, const char *bound)
{
	struct promql_row *out = fw_arena_alloc(&r->arena, sizeof *out);
	struct fw_label *labels = fw_arena_alloc(&r->arena, (size->n_labels + 1) * sizeof *labels);
	size_t n = 0;
	bool put = !bound;
	labels[n++] = size->labels[0];
	for (size_t i = 1; i < size->n_labels; i++) {
		const char *name = size->labels[i].name;
		if (!put && strcmp(name, "bound") > 0) {
			labels[n++] = (struct fw_label){"bound", bound};
			put = true;
		}
		if (strcmp(name, "device") != 0 && strcmp(name, "device_error") != 0 &&
			strcmp(name, "fstype") != 0)
			labels[n++] = size->labels[i];
	}
	*out = (struct promql_row){.labels = labels, .n_labels = n};
	return out;
}

bool capacity_of(struct request *r, const struct facts *facts, const struct promql_row *size,
	enum capacity_resource resource, struct capacity *out)
{
	const char *prefix = resources[resource].prefix;
	const char *moment = fw_arena_format(&r->arena, "%s_timestamp_seconds", prefix);
	const struct promql_row *like = as_forecast(r, size, NULL);
	for (size_t i = 0; i < CAPACITY_BOUNDS; i++)
		out->seconds[i] = facts_beside(facts, as_forecast(r, size, bounds[i]), moment);
	out->samples = facts_beside(facts, like, fw_arena_format(&r->arena, "%s_samples", prefix));
	out->span_s =
		facts_beside(facts, like, fw_arena_format(&r->arena, "%s_span_seconds", prefix));
	return isfinite(out->seconds[CAPACITY_LIKELY]);
}

static void write_members(struct json *j, const struct capacity *capacity)
{
	for (size_t i = 0; i < CAPACITY_BOUNDS; i++)
		json_put_time(j, bounds[i], (int64_t)(capacity->seconds[i] * 1000));
	json_put_number(j, "samples", capacity->samples);
	json_put_number(j, "span_s", capacity->span_s);
}

void capacity_write(struct request *r, struct json *j, const char *name, const struct facts *facts,
	const struct promql_row *size, enum capacity_resource resource)
{
	struct capacity capacity;
	json_key(j, name);
	if (!capacity_of(r, facts, size, resource, &capacity)) {
		json_none(j);
		return;
	}
	json_open(j, '{');
	write_members(j, &capacity);
	json_close(j, '}');
}

/* ---- the report ---- */

struct row {
	const struct promql_row *size;
	enum capacity_resource resource;
	struct capacity capacity;
};

static int soonest_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	double p = x->capacity.seconds[CAPACITY_LIKELY], q = y->capacity.seconds[CAPACITY_LIKELY];
	if (p != q)
		return p < q ? -1 : 1;
	return (x->size > y->size) - (x->size < y->size);
}

static void write_row(struct json *j, const struct facts *facts, const struct row *row)
{
	double size = facts_beside(facts, row->size, resources[row->resource].size);
	double left = facts_beside(facts, row->size, resources[row->resource].left);
	json_open(j, '{');
	json_put_text(j, "host", facts_label(row->size, "instance"));
	json_put_text(j, "mountpoint", facts_label(row->size, "mountpoint"));
	json_put_text(j, "resource", resources[row->resource].name);
	json_put_number(j, "size", size);
	json_put_number(j, "left", left);
	json_put_number(j, "used_percent", size > 0 ? round((1 - left / size) * 1000) / 10 : NAN);
	write_members(j, &row->capacity);
	json_close(j, '}');
}

/* 0, or the request is answered. */
static int read_at(struct request *r, int64_t *at_ms)
{
	struct fw_err err;
	*at_ms = r->now_ms;
	if (params_time(&r->params, "at", 0, at_ms, &err) < 0)
		request_fail_bad(r, &err);
	else if (*at_ms > r->now_ms)
		request_fail(r, 400, "bad_data", "invalid parameter \"at\": it has not been yet");
	return r->status ? -1 : 0;
}

void capacity_report(struct request *r)
{
	struct facts facts;
	size_t n, n_rows = 0;
	int64_t at_ms;
	if (read_at(r, &at_ms) < 0 ||
		facts_read(r, facts_selector(r, HOST_DISK_METRICS, NULL), at_ms, &facts) < 0)
		return;
	const struct promql_row *sizes = facts_metric(&facts, "node_filesystem_size_bytes", &n);
	struct row *rows = fw_arena_alloc(&r->arena, (n * CAPACITY_RESOURCES + 1) * sizeof *rows);
	for (size_t i = 0; i < n * CAPACITY_RESOURCES; i++) {
		struct row *row = &rows[n_rows];
		row->size = &sizes[i / CAPACITY_RESOURCES];
		row->resource = (enum capacity_resource)(i % CAPACITY_RESOURCES);
		n_rows += capacity_of(r, &facts, row->size, row->resource, &row->capacity);
	}
	qsort(rows, n_rows, sizeof *rows, soonest_first);
	struct json *j = request_begin(r);
	json_open(j, '[');
	for (size_t i = 0; i < n_rows; i++)
		write_row(j, &facts, &rows[i]);
	json_close(j, ']');
	request_end(r, NULL, 0);
}
