/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a block as if it were hostile, in either of its forms: a byte for its sweeps,
 * one for its columns, then the body. */
#pragma once

#include <stdint.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "columns.h"

enum { COLUMNS_MOST = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*body_opener)(struct columns *c, const uint8_t *body, size_t length, uint32_t n_sweeps,
	uint32_t n_columns);
typedef void (*body_sealer)(const struct columns *c, uint8_t *body, size_t length);

static void read_all(const struct columns *c)
{
	int64_t times[FW_SWEEPS_LIMIT];
	uint32_t wanted[COLUMNS_MOST];
	int64_t *cells = fw_alloc(((size_t)c->n_sweeps * c->n_columns + 1) * sizeof *cells);
	for (uint32_t i = 0; i < c->n_columns; i++)
		wanted[i] = i;
	columns_times(c, times);
	columns_read(c, wanted, c->n_columns, cells, c->n_sweeps);
	for (uint32_t i = 0; i < c->n_columns; i += 17)
		columns_read(c, &i, 1, cells, c->n_sweeps);
	fw_free(cells);
}

/* `seal` makes checksums right, so that they keep nothing out; NULL: there are none. */
static int fuzz_body(const uint8_t *data, size_t size, body_opener open, body_sealer seal)
{
	struct columns c;
	if (size < 2)
		return 0;
	/* In memory of just its length, so that every byte beyond is seen. */
	uint8_t *body = fw_alloc(size - 1);
	memcpy(body, data + 2, size - 2);
	if (open(&c, body, size - 2, data[0], data[1] % COLUMNS_MOST) == 0) {
		if (seal)
			seal(&c, body, size - 2);
		read_all(&c);
	}
	fw_free(body);
	return 0;
}
