/* SPDX-License-Identifier: Apache-2.0 */
#include "totals.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include <fenwatch/batch.h>

#include "columns_bytes.h"
#include "foreign.h"

/* No sum of a slice of such numbers can leave int64. */
#define SMALL ((int64_t)1 << 54)

struct totals {
	int64_t n; /* samples; with 0 the rest means nothing */
	int64_t first, last, min, max, sum, resets;
};

struct real_totals {
	int64_t n;
	double first, last, min, max, sum, resets;
};

static int64_t times(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a * (uint64_t)b);
}

/* ---- integers ---- */

static int64_t increase_of(const struct totals *totals)
{
	return cells_plus(cells_minus(totals->last, totals->first), totals->resets);
}

static void put_known(uint8_t type, const struct totals *t, int64_t *cells)
{
	int64_t rest = totals_keep_sum(type) ? cells_minus(t->sum, times(t->n, t->last)) : 0;
	cells[1] = t->last;
	cells[2] = cells_minus(t->last, totals_keep_resets(type) ? t->first : t->min);
	cells[3] = totals_keep_resets(type) ? t->resets : cells_minus(t->max, t->last);
	cells[4] = rest;
}

static bool fits(uint8_t type, const struct totals *t)
{
	int64_t cells[TOTALS_CELLS], gain;
	put_known(type, t, cells);
	for (int i = 1; i < TOTALS_CELLS; i++)
		if (cells[i] == FW_ABSENT)
			return false;
	return !totals_keep_resets(type) ||
		(!__builtin_sub_overflow(t->last, t->first, &gain) &&
			!__builtin_add_overflow(gain, t->resets, &gain));
}

static bool join_resets(
	const struct totals *a, const struct totals *b, enum totals_order order, struct totals *out)
{
	if (order == TOTALS_BEHIND) {
		int64_t lost = b->first < a->last ? a->last : 0;
		return !__builtin_add_overflow(a->resets, lost, &out->resets) &&
			!__builtin_add_overflow(out->resets, b->resets, &out->resets);
	}
	out->resets = a->resets > b->resets ? a->resets : b->resets;
	if (out->resets == 0 && out->last < out->first)
		out->resets = out->first;
	return true;
}

static bool join(uint8_t type, const struct totals *a, const struct totals *b,
	enum totals_order order, struct totals *out)
{
	if (a->n == 0 || b->n == 0) {
		*out = a->n == 0 ? *b : *a;
		return true;
	}
	struct totals t = {.n = a->n + b->n};
	t.first = order == TOTALS_AROUND ? b->first : a->first;
	t.last = b->last;
	t.min = a->min < b->min ? a->min : b->min;
	t.max = a->max > b->max ? a->max : b->max;
	if ((totals_keep_sum(type) && __builtin_add_overflow(a->sum, b->sum, &t.sum)) ||
		(totals_keep_resets(type) && !join_resets(a, b, order, &t)) || !fits(type, &t))
		return false;
	*out = t;
	return true;
}

static uint32_t take_one_by_one(uint8_t type, const int64_t *cells, uint32_t n, struct totals *out)
{
	out->n = 0;
	for (uint32_t i = 0; i < n; i++) {
		int64_t v = cells[i];
		const struct totals one = {1, v, v, v, v, v, 0};
		if (v != FW_ABSENT && !join(type, out, &one, TOTALS_BEHIND, out))
			return i;
	}
	return n;
}

static uint32_t close_holes(const int64_t *cells, uint32_t n, int64_t *to)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < n; i++) {
		to[kept] = cells[i];
		kept += cells[i] != FW_ABSENT;
	}
	return kept;
}

static void measure(const int64_t *cells, uint32_t n, struct totals *out)
{
	int64_t min = cells[0], max = cells[0];
	uint64_t sum = 0;
	for (uint32_t i = 0; i < n; i++) {
		min = cells[i] < min ? cells[i] : min;
		max = cells[i] > max ? cells[i] : max;
		sum += (uint64_t)cells[i];
	}
	*out = (struct totals){n, cells[0], cells[n - 1], min, max, (int64_t)sum, 0};
}

static int64_t sum_resets(const int64_t *cells, uint32_t n)
{
	int64_t resets = 0;
	for (uint32_t i = 1; i < n; i++)
		resets += cells[i] < cells[i - 1] ? cells[i - 1] : 0;
	return resets;
}

static bool are_equal(const int64_t *cells, uint32_t n)
{
	return memcmp(cells, cells + 1, (n - 1) * sizeof *cells) == 0;
}

static uint32_t take(uint8_t type, const int64_t *cells, uint32_t n, struct totals *out)
{
	int64_t dense[TOTALS_SLICE], v = cells[0];
	uint32_t n_dense = n;
	if (are_equal(cells, n) && v > -SMALL && v < SMALL) {
		*out = (struct totals){n, v, v, v, v, v * n, 0};
		return n;
	}
	measure(cells, n, out);
	const int64_t *at = cells;
	if (out->min == FW_ABSENT) {
		at = dense;
		n_dense = close_holes(cells, n, dense);
		if (n_dense > 0)
			measure(at, n_dense, out);
	}
	if (n_dense == 0) {
		out->n = 0;
		return n;
	}
	if (out->min <= -SMALL || out->max >= SMALL)
		return take_one_by_one(type, cells, n, out);
	if (totals_keep_resets(type))
		out->resets = sum_resets(at, n_dense);
	return n;
}

static void put_none(int64_t *cells)
{
	for (int i = 0; i < TOTALS_CELLS; i++)
		cells[i] = FW_ABSENT;
}

/* 0: no sample. -1: no row has such cells. */
static int64_t count(const struct totals_part *part)
{
	const int64_t *cells = part->cells;
	int absent = 0;
	for (int i = 0; i < TOTALS_CELLS; i++)
		absent += cells[i] == FW_ABSENT;
	if (absent == TOTALS_CELLS)
		return 0;
	return absent == 0 && cells[0] >= 0 && cells[0] < part->n_sweeps ? part->n_sweeps - cells[0]
									 : -1;
}

static void put(uint8_t type, const struct totals *totals, int64_t n_sweeps, int64_t *cells)
{
	if (totals->n == 0) {
		put_none(cells);
		return;
	}
	cells[0] = n_sweeps - totals->n;
	put_known(type, totals, cells);
}

static bool get(uint8_t type, const struct totals_part *part, struct totals *out)
{
	const int64_t *cells = part->cells;
	struct totals t = {.n = count(part)};
	*out = t;
	if (t.n <= 0)
		return t.n == 0;
	t.last = cells[1];
	if (totals_keep_resets(type)) {
		t.first = cells_minus(t.last, cells[2]);
		t.resets = cells[3];
	} else {
		t.min = cells_minus(t.last, cells[2]);
		t.max = cells_plus(t.last, cells[3]);
	}
	if (totals_keep_sum(type))
		t.sum = cells_plus(cells[4], times(t.n, t.last));
	*out = t;
	return fits(type, out);
}

/* ---- doubles ---- */

/* A sum whose lost digits are kept beside it (Neumaier). */
struct exact {
	double sum, rest;
};

static void add(struct exact *e, double v)
{
	double sum = e->sum + v;
	if (isinf(sum))
		e->rest = 0;
	else
		e->rest += fabs(e->sum) >= fabs(v) ? e->sum - sum + v : v - sum + e->sum;
	e->sum = sum;
}

/* A number is less or greater than no number. */
static double lesser(double a, double b)
{
	return b < a || isnan(a) ? b : a;
}

static double greater(double a, double b)
{
	return b > a || isnan(a) ? b : a;
}

static void take_real(const int64_t *cells, uint32_t n, struct real_totals *out)
{
	struct real_totals t = {0};
	struct exact sum = {0};
	for (uint32_t i = 0; i < n; i++) {
		double v = fw_cell_double(cells[i]);
		if (cells[i] == FW_ABSENT || cells[i] == STORE_ENDED)
			continue;
		if (t.n++ == 0)
			t.first = t.min = t.max = v;
		else if (v < t.last)
			t.resets += t.last;
		t.last = v;
		t.min = lesser(t.min, v);
		t.max = greater(t.max, v);
		add(&sum, v);
	}
	t.sum = isinf(sum.sum) ? sum.sum : sum.sum + sum.rest;
	*out = t;
}

static void join_real(const struct real_totals *a, const struct real_totals *b,
	enum totals_order order, struct real_totals *out)
{
	if (a->n == 0 || b->n == 0) {
		*out = a->n == 0 ? *b : *a;
		return;
	}
	struct real_totals t = {.n = a->n + b->n, .last = b->last, .sum = a->sum + b->sum};
	t.first = order == TOTALS_AROUND ? b->first : a->first;
	t.min = lesser(a->min, b->min);
	t.max = greater(a->max, b->max);
	if (order == TOTALS_BEHIND)
		t.resets = a->resets + (b->first < a->last ? a->last : 0) + b->resets;
	else
		t.resets = greater(a->resets, b->resets);
	if (order != TOTALS_BEHIND && t.resets == 0 && t.last < t.first)
		t.resets = t.first;
	*out = t;
}

static void put_real(
	uint8_t type, const struct real_totals *totals, int64_t n_sweeps, int64_t *cells)
{
	if (totals->n == 0) {
		put_none(cells);
		return;
	}
	cells[0] = n_sweeps - totals->n;
	cells[1] = fw_double_cell(totals->last);
	cells[2] = fw_double_cell(totals_keep_resets(type) ? totals->first : totals->min);
	cells[3] = fw_double_cell(totals_keep_resets(type) ? totals->resets : totals->max);
	cells[4] = totals_keep_sum(type) ? fw_double_cell(totals->sum) : 0;
}

static bool get_real(uint8_t type, const struct totals_part *part, struct real_totals *out)
{
	const int64_t *cells = part->cells;
	struct real_totals t = {.n = count(part)};
	*out = t;
	if (t.n <= 0)
		return t.n == 0;
	t.last = fw_cell_double(cells[1]);
	if (totals_keep_resets(type)) {
		t.first = fw_cell_double(cells[2]);
		t.resets = fw_cell_double(cells[3]);
	} else {
		t.min = fw_cell_double(cells[2]);
		t.max = fw_cell_double(cells[3]);
	}
	t.sum = totals_keep_sum(type) ? fw_cell_double(cells[4]) : 0;
	*out = t;
	return true;
}

/* ---- either ---- */

uint32_t totals_take(uint8_t type, const int64_t *samples, uint32_t n, int64_t *cells)
{
	struct totals totals;
	struct real_totals real;
	assert(n > 0 && n <= TOTALS_SLICE);
	if (type & FW_DOUBLE) {
		take_real(samples, n, &real);
		put_real(type, &real, n, cells);
		return n;
	}
	uint32_t taken = take(type, samples, n, &totals);
	put(type, &totals, n, cells);
	return taken;
}

bool totals_join(uint8_t type, const struct totals_part *a, const struct totals_part *b,
	enum totals_order order, int64_t *cells)
{
	struct totals x, y;
	struct real_totals u, v;
	if (type & FW_DOUBLE) {
		get_real(type, a, &u);
		get_real(type, b, &v);
		join_real(&u, &v, order, &u);
		put_real(type, &u, a->n_sweeps + b->n_sweeps, cells);
		return true;
	}
	get(type, a, &x);
	get(type, b, &y);
	if (!join(type, &x, &y, order, &x))
		return false;
	put(type, &x, a->n_sweeps + b->n_sweeps, cells);
	return true;
}

bool totals_check(uint8_t type, const struct totals_part *part)
{
	struct totals totals;
	struct real_totals real;
	return type & FW_DOUBLE ? get_real(type, part, &real) : get(type, part, &totals);
}

static void tell_integer(uint8_t type, const struct totals_part *part, struct totals_told *out)
{
	struct totals t;
	get(type, part, &t);
	out->n = t.n;
	if (t.n == 0)
		return;
	out->last = t.last;
	out->lowest = totals_keep_resets(type) ? t.first : t.min;
	out->highest = totals_keep_resets(type) ? increase_of(&t) : t.max;
	out->sum = t.sum;
}

static void tell_real(uint8_t type, const struct totals_part *part, struct totals_told *out)
{
	struct real_totals t;
	get_real(type, part, &t);
	out->n = t.n;
	if (t.n == 0)
		return;
	out->last = fw_double_cell(t.last);
	out->lowest = fw_double_cell(totals_keep_resets(type) ? t.first : t.min);
	out->highest =
		fw_double_cell(totals_keep_resets(type) ? t.last - t.first + t.resets : t.max);
	out->sum = fw_double_cell(t.sum);
}

void totals_tell(uint8_t type, const struct totals_part *part, struct totals_told *out)
{
	*out = (struct totals_told){0, FW_ABSENT, FW_ABSENT, FW_ABSENT, FW_ABSENT};
	if (type & FW_DOUBLE)
		tell_real(type, part, out);
	else
		tell_integer(type, part, out);
}
