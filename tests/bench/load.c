/* SPDX-License-Identifier: Apache-2.0 */
/* Agents in numbers, from one process.
 *
 * usage: load COLLECTOR AGENTS SWEEPS SECONDS [WINDOW]
 *
 * The join token, good for that many uses, comes on standard input. When all are
 * enrolled and welcome they begin; after a second it prints "begin", and SECONDS
 * later "end", the samples acknowledged in between, the bytes sent and its own
 * CPU seconds. Whoever measures the collector does it at these two lines. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fenwatch/clock.h>
#include <fenwatch/text.h>

#include "simulated.h"

#define HANDSHAKES_AT_ONCE 32
#define WARM_UP_MS 1000
#define AGENTS_LIMIT 19000

struct generator {
	struct load load;
	struct simulated **agents;
	unsigned n_agents, n_begun, n_welcomed;
	uv_timer_t timer;
	uint64_t seconds, start_cpu_ns;
	bool measuring;
};

void load_die(const char *what, const char *why)
{
	fprintf(stderr, "load: %s: %s\n", what, why);
	exit(1);
}

static void begin_one(struct generator *g)
{
	if (g->n_begun < g->n_agents) {
		unsigned number = g->n_begun++;
		g->agents[number] = simulated_new(&g->load, number);
	}
}

static void on_enrolled(struct load *load)
{
	begin_one((struct generator *)load);
}

static void stop(struct generator *g)
{
	for (unsigned i = 0; i < g->n_agents; i++)
		simulated_free(g->agents[i]);
	uv_close((uv_handle_t *)&g->timer, NULL);
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
		stop(g);
	}
	fflush(stdout);
}

static void on_welcomed(struct load *load)
{
	struct generator *g = (struct generator *)load;
	if (++g->n_welcomed < g->n_agents)
		return;
	for (unsigned i = 0; i < g->n_agents; i++)
		simulated_start(g->agents[i]);
	uv_timer_start(&g->timer, on_timer, WARM_UP_MS, 0);
}

static unsigned number(const char *text, const char *allowed, unsigned most)
{
	uint64_t value;
	if (fw_parse_u64(text, &value) < 0 || value < 1 || value > most)
		load_die(text, allowed);
	return (unsigned)value;
}

static void read_token(struct load *load, char *text, int size)
{
	if (!fgets(text, size, stdin))
		load_die("token", "nothing on standard input");
	text[strcspn(text, "\n")] = '\0';
	size_t head = strlen("fwj1-"), digits = 2 * sizeof load->pin;
	char hex[2 * sizeof load->pin + 1] = "";
	if (strncmp(text, "fwj1-", head) == 0)
		snprintf(hex, sizeof hex, "%s", text + head);
	if (strlen(hex) != digits || fw_unhex(hex, load->pin, sizeof load->pin) < 0)
		load_die("token", "this is not a join token");
	load->token = text;
}

static void run(struct generator *g)
{
	unsigned at_once = g->n_agents < HANDSHAKES_AT_ONCE ? g->n_agents : HANDSHAKES_AT_ONCE;
	uv_loop_init(&g->load.loop);
	uv_timer_init(&g->load.loop, &g->timer);
	g->timer.data = g;
	for (unsigned i = 0; i < at_once; i++)
		begin_one(g);
	uv_run(&g->load.loop, UV_RUN_DEFAULT);
	int rc = uv_loop_close(&g->load.loop);
	assert(rc == 0);
}

int main(int argc, char **argv)
{
	static struct generator g;
	static char token[512];
	struct fw_arena arena = {0};
	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: load COLLECTOR AGENTS SWEEPS SECONDS [WINDOW]\n");
		return 2;
	}
	g.load.collector = argv[1];
	g.n_agents = number(argv[2], "agents, 1 to 19000", AGENTS_LIMIT);
	g.load.sweeps = number(argv[3], "sweeps in a batch, 1 to 240", 240);
	g.seconds = number(argv[4], "seconds, 1 to 3600", 3600);
	g.load.window = argc == 6 ? number(argv[5], "batches unacknowledged, 1 to 64", 64) : 8;
	g.load.on_enrolled = on_enrolled;
	g.load.on_welcomed = on_welcomed;
	read_token(&g.load, token, sizeof token);
	simulated_schema(&g.load, &arena);
	g.agents = fw_arena_alloc(&arena, g.n_agents * sizeof(struct simulated *));
	run(&g);
	fw_buf_done(&g.load.schema_message);
	fw_arena_done(&arena);
	return 0;
}
