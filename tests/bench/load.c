/* SPDX-License-Identifier: Apache-2.0 */
/* Agents in numbers, from one process.
 *
 * usage: load COLLECTOR AGENTS SWEEPS SECONDS [WINDOW]
 *
 * The join token, good for that many uses, comes on standard input. When all are
 * enrolled and welcome they begin; after a second it prints "begin", and SECONDS
 * later "end", the samples acknowledged in between, the bytes sent and its own
 * CPU seconds. Whoever measures the collector does it at these two lines. */
#include <stdio.h>
#include <string.h>

#include <fenwatch/clock.h>

#include "simulated.h"

#define WARM_UP_MS 1000
#define AGENTS_LIMIT 19000
#define SWEEP_MS 1000
#define DAY_MS 86400000

struct generator {
	struct load load;
	uv_timer_t timer;
	uint64_t seconds, start_cpu_ns, random;
	bool measuring;
};

static void make_schema(struct fw_arena *arena, struct fw_schema *out)
{
	struct fw_column *columns = fw_arena_alloc(arena, SIMULATED_SERIES * sizeof *columns);
	for (unsigned i = 0; i < SIMULATED_SERIES; i++) {
		struct fw_label *label = fw_arena_alloc(arena, sizeof *label);
		*label = (struct fw_label){"device", fw_arena_format(arena, "dev%u", i % 30)};
		columns[i] = (struct fw_column){
			.name = fw_arena_format(arena, "load_fact_%u_total", i / 30),
			.labels = label,
			.n_labels = 1,
			.factor = 1,
			.type = FW_COUNTER,
		};
	}
	*out = (struct fw_schema){.n_columns = SIMULATED_SERIES, .columns = columns};
	fw_schema_seal(out);
}

static uint64_t roll(struct generator *g)
{
	g->random ^= g->random << 13;
	g->random ^= g->random >> 7;
	g->random ^= g->random << 17;
	return g->random;
}

/* Half are constant, a tenth changes now and then, the rest in every sweep. */
static void tell(
	struct load *load, unsigned agent, uint32_t sweep, const int64_t *before, int64_t *cells)
{
	struct generator *g = (struct generator *)load;
	(void)agent;
	(void)sweep;
	for (unsigned i = 0; i < SIMULATED_SERIES; i++) {
		uint64_t step = 0;
		if (i % 10 >= 6)
			step = 1 + roll(g) % 2000;
		else if (i % 10 == 5)
			step = roll(g) % 64 == 0;
		cells[i] = before[i] + (int64_t)step;
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct generator *g = timer->data;
	struct load *load = &g->load;
	if (!g->measuring) {
		g->measuring = true;
		load->batches_acked = load->bytes_sent = 0;
		g->start_cpu_ns = fw_cpu_ns();
		uv_timer_start(&g->timer, on_timer, g->seconds * 1000, 0);
		printf("begin\n");
	} else {
		printf("end %llu %llu %.3f\n",
			(unsigned long long)load->batches_acked * load->sweeps * SIMULATED_SERIES,
			(unsigned long long)load->bytes_sent,
			(double)(fw_cpu_ns() - g->start_cpu_ns) / 1e9);
		load_stop(load);
		uv_close((uv_handle_t *)&g->timer, NULL);
	}
	fflush(stdout);
}

static void on_begun(struct load *load)
{
	uv_timer_start(&((struct generator *)load)->timer, on_timer, WARM_UP_MS, 0);
}

int main(int argc, char **argv)
{
	static struct generator g = {
		.load = {.name = "load",
			.interval_ms = SWEEP_MS,
			.batches_allowed = UINT64_MAX,
			.window = 8,
			.tell = tell,
			.on_begun = on_begun},
		.random = 1,
	};
	struct fw_arena arena = {0};
	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: load COLLECTOR AGENTS SWEEPS SECONDS [WINDOW]\n");
		return 2;
	}
	g.load.collector = argv[1];
	g.load.n_agents = (unsigned)load_number(argv[2], "agents, 1 to 19000", AGENTS_LIMIT);
	g.load.sweeps = (unsigned)load_number(argv[3], "sweeps in a batch, 1 to 240", 240);
	g.seconds = load_number(argv[4], "seconds, 1 to 3600", 3600);
	if (argc == 6)
		g.load.window =
			(unsigned)load_number(argv[5], "batches unacknowledged, 1 to 64", 64);
	g.load.start_ms = fw_wall_ms() - DAY_MS;
	make_schema(&arena, &g.load.schema);
	uv_loop_init(&g.load.loop);
	uv_timer_init(&g.load.loop, &g.timer);
	g.timer.data = &g;
	load_run(&g.load);
	fw_arena_done(&arena);
	return 0;
}
