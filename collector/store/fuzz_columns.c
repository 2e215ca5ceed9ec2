/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a block, as if it were hostile: sweeps, columns, then its bytes. */
#include <stdint.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "columns.h"

enum { COLUMNS_MOST = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct columns *c, int64_t *cells)
{
	uint32_t wanted[COLUMNS_MOST];
	for (uint32_t i = 0; i < c->n_columns; i++)
		wanted[i] = i;
	columns_read(c, wanted, c->n_columns, cells, c->n_sweeps);
	for (uint32_t i = 0; i < c->n_columns; i += 37)
		columns_read(c, &i, 1, cells, c->n_sweeps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct columns c;
	int64_t times[FW_SWEEPS_LIMIT];
	if (size < 2)
		return 0;
	/* In memory of just its length, so that every byte beyond is seen. */
	uint8_t *body = fw_alloc(size - 1);
	memcpy(body, data + 2, size - 2);
	if (columns_open(&c, body, size - 2, data[0], data[1] % COLUMNS_MOST) == 0) {
		int64_t *cells = fw_alloc(((size_t)c.n_sweeps * c.n_columns + 1) * sizeof *cells);
		columns_times(&c, times);
		read_all(&c, cells);
		fw_free(cells);
	}
	fw_free(body);
	return 0;
}
