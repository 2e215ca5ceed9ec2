/* Traps and informs: what devices say without being asked, as events for the agent.
 *
 * A process of its own, which reads what strangers send: it gives up every right, and root its
 * name, once it has its socket. Of a user of version 3 its keys are made for each engine that is heard, as traps come
 * under their sender's. An inform is answered once its event is on the agent's disk, not before.
 * The same from the same source within `window` is one event, told at once, and one more with
 * the count when the window ends: within a second where an inform waits for its answer, or another
 * trap of the source came between.
 *
 * An event is of kind "trap": oid, trap (its name where a MIB file tells it), source, relay,
 * version, uptime, each variable by its name, and raw, the packet in hex. Communities and keys
 * stand in none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fenwatch/conf.h>
#include <fenwatch/err.h>
#include <fenwatch/mem.h>

#include "credentials.h"
#include "devices.h"
#include "range.h"

#define TRAPS_PATH "/etc/fenwatch/traps.yml"

struct trap_settings {
	const char *socket, *data, *devices_path;
	const char *addresses; /* a file, addresses.h */
	const char *user;      /* whom root becomes */
	struct fw_text_list listen, communities, users, relay_texts, mibs;
	struct range *relays; /* as many as their texts */
	int64_t window_ms;
	struct devices devices; /* whose addresses have names; none where there is no such file */
	struct fw_arena arena;
};
extern const struct fw_option traps_table[];

int traps_read(struct trap_settings *out, const char *path, struct fw_err *err);
void traps_done(struct trap_settings *s);
/* Until SIGTERM; the exit status. SIGHUP reads the file at `path` anew, into `settings`. */
int traps_run(struct trap_settings *settings, const char *path);
