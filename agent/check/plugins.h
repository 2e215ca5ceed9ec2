/* Who runs plugins for us, on the loop.
 *
 * A process at the far end of a connection (runner.h): that of the unit fenwatch-check-plugins,
 * which has a user of its own; or one that is forked from here, which becomes that user where root
 * started us and else stays who we are. Which of the two is settled by the first connection and
 * said once: a plugin that could end its runner must not gain our rights by it. A connection that
 * ends is made anew with the next plugin. One of these for the loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <uv.h>

#include <fenwatch/err.h>

#include "options.h"

/* One run of a plugin; the caller's, who keeps it until it has ended or is forgotten. */
struct plugins_errand {
	/* It has ended, and is gone from here: its status as runner.h has it; -ECONNRESET: who ran
	 * it has. Never from within a call. */
	void (*on_ended)(struct plugins_errand *errand, int status);
	uint32_t id;
	LIST_ENTRY(plugins_errand) entry;
};

/* `config` must outlive it, but what it holds may change before plugins_hang_up(). `forked`: never by
 * the unit, whose file is perhaps another. */
void plugins_open(uv_loop_t *loop, const struct check_config *config, bool forked);
/* Whatever runs was forgotten before. Who runs the next one reads the file anew. */
void plugins_hang_up(void);
/* `output` stays the caller's. */
int plugins_begin(struct plugins_errand *errand, const char *check, int output, struct fw_err *err);
void plugins_kill(const struct plugins_errand *errand); /* on_ended comes */
void plugins_forget(struct plugins_errand *errand);     /* killed, and it does not */
