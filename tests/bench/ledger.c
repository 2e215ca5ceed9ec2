/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <fenwatch/mem.h>

void ledger_init(struct ledger *ledger, unsigned n_hosts)
{
	*ledger = (struct ledger){.n_hosts = n_hosts};
	for (int i = 0; i < LEDGER_LANES; i++)
		ledger->lanes[i].next = 1;
}

void ledger_done(struct ledger *ledger)
{
	for (int i = 0; i < LEDGER_LANES; i++)
		fw_free(ledger->lanes[i].runs);
}

static void add_run(struct ledger *ledger, struct lane *lane, uint64_t ticks, unsigned sweeps)
{
	uint64_t count = ticks / sweeps * ledger->n_hosts;
	struct run *last = lane->n_runs > 0 ? &lane->runs[lane->n_runs - 1] : NULL;
	if (last && last->sweeps == sweeps &&
		last->tick + last->count / ledger->n_hosts * sweeps == ledger->next_tick) {
		last->count += count;
	} else {
		lane->runs = fw_realloc(lane->runs, (lane->n_runs + 1) * sizeof *lane->runs);
		lane->runs[lane->n_runs++] =
			(struct run){lane->next, count, ledger->next_tick, sweeps};
	}
	lane->next += count;
	ledger->next_tick += ticks;
}

void ledger_tick(struct ledger *ledger)
{
	add_run(ledger, &ledger->lanes[LEDGER_LIVE], 1, 1);
}

void ledger_miss(struct ledger *ledger, uint64_t to_tick)
{
	struct lane *lane = &ledger->lanes[LEDGER_BACKLOG];
	uint64_t whole = (to_tick - ledger->next_tick) / BACKLOG_SWEEPS * BACKLOG_SWEEPS;
	if (whole > 0)
		add_run(ledger, lane, whole, BACKLOG_SWEEPS);
	if (to_tick > ledger->next_tick)
		add_run(ledger, lane, to_tick - ledger->next_tick,
			(unsigned)(to_tick - ledger->next_tick));
}

void ledger_find(const struct ledger *ledger, int lane_number, uint64_t number, struct piece *out)
{
	const struct lane *lane = &ledger->lanes[lane_number];
	const struct run *run = lane->runs;
	assert(number > lane->acked && number < lane->next);
	while (number >= run->number + run->count)
		run++;
	uint64_t place = number - run->number;
	*out = (struct piece){
		.host = (unsigned)(place % ledger->n_hosts),
		.sweeps = run->sweeps,
		.tick = run->tick + place / ledger->n_hosts * run->sweeps,
		.begins = place < ledger->n_hosts,
	};
}

static void settle(struct ledger *ledger, int lane_number, uint64_t to)
{
	struct lane *lane = &ledger->lanes[lane_number];
	struct piece piece;
	for (uint64_t number = lane->acked + 1; number <= to; number++) {
		ledger_find(ledger, lane_number, number, &piece);
		ledger->acked_sweeps += piece.sweeps;
	}
	if (to > lane->acked)
		lane->acked = to;
	unsigned gone = 0;
	while (gone < lane->n_runs &&
		lane->runs[gone].number + lane->runs[gone].count <= lane->acked + 1 &&
		gone + 1 < lane->n_runs)
		gone++;
	lane->n_runs -= gone;
	if (gone > 0)
		memmove(lane->runs, lane->runs + gone, lane->n_runs * sizeof *lane->runs);
}

int ledger_ack(struct ledger *ledger, int lane, uint64_t to)
{
	if (to > ledger->lanes[lane].sent)
		return -EPROTO;
	settle(ledger, lane, to);
	return 0;
}

int ledger_welcome(struct ledger *ledger, int lane_number, uint64_t to)
{
	struct lane *lane = &ledger->lanes[lane_number];
	if (to < lane->acked || to >= lane->next)
		return -EPROTO;
	settle(ledger, lane_number, to);
	lane->sent = lane->acked;
	return 0;
}

bool ledger_is_settled(const struct ledger *ledger)
{
	for (int i = 0; i < LEDGER_LANES; i++)
		if (ledger->lanes[i].acked + 1 != ledger->lanes[i].next)
			return false;
	return true;
}
