/* Simulated agents: real enrolment, real TLS, real frames, made-up facts.
 *
 * Each enrols with a join token and says hello. When all are welcome they begin,
 * and keep their windows full of live batches, as fast as acknowledgements and
 * `batches_allowed` let them. What is told, and of when, is the program's own.
 * Whatever goes wrong ends it with a sentence: a load that limps measures nothing.
 */
#pragma once

#include <stdint.h>

#include <uv.h>

#include <fenwatch/buf.h>
#include <fenwatch/schema.h>

#define SIMULATED_SERIES 300

struct simulated;

struct load {
	uv_loop_t loop;
	const char *name;      /* what their names begin with */
	const char *collector; /* HOST:PORT */
	unsigned n_agents;
	unsigned sweeps, window; /* of a batch; batches not acknowledged */
	int64_t start_ms, interval_ms;
	struct fw_schema schema;  /* of all, SIMULATED_SERIES columns */
	uint64_t batches_allowed; /* of each */
	uint64_t batches_acked, bytes_sent;
	/* The cells of a sweep, from those of the one before (0s at first). */
	void (*tell)(struct load *load, unsigned agent, uint32_t sweep, const int64_t *before,
		int64_t *cells);
	void (*on_begun)(struct load *load);
	void (*on_acked)(struct load *load); /* or NULL */

	char token[512];
	uint8_t pin[32];
	struct fw_buf schema_message;
	struct simulated **agents;
	unsigned n_enrolling, n_welcomed;
};

/* Reads the join token, good for as many uses as there are agents, from standard
 * input; returns after load_stop(). */
void load_run(struct load *load);
void load_stop(struct load *load);
/* Batches acknowledged to whoever has fewest. */
uint64_t load_acked_by_all(const struct load *load);
/* Sends what may be sent. */
void load_send(struct load *load);

/* A number on the command line. */
uint64_t load_number(const char *text, const char *allowed, uint64_t most);
_Noreturn void load_die(const char *what, const char *why);
