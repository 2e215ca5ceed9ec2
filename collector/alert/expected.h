/* Hosts that the register has as live, and of which nothing was ever heard.
 *
 * Silence is judged of hosts that have spoken; these have not. Since when each is awaited is
 * kept in SQLite, so that neither a restart nor another register begins anew. Who has been
 * awaited for longer than its class may be silent raises HostNeverHeard, until it is heard,
 * or is planned or retired; while its site cannot be reached none is raised. A part of them is
 * looked at each time, and so many alerts are there at most, as a register may be imported
 * long before its agents are. All of it is the main thread's.
 */
#pragma once

#include <fenwatch/err.h>

#include "engine.h"

struct alerts;
struct expected;
struct registry;
struct state;

#define EXPECTED_AT_ONCE 500
#define EXPECTED_RAISED 1000

int expected_prepare(struct state *state, struct fw_err *err); /* its table */
struct expected *expected_new(struct alerts *alerts);
void expected_free(struct expected *expected); /* NULL, too */
/* After the start, and with every other register; NULL: nobody is expected. It lives on. */
void expected_set_register(struct expected *expected, const struct registry *registry);
/* What it raises and clears is written with the next alerts_commit. */
void expected_look(struct expected *expected, struct moment now);
