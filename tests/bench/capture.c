/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include <zlib.h>

#define SERIES_LIMIT 10000
#define SWEEPS_LIMIT 10000
#define SCALES 10

static const double powers[SCALES] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/* Doubles keep 53 bits; what milliseconds divided by 1000 in other ways have is off by less. */
static bool is_scaled(double value, unsigned scale)
{
	double scaled = value * powers[scale], whole = rint(scaled);
	return fabs(whole) < 0x1p53 && fabs(scaled - whole) <= fabs(scaled) * 0x1p-51;
}

/* The smallest scale that all values have; SCALES: none. */
static unsigned find_scale(const double *values, uint32_t n)
{
	unsigned scale = 0;
	for (uint32_t i = 0; i < n; i++)
		while (scale < SCALES && !is_scaled(values[i], scale))
			scale++;
	return scale;
}

static void put_column(struct recording *r, uint32_t c, const double *values, bool integers)
{
	unsigned scale = integers ? find_scale(values, r->n_sweeps) : SCALES;
	struct fw_column *column = &r->columns[c];
	*column = (struct fw_column){.type = FW_UNTYPED | FW_DOUBLE, .factor = 1};
	if (scale < SCALES) {
		column->type = FW_UNTYPED;
		column->scale = (int8_t)scale;
	}
	for (uint32_t i = 0; i < r->n_sweeps; i++) {
		int64_t *cell = &r->cells[(size_t)i * r->n_columns + c];
		if (scale < SCALES)
			*cell = (int64_t)rint(values[i] * powers[scale]);
		else
			memcpy(cell, &values[i], sizeof *cell);
	}
}

static bool take(gzFile file, void *to, size_t bytes)
{
	return gzread(file, to, (unsigned)bytes) == (int)bytes;
}

static int read_capture(gzFile file, bool integers, struct fw_arena *arena, struct recording *out)
{
	int32_t sizes[2];
	if (!take(file, sizes, sizeof sizes) || sizes[0] < 1 || sizes[0] > SERIES_LIMIT ||
		sizes[1] < 1 || sizes[1] > SWEEPS_LIMIT)
		return -EBADMSG;
	size_t n_columns = (size_t)sizes[0], n_sweeps = (size_t)sizes[1];
	*out = (struct recording){
		.n_sweeps = (uint32_t)n_sweeps,
		.n_columns = (uint32_t)n_columns,
		.columns = fw_arena_alloc(arena, n_columns * sizeof *out->columns),
		.times_ms = fw_arena_alloc(arena, n_sweeps * sizeof *out->times_ms),
		.cells = fw_arena_alloc(arena, n_columns * n_sweeps * sizeof *out->cells),
	};
	double *values = fw_arena_alloc(arena, n_sweeps * sizeof *values);
	if (!take(file, out->times_ms, n_sweeps * sizeof *out->times_ms))
		return -EBADMSG;
	for (uint32_t c = 0; c < n_columns; c++) {
		if (!take(file, values, n_sweeps * sizeof *values))
			return -EBADMSG;
		put_column(out, c, values, integers);
	}
	return 0;
}

int capture_load(const char *path, bool integers, struct fw_arena *arena, struct recording *out,
	struct fw_err *err)
{
	gzFile file = gzopen(path, "rb");
	if (!file)
		return fw_fail(err, -ENOENT, "%s: cannot be opened", path);
	int rc = read_capture(file, integers, arena, out);
	gzclose(file);
	return rc < 0 ? fw_fail(err, rc, "%s: is not a capture", path) : 0;
}
