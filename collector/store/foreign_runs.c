/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of series from elsewhere: each column gathers its samples alone, and they are
 * woven into sweeps when somebody wants to see them so. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/batch.h>
#include <fenwatch/mem.h>

#include "foreign.h"
#include "internal.h"

enum { PIECE_LEAST = 32 };

struct foreign_column *foreign_columns_new(uint32_t n)
{
	return fw_alloc_array(n, sizeof(struct foreign_column));
}

void foreign_columns_free(struct foreign_column *columns, uint32_t n)
{
	for (uint32_t i = 0; columns && i < n; i++)
		fw_free(columns[i].data);
	fw_free(columns);
}

/* ---- one column ---- */

static void append(struct foreign_column *column, const struct store_sample *sample)
{
	struct samples_state state = {column->t1_ms, column->last_cell};
	if (column->n == 0)
		state = (struct samples_state){0};
	if (column->length + SAMPLES_MOST > column->capacity) {
		column->capacity += column->capacity / 2 + PIECE_LEAST;
		column->data = fw_realloc(column->data, column->capacity);
	}
	column->length += (uint32_t)samples_put(&state, sample, column->data + column->length);
	column->n++;
	column->t1_ms = sample->at_ms;
	column->last_cell = sample->cell;
}

static int decode(const struct foreign_column *column, int64_t *times_ms, int64_t *cells)
{
	struct samples_state state = {0};
	size_t at = 0;
	for (uint32_t i = 0; i < column->n; i++) {
		struct store_sample sample;
		size_t got = samples_get(&state, column->data + at, column->length - at, &sample);
		if (got == 0)
			return -EBADMSG;
		times_ms[i] = sample.at_ms;
		cells[i] = sample.cell;
		at += got;
	}
	return 0;
}

/* Puts late samples between those that are there; of equal times the new one stays. */
static void merge(struct foreign_column *column, const struct store_sample *samples, size_t n)
{
	int64_t times[FW_SWEEPS_LIMIT], cells[FW_SWEEPS_LIMIT];
	size_t i = 0, k = 0, had = column->n;
	decode(column, times, cells);
	column->length = column->n = 0;
	while (i < n || k < had) {
		bool old = k < had && (i == n || times[k] < samples[i].at_ms);
		const struct store_sample kept = {times[old ? k : 0], cells[old ? k : 0]};
		if (!old && k < had && times[k] == samples[i].at_ms)
			k++;
		append(column, old ? &kept : &samples[i]);
		k += old;
		i += !old;
	}
}

void foreign_column_add(struct foreign_column *column, const struct store_sample *samples, size_t n)
{
	if (column->n > 0 && samples[0].at_ms <= column->t1_ms)
		merge(column, samples, n);
	else
		for (size_t i = 0; i < n; i++)
			append(column, &samples[i]);
}

/* ---- all of them ---- */

static int by_time(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static bool same_times(const struct foreign_strand *a, const struct foreign_strand *b)
{
	return a->n == b->n && memcmp(a->times_ms, b->times_ms, a->n * sizeof *a->times_ms) == 0;
}

struct foreign_strand *foreign_unravel(
	const struct foreign_column *columns, size_t n, struct fw_arena *arena)
{
	struct foreign_strand *strands = fw_arena_try(arena, n * sizeof *strands + 1);
	for (size_t i = 0; strands && i < n; i++) {
		const struct foreign_column *column = &columns[i];
		int64_t *room = fw_arena_try(arena, 2 * column->n * sizeof *room + 1);
		if (!room || decode(column, room, room + column->n) < 0)
			return NULL;
		strands[i] = (struct foreign_strand){room, room + column->n, column->n};
	}
	return strands;
}

/* Nearly always all have the same times. */
static size_t all_times(const struct foreign_strand *strands, size_t n, int64_t *times_ms)
{
	const struct foreign_strand *first = NULL;
	size_t all = 0, kept = 0;
	for (size_t i = 0; i < n; i++) {
		if (strands[i].n == 0 || (first && same_times(first, &strands[i])))
			continue;
		first = first ? first : &strands[i];
		memcpy(times_ms + all, strands[i].times_ms, strands[i].n * sizeof *times_ms);
		all += strands[i].n;
	}
	if (first && all > first->n)
		qsort(times_ms, all, sizeof *times_ms, by_time);
	for (size_t i = 0; i < all; i++)
		if (kept == 0 || times_ms[i] != times_ms[kept - 1])
			times_ms[kept++] = times_ms[i];
	return kept;
}

static void weave_one(
	const struct foreign_strand *strand, const int64_t *times_ms, size_t n, int64_t *cells)
{
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		bool said = at < strand->n && strand->times_ms[at] == times_ms[i];
		cells[i] = said ? strand->cells[at] : FW_ABSENT;
		at += said;
	}
}

int foreign_weave(const struct foreign_strand *strands, size_t n, struct fw_arena *arena,
	struct columns_cells *out)
{
	size_t most = 0;
	for (size_t i = 0; i < n; i++)
		most += strands[i].n;
	int64_t *times = fw_arena_try(arena, most * sizeof *times + 1);
	size_t n_times = times ? all_times(strands, n, times) : 0;
	int64_t *cells = fw_arena_try(arena, n * n_times * sizeof *cells + 1);
	if (!times || !cells)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		weave_one(&strands[i], times, n_times, cells + i * n_times);
	*out = (struct columns_cells){
		.times_ms = times,
		.cells = cells,
		.to_column = n_times,
		.to_sweep = 1,
		.n_sweeps = (uint32_t)n_times,
		.n_columns = (uint32_t)n,
	};
	return 0;
}

/* ---- into blocks ---- */

static bool fits_a_block(const struct columns_cells *woven, uint32_t longest)
{
	const int64_t *times_ms = woven->times_ms;
	return woven->n_sweeps <= FW_SWEEPS_LIMIT && woven->n_sweeps <= longest + longest / 4 &&
		times_ms[woven->n_sweeps - 1] - times_ms[0] <= STORE_SPAN_MS;
}

/* Those with the times of the first that is left; the others have none in `out`. */
static size_t take_alike(struct foreign_strand *left, size_t n, struct foreign_strand *out)
{
	const struct foreign_strand *first = NULL;
	size_t others = 0;
	for (size_t i = 0; i < n; i++) {
		out[i] = (struct foreign_strand){0};
		if (left[i].n == 0)
			continue;
		if (!first || same_times(first, &left[i])) {
			out[i] = left[i];
			first = first ? first : &out[i];
			left[i].n = 0;
		} else {
			others++;
		}
	}
	return others;
}

int foreign_write_run(struct store *store, const struct run *run, const struct block_ref *about)
{
	const struct fw_schema *schema = &run->table->schema->schema;
	size_t n = schema->n_columns, others = 0, parts = 0;
	struct columns_cells woven;
	struct foreign_strand *left = foreign_unravel(run->columns, n, &store->arena);
	struct foreign_strand *alike = fw_arena_alloc(&store->arena, n * sizeof *alike);
	int rc = left ? foreign_weave(left, n, &store->arena, &woven) : -EBADMSG;
	bool whole = rc >= 0 && fits_a_block(&woven, run->n_sweeps);
	do {
		if (!whole && rc >= 0)
			others = take_alike(left, n, alike);
		if (!whole && rc >= 0)
			rc = foreign_weave(alike, n, &store->arena, &woven);
		/* The last one says that all are there, so the others are synced first. */
		if (rc >= 0 && parts++ > 0 && others == 0)
			rc = ring_sync(raw_ring(store));
		if (rc >= 0)
			rc = write_sweeps_of(store, about, &woven, schema->columns, others > 0);
	} while (rc >= 0 && others > 0);
	return rc;
}
