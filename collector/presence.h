/* Who is there: up{instance,job}, fenwatch_host_away and fenwatch_host_info{class, owner,
 * site, supplier, tier} of every host.
 *
 * up is 1, and 0 after two and a half of the host's usual intervals of silence.
 * Where the host's class may be away for so long (alert.h), there is no `up`
 * meanwhile, since a laptop that is off is not down, and fenwatch_host_away is 1. Of a
 * host that is retired (register.h, retired.h), or whose agent is revoked, nothing is
 * written once it is silent; one that is only planned is away until then.
 * They are written when they change and once a minute, as sweeps of the collector's
 * own. A host's class is what its agent said last, and is kept in SQLite; what the
 * register says of it counts before that. Main thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <fenwatch/err.h>

#include "alert.h"

struct ingest_greeting;
struct presence;
struct registry;
struct state;
struct store;
struct store_host;

struct presence_config {
	uv_loop_t *loop;
	struct store *store;
	struct state *state;
	const struct alert_absence *absence;
	struct registry *registry;
	/* Whether anybody waits for this host, whatever the register says. */
	bool (*is_expected)(const struct store_host *host, void *arg);
	void *arg;
};

int presence_open(struct presence **out, const struct presence_config *config, struct fw_err *err);
/* After a reload: what has changed of a host is written with the next look at it. */
void presence_reload(
	struct presence *presence, const struct alert_absence *absence, struct registry *registry);
void presence_note(struct presence *presence, const struct ingest_greeting *greeting);
int presence_forget(struct presence *presence, uint32_t host, struct fw_err *err);
void presence_close(struct presence *presence, void (*on_closed)(void *arg), void *arg);
