/* A simulated agent: real enrolment, real TLS, real frames, made-up facts.
 *
 * It enrols with a join token, says hello, and from simulated_start() on keeps
 * its window full of live batches, as fast as acknowledgements allow. Half of
 * its series are constant, a tenth changes now and then, the rest in every
 * sweep. Sweeps are a second apart, from a day ago on. Whatever goes wrong ends
 * the program with a sentence: a load that limps measures nothing.
 */
#pragma once

#include <stdint.h>

#include <uv.h>

#include <fenwatch/buf.h>
#include <fenwatch/schema.h>

#define SIMULATED_SERIES 300

struct load {
	uv_loop_t loop;
	const char *collector; /* HOST:PORT */
	const char *token;
	uint8_t pin[32];
	unsigned sweeps, window; /* of a batch; batches not acknowledged */
	struct fw_schema schema;
	struct fw_buf schema_message;
	uint64_t batches_acked, bytes_sent;
	void (*on_enrolled)(struct load *load);
	void (*on_welcomed)(struct load *load);
};

struct simulated;

struct simulated *simulated_new(struct load *load, unsigned number);
void simulated_start(struct simulated *agent);
void simulated_free(struct simulated *agent);

/* The schema that all of them share. */
void simulated_schema(struct load *load, struct fw_arena *arena);

_Noreturn void load_die(const char *what, const char *why);
