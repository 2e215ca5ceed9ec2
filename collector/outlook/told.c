/* SPDX-License-Identifier: Apache-2.0 */
#include "told.h"

#include <fenwatch/log.h>
#include <fenwatch/loop.h>
#include <fenwatch/mem.h>

#include "store.h"

#define VALUES 5 /* series of a forecast */

/* A sweep of forecasts; it belongs to the store until it is written. */
struct cells {
	struct store_entry entry;
	int64_t at_ms;
	int64_t values[];
};

static const char *const prefixes[RESOURCES] = {
	[BYTES] = "fenwatch_filesystem_fills",
	[INODES] = "fenwatch_filesystem_inodes_gone",
};

static void add_columns(struct fw_column *columns, const struct told *told, struct fw_arena *arena)
{
	static const char *const bounds[] = {"earliest", "likely", "latest"};
	const char *prefix = prefixes[told->resource];
	struct fw_label *labels = fw_arena_alloc(arena, 2 * VALUES * sizeof *labels);
	for (size_t i = 0; i < VALUES; i++) {
		struct fw_label *its = &labels[2 * i];
		bool bounded = i < 3;
		if (bounded)
			its[0] = (struct fw_label){"bound", bounds[i]};
		its[bounded] = (struct fw_label){"mountpoint", told->mountpoint};
		columns[i] = (struct fw_column){
			.name = fw_arena_format(arena, "%s_%s", prefix,
				bounded          ? "timestamp_seconds"
					: i == 3 ? "samples"
						 : "span_seconds"),
			.labels = its,
			.n_labels = bounded ? 2 : 1,
			.type = FW_GAUGE,
			.factor = 1,
		};
	}
}

static size_t count_shown(const struct host *host)
{
	size_t n = 0;
	for (size_t i = 0; i < host->n_told; i++)
		n += host->told[i].shown;
	return n;
}

int told_intern(struct store *store, struct host *host)
{
	struct fw_arena arena = {0};
	size_t n = VALUES * count_shown(host), at = 0;
	struct fw_column *columns = fw_arena_alloc(&arena, n * sizeof *columns);
	struct fw_schema schema = {.n_columns = (uint32_t)n, .columns = columns};
	struct fw_err err;
	for (size_t i = 0; i < host->n_told; i++) {
		if (!host->told[i].shown)
			continue;
		add_columns(&columns[at], &host->told[i], &arena);
		at += VALUES;
	}
	fw_schema_seal(&schema);
	int rc = store_schema_intern(store, &schema, &host->schema, &err);
	if (rc < 0)
		fw_log(FW_ERROR, "a forecast cannot be written: %s", err.text);
	host->is_new = true;
	fw_arena_done(&arena);
	return rc;
}

static bool add_values(int64_t *values, const struct told *told)
{
	const struct forecast *f = &told->forecast;
	const int64_t known[VALUES] = {f->earliest_ms / 1000, f->likely_ms / 1000,
		f->latest_ms / 1000, (int64_t)f->samples, f->span_ms / 1000};
	for (size_t i = 0; i < VALUES; i++)
		values[i] = told->known ? known[i] : FW_ABSENT;
	return told->known;
}

static void on_written(struct store_entry *entry)
{
	fw_free(FW_CONTAINER(entry, struct cells, entry));
}

void told_write(struct store *store, uint32_t id, struct host *host, int64_t now_ms)
{
	size_t n = VALUES * count_shown(host), at = 0;
	struct cells *cells = fw_alloc(sizeof *cells + n * sizeof *cells->values);
	host->is_shown = false;
	for (size_t i = 0; i < host->n_told; i++) {
		if (!host->told[i].shown)
			continue;
		host->is_shown |= add_values(&cells->values[at], &host->told[i]);
		at += VALUES;
	}
	cells->at_ms = now_ms;
	cells->entry = (struct store_entry){
		.kind = STORE_CELLS,
		.host = id,
		.schema = host->schema,
		.received_ms = now_ms,
		.sweeps = {.n_sweeps = 1,
			.n_columns = (uint32_t)n,
			.times_ms = &cells->at_ms,
			.cells = cells->values},
		.on_done = on_written,
	};
	host->written_ms = now_ms;
	store_submit(store, &cells->entry);
}
