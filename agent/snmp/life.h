/* What each program here needs of the loop beside its work: signals, ticks and the service manager.
 *
 * SIGTERM and SIGINT ask it to end, SIGHUP to read its file anew. The service manager is told as
 * often as it wants to hear it that all is well, and that the end is near. Who runs it embeds it,
 * and closes what is its own on the loop when it is told to end.
 */
#pragma once

#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>
#include <fenwatch/loop.h>

struct life_config {
	void (*on_end)(void *arg);
	void (*on_hung_up)(void *arg); /* NULL: SIGHUP does what it does to any process */
	void (*on_tick)(void *arg);
	uint64_t tick_ms;
	void *arg;
};

struct life {
	struct life_config config;
	uv_loop_t loop;
	struct fw_owner owner;
	uv_signal_t terminate, interrupt, hung_up;
	uv_timer_t tick, watchdog;
};

void life_open(struct life *life, const struct life_config *config);
/* As a signal does it, but nobody is told. */
void life_end(struct life *life);
/* Until nothing is left on the loop, which goes with it. */
int life_run(struct life *life, struct fw_err *err);
