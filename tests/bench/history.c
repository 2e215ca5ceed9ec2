/* SPDX-License-Identifier: Apache-2.0 */
/* The past of made-up hosts (gen.h), told by simulated agents.
 *
 * usage: history COLLECTOR HOSTS SWEEPS START_MS
 *
 * SWEEPS of each, a multiple of 6, from START_MS on. The join token comes on standard
 * input. It ends when all is acknowledged: durable, and there to be asked for. No host
 * is told of more than eight minutes before the others, as if all had been there. */
#include <stdio.h>
#include <string.h>

#include "gen.h"
#include "simulated.h"

#define BATCH_SWEEPS 6
#define AHEAD 8 /* batches */

_Static_assert(SIMULATED_SERIES == GEN_SERIES, "one row of cells for both");

struct history {
	struct load load;
	uv_timer_t end;
	struct gen_host *hosts;
	uint64_t batches;
};

static void tell(
	struct load *load, unsigned agent, uint32_t sweep, const int64_t *before, int64_t *cells)
{
	struct history *history = (struct history *)load;
	double values[GEN_SERIES];
	(void)before;
	gen_host_step(
		&history->hosts[agent], sweep, load->start_ms + sweep * load->interval_ms, values);
	for (unsigned i = 0; i < GEN_SERIES; i++)
		cells[i] = fw_double_cell(values[i]);
}

static void on_begun(struct load *load)
{
	(void)load;
}

/* Not within what an agent has heard: then there are none. */
static void on_end(uv_timer_t *timer)
{
	load_stop(timer->data);
	uv_close((uv_handle_t *)timer, NULL);
}

static void on_acked(struct load *load)
{
	struct history *history = (struct history *)load;
	uint64_t acked = load_acked_by_all(load), allowed = acked + AHEAD;
	if (allowed > history->batches)
		allowed = history->batches;
	if (acked == history->batches) {
		uv_timer_start(&history->end, on_end, 0, 0);
	} else if (allowed > load->batches_allowed) {
		load->batches_allowed = allowed;
		load_send(load);
	}
}

int main(int argc, char **argv)
{
	static struct history history = {.load = {.name = "host",
						 .interval_ms = GEN_INTERVAL_MS,
						 .sweeps = BATCH_SWEEPS,
						 .window = AHEAD,
						 .tell = tell,
						 .on_begun = on_begun,
						 .on_acked = on_acked}};
	struct load *load = &history.load;
	struct fw_arena arena = {0};
	if (argc != 5) {
		fprintf(stderr, "usage: history COLLECTOR HOSTS SWEEPS START_MS\n");
		return 2;
	}
	load->collector = argv[1];
	load->n_agents = (unsigned)load_number(argv[2], "hosts, 1 to 1000", 1000);
	history.batches = load_number(argv[3], "sweeps, 6 to 600000", 600000) / BATCH_SWEEPS;
	load->start_ms = (int64_t)load_number(argv[4], "a time in ms", INT64_MAX);
	load->batches_allowed = history.batches < AHEAD ? history.batches : AHEAD;
	history.hosts = fw_alloc_array(load->n_agents, sizeof *history.hosts);
	for (unsigned i = 0; i < load->n_agents; i++)
		gen_host_init(&history.hosts[i], i);
	gen_schema(&arena, &load->schema);
	uv_loop_init(&load->loop);
	uv_timer_init(&load->loop, &history.end);
	history.end.data = load;
	load_run(load);
	fw_free(history.hosts);
	fw_arena_done(&arena);
	return 0;
}
