/* The socket by which programs beside the agent hand over what they learn.
 *
 * fenwatch-snmp and its like connect to a Unix socket in the agent's runtime folder.
 * Who is neither of the agent's user or group nor root is told nothing. What a program
 * says is read by intake.h and spooled by adopt.h; it hears "durable up to n" once the
 * spool is on disk, or the collector has it. While the collector has not acknowledged
 * the sweeps before, programs wait; while there is no connection to it, their sweeps go
 * to the backlog. A program that misbehaves is hung up on with a sentence, in its ear and
 * in the log, and counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>

#define HANDOVER_SOCKET "/run/fenwatch-agent/probe.sock"
#define HANDOVER_PROGRAMS 8

struct handover;
struct spool;

struct handover_config {
	const char *path;
	const char *instance, *class; /* of this machine, for the greeting */
	struct spool *spool;
	bool (*is_online)(void *arg);
	/* Frames were made; `at_once`: they are to be on disk before anything else. */
	void (*on_taken)(bool at_once, void *arg);
	void *arg;
};

/* -ENOENT: the folder of the socket is not there, as where nobody made a runtime folder. */
int handover_open(struct handover **out, uv_loop_t *loop, const struct handover_config *config,
	struct fw_err *err);
/* The memory goes from the loop. NULL is well in all of these. */
void handover_close(struct handover *h);

/* Live frames of programs that are not acknowledged. */
unsigned handover_in_flight(const struct handover *h);
/* The collector has acknowledged something, or has come or gone. */
void handover_go_on(struct handover *h);
void handover_begin_stream(struct handover *h);
/* All that is in the spool is durable. */
void handover_durable(struct handover *h);

struct handover_stat {
	bool seen;         /* one was connected since the start */
	unsigned programs; /* connected now */
	uint64_t sweeps, events, cut_off;
};
void handover_stat(const struct handover *h, struct handover_stat *out);
