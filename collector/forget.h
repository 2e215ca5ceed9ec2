/* The end of a host: everything that was kept of it goes.
 *
 * Its enrolment, so that it is refused if it comes again; its samples, which can no
 * longer be read, though their blocks stay in the ring until that has turned; its
 * inventory, events and class; and its alerts, which are closed first, so that no
 * ticket stays open. It begins with what could bring the rest back. If something
 * fails on the way the same call does what is left. Main thread.
 */
#pragma once

#include <fenwatch/err.h>

struct alerts;
struct enrol;
struct events;
struct inventory;
struct outlook;
struct patch;
struct presence;
struct retired;
struct store;

struct forget {
	struct enrol *enrol;
	struct store *store;
	struct alerts *alerts;
	struct inventory *inventory;
	struct events *events;
	struct presence *presence;
	struct outlook *outlook;
	struct patch *patch;
	struct retired *retired;
};

/* -ENOENT: nothing is known of such a host. */
int forget_host(const struct forget *parts, const char *name, struct fw_err *err);
