/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include <fenwatch/mem.h>

#include "disks.h"

#define COLUMNS 4 /* of a filesystem */
#define STEP_MS (5 * 60 * (int64_t)1000)
#define DAY_MS (24 * 3600 * (int64_t)1000)
#define SWEEPS 60 /* of an entry */

static const char *const names[COLUMNS] = {"node_filesystem_size_bytes",
	"node_filesystem_avail_bytes", "node_filesystem_files", "node_filesystem_files_free"};

double disk_growing(double days_ago)
{
	return 0.90 - 0.02 * days_ago;
}

double disk_saw(double days_ago)
{
	return 0.60 + 0.38 * (1 - fmod(days_ago + 2.8, 3) / 3);
}

double disk_quiet(double days_ago)
{
	(void)days_ago;
	return 0.5;
}

static uint32_t intern(struct kit *kit, const struct disk *disks, size_t n)
{
	struct fw_arena arena = {0};
	struct fw_column *columns = fw_arena_alloc(&arena, COLUMNS * n * sizeof *columns);
	struct fw_schema schema = {.n_columns = (uint32_t)(COLUMNS * n), .columns = columns};
	uint32_t id;
	for (size_t i = 0; i < COLUMNS * n; i++) {
		struct fw_label *labels = fw_arena_alloc(&arena, 2 * sizeof *labels);
		labels[0] = (struct fw_label){"device", disks[i % n].device};
		labels[1] = (struct fw_label){"mountpoint", disks[i % n].mountpoint};
		columns[i] = (struct fw_column){
			.name = names[i / n], .labels = labels, .n_labels = 2, .factor = 1};
	}
	fw_schema_seal(&schema);
	assert_int_equal(store_schema_intern(kit->store, &schema, &id, NULL), 0);
	fw_arena_done(&arena);
	return id;
}

static void fill_sweep(int64_t *cells, const struct disk *disks, size_t n, double days_ago)
{
	for (size_t i = 0; i < n; i++) {
		double used = disks[i].used(days_ago), inodes = disks[i].inodes(days_ago);
		cells[i] = cells[2 * n + i] = DISK_SIZE;
		cells[n + i] = (int64_t)((1 - used) * (double)DISK_SIZE);
		cells[3 * n + i] = (int64_t)((1 - inodes) * (double)DISK_SIZE);
	}
}

void disks_write(struct kit *kit, uint32_t host, const struct disk *disks, size_t n, int64_t now_ms,
	double from_days, double to_days)
{
	uint32_t schema = intern(kit, disks, n), n_columns = (uint32_t)(COLUMNS * n);
	int64_t at_ms = now_ms - (int64_t)(from_days * (double)DAY_MS);
	int64_t end_ms = now_ms - (int64_t)(to_days * (double)DAY_MS);
	int64_t times[SWEEPS];
	int64_t *cells = fw_alloc_array((size_t)SWEEPS * n_columns, sizeof *cells);
	while (at_ms <= end_ms) {
		uint32_t sweeps = 0;
		for (; sweeps < SWEEPS && at_ms <= end_ms; sweeps++, at_ms += STEP_MS) {
			times[sweeps] = at_ms;
			fill_sweep(&cells[(size_t)sweeps * n_columns], disks, n,
				(double)(now_ms - at_ms) / (double)DAY_MS);
		}
		struct store_entry entry = {
			.kind = STORE_CELLS,
			.host = host,
			.schema = schema,
			.received_ms = now_ms,
			.sweeps = {.n_sweeps = sweeps,
				.n_columns = n_columns,
				.times_ms = times,
				.cells = cells},
		};
		kit_submit(kit, &entry);
		assert_int_equal(entry.verdict, STORE_DURABLE);
	}
	fw_free(cells);
}
