/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a tier's block, as if it were hostile: rows, columns, a type of each, then
 * its bytes. What passes the check is joined and told. */
#include <stdint.h>
#include <string.h>

#include <fenwatch/mem.h>

#include "rows.h"

enum { COLUMNS_MOST = 24, BUCKET_MS = 300000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void roll_up(
	const struct columns_cells *cells, const struct fw_column *columns, uint32_t n_columns)
{
	struct rows rows = {0};
	struct columns_cells rest = *cells;
	if (rows_begin(&rows, columns, n_columns, 12 * BUCKET_MS, 8) < 0)
		return;
	while (rest.n_sweeps > 0) {
		uint32_t taken = rows_add_rows(&rows, &rest);
		rest.times_ms += taken;
		rest.cells += taken;
		rest.n_sweeps -= taken;
		rows_close(&rows);
		rows_clear(&rows);
	}
	rows_done(&rows);
}

/* Twice the same, so that rows overlap. */
static void read_rows(
	const struct columns_cells *cells, const struct fw_column *columns, uint32_t n_columns)
{
	struct fw_arena arena = {0};
	struct store_rows answer;
	struct rows_reader reader = {.columns = columns,
		.n_columns = n_columns,
		.bucket_ms = BUCKET_MS,
		.arena = &arena};
	if (rows_reader_add(&reader, cells, INT64_MIN, INT64_MAX) == 0 &&
		rows_reader_add(&reader, cells, 0, INT64_MAX) == 0)
		rows_reader_answer(&reader, &answer);
	fw_arena_done(&arena);
}

static void use_body(const struct columns *body, const uint8_t *types, uint32_t n_columns)
{
	struct fw_column columns[COLUMNS_MOST];
	uint32_t wanted[ROWS_SHARED + TOTALS_CELLS * COLUMNS_MOST], chosen[COLUMNS_MOST];
	int64_t times[FW_SWEEPS_LIMIT];
	int64_t *room = fw_alloc_array((size_t)body->n_sweeps * body->n_columns, sizeof *room);
	for (uint32_t c = 0; c < n_columns; c++) {
		columns[c] = (struct fw_column){.name = "c",
			.factor = 1,
			.type = (uint8_t)(types[c] % 3 | (types[c] & FW_DOUBLE))};
		chosen[c] = c;
	}
	rows_wanted(chosen, n_columns, wanted);
	const struct columns_cells cells = {
		times, room, body->n_sweeps, 1, body->n_sweeps, body->n_columns};
	if (columns_times(body, times) == 0 &&
		columns_read(body, wanted, body->n_columns, room, body->n_sweeps) == 0 &&
		rows_check(&cells, columns, n_columns, BUCKET_MS) == 0) {
		roll_up(&cells, columns, n_columns);
		read_rows(&cells, columns, n_columns);
	}
	fw_free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct columns body;
	uint32_t n_columns = size > 1 ? data[1] % COLUMNS_MOST : 0;
	if (size < 2 + n_columns)
		return 0;
	if (columns_open(&body, data + 2 + n_columns, size - 2 - n_columns, data[0],
		    rows_width(n_columns)) == 0)
		use_body(&body, data + 2, n_columns);
	return 0;
}
