/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a block in groups, as if it were hostile: sweeps, columns, then its bytes.
 * Checksums are made right, so that they keep nothing out. */
#include <stdint.h>
#include <string.h>

#include <fenwatch/crc.h>
#include <fenwatch/mem.h>

#include "bytes.h"
#include "columns.h"
#include "columns_bytes.h"

enum { COLUMNS_MOST = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal_groups(const struct columns *c, uint8_t *body, size_t length)
{
	uint8_t *at = body + FRONT_HEAD_BYTES;
	size_t from = columns_front_bytes(body, length);
	for (uint32_t i = 0; i < get_u16(body + 2); i++, at += FRONT_GROUP_BYTES) {
		size_t bytes = get_u16(at);
		if (c->end < body + from || bytes > (size_t)(c->end - body) - from)
			return;
		put_u32(at + 2, fw_crc32c(0, body + from, bytes));
		from += bytes;
	}
}

static void read_all(const struct columns *c, int64_t *cells)
{
	uint32_t wanted[COLUMNS_MOST];
	for (uint32_t i = 0; i < c->n_columns; i++)
		wanted[i] = i;
	columns_read(c, wanted, c->n_columns, cells, c->n_sweeps);
	for (uint32_t i = 0; i < c->n_columns; i += 17)
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
	if (columns_open_groups(&c, body, size - 2, data[0], data[1] % COLUMNS_MOST) == 0) {
		int64_t *cells = fw_alloc(((size_t)c.n_sweeps * c.n_columns + 1) * sizeof *cells);
		seal_groups(&c, body, size - 2);
		columns_times(&c, times);
		read_all(&c, cells);
		fw_free(cells);
	}
	fw_free(body);
	return 0;
}
