/* SPDX-License-Identifier: Apache-2.0 */
#include "history.h"

#include <math.h>
#include <string.h>

#define LOOKBACK_MS (5 * 60 * (int64_t)1000) /* an older value is none of that moment */
#define TOGETHER_MS (3600 * (int64_t)1000)   /* moments that are read at once */
#define READ_LIMIT ((size_t)64 << 20)
#define NO_COLUMN UINT32_MAX

static const char *const sizes[RESOURCES] = {
	[BYTES] = "node_filesystem_size_bytes",
	[INODES] = "node_filesystem_files",
};
static const char *const lefts[RESOURCES] = {
	[BYTES] = "node_filesystem_avail_bytes",
	[INODES] = "node_filesystem_files_free",
};

/* The two columns of a group that tell what one filesystem has used of a resource. */
struct source {
	const struct store_group *group;
	uint32_t size, left; /* places in the group's columns */
	size_t usage;
};

struct reader {
	struct store *store;
	const struct store_group *groups;
	size_t n_groups;
	struct source *sources;
	size_t n_sources;
	struct history *history;
};

/* ---- which columns ---- */

static bool is_wanted(const struct store_matcher *matcher, const char *value)
{
	(void)matcher;
	for (size_t i = 0; i < RESOURCES; i++)
		if (strcmp(value, sizes[i]) == 0 || strcmp(value, lefts[i]) == 0)
			return true;
	return false;
}

int history_select(struct store *store, int64_t from_ms, struct fw_arena *arena,
	struct store_group **groups, size_t *n_groups, struct fw_err *err)
{
	const struct store_matcher matcher = {.name = "__name__", .accepts = is_wanted};
	return store_select(store, &matcher, 1, from_ms, INT64_MAX, arena, groups, n_groups, err);
}

static const struct fw_column *column_at(const struct store_group *group, uint32_t i)
{
	return &group->schema->columns[group->columns[i]];
}

static const char *mountpoint_of(const struct fw_column *column)
{
	for (size_t i = 0; i < column->n_labels; i++)
		if (strcmp(column->labels[i].name, "mountpoint") == 0)
			return column->labels[i].value;
	return NULL;
}

/* Columns of one source of the agent lie near one another, so from `size` on first. */
static uint32_t find_left(const struct store_group *group, uint32_t size, const char *name)
{
	for (size_t step = 0; step < group->n_columns; step++) {
		uint32_t i = (uint32_t)((size + step) % group->n_columns);
		if (strcmp(column_at(group, i)->name, name) == 0 &&
			fw_column_same_labels(column_at(group, i), column_at(group, size)))
			return i;
	}
	return NO_COLUMN;
}

static size_t usage_of(struct reader *r, const char *mountpoint, enum resource resource)
{
	struct history *h = r->history;
	for (size_t i = 0; i < h->n; i++)
		if (h->usages[i].resource == resource &&
			strcmp(h->usages[i].mountpoint, mountpoint) == 0)
			return i;
	h->usages[h->n] = (struct usage){.mountpoint = mountpoint, .resource = resource};
	return h->n++;
}

static void add_source(struct reader *r, const struct store_group *group, uint32_t size)
{
	const struct fw_column *column = column_at(group, size);
	const char *mountpoint = mountpoint_of(column);
	for (int resource = 0; mountpoint && resource < RESOURCES; resource++) {
		if (strcmp(column->name, sizes[resource]) != 0)
			continue;
		uint32_t left = find_left(group, size, lefts[resource]);
		if (left == NO_COLUMN)
			continue;
		r->sources[r->n_sources++] = (struct source){
			group, size, left, usage_of(r, mountpoint, (enum resource)resource)};
	}
}

static void find_sources(struct reader *r, struct fw_arena *arena)
{
	size_t most = 0;
	for (size_t g = 0; g < r->n_groups; g++)
		most += r->groups[g].n_columns;
	r->sources = fw_arena_alloc(arena, (most + 1) * sizeof *r->sources);
	r->history->n = 0;
	r->history->usages = fw_arena_alloc(arena, (most + 1) * sizeof *r->history->usages);
	for (size_t g = 0; g < r->n_groups; g++)
		for (uint32_t i = 0; i < r->groups[g].n_columns; i++)
			add_source(r, &r->groups[g], i);
}

/* ---- values ---- */

/* False where there is none, or the filesystem has no such limit. */
static bool used_of(const struct source *source, int64_t size_cell, int64_t left_cell, double *size,
	double *used)
{
	if (size_cell == FW_ABSENT || left_cell == FW_ABSENT)
		return false;
	*size = fw_column_value(column_at(source->group, source->size), size_cell);
	*used = *size - fw_column_value(column_at(source->group, source->left), left_cell);
	return isfinite(*used) && *size > 0;
}

static void note(struct reader *r, const struct source *source, int64_t at_ms, int64_t size_cell,
	int64_t left_cell, struct forecast_sample *sample)
{
	struct usage *usage = &r->history->usages[source->usage];
	double size, used;
	if (!used_of(source, size_cell, left_cell, &size, &used))
		return;
	if (at_ms >= usage->at_ms) {
		usage->at_ms = at_ms;
		usage->size = size;
		usage->used = used;
	}
	if (sample && at_ms >= sample->at_ms)
		*sample = (struct forecast_sample){at_ms, used};
}

void history_newest(struct store *store, const struct store_group *groups, size_t n_groups,
	struct fw_arena *arena, struct history *out)
{
	struct reader r = {store, groups, n_groups, .history = out};
	const struct store_group *group = NULL;
	int64_t at_ms = 0, *cells = NULL;
	int rc = 0;
	find_sources(&r, arena);
	for (size_t i = 0; i < r.n_sources; i++) {
		const struct source *source = &r.sources[i];
		if (source->group != group)
			rc = store_latest(store, source->group, arena, &at_ms, &cells);
		group = source->group;
		if (rc == 0)
			note(&r, source, at_ms, cells[source->size], cells[source->left], NULL);
	}
}

/* ---- the past ---- */

/* From the newest sweep of the five minutes up to each moment. */
static void note_moments(struct reader *r, const struct store_group *group,
	const struct store_columns *columns, const int64_t *moments, size_t from, size_t to)
{
	for (size_t m = from, row = 0; m < to; m++) {
		while (row < columns->n && columns->times_ms[row] <= moments[m])
			row++;
		if (row == 0 || columns->times_ms[row - 1] < moments[m] - LOOKBACK_MS)
			continue;
		for (size_t i = 0; i < r->n_sources; i++) {
			const struct source *source = &r->sources[i];
			if (source->group == group)
				note(r, source, columns->times_ms[row - 1],
					columns->cells[source->size][row - 1],
					columns->cells[source->left][row - 1],
					&r->history->usages[source->usage].samples[m]);
		}
	}
}

static int read_moments(struct reader *r, const int64_t *moments, size_t from, size_t to,
	struct fw_arena *scratch, struct fw_err *err)
{
	int rc = 0;
	for (size_t g = 0; g < r->n_groups && rc == 0; g++) {
		struct store_columns columns;
		fw_arena_reset(scratch);
		rc = store_read(r->store, &r->groups[g], moments[from] - LOOKBACK_MS,
			moments[to - 1], NULL, scratch, &columns, err);
		if (rc == 0)
			note_moments(r, &r->groups[g], &columns, moments, from, to);
	}
	return rc;
}

static int read_all(struct reader *r, const int64_t *moments, size_t n, struct fw_err *err)
{
	struct fw_arena scratch = {.limit = READ_LIMIT};
	int rc = 0;
	for (size_t from = 0, to; from < n && rc == 0; from = to) {
		for (to = from + 1; to < n && moments[to] - moments[from] < TOGETHER_MS; to++)
			;
		rc = read_moments(r, moments, from, to, &scratch, err);
	}
	fw_arena_done(&scratch);
	return rc;
}

/* Moments without a value go, and times that two moments share. */
static void close_up(struct usage *usage, size_t n_moments)
{
	for (size_t m = 0; m < n_moments; m++) {
		const struct forecast_sample *sample = &usage->samples[m];
		size_t n = usage->n_samples;
		if (sample->at_ms != 0 && (n == 0 || sample->at_ms > usage->samples[n - 1].at_ms))
			usage->samples[usage->n_samples++] = *sample;
	}
}

int history_read(struct store *store, const struct store_group *groups, size_t n_groups,
	int64_t now_ms, struct fw_arena *arena, struct history *out, struct fw_err *err)
{
	struct reader r = {store, groups, n_groups, .history = out};
	int64_t moments[FORECAST_MOMENTS];
	size_t n = forecast_plan(now_ms, moments);
	find_sources(&r, arena);
	for (size_t i = 0; i < out->n; i++)
		out->usages[i].samples = fw_arena_alloc(arena, n * sizeof *out->usages[i].samples);
	int rc = read_all(&r, moments, n, err);
	for (size_t i = 0; i < out->n && rc == 0; i++)
		close_up(&out->usages[i], n);
	return rc;
}
