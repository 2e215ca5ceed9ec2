/* The retirement of a host: it is out of service, and what it was stays on record.
 *
 * First it is written down with who says so and why (retired.h); then its agent's
 * certificate is revoked and its alerts are closed, which feeds are told with that reason.
 * From then on its silence is no fault, and patch compliance does not count it. Samples,
 * inventory, tickets and the audit trail stay. What a crash has left undone is done at the
 * next start. Main thread.
 */
#pragma once

#include <stdint.h>

#include <fenwatch/err.h>

struct alerts;
struct enrol;
struct retired;
struct retirement;
struct store;

struct retire {
	struct enrol *enrol;
	struct store *store;
	struct alerts *alerts;
	struct retired *retired;
};

/* -ENOENT: nothing is known of such a host; -EALREADY: it is retired. The agent's name is
 * filled in here. */
int retire_host(const struct retire *parts, const struct retirement *wanted, struct fw_err *err);
/* Its agent may send again; what was closed stays closed. */
int retire_undo(const struct retire *parts, const char *name, const char *who, int64_t now_ms,
	struct fw_err *err);
/* What was begun before the start. */
int retire_finish(const struct retire *parts, struct fw_err *err);
