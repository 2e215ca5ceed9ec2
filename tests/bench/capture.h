/* What a real host said: 367 series, 244 sweeps 10 s apart (README.md has the file). */
#pragma once

#include <stdint.h>

#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>

/* Sweeps of one host. */
struct recording {
	uint32_t n_sweeps, n_columns;
	struct fw_column *columns;
	int64_t *times_ms, *cells; /* sweep after sweep */
};

/* As doubles; or, with `integers`, as the kernel's integers with a scale wherever the
 * values are such: an agent would never have made doubles of them. */
int capture_load(const char *path, bool integers, struct fw_arena *arena, struct recording *out,
	struct fw_err *err);
