/* From a check's target to an address.
 *
 * Adds how long that took and which IP it is, both under blackbox_exporter's names.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "check.h"

struct fw_resolve;

struct reach {
	struct check_run *run;
	struct fw_resolve *resolve; /* NULL: not under way */
	struct sockaddr_storage address;
	int64_t us;
	/* Ends in this call from the loop; `why` is NULL or why there is none. */
	void (*on_reached)(struct reach *reach, const char *why);
};

int reach_start(struct reach *reach, struct check_run *run,
	void (*on_reached)(struct reach *reach, const char *why), struct fw_err *err);
void reach_cancel(struct reach *reach);
/* Which version of IP that is, and its hash, as blackbox_exporter has both. */
void reach_tell(struct sweep *sweep, const struct sockaddr_storage *address);
socklen_t reach_length(const struct reach *reach); /* of its address */
/* "HOST" or "HOST:PORT" into the spec; `port` is taken where none is said, and 0 demands one. */
int reach_split(struct check_spec *spec, unsigned port, struct fw_err *err);
