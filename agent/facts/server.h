/* The helper's socket: who may ask, and one child for each request.
 *
 * A peer that is neither the agent's user nor root is told nothing. A request runs in
 * a child of its own; the child's pipe closing is its end, and that of any program it
 * ran. At the request's time-out both are killed and the peer hears of it at once;
 * while they cannot die (a disk that does not answer) their disk is busy, and no
 * second child goes there.
 */
#pragma once

#include <stdint.h>

#include <sys/types.h>
#include <uv.h>

#include <fenwatch/err.h>

#include "facts.h"

struct server_config {
	int fd;         /* listens; belongs to the server from now on */
	uid_t uid;      /* whose requests are done; root's are as well */
	uint32_t codes; /* 1 << code of the requests that are answered here */
	const char *smartctl;
	const struct machine *machine; /* outlives the server */
	int64_t idle_ms;               /* on_idle after so long without a peer; 0: never */
	void (*on_idle)(void *arg);
	void *arg;
};

struct server;

int server_open(struct server **out, uv_loop_t *loop, const struct server_config *config,
	struct fw_err *err);
void server_close(struct server *s); /* kills the children; the memory goes from the loop */
