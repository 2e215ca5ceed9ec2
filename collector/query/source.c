/* SPDX-License-Identifier: Apache-2.0 */
/* The ring as the engine asks it.
 *
 * The store names groups, columns of one schema of one host; they come host by
 * host. What a group holds is read into scratch memory, handed over column by
 * column, and forgotten, so a question over the fleet needs the memory of its
 * answer and of a few groups. Only where a series lies in several schemas of its
 * host are those read together and joined.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>

#include "ahead.h"
#include "labels.h"
#include "matching.h"
#include "notes.h"
#include "query.h"
#include "scope.h"
#include "store.h"
#include "strand.h"

/* From so much on a second thread is worth its making. */
#define LONG_MS (60 * 60 * 1000)
#define MANY_GROUPS 16

struct reading {
	const struct query_source *source;
	const struct promql_selection *selection;
	const struct promql_select_to *to;
	struct fw_arena scratch; /* of groups that are read together */
	struct fw_label *labels; /* of the series at hand */
	size_t labels_capacity;
	const int64_t *times_ms; /* handed over last */
	size_t n_times;
	size_t n_damaged;
	enum store_tier coarsest; /* that something was answered from */
	struct fw_err *err;
};

/* ---- one series ---- */

static int hand_over(
	struct reading *r, const struct strand *strand, const struct promql_buckets *buckets)
{
	size_t most = strand_labels_most(strand->group, strand->column);
	if (most > r->labels_capacity) {
		r->labels_capacity = 2 * most;
		r->labels = fw_arena_alloc(r->to->arena, r->labels_capacity * sizeof *r->labels);
	}
	bool same = r->times_ms && r->n_times == strand->n &&
		(r->times_ms == strand->times_ms ||
			memcmp(r->times_ms, strand->times_ms, strand->n * sizeof *r->times_ms) ==
				0);
	r->times_ms = strand->times_ms;
	r->n_times = strand->n;
	return r->to->on_series(r->to->arg,
		&(struct promql_samples){
			.labels = r->labels,
			.n_labels = strand_labels(strand->group, strand->column, r->labels),
			.column = strand->column,
			.times_ms = strand->times_ms,
			.same_times = same,
			.cells = strand->cells,
			.n = strand->n,
			.buckets = buckets,
		});
}

/* Strands of one series, as one of doubles. */
static int hand_over_joined(struct reading *r, struct strand *run, size_t n)
{
	struct sample sample;
	size_t most = 0;
	for (size_t i = 0; i < n; i++)
		most += run[i].n;
	int64_t *times_ms = fw_arena_try(&r->scratch, (most + 1) * sizeof *times_ms);
	int64_t *cells = fw_arena_try(&r->scratch, (most + 1) * sizeof *cells);
	if (!times_ms || !cells)
		return -ENOMEM;
	struct fw_column column = *run[0].column;
	column.type |= FW_DOUBLE;
	struct strand joined = {
		.group = run[0].group, .column = &column, .times_ms = times_ms, .cells = cells};
	for (; strands_next(run, n, &sample); joined.n++) {
		times_ms[joined.n] = sample.at_ms;
		cells[joined.n] = sample.stale ? FW_ABSENT : fw_double_cell(sample.value);
	}
	return joined.n > 0 ? hand_over(r, &joined, NULL) : 0;
}

/* ---- groups ---- */

static struct ahead_order order_of(
	const struct reading *r, const struct store_group *groups, size_t n_groups)
{
	const struct promql_selection *s = r->selection;
	return (struct ahead_order){
		.store = r->source->store,
		.groups = groups,
		.n_groups = n_groups,
		.from_ms = s->from_ms,
		.to_ms = s->to_ms,
		.newest = s->newest,
		.two_threads = n_groups >= MANY_GROUPS && s->to_ms - s->from_ms >= LONG_MS,
		.max_bytes = r->source->max_bytes,
		.patience = {r->to->is_over, r->to->over_arg},
	};
}

/* ---- rows instead of samples ---- */

/* Each range is whole buckets of the tier. */
static bool fits_buckets(const struct promql_selection *s, enum store_tier tier)
{
	const int64_t bucket_ms = store_bucket_ms(tier);
	return s->function && s->range_ms > 0 && s->range_ms % bucket_ms == 0 &&
		(s->from_ms - 1) % bucket_ms == 0 && s->to_ms % bucket_ms == 0 &&
		s->step_ms % bucket_ms == 0;
}

/* One list of a row's cells without the rows in which the column has no sample. */
static const int64_t *pick(struct reading *r, const int64_t *from, const struct store_rows *rows,
	const int64_t *last, size_t n)
{
	if (!from || n == rows->n)
		return from;
	int64_t *picked = fw_arena_alloc(&r->scratch, n * sizeof *picked), *at = picked;
	for (size_t i = 0; i < rows->n; i++)
		if (last[i] != FW_ABSENT)
			*at++ = from[i];
	return picked;
}

static int hand_over_rows(struct reading *r, const struct store_group *group, size_t column,
	const struct store_rows *rows)
{
	const struct store_rows_column *c = &rows->columns[column];
	size_t n = 0;
	for (size_t i = 0; i < rows->n; i++)
		n += c->last[i] != FW_ABSENT;
	const struct promql_buckets buckets = {
		.first_ms = pick(r, rows->first_ms, rows, c->last, n),
		.count = pick(r, c->count, rows, c->last, n),
		.min = pick(r, c->min, rows, c->last, n),
		.max = pick(r, c->max, rows, c->last, n),
		.sum = pick(r, c->sum, rows, c->last, n),
		.first = pick(r, c->first, rows, c->last, n),
		.increase = pick(r, c->increase, rows, c->last, n),
	};
	const struct strand strand = {
		.group = group,
		.column = &group->schema->columns[group->columns[column]],
		.times_ms = pick(r, rows->last_ms, rows, c->last, n),
		.cells = pick(r, c->last, rows, c->last, n),
		.n = n,
	};
	r->times_ms = NULL;
	int rc = n > 0 ? hand_over(r, &strand, &buckets) : 0;
	r->times_ms = NULL;
	return rc;
}

static bool rows_suffice(const struct reading *r, const struct store_rows *rows, size_t n_columns)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->overlaps[i])
			return false;
	for (size_t i = 0; i < n_columns && rows->n > 0; i++) {
		const struct store_rows_column *c = &rows->columns[i];
		const struct promql_buckets buckets = {.count = c->count,
			.min = c->min,
			.max = c->max,
			.sum = c->sum,
			.first = c->first,
			.increase = c->increase};
		if (!promql_buckets_suffice(&buckets, r->selection->function))
			return false;
	}
	return true;
}

/* Where raw does not reach: the group's rows, if they answer exactly. 1: they did. */
static int try_rows(struct reading *r, const struct store_group *group, enum store_tier tier)
{
	const struct promql_selection *s = r->selection;
	struct store_rows rows;
	if (tier == STORE_RAW || !fits_buckets(s, tier))
		return 0;
	fw_arena_reset(&r->scratch);
	const struct store_patience patience = {r->to->is_over, r->to->over_arg};
	int rc = store_read_rows(r->source->store, group, tier, s->from_ms, s->to_ms,
		patience.is_over ? &patience : NULL, &r->scratch, &rows, r->err);
	if (rc < 0 || !rows_suffice(r, &rows, group->n_columns))
		return rc;
	for (size_t i = 0; i < group->n_columns && rows.n > 0 && rc >= 0; i++)
		rc = hand_over_rows(r, group, i, &rows);
	return rc < 0 ? rc : 1;
}

static int note_read(struct reading *r, int rc, const struct store_columns *columns)
{
	if (rc < 0)
		return rc == -E2BIG ? -ENOMEM : rc;
	r->n_damaged += columns->damaged_blocks;
	if (columns->tier > r->coarsest)
		r->coarsest = columns->tier;
	return 0;
}

/* Of a series that stands for itself, what it says. */
static int hand_over_said(struct reading *r, const struct strand *whole)
{
	int64_t *times_ms = fw_arena_try(&r->scratch, 2 * whole->n * sizeof *times_ms);
	if (!times_ms)
		return -ENOMEM;
	int64_t *cells = times_ms + whole->n;
	struct strand said = *whole;
	said.times_ms = times_ms;
	said.cells = cells;
	said.n = 0;
	for (size_t i = 0; i < whole->n; i++) {
		times_ms[said.n] = whole->times_ms[i];
		cells[said.n] = whole->cells[i];
		said.n += whole->cells[i] != STORE_UNSAID;
	}
	return said.n > 0 ? hand_over(r, &said, NULL) : 0;
}

static int hand_over_group(
	struct reading *r, const struct store_group *group, const struct store_columns *columns)
{
	int rc = 0;
	if (columns->n == 0)
		r->times_ms = NULL; /* as they are forgotten when the next group is taken */
	if (columns->unsaid)
		fw_arena_reset(&r->scratch);
	for (size_t i = 0; i < group->n_columns && columns->n > 0 && rc >= 0; i++) {
		const struct strand strand = {
			.group = group,
			.column = &group->schema->columns[group->columns[i]],
			.times_ms = columns->times_ms,
			.cells = columns->cells[i],
			.n = columns->n,
		};
		rc = columns->unsaid ? hand_over_said(r, &strand) : hand_over(r, &strand, NULL);
	}
	if (columns->unsaid)
		r->times_ms = NULL;
	return rc;
}

/* Who asked may have gone. */
static int look(const struct reading *r)
{
	return r->to->is_over && r->to->is_over(r->to->over_arg) ? -ECANCELED : 0;
}

/* Each for itself. */
static int read_alone(struct reading *r, const struct store_group *groups, size_t n_groups)
{
	const struct ahead_order order = order_of(r, groups, n_groups);
	struct ahead *ahead = ahead_new(&order);
	int rc = 0;
	for (size_t g = 0; g < n_groups && rc >= 0; g++) {
		struct store_columns columns;
		rc = look(r);
		if (rc >= 0)
			rc = ahead_take(ahead, &columns, r->err);
		if (rc >= 0)
			rc = try_rows(r, &groups[g], columns.tier);
		if (rc == 0)
			rc = note_read(r, 0, &columns);
		if (rc == 0)
			rc = hand_over_group(r, &groups[g], &columns);
		if (rc == -E2BIG)
			rc = -ENOMEM;
	}
	ahead_free(ahead);
	return rc;
}

static int hand_over_runs(struct reading *r, struct strand *strands, size_t n)
{
	int rc = 0;
	for (size_t i = 0, run; i < n && rc >= 0; i += run) {
		run = strands_run(strands + i, n - i);
		rc = hand_over_joined(r, &strands[i], run);
	}
	return rc;
}

/* Those of one host that share series. */
static int read_together(struct reading *r, const struct store_group *groups, size_t n_groups)
{
	const struct ahead_order order = order_of(r, groups, n_groups);
	fw_arena_reset(&r->scratch);
	struct store_columns *columns = fw_arena_alloc(&r->scratch, n_groups * sizeof *columns);
	int rc = 0;
	for (size_t i = 0; i < n_groups && rc >= 0; i++)
		rc = note_read(r, ahead_read(&order, &groups[i], &r->scratch, &columns[i], r->err),
			&columns[i]);
	if (rc < 0)
		return rc;
	size_t n;
	struct strand *strands = strands_new(groups, columns, n_groups, &r->scratch, &n);
	rc = hand_over_runs(r, strands, n);
	r->times_ms = NULL;
	return rc;
}

/* Those that share a series with another group of their host first; returns how many. */
static size_t shared_first(struct store_group *groups, size_t n_groups)
{
	if (n_groups == 1)
		return 0;
	struct fw_arena arena = {0};
	bool *shared = fw_arena_alloc(&arena, n_groups * sizeof *shared);
	size_t n, n_shared = 0;
	const struct strand *strands = strands_new(groups, NULL, n_groups, &arena, &n);
	for (size_t i = 0, run; i < n; i += run) {
		run = strands_run(strands + i, n - i);
		for (size_t k = i; run > 1 && k < i + run; k++)
			shared[strands[k].group - groups] = true;
	}
	struct store_group *sorted = fw_arena_alloc(&arena, n_groups * sizeof *sorted);
	for (size_t i = 0; i < n_groups; i++)
		if (shared[i])
			sorted[n_shared++] = groups[i];
	for (size_t i = 0, at = n_shared; i < n_groups; i++)
		if (!shared[i])
			sorted[at++] = groups[i];
	memcpy(groups, sorted, n_groups * sizeof *groups);
	fw_arena_done(&arena);
	return n_shared;
}

/* Host by host; those that stand alone are gathered in front. */
static int read_hosts(struct reading *r, struct store_group *groups, size_t n_groups)
{
	size_t n_alone = 0;
	int rc = 0;
	for (size_t i = 0, n; i < n_groups && rc >= 0; i += n) {
		for (n = 1; i + n < n_groups && groups[i + n].host == groups[i].host;)
			n++;
		size_t n_shared = shared_first(groups + i, n);
		if (n_shared)
			rc = look(r);
		if (n_shared && rc >= 0)
			rc = read_together(r, groups + i, n_shared);
		memmove(groups + n_alone, groups + i + n_shared, (n - n_shared) * sizeof *groups);
		n_alone += n - n_shared;
	}
	return rc < 0 ? rc : read_alone(r, groups, n_alone);
}

/* ---- the door ---- */

static void add_warnings(const struct reading *r)
{
	static const char *const from_tier[STORE_TIERS] = {
		[STORE_FIVE_MINUTE] = "older samples were answered from the five-minute tier",
		[STORE_HOUR] = "older samples were answered from the one-hour tier"};
	if (r->n_damaged > 0)
		promql_note(r->to->notes, NOTE_WARNING, NULL,
			"%zu damaged blocks of the store were left out; run "
			"fenwatch-collector store check",
			r->n_damaged);
	if (from_tier[r->coarsest])
		promql_note(r->to->notes, NOTE_WARNING, NULL, "%s", from_tier[r->coarsest]);
}

static int select_series(const struct promql_data *data, const struct promql_selection *selection,
	const struct promql_select_to *to, struct fw_err *err)
{
	const struct query_source *source = data->arg;
	struct reading r = {.source = source, .selection = selection, .to = to, .err = err};
	struct matching matching;
	struct store_group *groups;
	size_t n_groups;
	r.scratch.limit = source->max_bytes;
	int rc = matching_init(
		&matching, selection->matchers, selection->n_matchers, to->arena, err);
	if (rc < 0)
		return rc;
	rc = store_select(source->store, matching.matchers, matching.n_matchers, selection->from_ms,
		selection->to_ms, to->arena, &groups, &n_groups, err);
	if (rc >= 0)
		rc = read_hosts(&r, groups, scope_keep(source->scope, groups, n_groups));
	add_warnings(&r);
	matching_done(&matching);
	fw_arena_done(&r.scratch);
	return rc;
}

struct promql_data query_data(struct query_source *source)
{
	return (struct promql_data){select_series, source};
}
