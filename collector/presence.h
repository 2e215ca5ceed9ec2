/* Who is there: up{instance,job} and fenwatch_host_info{class} of every host.
 *
 * up is 1, and 0 after two and a half of the host's usual intervals of silence;
 * it is written when it changes and once a minute, as sweeps of the collector's
 * own. A host's class is what its agent said last, and is kept in SQLite. Main
 * thread.
 */
#pragma once

#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>

struct ingest_greeting;
struct presence;
struct state;
struct store;

int presence_open(struct presence **out, uv_loop_t *loop, struct store *store, struct state *state,
	struct fw_err *err);
void presence_note(struct presence *presence, const struct ingest_greeting *greeting);
int presence_forget(struct presence *presence, uint32_t host, struct fw_err *err);
void presence_close(struct presence *presence, void (*on_closed)(void *arg), void *arg);
