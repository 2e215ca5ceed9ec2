/* SPDX-License-Identifier: Apache-2.0 */
/* usage: bench_away DATA SWEEPS COLUMNS INTERVAL_S
 *
 * Fills the spool of an agent that does not run as it would have done by itself,
 * had it been without its collector until now: the agent's own packer and spool,
 * with made-up sweeps. The first column, away_tick, counts them; a third of the
 * others never change, a third count, a third go up and down. Says in JSON how
 * many sweeps wait and what they take. */
#include <stdio.h>
#include <stdlib.h>

#include <fenwatch/clock.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>
#include <fenwatch/schema.h>
#include <fenwatch/text.h>

#include "packer.h"
#include "spool.h"

#define SPOOL_BYTES (64u << 20)
#define COLUMNS_MOST 5000
#define SWEEPS_MOST 100000
#define JOURNAL_MS 60000

static struct fw_column columns[COLUMNS_MOST];
static int64_t cells[COLUMNS_MOST];

static _Noreturn void end(const char *what, const char *why)
{
	fprintf(stderr, "away: %s: %s\n", what, why);
	exit(1);
}

static uint64_t number(const char *text, uint64_t most)
{
	uint64_t value;
	if (fw_parse_u64(text, &value) < 0 || value == 0 || value > most)
		end(text, "not a number that is possible here");
	return value;
}

static void make_schema(struct fw_schema *schema, uint32_t n_columns, struct fw_arena *arena)
{
	for (uint32_t i = 0; i < n_columns; i++)
		columns[i] = (struct fw_column){
			.name = fw_arena_format(arena, "away_fact_%u", i), .factor = 1};
	columns[0].name = "away_tick";
	*schema = (struct fw_schema){.n_columns = n_columns, .columns = columns};
	fw_schema_seal(schema);
}

static uint64_t dice_of(uint64_t tick, uint64_t column)
{
	uint64_t x = (tick << 16 | column) * UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 31) % 1000;
}

static void make_cells(uint32_t n_columns, uint64_t tick)
{
	for (uint32_t i = 0; i < n_columns; i++) {
		uint64_t dice = dice_of(tick, i);
		cells[i] = i % 3 == 0 ? 1000 * (int64_t)i
			: i % 3 == 1  ? cells[i] + (int64_t)dice
				      : (int64_t)(50000 + dice);
	}
	cells[0] = (int64_t)tick;
}

static void be_away(struct packer *packer, struct spool *spool, const struct fw_schema *schema,
	uint64_t n_sweeps, int64_t interval_ms)
{
	int64_t first_ms =
		fw_wall_ms() / interval_ms * interval_ms - (int64_t)(n_sweeps - 1) * interval_ms;
	struct fw_err err;
	for (uint64_t tick = 0; tick < n_sweeps; tick++) {
		make_cells(schema->n_columns, tick);
		packer_sweep(packer, schema, cells, first_ms + (int64_t)tick * interval_ms, false);
		if ((tick * (uint64_t)interval_ms) % JOURNAL_MS != 0)
			continue;
		if (packer_journal(packer, &err) < 0 || spool_flush(spool, &err) < 0)
			end("the spool", err.text);
	}
	packer_close_chain(packer);
	if (spool_flush(spool, &err) < 0)
		end("the spool", err.text);
}

int main(int argc, char **argv)
{
	struct fw_arena arena = {0};
	struct fw_schema schema;
	struct spool *spool;
	struct spool_stat stat;
	struct fw_err err;
	bool made;
	if (argc != 5)
		end("usage", "bench_away DATA SWEEPS COLUMNS INTERVAL_S");
	uint64_t n_sweeps = number(argv[2], SWEEPS_MOST), every_s = number(argv[4], 3600);
	make_schema(&schema, (uint32_t)number(argv[3], COLUMNS_MOST), &arena);
	const struct spool_config config = {
		.dir = fw_arena_format(&arena, "%s/spool", argv[1]), .max_bytes = SPOOL_BYTES};
	if (spool_open(&spool, &config, &made, &err) < 0)
		end(argv[1], err.text);
	struct packer *packer = packer_new(spool, 1, (uint32_t)every_s * 1000);
	be_away(packer, spool, &schema, n_sweeps, (int64_t)every_s * 1000);
	spool_stat(spool, &stat);
	printf("{\"sweeps\":%llu,\"bytes\":%llu}\n", (unsigned long long)stat.sweeps,
		(unsigned long long)stat.bytes);
	packer_free(packer);
	spool_close(spool);
	fw_arena_done(&arena);
	return 0;
}
