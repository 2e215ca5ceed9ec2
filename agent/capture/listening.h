/* fenwatch-capture at work: interfaces into the watch, the watch into sweeps for the agent.
 *
 * listening_open() opens the interfaces, which takes CAP_NET_RAW; the caller then gives
 * up what it had, and runs the loop. An interface that fails later ends the loop with a
 * sentence: the service manager starts it anew.
 */
#pragma once

#include <uv.h>

#include <fenwatch/err.h>

#include "capture_config.h"

struct listening;

int listening_open(struct listening **out, uv_loop_t *loop, const struct capture_config *config,
	struct fw_err *err);
/* After the privileges are gone: reaches for the agent, and reads from then on. */
int listening_start(struct listening *l, struct fw_err *err);
/* The memory goes from the loop. */
void listening_close(struct listening *l);
/* Why it ended by itself; 0: it has not. */
int listening_failed(const struct listening *l, struct fw_err *err);
